"""How a draughtsman inks lines: widths, broken lines, shading, an unsteady hand.

Lengths are in points: 1/224 of the drawing's longer side, so that one style means the same at every
size. Each drawing gets a new style. One kept for a whole object would be a short cut that a
network learns; only which parts are disclaimed belongs to the object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.models.ink import POINTS, SUPERSAMPLING, draw_strokes
from patsearch.models.render import Lines
from patsearch.synth.dice import Dice

_SILHOUETTE, _OCCLUSION = 1, 2
_SAMPLE = 2.0  # pixels between the points at which a stroke is decided
Hatching = Literal["none", "lines", "stipple", "sheen", "limb"]
# Cumulated: the share of drawings in a random style that are shaded like this.
_SHADINGS: tuple[tuple[Hatching, float], ...] = (("lines", 0.10), ("stipple", 0.20), ("sheen", 0.38), ("limb", 0.52))
_DASHES = {"dash": (4.0, 2.2), "short": (2.2, 1.6), "chain": (6.0, 1.6, 1.2, 1.6)}


@dataclass(frozen=True, slots=True)
class Style:
    """One drawing's style.

    Attributes:
        width: of lines, points.
        contour: width of the silhouette.
        dashes: lengths drawn and left out alternately, for the parts that are not claimed.
        unclaimed: those parts.
        hatching: how surfaces are shaded. "lines" and "stipple" darken what is turned from the light, "limb" what
            curves away from the eye; "sheen" is a few strokes that say: this is flat, or glass.
        hatch_angle: radians.
        hatch_step: distance of hatch lines, points.
        light: direction towards the light, in the eye's axes.
        wobble: amplitude of the hand's unsteadiness, points.
        grain: 0 to 1, strength of scanner noise.
        one_bit: threshold that makes it black and white, None for grey.
    """

    width: float = 1.5
    contour: float = 1.5
    dashes: tuple[float, ...] = _DASHES["dash"]
    unclaimed: frozenset[int] = field(default_factory=frozenset)
    hatching: Hatching = "none"
    hatch_angle: float = 0.8
    hatch_step: float = 5.0
    light: tuple[float, float, float] = (-0.5, 0.6, 0.6)
    wobble: float = 0.0
    grain: float = 0.0
    one_bit: int | None = None

    @classmethod
    def draw(cls, dice: Dice, unclaimed: frozenset[int] = frozenset(), *, for_sheet: bool = False) -> Style:
        """A random style.

        Args:
            for_sheet: the finer lines of a drawing at 300 dpi, without the traces of scanning.
        """
        width = dice.between(0.45, 0.9) if for_sheet else dice.between(0.8, 2.6)
        heavier = dice.between(1.0, 2.0) if dice.chance(0.5) else 1.0
        shaded = dice.rng.random()
        return cls(
            width=width,
            contour=width * heavier,
            dashes=_DASHES[dice.pick("dash", "dash", "short", "chain")],
            unclaimed=unclaimed,
            hatching=next((kind for kind, share in _SHADINGS if shaded < share), "none"),
            hatch_angle=dice.between(0, np.pi),
            hatch_step=dice.between(3.0, 8.0),
            light=(dice.between(-1, 1), dice.between(0, 1), 0.6),
            wobble=dice.between(0.2, 0.9) if dice.chance(0.25) else 0.0,
            grain=dice.between(0.1, 1.0) if not for_sheet and dice.chance(0.2) else 0.0,
            one_bit=dice.whole(110, 200) if not for_sheet and dice.chance(0.3) else None,
        )


def ink(lines: Lines, style: Style, size: int, rng: np.random.Generator, *, margin: float = 0.06) -> NDArray[np.uint8]:
    """A square drawing: black lines on white.

    Args:
        size: side in pixels.
        margin: empty share of the side around the drawing.

    Returns:
        (size, size) uint8.
    """
    fine = SUPERSAMPLING * size
    longer = fine * (1 - 2 * margin)
    width, height = lines.size
    factor = longer / max(width, height)
    canvas = np.full((fine, fine), 255, np.uint8)
    origin = ((fine - width * factor) / 2, (fine - height * factor) / 2)
    ink_on(canvas, lines, style, rng, factor=factor, origin=origin)
    grey = np.asarray(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    return finish(grey, style, rng)


def finish(grey: NDArray[np.uint8], style: Style, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The traces of scanning: noise, rare specks, a threshold."""
    if style.grain > 0:
        noisy = grey + rng.normal(0, 22 * style.grain, grey.shape)
        noisy[rng.random(grey.shape) < 0.0002 * style.grain] = 0
        grey = np.clip(noisy, 0, 255).astype(np.uint8)
    if style.one_bit is not None:
        # Noise must not become pepper: a threshold looks at the smoothed page.
        level = cv2.GaussianBlur(grey, (3, 3), 0) if style.grain > 0 else grey
        grey = np.where(level > style.one_bit, 255, 0).astype(np.uint8)
    return grey


def ink_on(
    canvas: NDArray[np.uint8],
    lines: Lines,
    style: Style,
    rng: np.random.Generator,
    *,
    factor: float,
    origin: tuple[float, float],
) -> None:
    """Draw the lines onto a part of a page.

    Args:
        canvas: (height, width) uint8, changed in place.
        factor: pixels of the page for one of `lines`.
        origin: where the upper left corner of the drawing is put, x and y.
    """
    point = factor * max(lines.size) / POINTS
    waver = _Waver(lines.size, style.wobble * point, rng) if style.wobble > 0 else None
    groups: dict[float, list[NDArray[np.float64]]] = {}
    for kind, part, line in zip(lines.kinds, lines.parts, lines.strokes(), strict=True):
        placed = line * factor + origin
        if waver is not None:
            placed += waver.at(line)
        heavy = kind == _SILHOUETTE
        thickness = (style.contour if heavy else style.width) * point
        if int(part) in style.unclaimed:
            # Round ends reach half a width into each gap.
            rhythm = [length * point + (thickness if k % 2 else 0) for k, length in enumerate(style.dashes)]
            pieces = dashed(placed, rhythm)
        else:
            pieces = [placed[:-1:2] if len(placed) > 8 else placed[:-1]]
            pieces[0] = np.vstack([pieces[0], placed[-1:]])
        groups.setdefault(thickness, []).extend(pieces)
    thin = 0.6 * style.width * point
    if style.hatching in _STROKES:
        strokes = _STROKES[style.hatching](lines, style, rng)
        groups.setdefault(thin, []).extend(stroke * factor + origin for stroke in strokes)
    for thickness, pieces in groups.items():
        draw_strokes(canvas, pieces, thickness)
    if style.hatching == "stipple":
        dots = stipple(lines, style, rng) * factor + origin
        draw_strokes(canvas, [np.vstack([d, d]) for d in dots], max(1.3 * thin, 3.0))


def dashed(line: NDArray[np.float64], lengths: Sequence[float]) -> list[NDArray[np.float64]]:
    """Cut a line (n, 2) into dashes: lengths drawn and left out alternately, along the line."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    if along[-1] <= lengths[0]:
        return [line]
    starts = np.concatenate([[0.0], np.cumsum(np.resize(lengths, 2 + int(len(lengths) * along[-1] / sum(lengths))))])
    pieces = []
    for a, end in zip(starts[:-1:2], starts[1::2], strict=False):
        if a >= along[-1]:
            break
        b = min(end, along[-1])
        inner = line[(along > a) & (along < b)]
        ends = [[np.interp(t, along, line[:, 0]), np.interp(t, along, line[:, 1])] for t in (a, b)]
        pieces.append(np.vstack([ends[:1], inner[::2], ends[1:]]))
    return pieces


def hatch_lines(lines: Lines, style: Style, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Parallel strokes, now and then interrupted, where a surface is turned from the light; in pixels of `lines`."""
    step = _step(lines, style)
    strokes = []
    for points, t in _parallels(lines, style, step):
        gaps = (t / (step * 6) + rng.random()) % 1 < 0.8
        dark = _darkness(lines, style, points) > 0.5
        strokes += _runs(points, dark & gaps, int(step * 0.4 / _SAMPLE))
    return strokes


def limb_lines(lines: Lines, style: Style, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Parallel strokes where a surface curves away from the eye, the more of them the steeper; in pixels of `lines`."""
    step = _step(lines, style, 0.6)
    strokes = []
    for points, t in _parallels(lines, style, step):
        facing = np.abs(lines.normals_at(points)[:, 2])
        # Every stroke ends at its own steepness: together they fade out.
        steep = (facing > 0) & (facing < rng.uniform(0.15, 0.75))
        gaps = (t / (step * rng.uniform(6, 18)) + rng.random()) % 1 < 0.85
        strokes += _runs(points, steep & gaps, int(1.5 * step / _SAMPLE))
    return strokes


def sheen_lines(lines: Lines, style: Style, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Groups of two to five parallel strokes, each group on one flat surface; in pixels of `lines`."""
    step = _step(lines, style)
    direction, across, reach = _axes(lines, style)
    t = np.arange(-reach, reach, _SAMPLE)
    strokes = []
    centres = np.argwhere(lines.seen >= 0)
    for y, x in centres[rng.integers(len(centres), size=int(rng.integers(2, 9)))] if len(centres) else ():
        normal = lines.normals[lines.seen[y, x]]
        length = rng.uniform(8, 60) * step
        for k in range(int(rng.integers(2, 6))):
            start = np.array([x, y]) + k * rng.uniform(0.5, 1.3) * step * across
            points = start + t[:, None] * direction
            middle = rng.uniform(-0.3, 0.3) * length
            near = np.abs(t - middle) < rng.uniform(0.3, 0.5) * length
            flat = lines.normals_at(points) @ normal > 0.995
            gaps = (t / (step * 12) + rng.random()) % 1 < 0.9
            strokes += _runs(points, near & flat & gaps, int(step / _SAMPLE))
    return strokes


def _step(lines: Lines, style: Style, factor: float = 1.0) -> float:
    """Distance of hatch lines, in pixels of `lines`."""
    return factor * style.hatch_step * max(lines.size) / POINTS


def _axes(lines: Lines, style: Style) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Directions along and across the strokes, and how far they may reach from the middle."""
    direction = np.array([np.cos(style.hatch_angle), np.sin(style.hatch_angle)])
    return direction, np.array([-direction[1], direction[0]]), float(np.hypot(*lines.size)) / 2


def _parallels(lines: Lines, style: Style, step: float) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Lines over the whole drawing, `step` apart: points (n, 2), and their distances from the middle of the line."""
    direction, across, reach = _axes(lines, style)
    t = np.arange(-reach, reach, _SAMPLE)
    for offset in np.arange(-reach, reach, step):
        yield np.array(lines.size) / 2 + offset * across + t[:, None] * direction, t


def _runs(points: NDArray[np.float64], on: NDArray[np.bool_], least: int) -> list[NDArray[np.float64]]:
    """First and last point of each run of `on` that has more than `least` points."""
    edges = np.diff(np.concatenate([[False], on, [False]]).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [points[[b, e - 1]] for b, e in zip(begins, ends, strict=True) if e - b > least]


def stipple(lines: Lines, style: Style, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 2) dots, denser where a surface is turned from the light; in pixels of `lines`."""
    width, height = lines.size
    step = _step(lines, style)
    count = int(width * height / step**2 * 3)
    points = rng.random((count, 2)) * [width, height]
    return np.asarray(points[rng.random(count) < _darkness(lines, style, points) ** 2])


def _darkness(lines: Lines, style: Style, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) 0 to 1 at each point: 0 on the page and in full light."""
    light = np.asarray(style.light) / np.linalg.norm(style.light)
    normals = lines.normals_at(points)
    return np.where(normals.any(axis=1), 1 - np.clip(normals @ light, 0, 1), 0.0)


_STROKES = {"lines": hatch_lines, "limb": limb_lines, "sheen": sheen_lines}


class _Waver:
    """A slow random displacement over the whole drawing, as of an unsteady hand."""

    _GRID = 9

    def __init__(self, size: tuple[int, int], amplitude: float, rng: np.random.Generator) -> None:
        small = rng.normal(0, amplitude, (self._GRID, self._GRID, 2)).astype(np.float32)
        self._field = cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)
        self._scale = 63 / max(size)

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
        x, y = np.clip(points * self._scale, 0, 63).T.astype(np.float32)
        moved = cv2.remap(self._field, x.reshape(1, -1), y.reshape(1, -1), cv2.INTER_LINEAR)
        return np.asarray(moved[0])
