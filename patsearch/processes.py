"""Worker processes that a bad file cannot hold up: one that dies or hangs loses its own task alone."""

from __future__ import annotations

import ast
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pebble import ProcessPool

from patsearch.errors import UsageError
from patsearch.interrupts import shielded, unheard

# Not forked: this process may have threads (FAISS, ONNX Runtime, a server), and a copy would hold their locks.
START = "spawn"
_MOST_SECONDS = 5.0


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

    Raises:
        UsageError: the script that runs has no main guard.
    """
    require_main_guard()
    context = multiprocessing.get_context(START)
    pool = ProcessPool(workers, tasks_each, _prepare, (memory, initializer, arguments), context)
    with shielded(), unheard():
        # This begins its processes, and the thread that will replace them.
        pool.active  # noqa: B018
    return pool


def require_main_guard() -> None:
    """Refuse a script that every worker process would run again, from its first line.

    Raises:
        UsageError: what is being run at the top of the script is not under `if __name__ == "__main__":`.
    """
    main = sys.modules.get("__main__")
    file, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if file is None or (spec is not None and spec.name.endswith("__main__")):
        return  # nothing that a worker would import: typed in, or `python -m package`
    frames = [frame for frame, _ in traceback.walk_stack(None) if frame.f_globals is vars(main)]
    if not frames or frames[-1].f_code.co_name != "<module>":
        return
    try:
        statements = ast.parse(Path(file).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return
    line = frames[-1].f_lineno
    for statement in statements:
        if statement.lineno <= line <= (statement.end_lineno or line) and not _asks_for_its_name(statement):
            raise UsageError(
                f"{file}, line {line}: worker processes would run this script again.",
                hint='Put what it does under: if __name__ == "__main__":',
            )


def _asks_for_its_name(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )


def stop_pool(pool: ProcessPool) -> None:
    """End the processes at once; unfinished tasks are dropped."""
    pool.stop()  # type: ignore[no-untyped-call]
    for worker in list(pool._pool_manager.worker_manager.workers.values()):
        (worker.kill if hasattr(signal, "SIGKILL") else worker.terminate)()
    # Joining may wait forever for a message that a process ended within: its threads end with this process.
    ending = threading.Thread(target=pool.join, daemon=True)
    ending.start()
    ending.join(_MOST_SECONDS)


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
