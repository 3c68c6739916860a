"""Models: the provider port, the built-in `fake`, record and replay, the provider process's inside.

What talks to models, or plays them, lives here; litellm is imported by `process/` only, which runs
in a process of its own. No verdict, no budget and no session live here, and no process is started.
"""
