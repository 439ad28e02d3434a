"""The running head of a printed page: `U.S. Patent   Jan. 4, 2022   Sheet 2 of 8   US D939,806 S`.

Offices print it above the sheets that an applicant filed; their TIFF files have the sheets alone. A page lies on its
side in some documents, so the head is looked for at each edge. It has to go before figures are cut: with it, a figure
is as wide as the head.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.grey import WHITE, Grey
from patsearch.drawings.labels import meaning
from patsearch.drawings.lines import LineFinder, TextLine, cut_out, with_marks
from patsearch.drawings.raster import CELL, Pieces, Raster, pieces_of, rasterise
from patsearch.drawings.reader import read_lines

_BAND = 0.085  # of the page's height, from its edge: about 2 cm
_SURE = 0.55
_MOST_LINES = 12  # that are read at an edge


def without_head(grey: Grey) -> Grey:
    """A page, (H, W) uint8, dark on white, with its running head painted white; the same array where it has none."""
    for turns in range(4):  # anticlockwise, until the head is upright at the top
        page = np.rot90(grey, turns)
        band = np.ascontiguousarray(page[: round(_BAND * page.shape[0])])
        if not band.size or band.min() == WHITE:
            continue
        raster = rasterise(band)
        head = _head(raster) if raster.shrink == 1 else None
        if head is not None:
            cleaned = grey.copy()
            np.rot90(cleaned, turns)[: band.shape[0]][head] = WHITE  # a view of `cleaned`
            return cleaned
    return grey


def _head(raster: Raster) -> NDArray[np.bool_] | None:
    """(H, W) what of an edge of the page belongs to the head's row; None where no head is read."""
    pieces = pieces_of(raster.ink)
    edge = raster.ink.shape[0]  # what reaches it is cut off there
    lines = [line for line in LineFinder(raster.ink, pieces).upright if line.box[3] < edge and line.aspect >= 1.3]
    lines = with_marks(pieces, lines[:_MOST_LINES], 0) if lines else []
    heads = [line for line in lines if _is_head(raster, pieces, line)]
    if not heads:
        return None
    row = np.zeros(len(pieces), bool)
    _, top, _, height = pieces.columns
    for head in heads:
        # Commas hang below the row, and the letters of another part of it may be larger.
        slack = max(2, head.glyph // 2)
        level = (top >= head.box[1] - slack) & (top + height <= head.box[3] + slack) & (height <= 2 * head.glyph)
        row |= level & (top + height < edge)
    row[0] = False  # paper
    cells = row[pieces.at].repeat(CELL, axis=0).repeat(CELL, axis=1)
    return np.asarray(cells[: raster.full.shape[0], : raster.full.shape[1]])


def _is_head(raster: Raster, pieces: Pieces, line: TextLine) -> bool:
    crop = cut_out(raster, pieces, line, 0)
    if crop is None:
        return False
    (read,) = read_lines([crop])
    return read.sure > _SURE and meaning(read.text).kind == "header"
