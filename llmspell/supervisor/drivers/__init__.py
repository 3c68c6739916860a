"""The two drivers of the one session core: `blocking` (poll) and `aio` (asyncio, uvloop).

A driver moves bytes, exits and time into the core and does the effects it asks for. It makes no
decision; a test feeds both the same traces.
"""
