"""Which drawings make a batch: P designs, K drawings of each.

A batch is a function of seed and step alone: a run that was interrupted draws the same ones again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import UsageError
from patsearch.training.cache import Record


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of designs in a list of records.

    Attributes:
        train: to learn from.
        groups: held-out groups of near duplicates, of families that are trained on.
        families: all designs of held-out families.
    """

    train: tuple[int, ...]
    groups: tuple[int, ...]
    families: tuple[int, ...]


def split_designs(records: Sequence[Record], *, families: Sequence[str] = (), share: float = 0.06) -> Split:
    """Split by a hash of the group, which no later addition to the corpus changes.

    Args:
        families: held out whole.
        share: of the remaining groups, held out.
    """
    train, groups, held_families = [], [], []
    for i, record in enumerate(records):
        if record.family in families:
            held_families.append(i)
        elif _hash(record.group) < share:
            groups.append(i)
        else:
            train.append(i)
    return Split(tuple(train), tuple(groups), tuple(held_families))


@dataclass(frozen=True, slots=True)
class Batch:
    """P designs with K drawings each, the drawings of a design in a row.

    Attributes:
        designs: (P * K,) int64 positions of the designs.
        numbers: (P * K,) int64, which of the design's drawings.
        labels: (P * K,) int64, 0 .. P - 1.
    """

    designs: NDArray[np.int64]
    numbers: NDArray[np.int64]
    labels: NDArray[np.int64]


class PKSampler:
    """Random batches of P designs and K drawings of each.

    No two designs of a batch are of one group: near duplicates would be pushed apart as if they differed.
    A design with fewer than K drawings repeats some.

    Args:
        records: all designs.
        chosen: positions of those to draw from.
        designs: P.
        drawings: K, at least 2.
        seed: of the order.

    Raises:
        UsageError: fewer groups than P, or K below 2.
    """

    def __init__(
        self, records: Sequence[Record], chosen: Sequence[int], *, designs: int, drawings: int, seed: int = 0
    ) -> None:
        members: dict[str, list[int]] = {}
        for i in chosen:
            if records[i].kinds:
                members.setdefault(records[i].group, []).append(i)
        self._groups = list(members.values())
        if drawings < 2 or not 2 <= designs <= len(self._groups):
            raise UsageError(
                f"No batch of {designs} designs with {drawings} drawings can be drawn from {len(self._groups)} groups.",
                hint="Take at least 2 drawings a design, and at most as many designs as there are groups.",
            )
        self._counts = [len(record.kinds) for record in records]
        self.designs, self.drawings, self.seed = designs, drawings, seed
        self.batches_per_epoch = len(self._groups) // designs

    def batch(self, step: int) -> Batch:
        """The batch of one step. Every epoch shuffles the groups and takes one design of each."""
        epoch, place = divmod(step, self.batches_per_epoch)
        order = np.random.default_rng([self.seed, 0, epoch]).permutation(len(self._groups))
        rng = np.random.default_rng([self.seed, 1, step])
        designs, numbers = [], []
        for group in order[place * self.designs : (place + 1) * self.designs]:
            members = self._groups[group]
            design = members[int(rng.integers(len(members)))]
            count = self._counts[design]
            designs += [design] * self.drawings
            numbers += np.resize(rng.permutation(count), self.drawings).tolist()
        labels = np.repeat(np.arange(self.designs), self.drawings)
        return Batch(np.array(designs, np.int64), np.array(numbers, np.int64), labels.astype(np.int64))

    def __iter__(self) -> Iterator[Batch]:
        """All batches from step 0 on, without end."""
        step = 0
        while True:
            yield self.batch(step)
            step += 1


def _hash(text: str) -> float:
    """In [0, 1), the same everywhere and always."""
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) / 2**48
