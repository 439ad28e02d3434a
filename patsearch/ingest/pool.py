"""Units through worker processes, results in the order of the units, a dead worker survived."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from patsearch.ingest.sources import Unit
from patsearch.ingest.worker import UnitResult, WorkerSettings, run_unit, start_worker

# Units in flight for each worker. Results are taken in order, so that one long patent holds up those
# behind it: enough that no worker waits for it, few enough that memory stays small.
_IN_FLIGHT = 24


class WorkerPool:
    """Runs `Worker.process` on units in several processes. A context manager."""

    def __init__(self, settings: WorkerSettings, workers: int) -> None:
        self._settings = settings
        self._workers = workers
        self._pool = self._start(workers)

    def results(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, UnitResult]]:
        """One result a unit, in order; a bounded number of units is in flight.

        A file that takes a worker down (a decoder's crash, the system's memory killer) becomes the
        failure of its unit alone: the units that were in flight are run again one at a time.
        """
        waiting: deque[tuple[Unit, Future[UnitResult]]] = deque()
        source = iter(units)
        more = True
        while more or waiting:
            while more and len(waiting) < _IN_FLIGHT * self._workers:
                unit = next(source, None)
                if unit is None:
                    more = False
                    break
                waiting.append((unit, self._submit(unit)))
            if not waiting:
                break
            unit, future = waiting.popleft()
            try:
                yield unit, future.result()
            except BrokenProcessPool:
                suspects = [unit, *(u for u, _ in waiting)]
                waiting.clear()
                for suspect in suspects:
                    yield suspect, self._alone(suspect)
                self._restart(self._workers)

    def _submit(self, unit: Unit) -> Future[UnitResult]:
        try:
            return self._pool.submit(run_unit, unit)
        except BrokenProcessPool as error:
            # Seen when a worker died just now; let the caller meet it where it waits.
            future: Future[UnitResult] = Future()
            future.set_exception(error)
            return future

    def _alone(self, unit: Unit) -> UnitResult:
        self._restart(1)
        try:
            return self._pool.submit(run_unit, unit).result()
        except BrokenProcessPool:
            return UnitResult(failed="reading it ended the worker process (a damaged image, or too little memory)")

    def _start(self, workers: int) -> ProcessPoolExecutor:
        # Spawned, not forked: the parent may have threads (FAISS, ONNX Runtime), and a fork of those hangs.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker, initargs=(self._settings,))

    def _restart(self, workers: int) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._start(workers)

    def close(self) -> None:
        """End the workers; what was in flight is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
