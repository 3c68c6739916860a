"""Agents: settings, memory, tools, the loop of model and tools, handoff, templates.

Decides and waits by `spells.ports` alone: every model call, tool call and function of the spell's
goes through the `Host`. May not live here: wire names, verdicts, files, sockets, provider formats.
"""
