"""Which drawings make a batch. A batch depends on seed and step alone: a run that was interrupted, or that is
spread over several processes, draws the same ones.

A class is a design, that is a patent, because a result counts as found if it is "of the same patent". Each near
duplicate of a group is a separate class: a loss with class centres should distinguish them in the end. In one
batch of P x K drawings they would be the hardest negatives every time, so no two designs of one group meet there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import UsageError
from patsearch.training.data.cache import Record

# Streams of random numbers: one for the order of an epoch, one for what a step takes.
_ORDER, _STEP = 0, 1


@dataclass(frozen=True, slots=True)
class Batch:
    """P designs with K drawings each, the drawings of a design in a row.

    Attributes:
        designs: (P * K,) int64 positions of the designs in the records.
        numbers: (P * K,) int64, which of the design's drawings.
        labels: (P * K,) int64 class ids: positions of the designs in the sampler's `designs_of_classes`.
    """

    designs: NDArray[np.int64]
    numbers: NDArray[np.int64]
    labels: NDArray[np.int64]


class Sampler(ABC):
    """P designs, K drawings of each, for every step.

    A design with fewer than K drawings repeats some. Each of several processes draws its own part: the parts
    of all ranks one after another are the batch that a single process with P * ranks designs would draw.

    Args:
        records: all designs.
        chosen: positions of those to draw from.
        designs: P, for one process.
        drawings: K.
        seed: of the order.
        least: designs with fewer drawings are left out; a single drawing has no partner.
        rank, ranks: number of this process, and how many there are.

    Attributes:
        classes: number of class ids, 0 to classes - 1.
        designs_of_classes: (classes,) int64, position of the design of each class.
        left_out: positions of the chosen designs that have too few drawings.
        batches_per_epoch: steps in which about every class is drawn once.

    Raises:
        UsageError: nothing to draw from, or P, K or the rank is not valid.
    """

    name: str
    fewest_drawings = 1
    batches_per_epoch: int

    def __init__(
        self,
        records: Sequence[Record],
        chosen: Sequence[int],
        *,
        designs: int,
        drawings: int,
        seed: int = 0,
        least: int = 2,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        kept = [i for i in chosen if len(records[i].kinds) >= max(1, least)]
        self.left_out = tuple(sorted(set(chosen) - set(kept)))
        if drawings < self.fewest_drawings or designs < 1 or not 0 <= rank < ranks:
            raise UsageError(
                f"No batch of {designs} designs with {drawings} drawings can be drawn (process {rank} of {ranks}).",
                hint=f"Take at least one design and {self.fewest_drawings} drawings of each.",
            )
        if not kept:
            raise UsageError(
                f"No batch of {designs} designs with {drawings} drawings can be drawn: none of the {len(chosen)} "
                f"designs has {max(1, least)} drawings.",
                hint="Training needs several drawings of each design.",
            )
        self.designs, self.drawings, self.seed, self.rank, self.ranks = designs, drawings, seed, rank, ranks
        self.classes = len(kept)
        self.designs_of_classes = np.array(kept, np.int64)
        self._counts = [len(records[i].kinds) for i in kept]
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))
        self._prepare(records)

    @abstractmethod
    def _prepare(self, records: Sequence[Record]) -> None:
        """Set `batches_per_epoch`, and refuse arguments that this sampler cannot use."""

    @abstractmethod
    def _classes_of(self, step: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """(P * ranks,) the classes of one step, for all processes."""

    def batch(self, step: int) -> Batch:
        """The part of this process of the batch of one step."""
        rng = np.random.default_rng([self.seed, _STEP, step])
        labels = self._classes_of(step, rng)
        numbers = [np.resize(rng.permutation(self._counts[label]), self.drawings) for label in labels.tolist()]
        mine = slice(self.rank * self.designs, (self.rank + 1) * self.designs)
        repeated = np.repeat(labels[mine], self.drawings)
        chosen = np.concatenate(numbers[mine]).astype(np.int64)
        return Batch(self.designs_of_classes[repeated], chosen, repeated)

    def __iter__(self) -> Iterator[Batch]:
        """All batches from step 0 on, without end."""
        step = 0
        while True:
            yield self.batch(step)
            step += 1

    def _shuffled(self, epoch: int, count: int) -> NDArray[np.int64]:
        """The order of an epoch; the last one is kept, because the next step needs it again."""
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self.seed, _ORDER, epoch]).permutation(count)
        return self._order[1]


class PKSampler(Sampler):
    """Batches for losses on pairs: at least two drawings of each design, no two designs of one group.

    Every epoch shuffles the groups and takes one design of each.

    Raises:
        UsageError: fewer groups than P * ranks, or K below 2.
    """

    name = "pk"
    fewest_drawings = 2

    def _prepare(self, records: Sequence[Record]) -> None:
        members: dict[str, list[int]] = {}
        for label, design in enumerate(self.designs_of_classes.tolist()):
            members.setdefault(records[design].group, []).append(label)
        self._groups = list(members.values())
        count = self.designs * self.ranks
        if not 2 <= count <= len(self._groups):
            raise UsageError(
                f"No batch of {count} designs with {self.drawings} drawings can be drawn from "
                f"{len(self._groups)} groups.",
                hint="Take at least 2 designs, and at most one per group.",
            )
        self.batches_per_epoch = len(self._groups) // count

    def _classes_of(self, step: int, rng: np.random.Generator) -> NDArray[np.int64]:
        epoch, place = divmod(step, self.batches_per_epoch)
        count = self.designs * self.ranks
        groups = self._shuffled(epoch, len(self._groups))[place * count : (place + 1) * count]
        picked = [self._groups[g][int(rng.integers(len(self._groups[g])))] for g in groups.tolist()]
        return np.array(picked, np.int64)


class ClassBalancedSampler(Sampler):
    """Batches for losses on class centres: every class as often as any other, however many drawings it has.

    The batches are cut from one shuffled list of all classes after another: between two visits of a class all
    others are visited at most twice, and a batch may be larger than there are classes.
    """

    name = "class-balanced"

    def _prepare(self, records: Sequence[Record]) -> None:  # noqa: ARG002 - it needs nothing else
        self.batches_per_epoch = -(-self.classes // (self.designs * self.ranks))

    def _classes_of(self, step: int, rng: np.random.Generator) -> NDArray[np.int64]:  # noqa: ARG002 - by position alone
        count = self.designs * self.ranks
        first, last = step * count, (step + 1) * count
        parts = []
        while first < last:
            epoch, place = divmod(first, self.classes)
            part = self._shuffled(epoch, self.classes)[place : place + last - first]
            parts.append(part)
            first += len(part)
        return np.concatenate(parts)


SAMPLERS: dict[str, type[Sampler]] = {cls.name: cls for cls in (PKSampler, ClassBalancedSampler)}


def sampler_kind(name: str) -> type[Sampler]:
    """The sampler of a name: "pk" or "class-balanced".

    Raises:
        UsageError: no sampler of that name.
    """
    if name not in SAMPLERS:
        raise UsageError(f"Unknown sampler {name!r}.", hint=f"Use {' or '.join(SAMPLERS)}.")
    return SAMPLERS[name]
