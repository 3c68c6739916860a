"""Several agents at one task: strategies, voting, negotiation, delegation, adaptive workflows.

Decisions are pure functions; agents are reached by `host.agents` alone, which judges what they do.
May not live here: models, tools, anything that acts but by `Host`.
"""
