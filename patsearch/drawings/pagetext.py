"""Running text on a page: where its lines are, and what of the page is left without them.

A line of text is a row of small pieces of unequal widths, close to each other; text is lines of like height, one
below the other. Hatching and perforations are rows of equal pieces, and the words in the boxes of a flow chart are
short rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from patsearch.drawings.figure import Box
from patsearch.drawings.grey import WHITE, Grey
from patsearch.drawings.raster import Boxes, Pieces, pieces_of

# The longer side at which pages are looked at: letters of 8 points on a sheet of A4 are 7 to 11 pixels high.
_SIDE = 1650
_INK = 160
_LOW, _HIGH = 5, 36  # pixels of a letter's height
_WIDEST = 12  # letters that touch, in heights
_GAP = 1.6  # between words of a line, in heights
_LETTERS = 7  # of a line
# Deviation of the widths and heights of its pieces, as a share of their mean. Text has 0.29 to 0.44 and 0.16 to 0.18.
_WIDTHS = 0.22
_HEIGHTS = (0.04, 0.3)
# Of a row's height to that of its pieces, and of a piece's width to its height: small letters reach up or down, and
# capitals are narrow; the cells of a mesh are neither.
_LEVEL, _WIDE = 1.3, 0.85
_WORDS = 0.4  # gaps as wide as between words, of all; dashes have no others
_LONG = 0.1  # of the page's width
_PITCH = 3.2  # from one line to the next, in heights
_SHARED = 0.5  # of the shorter of two lines, above each other
_COLUMN = 5  # lines, one below the other; the words in a box of a flow chart are fewer
_MANY = 10  # lines that make text of a page
_FEW = 6  # lines of a page that has nothing but letters, as a certificate of correction
_WORD = 3  # letters
_LETTERED = 0.9  # of the ink of such a page is in words
_LEADER = 40  # from the words of a line to those at its end, in heights: dots lead there in a list of references
_MOST_LETTERS = 15_000  # of a page of fine print; stippling and textures have more
_RULE = 0.12  # of the page's width: a straight line as long belongs to a table or form
_FIGURE = 0.06  # of the page's area
_COARSE = 3  # pixels a side of the cells in which drawings are looked for
_NEAR = 0.03  # of the page's longer side: a label's distance from its figure


@dataclass(frozen=True, slots=True)
class PageText:
    """The running text of a page, and its drawings.

    Attributes:
        lines: left, top, right, bottom in pixels of the page; none where there are fewer than ten.
        drawings: where there are lines, the parts of the page that are drawings with what is close to them.
    """

    lines: tuple[Box, ...] = ()
    drawings: tuple[Box, ...] = ()

    def without(self, grey: Grey) -> Grey:
        """(H, W) uint8: the page with its drawings alone."""
        drawn = np.full_like(grey, WHITE)
        for left, top, right, bottom in self.drawings:
            drawn[top:bottom, left:right] = grey[top:bottom, left:right]
        for left, top, right, bottom in self.lines:
            drawn[top:bottom, left:right] = WHITE
        return drawn


def page_text(grey: Grey) -> PageText:
    """The running text of a page, (H, W) uint8, dark on white, upright or turned."""
    scale = min(1.0, _SIDE / max(grey.shape))
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else grey
    ink = (small < _INK).astype(np.uint8)
    found, sideways = _Rows.of(ink), False
    lines = _in_columns(found.lines)
    if len(lines) < _MANY:
        turned = _Rows.of(np.ascontiguousarray(ink.T))
        more = _in_columns(turned.lines)
        if len(more) > len(lines) or len(turned.lines) > len(found.lines):
            found, lines, sideways = turned, more, True
    if len(lines) < _MANY:
        if not found.only_letters():
            return PageText()
        lines = found.words
    lines = found.with_ends(lines)
    if sideways:
        lines = lines[:, [1, 0, 3, 2]]
    drawings = _drawings(ink, lines)
    return PageText(_widened(lines, 1, scale), _widened(drawings, round(_NEAR * max(ink.shape)), scale))


def _widened(boxes: Boxes, by: int, scale: float) -> tuple[Box, ...]:
    """Left, top, right, bottom in pixels of the page, with that many pixels around."""
    x, y, w, h = boxes.T
    wide = np.stack([np.maximum(x - by, 0), np.maximum(y - by, 0), x + w + by, y + h + by], axis=1)
    return tuple((left, top, right, bottom) for left, top, right, bottom in np.rint(wide / scale).astype(int).tolist())


@dataclass(frozen=True, eq=False)
class _Rows:
    """What may be text on a page.

    Attributes:
        ink: (H, W) 0/1.
        pieces: those of the ink.
        lines: (N, 4) left, top, width, height of rows that may be lines of text, uppermost first.
        words: (M, 4) of all rows of three letters or more.
    """

    ink: Grey
    pieces: Pieces
    lines: Boxes
    words: Boxes

    @classmethod
    def of(cls, ink: Grey) -> _Rows:
        pieces = pieces_of(ink)
        x, _, w, h = pieces.columns
        letters = np.flatnonzero((h >= _LOW) & (h <= _HIGH) & (w <= _WIDEST * h) & (np.arange(len(pieces)) > 0))
        if not _LETTERS * _FEW <= len(letters) <= _MOST_LETTERS:
            return cls(ink, pieces, _NO_BOXES, _NO_BOXES)
        rows = _rows(pieces.boxes[letters[np.argsort(x[letters], kind="stable")]])
        kept = [row for row in rows if _is_line(row, ink.shape[1])]
        lines = np.asarray(sorted(map(_around, kept), key=lambda box: (box[1], box[0])), np.int32).reshape(-1, 4)
        words = np.asarray([_around(row) for row in rows if len(row) >= _WORD], np.int32).reshape(-1, 4)
        return cls(ink, pieces, lines, words)

    def only_letters(self) -> bool:
        """Whether the page has some lines of text and nothing but words."""
        if len(self.lines) < _FEW:
            return False
        words = np.zeros_like(self.ink)
        for x, y, w, h in self.words.tolist():
            words[y : y + h, x : x + w] = 1
        return bool(np.count_nonzero(words & self.ink) >= _LETTERED * np.count_nonzero(self.ink))

    def with_ends(self, lines: Boxes) -> Boxes:
        """Lines, and the words at their ends with what leads there: nothing larger than a letter."""
        if not len(lines):
            return lines
        _, _, w, h = self.pieces.columns
        large = (h > _HIGH) | (w > _WIDEST * np.maximum(h, _LOW))
        large[0] = False
        sum_of = cv2.integral(large[self.pieces.at].view(np.uint8))
        left, top, wide, high = lines.T
        ends = []
        for x, y, w, h in self.words.tolist():
            level = np.minimum(y + h, top + high) - np.maximum(y, top) > 0.5 * min(h, _HIGH)
            gap = x - (left + wide)
            near = np.flatnonzero(level & (gap > 0) & (gap <= _LEADER * high) & (h <= 2 * high))
            if not near.size:
                continue
            start = int((left + wide)[near[gap[near].argmin()]])
            between = sum_of[y + h, x] - sum_of[y, x] - sum_of[y + h, start] + sum_of[y, start]
            if not between:
                ends.append((start, y, x + w - start, h))
        return np.concatenate([lines, np.asarray(ends, np.int32).reshape(-1, 4)])


_NO_BOXES = np.empty((0, 4), np.int32)


def _rows(letters: Boxes) -> list[Boxes]:
    """Letters, leftmost first, each with those to its right that are level with it and close."""
    rows: list[list[int]] = []
    ends: dict[int, list[int]] = {}  # numbers of the rows by the height at which they end
    boxes = letters.tolist()
    for piece, (x, y, _, h) in enumerate(boxes):
        band = (y + h // 2) // _HIGH
        best, nearest = -1, float("inf")
        for near in (band - 1, band, band + 1):
            # Those too far to the left end there.
            ends[near] = [row for row in ends.get(near, ()) if x - _end(boxes[rows[row][-1]]) <= _GAP * _HIGH]
            for row in ends[near]:
                _, top, _, high = last = boxes[rows[row][-1]]
                gap, tall, low = x - _end(last), max(h, high), min(h, high)
                level = min(y + h, top + high) - max(y, top) > 0.5 * low
                if level and tall <= 2.5 * low and -tall <= gap <= _GAP * tall and gap < nearest:
                    best, nearest = row, gap
        if best < 0:
            best = len(rows)
            rows.append([])
        else:
            _, top, _, high = boxes[rows[best][-1]]
            ends[(top + high // 2) // _HIGH].remove(best)
        rows[best].append(piece)
        ends.setdefault(band, []).append(best)
    return [letters[row] for row in rows]


def _end(box: list[int]) -> int:
    return box[0] + box[2]


def _is_line(letters: Boxes, across: int) -> bool:
    x, y, w, h = letters.T
    if len(letters) < _LETTERS or x[-1] + w[-1] - x[0] < _LONG * across:
        return False
    apart = float(np.mean(x[1:] - (x[:-1] + w[:-1]) > 0.5 * np.median(h)))
    heights = h.std() / h.mean()
    tall = float(np.median(h))
    if (y + h).max() - y.min() < _LEVEL * tall and np.median(w) >= _WIDE * tall:
        return False
    return bool(w.std() >= _WIDTHS * w.mean() and _HEIGHTS[0] <= heights <= _HEIGHTS[1] and apart <= _WORDS)


def _around(boxes: Boxes) -> tuple[int, int, int, int]:
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0).tolist()
    return left, top, right - left, bottom - top


def _in_columns(lines: Boxes) -> Boxes:
    """The lines of columns: those of like height, each right above or below another."""
    if not len(lines):
        return lines
    x, y, w, h = lines.T.astype(np.int64)
    middle = y + h / 2
    apart = np.abs(middle[:, None] - middle)
    tall = np.maximum(h[:, None], h)
    shared = np.minimum((x + w)[:, None], x + w) - np.maximum(x[:, None], x)
    close = (apart > 0.5 * np.minimum(h[:, None], h)) & (apart <= _PITCH * tall)
    close &= (shared >= _SHARED * np.minimum(w[:, None], w)) & (tall <= 2 * np.minimum(h[:, None], h))
    column = np.arange(len(lines))
    while True:  # each line takes the lowest number among its neighbours, until none changes
        lowest = np.minimum(column, np.where(close, column, len(lines)).min(axis=1))
        if (lowest == column).all():
            break
        column = lowest
    return lines[np.bincount(column)[column] >= _COLUMN]


def _drawings(ink: Grey, lines: Boxes) -> Boxes:
    """(N, 4) left, top, width, height of what is left without text and rules and covers as much as a drawing does."""
    left = ink.copy()
    for x, y, w, h in lines.tolist():
        left[y : y + h, x : x + w] = 0
    height, width = (-(-side // _COARSE) for side in ink.shape)
    padded = cv2.copyMakeBorder(left, 0, height * _COARSE - ink.shape[0], 0, width * _COARSE - ink.shape[1], 0, value=0)
    coarse = padded.reshape(height, _COARSE, -1).max(axis=1).reshape(height, width, _COARSE).max(axis=2)
    long = max(4, round(_RULE * width))
    for shape in ((long, 1), (1, long)):
        rules = cv2.morphologyEx(coarse, cv2.MORPH_OPEN, np.ones(shape, np.uint8))
        coarse[cv2.dilate(rules, np.ones((3, 3), np.uint8)) > 0] = 0
    reach = max(3, max(coarse.shape) // 60)
    joined = pieces_of(np.asarray(cv2.dilate(coarse, np.ones((reach, reach), np.uint8)), np.uint8))
    large = joined.boxes[:, 2] * joined.boxes[:, 3] >= _FIGURE * coarse.size
    large[0] = False  # paper
    return np.asarray(joined.boxes[large] * _COARSE, np.int32)
