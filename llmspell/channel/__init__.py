"""The one wire between a worker and the supervisor: framing, strict JSON, messages, states.

Sans-IO: bytes in, messages out. It opens nothing, waits for nothing and knows no policy.
What one side may say when is one table (`states`); every bound is in one place (`bounds`).
"""
