"""Spells that use the script API, in three languages, from the command line and from Python.

What they show is the broker's doing and the same for every user, so the pass as an ordinary user
leaves this folder out, as it does the same for hostile spells (`scripts/test-as-user`).
"""
