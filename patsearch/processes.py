"""Worker processes that a bad file cannot hold up: one that dies or hangs loses its own task alone."""

from __future__ import annotations

import ast
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pebble import ProcessPool

from patsearch.errors import UsageError
from patsearch.interrupts import shielded, unheard

# Not forked: this process may have threads (FAISS, ONNX Runtime, a server), and a copy would hold their locks.
START = "spawn"
_MOST_SECONDS = 5.0
# Of a process that reads one file, as of one that reads uploads.
_MOST_MEMORY = 4 << 30

T = TypeVar("T")


class ProcessEnded(Exception):
    """A process ended before it had an answer: its code crashed, or the memory did not suffice."""


def isolated(function: Callable[..., T], *arguments: Any, seconds: float, memory: int = _MOST_MEMORY) -> T:
    """What a module's function returns, from a separate process that ends at the latest after these seconds.

    For one piece of work on a file that may crash its reader or never end. Unlike a pool it needs no main guard in the
    script that runs.

    Args:
        memory: bytes of data that the process may hold, where the system can limit them.

    Raises:
        TimeoutError: the time was up.
        ProcessEnded: it died.
        Exception: what the function raises.
    """
    work = pickle.dumps((function, arguments, memory))
    path = pickle.dumps(sys.path)
    command = [sys.executable, "-c", _READ_AND_ANSWER]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter
            command, input=path + work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"it took longer than {seconds:g} seconds") from error
    if done.returncode or not done.stdout:
        raise ProcessEnded(f"exit code {done.returncode}")
    answered, result = pickle.loads(done.stdout)  # noqa: S301 - of our own process
    if not answered:
        raise result
    answer: T = result
    return answer


_READ_AND_ANSWER = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); import patsearch.processes as p; p._answer()"
)


def _answer() -> None:
    """The process of `isolated`: only the answer goes to its standard output, whatever libraries print."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    function, arguments, memory = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this one
    _limit_memory(memory)
    try:
        answer = (True, function(*arguments))
    except Exception as error:
        error.add_note(traceback.format_exc())
        answer = (False, error)
    with out:
        pickle.dump(answer, out, protocol=pickle.HIGHEST_PROTOCOL)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:  # it has no pipe to wait at: its input has ended
        time.sleep(1.0)
    os._exit(1)


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
