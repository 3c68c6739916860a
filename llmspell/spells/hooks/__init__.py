"""Hooks: what a spell lets happen before, after and on errors of acts (HOOK-001 … 034).

Points and their spellings, what a hook is, what its answer means, the order and the running.
May not live here: verdicts (the caller judges whatever a hook changed), any act of a tool's.
"""
