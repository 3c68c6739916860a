"""Workflows: what a definition means, and how a run of one goes (WF-001 … WF-021).

Decisions and async logic that know a run only by `spells.ports`; every act of a step is a brokered
call or an invoke. May not live here: wire tables, processes, storage formats of other rooms.
"""
