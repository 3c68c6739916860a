"""Tools over structured data: JSON and CSV, and their helpers.

They parse what strangers wrote and take every file through the broker.
What fetches or only moves bytes belongs in `web` or `filesystem`.
"""
