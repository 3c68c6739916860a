"""The trusted side of a run: session core, broker, drivers, worker handles, audit, services.

The core (`session`, `broker`, `peers`) is sans-IO: events in, effects out. Only this room may
import both `platform` and `sandboxes`. Nothing here is ever imported in a worker.
"""
