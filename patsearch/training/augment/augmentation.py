"""Augmentations made for line drawings, on preprocessed uint8 drawings.

What differs between two drawings of one design, or between a drawing and a sketch of it, is varied:
framing and proportions, stroke width, interrupted and unsteady lines, missing parts and hatching, contrast,
scan noise, or the whole is a free-hand copy. Everything works on ink (0 paper, 255 black), so that what is
moved in from outside is paper.

Framing is varied little: in the protocol of DeepPatent larger turns and zooms cost mean average precision
(see docs/research/training-data.md), because drawings are trimmed and upright when they are searched.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.preprocess import Preprocessing, preprocess
from patsearch.errors import SettingsError
from patsearch.training.augment.hatching import drop_hatching
from patsearch.training.augment.sketchify import sketchify

Grey = NDArray[np.uint8]
WHITE = 255
_UNIT = 224  # side of a drawing for which lengths are given
_SLACK = 160  # pixels by which the noise is larger than a drawing


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often (shares of the drawings) and how strongly a drawing is changed.

    Attributes:
        mirror: left and right exchanged.
        quarter: turned by 90, 180 or 270 degrees.
        tilt: largest angle in degrees by which every drawing is turned.
        shear, stretch: largest shear, and largest share by which the proportions are off.
        zoom: smallest size, as a share of the original.
        thicker, thinner: stroke width changed by a pixel or two of the cached drawing.
        sketched: a free-hand copy instead of the drawing (`patsearch.training.augment.sketchify`).
        unhatched: hatching and stippling taken out (`patsearch.training.augment.hatching`).
        wobbly: lines unsteady, by a smooth random displacement.
        wobble: largest displacement in pixels of a drawing of 224.
        broken: small gaps all over the lines.
        erased: one or two rectangles emptied, each with up to `erased_side` of the side.
        erased_side: see `erased`.
        paler: lines grey.
        one_bit: a threshold, as of a black-and-white scan.
        grain: noise on paper and lines.
        cropped: a part at the scale of the cached drawing, instead of the whole at a smaller size.
    """

    mirror: float = 0.3
    quarter: float = 0.04
    tilt: float = 3.0
    shear: float = 0.04
    stretch: float = 0.06
    zoom: float = 0.9
    sketched: float = 0.08
    unhatched: float = 0.08
    wobbly: float = 0.15
    wobble: float = 2.5
    thicker: float = 0.4
    thinner: float = 0.1
    broken: float = 0.12
    erased: float = 0.25
    erased_side: float = 0.35
    paler: float = 0.2
    one_bit: float = 0.15
    grain: float = 0.1
    cropped: float = 0.0

    def __post_init__(self) -> None:
        shares = [self.mirror, self.quarter, self.sketched, self.unhatched, self.wobbly, self.thicker, self.thinner]
        shares += [self.broken, self.erased, self.erased_side, self.paler, self.one_bit, self.grain, self.cropped]
        strengths = (self.shear, self.stretch)
        if (
            not all(0 <= share <= 1 for share in shares)
            or not all(0 <= strength < 0.9 for strength in strengths)
            or not (0 < self.zoom <= 1 and 0 <= self.tilt <= 180 and 0 <= self.wobble <= 20)
        ):
            raise SettingsError(f"Augmentation out of range: {self}.", hint="Shares 0 to 1, zoom above 0 to 1.")


# What every augmentation is set to when it is switched off; the settings that are not here only say how one works.
OFF: dict[str, float] = {
    field.name: 1.0 if field.name == "zoom" else 0.0
    for field in fields(Augmentation)
    if field.name not in ("wobble", "erased_side")
}
_STRENGTHS = ("tilt", "shear", "stretch", "zoom")  # done to every drawing, more or less; the others to a share of them


def alone(spec: Augmentation, name: str) -> Augmentation:
    """One augmentation as set in `spec`, done to every drawing, and no other; none if it is off in `spec`."""
    value: float = getattr(spec, name)
    return replace(spec, **OFF | {name: value if name in _STRENGTHS or value == OFF[name] else 1.0})


def augment(
    drawing: Grey, spec: Augmentation, rng: np.random.Generator, *, size: int, hand: np.random.Generator | None = None
) -> Grey:
    """(size, size) uint8, white = 255: a drawing changed at random.

    Args:
        drawing: (S, S) uint8, white = 255; not changed.
        size: side of the result, at most S.
        hand: decides stroke width and scan instead of `rng`: the same generator state for all drawings of a design
            gives them the line width and the scanner that drawings of one patent share.
    """
    ink = np.asarray(WHITE - drawing, np.uint8)
    if rng.random() < spec.sketched:
        ink = sketchify(ink, rng)
    elif rng.random() < spec.unhatched:
        ink = drop_hatching(ink)
    if rng.random() < spec.mirror:
        ink = np.ascontiguousarray(ink[:, ::-1])
    if rng.random() < spec.quarter:
        ink = np.ascontiguousarray(np.rot90(ink, int(rng.integers(1, 4))))
    ink = _move(ink, spec, rng)
    ink = _stroke(ink, spec, hand or rng)
    if rng.random() < spec.broken:
        ink = _break(ink, rng)
    if rng.random() < spec.erased:
        _erase(ink, spec.erased_side, rng)
    if size < ink.shape[0] and spec.cropped and rng.random() < spec.cropped:
        ink = _crop(ink, size, rng)
    elif size != ink.shape[0]:
        ink = np.asarray(cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(WHITE - _scan(ink, spec, hand or rng, rng), np.uint8)


def fit(drawing: Grey, size: int) -> Grey:
    """The same without changes, for validation: (size, size)."""
    if size == drawing.shape[0]:
        return drawing
    return np.asarray(cv2.resize(drawing, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def encoder_input(drawing: Grey, spec: Preprocessing) -> Grey:
    """What an encoder takes of a drawing (S, S) of a cache: as it is but for its size, or with its windows."""
    return preprocess(drawing, spec) if spec.windows else fit(drawing, spec.size)


def _move(ink: Grey, spec: Augmentation, rng: np.random.Generator) -> Grey:
    """One affine map about the middle, a shift by what the zoom leaves free, and unsteady lines, in one go."""
    side = ink.shape[0]
    zoom = rng.uniform(spec.zoom, 1.0)
    angle = np.radians(rng.uniform(-spec.tilt, spec.tilt))
    c, s = np.cos(angle), np.sin(angle)
    shear = np.array([[1.0, rng.uniform(-spec.shear, spec.shear)], [rng.uniform(-spec.shear, spec.shear), 1.0]])
    stretch = np.diag(1 + rng.uniform(-spec.stretch, spec.stretch, 2) / 2)
    linear = zoom * np.array([[c, -s], [s, c]]) @ shear @ stretch
    middle = (side - 1) / 2
    free = (1 - zoom) * middle
    shift = middle - linear @ [middle, middle] + rng.uniform(-free, free, 2)
    matrix = np.column_stack([linear, shift])
    if rng.random() < spec.wobbly:
        return _wobble(ink, matrix, spec.wobble * side / _UNIT, rng)
    if np.array_equal(matrix, np.eye(2, 3)):
        return ink
    return np.asarray(cv2.warpAffine(ink, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def _wobble(ink: Grey, matrix: NDArray[np.float64], most: float, rng: np.random.Generator) -> Grey:
    """The affine map, plus a smooth random displacement of at most `most` pixels."""
    side = ink.shape[0]
    knots = int(rng.integers(6, 16))
    # Cubic interpolation overshoots the random knots by little; a uniform distribution has no far outliers.
    moves = rng.uniform(-most, most, (knots, knots, 2)).astype(np.float32)
    field = np.asarray(cv2.resize(moves, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float32)
    pixels = np.arange(side, dtype=np.float32)
    for axis in (0, 1):
        field[:, :, axis] += back[axis, 0] * pixels[None, :]
        field[:, :, axis] += (back[axis, 1] * pixels + back[axis, 2])[:, None]
    return np.asarray(cv2.remap(ink, field[:, :, 0], field[:, :, 1], cv2.INTER_LINEAR), np.uint8)


def _stroke(ink: Grey, spec: Augmentation, rng: np.random.Generator) -> Grey:
    """Lines wider or thinner; a share of the change, so that widths between whole pixels occur."""
    draw = rng.random()
    if draw >= spec.thicker + spec.thinner:
        return ink
    side = 3 if draw < spec.thicker / 4 else 2
    change = cv2.dilate if draw < spec.thicker else cv2.erode
    changed = change(ink, np.ones((side, side), np.uint8))
    share = rng.uniform(0.3, 0.7) if change is cv2.erode else rng.uniform(0.5, 1.0)
    return np.asarray(cv2.addWeighted(changed, share, ink, 1 - share, 0), np.uint8)


def _break(ink: Grey, rng: np.random.Generator) -> Grey:
    """Gaps at random places, a few pixels wide."""
    cells = int(rng.integers(20, 56))
    kept = (rng.random((cells, cells)) > rng.uniform(0.05, 0.3)).astype(np.uint8)
    return np.asarray(ink * cv2.resize(kept, ink.shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def _erase(ink: Grey, largest: float, rng: np.random.Generator) -> None:
    side = ink.shape[0]
    for _ in range(int(rng.integers(1, 3))):
        height, width = (rng.uniform(0.08, max(largest, 0.08), 2) * side).astype(int)
        top, left = int(rng.integers(0, side - height + 1)), int(rng.integers(0, side - width + 1))
        ink[top : top + height, left : left + width] = 0


def _crop(ink: Grey, size: int, rng: np.random.Generator) -> Grey:
    """The part with the most ink out of three at random places."""
    tops, lefts = rng.integers(0, ink.shape[0] - size + 1, (2, 3)).tolist()
    parts = [ink[top : top + size, left : left + size] for top, left in zip(tops, lefts, strict=True)]
    return np.ascontiguousarray(max(parts, key=lambda part: int(part.sum(dtype=np.int64))))


def _scan(ink: Grey, spec: Augmentation, rng: np.random.Generator, grain: np.random.Generator) -> Grey:
    """Contrast, threshold, noise."""
    if rng.random() < spec.paler:
        ink = np.asarray(cv2.convertScaleAbs(ink, alpha=rng.uniform(0.45, 1.0)), np.uint8)
    if rng.random() < spec.one_bit:
        ink = np.asarray(cv2.threshold(ink, rng.uniform(40, 110), WHITE, cv2.THRESH_BINARY)[1], np.uint8)
    if rng.random() < spec.grain:
        side = ink.shape[0]
        top, left = grain.integers(0, _SLACK, 2, endpoint=True).tolist()
        noise = _noise(side + _SLACK)[top : top + side, left : left + side]
        ink = np.clip(ink + np.float32(rng.uniform(2, 14)) * noise, 0, WHITE).astype(np.uint8)
    return ink


@lru_cache(maxsize=4)
def _noise(side: int) -> NDArray[np.float32]:
    """White noise; every drawing gets another part of it. New noise for each would cost more than all the rest."""
    noise = np.random.default_rng(0).standard_normal((side, side), dtype=np.float32)
    noise.flags.writeable = False
    return noise
