"""Small pictures for result lists and pages."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.errors import ImageError

THUMBNAIL_SIDE = 480
_WHITE = 255
# Run lengths of unfiltered rows suit lines on white paper: smaller files than what is usual for PNG, in
# a quarter of the time.
_PNG = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 3),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
]


def thumbnail(grey: NDArray[np.uint8], *, side: int = THUMBNAIL_SIDE) -> bytes:
    """PNG bytes of a (H, W) grey drawing, at most `side` pixels wide and high, in sixteen shades.

    A larger drawing shrinks by a whole factor, the smallest that will do: means over whole pixels
    cost a fifth of means over parts of pixels.
    """
    height, width = grey.shape
    factor = -(-max(height, width) // side)
    if factor > 1:
        below, right = -height % factor, -width % factor
        padded = cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_CONSTANT, value=_WHITE)
        size = (padded.shape[1] // factor, padded.shape[0] // factor)
        grey = np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # Sixteen shades look the same and take half the bytes.
    shades = (grey >> 4) * np.uint8(17)
    done, encoded = cv2.imencode(".png", shades, _PNG)
    if not done:
        raise ImageError(f"A thumbnail of a {width} x {height} drawing could not be encoded.")
    return bytes(encoded)
