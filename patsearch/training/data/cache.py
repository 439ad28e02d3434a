"""Drawings for training, preprocessed once and kept small on disk.

A cache is a folder of shards, each a few dozen designs:

    00012.bin     the drawings one after another, each deflated (`pack`)
    00012.json    {"size": S, "ends": [end of each drawing in the .bin file], "records": [a `Record` each]}

The JSON file is written last: a shard without one is unfinished and is made again.

Nine tenths of a line drawing are white. Where the ink is and how dark it is are deflated separately: the first is
regular, the second almost noise, and together they take less than PNG does (docs/research/training-data.md).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.preprocess import Preprocessing
from patsearch.errors import ImageError, InputError
from patsearch.files import write_bytes, write_text

VIEW, SKETCH = "view", "sketch"
TRAIN, VALIDATION, TEST = "train", "validation", "test"
CACHE = "cache.json"  # how the drawings of a folder were made
WHITE = 255
_LENGTH = 4  # bytes of the number that a packed drawing begins with
_REBUILD = "Delete the shard and build the cache again: only what is missing is made."


@dataclass(frozen=True, slots=True)
class Record:
    """One design of a cache.

    Attributes:
        design: its name, unique in the cache: a patent's number, or the name of a shape.
        group: designs of one group are near duplicates of one another; they share a side of every split.
        family: what kind of object it is: a parametric family, the collection of a shape, or a patent's main
            class ("locarno 14", "uspc D14"); empty where nothing is known.
        kinds: of each drawing, "view" or "sketch".
        aspects: of each drawing, the view that its caption names ("perspective", "front" ...), empty if it names
            none; no entries at all if no caption names one.
        split: the side on which the source puts the design, "train", "validation" or "test"; empty if on none.
        hand: whether all its views have one style, as in a patent; augmentation then keeps one style.
    """

    design: str
    group: str
    family: str
    kinds: tuple[str, ...]
    aspects: tuple[str, ...] = ()
    split: str = ""
    hand: bool = False


def pack(drawing: NDArray[np.uint8]) -> bytes:
    """A (S, S) drawing without loss: length of the first part (4 bytes), where ink is, how dark it is."""
    inked = drawing != WHITE
    where = zlib.compress(np.packbits(inked).tobytes(), 9)
    return len(where).to_bytes(_LENGTH, "little") + where + zlib.compress(drawing[inked].tobytes(), 9)


def unpack(data: bytes, size: int) -> NDArray[np.uint8]:
    """The (size, size) drawing that `pack` made into bytes.

    Raises:
        ImageError: the bytes are damaged, or of a drawing of another size.
    """
    end = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    pixels = size * size
    try:
        where = _inflate(data[_LENGTH:end], (pixels + 7) // 8)
        inked = np.unpackbits(np.frombuffer(where, np.uint8), count=pixels).view(np.bool_)
        drawing = np.full(pixels, WHITE, np.uint8)
        drawing[inked] = np.frombuffer(_inflate(data[end:], pixels), np.uint8)
    except (zlib.error, ValueError) as error:
        raise ImageError(f"A drawing is damaged: {error}.") from error
    return drawing.reshape(size, size)


def _inflate(data: bytes, most: int) -> bytes:
    """The content of a zlib stream of at most `most` bytes, its checksum tested."""
    stream = zlib.decompressobj()
    content = stream.decompress(data, most + 1)
    if len(content) > most or not stream.eof:
        raise ValueError("more bytes than expected" if len(content) > most else "it ends too early")
    return content


def shard_path(folder: Path, number: int) -> Path:
    """The JSON file of a shard, which exists only when the shard is complete."""
    return folder / f"{number:05d}.json"


def write_shard(folder: Path, number: int, records: Sequence[Record], drawings: NDArray[np.uint8]) -> None:
    """Write one shard; a reader sees all of it or none.

    Args:
        drawings: (n, size, size), the drawings of all records one after another.

    Raises:
        ValueError: the records name more or fewer drawings than there are.
    """
    write_packed(folder, number, records, [pack(drawing) for drawing in drawings], size=drawings.shape[1])


def write_packed(
    folder: Path,
    number: int,
    records: Sequence[Record],
    packed: Sequence[bytes],
    *,
    size: int,
    more: Mapping[str, Any] | None = None,
) -> None:
    """`write_shard` for packed drawings; `more` is added to the JSON file."""
    if sum(len(record.kinds) for record in records) != len(packed):
        raise ValueError("The records and the drawings differ in number.")
    ends = np.cumsum([len(data) for data in packed], dtype=np.int64).tolist()
    content = {"size": size, "ends": ends, "records": [asdict(record) for record in records], **(more or {})}
    path = shard_path(folder, number)
    write_bytes(path.with_suffix(".bin"), b"".join(packed))
    write_text(path, json.dumps(content))


@dataclass(frozen=True, slots=True)
class _Packed:
    """The drawings of a shard, each read on demand.

    The file is opened for every drawing: that costs a hundredth of inflating it, and thousands of shards need
    neither descriptors nor anything that threads and processes would have to share.
    """

    path: Path
    size: int
    ends: tuple[int, ...]

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        first = self.ends[row - 1] if row else 0
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(first)
                data = file.read(self.ends[row] - first)
            return unpack(data or b"", self.size)
        except (OSError, ImageError) as error:
            reason = error.message if isinstance(error, ImageError) else error.strerror or error
            raise ImageError(f"{self.path}, drawing {row}: {str(reason).rstrip('.')}.", hint=_REBUILD) from error


class DrawingCache:
    """All complete shards of one or several folders; their drawings are read one by one on demand.

    Pickles as the names of its folders, so that processes that load drawings open it for themselves.

    Args:
        folders: with shards that `write_shard` wrote.

    Attributes:
        records: all designs.
        size: side of a drawing in pixels.
        preprocessing: how the drawings were made; None if a folder does not say (`cache.json`).

    Raises:
        InputError: no shard, a malformed one, or sizes that differ.
    """

    def __init__(self, *folders: Path) -> None:
        self.folders = tuple(map(Path, folders))
        self.records: list[Record] = []
        self._shards: list[_Packed] = []
        self._places: list[tuple[int, int]] = []  # shard and first row of each design
        sizes: set[int] = set()
        for folder in self.folders:
            for path in sorted(folder.glob("[0-9]*.json")):
                sizes.add(self._add(path))
        where = ", ".join(map(str, folders))
        if not self.records:
            raise InputError(f"No drawings found in {where}.", hint="Build a cache there first.")
        if len(sizes) > 1:
            raise InputError(f"The shards of {where} differ in size: {sorted(sizes)}.")
        self.size = sizes.pop()
        found = {_preprocessing(folder) for folder in self.folders}
        if len(found - {None}) > 1:
            raise InputError(f"The drawings of {where} were preprocessed in different ways.")
        self.preprocessing = found.pop() if len(found) == 1 else None

    def __reduce__(self) -> tuple[type[DrawingCache], tuple[Path, ...]]:
        return DrawingCache, self.folders

    def fingerprint(self, designs: Iterable[int]) -> str:
        """Of some designs by position: their names, groups and numbers of drawings."""
        digest = hashlib.sha256()
        for design in designs:
            record = self.records[design]
            digest.update(f"{record.design}\0{record.group}\0{len(record.kinds)}\n".encode())
        return digest.hexdigest()

    def _add(self, path: Path) -> int:
        """Add one shard; returns the side of its drawings."""
        try:
            content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            records = [_record(entry) for entry in content["records"]]
            drawings = _packed(path, content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"The shard {path} cannot be read: {error}.", hint=_REBUILD) from error
        firsts = np.cumsum([0, *(len(record.kinds) for record in records)]).tolist()
        if len(drawings.ends) != firsts[-1]:
            raise InputError(f"The shard {path} and its drawings do not fit.", hint=_REBUILD)
        self._places += [(len(self._shards), first) for first in firsts[:-1]]
        self._shards.append(drawings)
        self.records += records
        return drawings.size

    def __len__(self) -> int:
        return len(self.records)

    def drawing(self, design: int, number: int) -> NDArray[np.uint8]:
        """(size, size) uint8, white = 255: drawing `number` of design `design`.

        Raises:
            ImageError: the file on disk is damaged or gone.
        """
        shard, first = self._places[design]
        return self._shards[shard][first + number]

    def readable(self, designs: Iterable[int]) -> Iterator[tuple[int, bool, NDArray[np.uint8]]]:
        """The drawings of some designs, without those that cannot be read: design, whether it is a sketch, drawing."""
        for design in designs:
            for number, kind in enumerate(self.records[design].kinds):
                with suppress(InputError):
                    yield design, kind == SKETCH, self.drawing(design, number)


def _preprocessing(folder: Path) -> Preprocessing | None:
    path = folder / CACHE
    try:
        return Preprocessing(**json.loads(path.read_text(encoding="utf-8"))["preprocessing"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def _packed(path: Path, content: Mapping[str, Any]) -> _Packed:
    size, ends = int(content["size"]), tuple(int(end) for end in content["ends"])
    path = path.with_suffix(".bin")
    stored = path.stat().st_size
    if size < 1 or any(a > b for a, b in pairwise((0, *ends))) or stored != (ends[-1] if ends else 0):
        raise ValueError(f"{path.name} has {stored} bytes, which is not the number in its list")
    return _Packed(path, size, ends)


def _record(entry: Mapping[str, Any]) -> Record:
    values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in entry.items()}
    return Record(**values)
