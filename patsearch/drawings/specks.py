"""Specks of a scan: dust between drawings, which would make a figure as large as the page, or a blank page a drawing.

Dots of a drawing are larger, or have ink nearby.
"""

from __future__ import annotations

import cv2
import numpy as np

from patsearch.drawings.grey import WHITE, Grey
from patsearch.drawings.raster import CELL, pieces_of, rasterise

_REACH = 3  # cells around a speck; those of two specks together are 2 mm at 300 dpi
_MOST_DARK = 9.0  # pixels of full black; a dot of the thinnest pen has 12


def without_specks(grey: Grey) -> Grey:
    """A page, (H, W) uint8, dark on white, with lone specks painted white; the same array where it has none."""
    raster = rasterise(grey)
    if raster.shrink != 1 or not raster.ink.any():
        return grey
    side = 2 * _REACH + 1
    near = pieces_of(np.asarray(cv2.dilate(raster.ink, np.ones((side, side), np.uint8)), np.uint8))
    inked = np.flatnonzero(raster.ink)
    place = near.at.reshape(-1)[inked]
    dark = (WHITE - raster.small.reshape(-1)[inked]) * (CELL * CELL / WHITE)
    speck = np.bincount(place, weights=dark, minlength=len(near)) <= _MOST_DARK
    cells = inked[speck[place]]
    if not cells.size:
        return grey
    cleaned = grey.copy()
    rows, columns = np.divmod(cells, raster.ink.shape[1])
    for top, left in zip((rows * CELL).tolist(), (columns * CELL).tolist(), strict=True):
        cleaned[top : top + CELL, left : left + CELL] = WHITE
    return cleaned
