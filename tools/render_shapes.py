"""Draw a corpus for training: a pack of free 3D shapes and the synthetic families, as a cache of drawings.

    python tools/render_shapes.py --shapes ../shapes --designs 3000 --out cache --processes 2

Every design gets views as a design patent shows them, each in its own style, and free-hand sketches
of some of these views; all are run through the package's preprocessing. Running the command again resumes
a stopped run. Same seed and arguments, same drawings.

The pack is a folder with `shapes.csv`, arrays, and `load.py`, their reader: `Pack(folder)` whose item i is
vertices (V, 3) float32 with z up, faces (F, 3) int32 and the part of each face (F,) int32.

Needs the `synth` and `train` extras; run only by developers.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import io
import json
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.encoder.preprocess import Preprocessing, densest_windows, preprocess
from patsearch.models.ink import POINTS
from patsearch.models.mesh import Mesh
from patsearch.models.render import Lines, View, render
from patsearch.synth.design import make_design, plan_design
from patsearch.synth.dice import Dice
from patsearch.synth.sketch import sketch_lines
from patsearch.synth.style import Style, ink
from patsearch.synth.views import choose_views
from patsearch.training.data.cache import SKETCH, VIEW, DrawingCache, Record, shard_path, write_shard
from workshop.figures import enlarged
from workshop.ornament import decorate

# Files and sources of the pack that weights under a permissive licence must not be trained on.
LEFT_OUT_FILES = ("sharealike_kicad.npz",)
LEFT_OUT_SOURCES = ("clvrai-furniture",)
MOST_FACES = 60_000
SHARD = 48  # designs
FEWEST_VIEWS = 2
LINES, FINE_LINES = 560, 840  # longer side of the depth buffer, pixels; of drawings for windows
DRAWN = (420, 720)  # side of a drawing before preprocessing, pixels
LARGEST, SMALLEST = (560, 860), 260  # the same, where the figures of a page share a scale
MOST_SMALLER = 3.5
# Where windows are cut out, drawings are made as large as a sheet at 300 dpi, and lines have this many pixels.
SHEET, PEN = (700, 1900), (1.1, 5.5)
DITHERED = 0.6  # share of the scanners that know black and white alone
LEAST_INK = 1.5  # mean of a window that is kept, of 255


@dataclass(frozen=True)
class Job:
    """What the whole run makes; the same for every worker."""

    shapes: str
    designs: int
    per_group: int
    views: int
    sketches: int
    size: int
    seed: int
    one_hand: float = 0.0
    unclaimed: float = 0.2
    ornaments: float = 0.0
    bare: float = 0.0
    details: float = 0.0
    page_pen: float = 0.0
    one_bit: float = 0.0
    windows: int = 0
    most: int = 0


@dataclass(frozen=True)
class Item:
    """A design to draw: row `index` of the pack, or design `index` of the synthetic corpus."""

    source: str
    index: int
    group: str


def read_rows(job: Job) -> list[dict[str, str]]:
    """The pack's table, in its order."""
    return list(load_pack(job.shapes).rows) if job.shapes else []


@lru_cache(maxsize=1)
def load_pack(folder: str) -> Any:
    """The pack without the files left out."""
    spec = importlib.util.spec_from_file_location("shape_pack", Path(folder) / "load.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} has no load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = tuple(p.name for p in sorted(Path(folder).glob("*.npz")) if p.name not in LEFT_OUT_FILES)
    return module.Pack(folder, files=kept)


def plan(job: Job) -> list[Item]:
    """All designs in a fixed random order: any part of the corpus is a fair sample of it."""
    order = np.random.default_rng([job.seed, 1])
    rows = read_rows(job)
    items, taken = [], dict[str, int]()
    for index in order.permutation(len(rows)).tolist():
        row = rows[index]
        group = row["near_duplicate_group"]
        usable = row["source"] not in LEFT_OUT_SOURCES and int(row["faces"]) <= MOST_FACES
        if usable and taken.get(group, 0) < job.per_group:
            taken[group] = taken.get(group, 0) + 1
            items.append(Item("shape", index, f"shape:{group}"))
    items += [Item("synth", index, f"synth:{index}") for index in range(job.designs)]
    return [items[i] for i in order.permutation(len(items))][: job.most or None]


def build(job: Job, item: Item, rng: np.random.Generator) -> tuple[str, str, Mesh, list[View]] | None:
    """Name, family, mesh and views of a design; None where it shows too little."""
    dice = Dice(rng)
    if item.source == "synth":
        design = make_design(plan_design(job.seed, item.index, near_duplicates=0.0))
        mesh = decorate(design.mesh, dice) if dice.chance(job.ornaments / 2) else design.mesh
        return f"synth/{job.seed}/{item.index}", design.family.name, mesh, list(design.views)[: job.views]
    pack = load_pack(job.shapes)
    vertices, faces, parts = pack[item.index]
    try:
        mesh = Mesh.of(vertices.astype(np.float64), faces.astype(np.int64), parts)
    except ValueError:
        return None
    row = pack.rows[item.index]
    if dice.chance(job.ornaments):
        mesh = decorate(mesh, dice)
    views = choose_views(mesh, dice, count=job.views, bare=dice.chance(job.bare))
    return (row["id"], row["source"], mesh, views) if len(views) >= FEWEST_VIEWS else None


def draw(job: Job, item: Item) -> tuple[Record, list[NDArray[np.uint8]]] | None:
    """All drawings of a design, preprocessed: views first, then sketches."""
    seed = int.from_bytes(blake2b(f"{item.source}/{item.index}".encode(), digest_size=6).digest())
    rng = np.random.default_rng([job.seed, 2, seed])
    built = build(job, item, rng)
    if built is None:
        return None
    name, family, mesh, views = built
    dice = Dice(rng)
    spec = Preprocessing(size=job.size)
    unclaimed = frozenset[int]()
    if mesh.part_count > 1 and dice.chance(job.unclaimed):
        some = np.flatnonzero(rng.random(mesh.part_count) < 0.35)
        unclaimed = frozenset(some.tolist()) if len(some) < mesh.part_count else unclaimed
    rendered = [render(mesh, view, size=FINE_LINES if job.windows else LINES) for view in views]
    drawings = []
    # In a patent all drawings come from one hand; which of them do is kept, for training to respect it.
    hand = None
    if job.one_hand and dice.chance(job.one_hand):
        hand = Style.draw(dice, unclaimed, for_sheet=dice.chance(0.9))
    page = None
    if hand is not None and dice.chance(job.page_pen):
        page = Page.on_sheet(rendered, hand, dice) if job.windows else Page.of(rendered, dice)
    scanner = Scanner.of(dice, one_bit=job.one_bit, rough=bool(job.windows))
    for lines in rendered:
        # Half of them with the thin lines of a sheet at 300 dpi.
        style = Style.draw(dice, unclaimed, for_sheet=dice.chance(0.5)) if hand is None else same_hand(hand, dice)
        # Grain belongs to training's augmentations: trimming and thickening would make a grey page of it.
        style = replace(style, grain=0.0)
        if page is not None:
            smaller = page.smaller(lines, dice)
            style, size = enlarged(style, smaller, pen=page.finer), max(SMALLEST, int(page.side / smaller))
        else:
            size = int(rng.integers(*(SHEET if job.windows else DRAWN), endpoint=True))
        drawing = ink(lines, style, size, rng)
        if job.windows:
            windows = densest_windows(drawing, job.windows, job.size)
            drawings += [scanner.scan(window, rng) for window in windows if 255 - window.mean() > LEAST_INK]
            continue
        drawing = scanner.scan(drawing, rng)
        if job.details and dice.chance(job.details):
            drawing = detail(drawing, rng)
        drawings.append(preprocess(drawing, spec))
    views_drawn = len(drawings)
    for i in rng.choice(len(views), min(job.sketches, len(views)), replace=False):
        drawings.append(preprocess(sketch_lines(rendered[i], rng, size=DRAWN[0]), spec))
    kinds = [VIEW] * views_drawn + [SKETCH] * (len(drawings) - views_drawn)
    return Record(name, item.group, family, tuple(kinds), hand=hand is not None), drawings


@dataclass(frozen=True)
class Scanner:
    """What turns paper into pixels: drawings of one patent come from one, which most often knows black and white alone.

    Many sheets of the offices are dithered, not cut off at a threshold: their lines have rows of dots for edges, and
    pale lines are dots alone.

    Attributes:
        threshold: below it is black; None for grey.
        blur: standard deviation in pixels, before the threshold.
        noise: standard deviation in grey levels, before the threshold: how ragged edges are.
        dithered: greys become dots (Floyd and Steinberg, An adaptive algorithm for spatial greyscale, 1976) instead of
            the threshold.
        strength: 0 to 1, of the ink.
    """

    threshold: int | None
    blur: float = 0.0
    noise: float = 0.0
    dithered: bool = False
    strength: float = 1.0

    @classmethod
    def of(cls, dice: Dice, *, one_bit: float, rough: bool) -> Scanner:
        if not dice.chance(one_bit):
            return cls(None)
        if not rough:
            return cls(dice.whole(90, 170))
        threshold = dice.whole(110, 190)
        blur = dice.between(0.3, 0.9) if dice.chance(0.5) else 0.0
        if dice.chance(DITHERED):
            strength = dice.between(0.35, 1.0) if dice.chance(0.6) else 1.0
            noise = dice.between(5, 40) if dice.chance(0.3) else 0.0
            return cls(threshold, blur, noise, dithered=True, strength=strength)
        return cls(threshold, blur, dice.between(15, 70) if dice.chance(0.6) else 0.0)

    def scan(self, drawing: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        if self.threshold is None:
            return drawing
        seen = drawing.astype(np.float32)
        if self.blur:
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), self.blur), np.float32)
        if self.noise:  # near lines alone: specks on paper are noise of another kind
            seen += self.noise * rng.standard_normal(seen.shape, dtype=np.float32) * (seen < 250)
        if self.dithered:
            grey = np.clip(255 - self.strength * (255 - seen), 0, 255).astype(np.uint8)
            dots = Image.fromarray(grey).convert("1", dither=Image.Dither.FLOYDSTEINBERG)
            return np.asarray(dots.convert("L"), np.uint8)
        return np.where(seen < self.threshold, np.uint8(0), np.uint8(255))


@dataclass(frozen=True)
class Page:
    """Figures of one design on paper: most at one scale, so that lines as wide on paper are not as wide in a figure.

    Attributes:
        largest: longer side of the largest figure, in units of the object.
        side: of that figure, pixels.
        finer: than a style's are the lines of that figure, by this factor.
    """

    largest: float
    side: int
    finer: float

    @classmethod
    def of(cls, rendered: list[Lines], dice: Dice) -> Page:
        return cls(
            max(max(lines.size) / lines.scale for lines in rendered), dice.whole(*LARGEST), dice.between(0.6, 1.0)
        )

    @classmethod
    def on_sheet(cls, rendered: list[Lines], hand: Style, dice: Dice) -> Page:
        """A page at 300 dpi, on which lines are as wide as a real pen's for figures of any size."""
        page = cls.of(rendered, dice)
        side = dice.whole(*SHEET)
        pen = PEN[0] * (PEN[1] / PEN[0]) ** dice.rng.random()
        return replace(page, side=side, finer=pen * POINTS / (side * hand.width))

    def smaller(self, lines: Lines, dice: Dice) -> float:
        """By which factor a figure is smaller than the largest; small ones are sometimes drawn larger."""
        factor = min(MOST_SMALLER, self.largest * lines.scale / max(lines.size))
        return factor ** dice.between(0.0, 1.0) if dice.chance(0.3) else factor


def detail(drawing: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """An enlarged part of a drawing, about a point with ink; the drawing itself if none is found."""
    ink_at = np.argwhere(drawing < 128)
    side = int(len(drawing) * rng.uniform(0.3, 0.55))
    for y, x in ink_at[rng.integers(len(ink_at), size=4)] if len(ink_at) else ():
        top, left = (int(np.clip(v - side // 2, 0, len(drawing) - side)) for v in (y, x))
        part = drawing[top : top + side, left : left + side]
        if (part < 128).mean() > 0.4 * (drawing < 128).mean():
            return np.ascontiguousarray(part)
    return drawing


def same_hand(hand: Style, dice: Dice) -> Style:
    """The style once more, as the same draughtsman would use it for the next figure."""
    factor = dice.between(0.92, 1.09)
    return replace(
        hand,
        width=hand.width * factor,
        contour=hand.contour * factor,
        hatching=hand.hatching if dice.chance(0.85) else "none",
        hatch_angle=hand.hatch_angle + dice.between(-0.15, 0.15),
    )


def draw_shard(number: int, items: list[Item], *, job: Job, out: str) -> tuple[int, int, int]:
    """Draw and write one shard; its number, designs and drawings."""
    cv2.setNumThreads(1)
    drawn = [made for item in items if (made := draw(job, item)) is not None]
    rows = [drawing for _, drawings in drawn for drawing in drawings]
    stacked = np.stack(rows) if rows else np.empty((0, job.size, job.size), np.uint8)
    write_shard(Path(out), number, [record for record, _ in drawn], stacked)
    return number, len(drawn), len(rows)


def write_attributions(job: Job, cache: DrawingCache, path: Path) -> int:
    """Who made the shapes of a cache, under which licence: a gzipped CSV file; the number of shapes."""
    drawn = {record.design for record in cache.records}
    rows = sorted((row for row in read_rows(job) if row["id"] in drawn), key=lambda row: row["id"])
    text = io.StringIO()
    writer = csv.DictWriter(text, ["id", "name", "author", "source", "licence"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    return len(rows)


def main() -> None:
    """Draw what is still missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--shapes", default="", help="folder of the shape pack; without it, synthetic families alone")
    parser.add_argument("--per-group", type=int, default=1, help="shapes of one group of near duplicates, at most")
    parser.add_argument("--designs", type=int, default=3000, help="designs of the synthetic families")
    parser.add_argument("--views", type=int, default=6, help="drawings a design, at most")
    parser.add_argument("--sketches", type=int, default=2, help="sketches a design, at most")
    parser.add_argument("--size", type=int, default=192, help="side of a cached drawing in pixels")
    parser.add_argument("--one-hand", type=float, default=0.0, help="share of designs drawn in one style")
    parser.add_argument("--unclaimed", type=float, default=0.2, help="share of designs with broken lines")
    parser.add_argument("--ornaments", type=float, default=0.0, help="share of shapes with details on flat sides")
    parser.add_argument("--bare", type=float, default=0.0, help="share of shapes whose bare sides are shown too")
    parser.add_argument("--details", type=float, default=0.0, help="share of drawings that show an enlarged part")
    parser.add_argument("--page-pen", type=float, default=0.0, help="of one hand: share with a style per page")
    parser.add_argument("--one-bit", type=float, default=0.0, help="share of designs in black and white alone")
    parser.add_argument(
        "--windows", type=int, default=0, help="densest windows of each drawing at 300 dpi, instead of the drawing"
    )
    parser.add_argument("--most", type=int, default=0, help="designs drawn at most, a fair choice of all; 0 for all")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--attributions", type=Path, help="only write who made the shapes drawn so far, .csv.gz")
    arguments = vars(parser.parse_args())
    out, processes, attributions = (arguments.pop(name) for name in ("out", "processes", "attributions"))
    job = Job(**arguments)
    if attributions is not None:
        print(f"{write_attributions(job, DrawingCache(out), attributions)} shapes")
        return
    out.mkdir(parents=True, exist_ok=True)
    settings = out / "corpus.json"
    if settings.exists() and json.loads(settings.read_text()) != asdict(job):
        raise SystemExit(f"{out} was started with other settings, see {settings}")
    settings.write_text(json.dumps(asdict(job), indent=2) + "\n")
    items = plan(job)
    shards = {i: items[start : start + SHARD] for i, start in enumerate(range(0, len(items), SHARD))}
    missing = [i for i in shards if not shard_path(out, i).exists()]
    print(f"{len(items)} designs in {len(shards)} shards, {len(missing)} to draw", flush=True)
    started, drawings = time.perf_counter(), 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        work = partial(draw_shard, job=job, out=str(out))
        for done, (number, _, rows) in enumerate(pool.map(work, missing, [shards[i] for i in missing]), 1):
            drawings += rows
            rate = drawings / (time.perf_counter() - started)
            print(f"shard {number}: {done}/{len(missing)}, {rate:.0f} drawings a second", flush=True)


if __name__ == "__main__":
    main()
