"""A thread that lives as long as the process, for starting workers off the main thread."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_lock: Final = threading.Lock()
_jobs: queue.SimpleQueue[_Job[object]] | None = None
_owner = 0


class _Job(Generic[T]):
    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.done = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None


def run(work: Callable[[], T]) -> T:
    """Runs `work` on the lasting thread and returns or raises what it did."""
    global _jobs, _owner
    with _lock:
        # A forked copy of this process has the queue, but not the thread behind it.
        if _jobs is None or _owner != os.getpid():
            _jobs, _owner = queue.SimpleQueue(), os.getpid()
            thread = threading.Thread(target=_serve, args=(_jobs,), daemon=True)
            thread.name = "llmspell-spawner"
            thread.start()
        jobs = _jobs
    job = _Job(work)
    jobs.put(job)  # type: ignore[arg-type]
    job.done.wait()
    if job.error is not None:
        raise job.error
    return job.result  # type: ignore[return-value]


def _serve(jobs: queue.SimpleQueue[_Job[object]]) -> None:
    while True:
        job = jobs.get()
        try:
            job.result = job.work()
        except BaseException as error:
            job.error = error
        job.done.set()
        del job
