"""What an error means and what may be done about it: parsing, strategies, attempts, statistics.

Pure decisions, and async attempts that need only `spells.ports`. May not live here: policy
verdicts (policies), the wire names (api), anything that acts but by `Host`.
"""
