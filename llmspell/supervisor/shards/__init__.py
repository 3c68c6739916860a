"""Broker shards: trusted helper processes that each hold sessions, one event loop each.

Here: placing runs on them, the pipe to each, their program, and logs coming home. Both ends are
trusted and have the user's own rights, and still every message is bounded, typed and JSON.
Not here: workers and spells' bytes (a shard is a supervisor of its own for those), admission and
fairness (one gate in front of all shards), and any way to start a process but `platform.spawn`.
"""
