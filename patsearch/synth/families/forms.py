"""Forms that several families share: random plans, profiles, knobs, legs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from patsearch.models.mesh import Assembly, Solid, turn_z
from patsearch.synth.dice import Dice
from patsearch.synth.solids import (
    TAU,
    Curve,
    box,
    circle,
    extrude,
    fluted,
    lathe,
    polygon,
    skin,
    spline,
    superellipse,
    tube,
)


def plan(dice: Dice, n: int = 64) -> Curve:
    """A unit plan, (n, 2): round, squarish, many-sided, fluted or oval."""
    kind = dice.pick("round", "round", "squarish", "sided", "fluted", "oval")
    if kind == "squarish":
        return superellipse(dice.between(2.5, 8), n, 1.0, dice.between(0.5, 1))
    if kind == "sided":
        return polygon(dice.whole(3, 8), n)
    if kind == "fluted":
        return fluted(dice.whole(5, 16), dice.between(0.02, 0.08), max(n, 96))
    if kind == "oval":
        return circle(n, 1.0, dice.between(0.45, 0.9))
    return circle(n)


def profile(
    dice: Dice,
    height: float,
    least: float,
    most: float,
    *,
    knots: int | None = None,
    n: int = 26,
    smooth: bool | None = None,
) -> Curve:
    """A random outline of radius and height, (n, 2), from 0 up: a curve, a broken line or steps."""
    count = knots or dice.whole(3, 6)
    z = np.linspace(0, height, count)
    radius = dice.measures(least, most, count)
    if smooth is None:
        smooth = dice.chance(0.7)
    points = np.column_stack([radius, z])
    if smooth:
        curve = spline(points, n)
        curve[:, 0] = np.clip(curve[:, 0], least * 0.6, most * 1.2)
        return curve
    if dice.chance(0.5):
        return np.column_stack([np.repeat(radius[:-1], 2), np.repeat(z, 2)[1:-1]])
    return points


def radius_at(outline: Curve, z: float) -> float:
    """Radius of a profile at a height (heights ascending)."""
    return float(np.interp(z, outline[:, 1], outline[:, 0]))


def bands(assembly: Assembly, dice: Dice, section: Curve, outline: Curve, most: int = 3) -> None:
    """Raised bands around a body."""
    for _ in range(dice.whole(0, most)):
        z = dice.between(0.08, 0.85) * float(outline[-1, 1])
        radius = radius_at(outline, z)
        high = dice.between(0.02, 0.08)
        rim = [(radius * 1.02, z), (radius * 1.05, z), (radius * 1.05, z + high), (radius * 1.02, z + high)]
        assembly.add(lathe(rim, section), part="bands")


def slab(dice: Dice, width: float, depth: float, height: float) -> Solid:
    """A plate: rectangular, rounded, cushioned, elliptic or many-sided."""
    return plate(dice, width, depth, height)[0]


def plate(dice: Dice, width: float, depth: float, height: float) -> tuple[Solid, float]:
    """A plate as of `slab`, and what share of its width and depth a rectangle within it may have."""
    kind = dice.whole(0, 4)
    if kind == 0:
        return box(width, depth, height, dice.between(0, 0.1)), 1.0
    if kind == 1:
        radius = dice.between(0.1, 0.45)
        solid = box(width, depth, height, radius * min(width, depth), height * dice.between(0.05, 0.49))
        return solid, 1 - 0.6 * radius
    if kind == 2:
        power = dice.between(2, 6)
        return extrude(superellipse(power, 72, width / 2, depth / 2), height), 0.5 ** (1 / power)
    if kind == 3:
        return extrude(polygon(dice.whole(5, 8), 64, width / 2, depth / 2), height), 0.62
    power = dice.between(2, 5)
    section = superellipse(power, 72, width / 2, depth / 2)
    return lathe([(0.97, 0), (1, height * 0.3), (1, height * 0.7), (0.95, height)], section), 0.5 ** (1 / power)


def knob(dice: Dice, size: float) -> Solid:
    """A handle to pull, standing on z = 0."""
    kind = dice.whole(0, 3)
    if kind == 0:
        return lathe(profile(dice, size, 0.3 * size, 0.6 * size, smooth=False), plan(dice, 32))
    if kind == 1:
        return tube(bow([(-2 * size, 0, 0), (-1.6 * size, 0, size)], 16), 0.2 * size)
    if kind == 2:
        return box(3 * size, 0.5 * size, 0.7 * size, 0.2 * size)
    return box(size, size, size * 0.6, 0.1 * size)


def around(count: int, radius: float, start: float = 0.0) -> list[tuple[float, float, float]]:
    """`count` places on a circle: x, y, angle."""
    angles = start + np.arange(count) / count * TAU
    return [(float(radius * np.cos(a)), float(radius * np.sin(a)), float(a)) for a in angles]


def legs(
    assembly: Assembly, dice: Dice, width: float, depth: float, height: float, *, count: int = 4, inset: float = 0.08
) -> None:
    """What carries a top at z = `height`: straight, curved or sloping legs, or a column with a foot."""
    kind = dice.pick("round", "square", "curved", "sided", "column")
    thick = dice.between(0.04, 0.09) * min(width, depth, 1.0)
    splay = dice.between(0.0, 0.22) if dice.chance(0.5) else 0.0
    if kind == "column":
        _column(assembly, dice, min(width, depth), max(width, depth), height)
        return
    section = {
        "round": circle(20),
        "square": superellipse(8, 24),
        "curved": circle(20),
        "sided": polygon(dice.whole(3, 8), 24),
    }[kind]
    bow = dice.between(-0.15, 0.15) if kind == "curved" else 0.0
    taper = np.linspace(thick, thick * dice.between(0.4, 1.0), 14)
    for sx, sy, _ in around(3, 1.0) if count == 3 else corners(1.0, 1.0):
        x, y = sx * (width / 2 - inset), sy * (depth / 2 - inset)
        middle = splay * 0.5 + bow
        path = [(x, y, height), (x + sx * middle, y + sy * middle, height / 2), (x + sx * splay, y + sy * splay, 0)]
        assembly.add(tube(spline(path, 14), taper, section), part="legs")
    if count == 4 and dice.chance(0.4):
        z = height * dice.between(0.15, 0.5)
        out = splay * (1 - z / height)
        x, y = width / 2 - inset + out, depth / 2 - inset + out
        for side in (-1, 1):
            assembly.add(tube([(-x, side * y, z), (x, side * y, z)], thick * 0.5), part="rails")
        if dice.chance(0.6):
            assembly.add(tube([(0, -y, z), (0, y, z)], thick * 0.5), part="rails")


def _column(assembly: Assembly, dice: Dice, narrow: float, wide: float, height: float) -> None:
    assembly.add(lathe(profile(dice, height, 0.06, 0.14)))
    if dice.chance(0.5):
        foot = dice.between(0.36, 0.54) * narrow
        assembly.add(lathe([(foot, 0), (foot * 0.8, 0.05), (0.1, 0.12)], plan(dice)))
        return
    count, length = dice.whole(3, 5), dice.between(0.35, 0.5) * wide
    arm = spline([(0.05, 0, 0.25 * height), (length * 0.5, 0, 0.2 * height), (length, 0, 0.04)], 12)
    arm_thick = dice.between(0.025, 0.06)
    for _, _, angle in around(count, 1.0):
        assembly.add(tube(arm, arm_thick), turn_z(angle), part="foot")


Place = tuple[float, float, float]


def pair(x: float, y: float = 0.0, z: float = 0.0) -> list[Place]:
    """Two places, left and right."""
    return [(-x, y, z), (x, y, z)]


def corners(x: float, y: float, z: float = 0.0) -> list[Place]:
    """Four places, at the corners of a rectangle."""
    return [(sx * x, sy * y, z) for sx in (-1, 1) for sy in (-1, 1)]


def grid(columns: int, rows: int, pitch: tuple[float, float], centre: Place) -> list[Place]:
    """Places in rows and columns about a centre."""
    return [
        (centre[0] + (i - (columns - 1) / 2) * pitch[0], centre[1] + (j - (rows - 1) / 2) * pitch[1], centre[2])
        for i in range(columns)
        for j in range(rows)
    ]


def bow(points: ArrayLike, n: int, *, across: int = 0) -> Curve:
    """A curve (n, 3) through points (k, 3) and on through their mirror images: a bail, a grip.

    Args:
        across: the axis along which the second half is mirrored.
    """
    half = np.asarray(points, np.float64)
    other = half[::-1].copy()
    other[:, across] *= -1
    return spline(np.vstack([half, other]), n)


def sweep(section: Curve, path: Iterable[tuple[float, float, float]], thick: float) -> Solid:
    """A bar along x: at each (x, width, z) of the path, the section that wide and `thick` high."""
    n = len(section)
    return skin([np.column_stack([np.full(n, x), section[:, 0] * w, section[:, 1] * thick + z]) for x, w, z in path])
