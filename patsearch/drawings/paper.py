"""Photos of a sheet of paper: the sheet is found, seen from above, and its lines are drawn dark on white.

The sheet is a bright, even quadrilateral on another ground. It is looked for in the lightness of the picture, without
its lines, and in how grey it is, which a shadow changes little. From its four corners, the lens and the proportions of
the sheet follow (Zhang and He, Whiteboard scanning and image enhancement, 2007), and it is flattened by the perspective
that they give. The light is then evened out as in other photos of sketches; the lines of ruled and squared paper are
paler than the strokes on it and go.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.grey import WHITE, Grey, to_grey
from patsearch.drawings.photo import Floats, drawn, evened, paler_than

Corners = NDArray[np.float32]
Mask = NDArray[np.uint8]

_LEAST_SIDE = 300  # pixels of a photo's shorter side
_SIDE = 640  # longer side at which the sheet is looked for
_FLAT_SIDE = 1600  # longer side of a flattened sheet
_CLOSE = 15  # pixels of the kernel that removes lines there
_LEAST, _MOST = 0.12, 0.97  # of the picture: the sheet
_FULL = 0.93  # of the quadrilateral that the region covers, and of the region that is within it
_ANGLES = (45.0, 135.0)  # degrees of its corners
_BESIDE = 6  # pixels from an edge at which its two sides are compared
_STEP, _TINT = 12.0, 7.0  # levels by which lightness and colour differ, of 255
_DARKER = 0.93  # of the sheet's lightness: what is next to it
_SEEN, _EACH = 0.85, 0.6  # of all edges within the picture, and of each, that differ so
_NEARLY = 0.1  # of the edges: one quadrilateral is seen nearly as well as another
_SAME = 0.85  # of the largest one's area: quadrilaterals of the same sheet
_LINES = 8  # straight edges in each direction that a sheet is looked for between
_BORDER = 4  # pixels from the picture's border that count as outside of it
_EQUAL = 0.85  # of the neighbouring pixels of a sheet that are equal: drawn by a program, or scanned
_RIM = 0.012  # of a flattened sheet's shorter side that is cut off
_LONGEST_SHAPE = 2.5  # length of a sheet by its width
# Lines of ruled paper: straight for this share of the sheet's side, together this share of it; at least that number.
_RULED, _ACROSS, _RULES = 0.08, 0.6, 5
_PALER = 0.15  # by which they are paler than strokes, of the paper's lightness


@dataclass(frozen=True, slots=True)
class FlatPaper:
    """A sheet of paper in a photo.

    Attributes:
        image: (H, W) uint8, dark lines on white: the sheet from above.
        corners: (4, 2) in pixels of the photo, from the upper left one clockwise.
    """

    image: Grey = field(repr=False)
    corners: Corners


def flat_paper(image: Image.Image) -> FlatPaper | None:
    """The sheet of paper with lines on it in a photo; None for another picture, and in case of doubt."""
    corners = find_paper(image)
    if corners is None:
        return None
    even = evened(_from_above(to_grey(image), corners))
    if even is None:
        return None
    flat = drawn(even, _palest(even))
    return FlatPaper(flat, corners) if (flat < WHITE).any() else None


def find_paper(image: Image.Image) -> Corners | None:
    """(4, 2) corners of the sheet of paper in a photo, in pixels, from the upper left one clockwise; or None."""
    if image.mode == "1" or min(image.size) < _LEAST_SIDE:
        return None
    scale = _SIDE / max(image.size)
    colours = np.asarray(image.convert("RGB"))
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    small = np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.uint8)
    lab = np.asarray(cv2.cvtColor(_without_lines(small), cv2.COLOR_RGB2LAB), np.uint8)
    regions = (quad for mask in _candidates(lab) if (quad := _quadrilateral(mask)) is not None)
    found = [(*_seen(lab, quad), quad) for quad in (*regions, *_between_lines(lab))]
    seen = [(edges, share, quad) for edges, share, quad in found if share >= _SEEN]
    if not seen:
        return None
    # The edge of a shadow on the sheet may be seen as well as the sheet's own.
    whole = max(edges for edges, *_ in seen)
    most = max(share for edges, share, _ in seen if edges == whole)
    alike = [(share, quad) for edges, share, quad in seen if edges == whole and share >= most - _NEARLY]
    largest = max(cv2.contourArea(quad) for _, quad in alike)
    _, quad = max((one for one in alike if cv2.contourArea(one[1]) >= _SAME * largest), key=lambda one: one[0])
    return None if _is_synthetic(colours, quad / scale) else np.asarray(quad / scale, np.float32)


def _without_lines(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) the grounds of a picture."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSE, _CLOSE))
    closed = cv2.morphologyEx(cv2.medianBlur(colours, 3), cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.medianBlur(closed, 5), np.uint8)


def _candidates(lab: NDArray[np.uint8]) -> Iterator[Mask]:
    """(H, W) masks, 1 where a sheet may be: what is lighter, and what is greyer, than the rest."""
    lightness = np.ascontiguousarray(lab[..., 0])
    chroma = np.hypot(lab[..., 1].astype(np.float32) - 128, lab[..., 2].astype(np.float32) - 128)
    tint = np.clip(4 * chroma, 0, 255).astype(np.uint8)
    for channel, flag in ((lightness, cv2.THRESH_BINARY), (tint, cv2.THRESH_BINARY_INV)):
        middle, _ = cv2.threshold(channel, 0, 1, flag | cv2.THRESH_OTSU)
        low, high = (float(v) for v in np.percentile(channel, (5, 95)))
        if high - low < _STEP:
            continue
        for at in {round(middle), *(round(low + part * (high - low)) for part in (0.35, 0.5, 0.65, 0.8))}:
            yield np.asarray(cv2.threshold(channel, at, 1, flag)[1], np.uint8)


def _quadrilateral(mask: Mask) -> Corners | None:
    """The four corners of the largest region of a mask, where it is a quadrilateral of a sheet's size and shape."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    region = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(region)
    if not _LEAST * mask.size <= area <= _MOST * mask.size:
        return None
    hull = np.asarray(cv2.convexHull(region), np.int32)
    if area < _FULL * cv2.contourArea(hull):
        return None
    quad = _four(hull)
    if quad is None or not _is_plausible(quad):
        return None
    inside = np.zeros_like(mask)
    cv2.fillConvexPoly(inside, np.rint(quad).astype(np.int32), 1)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [region], -1, 1, cv2.FILLED)
    both = np.count_nonzero(inside & filled)
    if both < _FULL * max(np.count_nonzero(inside), np.count_nonzero(filled)):
        return None
    return _ordered(quad)


def _between_lines(lab: NDArray[np.uint8]) -> Iterator[Corners]:
    """Quadrilaterals between straight edges of the picture and its border: a shadow across a sheet leaves its edges."""
    height, width = lab.shape[:2]
    edges = np.zeros((height, width), np.uint8)
    for channel, least in zip(cv2.split(lab), (30, 12, 12), strict=True):
        edges |= np.asarray(cv2.Canny(cv2.GaussianBlur(channel, (0, 0), 1.5), least, 2.5 * least), np.uint8)
    found = cv2.HoughLinesP(edges, 1, math.pi / 360, 50, minLineLength=0.15 * max(height, width), maxLineGap=15)
    if found is None:
        return
    segments = found.reshape(-1, 4).astype(np.float64)
    lengths = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    lying: list[NDArray[np.float64]] = []
    upright: list[NDArray[np.float64]] = []
    for x, y, to_x, to_y in segments[np.argsort(-lengths)].tolist():
        line = np.cross([x, y, 1.0], [to_x, to_y, 1.0])
        line /= np.hypot(line[0], line[1])
        group = lying if abs(to_x - x) >= abs(to_y - y) else upright
        ends = np.array([[x, y, 1.0], [to_x, to_y, 1.0]])
        if len(group) < _LINES and all(np.abs(ends @ other).max() > _BESIDE for other in group):
            group.append(line)
    lying += [np.array([0.0, 1.0, -0.0]), np.array([0.0, 1.0, 1.0 - height])]
    upright += [np.array([1.0, 0.0, -0.0]), np.array([1.0, 0.0, 1.0 - width])]
    for a, c in combinations(lying, 2):
        for b, d in combinations(upright, 2):
            points = np.array([np.cross(a, b), np.cross(b, c), np.cross(c, d), np.cross(d, a)])
            if np.abs(points[:, 2]).min() < 1e-9:
                continue
            quad = (points[:, :2] / points[:, 2:]).astype(np.float32)
            inside = (quad >= -0.02 * _SIDE).all() and (quad[:, 0] <= width + 0.02 * _SIDE).all()
            if not inside or not (quad[:, 1] <= height + 0.02 * _SIDE).all() or not cv2.isContourConvex(quad):
                continue
            if _LEAST * height * width <= cv2.contourArea(quad) <= _MOST * height * width and _is_plausible(quad):
                yield _ordered(quad)


def _four(hull: NDArray[np.int32]) -> Corners | None:
    """The four corners that a hull nearly has."""
    length = cv2.arcLength(hull, True)
    for share in (0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06):
        points = cv2.approxPolyDP(hull, share * length, True)
        if len(points) == 4:
            return np.asarray(points[:, 0], np.float32)
        if len(points) < 4:
            return None
    return None


def _is_plausible(quad: Corners) -> bool:
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.linalg.norm(sides, axis=1)
    if lengths.min() < lengths.max() / (2 * _LONGEST_SHAPE):
        return False
    before = -np.roll(sides, 1, axis=0)
    cosines = (sides * before).sum(axis=1) / (lengths * np.roll(lengths, 1))
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    return bool((angles >= _ANGLES[0]).all() and (angles <= _ANGLES[1]).all())


def _ordered(quad: Corners) -> Corners:
    """From the upper left corner clockwise."""
    around = quad - quad.mean(axis=0)
    turned = quad[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
    return np.asarray(np.roll(turned, -int(np.argmin(turned.sum(axis=1))), axis=0), np.float32)


def _seen(lab: NDArray[np.uint8], quad: Corners) -> tuple[int, float]:
    """How many of its edges are within the picture, and the share of them at which the ground gets darker or coloured.

    The share is 0 where fewer than three are, or where one is hardly seen.
    """
    height, width = lab.shape[:2]
    start, along = quad[:, None], (np.roll(quad, -1, axis=0) - quad)[:, None]
    across = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    across /= np.maximum(1e-6, np.linalg.norm(across, axis=-1, keepdims=True))
    across *= np.where(((start - quad.mean(axis=0)) * across).sum(axis=-1, keepdims=True) < 0, -1, 1)
    points = start + np.linspace(0.04, 0.96, 40)[None, :, None] * along
    inner, outer = points - _BESIDE * across, points + _BESIDE * across
    within = (outer >= _BORDER).all(axis=-1) & (outer[..., 0] < width - _BORDER) & (outer[..., 1] < height - _BORDER)
    inner_colour, outer_colour = _at(lab, inner), _at(lab, outer)
    change = inner_colour - outer_colour
    darker = outer_colour[..., 0] <= _DARKER * inner_colour[..., 0]
    tinted = (np.hypot(change[..., 1], change[..., 2]) >= _TINT) & (change[..., 0] > -_STEP)
    seen = (darker | tinted) & within
    edges = within.mean(axis=1) >= 0.5
    count = int(np.count_nonzero(edges))
    if count < 3:
        return count, 0.0
    shares = seen[edges].sum(axis=1) / within[edges].sum(axis=1)
    return count, float(shares.mean()) if shares.min() >= _EACH else 0.0


def _at(lab: NDArray[np.uint8], points: NDArray[np.float64]) -> Floats:
    x, y = (np.clip(np.rint(points[..., i]).astype(int), 0, lab.shape[1 - i] - 1) for i in (0, 1))
    return np.asarray(lab[y, x], np.float32)


def _is_synthetic(colours: NDArray[np.uint8], quad: Corners) -> bool:
    """Whether the ground of the sheet is without any noise, as in a screenshot."""
    left, top, wide, high = cv2.boundingRect(np.rint(quad).astype(np.int32))
    part = colours[max(0, top) : top + high, max(0, left) : left + wide]
    part = part[part.shape[0] // 6 : -part.shape[0] // 6 or None, part.shape[1] // 6 : -part.shape[1] // 6 or None]
    if part.shape[1] < 2 or not part.size:
        return True
    return bool(np.mean((part[:, 1:] == part[:, :-1]).all(axis=2)) >= _EQUAL)


def _from_above(grey: Grey, corners: Corners) -> Grey:
    """(H, W) the sheet, flattened, without its rim."""
    height, width = _sides(corners, grey.shape)
    to = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    towards = cv2.getPerspectiveTransform(corners, to)
    flat = cv2.warpPerspective(grey, towards, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    rim = max(2, round(_RIM * min(height, width)))
    return np.ascontiguousarray(flat[rim:-rim, rim:-rim], np.uint8)


def _sides(corners: Corners, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width in pixels of the sheet that a photo of that shape shows in these corners."""
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    wide, high = float(max(lengths[0], lengths[2])), float(max(lengths[1], lengths[3]))
    proportion = _proportion(corners, shape)
    if proportion is not None:
        area = wide * high
        wide, high = math.sqrt(area * proportion), math.sqrt(area / proportion)
    scale = min(1.0, _FLAT_SIDE / max(wide, high))
    return max(32, round(high * scale)), max(32, round(wide * scale))


def _proportion(corners: Corners, shape: tuple[int, ...]) -> float | None:
    """Width of the sheet by its height, from the perspective in which it is seen; None where that says little."""
    middle = np.array([shape[1] / 2, shape[0] / 2])
    upper_left, upper_right, lower_right, lower_left = (
        np.append((corner - middle) / max(shape), 1.0) for corner in corners.astype(float)
    )

    def meeting(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        factor = (np.cross(upper_left, lower_right) @ a) / (np.cross(b, lower_right) @ a)
        return np.asarray(factor * b - upper_left)

    across, down = meeting(lower_left, upper_right), meeting(upper_right, lower_left)
    if min(abs(across[2]), abs(down[2])) < 0.02:
        focal = 1.0  # an edge is parallel to the picture, and a phone's lens is assumed
    else:
        square = -(across[:2] @ down[:2]) / (across[2] * down[2])
        focal = math.sqrt(square) if 0.5 <= square <= 4 else 1.0
    scaled = np.array([1 / focal, 1 / focal, 1.0])
    wide, high = float(np.linalg.norm(across * scaled)), float(np.linalg.norm(down * scaled))
    if min(wide, high) <= 0 or not 1 / _LONGEST_SHAPE <= wide / high <= _LONGEST_SHAPE:
        return None
    return wide / high


def _palest(even: Floats) -> float:
    """How light a stroke on ruled or squared paper can be, 1 on plain paper: rules are straight, long and pale."""
    ink = (even < paler_than(even)).astype(np.uint8)
    ruled = np.zeros_like(ink)
    for axis, side in ((1, even.shape[1]), (0, even.shape[0])):
        long = max(9, round(_RULED * side))
        # A rule that is not quite straight, or crossed by another, is one all the same.
        near = cv2.dilate(ink, np.ones((3, 1) if axis else (1, 3), np.uint8))
        straight = cv2.morphologyEx(near, cv2.MORPH_OPEN, np.ones((1, long) if axis else (long, 1), np.uint8))
        rules = np.asarray(straight, np.uint8) & ink
        across = cv2.dilate(rules, np.ones((5, 1) if axis else (1, 5), np.uint8)).mean(axis=axis) > _ACROSS
        if np.count_nonzero(np.diff(np.concatenate([[0], across.astype(np.int8)])) == 1) >= _RULES:
            ruled |= rules
    strokes = even[(ink > 0) & (cv2.dilate(ruled, np.ones((5, 5), np.uint8)) == 0)]
    if not ruled.any() or not strokes.size:
        return 1.0
    pale, dark = float(np.percentile(even[ruled > 0], 15)), float(np.percentile(strokes, 25))
    return (pale + dark) / 2 if pale - dark >= _PALER else 1.0
