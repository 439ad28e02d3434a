"""Finds what may be lines of text: rows of pieces of like height, free above and below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.figure import Box
from patsearch.drawings.grey import Grey
from patsearch.drawings.raster import CELL, Boxes, Pieces, Raster, union, without

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
        _, _, width, height = self._pieces.columns
        thin, long = np.minimum(width, height), np.maximum(width, height)
        flat = ((thin <= 2) & (long <= 80)) | ((thin <= 5) & (long > 8 * thin) & (long <= 120))
        flat[0] = True
        mask = self._ink.copy()
        inked = np.flatnonzero(mask.view(bool))
        mask.reshape(-1)[inked] = ~flat[self._pieces.at.reshape(-1)[inked]]
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
        # A letter alone in one direction that belongs to a row in the other is not a separate line.
        rows = {int(piece) for line in lines if line.glyphs > 1 for piece in line.members}
        return [line for line in lines if line.glyphs > 1 or not rows.issuperset(line.members.tolist())]


def _inside(integral: NDArray[np.int32], boxes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ink within (N, 4) boxes of left, top, right, bottom, clipped to the sheet."""
    height, width = integral.shape[0] - 1, integral.shape[1] - 1
    left, top, right, bottom = np.minimum(np.maximum(boxes, 0), (width, height, width, height)).T
    inside = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    return np.asarray(inside, dtype=np.int64)


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
    middle = y + h / 2
    level = np.abs(middle[:, None] - middle) <= 0.36 * np.maximum(h[:, None], h)
    one, other = np.nonzero(level)
    tall, low = np.maximum(h[one], h[other]), np.minimum(h[one], h[other])
    end = x + w
    gap = np.maximum(x[other] - end[one], x[one] - end[other])
    similar = (gap >= -0.6 * tall) & (low >= 0.45 * tall)
    rows = []
    for most in (_WIDEST * tall, *(close * low for close in _CLOSE)):
        linked = similar & (gap <= most)
        rows.append(_joined(len(glyphs), one[linked], other[linked]))
    return rows


def _joined(count: int, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """(count,) lowest index among all that are joined to each by a chain of links from `one` to `other`."""
    row = np.arange(count)
    while True:  # spread the lowest number along the chain, in doubling steps
        lowest = row.copy()
        np.minimum.at(lowest, one, row[other])
        lowest = lowest[lowest]
        if (lowest == row).all():
            return row
        row = lowest


def _parts(rows: list[NDArray[np.intp]], tall_enough: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The different rows among all levels: their members one row after the other, and how many each has.

    Args:
        rows: what `_rows` gives; each level divides the rows of the one before.
        tall_enough: (N,) which glyphs may be a line alone.
    """
    members, counts = [], []
    whole = np.zeros(len(tall_enough), np.intp)  # size of the row of each glyph, one level before
    for level, row in enumerate(rows):
        order = np.argsort(row, kind="stable")
        size = np.bincount(row, minlength=len(row))
        first = np.flatnonzero(size)  # a row has the number of its first member
        # A small piece alone is a dash, not a word.
        worth = (size[first] > 1) & (size[first] != whole[first])
        if level == 0:
            worth |= (size[first] == 1) & tall_enough[first]
        members.append(order[np.repeat(worth, size[first])])
        counts.append(size[first][worth])
        whole = size[row]
    return np.concatenate(members), np.concatenate(counts)


def _lines(boxes: Boxes, solid: NDArray[np.int32], glyphs: NDArray[np.intp], upright: bool) -> list[TextLine]:
    """The most promising rows as lines.

    A label may be so close to its figure that a piece of the figure joins its row, so rows are also
    offered in the parts that stay together when their letters must be closer.
    """
    members, counts = _parts(_rows(boxes, glyphs), boxes[glyphs, 3] > _MIN_GLYPH + 1)
    if not len(counts):
        return []
    members = glyphs[members]
    ends = np.cumsum(counts)
    starts = ends - counts
    x, y, w, h = boxes[members].T.astype(np.int64)
    hull = np.empty((len(counts), 4), np.int64)
    np.minimum.reduceat(x, starts, out=hull[:, 0])
    np.minimum.reduceat(y, starts, out=hull[:, 1])
    np.maximum.reduceat(x + w, starts, out=hull[:, 2])
    np.maximum.reduceat(y + h, starts, out=hull[:, 3])
    tall = np.maximum.reduceat(h, starts)
    margin = np.maximum(2, np.round(0.6 * tall).astype(np.int64))
    own = np.maximum(1, _inside(solid, hull))
    around = _inside(solid, hull + margin[:, None] * np.array([-1, -1, 1, 1]))
    crowding = np.maximum(0, around - own) / own
    aspect = (hull[:, 2] - hull[:, 0]) / np.maximum(1, hull[:, 3] - hull[:, 1])
    doubt = np.minimum(crowding, 2.0) + 0.1 * np.maximum(0, 9 - tall) + 0.4 * (counts == 1)
    doubt += 0.5 * (aspect > 10) + 0.3 * (aspect < 1.5)
    best = np.argsort(doubt, kind="stable")[:_MOST_LINES]
    columns = (starts, ends, tall, counts, crowding, doubt)
    out = []
    for (left, top, right, bottom), start, end, glyph, count, crowded, doubtful in zip(
        hull[best].tolist(), *(column[best].tolist() for column in columns), strict=True
    ):
        box = (left, top, right, bottom) if upright else (top, left, bottom, right)
        out.append(TextLine(members[start:end], box, upright, glyph, count, crowded, doubtful))
    return out


def with_marks(pieces: Pieces, lines: Sequence[TextLine], turn: int) -> list[TextLine]:
    """Lines of one direction with the dots and hyphens that they hold and the rules below them.

    Args:
        turn: degrees clockwise by which the sheet would have to turn for the lines to be upright.
    """
    x, y, w, h = pieces.columns if turn % 180 == 0 else pieces.columns[[1, 0, 3, 2]]
    right_end, lower_end = x + w, y + h
    spans = [line.box if line.upright else (line.box[1], line.box[0], line.box[3], line.box[2]) for line in lines]
    # From here on columns of lines meet rows of pieces.
    left, top, right, bottom = np.array(spans, np.int32).T[:, :, None]
    glyph = np.array([[line.glyph] for line in lines], np.int32)
    length = right - left
    # Bounds are rounded to whole cells: comparing integers takes a third of the time.
    shortest, longest = (length + 1) // 2, (1.6 * length + glyph).astype(np.int32)
    near, off = (0.7 * glyph).astype(np.int32), (0.6 * length).astype(np.int32)
    reach = np.maximum(1, glyph // 3)
    inside = (x >= left - reach) & (right_end <= right + reach) & (y >= top - 1) & (lower_end <= bottom + reach)
    inside &= (h <= glyph) & (pieces.area <= 3 * glyph * glyph)
    under = (h <= np.maximum(2, glyph // 4)) & (w >= shortest) & (w <= longest)
    below = y - bottom if turn in (0, 90) else top - lower_end
    under &= (below >= 0) & (below <= near) & (abs(x + right_end - (left + right)) <= off)
    inside |= under
    inside[:, 0] = False
    for line, held in zip(lines, inside, strict=True):
        held[line.members] = True
    out = []
    for line, held, count in zip(lines, inside, np.count_nonzero(inside, axis=1).tolist(), strict=True):
        if count == len(line.members):  # most have no marks
            out.append(line)
        else:
            members = np.flatnonzero(held)
            out.append(replace(line, members=members, box=union(pieces.boxes[members])))
    return out


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
