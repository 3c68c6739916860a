"""Shards without processes: what travels, and who goes where."""
