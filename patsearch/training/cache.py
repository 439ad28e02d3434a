"""Drawings for training, preprocessed once and kept small on disk.

A cache is a folder of shards, each a few dozen designs:

    00012.npy     (n, size, size) uint8, white = 255, as `patsearch.encoder.preprocess` gives them
    00012.json    {"records": [{"design", "group", "family", "kinds"}, ...]}: the rows in turn, `kinds` one entry a row

The JSON file is written last, so that a shard without one is unfinished and is made again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import InputError

VIEW, SKETCH = "view", "sketch"
TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True, slots=True)
class Record:
    """One design of a cache.

    Attributes:
        design: its name, unique in the cache: a patent's number, or the name of a shape.
        group: designs of one group are near duplicates of one another; they share a side of every split.
        family: what kind of object it is: a parametric family, the collection of a shape, or a patent's main
            class ("locarno 14-02", "uspc D14"); empty where nothing is known.
        kinds: of its drawings in turn, "view" or "sketch".
        aspects: of its drawings in turn, what the caption says of the view ("front view"), empty where it
            says nothing; no entries at all where no caption is known.
        split: the side on which the source puts the design, "train", "validation" or "test"; empty where it
            puts it on none.
    """

    design: str
    group: str
    family: str
    kinds: tuple[str, ...]
    aspects: tuple[str, ...] = ()
    split: str = ""


def shard_path(folder: Path, number: int) -> Path:
    """The JSON file of a shard, which exists only when the shard is complete."""
    return folder / f"{number:05d}.json"


def write_shard(folder: Path, number: int, records: Sequence[Record], drawings: NDArray[np.uint8]) -> None:
    """Write one shard; a reader sees all of it or none.

    Args:
        drawings: (n, size, size), the rows of all records in turn.

    Raises:
        ValueError: the records name more or fewer drawings than there are.
    """
    if sum(len(record.kinds) for record in records) != len(drawings):
        raise ValueError("The records and the drawings differ in number.")
    path = shard_path(folder, number)
    for target, write in (
        (path.with_suffix(".npy"), lambda file: np.save(file, drawings, allow_pickle=False)),
        (path, lambda file: file.write(json.dumps({"records": [asdict(r) for r in records]}).encode())),
    ):
        part = target.with_suffix(target.suffix + ".part")
        with part.open("wb") as file:
            write(file)
        part.replace(target)


class DrawingCache:
    """All complete shards of one or several folders, their drawings mapped and not read.

    Args:
        folders: with shards that `write_shard` wrote.

    Attributes:
        records: all designs.
        size: side of a drawing in pixels.

    Raises:
        InputError: no shard, a malformed one, or sizes that differ.
    """

    def __init__(self, *folders: Path) -> None:
        self.records: list[Record] = []
        self._shards: list[NDArray[np.uint8]] = []
        self._places: list[tuple[int, int]] = []  # shard and first row of each design
        for folder in folders:
            for path in sorted(folder.glob("[0-9]*.json")):
                self._add(path)
        where = ", ".join(map(str, folders))
        if not self.records:
            raise InputError(f"There are no drawings in {where}.", hint="tools/render_shapes.py writes them.")
        sizes = {shard.shape[1:] for shard in self._shards}
        if len(sizes) > 1:
            raise InputError(f"The shards of {where} differ in size: {sorted(sizes)}.")
        self.size = self._shards[0].shape[1]

    def _add(self, path: Path) -> None:
        try:
            content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            records = [_record(entry) for entry in content["records"]]
            drawings = np.load(path.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"The shard {path} cannot be read: {error}.", hint="Delete it and render again."
            ) from error
        ends = np.cumsum([0, *(len(record.kinds) for record in records)])
        if drawings.dtype != np.uint8 or drawings.ndim != 3 or len(drawings) != ends[-1]:
            raise InputError(f"The shard {path} and its drawings do not fit.", hint="Delete it and render again.")
        self._places += [(len(self._shards), int(first)) for first in ends[:-1]]
        self._shards.append(drawings)
        self.records += records

    def __len__(self) -> int:
        return len(self.records)

    def drawing(self, design: int, number: int) -> NDArray[np.uint8]:
        """(size, size), drawing `number` of design `design`; a read-only view into the file."""
        shard, first = self._places[design]
        return np.asarray(self._shards[shard][first + number])


def _record(entry: Mapping[str, Any]) -> Record:
    values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in entry.items()}
    return Record(**values)
