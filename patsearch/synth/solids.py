"""The shapes that families are built of: sections, profiles, and what is swept along them.

A section is a closed plane curve, (n, 2); a path is an open or closed curve in space, (n, 3); a
profile is (n, 2) radius and height, from below to above.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patsearch.errors import PluginError
from patsearch.models.mesh import Solid

try:
    import mapbox_earcut
except ImportError as error:
    raise PluginError(
        "The synthetic drawings need mapbox-earcut, which is not installed.", hint="Run: pip install 'patsearch[synth]'"
    ) from error

Curve = NDArray[np.float64]

TAU = 2 * np.pi
_EIGHTH_PROFILE = np.linspace(0, np.pi / 2, 6)


def circle(n: int = 64, a: float = 1.0, b: float | None = None) -> Curve:
    """Ellipse with the half axes a and b."""
    return superellipse(2.0, n, a, a if b is None else b)


def superellipse(power: float, n: int = 64, a: float = 1.0, b: float = 1.0) -> Curve:
    """|x/a|^power + |y/b|^power = 1: an ellipse at 2, almost a rectangle at 8."""
    angle = np.arange(n) / n * TAU
    c, s = np.cos(angle), np.sin(angle)
    exponent = 2.0 / power
    return np.column_stack([a * np.sign(c) * np.abs(c) ** exponent, b * np.sign(s) * np.abs(s) ** exponent])


def polygon(sides: int, n: int = 64, a: float = 1.0, b: float = 1.0) -> Curve:
    """Regular polygon, its corners on the ellipse (a, b); `n` is rounded up so that corners are points of the curve."""
    each = -(-n // sides)
    angle = np.arange(sides * each) / (sides * each) * TAU
    half = np.pi / sides
    radius = np.cos(half) / np.cos(angle % (2 * half) - half)
    return np.column_stack([a * radius * np.cos(angle), b * radius * np.sin(angle)])


def fluted(lobes: int, depth: float, n: int = 96) -> Curve:
    """Circle whose radius swings by `depth` in `lobes` waves."""
    angle = np.arange(n) / n * TAU
    radius = 1 + depth * np.cos(lobes * angle)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def rounded_rectangle(width: float, depth: float, radius: float, n: int = 40) -> Curve:
    """Rectangle about the origin with round corners; sharp ones at radius 0."""
    if radius <= 0:
        x, y = width / 2, depth / 2
        return np.array([[x, y], [-x, y], [-x, -y], [x, -y]])
    radius = min(radius, width * 0.4995, depth * 0.4995)
    quarter = np.linspace(0, np.pi / 2, max(3, n // 4))
    x, y = width / 2 - radius, depth / 2 - radius
    corners = [(x, y, 0.0), (-x, y, 0.25), (-x, -y, 0.5), (x, -y, 0.75)]
    return np.concatenate(
        [
            np.column_stack([cx + radius * np.cos(quarter + t * TAU), cy + radius * np.sin(quarter + t * TAU)])
            for cx, cy, t in corners
        ]
    )


def spline(points: ArrayLike, n: int = 24) -> Curve:
    """Catmull-Rom curve through the points (k, d), resampled to (n, d)."""
    p = np.asarray(points, np.float64)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, len(p) - 3 - 1e-9, n)
    i = t.astype(int)
    u = (t - i)[:, None]
    p0, p1, p2, p3 = p[i], p[i + 1], p[i + 2], p[i + 3]
    return np.asarray(
        0.5 * (2 * p1 + (p2 - p0) * u + (2 * p0 - 5 * p1 + 4 * p2 - p3) * u**2 + (3 * (p1 - p2) + p3 - p0) * u**3)
    )


def skin(sections: ArrayLike | Sequence[Curve], *, cap: bool = True, closed: bool = False) -> Solid:
    """Surface through closed sections in space, (k, n, 3); the ends capped, or joined when `closed`."""
    s = np.asarray(sections, np.float64)
    k, n, _ = s.shape
    i, j = np.meshgrid(np.arange(k if closed else k - 1), np.arange(n), indexing="ij")
    i1, j1 = (i + 1) % k, (j + 1) % n
    a, b, c, d = ((u * n + v).ravel() for u, v in ((i, j), (i1, j), (i1, j1), (i, j1)))
    vertices = s.reshape(-1, 3)
    faces = [np.column_stack([a, c, b]), np.column_stack([a, d, c])]
    if cap and not closed:
        vertices = np.vstack([vertices, s[0].mean(axis=0), s[-1].mean(axis=0)])
        first, last = np.arange(n), np.arange(n) + (k - 1) * n
        faces.append(np.column_stack([np.full(n, k * n), np.roll(first, -1), first]))
        faces.append(np.column_stack([np.full(n, k * n + 1), last, np.roll(last, -1)]))
    return Solid(vertices, np.concatenate(faces).astype(np.int64))


def lathe(
    profile: ArrayLike | Sequence[tuple[float, float]],
    section: Curve | None = None,
    *,
    n: int = 64,
    twist: float = 0.0,
    cap: bool = True,
) -> Solid:
    """A profile (k, 2) of radius and height turned about z; with a section, a vessel of that plan.

    Args:
        section: unit plan of the body, (n, 2); a circle without.
        twist: radians by which the plan turns from the lowest to the highest point.
    """
    plan = circle(n) if section is None else section
    p = np.asarray(profile, np.float64)
    height = p[:, 1]
    span = float(np.ptp(height)) or 1.0
    rings = []
    for radius, z in p:
        angle = twist * (z - height.min()) / span
        c, s = np.cos(angle), np.sin(angle)
        turned = plan @ np.array([[c, s], [-s, c]]) * max(radius, 1e-4)
        rings.append(np.column_stack([turned, np.full(len(plan), z)]))
    return skin(rings, cap=cap)


def tube(
    path: ArrayLike | Sequence[tuple[float, float, float]],
    radius: float | NDArray[np.float64],
    section: Curve | None = None,
    *,
    n: int = 14,
    closed: bool = False,
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Solid:
    """A section swept along a path, its first axis kept as near to `up` as the path allows."""
    p = np.asarray(path, np.float64)
    plan = circle(n) if section is None else section
    direction = np.roll(p, -1, 0) - np.roll(p, 1, 0) if closed else np.gradient(p, axis=0)
    direction /= np.linalg.norm(direction, axis=1)[:, None] + 1e-12
    v = np.array(up)
    if abs(v @ direction[0]) > 0.95:
        v = np.array([1.0, 0.0, 0.0])
    frames = []
    for d in direction:
        v = v - (v @ d) * d
        v /= np.linalg.norm(v) + 1e-12
        frames.append(v)
    # Carried once around, the section comes back turned: undo that little by little.
    turned = _angle_about(direction[0], v, frames[0]) if closed else 0.0
    rings = []
    for i, (point, d, r) in enumerate(zip(p, direction, np.broadcast_to(radius, (len(p),)), strict=True)):
        angle = turned * i / len(p)
        first = np.cos(angle) * frames[i] + np.sin(angle) * np.cross(d, frames[i])
        rings.append(point + r * (plan[:, :1] * first + plan[:, 1:2] * np.cross(d, first)))
    return skin(rings, closed=closed)


def _angle_about(axis: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]) -> float:
    """Radians by which `start`, laid into the plane across the axis, must turn about it to reach `end`."""
    flat = start - (start @ axis) * axis
    return float(np.arctan2(np.cross(flat, end) @ axis, flat @ end))


def extrude(outline: ArrayLike, height: float, holes: Iterable[Curve] = (), z: float = 0.0) -> Solid:
    """A plane figure (n, 2), with holes, drawn up from z by `height`."""
    curves = [np.asarray(outline, np.float64), *(np.asarray(hole, np.float64) for hole in holes)]
    flat = np.concatenate(curves)
    ends = np.cumsum([len(curve) for curve in curves]).astype(np.uint32)
    lid = np.asarray(mapbox_earcut.triangulate_float64(flat, ends)).reshape(-1, 3).astype(np.int64)
    n = len(flat)
    vertices = np.vstack([np.column_stack([flat, np.full(n, z)]), np.column_stack([flat, np.full(n, z + height)])])
    faces = [lid[:, ::-1], lid + n]
    start = 0
    for curve in curves:
        j = np.arange(len(curve)) + start
        j1 = np.roll(j, -1)
        faces += [np.column_stack([j, j1, j1 + n]), np.column_stack([j, j1 + n, j + n])]
        start += len(curve)
    return Solid(vertices, np.concatenate(faces))


def box(width: float, depth: float, height: float, radius: float = 0.0, bevel: float = 0.0, *, n: int = 40) -> Solid:
    """Box centred in plan, on z = 0: `radius` rounds its upright edges, `bevel` those of top and bottom."""
    if bevel <= 0:
        return extrude(rounded_rectangle(width, depth, radius, n), height)
    plan = rounded_rectangle(width, depth, max(radius, 1e-4), n)
    bevel = min(bevel, height * 0.495, width * 0.45, depth * 0.45)
    lower = [(bevel * (1 - np.sin(t)), bevel * (1 - np.cos(t))) for t in _EIGHTH_PROFILE]
    rings = []
    for inset, z in lower + [(inset, height - z) for inset, z in reversed(lower)]:
        factor = np.array([1 - 2 * inset / width, 1 - 2 * inset / depth])
        rings.append(np.column_stack([plan * factor, np.full(len(plan), z)]))
    return skin(rings)


def cylinder(radius: float, height: float, top: float | None = None, *, n: int = 48) -> Solid:
    """Cylinder standing on z = 0; a cone's stump when `top` names the upper radius."""
    return lathe([(radius, 0), (radius if top is None else top, height)], n=n)


def ball(radius: float, stretch: float = 1.0, *, n: int = 32, rings: int = 18) -> Solid:
    """Sphere about the origin, stretched along z."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings)
    return lathe(np.column_stack([radius * np.cos(angle), radius * stretch * np.sin(angle)]), n=n)


def torus(radius: float, thickness: float, section: Curve | None = None, *, n: int = 48, m: int = 14) -> Solid:
    """Ring about z."""
    angle = np.arange(n) / n * TAU
    path = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(n)])
    return tube(path, thickness, section, n=m, closed=True)
