"""Tests of the whole; the folders mirror the package."""
