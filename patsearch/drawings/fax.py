"""One-bit TIFF sheets straight into an array.

Pillow would decode a sheet into memory of its own, from which it can be had as an array by two more
copies alone, and would read the file's directory twice. That costs half as much as the decoding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

_ORIENTATION = 274
# Pillow's names for how a set bit looks.
_WHITE_SET, _BLACK_SET = "1", "1;I"


def read_bits(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8] | None:
    """(H, W) uint8, ink = 0 and paper = 255, of a one-bit TIFF that was opened but not loaded.

    Args:
        image: the TIFF, at its first page.
        data: the whole file.

    Returns:
        None for what is not of this kind, is turned, or is damaged: Pillow's own way deals with it.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.mode != "1" or not all(image.size):
        return None
    if len(image.tile) != 1 or image.tag_v2.get(_ORIENTATION, 1) != 1 or "transparency" in image.info:
        return None
    codec, extents, _, args = image.tile[0]
    if codec != "libtiff" or extents != (0, 0, *image.size) or not isinstance(args, tuple):
        return None
    if args[0] not in (_WHITE_SET, _BLACK_SET):
        return None
    width, height = image.size
    bits = np.empty((height, width), np.uint8)
    # Pillow's bilevel images have 0 and 255 and memory of their own; a palette image has 0 and 1 and
    # may lie in ours.
    target = Image.frombuffer("P", image.size, bits, "raw", "P", 0, 1)
    try:
        target.frombytes(data, "libtiff", ("P;1", *args[1:]))
    except (ValueError, OSError):
        return None
    if not target.readonly:  # a Pillow that writes into a copy
        return None
    if args[0] == _BLACK_SET:
        bits -= 1  # 1 becomes 0, and 0 becomes 255
    else:
        np.negative(bits, out=bits)
    return bits
