"""Work that ends at the time that whoever requested it has set."""

from __future__ import annotations

import threading
from contextvars import copy_context

import pytest

from patsearch.deadline import check, in_time, remaining, set_deadline, steps
from patsearch.errors import TimedOut


def test_without_a_deadline_work_takes_as_long_as_it_does() -> None:
    assert remaining() is None
    check()
    assert list(steps(range(3))) == [0, 1, 2]
    with in_time(threading.Lock()):
        pass


def test_work_stops_after_it_and_only_in_its_context() -> None:
    context, lock = copy_context(), threading.Lock()
    context.run(set_deadline, 0)
    for work in (check, lambda: list(steps([1])), lambda: in_time(lock).__enter__()):
        with lock, pytest.raises(TimedOut, match="longer than it may"):
            context.run(work)
    assert not lock.locked()
    check()
    context.run(set_deadline, None)
    context.run(check)
    context.run(set_deadline, 1000)
    assert 0 < (context.run(remaining) or 0) <= 1000
