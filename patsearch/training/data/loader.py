"""Batches of changed drawings, made ahead of the network that learns from them.

A batch depends on the recipe's seed and its number alone, whichever thread makes it and in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patsearch.errors import InputError
from patsearch.training.augment.augmentation import Augmentation, augment
from patsearch.training.data.cache import VIEW, DrawingCache
from patsearch.training.data.classes import Labelling
from patsearch.training.data.sampler import Batch, Sampler

# Streams of random numbers: what a drawing's changes take, and what a design's. The sampler's are 0 and 1.
_AUGMENT, _HAND = 2, 3
# Batches made ahead, for each thread.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Loaded:
    """A batch on its way to the network.

    Attributes:
        drawings: (N, size, size) uint8, white = 255.
        labels: (N,) int64.
        places: (N, 2) int64, position of the design and number of the drawing that each row shows.
        unreadable: (design, number) of drawings that could not be read and were replaced.
    """

    drawings: Tensor
    labels: Tensor
    places: NDArray[np.int64]
    unreadable: tuple[tuple[int, int], ...]


class Loader:
    """Makes batches, on its own threads or on the caller's.

    OpenCV and zlib, where the time goes, let other threads run.

    Args:
        cache: the drawings.
        sampler: which of them make a batch.
        augmentation: how they are changed.
        labelling: what the class ids of the drawings are; None for those of the sampler.
        seed: of the changes.
        workers: threads; 0 to make each batch on demand.
        pinned: put batches where a GPU can fetch them by itself.
    """

    def __init__(
        self,
        cache: DrawingCache,
        sampler: Sampler,
        augmentation: Augmentation,
        *,
        labelling: Labelling | None = None,
        seed: int,
        workers: int = 0,
        pinned: bool = False,
    ) -> None:
        self._cache, self._sampler, self._augmentation = cache, sampler, augmentation
        self._seed, self._workers, self._pinned = seed, workers, pinned
        self._labelling = labelling or (lambda _design, _number, label: label)
        self._pool = ThreadPoolExecutor(workers, "patsearch-batch") if workers else None
        self._pending: dict[tuple[int, int], Future[Loaded]] = {}

    def batch(self, number: int, size: int) -> Loaded:
        """Batch `number`, its drawings at `size` pixels. To be called with ascending numbers."""
        if self._pool is None:
            return self._make(number, self._sampler.batch(number), size)
        wanted = [(number + ahead, size) for ahead in range(_AHEAD * self._workers)]
        for key in [key for key in self._pending if key not in wanted]:
            self._pending.pop(key).cancel()
        for key in wanted:
            if key not in self._pending:
                # The sampler remembers its last order, which threads must not share.
                self._pending[key] = self._pool.submit(self._make, key[0], self._sampler.batch(key[0]), size)
        return self._pending.pop((number, size)).result()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pending.clear()

    def _make(self, number: int, batch: Batch, size: int) -> Loaded:
        count, rank = len(batch.labels), self._sampler.rank
        labels, rows, shown = batch.labels.copy(), [], []
        unreadable: list[tuple[int, int]] = []
        places = list(zip(batch.designs.tolist(), batch.numbers.tolist(), strict=True))
        for row in range(count):
            drawing, (design, which), source = self._readable(row, places, unreadable)
            labels[row] = self._labelling(design, which, int(batch.labels[source]))
            shown.append((design, which))
            rng = np.random.default_rng([self._seed, _AUGMENT, number, rank * count + row])
            record = self._cache.records[design]
            # The views of a patent share style and scanner; a sketch of it has its own.
            shared = record.hand and record.kinds[which] == VIEW
            hand = np.random.default_rng([self._seed, _HAND, number, design]) if shared else None
            rows.append(augment(drawing, self._augmentation, rng, size=size, hand=hand))
        drawings = torch.from_numpy(np.stack(rows))
        if self._pinned:
            drawings = drawings.pin_memory()
        return Loaded(drawings, torch.from_numpy(labels), np.array(shown, np.int64), tuple(unreadable))

    def _readable(
        self, row: int, places: list[tuple[int, int]], unreadable: list[tuple[int, int]]
    ) -> tuple[NDArray[np.uint8], tuple[int, int], int]:
        """The drawing of a row, else another of its design, else that of another row; then its place, and the row."""
        error: InputError | None = None
        for source in [row, *(other for other in range(len(places)) if other != row)]:
            design, number = places[source]
            count = len(self._cache.records[design].kinds)
            for place in [(design, (number + turn) % count) for turn in range(count)]:
                if place in unreadable:
                    continue
                try:
                    return self._cache.drawing(*place), place, source
                except InputError as caught:
                    error = caught
                    unreadable.append(place)
        assert error is not None
        raise error


def workers_for(device: torch.device, wanted: int | None, cores: Callable[[], int]) -> int:
    """Threads of a loader: the number given, else none next to a CPU's own work and several next to a GPU."""
    if wanted is not None:
        return wanted
    return max(1, min(12, cores() - 2)) if device.type == "cuda" else 0
