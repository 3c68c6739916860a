"""Where llmspell's own files are, and what the user's `llmspell.toml` says about security.

Paths and settings with their origins live here; the run path imports `paths` only and reads a
file only when it is there. No decision lives here (see `policies`), no secret is kept.
"""
