"""Kept values: stores, sealing, the vault."""
