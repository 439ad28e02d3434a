"""Which designs are trained on and which are held out; split by patent, so that no patent is on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from patsearch.training.data.cache import TRAIN, Record


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
    """Split by a hash of the group, which later additions to the corpus do not change.

    Designs whose source says on which side they are (`Record.split`, from DeepPatent's own lists) stay there.

    Args:
        families: held out whole.
        share: of the remaining groups, held out.
    """
    train, groups, held_families = [], [], []
    for i, record in enumerate(records):
        held = record.split != TRAIN if record.split else hash_share(record.group) < share
        if record.family in families:
            held_families.append(i)
        elif held:
            groups.append(i)
        else:
            train.append(i)
    return Split(tuple(train), tuple(groups), tuple(held_families))


def hash_share(text: str) -> float:
    """In [0, 1), evenly spread, the same everywhere and always."""
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) / 2**48
