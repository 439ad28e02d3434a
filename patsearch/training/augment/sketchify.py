"""A drawing as somebody would scribble it after one look: long lines kept, detail left out.

A drawing is taken as areas of paper between its lines. The outlines of the large areas are followed, the
outer contour first; where two areas share a line it is followed once. What was followed is cut into strokes,
each with an unsteadiness, a displacement, an overshoot and a width.  Hatching, stippling and small
parts go by themselves, because the areas between their lines are small.

It needs a picture only. Whoever has the object itself draws better with `patsearch.synth.sketch`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Ink = NDArray[np.uint8]
Line = NDArray[np.float32]

BLACK = 255
_INK_ABOVE = 56  # pale lines count, their blurred rims do not
_UNIT = 224  # lengths below are given for a drawing of this side
_STEP = 3  # of the pixels of an outline every third is taken
_SHIFT = 4  # bits after the point in OpenCV's coordinates
_MOST_AREAS = 120
_SLIVER = 2.0  # area of a sliver between two lines of hatching, for each pixel of its outline, at most


@dataclass(frozen=True, slots=True)
class Pen:
    """How hastily somebody sketches. Lengths in pixels of a drawing of 224 pixels.

    Attributes:
        smallest: areas with a shorter outline are left out.
        shortest: strokes shorter than this are left out.
        omitted: share of the inner strokes left out.
        longest: length at which strokes are cut.
        gap: length that is left open at the end of a stroke; a negative one is an overshoot.
        tremor: amplitude of the unsteadiness along a stroke.
        drift: amplitude by which a whole stroke is misplaced.
        twice: share of the strokes drawn a second time.
        width: of the pen.
    """

    smallest: float
    shortest: float
    omitted: float
    longest: float
    gap: float
    tremor: float
    drift: float
    twice: float
    width: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Pen:
        """A random hand, from careful to hasty."""
        haste = float(rng.uniform(0.2, 1.0))
        return cls(
            smallest=20 + 40 * haste,
            shortest=5 + 8 * haste,
            omitted=0.35 * haste * float(rng.random()),
            longest=float(rng.uniform(50, 150)),
            gap=float(rng.uniform(-4, 4)) * haste,
            tremor=0.3 + 0.7 * haste,
            drift=1.5 * haste,
            twice=0.35 * haste * float(rng.random()),
            width=float(rng.uniform(0.9, 2.2)),
        )


def sketchify(ink: Ink, rng: np.random.Generator, pen: Pen | None = None) -> Ink:
    """(S, S) uint8, 0 paper and 255 line: a free-hand copy; the ink itself where there is nothing to follow.

    Args:
        ink: (S, S) uint8, 0 paper and 255 line; not changed.
        pen: the hand; a random one where there is none.
    """
    pen = pen or Pen.draw(rng)
    scale = ink.shape[0] / _UNIT
    strokes: list[Line] = []
    for outline, is_outer in _outlines(ink, pen, scale):
        for stroke in _cut(outline, pen.longest * scale, pen.gap * scale, rng):
            if _length(stroke) >= pen.shortest * scale and (is_outer or rng.random() >= pen.omitted):
                strokes.append(stroke)
                if rng.random() < pen.twice:
                    strokes.append(stroke)
    if not strokes:
        return ink
    page = np.zeros_like(ink)
    # A pen has a few widths, not one per stroke: strokes of one width are drawn in one call.
    widths = np.maximum(1, np.rint(scale * pen.width + rng.uniform(-0.3, 0.3, len(strokes)))).astype(int)
    points = _by_hand(strokes, pen, scale, rng)
    for width in np.unique(widths).tolist():
        lines = [points[i] for i in np.flatnonzero(widths == width)]
        cv2.polylines(page, lines, False, BLACK, width, cv2.LINE_AA, _SHIFT)
    return page


def _outlines(ink: Ink, pen: Pen, scale: float) -> list[tuple[Line, bool]]:
    """Lines around the areas, longest first, each line once; and whether it bounds the object as a whole."""
    side = ink.shape[0]
    lines = cv2.threshold(ink, _INK_ABOVE, BLACK, cv2.THRESH_BINARY)[1]
    closed = np.asarray(cv2.morphologyEx(lines, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)
    outer, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas, _ = cv2.findContours(BLACK - closed, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    smallest, thinnest = pen.smallest * scale, _SLIVER * scale
    found = sorted((c for c in outer if len(c) >= smallest), key=len, reverse=True)[:_MOST_AREAS]
    inner = [c for c in areas if len(c) >= smallest and cv2.contourArea(c) >= thinnest * len(c)]
    inner = sorted(inner, key=len, reverse=True)[:_MOST_AREAS]
    taken = np.zeros((side, side), np.uint8)
    wide = max(3, round(7 * scale))
    result: list[tuple[Line, bool]] = []
    for contour, is_outer in [*((c, True) for c in found), *((c, False) for c in inner)]:
        points = np.asarray(contour[:, 0], np.int32)
        free = (taken[points[:, 1], points[:, 0]] == 0) & (points > 0).all(axis=1) & (points < side - 1).all(axis=1)
        for run in _runs(points, free):
            if len(run) >= pen.shortest * scale:
                cv2.polylines(taken, [np.ascontiguousarray(run[::_STEP])], False, BLACK, wide)
                result.append((_smooth(run[::_STEP].astype(np.float32)), is_outer))
    return result


def _runs(points: NDArray[np.int32], free: NDArray[np.bool_]) -> list[NDArray[np.int32]]:
    """The stretches of a closed outline that are free."""
    if free.all():
        return [np.concatenate([points, points[:1]])]
    start = int(np.argmin(free))  # begin where it is taken, so that no run goes over the end
    points, free = np.concatenate([points[start:], points[:start]]), np.concatenate([free[start:], free[:start]])
    edges = np.flatnonzero(np.diff(free.astype(np.int8), append=np.int8(0)))
    return [points[a + 1 : b + 1] for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]


def _smooth(line: Line) -> Line:
    """Without the steps of the pixels; the ends stay."""
    if len(line) < 3:
        return line
    result = line.copy()
    for _ in range(2):
        result[1:-1] = (result[:-2] + 2 * result[1:-1] + result[2:]) / 4
    return result


def _cut(line: Line, longest: float, gap: float, rng: np.random.Generator) -> list[Line]:
    """Strokes of about a length, with gaps or overshoots between them."""
    pieces: list[Line] = []
    first = 0
    while first < len(line) - 1:
        last = first + max(2, int(longest * rng.uniform(0.6, 1.4)) // _STEP)
        skipped = round(gap * rng.uniform(0, 1.5) / _STEP)
        pieces.append(line[first : last + 1 + max(0, -skipped)])
        first = last + max(0, skipped)
    return pieces


def _by_hand(strokes: list[Line], pen: Pen, scale: float, rng: np.random.Generator) -> list[NDArray[np.int32]]:
    """The strokes, each displaced as a whole and unsteady along its way, in OpenCV's coordinates."""
    lengths = np.array([len(line) for line in strokes])
    points = np.concatenate(strokes)
    # One unsteady line is cut into those of all strokes: a few large operations instead of many small ones.
    ways = np.arange(0, len(points) + _STEP, max(1.0, 14 * scale / _STEP))
    tremor = rng.normal(0, pen.tremor * scale, (2, len(ways)))
    drift = rng.normal(0, pen.drift * scale / 2, (len(strokes), 2))
    at = np.arange(len(points))
    unsteady = np.stack([np.interp(at, ways, tremor[axis]) for axis in (0, 1)], axis=1)
    moved = np.rint((points + unsteady + np.repeat(drift, lengths, axis=0)) * (1 << _SHIFT)).astype(np.int32)
    return np.split(moved, np.cumsum(lengths)[:-1])


def _length(line: Line) -> float:
    return float(len(line) * _STEP)
