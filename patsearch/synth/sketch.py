"""A view as somebody would scribble it: wavering, overshooting, interrupted, with detail left out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.models.ink import POINTS, SUPERSAMPLING, draw_strokes
from patsearch.models.mesh import Mesh
from patsearch.models.render import Lines, View, render
from patsearch.synth.dice import Dice

_SILHOUETTE = 1


@dataclass(frozen=True, slots=True)
class Hand:
    """How somebody sketches. Lengths in points, 1/224 of the drawing's longer side.

    Attributes:
        width: of the pen.
        tremor: amplitude of quick unsteadiness along a stroke.
        drift: amplitude by which a whole stroke is misplaced.
        overshoot: length by which strokes run past their ends.
        longest: strokes are broken into pieces of about this length.
        twice: share of strokes that are drawn a second time.
        omitted: share of the inner strokes left out; short ones first.
        tilt: radians by which the page is rotated.
        squeeze: share by which proportions are off.
    """

    width: float = 1.6
    tremor: float = 0.5
    drift: float = 0.9
    overshoot: float = 3.0
    longest: float = 80.0
    twice: float = 0.15
    omitted: float = 0.3
    tilt: float = 0.0
    squeeze: float = 0.04

    @classmethod
    def draw(cls, dice: Dice) -> Hand:
        """A random hand, from careful to hasty."""
        haste = dice.between(0.3, 1.0)
        return cls(
            width=dice.between(1.0, 3.0),
            tremor=0.7 * haste,
            drift=1.6 * haste,
            overshoot=5.0 * haste * dice.between(0.3, 1.0),
            longest=dice.between(45, 140),
            twice=0.3 * haste * dice.between(0, 1),
            omitted=0.6 * haste,
            tilt=dice.between(-0.08, 0.08),
            squeeze=0.08 * haste,
        )


def sketch(
    mesh: Mesh, view: View, rng: np.random.Generator, *, size: int = 512, hand: Hand | None = None
) -> NDArray[np.uint8]:
    """A free-hand sketch of an object; arguments and result as of `sketch_lines`."""
    return sketch_lines(render(mesh, view, size=640), rng, size=size, hand=hand)


def sketch_lines(
    lines: Lines, rng: np.random.Generator, *, size: int = 512, hand: Hand | None = None
) -> NDArray[np.uint8]:
    """A free-hand rendition of lines that were rendered already, (size, size) uint8, dark on white.

    Args:
        hand: a random one where none is given.
    """
    hand = hand or Hand.draw(Dice(rng))
    fine = SUPERSAMPLING * size
    width, height = lines.size
    longer = fine * 0.82
    point = longer / POINTS
    strokes = []
    for line in _worth_drawing(lines, hand, rng):
        placed = (line - np.array([width, height]) / 2) * (longer / max(width, height))
        for piece in _broken(placed, hand.longest * point, rng):
            strokes.append(_by_hand(piece, hand, point, rng))
            if rng.random() < hand.twice:
                strokes.append(_by_hand(piece, hand, point, rng))
    c, s = np.cos(hand.tilt), np.sin(hand.tilt)
    skew = np.array([[c, s], [-s, c]]) * (1 + rng.normal(0, hand.squeeze, 2))
    canvas = np.full((fine, fine), 255, np.uint8)
    for stroke in strokes:
        width_now = hand.width * point * rng.uniform(0.75, 1.25)
        draw_strokes(canvas, [stroke @ skew + fine / 2], width_now)
    return np.asarray(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _worth_drawing(lines: Lines, hand: Hand, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """The silhouette, and most of the longer lines within."""
    shortest = 0.05 * max(lines.size)
    kept = []
    for kind, line in zip(lines.kinds, lines.strokes(), strict=True):
        length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
        if length < 0.3 * shortest:
            continue
        if kind != _SILHOUETTE:
            # A line of the shortest length worth drawing is left out three times as often as a long one.
            weight = 3.0 if length < 3 * shortest else 1.0
            if length < shortest or rng.random() < min(0.9, hand.omitted * weight / 2):
                continue
        kept.append(line[:: max(1, len(line) // 60)] if len(line) > 8 else line)
    return kept


def _broken(line: NDArray[np.float64], longest: float, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Cut where the hand would stop: at corners, and after about `longest`."""
    steps = np.diff(line, axis=0)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1))])
    span = 3
    cuts, last = [0], 0.0
    for i in range(span, len(line) - span):
        before, after = line[i] - line[i - span], line[i + span] - line[i]
        cosine = before @ after / (np.linalg.norm(before) * np.linalg.norm(after) + 1e-9)
        corner = cosine < 0.5 and i - cuts[-1] > span
        if corner or along[i] - last > longest * rng.uniform(0.8, 1.6):
            cuts.append(i)
            last = float(along[i])
    cuts.append(len(line) - 1)
    return [line[a : b + 1] for a, b in pairwise(cuts) if b > a]


def _by_hand(line: NDArray[np.float64], hand: Hand, point: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """One stroke of the pen along a line."""
    length = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
    n = max(6, int(length / (4 * point)))
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    past = min(hand.overshoot * point, 0.3 * length) * rng.uniform(-0.3, 1.0, 2)
    at = np.linspace(-past[0], length + past[1], n)
    inner = np.clip(at, 0, length)
    stroke = np.column_stack([np.interp(inner, along, line[:, 0]), np.interp(inner, along, line[:, 1])])
    ends = _direction(line[: min(4, len(line))]), _direction(line[-min(4, len(line)) :])
    stroke += np.minimum(at, 0)[:, None] * ends[0] + np.maximum(at - length, 0)[:, None] * ends[1]
    quick = rng.normal(0, hand.tremor * point, (n, 2))
    quick = (np.roll(quick, 1, 0) + quick + np.roll(quick, -1, 0)) / 2
    short = min(1.0, length / (20 * point))
    knots = np.linspace(0, 1, 4)
    slow = np.column_stack([np.interp(np.linspace(0, 1, n), knots, rng.normal(0, hand.drift * point, 4)) for _ in "xy"])
    return np.asarray(stroke + short * (quick + slow))


def _direction(points: NDArray[np.float64]) -> NDArray[np.float64]:
    step = points[-1] - points[0]
    return np.asarray(step / (np.linalg.norm(step) + 1e-9))
