"""The time by which work must be done: who requests the work sets it, long work looks at it between its steps.

It belongs to the context (`contextvars`): a thread that works for a request runs in a copy of the request's context.
Without one, `check` does nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from patsearch.errors import TimedOut

T = TypeVar("T")

_until: ContextVar[float | None] = ContextVar("until", default=None)


def set_deadline(seconds: float | None) -> None:
    """The work of this context must be done within these seconds from now; None for no limit."""
    _until.set(None if seconds is None else time.monotonic() + seconds)


def remaining() -> float | None:
    """Seconds until the deadline, 0 where it has passed; None without one."""
    until = _until.get()
    return None if until is None else max(0.0, until - time.monotonic())


def check() -> None:
    """Return while there is time.

    Raises:
        TimedOut: the deadline has passed.
    """
    if remaining() == 0:
        raise _timed_out()


def _timed_out() -> TimedOut:
    return TimedOut("The work took longer than it may.", hint="Request less: fewer pictures, results or candidates.")


def steps(items: Iterable[T]) -> Iterator[T]:
    """The items, as long as there is time.

    Raises:
        TimedOut: the deadline has passed.
    """
    for item in items:
        check()
        yield item


@contextmanager
def in_time(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock that others may hold for long.

    Raises:
        TimedOut: it was not free before the deadline.
    """
    until = remaining()
    if not lock.acquire(timeout=-1 if until is None else until):
        raise _timed_out()
    try:
        yield
    finally:
        lock.release()
