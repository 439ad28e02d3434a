"""Which views a design is shown in: those that show something, each something else."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.models.mesh import Mesh
from patsearch.models.render import Lines, View, render
from patsearch.synth.dice import Dice
from patsearch.synth.solids import circle, rounded_rectangle

FRONT, BACK, LEFT, RIGHT = -90.0, 90.0, 180.0, 0.0

# Two views are the same where their small pictures correlate more than this and so do their proportions.
_SAME = 0.95
_SAME_ASPECT = 0.04
_PROBE = 160
_SIDE = 32


def choose_views(mesh: Mesh, dice: Dice, *, count: int, flat: bool = False, bare: bool = False) -> list[View]:
    """Up to `count` views of an object, none blank, none a bare rectangle or ellipse, no two equal.

    The rear of a bottle that looks like its front is left out, as applicants do; perspective views
    from other sides take the place of what was left out.

    Args:
        flat: the object is a flat one, which is shown from the front.
        bare: bare rectangles and ellipses stay: most applicants show all six sides, even bare ones.
    """
    chosen: list[View] = []
    known: list[tuple[NDArray[np.float32], float | None]] = []
    if not bare:
        known += [(signature, None) for signature in _bare_shapes()]
    for view in _candidates(dice, flat=flat):
        if len(chosen) == count:
            break
        lines = render(mesh, view, size=_PROBE)
        if not len(lines):
            continue
        signature, aspect = fingerprint(lines)
        if any(_alike(signature, aspect, *other) for other in known):
            continue
        known.append((signature, aspect))
        chosen.append(view)
    return chosen


def fingerprint(lines: Lines) -> tuple[NDArray[np.float32], float]:
    """A small blurred picture of the lines stretched to a square, (1024,) of unit length, and width over height."""
    low, high = lines.points.min(axis=0), lines.points.max(axis=0)
    extent = np.maximum(high - low, 1e-6)
    scaled = (lines.points - low) / extent
    strokes = [scaled[a:b] for a, b in zip(lines.offsets[:-1], lines.offsets[1:], strict=True)]
    return _picture(strokes), float(extent[0] / extent[1])


def _picture(strokes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    canvas = np.zeros((_SIDE, _SIDE), np.uint8)
    fixed = [np.rint((stroke * (_SIDE - 5) + 2) * 16).astype(np.int32) for stroke in strokes]
    cv2.polylines(canvas, fixed, False, 255, 1, cv2.LINE_AA, 4)
    blurred = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 1.2).ravel()
    return np.asarray(blurred / (np.linalg.norm(blurred) + 1e-9))


def _alike(a: NDArray[np.float32], a_aspect: float, b: NDArray[np.float32], b_aspect: float | None) -> bool:
    return float(a @ b) > _SAME and (b_aspect is None or abs(np.log(a_aspect / b_aspect)) < _SAME_ASPECT)


def _bare_shapes() -> list[NDArray[np.float32]]:
    """Outlines that tell nothing: rectangle, with round corners too, and ellipse."""
    outlines = [rounded_rectangle(1, 1, radius) for radius in (0.0, 0.1, 0.2)] + [circle(64, 0.5)]
    return [_picture([np.vstack([o, o[:1]]).astype(np.float32) + 0.5]) for o in outlines]


def _candidates(dice: Dice, *, flat: bool) -> list[View]:
    """Views in the order of preference: a perspective one, the six sides shuffled, more perspectives."""
    strength = dice.between(0.05, 0.4) if dice.chance(0.6) else 0.0
    azimuth, elevation = dice.between(-65, -25), dice.between(14, 40)
    if flat:
        return [
            View("front view", FRONT, 0),
            View("perspective view", azimuth, dice.between(5, 25), strength),
            View("another perspective view", -180 - azimuth, dice.between(-25, -5), strength),
        ]
    noun = dice.pick("view", "elevational view", "elevation view")
    plan = dice.pick("view", "plan view")
    sides = [
        View(f"front {noun}", FRONT, 0),
        View(f"rear {noun}", BACK, 0),
        View(f"left side {noun}", LEFT, 0),
        View(f"right side {noun}", RIGHT, 0),
        View(f"top {plan}", FRONT, 90),
        View(f"bottom {plan}", FRONT, -90),
    ]
    more = [
        View("rear perspective view", azimuth + 180 + dice.between(-20, 20), dice.between(10, 40), strength),
        View("bottom perspective view", azimuth + dice.between(-15, 15), dice.between(-45, -15), strength),
        View("top perspective view", -180 - azimuth, dice.between(45, 70), strength),
        View("another perspective view", dice.between(-180, 180), dice.between(-20, 10), strength),
        View("perspective view from another side", dice.between(-180, 180), dice.between(20, 60), strength),
        View("perspective view showing it lying", azimuth, dice.between(5, 30), strength, 90.0),
        View("bottom perspective view from another side", dice.between(-180, 180), dice.between(-75, -45), strength),
    ]
    # As a rule the sides come before further perspectives; now and then a second one comes early.
    order = [View("perspective view", azimuth, elevation, strength), *sides, *more]
    if dice.chance(0.4):
        order.insert(1, order.pop(7 + dice.whole(0, 1)))
    return order
