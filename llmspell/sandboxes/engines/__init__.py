"""The native worker: one Python program per worker that hosts Lua, JavaScript or Python.

Runs under `python -I -S`, confines itself, says hello, evaluates the prelude. What a spell may do
is decided in the supervisor; nothing here knows a policy or holds a secret.
"""
