"""Line drawings on top of each other, and the lines of each that have no counterpart in the other.

Registration: two are brought to one size by their ink boxes, then scales around that and all shifts are tried on small
blurred copies (normalised cross-correlation), and the best few are refined on the lines themselves. The measure there
is the mean distance from the lines of each to the nearest line of the other, cut off so that a part that one of them
lacks does not pull the rest away (Barrow et al., Parametric correspondence and chamfer matching, 1977). Proportions
stay as they are: that one is slimmer is a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.grey import WHITE, Grey

SIDE = 560  # pixels: the frame that both are drawn in
_MARGIN = 0.15  # of the frame, on each side of the drawing that others are fitted to
_EDGE = 0.05  # the same of the frame that is shown
_SMALL = 140
_SCALES = np.exp(np.linspace(np.log(0.72), np.log(1.38), 19))
_TRIED = 3
_CUT = 20.0  # pixels: lines that are further apart count as that far
_ODD = 10.0  # what a size e times as large as expected counts, as a distance
# Lines are counterparts up to this distance. Draughtsmen and scanners move lines by a pixel or two of this frame.
TOLERANCE = 6.0
_SPECK = 12  # pixels of marked lines that are not worth a mark
_REFINED = ((6.0, 0.02), (3.0, 0.01), (1.0, 0.004), (0.5, 0.002))  # steps of shift and scale


@dataclass(frozen=True, slots=True)
class Differences:
    """What two drawings in one frame do not have in common.

    Attributes:
        only_first, only_second: (SIDE, SIDE) bool, lines without a counterpart in the other.
        common: share of all lines that have a counterpart, 0 to 1.
    """

    only_first: NDArray[np.bool_]
    only_second: NDArray[np.bool_]
    common: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a drawing is put in the frame: pixels of the frame for one of it, and where its upper left corner is."""

    scale: float
    x: float
    y: float


def aligned(reference: Grey, others: Sequence[Grey]) -> list[Grey]:
    """(SIDE, SIDE) frames of one scale: the reference, and the others where their lines fit it best.

    Args:
        reference, others: (H, W) uint8, dark on white, of any sizes; a blank one has no lines.
    """
    start = _fitted(reference)
    lines = inked(_drawn(reference, start))
    drawings = [reference, *others]
    places = [start, *(_registered(lines, other) for other in others)]
    boxes = np.array([_moved(_box(drawing), place) for drawing, place in zip(drawings, places, strict=True)])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    scale = SIDE * (1 - 2 * _EDGE) / float((high - low).max())
    x, y = SIDE / 2 - scale * (low + high) / 2
    return [
        _drawn(drawing, _Place(place.scale * scale, place.x * scale + x, place.y * scale + y))
        for drawing, place in zip(drawings, places, strict=True)
    ]


def differences(first: Grey, second: Grey) -> Differences:
    """Lines of two drawings of one frame that have no counterpart."""
    lines, other = inked(first), inked(second)
    only_first, only_second = _alone(lines, other), _alone(other, lines)
    total = int(lines.sum() + other.sum())
    common = 1 - float(only_first.sum() + only_second.sum()) / total if total else 1.0
    return Differences(only_first, only_second, common)


def inked(drawing: Grey) -> NDArray[np.bool_]:
    """Where there are lines. Thin ones are grey in small pictures, so the threshold follows the darkest."""
    darkest = float(np.percentile(drawing, 0.2))
    return np.asarray(drawing < darkest + 0.72 * (WHITE - darkest)) if darkest < 235 else np.zeros(drawing.shape, bool)


def _box(drawing: Grey) -> tuple[int, int, int, int]:
    """Left, top, width, height of the ink; the whole picture where there is none."""
    left, top, width, height = cv2.boundingRect(inked(drawing).astype(np.uint8))
    return (left, top, width, height) if width and height else (0, 0, drawing.shape[1], drawing.shape[0])


def _moved(box: tuple[int, int, int, int], place: _Place) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a box in the frame."""
    left, top, width, height = box
    x, y = place.x + place.scale * left, place.y + place.scale * top
    return x, y, x + place.scale * width, y + place.scale * height


def _fitted(drawing: Grey) -> _Place:
    left, top, width, height = _box(drawing)
    scale = SIDE * (1 - 2 * _MARGIN) / max(width, height)
    return _Place(scale, SIDE / 2 - scale * (left + width / 2), SIDE / 2 - scale * (top + height / 2))


def _drawn(drawing: Grey, place: _Place) -> Grey:
    source, scale = drawing, place.scale
    if scale < 0.7:  # means over pixels, so that no thin line is lost
        size = (max(1, round(drawing.shape[1] * scale)), max(1, round(drawing.shape[0] * scale)))
        source = np.asarray(cv2.resize(drawing, size, interpolation=cv2.INTER_AREA), np.uint8)
        scale = 1.0
    matrix = np.array([[scale, 0, place.x], [0, scale, place.y]])
    moved = cv2.warpAffine(
        source, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=WHITE
    )
    return np.asarray(moved, np.uint8)


def _registered(lines: NDArray[np.bool_], second: Grey) -> _Place:
    """The place of the second drawing where its lines are closest to those of the first."""
    start = _fitted(second)
    if not lines.any() or not inked(second).any():
        return start
    points = np.argwhere(inked(_drawn(second, start)))[:, ::-1].astype(np.float64)
    points = (points - (start.x, start.y)) / start.scale
    if len(points) > 4000:
        points = points[:: len(points) // 4000 + 1]
    measure = _Measure(lines, points, start.scale)
    return min((_refined(place, measure) for place in _candidates(lines, second, start)), key=measure.of)


def _candidates(lines: NDArray[np.bool_], second: Grey, start: _Place) -> list[_Place]:
    """The best places on small copies, with all shifts at each of some scales."""
    small = _SMALL / SIDE
    pad = _SMALL // 2
    target = cv2.copyMakeBorder(_blurred(lines), pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    found = []
    for factor in _SCALES:
        scale = start.scale * factor
        middle = SIDE / 2
        place = _Place(scale, middle + (start.x - middle) * factor, middle + (start.y - middle) * factor)
        template = _blurred(inked(_drawn(second, place)))
        if not template.any():
            continue
        fits = cv2.matchTemplate(target, template, cv2.TM_CCORR_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(fits)
        # What a larger drawing has outside of the frame does not count, so large ones look better than they are.
        found.append((best, _Place(scale, place.x + (x - pad) / small, place.y + (y - pad) / small)))
    found.sort(key=lambda one: -one[0])
    return [start, *(place for _, place in found[:_TRIED])]


def _blurred(lines: NDArray[np.bool_]) -> NDArray[np.float32]:
    small = cv2.resize(lines.astype(np.float32), (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(np.minimum(small * 3, 1), (0, 0), 1.6), np.float32)


class _Measure:
    """How far the lines of two drawings are from each other, at a place of the second: lower is better."""

    def __init__(self, lines: NDArray[np.bool_], points: NDArray[np.float64], usual: float) -> None:
        self._usual = usual
        self._near = np.pad(_distance(lines), SIDE, mode="edge")
        self._near[:SIDE, :] = self._near[2 * SIDE :, :] = self._near[:, :SIDE] = self._near[:, 2 * SIDE :] = _CUT
        first = np.argwhere(lines)[:, ::-1].astype(np.float64)
        self._first = first[:: len(first) // 4000 + 1]
        self._points = points
        # The field around the second one's lines, once, at its scale.
        low = points.min(axis=0)
        self._low, extent = low, float((points.max(axis=0) - low).max()) or 1.0
        self._grid = SIDE / extent
        drawn = np.zeros((SIDE + 1, SIDE + 1), bool)
        at = np.rint((points - low) * self._grid).astype(int)
        drawn[at[:, 1], at[:, 0]] = True
        wide = cv2.copyMakeBorder(drawn.astype(np.uint8), SIDE, SIDE, SIDE, SIDE, cv2.BORDER_CONSTANT, value=0)
        self._field = np.asarray(cv2.distanceTransform(1 - wide, cv2.DIST_L2, 3), np.float32)

    def of(self, place: _Place) -> float:
        moved = self._points * place.scale + (place.x, place.y)
        there = self._looked_up(self._near, moved, 1.0)
        back = (self._first - (place.x, place.y)) / place.scale
        # The field is in pixels of its grid; one of the frame is grid / scale of these.
        here = self._looked_up(self._field, (back - self._low) * self._grid, place.scale / self._grid)
        # Of drawings that have little in common, none is pulled far from the size of the other.
        odd = _ODD * abs(float(np.log(place.scale / self._usual)))
        return float(there.mean() + here.mean()) + odd

    @staticmethod
    def _looked_up(field: NDArray[np.float32], points: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
        at = np.clip(np.rint(points + SIDE).astype(int), 0, (field.shape[1] - 1, field.shape[0] - 1))
        return np.asarray(np.minimum(field[at[:, 1], at[:, 0]] * factor, _CUT), np.float64)


def _refined(place: _Place, measure: _Measure) -> _Place:
    """A better place nearby: steps of shift and scale, as long as they help, smaller and smaller."""
    best, value = place, measure.of(place)
    for shift, stretch in _REFINED:
        for _ in range(30):
            moves = [
                _Place(best.scale, best.x + x, best.y + y)
                for x, y in ((shift, 0), (-shift, 0), (0, shift), (0, -shift))
            ]
            for factor in (1 + stretch, 1 / (1 + stretch)):
                middle = SIDE / 2
                moves.append(
                    _Place(
                        best.scale * factor, middle + (best.x - middle) * factor, middle + (best.y - middle) * factor
                    )
                )
            values = [measure.of(move) for move in moves]
            least = int(np.argmin(values))
            if values[least] >= value:
                break
            best, value = moves[least], values[least]
    return best


def _distance(lines: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels to the nearest line."""
    return np.asarray(cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _alone(lines: NDArray[np.bool_], other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lines that are further from every line of the other than the tolerance; specks are left out."""
    if not other.any():
        return lines
    alone = lines & (_distance(other) > TOLERANCE)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(alone.astype(np.uint8), connectivity=8)
    large = np.flatnonzero(stats[:count, cv2.CC_STAT_AREA] >= _SPECK)
    return alone & np.isin(labels, large[large > 0])
