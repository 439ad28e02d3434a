"""Fax-coded one-bit sheets (CCITT group 4 in TIFF) straight into an array, and how much of them is sound.

Pillow decodes a sheet into its own memory, from which an array takes two more
copies, and reads the file's directory in Python: together half as much again as the decoding.

The coding has no checksum, and libtiff returns a picture whatever the file holds. But each line is coded in the bits
that follow those of the line above, so a sound strip ends exactly with its last line. A strip is therefore decoded with
one line more than it has, and with a code instead of its end mark that libtiff does not know: libtiff complains about
that line alone, or the strip is damaged.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from patsearch.drawings.libtiff import listening
from patsearch.drawings.tiff import (
    COMPRESSION,
    COUNTS,
    HEIGHT,
    OFFSETS,
    PHOTOMETRIC,
    WIDTH,
    X_RESOLUTION,
    Y_RESOLUTION,
    Strip,
    one,
    strip_file,
    strips,
    tags_at,
    taller,
    tiff_pages,
)

_GROUP4 = 4
_BLACK_SET = 0  # photometric interpretation: a bit that is set is black; 1: is white
_PLAIN = {
    258: 1,  # bits a sample
    274: 1,  # orientation
    277: 1,  # samples a pixel
    284: 1,  # planar configuration
    292: 0,  # options of group 3
    293: 0,  # options of group 4
    339: 1,  # sample format
}
_FOREIGN = frozenset({322, 323, 324, 325, 338})  # tiles, extra samples
_END_MARK = 0x001001
_END_BITS = 24
_STOP_BIT = 6  # the end mark with this bit set begins with 0000001, the code of an extension
_FILL = b"\xff" * 16
_LINE = re.compile(r"line (\d+)")


@dataclass(frozen=True, slots=True)
class Fax:
    """A decoded sheet.

    Attributes:
        grey: (H, W) uint8, ink = 0 and paper = 255; what is damaged is paper.
        gone: number of its lines that are damaged.
        taller: height of a pixel in widths: 2.08 for a fax of 204 by 98 dots an inch.
    """

    grey: NDArray[np.uint8]
    gone: int
    taller: float = 1.0


def read_fax(data: bytes, max_pixels: int, *, page: int = 1) -> Fax | None:
    """A page of a plain TIFF in group 4 coding.

    Args:
        data: the whole file.
        page: its number, from 1.
        max_pixels: larger sheets are not decoded.

    Returns:
        None for everything else: other formats and codings, turned and larger sheets, no such page.
    """
    pages = tiff_pages(data)
    tags = tags_at(data, pages[page - 1][1]) if 1 <= page <= len(pages) else None
    if tags is None or _FOREIGN.intersection(tags) or any(tags.get(tag, [v]) != [v] for tag, v in _PLAIN.items()):
        return None
    width, height = one(tags, WIDTH), one(tags, HEIGHT)
    photometric = one(tags, PHOTOMETRIC) if PHOTOMETRIC in tags else _BLACK_SET
    if one(tags, COMPRESSION) != _GROUP4 or photometric not in (0, 1) or not 0 < width * height <= max_pixels:
        return None
    parts = strips(data, tags)
    if parts is None:
        return None
    # Pillow's bilevel images have 0 and 255 and their own memory; a palette image has 0 and 1 and
    # may use ours. One line more, for the last strip.
    bits = np.empty((height + 1, width), np.uint8)
    damaged: list[tuple[int, int]] = []
    for strip in parts:
        sound = _decode(strip, bits[strip.top : strip.top + strip.lines + 1])
        if sound is None:
            return None
        if sound < strip.lines:
            damaged.append((strip.top + sound, strip.top + strip.lines))
    grey = bits[:height]
    if photometric == _BLACK_SET:
        grey -= 1  # 1 becomes 0, and 0 becomes 255
    else:
        np.negative(grey, out=grey)
    for start, end in damaged:
        grey[start:end] = 255
    across, down = (tags.get(tag, []) for tag in (X_RESOLUTION, Y_RESOLUTION))
    return Fax(grey, sum(end - start for start, end in damaged), taller(across, down))


def _decode(strip: Strip, bits: NDArray[np.uint8]) -> int | None:
    """Decode a strip into (lines + 1, W) 0/1 uint8; returns how many of its lines are sound, None if Pillow refuses."""
    lines, width = strip.lines, bits.shape[1]
    length = _length(strip.data)
    marked = length < 8 * len(strip.data)
    more = int(marked)
    data = _stopped(strip.data, length) if marked else strip.data
    target = Image.frombuffer("P", (width, lines + more), bits[: lines + more], "raw", "P", 0, 1)
    with listening() as messages:
        try:
            target.frombytes(strip_file(width, lines + more, data, _GROUP4), "libtiff", ("P;1", *_coding(), 8))
        except (ValueError, TypeError, OSError):
            return None
    if not target.readonly:  # a Pillow that has moved it to its own memory
        return None
    if messages is None or (marked and [_LINE.findall(text) for text in messages] == [[str(lines)]]):
        return lines
    return _agreeing(strip.data, length, bits[:lines])


def _agreeing(data: bytes, length: int, bits: NDArray[np.uint8]) -> int:
    """The number of lines up to the first whose coding is not what the data of a damaged strip have there.

    Every line has one coding alone, given the line above: the first lines coded again are what the data begin with.
    """

    def agree(lines: int) -> int:
        """How many bits the first lines take if the data begin with them, else 0."""
        coded = _coded(bits[:lines])
        size = _length(coded)
        whole, rest = divmod(size, 8)
        same = size <= length and coded[:whole] == data[:whole]
        return size if same and (not rest or not (coded[whole] ^ data[whole]) >> 8 - rest) else 0

    size = agree(len(bits))
    if size and length - size < 8:
        return len(bits)
    sound, unsound = (len(bits), 0) if size else (0, len(bits))
    while unsound - sound > 1:
        half = (sound + unsound) // 2
        sound, unsound = (half, unsound) if agree(half) else (sound, half)
    if size or data.endswith(_FILL):
        # Ones say "as above" again and again: lines that are all the same up to there come from a fill.
        changes = np.flatnonzero((bits[1:sound] != bits[: max(sound - 1, 0)]).any(axis=1))
        sound = int(changes[-1]) + 1 if changes.size else 0
    return sound


def _coded(bits: NDArray[np.uint8]) -> bytes:
    """Some lines in group 4 coding."""
    sheet = io.BytesIO()
    image = Image.fromarray(bits * np.uint8(255)).convert("1", dither=Image.Dither.NONE)
    image.save(sheet, "TIFF", compression="group4", strip_size=1 << 30)
    data = sheet.getvalue()
    tags = tags_at(data, tiff_pages(data)[0][1]) or {}
    offset = one(tags, OFFSETS)
    return data[offset : offset + one(tags, COUNTS)]


def _length(data: bytes) -> int:
    """The number of bits of a strip before its end mark; all of them where it has none."""
    data = data.rstrip(b"\0")
    tail = int.from_bytes(data[-4:], "big")
    zeros = (tail & -tail).bit_length() - 1
    marked = len(data) >= 4 and tail >> zeros & (1 << _END_BITS) - 1 == _END_MARK
    return 8 * len(data) - (zeros + _END_BITS if marked else 0)


def _stopped(data: bytes, length: int) -> bytes:
    """A strip with a code that libtiff does not read, and says so, instead of its end mark."""
    place = length + _STOP_BIT
    changed = bytearray(data)
    changed[place // 8] |= 0x80 >> place % 8
    return bytes(changed)


@lru_cache(maxsize=1)
def _coding() -> tuple[object, ...]:
    """What Pillow's decoder is told between raw mode and place of the directory; versions differ in it."""
    sheet = io.BytesIO()
    Image.new("1", (8, 8)).save(sheet, "TIFF", compression="group4")
    args = TiffImagePlugin.TiffImageFile(io.BytesIO(sheet.getvalue())).tile[0][3]
    return args[1:-1] if isinstance(args, tuple) else ()
