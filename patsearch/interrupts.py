"""Ctrl-C: the first stops the work in order, the second ends the process at once.

Python raises KeyboardInterrupt wherever the program is: in the middle of a commit, or with the lock of a queue held,
for which everything then waits forever. Here the first one waits until a `shielded` part is done, and what it raises
is all that is raised; SIGTERM and the end of the terminal do the same. The second one does not wait for anything: an
index survives that, as it survives kill -9.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_STOPPING = "Stopping: what is finished is being stored. Ctrl-C again ends at once."


class _State:
    """Of this process: signals go to its main thread alone."""

    active = False  # our handlers are set
    shields = 0
    number = 0  # of the signal that stops it; 0 for none
    waiting = False  # it has come within a shielded part


@contextmanager
def stoppable() -> Iterator[None]:
    """Stop in order while this lasts; within another one, or outside the main thread, it does nothing.

    Signals that somebody else handles, or that are ignored, as in the background, are left alone.
    """
    if _State.active or threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has the first alone
    numbers = [number for name in names if (number := getattr(signal, name, None)) is not None]
    ours = [n for n in numbers if signal.getsignal(n) in (signal.SIG_DFL, signal.default_int_handler)]
    _State.active, _State.number, _State.waiting = True, 0, False
    before = {number: signal.signal(number, _handle) for number in ours}
    try:
        yield
    finally:
        _State.active = False
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shielded() -> Iterator[None]:
    """A part that a stop does not cut in two: the KeyboardInterrupt comes at its end."""
    _State.shields += 1
    try:
        yield
    finally:
        _State.shields -= 1
    if _State.waiting and not _State.shields:
        _State.waiting = False
        raise KeyboardInterrupt


@contextmanager
def unheard() -> Iterator[None]:
    """Processes and threads that begin in here do not hear Ctrl-C, which a terminal sends to all of a command."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it lets Ctrl-C through again where it is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stopped_by() -> int:
    """The number of the signal that stopped the last `stoppable` part, 0 for none."""
    return _State.number


def end_at_next() -> None:
    """From here on one more Ctrl-C ends the process, even while Python is ending."""
    signal.signal(signal.SIGINT, lambda number, _frame: _end(number))


def _handle(number: int, _frame: FrameType | None) -> None:
    if _State.number:
        _end(number)
        return
    _State.number = number
    _say(_STOPPING)
    if _State.shields:
        _State.waiting = True
    else:
        raise KeyboardInterrupt


def _say(text: str) -> None:
    # Not by sys.stderr: the signal may have come while that was being written to.
    with suppress(OSError):
        os.write(2, f"{chr(13) + chr(27) + '[K' if os.isatty(2) else ''}{text}\n".encode())


def _end(number: int) -> None:
    """End now, with the worker processes, and without semaphores left behind."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children, util

        with suppress(Exception):
            for child in active_children():
                child.kill()
            util._run_finalizers(0)  # type: ignore[attr-defined]
    if os.isatty(2):
        with suppress(OSError):
            os.write(2, b"\x1b[?25h")  # a progress display hides the cursor
    os._exit(128 + number)
