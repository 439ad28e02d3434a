"""Worker processes that a bad file cannot hold up: one that dies or hangs loses its own task alone."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from typing import Any

from pebble import ProcessPool


def start_pool(
    workers: int,
    initializer: Callable[..., None] | None = None,
    *arguments: Any,
    tasks_each: int = 0,
    memory: int | None = None,
) -> ProcessPool:
    """A pool of processes that end with this one, also when it is killed.

    A task's future raises `TimeoutError` after the time that `schedule` allows it, and `pebble.ProcessExpired` where
    its process died; the process is replaced. Ctrl-C reaches this process alone.

    Args:
        initializer: called with `arguments` in each new process.
        tasks_each: replace a process after this many tasks; 0 for never.
        memory: bytes of data that a process may hold, where the system can limit them.
    """
    # Not forked: this process may have threads (FAISS, ONNX Runtime, a server), and a copy would hold their locks.
    return ProcessPool(
        workers, tasks_each, _prepare, (memory, initializer, arguments), multiprocessing.get_context("spawn")
    )


def stop_pool(pool: ProcessPool) -> None:
    """End the processes at once; unfinished tasks are dropped."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _prepare(memory: int | None, initializer: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_follow_parent, daemon=True).start()
    if memory is not None:
        _limit_memory(memory)
    if initializer is not None:
        initializer(*arguments)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit_memory(most: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
