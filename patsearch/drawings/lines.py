"""Finds what may be lines of text: rows of pieces of like height, free above and below."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.figure import Box
from patsearch.drawings.raster import CELL, Boxes, Grey, Pieces, Raster, union

_MIN_GLYPH, _MAX_GLYPH = 3, 46  # cells: 12 to 184 pixels of a sheet scanned at 300 dpi
_MOST_GLYPHS = 450


@dataclass(frozen=True)
class TextLine:
    """A row of pieces that may be text.

    Attributes:
        members: numbers of its pieces.
        box: left, top, right, bottom in cells of the raster.
        upright: whether it runs from left to right; else from bottom to top, or top to bottom.
        glyph: height of its tallest piece across the reading direction, in cells.
        crowding: foreign ink just around it, as a share of its own ink.
    """

    members: NDArray[np.intp]
    box: Box
    upright: bool
    glyph: int
    crowding: float

    @property
    def aspect(self) -> float:
        """Length by height in reading direction."""
        width, height = self.box[2] - self.box[0], self.box[3] - self.box[1]
        return width / height if self.upright else height / width


def text_lines(ink: Grey, pieces: Pieces) -> list[TextLine]:
    """Candidates in both directions, least crowded first."""
    if len(pieces) < 2:
        return []
    # Dust, dashes and underlines do not make a line of text crowded.
    flat = (pieces.boxes[:, 2:].min(axis=1) <= 2) & (pieces.boxes[:, 2:].max(axis=1) <= 80)
    flat[0] = True
    solid = cv2.integral(np.where(flat, 0, 1).astype(np.uint8)[pieces.at] if flat[1:].any() else ink)
    lines = _along(pieces, pieces.boxes, solid, upright=True)
    lines += _along(pieces, pieces.boxes[:, [1, 0, 3, 2]], solid.T, upright=False)
    return sorted(lines, key=lambda line: line.crowding)


def _inside(integral: NDArray[np.int32], boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ink within (N, 4) boxes of left, top, right, bottom, clipped to the sheet."""
    height, width = integral.shape[0] - 1, integral.shape[1] - 1
    left, right = np.clip(boxes[:, 0], 0, width), np.clip(boxes[:, 2], 0, width)
    top, bottom = np.clip(boxes[:, 1], 0, height), np.clip(boxes[:, 3], 0, height)
    return np.asarray(
        integral[bottom, right].astype(np.int64) - integral[top, right] - integral[bottom, left] + integral[top, left]
    )


def _along(pieces: Pieces, boxes: Boxes, solid: NDArray[np.int32], *, upright: bool) -> list[TextLine]:
    """Lines along the first axis of `boxes` (left, top, width, height, swapped for vertical lines)."""
    width, height = boxes[:, 2], boxes[:, 3]
    may = (height >= _MIN_GLYPH) & (height <= _MAX_GLYPH) & (width <= 9 * height)
    may[0] = False
    glyphs = np.flatnonzero(may)
    if not len(glyphs):
        return []
    # Above and below a letter of a label there is paper.
    x, y, w, h = boxes[glyphs].T.astype(np.int64)
    near = np.maximum(1, h // 6)
    free = _inside(solid, np.stack([x, y - near, x + w, y], axis=1))
    free += _inside(solid, np.stack([x, y + h, x + w, y + h + near], axis=1))
    glyphs = glyphs[free <= 0.2 * 2 * near * w]
    if len(glyphs) > _MOST_GLYPHS:
        x, y, w, h = boxes[glyphs].T.astype(np.int64)
        around = _inside(solid, np.stack([x - h, y - h, x + w + h, y + 2 * h], axis=1))
        glyphs = glyphs[np.argsort(around / ((w + 2 * h) * 3 * h), kind="stable")[:_MOST_GLYPHS]]
    if not len(glyphs):
        return []
    return [_line(pieces, boxes, solid, group, upright) for group in _rows(boxes, glyphs)]


def _rows(boxes: Boxes, glyphs: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Glyphs side by side at one height, as groups."""
    glyphs = glyphs[np.argsort(boxes[glyphs, 0], kind="stable")]
    x, y, w, h = boxes[glyphs].T.astype(np.float32)
    tall = np.maximum(h[:, None], h[None, :])
    gap = x[None, :] - (x + w)[:, None]
    middle = np.abs((y + h / 2)[:, None] - (y + h / 2)[None, :])
    alike = (gap <= 1.6 * tall) & (gap >= -0.6 * tall) & (middle <= 0.36 * tall)
    alike &= np.minimum(h[:, None], h[None, :]) >= 0.45 * tall
    group = np.arange(len(glyphs))
    for i, j in np.argwhere(np.triu(alike, 1)):
        a, b = group[i], group[j]
        if a != b:
            group[group == b] = a
    return [glyphs[group == number] for number in np.unique(group)]


def _line(pieces: Pieces, boxes: Boxes, solid: NDArray[np.int32], members: NDArray[np.intp], upright: bool) -> TextLine:
    left, top, right, bottom = union(boxes[members])
    glyph = int(boxes[members, 3].max())
    # Dots, hyphens and underlines belong to the line that they lie in or close to.
    x, y, w, h = boxes.T
    reach = max(1, glyph // 3)
    inside = (x >= left - reach) & (x + w <= right + reach) & (y >= top - 1) & (y + h <= bottom + reach)
    inside &= (h <= glyph) & (pieces.area <= 3 * glyph * glyph)
    inside[0] = False
    everyone = np.union1d(members, np.flatnonzero(inside))
    left, top, right, bottom = union(boxes[everyone])
    margin = max(2, round(0.6 * glyph))
    around = _inside(solid, np.array([[left - margin, top - margin, right + margin, bottom + margin]]))[0]
    own = max(1, int(_inside(solid, np.array([[left, top, right, bottom]]))[0]))
    box = (left, top, right, bottom) if upright else (top, left, bottom, right)
    return TextLine(everyone, box, upright, glyph, max(0.0, float(around - own)) / own)


def cut_out(raster: Raster, pieces: Pieces, line: TextLine, turn: int) -> Grey | None:
    """The line alone, tight and upright at full size; foreign ink in its box is left out.

    Args:
        turn: degrees clockwise by which the sheet would have to turn for the line to be upright.
    """
    left, top, right, bottom = line.box
    crop = raster.full[top * CELL : bottom * CELL, left * CELL : right * CELL]
    region = pieces.at[top:bottom, left:right]
    foreign = (region > 0) & ~np.isin(region, line.members)
    if foreign.any():
        crop = np.where(np.repeat(np.repeat(foreign, CELL, axis=0), CELL, axis=1), np.uint8(255), crop)
    if turn:
        crop = np.rot90(crop, -turn // 90)
    ink = np.ascontiguousarray(crop < 128).view(np.uint8)
    x, y, w, h = cv2.boundingRect(ink)
    if w < 3 or h < 6:
        return None
    return np.ascontiguousarray(crop[y : y + h, x : x + w])
