"""Hatching and stippling taken out of a drawing, as a sketch or another draughtsman would leave them out.

Hatching is recognised by its texture, not line by line: where lines are so close that the gaps between them
close, and run so much in one direction that their gradients agree (the coherence of the structure tensor).
Stippling is specks that touch nothing.

It cannot know what lines mean. The bars of a grille, the ribs of a radiator and fine threads look as
hatching does and go with it; hatching with wide gaps, curved at a small radius or crossed stays.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Ink = NDArray[np.uint8]

_UNIT = 224  # lengths below are given for a drawing of this side
_GAP = 5.5  # between two lines of one hatching, at most
_PATCH = 13.0  # hatching covers at least a square of this side
_WINDOW = 15  # pixels over which directions are compared
_COHERENT = 0.55  # 0 all directions equal, 1 all lines parallel
_SPECK = 3.2  # side of a dot, at most; the dashes of a broken line are longer
_INK_ABOVE = 56
_BLACK = 255


def drop_hatching(ink: Ink) -> Ink:
    """(S, S) uint8, 0 paper and 255 line: the drawing without hatching and stippling.

    Args:
        ink: (S, S) uint8, 0 paper and 255 line; not changed.
    """
    scale = ink.shape[0] / _UNIT
    lines = np.asarray(cv2.threshold(ink, _INK_ABOVE, _BLACK, cv2.THRESH_BINARY)[1], np.uint8)
    removed = _specks(lines, scale)
    dense = _dense(lines, scale)
    if dense.any():
        removed |= dense & _parallel(ink)
    if not removed.any():
        return ink
    # The pale rim of what goes must go too; that of what stays must not.
    kept = _dilated(lines & ~removed, 3)
    gone = (_dilated(removed, 3) & ~kept) | removed
    return np.where(gone > 0, np.uint8(0), ink)


def _specks(lines: Ink, scale: float) -> Ink:
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(lines, connectivity=8, ltype=cv2.CV_16U)
    sides = np.asarray(stats)[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    small = (sides.max(axis=1) <= max(2.0, _SPECK * scale)).astype(np.uint8) * np.uint8(_BLACK)
    small[0] = 0
    return np.asarray(small[numbers], np.uint8)


def _dense(lines: Ink, scale: float) -> Ink:
    """Where lines are close together, without solid black and without the border, which the contour runs along."""
    gap, patch = _square(_GAP * scale), _square(_PATCH * scale)
    filled = cv2.morphologyEx(lines, cv2.MORPH_CLOSE, gap)
    solid = cv2.morphologyEx(lines, cv2.MORPH_OPEN, _square(4 * scale))
    patches = cv2.morphologyEx(filled, cv2.MORPH_OPEN, patch)
    inside = np.asarray(cv2.erode(patches, _square(8 * scale)), np.uint8)
    return inside & ~_dilated(np.asarray(solid, np.uint8), 3 * scale)


def _parallel(ink: Ink) -> Ink:
    """Where the gradients of the surroundings have one direction."""
    dx, dy = (cv2.Sobel(ink, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    window = (_WINDOW, _WINDOW)
    xx, yy, xy = (cv2.boxFilter(product, cv2.CV_32F, window) for product in (dx * dx, dy * dy, dx * dy))
    agreeing = np.hypot(xx - yy, 2 * xy)
    return np.asarray((agreeing > _COHERENT * (xx + yy)).astype(np.uint8) * np.uint8(_BLACK), np.uint8)


def _dilated(ink: Ink, side: float) -> Ink:
    return np.asarray(cv2.dilate(ink, _square(side)), np.uint8)


def _square(side: float) -> Ink:
    return np.ones((2 * max(1, round(side / 2 - 0.5)) + 1,) * 2, np.uint8)  # odd, so that it has a middle
