"""How often a photograph of a product finds drawings of its design, with and without the lines made of it.

    python bench/photos.py SHAPES [--designs 100] [--others 200] [--json FILE]

There are no free photographs of patented products with their drawings, so photographs are made: shaded, coloured
renderings of held-out shapes with a studio's light, a background (white, a gradient, a textured table), a shadow, noise
and JPEG. The gallery is that of `bench/models.py`: line drawings of each shape in another style and from other
directions. The query is read as `patsearch query` reads it.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path

import cv2
import numpy as np
from models import Shape, Vectors, drawn_gallery, hit_rates
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.grey import Grey
from patsearch.encoder import load_encoder
from patsearch.encoder.shape import shape_part
from patsearch.engine.query import encode_figures
from patsearch.models import _kernels
from patsearch.models.mesh import Mesh
from patsearch.models.render import View, project

SIDE = 700  # pixels of the thing in its photograph
FINER = 2  # it is shaded at, for smooth edges
Floats = NDArray[np.float32]


def photograph(shape: Shape, rng: np.random.Generator) -> bytes:
    """A JPEG picture of a shape in perspective."""
    mesh = Mesh.of(*shape)
    view = View("photograph", float(rng.uniform(-140, -40)), float(rng.uniform(10, 40)), 0.25)
    colour, mask = _shaded(mesh, view, rng)
    height, width = mask.shape
    top, bottom, left, right = (round(float(rng.uniform(0.08, 0.35)) * max(height, width)) for _ in range(4))
    colour = np.pad(colour, ((top, bottom), (left, right), (0, 0)))
    mask = np.pad(mask, ((top, bottom), (left, right)))
    ground = _background(mask.shape, rng) * _shadow(mask, rng)[..., None]
    picture = colour * mask[..., None] + ground * (1 - mask[..., None])
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 1.2))), np.float64)
    picture = blurred * rng.uniform(0.9, 1.1, 3) + rng.normal(0, rng.uniform(1, 5), blurred.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=int(rng.integers(70, 93)))
    return buffer.getvalue()


def _shaded(mesh: Mesh, view: View, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(H, W, 3) colours of a lit mesh, and (H, W) how much of each pixel it covers."""
    points, normals, width, height, _ = project(mesh, view, FINER * SIDE)
    _, seen, _ = _kernels.raster(points, mesh.faces, width, height, 2e-3)
    light = np.array([rng.uniform(-0.8, 0.8), rng.uniform(0.2, 0.9), 0.8])
    light /= np.linalg.norm(light)
    towards = normals * np.where(normals[:, 2:] < 0, -1.0, 1.0)
    diffuse = np.clip(towards @ light, 0, 1)
    half = light + np.array([0, 0, 1.0])
    gloss = np.clip(towards @ (half / np.linalg.norm(half)), 0, 1) ** float(rng.uniform(8, 60))
    paints = rng.uniform(40, 230, (mesh.part_count, 3))
    if rng.random() < 0.5:  # of one material
        paints[:] = paints[0] + rng.normal(0, 12, (mesh.part_count, 3))
    lit = paints[mesh.parts] * (0.3 + 0.65 * diffuse[:, None]) + 90 * rng.random() * gloss[:, None]
    table = np.vstack([lit, np.zeros((1, 3))]).astype(np.float32)
    size = (round(width / FINER), round(height / FINER))
    colours = cv2.resize(table[seen], size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize((seen >= 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(colours / np.maximum(mask, 1e-3)[..., None], np.float32), np.asarray(mask, np.float32)


def _background(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """(H, W, 3): white paper, a gradient, or a textured table before a wall."""
    height, width = shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    kind = rng.integers(3)
    if kind == 0:
        return np.full((height, width, 3), 255, np.float32)
    colour = rng.uniform(120, 240, 3).astype(np.float32)
    slope = 1 + rng.uniform(-0.3, 0.3) * (x / width - 0.5) + rng.uniform(-0.4, 0.4) * (y / height - 0.5)
    ground = colour * slope[..., None]
    if kind == 2:
        grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 12, sigmaY=1.5)
        grain *= rng.uniform(3, 8) / grain.std()
        table = np.clip((y - rng.uniform(0.3, 0.6) * height) / 4, 0, 1)
        ground = ground * (1 - 0.25 * table[..., None]) + (grain * table)[..., None]
    return np.asarray(ground, np.float32)


def _shadow(mask: Floats, rng: np.random.Generator) -> Floats:
    """(H, W) light that is left on the ground."""
    moved = np.array([[1, 0, rng.uniform(-0.05, 0.05) * mask.shape[1]], [0, 1, 0.04 * mask.shape[0]]])
    cast = cv2.warpAffine(mask, moved, mask.shape[::-1])
    return np.asarray(1 - rng.uniform(0.1, 0.45) * cv2.GaussianBlur(cast, (0, 0), 0.03 * max(mask.shape)), np.float32)


def place(figures: Vectors, gallery: list[Vectors], own: int) -> int:
    """The rank of a design by the closest drawing to any of the figures."""
    scores = np.array([(drawings @ figures.T).max() for drawings in gallery])
    return int((scores > scores[own]).sum()) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", type=Path)
    parser.add_argument("--designs", type=int, default=100)
    parser.add_argument("--others", type=int, default=200)
    parser.add_argument("--encoder", default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    encoder = load_encoder(options.encoder) if options.encoder else load_encoder()
    dim = encoder.card.shape_dim

    def encode(pictures: list[Grey]) -> Vectors:
        return shape_part(encode_figures(encoder, [pictures]).vectors, dim)

    shapes, gallery = drawn_gallery(encoder, options.shapes, options.seed, options.designs, options.others)
    print(f"{len(shapes)} photographs, {len(gallery)} designs, {sum(map(len, gallery))} drawings", flush=True)
    ranks: dict[str, list[int]] = {"photograph": [], "lines": [], "both": []}
    seconds = recognised = 0.0
    for own, (_, shape) in enumerate(shapes):
        data = photograph(shape, np.random.default_rng([options.seed, own, 7]))
        start = time.perf_counter()
        figures = [figure.image for figure in read_figures(data, Reading(), name="photograph").figures]
        seconds += time.perf_counter() - start
        recognised += len(figures) == 2
        vectors = encode(figures if len(figures) == 2 else figures[:1] * 2)
        for name, part in zip(ranks, (vectors[:1], vectors[1:], vectors), strict=True):
            ranks[name].append(place(part, gallery, own))
    results = {name: hit_rates(found) for name, found in ranks.items()}
    print(f"recognised {recognised / len(shapes):.3f}, read in {seconds / len(shapes):.2f} s")
    for name, found in results.items():
        print(f"{name}: {found}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
