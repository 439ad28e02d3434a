"""Pairs of synthetic designs of which it is known which views answer each other, and which part differs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.grey import Grey
from patsearch.models.mesh import Mesh
from patsearch.models.render import View as Camera
from patsearch.models.render import render
from patsearch.synth.design import Design, make_design, plan_design
from patsearch.synth.style import Style, ink


@dataclass(frozen=True)
class Twins:
    """Two drawings of each view, by other hands: of a design, and of one in slightly other proportions."""

    names: tuple[str, ...]
    first: tuple[Grey, ...]
    second: tuple[Grey, ...]


def twins(seed: int, index: int, *, size: int = 480) -> Twins:
    """A design and a near duplicate, seen from the same sides; perspective views from a few degrees off."""
    plan = plan_design(seed, index, near_duplicates=0)
    design = make_design(plan)
    other = make_design(replace(plan, index=100_000 + index, near_duplicate_of=index))
    rng = np.random.default_rng([seed, index])
    cameras = [
        replace(one, azimuth=one.azimuth + turn, elevation=one.elevation + turn / 2) if not one.flat else one
        for one, turn in ((one, rng.uniform(-8, 8)) for one in design.views)
    ]
    return Twins(
        tuple(one.name for one in design.views),
        tuple(drawn(design.mesh, one, rng, size) for one in design.views),
        tuple(drawn(other.mesh, one, rng, size) for one in cameras),
    )


def drawn(mesh: Mesh, camera: Camera, rng: np.random.Generator, size: int = 480) -> Grey:
    """A drawing with an unsteady or heavy or light hand, without shading."""
    style = Style(width=rng.uniform(0.9, 2.2), contour=rng.uniform(1.0, 2.6), wobble=rng.choice([0.0, 0.3]))
    return ink(render(mesh, camera, size=3 * size), style, size, rng, margin=rng.uniform(0.03, 0.1))


def without(design: Design, part: int) -> Mesh:
    """The object without one of its parts."""
    kept = design.mesh.parts != part
    parts = design.mesh.parts[kept]
    return Mesh.of(design.mesh.vertices, design.mesh.faces[kept], np.where(parts > part, parts - 1, parts))


def lines_of(mesh: Mesh, camera: Camera, part: int, size: int = 480, margin: float = 0.06) -> NDArray[np.bool_]:
    """(size, size) bool: the lines of one part, where `ink` with this margin draws them."""
    lines = render(mesh, camera, size=3 * size)
    kept = [i for i, one in enumerate(lines.parts) if int(one) == part]
    canvas = np.zeros((size, size), bool)
    width, height = lines.size
    factor = size * (1 - 2 * margin) / max(width, height)
    strokes = list(lines.strokes())
    for i in kept:
        at = strokes[i] * factor + ((size - width * factor) / 2, (size - height * factor) / 2)
        steps = np.linspace(0, len(at) - 1, 8 * len(at))
        dense = np.stack([np.interp(steps, np.arange(len(at)), at[:, axis]) for axis in (0, 1)], axis=1)
        rows = np.clip(np.rint(dense).astype(int), 0, size - 1)
        canvas[rows[:, 1], rows[:, 0]] = True
    return canvas
