"""Finds what may be lines of text: rows of pieces of like height, free above and below."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.figure import Box
from patsearch.drawings.raster import CELL, Boxes, Grey, Pieces, Raster, union, without

_MIN_GLYPH, _MAX_GLYPH = 3, 46  # cells: 12 to 184 pixels of a sheet scanned at 300 dpi
_MOST_GLYPHS = 180
_MOST_LINES = 36  # in each direction
_WIDEST = 1.6  # gap between letters of a line, in heights of the taller one
_CLOSE = (0.8, 0.4)  # narrower gaps tried, in heights of the lower one


@dataclass(frozen=True, eq=False)
class TextLine:
    """A row of pieces that may be text.

    Attributes:
        members: numbers of its pieces.
        box: left, top, right, bottom in cells of the raster.
        upright: whether it runs from left to right; else from bottom to top, or top to bottom.
        glyph: height of its tallest piece across the reading direction, in cells.
        glyphs: number of its letter-like pieces; a word whose letters run together is one.
        crowding: foreign ink just around it, as a share of its own ink.
        doubt: how little it looks like a label, from place and form alone.
    """

    members: NDArray[np.intp]
    box: Box
    upright: bool
    glyph: int
    glyphs: int
    crowding: float
    doubt: float

    @property
    def aspect(self) -> float:
        """Length by height in reading direction."""
        width, height = self.box[2] - self.box[0], self.box[3] - self.box[1]
        return width / height if self.upright else height / width


class LineFinder:
    """The candidates of one sheet, those that look most like a label first."""

    def __init__(self, ink: Grey, pieces: Pieces) -> None:
        self._ink = ink
        self._pieces = pieces

    @cached_property
    def _solid(self) -> NDArray[np.int32]:
        """Integral of the ink without dust, dashes and underlines: they make no line of text crowded."""
        thin, long = self._pieces.boxes[:, 2:].min(axis=1), self._pieces.boxes[:, 2:].max(axis=1)
        flat = ((thin <= 2) & (long <= 80)) | ((thin <= 5) & (long > 8 * thin) & (long <= 120))
        flat[0] = True
        mask = np.where(flat, 0, 1).astype(np.uint8)[self._pieces.at] if flat[1:].any() else self._ink
        return np.asarray(cv2.integral(mask), dtype=np.int32)

    @cached_property
    def upright(self) -> list[TextLine]:
        """Lines that run from left to right, or on their head from right to left."""
        if len(self._pieces) < 2:
            return []
        lines = _along(self._pieces, self._pieces.boxes, self._solid, upright=True)
        return sorted(lines, key=lambda line: line.doubt)

    @cached_property
    def every(self) -> list[TextLine]:
        """Lines in both directions."""
        if len(self._pieces) < 2:
            return []
        lines = self.upright + _along(self._pieces, self._pieces.boxes[:, [1, 0, 3, 2]], self._solid.T, upright=False)
        lines.sort(key=lambda line: line.doubt)
        # A letter alone in one direction that belongs to a row in the other is no line of its own.
        rows = {int(piece) for line in lines if line.glyphs > 1 for piece in line.members}
        return [line for line in lines if line.glyphs > 1 or not rows.issuperset(line.members.tolist())]


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
        reach = np.maximum(2, h // 2)
        around = _inside(solid, np.stack([x, y - reach, x + w, y], axis=1))
        around += _inside(solid, np.stack([x, y + h, x + w, y + h + reach], axis=1))
        # Letters are larger than the dashes of a broken line.
        lean = 0.01 * np.minimum(pieces.area[glyphs], 60)
        glyphs = glyphs[np.argsort(around / (2 * reach * w) - lean, kind="stable")[:_MOST_GLYPHS]]
    if not len(glyphs):
        return []
    return _lines(boxes, solid, glyphs, upright)


def _rows(boxes: Boxes, glyphs: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """(N,) number of the row of each glyph, for ever closer neighbours: side by side at one height."""
    x, y, w, h = boxes[glyphs].T.astype(np.float32)
    tall, low = np.maximum(h[:, None], h[None, :]), np.minimum(h[:, None], h[None, :])
    gap = np.maximum(x[None, :] - (x + w)[:, None], x[:, None] - (x + w)[None, :])
    middle = np.abs((y + h / 2)[:, None] - (y + h / 2)[None, :])
    alike = (gap >= -0.6 * tall) & (middle <= 0.36 * tall) & (low >= 0.45 * tall)
    return [_joined(alike & (gap <= _WIDEST * tall))] + [_joined(alike & (gap <= close * low)) for close in _CLOSE]


def _joined(alike: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(N,) lowest index among all that are linked to each by a chain of true entries of (N, N)."""
    row = np.arange(len(alike))
    linked, other = np.nonzero(alike)
    while True:  # spread the lowest number along the chain, in doubling steps
        lowest = row.copy()
        np.minimum.at(lowest, linked, row[other])
        lowest = lowest[lowest]
        if (lowest == row).all():
            return row
        row = lowest


def _lines(boxes: Boxes, solid: NDArray[np.int32], glyphs: NDArray[np.intp], upright: bool) -> list[TextLine]:
    """The most promising rows as lines.

    A label may stand so close to its figure that a piece of that joins its row, so rows are also
    offered in the parts that stay together when their letters must be closer.
    """
    members: list[NDArray[np.intp]] = []
    known: set[bytes] = set()
    tall_enough = boxes[glyphs, 3] > _MIN_GLYPH + 1
    for level, row in enumerate(_rows(boxes, glyphs)):
        order = np.argsort(row, kind="stable")
        ends = [*(np.flatnonzero(np.diff(row[order])) + 1).tolist(), len(order)]
        for start, end in zip([0, *ends], ends, strict=False):
            part = order[start:end]
            # A small piece alone is a dash, not a word.
            worth = len(part) > 1 or (level == 0 and tall_enough[part[0]])
            if worth and (key := part.tobytes()) not in known:
                known.add(key)
                members.append(part)
    if not members:
        return []
    counts = np.array([len(part) for part in members])
    everyone = glyphs[np.concatenate(members)]
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    x, y, w, h = boxes[everyone].T.astype(np.int64)
    hull = np.stack(
        [
            np.minimum.reduceat(x, starts),
            np.minimum.reduceat(y, starts),
            np.maximum.reduceat(x + w, starts),
            np.maximum.reduceat(y + h, starts),
        ],
        axis=1,
    )
    tall = np.maximum.reduceat(h, starts)
    margin = np.maximum(2, np.round(0.6 * tall).astype(np.int64))
    own = np.maximum(1, _inside(solid, hull))
    around = _inside(solid, hull + margin[:, None] * np.array([-1, -1, 1, 1]))
    crowding = np.maximum(0, around - own) / own
    aspect = (hull[:, 2] - hull[:, 0]) / np.maximum(1, hull[:, 3] - hull[:, 1])
    doubt = np.minimum(crowding, 2.0) + 0.1 * np.maximum(0, 9 - tall) + 0.4 * (counts == 1)
    doubt += 0.5 * (aspect > 10) + 0.3 * (aspect < 1.5)
    out = []
    for k in np.argsort(doubt, kind="stable")[:_MOST_LINES]:
        left, top, right, bottom = hull[k].tolist()
        box = (left, top, right, bottom) if upright else (top, left, bottom, right)
        part = glyphs[members[k]]
        out.append(TextLine(part, box, upright, int(tall[k]), int(counts[k]), float(crowding[k]), float(doubt[k])))
    return out


def with_marks(pieces: Pieces, line: TextLine, turn: int) -> TextLine:
    """The line with the dots and hyphens that it holds and the rule below it.

    Args:
        turn: degrees clockwise by which the sheet would have to turn for the line to be upright.
    """
    left, top, right, bottom = line.box if line.upright else (line.box[1], line.box[0], line.box[3], line.box[2])
    x, y, w, h = pieces.columns if line.upright else pieces.columns[[1, 0, 3, 2]]
    reach = max(1, line.glyph // 3)
    inside = (x >= left - reach) & (x + w <= right + reach) & (y >= top - 1) & (y + h <= bottom + reach)
    inside &= (h <= line.glyph) & (pieces.area <= 3 * line.glyph * line.glyph)
    length = right - left
    under = (h <= max(2, line.glyph // 4)) & (w >= 0.5 * length) & (w <= 1.6 * length + line.glyph)
    below = y - bottom if turn in (0, 90) else top - y - h
    under &= (below >= 0) & (below <= 0.7 * line.glyph) & (abs(2 * x + w - left - right) <= 0.6 * length)
    inside |= under
    inside[0] = False
    inside[line.members] = True
    members = np.flatnonzero(inside)
    return replace(line, members=members, box=union(pieces.boxes[members]))


def _underlines(pieces: Pieces, line: TextLine) -> NDArray[np.bool_]:
    """Which members are rules below the text: they would make the text small to the reader."""
    along, across = (2, 3) if line.upright else (3, 2)
    boxes = pieces.boxes[line.members]
    length = line.box[2] - line.box[0] if line.upright else line.box[3] - line.box[1]
    return np.asarray((boxes[:, across] <= max(2, line.glyph // 4)) & (boxes[:, along] >= 0.45 * length))


def cut_out(raster: Raster, pieces: Pieces, line: TextLine, turn: int) -> Grey | None:
    """The line alone, tight and upright at full size; foreign ink in its box is left out.

    Args:
        turn: degrees clockwise by which the sheet would have to turn for the line to be upright.
    """
    left, top, right, bottom = line.box
    crop = raster.full[top * CELL : bottom * CELL, left * CELL : right * CELL]
    region = pieces.at[top:bottom, left:right]
    own = np.zeros(len(pieces), bool)
    own[line.members[~_underlines(pieces, line)]] = own[0] = True
    foreign = ~own[region]
    if foreign.any():
        crop = without(crop, foreign, CELL)
    if turn:
        crop = np.rot90(crop, -turn // 90)
    ink = np.ascontiguousarray(crop < 128).view(np.uint8)
    x, y, w, h = cv2.boundingRect(ink)
    if w < 3 or h < 6:
        return None
    return np.ascontiguousarray(crop[y : y + h, x : x + w])
