"""Units through worker processes, results in the order of the units."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from pebble import ProcessExpired

from patsearch.errors import PatsearchError
from patsearch.ingest.sources import Unit
from patsearch.ingest.worker import UnitResult, WorkerSettings, run_unit, start_worker
from patsearch.interrupts import shielded
from patsearch.processes import start_pool, stop_pool
from patsearch.types import Closing

# Units in flight for each worker. Results are taken in order, so that one long patent holds up those
# behind it: enough that no worker waits for it, few enough that memory stays small.
_IN_FLIGHT = 24
# The largest patents take a minute on one slow core.
_MOST_SECONDS = 1800.0
_ENDED = "reading it ended the worker process (a damaged image, or too little memory)"


class WorkerPool(Closing):
    """Runs `Worker.process` on units in several processes. A context manager."""

    def __init__(self, settings: WorkerSettings, workers: int, *, most_seconds: float = _MOST_SECONDS) -> None:
        self._workers = workers
        self._most_seconds = most_seconds
        self._pool = start_pool(workers, start_worker, settings)

    def results(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, UnitResult]]:
        """One result a unit, in order; a bounded number of units is in flight.

        A file that takes a worker down (a decoder's crash, the system's memory killer) or hangs it becomes the
        failure of its unit alone.

        Raises:
            PatsearchError: the workers cannot be started.
        """
        waiting: deque[tuple[Unit, Future[UnitResult]]] = deque()
        source = iter(units)
        while True:
            free = _IN_FLIGHT * self._workers - len(waiting)
            for unit in islice(source, free):
                with shielded():  # or the lock of the queue would be left
                    waiting.append((unit, self._submit(unit)))
            if not waiting:
                return
            unit, future = waiting.popleft()
            yield unit, self._result(unit, future)

    def _submit(self, unit: Unit) -> Future[UnitResult]:
        try:
            future: Future[UnitResult] = self._pool.schedule(run_unit, args=(unit,), timeout=self._most_seconds)
        except RuntimeError as error:  # the pool is broken
            raise _ended(error) from error
        return future

    def _result(self, unit: Unit, future: Future[UnitResult]) -> UnitResult:
        try:
            try:
                return future.result()
            except ProcessExpired:
                # Others may have taken the memory: it gets a second try.
                return self._submit(unit).result()
        except ProcessExpired:
            return UnitResult(failed=_ENDED)
        except TimeoutError:
            return UnitResult(failed=f"reading it took longer than {self._most_seconds:g} seconds")
        except BrokenProcessPool as error:
            raise _ended(error) from error

    def close(self) -> None:
        """End the workers; what was in flight is dropped."""
        stop_pool(self._pool)


def _ended(error: RuntimeError) -> PatsearchError:
    return PatsearchError(
        f"The worker processes ended: {error}.", hint="Run the same command again: it resumes; see --workers."
    )
