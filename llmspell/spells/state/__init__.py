"""Kept values of a spell: stores by owner, transactions, quotas, expiry, encryption, the vault.

Synchronous: the state service calls them on a thread. May not live here: verdicts (policies),
brokered methods (supervisor), and any path that a spell could choose.
"""
