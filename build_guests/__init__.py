"""The build of everything that is not Python: guests, the native worker, the confinement programs.

Used by `hatch_build.py` only and never shipped in a wheel. Nothing here may import `llmspell`:
the build runs before the package exists.
"""
