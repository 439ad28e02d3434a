"""The structure of TIFF files, of both sizes: pages, tags, strips.

Pillow reads the same, but page by page, in Python objects, and without a word of where a file ends too early.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, FILL_ORDER, ORIENTATION = 256, 257, 259, 262, 266, 274
OFFSETS, LINES, COUNTS = 273, 278, 279  # of the strips
SUBFILE = 254
X_RESOLUTION, Y_RESOLUTION = 282, 283
_NO_PAGE = 1 | 4  # of the bits of SUBFILE: a smaller copy, a mask
_MOST_PAGES = 10_000
_MOST_TAGS = 100
_MOST_VALUES = 20_000
_RATIONAL = 5
_KINDS = {3: "H", 4: "I", _RATIONAL: "Q", 16: "Q"}
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# Pixels that differ less from squares are meant as such; nobody scans with those that differ more.
_LEAST_RATIO, _MOST_RATIO = 1.02, 5.0

Tags = dict[int, list[Any]]


@dataclass(frozen=True, slots=True)
class _Form:
    """How numbers are written: their order for `struct`, and whether the file is of the large kind."""

    order: str
    big: bool = False

    @property
    def place(self) -> str:
        """Of a place in the file."""
        return self.order + ("Q" if self.big else "I")

    @property
    def count(self) -> str:
        """Of the number of tags of a page."""
        return self.order + ("Q" if self.big else "H")

    @property
    def tag(self) -> str:
        return self.order + ("HHQ8s" if self.big else "HHI4s")


_FORMS = {b"II*\0": _Form("<"), b"MM\0*": _Form(">"), b"II+\0": _Form("<", True), b"MM\0+": _Form(">", True)}


@dataclass(frozen=True, slots=True)
class Strip:
    """Some lines of a page, from `top` on, and their coding."""

    top: int
    lines: int
    data: bytes


def tiff_pages(data: bytes) -> list[tuple[int, int]]:
    """Number in the file, from 0, and place of each page of a TIFF; none for another file.

    Thumbnails and masks, which count in the file, are left out. Of a damaged file, pages up to the damage.
    """
    pages = list(enumerate(_chain(data)[0]))
    if len(pages) < 2:
        return pages
    kinds = ((tags_at(data, place) or {}).get(SUBFILE, []) for _, place in pages)
    return [page for page, kind in zip(pages, kinds, strict=True) if not (kind and kind[0] & _NO_PAGE)]


def has_lost_pages(data: bytes) -> bool:
    """Whether a TIFF says that it has more pages than are in it."""
    return _chain(data)[1]


def tags_at(data: bytes, place: int) -> Tags | None:
    """The tags of a page; of what are not numbers, no values. None where they are not whole."""
    form = _FORMS.get(data[:4])
    first = place + struct.calcsize(form.count) if form else 0
    if form is None or not 0 < place < first <= len(data):
        return None
    (count,) = struct.unpack_from(form.count, data, place)
    size = struct.calcsize(form.tag)
    if count > _MOST_TAGS or first + size * count > len(data):
        return None
    tags: Tags = {}
    for tag, kind, values, within in struct.iter_unpack(form.tag, data[first : first + size * count]):
        letter = _KINDS.get(kind)
        if letter is None or values > _MOST_VALUES:
            tags.setdefault(tag, [])
            continue
        length = values * struct.calcsize(form.order + letter)
        at = struct.unpack(form.place, within)[0] if length > len(within) else 0
        listed = data[at : at + length] if length > len(within) else within[:length]
        if len(listed) < length:
            return None
        if kind == _RATIONAL:
            pairs = struct.iter_unpack(form.order + "II", listed)
            tags[tag] = [numerator / denominator if denominator else 0.0 for numerator, denominator in pairs]
        else:
            tags[tag] = list(struct.unpack(f"{form.order}{values}{letter}", listed))
    return tags


def strips(data: bytes, tags: Tags) -> list[Strip] | None:
    """The strips of a page from top to bottom, the first bit of a byte leftmost; None where they are not whole."""
    offsets, counts = tags.get(OFFSETS, []), tags.get(COUNTS, [])
    height = one(tags, HEIGHT)
    each = min(one(tags, LINES) if LINES in tags else height, height)
    order = one(tags, FILL_ORDER) if FILL_ORDER in tags else 1
    if each < 1 or order not in (1, 2) or not len(offsets) == len(counts) == -(-height // each):
        return None
    turn: Callable[[bytes], bytes] = (lambda part: part.translate(_REVERSED)) if order == 2 else bytes
    places = zip(range(0, height, each), offsets, counts, strict=True)
    return [Strip(top, min(each, height - top), turn(data[at : at + size])) for top, at, size in places]


def one(tags: Tags, tag: int) -> int:
    """The only value of a tag; -1 for none or several."""
    values = tags.get(tag, [])
    return values[0] if len(values) == 1 else -1


def taller(across: Sequence[float], down: Sequence[float]) -> float:
    """Height of a pixel in widths, of the values of both resolutions; 1 where they are missing or senseless."""
    ratio = across[0] / down[0] if len(across) == len(down) == 1 and min(across[0], down[0]) > 0 else 1.0
    return ratio if _LEAST_RATIO < max(ratio, 1 / ratio) <= _MOST_RATIO else 1.0


def strip_file(width: int, lines: int, data: bytes, compression: int) -> bytes:
    """A one-bit file of one strip."""
    values = ((256, width), (257, lines), (258, 1), (259, compression), (262, 0), (273, 134), (277, 1), (278, lines))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in (*values, (279, len(data))))
    return b"II*\0" + struct.pack("<IH", 8, len(values) + 1) + (entries + b"\0\0\0\0").ljust(124, b"\0") + data


def _chain(data: bytes) -> tuple[dict[int, None], bool]:
    """The places of all pages, each of which has that of the next; and whether one of them is not in the file."""
    form = _FORMS.get(data[:4])
    found: dict[int, None] = {}
    at = 8 if form and form.big else 4
    while form and at + struct.calcsize(form.place) <= len(data):
        (place,) = struct.unpack_from(form.place, data, at)
        if place == 0:
            return found, False
        if place + struct.calcsize(form.count) > len(data) or place in found or len(found) >= _MOST_PAGES:
            break
        found[place] = None
        (count,) = struct.unpack_from(form.count, data, place)
        at = place + struct.calcsize(form.count) + struct.calcsize(form.tag) * count
    return found, bool(found)
