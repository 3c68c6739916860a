"""Thousands of runs with random kills; afterwards nothing may be left of any of them."""
