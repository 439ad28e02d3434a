"""The same design by another hand, and near designs: are they found first, in the first ten?

    python bench/hands.py --designs 500
    python bench/hands.py --designs 500 --encoder lite0-imagenet

The gallery holds one view of each synthetic design. Queries show the same view once more, by another hand: another
style (pen, shading, broken lines, scanner), lines unsteady, seen from up to 5 degrees aside, in another perspective:

- redrawn: the same design;
- proportions: every dimension off by up to a tenth, and one of them by a tenth;
- part: one part of it exchanged for a part of another design that takes its place.

Shapes alone are compared. Designs of one family may be very similar to one another; what counts is the design itself.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.encoder import Encoder, load_encoder
from patsearch.encoder.shape import compared_cosines, shape_part
from patsearch.models.mesh import Mesh
from patsearch.models.render import View, render
from patsearch.synth.design import Design, make_design, plan_design
from patsearch.synth.dice import Dice
from patsearch.synth.style import Style, ink
from patsearch.training.augment.augmentation import Augmentation, augment

SIZE = 900  # pixels of a drawing
BATCH = 32
BESIDE = 5.0  # degrees by which another hand sees the design from elsewhere
OFF = 0.1  # by which proportions differ
KINDS = ("redrawn", "proportions", "part")
# Unsteady lines, and nothing else.
UNSTEADY = replace(
    Augmentation(), mirror=0, quarter=0, tilt=2, shear=0.02, stretch=0, zoom=1, sketched=0, unhatched=0, wobbly=1,
    wobble=2.0, thicker=0, thinner=0, broken=0, erased=0, paler=0, one_bit=0, grain=0,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """A design as it is in the gallery, and as others draw it or a near one; None where a kind is not possible."""

    stored: Image.Image
    queries: dict[str, Image.Image | None]


def cases(designs: int, seed: int) -> Iterator[Case]:
    """One a design."""
    before: Mesh | None = None
    for index in range(designs):
        design = make_design(plan_design(seed, index, near_duplicates=0.0))
        rng = np.random.default_rng([seed, index, 78])
        view = design.views[int(rng.integers(len(design.views)))]
        meshes = {
            "redrawn": design.mesh,
            "proportions": off_proportions(design.mesh, rng),
            "part": exchanged(design.mesh, before, rng),
        }
        yield Case(
            drawn(design, design.mesh, view, rng),
            {kind: None if mesh is None else by_another(design, mesh, view, rng) for kind, mesh in meshes.items()},
        )
        before = design.mesh


def drawn(design: Design, mesh: Mesh, view: View, rng: np.random.Generator) -> Image.Image:
    """A drawing in a separate style."""
    style = Style.draw(Dice(rng), design.unclaimed if mesh is design.mesh else frozenset())
    return Image.fromarray(ink(render(mesh, view, size=2 * SIZE), style, SIZE, rng, margin=0.05))


def by_another(design: Design, mesh: Mesh, view: View, rng: np.random.Generator) -> Image.Image:
    """The same view as another draughtsman sees and draws it."""
    azimuth, elevation = rng.uniform(-BESIDE, BESIDE, 2)
    # Plans and elevations are drawn straight on by everybody.
    straight = view.perspective == 0 and view.elevation % 90 == 0 and view.azimuth % 90 == 0
    other = (
        view
        if straight
        else replace(
            view,
            azimuth=view.azimuth + azimuth,
            elevation=view.elevation + elevation,
            perspective=float(rng.uniform(0, 0.25)),
        )
    )
    picture = np.asarray(drawn(design, mesh, other, rng))
    side = max(picture.shape)
    square = np.full((side, side), 255, np.uint8)
    square[: picture.shape[0], : picture.shape[1]] = picture
    return Image.fromarray(augment(square, UNSTEADY, rng, size=side))


def off_proportions(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The same design, longer or shorter, wider or narrower, higher or lower."""
    factors = 1 + rng.uniform(-OFF, OFF, 3)
    factors[rng.integers(3)] = 1 + OFF * rng.choice((-1, 1))
    return Mesh.of(mesh.vertices * factors, mesh.faces, mesh.parts)


def exchanged(mesh: Mesh, other: Mesh | None, rng: np.random.Generator) -> Mesh | None:
    """One part that is neither nearly all nor hardly any of the design, with a part of another design in its place."""
    if other is None or mesh.part_count < 2:
        return None
    boxes = np.array([_box(mesh, part) for part in range(mesh.part_count)])  # (parts, 2, 3)
    whole = np.ptp(mesh.vertices, axis=0)
    extents = (np.ptp(boxes, axis=1) / np.maximum(whole, 1e-9)).max(axis=1)
    chosen = np.flatnonzero((extents > 0.15) & (extents < 0.8))
    if not len(chosen):
        return None
    part, donor = int(rng.choice(chosen)), int(rng.integers(other.part_count))
    faces = other.faces[other.parts == donor]
    points = other.vertices[faces].reshape(-1, 3)
    low, extent = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    place = (points - low) / extent * np.ptp(boxes[part], axis=0) + boxes[part][0]
    kept = mesh.parts != part
    vertices = np.concatenate([mesh.vertices, place])
    added = np.arange(len(place)).reshape(-1, 3) + len(mesh.vertices)
    parts = np.concatenate([mesh.parts[kept], np.full(len(added), part, np.int32)])
    _, numbered = np.unique(parts, return_inverse=True)
    try:
        return Mesh.of(vertices, np.concatenate([mesh.faces[kept], added]), numbered.astype(np.int32))
    except ValueError:
        return None  # a flat part stretched to no area


def _box(mesh: Mesh, part: int) -> NDArray[np.float64]:
    points = mesh.vertices[np.unique(mesh.faces[mesh.parts == part])]
    return np.stack([points.min(axis=0), points.max(axis=0)])


def measure(encoder: Encoder, found: list[Case]) -> dict[str, dict[str, float]]:
    """hit_rate@1 and @10 of each kind of query."""
    dim = encoder.card.shape_dim
    gallery = encoded(encoder, [case.stored for case in found])
    scores: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        asked = [(row, picture) for row, case in enumerate(found) if (picture := case.queries[kind]) is not None]
        vectors = encoded(encoder, [picture for _, picture in asked])
        cosines = compared_cosines(shape_part(vectors, dim), gallery, dim)  # (Q, designs)
        rows = np.array([row for row, _ in asked])
        own = cosines[np.arange(len(rows)), rows]
        ranks = (cosines > own[:, None]).sum(axis=1) + 1
        scores[kind] = {"queries": len(rows)} | {f"hit_rate@{k}": float((ranks <= k).mean()) for k in (1, 10)}
    return scores


def encoded(encoder: Encoder, images: list[Image.Image]) -> NDArray[np.float32]:
    """(N, dim)."""
    starts = range(0, len(images), BATCH)
    return np.concatenate([encoder.encode_batch(images[start : start + BATCH]) for start in starts])


def show(found: list[Case], path: Path) -> None:
    """A sheet of the first cases: as stored, redrawn, in other proportions, with another part."""
    side, rows = 220, found[:12]
    sheet = Image.new("L", (4 * side, side * len(rows)), 255)
    for row, case in enumerate(rows):
        for column, picture in enumerate([case.stored, *(case.queries[kind] for kind in KINDS)]):
            if picture is not None:
                small = picture.copy()
                small.thumbnail((side - 12, side - 12))
                sheet.paste(small, (column * side + 6, row * side + 6))
    sheet.save(path)


def main() -> None:
    """Draw, encode, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", action="append", help="several are measured on the same drawings")
    parser.add_argument("--designs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--show", type=Path, help="write a sheet of the first cases")
    arguments = parser.parse_args()
    found = list(cases(arguments.designs, arguments.seed))
    if arguments.show:
        show(found, arguments.show)
    for name in arguments.encoder or ["lite0-drawings"]:
        scores = measure(load_encoder(name, threads=2), found)
        print(json.dumps({"encoder": name, "designs": arguments.designs, "seed": arguments.seed, "scores": scores}))


if __name__ == "__main__":
    main()
