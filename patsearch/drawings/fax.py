"""Fax-coded one-bit sheets (CCITT group 4 in TIFF) straight into an array.

Pillow decodes a sheet into its own memory, from which an array takes two more
copies, and reads the file's directory in Python: together half as much again as the decoding.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC = 256, 257, 259, 262
_GROUP4 = 4
_BLACK_SET = 0  # photometric interpretation: a bit that is set is black; 1: is white
_PLAIN = {
    258: 1,  # bits a sample
    266: 1,  # fill order
    274: 1,  # orientation
    277: 1,  # samples a pixel
    284: 1,  # planar configuration
    292: 0,  # options of group 3
    293: 0,  # options of group 4
    339: 1,  # sample format
}
_FOREIGN = frozenset({322, 323, 324, 325, 338})  # tiles, extra samples
_SHORT, _LONG = 3, 4
_MOST_TAGS = 100


def read_fax(data: bytes, max_pixels: int) -> NDArray[np.uint8] | None:
    """(H, W) uint8, ink = 0 and paper = 255, of the first page of a plain TIFF in group 4 coding.

    Args:
        data: the whole file.
        max_pixels: larger sheets are not decoded.

    Returns:
        None for everything else: other formats and codings, turned, larger and damaged sheets.
    """
    tags = _directory(data)
    if tags is None or _FOREIGN.intersection(tags) or any(tags.get(tag, v) != v for tag, v in _PLAIN.items()):
        return None
    width, height, photometric = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0), tags.get(_PHOTOMETRIC)
    if tags.get(_COMPRESSION) != _GROUP4 or photometric not in (0, 1) or not 0 < width * height <= max_pixels:
        return None
    bits = np.empty((height, width), np.uint8)
    # Pillow's bilevel images have 0 and 255 and their own memory; a palette image has 0 and 1 and
    # may use ours.
    target = Image.frombuffer("P", (width, height), bits, "raw", "P", 0, 1)
    try:
        target.frombytes(data, "libtiff", ("P;1", *_coding(), tags[0]))
    except (ValueError, TypeError, OSError):
        return None
    if not target.readonly:  # a Pillow that has moved it to its own memory
        return None
    if photometric == _BLACK_SET:
        bits -= 1  # 1 becomes 0, and 0 becomes 255
    else:
        np.negative(bits, out=bits)
    return bits


@lru_cache(maxsize=1)
def _coding() -> tuple[object, ...]:
    """What Pillow's decoder is told between raw mode and place of the directory; versions differ in it."""
    sheet = io.BytesIO()
    Image.new("1", (8, 8)).save(sheet, "TIFF", compression="group4")
    args = TiffImagePlugin.TiffImageFile(io.BytesIO(sheet.getvalue())).tile[0][3]
    return args[1:-1] if isinstance(args, tuple) else ()


def _directory(data: bytes) -> dict[int, int] | None:
    """The first directory's tags that hold one whole number each, and its offset under 0."""
    order = _BYTE_ORDERS.get(data[:4])
    if order is None or len(data) < 10:
        return None
    (offset,) = struct.unpack_from(order + "I", data, 4)
    if offset + 2 > len(data):
        return None
    (count,) = struct.unpack_from(order + "H", data, offset)
    entries = data[offset + 2 : offset + 2 + 12 * count]
    if count > _MOST_TAGS or len(entries) < 12 * count:
        return None
    tags = {0: offset}
    for tag, kind, values, value in struct.iter_unpack(order + "HHII", entries):
        if values == 1 and kind == _LONG:
            tags[tag] = value
        elif values == 1 and kind == _SHORT:
            tags[tag] = value & 0xFFFF if order == "<" else value >> 16
        else:
            tags.setdefault(tag, -1)  # there, and nothing that `read_fax` understands
    return tags
