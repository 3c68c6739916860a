"""Spells that use the script API, in three languages, from the command line and from Python.

What they show is the same for every user, so the pass as an ordinary user leaves this folder out;
what the API can't be made to do by a hostile spell is in `tests/adversarial`, which it runs.
"""
