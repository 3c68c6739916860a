"""Small pure tools: numbers, text, dates, identifiers, hashes, templates, differences.

Here live tools that need nothing from the broker, and their helpers.
A tool that reads a file or reaches a host belongs elsewhere.
"""
