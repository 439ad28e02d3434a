"""Draw a corpus for training from free icons: one name, drawn by several hands, is one class of the cache.

    npm pack @iconify/json && tar xzf iconify-json-*.tgz
    python tools/render_icons.py --icons package --out icons --processes 2

A name ("kettle") is kept if at least `--hands` families of icon sets have it; sets of one family ("mdi", "mdi-light")
are one hand. Sets whose licence forbids commercial use, or binds what is made of them, are left out, as are logos,
flags, coloured pictures, signs of user interfaces (arrows, "align-left") and letters. Each icon is drawn black on white
and run through the package's preprocessing. Running the command again resumes a stopped run.

Needs the `train` extra and `resvg-py`; run only by developers.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
import re
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.encoder.preprocess import Preprocessing, preprocess
from patsearch.training.data.cache import VIEW, Record, shard_path, write_shard

LICENCES = frozenset(
    ("MIT", "Apache-2.0", "ISC", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "BSD-3-Clause", "Unlicense", "OFL-1.1")
)
LEFT_OUT_CATEGORIES = frozenset(("Logos", "Flags / Maps", "Programming", "Emoji"))
# Endings that name a style of drawing, not a thing.
STYLES = re.compile(
    r"-(outline|outlined|line|lined|fill|filled|solid|bold|light|thin|duotone|regular|rounded|round|sharp|twotone"
    r"|two-tone|linear|broken|bulk|alt|variant|high-contrast|\d+)(?=-|$)"
)
# Words of user interfaces: what they name is not a thing that can be drawn.
SIGNS = frozenset(
    "3g 4g 5g add alert align alpha api arrow arrows bell-off bluetooth bold border brackets branch cancel caret "
    "cell check checkmark chevron circle close cloud code column columns command control corner crop currency "
    "cursor database diamond digit doc document dollar dot dots down download drag edit equal error euro expand "
    "export external face file files filter flag flip folder folders font format gesture git grid group hand "
    "hands heading hexagon history import indent info italic language layout left letter link list loader loading "
    "logo lte man margin math menu merge minus move network notification number off on option outdent padding "
    "page paragraph people percent person plus pointer progress question quote redo refresh reload remove resize "
    "right rotate row rows search select server settings share shift sign signal sort spinner square status "
    "strikethrough subscript superscript symbol sync table text translate triangle underline undo unlink up "
    "upload user users view warning wifi woman word x zodiac zoom".split()
)
MOST_WORDS, MOST_OF_A_HAND, MOST_OF_A_NAME = 3, 2, 16
DRAWN = 320  # longer side of an icon before preprocessing, pixels
SHARD = 128  # names
SOLID, HOLLOW = 0.2, 0.75  # share of black pixels of a solid icon; share of these drawn as contours
LEAST_INK = 0.004  # share of black pixels below which a picture shows nothing


@dataclass(frozen=True)
class Job:
    """What the whole run makes; the same for every worker."""

    icons: str
    size: int
    hands: int
    seed: int


@dataclass(frozen=True)
class Icon:
    """One icon of one set: its SVG elements and their frame (left, top, width, height)."""

    collection: str
    name: str
    body: str
    frame: tuple[float, float, float, float]


def thing(name: str) -> str:
    """The name of what an icon shows: "armchair-2-outline" -> "armchair"."""
    before = ""
    while before != name:
        before, name = name, STYLES.sub("", name)
    return name


def family(collection: str) -> str:
    """Sets of one family are drawn by one hand: "material-symbols-light" -> "material"."""
    return re.split(r"-|\d", collection)[0]


def usable(collection: dict[str, Any]) -> bool:
    """Whether weights trained on a set may be published, and the set shows things in one colour."""
    return (
        collection["license"].get("spdx") in LICENCES
        and collection.get("category") not in LEFT_OUT_CATEGORIES
        and not collection.get("palette")
    )


def read_icons(job: Job) -> dict[str, list[Icon]]:
    """Icons by what they show, those of enough hands, in a fixed order."""
    folder = Path(job.icons)
    collections = json.loads((folder / "collections.json").read_text(encoding="utf-8"))
    found: dict[str, list[Icon]] = defaultdict(list)
    for prefix in sorted(name for name, about in collections.items() if usable(about)):
        content = json.loads((folder / "json" / f"{prefix}.json").read_text(encoding="utf-8"))
        width, height = content.get("width", 16), content.get("height", 16)
        for name, icon in sorted(content["icons"].items()):
            shows = thing(name)
            words = shows.split("-")
            if shows and len(words) <= MOST_WORDS and SIGNS.isdisjoint(words) and not icon.get("hidden"):
                sides = icon.get("width", width), icon.get("height", height)
                frame = (icon.get("left", 0), icon.get("top", 0), *sides)
                found[shows].append(Icon(prefix, name, icon["body"], frame))
    chosen = {shows: choose(icons, job.seed) for shows, icons in sorted(found.items())}
    return {s: icons for s, icons in chosen.items() if len({family(icon.collection) for icon in icons}) >= job.hands}


def choose(icons: list[Icon], seed: int) -> list[Icon]:
    """At most a few icons of a hand and of a name, a fair choice."""
    rng = random.Random(f"{seed}/{icons[0].name}")
    hands: dict[str, list[Icon]] = defaultdict(list)
    for icon in rng.sample(icons, len(icons)):
        if len(hands[family(icon.collection)]) < MOST_OF_A_HAND:
            hands[family(icon.collection)].append(icon)
    chosen = [icon for of_hand in hands.values() for icon in of_hand]
    return rng.sample(chosen, len(chosen))[:MOST_OF_A_NAME]


def draw(icon: Icon, spec: Preprocessing) -> NDArray[np.uint8] | None:
    """The icon as an encoder sees it, black on white; None where it is damaged or shows next to nothing."""
    from resvg_py import svg_to_bytes

    left, top, width, height = icon.frame
    scale = DRAWN / max(width, height)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" color="black" '
        f'viewBox="{left} {top} {width} {height}" width="{width * scale}" height="{height * scale}">{icon.body}</svg>'
    )
    try:
        picture = Image.open(io.BytesIO(bytes(svg_to_bytes(svg_string=svg)))).convert("RGBA")
    except (ValueError, OSError):
        return None
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    drawing = np.asarray(paper.convert("L"), np.uint8)
    if (drawing < 128).mean() <= LEAST_INK:
        return None
    made = preprocess(drawing, spec)
    solid = (made < 128).mean() > SOLID
    return hollow(made) if solid and random.Random(icon.body).random() < HOLLOW else made


def hollow(drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S) the contours of the black areas alone: a patent's drawing of a solid icon."""
    black = (drawing < 128).astype(np.uint8) * 255
    return 255 - np.asarray(cv2.morphologyEx(black, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)


def draw_shard(number: int, names: dict[str, list[Icon]], *, job: Job, out: str) -> int:
    """Draw and write one shard; the number of drawings."""
    cv2.setNumThreads(1)
    spec = Preprocessing(size=job.size)
    records, drawings = [], []
    for shows, icons in names.items():
        drawn = [drawing for icon in icons if (drawing := draw(icon, spec)) is not None]
        if len(drawn) >= job.hands:
            records.append(Record(f"icon/{shows}", f"icon:{shows}", "icon", (VIEW,) * len(drawn)))
            drawings += drawn
    stacked = np.stack(drawings) if drawings else np.empty((0, job.size, job.size), np.uint8)
    write_shard(Path(out), number, records, stacked)
    return len(drawings)


def write_attributions(job: Job, path: Path) -> int:
    """Who made the sets that take part, under which licence: a gzipped CSV file; the number of sets."""
    collections = json.loads((Path(job.icons) / "collections.json").read_text(encoding="utf-8"))
    used = sorted({icon.collection for icons in read_icons(job).values() for icon in icons})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["set", "name", "author", "licence", "source"])
    for prefix in used:
        about = collections[prefix]
        author, licence = about["author"], about["license"]
        writer.writerow([prefix, about["name"], author["name"], licence["spdx"], author.get("url", "")])
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    return len(used)


def main() -> None:
    """Draw what is still missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--icons", required=True, help="the unpacked npm package @iconify/json")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cache")
    parser.add_argument("--size", type=int, default=192, help="side of a cached drawing in pixels")
    parser.add_argument("--hands", type=int, default=3, help="families of sets that have a name, at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--attributions", type=Path, help="only write who made the sets, .csv.gz")
    arguments = vars(parser.parse_args())
    out, processes, attributions = (arguments.pop(name) for name in ("out", "processes", "attributions"))
    job = Job(**arguments)
    if attributions is not None:
        print(f"{write_attributions(job, attributions)} sets")
        return
    out.mkdir(parents=True, exist_ok=True)
    settings = out / "corpus.json"
    if settings.exists() and json.loads(settings.read_text()) != asdict(job):
        raise SystemExit(f"{out} was started with other settings, see {settings}")
    settings.write_text(json.dumps(asdict(job), indent=2) + "\n")
    names = list(read_icons(job).items())
    shards = {i: dict(names[start : start + SHARD]) for i, start in enumerate(range(0, len(names), SHARD))}
    missing = [i for i in shards if not shard_path(out, i).exists()]
    print(
        f"{sum(map(len, dict(names).values()))} icons of {len(names)} names, {len(missing)} shards to draw", flush=True
    )
    started, drawings = time.perf_counter(), 0
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        work = partial(draw_shard, job=job, out=str(out))
        for done, rows in enumerate(pool.map(work, missing, [shards[i] for i in missing]), 1):
            drawings += rows
            rate = drawings / (time.perf_counter() - started)
            print(f"{done}/{len(missing)} shards, {rate:.0f} drawings a second", flush=True)


if __name__ == "__main__":
    main()
