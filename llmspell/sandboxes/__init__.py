"""What runs inside a worker: engines, preludes per language, the wasm guests and the confinement.

Imports only `errors`, `channel` and the engine, so that it starts in a bare `python -I -S`.
No policy, no secret and no knowledge of the supervisor may live here.
"""
