"""The event bus of a run: patterns, subscriptions, the ring of past events, delivery.

Decides who gets which event and when, over `spells.ports.Host` alone. May not live here: brokered
methods, files and databases (the state service keeps what is persisted), running a spell's code.
"""
