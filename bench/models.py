"""How often a 3D model finds its own design: files of held-out shapes against drawings of them by other hands.

    python bench/models.py SHAPES [--designs 200] [--others 300] [--kinds stl obj glb] [--json FILE]

SHAPES is a folder with `load.py`, as tools/render_shapes.py takes it. Shapes are those of groups that the shipped
encoder was not trained on. Each design is in the gallery with 5 to 8 views in a random style for all of them, at the
size of a sheet at 300 dpi, as is each of `--others`, which are only there to be found instead. The query is the file of
a design, read and drawn as `patsearch query` does. Scores compare shapes alone; with 200 queries 0.01 is two of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.document import Reading, read_figures
from patsearch.encoder import Encoder, load_encoder
from patsearch.encoder.shape import shape_part
from patsearch.engine.query import by_page, encode_figures
from patsearch.models.mesh import Mesh
from patsearch.models.render import render
from patsearch.synth.dice import Dice
from patsearch.synth.style import Style, ink
from patsearch.synth.views import choose_views
from patsearch.training.data.splits import hash_share

HELD_OUT = 0.06  # as `split_designs` holds out
MOST_FACES = 60_000  # as tools/render_shapes.py
SIDES = (700, 1500)  # pixels of a drawing of the gallery
FINE = 1400  # of its depth buffer
Vectors = NDArray[np.float32]
Shape = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int32]]


def held_out(folder: Path, seed: int) -> Iterator[tuple[str, Shape]]:
    """Name, vertices, faces and parts of one shape of each held-out group, in random order."""
    spec = importlib.util.spec_from_file_location("shape_pack", folder / "load.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} has no load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pack = module.Pack(str(folder))
    seen: set[str] = set()
    for index in np.random.default_rng(seed).permutation(len(pack.rows)).tolist():
        row = pack.rows[index]
        group = row["near_duplicate_group"]
        if int(row["faces"]) <= MOST_FACES and group not in seen and hash_share(f"shape:{group}") < HELD_OUT:
            seen.add(group)
            vertices, faces, parts = pack[index]
            yield row["id"], (vertices.astype(np.float64), faces.astype(np.int64), parts)


def drawn(shape: Shape, rng: np.random.Generator) -> list[Image.Image]:
    """Views of a shape as a draughtsman shows them; none where there are too few."""
    try:
        mesh = Mesh.of(*shape)
    except ValueError:
        return []
    dice = Dice(rng)
    views = choose_views(mesh, dice, count=dice.whole(5, 8), bare=True)
    style = Style.draw(dice, for_sheet=True)
    rendered = (render(mesh, view, size=FINE) for view in views if len(views) > 1)
    return [Image.fromarray(ink(lines, style, int(rng.integers(*SIDES)), rng)) for lines in rendered]


def written(shape: Shape, kind: str) -> bytes:
    """The shape as a file; y is up in those kinds where it usually is."""
    import trimesh

    vertices = shape[0] if kind == "stl" else np.stack([shape[0][:, 0], shape[0][:, 2], -shape[0][:, 1]], axis=1)
    data = trimesh.Trimesh(vertices, shape[1], process=False).export(file_type=kind)
    return data.encode() if isinstance(data, str) else bytes(data)


class Asking:
    """Queries, encoded once where files of several kinds are drawn the same."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[bytes, Vectors] = {}

    def views(self, data: bytes) -> Vectors:
        """(views, dim)."""
        pictures = by_page(read_figures(data, Reading(), name="model").figures)
        new = [view for view in pictures if view[0].tobytes() not in self._known]
        if new:
            vectors = encode_figures(self._encoder, new).vectors
            self._known |= zip((view[0].tobytes() for view in new), vectors, strict=True)
        return np.stack([self._known[view[0].tobytes()] for view in pictures])


def place(query: Vectors, gallery: list[Vectors], own: int) -> int:
    """The rank of a design: by the mean over the query's views of the closest drawing."""
    scores = np.array([(drawings @ query.T).max(axis=0).mean() for drawings in gallery])
    return int((scores > scores[own]).sum()) + 1


def drawn_gallery(
    encoder: Encoder, folder: Path, seed: int, designs: int, others: int
) -> tuple[list[tuple[str, Shape]], list[Vectors]]:
    """The first held-out shapes with their names, and the shape vectors of the drawings of these and others."""
    shapes: list[tuple[str, Shape]] = []
    gallery: list[Vectors] = []
    for name, shape in held_out(folder, seed):
        images = drawn(shape, np.random.default_rng([seed, len(gallery)]))
        if images:
            gallery.append(shape_part(encoder.encode_batch(images), encoder.card.shape_dim))
            shapes += [(name, shape)] * (len(shapes) < designs)
        if len(gallery) == designs + others:
            break
    return shapes, gallery


def hit_rates(ranks: list[int]) -> dict[str, float]:
    return {f"hit_rate@{k}": float((np.asarray(ranks) <= k).mean()) for k in (1, 10)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", type=Path)
    parser.add_argument("--designs", type=int, default=200)
    parser.add_argument("--others", type=int, default=300)
    parser.add_argument("--kinds", nargs="+", default=["stl", "obj", "glb"])
    parser.add_argument("--encoder", default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    encoder = load_encoder(options.encoder) if options.encoder else load_encoder()
    dim = encoder.card.shape_dim
    shapes, gallery = drawn_gallery(encoder, options.shapes, options.seed, options.designs, options.others)
    print(f"{len(shapes)} designs among {len(gallery)}, {sum(map(len, gallery))} drawings", flush=True)
    asking = Asking(encoder)
    results = {}
    for kind in options.kinds:
        start, ranks = time.perf_counter(), []
        for own, (_, shape) in enumerate(shapes):
            ranks.append(place(shape_part(asking.views(written(shape, kind)), dim), gallery, own))
        results[kind] = hit_rates(ranks)
        seconds = (time.perf_counter() - start) / len(shapes)
        print(f"{kind}: {results[kind]}, {seconds:.2f} s a model", flush=True)
        print(f"  not first: {[(shapes[i][0], ranks[i]) for i in np.flatnonzero(np.asarray(ranks) > 1)]}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
