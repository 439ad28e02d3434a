"""Lines of a view as a drawing: strokes of one width, dark on white.

Lengths are in points: 1/224 of the drawing's longer side, so that a width means the same at every size.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.models.render import Lines

POINTS = 224
SUPERSAMPLING = 3
_SHIFT = 4  # cv2 takes coordinates in 1/16 pixel
_SILHOUETTE = 1
_WIDTH, _CONTOUR = 1.1, 1.5  # points


def draw(lines: Lines, side: int, *, width: float = _WIDTH, contour: float = _CONTOUR) -> NDArray[np.uint8]:
    """A plain drawing of a view, (H, W) uint8 with a longer side of about `side` pixels.

    Args:
        width: of the lines within the object, in points.
        contour: of its silhouette.
    """
    factor = SUPERSAMPLING * side / max(lines.size)
    point = factor * max(lines.size) / POINTS
    margin = int(2 * contour * point)
    across, down = (int(length * factor) + 2 * margin for length in lines.size)
    canvas = np.full((down, across), 255, np.uint8)
    for heavy, thickness in ((False, width), (True, contour)):
        strokes = [
            stroke * factor + margin
            for kind, stroke in zip(lines.kinds, lines.strokes(), strict=True)
            if (kind == _SILHOUETTE) == heavy
        ]
        draw_strokes(canvas, strokes, thickness * point)
    size = (max(1, across // SUPERSAMPLING), max(1, down // SUPERSAMPLING))
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)


def draw_strokes(canvas: NDArray[np.uint8], strokes: Sequence[NDArray[np.float64]], width: float) -> None:
    """Draw polylines in black with round ends, without anti-aliasing: drawings are made larger and shrunk."""
    # Thickness 1, 2, 3, 4, 5, 6 makes lines 1, 3, 5, 5, 7, 7 pixels wide: ask for the nearest odd width.
    odd = 2 * int(width / 2) + 1
    thickness = max(1, odd - 1)
    fixed = [np.rint(stroke * (1 << _SHIFT)).astype(np.int32) for stroke in strokes if len(stroke)]
    cv2.polylines(canvas, fixed, False, (0.0,), thickness, cv2.LINE_8, _SHIFT)
