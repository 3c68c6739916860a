"""Tools over files, each act a brokered call under the spell's own policy.

Here live reading, writing and listing, and what decodes file bytes to text.
Nothing here opens a path: the worker could not, and the broker alone judges.
"""
