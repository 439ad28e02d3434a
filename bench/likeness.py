"""From which cosine on two drawings are called "same drawing", "same shape" or "alike": quantiles of known pairs.

    python bench/likeness.py DEVELOPMENT --encoder lite0-drawings
    python bench/likeness.py DEVELOPMENT --write patsearch/encoder/weights/lite0-drawings.json

DEVELOPMENT is a folder of grants, such as the weekly archives of the USPTO that the encoder was developed with. Shapes
alone are compared, where the encoder distinguishes drawing styles: a copy by another scanner has another style. Pairs:

- copy: a drawing of DEVELOPMENT or of the synthetic corpus, and the same one shrunk, turned by up to a degree and
  compressed, half of them in black and white;
- hand: one view of a synthetic design, drawn in two styles;
- views: two figures of one patent of DEVELOPMENT;
- far: figures of two patents of DEVELOPMENT without a common main class, and of two synthetic designs of two families.

"same drawing" begins where 95 % of the copies are above, "same shape" where 75 % of the pairs of two hands are, "alike"
where 0.1 % of the far pairs is; what is below is "far". Among a thousand patents the ten closest of those that have
nothing in common are the closest 1 %: that share would call most of a first page "alike".
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings import split_sheet
from patsearch.drawings.opening import open_image
from patsearch.encoder import Encoder, load_encoder
from patsearch.encoder.shape import compared_cosines, shape_part
from patsearch.ingest.sources import SourceOptions, Unit, open_source
from patsearch.models.render import render
from patsearch.synth.design import make_design, plan_design
from patsearch.synth.dice import Dice
from patsearch.synth.families import Family
from patsearch.synth.style import Style, ink
from patsearch.types import Patent

Vectors = NDArray[np.float32]
SIZE = 900  # pixels of a synthetic drawing; below 512 the style is never compared
VIEWS = 2  # of each synthetic design
BATCH = 32
QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


def figures_of(patent: Patent) -> Iterator[Image.Image]:
    """The figures of a patent, as ingest cuts them for an encoder that looks at windows."""
    for sheet in patent.sheets:
        if not sheet.front_page:
            split = split_sheet(open_image(sheet.data, name=sheet.name), longest=None)
            yield from (Image.fromarray(figure.image) for figure in split.figures)


def copied(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The same drawing as another file: smaller, a little turned, compressed, cut off at a threshold."""
    longest = max(image.size)
    share = max(rng.uniform(0.6, 0.9), min(1.0, 640 / longest))
    size = round(image.width * share), round(image.height * share)
    small = image.convert("L").resize(size, Image.Resampling.LANCZOS)
    turned = small.rotate(rng.uniform(-1, 1), Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=int(rng.integers(50, 90)))
    again = Image.open(buffer).convert("L")
    return again.point(lambda value: 255 * (value > 160)) if rng.random() < 0.5 else again


def two_hands(seed: int, index: int) -> tuple[Family, list[tuple[Image.Image, Image.Image]]]:
    """The family of a synthetic design, and some of its views in two styles each."""
    design = make_design(plan_design(seed, index, near_duplicates=0.0))
    rng = np.random.default_rng([seed, index, 77])
    dice = Dice(rng)
    drawn = []
    for view in design.views[:VIEWS]:
        lines = render(design.mesh, view, size=2 * SIZE)
        one, other = (ink(lines, Style.draw(dice, design.unclaimed), SIZE, rng, margin=0.05) for _ in range(2))
        drawn.append((Image.fromarray(one), Image.fromarray(other)))
    return design.plan.family, drawn


def encoded(encoder: Encoder, images: list[Image.Image]) -> Vectors:
    """(N, dim)."""
    starts = range(0, len(images), BATCH)
    return np.concatenate([encoder.encode_batch(images[start : start + BATCH]) for start in starts])


class Pairs:
    """The cosines of the kinds of pairs."""

    def __init__(self, dim: int | None) -> None:
        self._dim = dim
        self.cosines: dict[str, list[float]] = {}

    def add(self, kind: str, query: Vectors, stored: Vectors, wanted: NDArray[np.bool_]) -> None:
        """(V, dim) and (N, dim) vectors, and which of the pairs (V, N) are of this kind."""
        cosines = compared_cosines(shape_part(query, self._dim), stored, self._dim)
        self.cosines.setdefault(kind, []).extend(cosines[wanted].tolist())


def measure(encoder: Encoder, development: Path, designs: int, seed: int) -> Pairs:
    """All pairs."""
    rng = np.random.default_rng(seed)
    pairs = Pairs(encoder.card.shape_dim)
    images, owner, classes = [], [], []
    for unit in open_source(development, options=SourceOptions()).units():
        if isinstance(unit, Unit):
            patent = unit.load()
            mains = {(code.scheme, code.ancestors[0]) for code in patent.classes}
            for image in figures_of(patent):
                images.append(image)
                owner.append(patent.number)
                classes.append(mains)
    vectors = encoded(encoder, images)
    same = np.array(owner)[:, None] == np.array(owner)[None, :]
    apart = np.array([[not mine & theirs for theirs in classes] for mine in classes])
    own = np.eye(len(images), dtype=bool)
    pairs.add("copy", encoded(encoder, [copied(image, rng) for image in images]), vectors, own)
    pairs.add("views", vectors, vectors, same & ~own)
    pairs.add("far", vectors, vectors, apart & ~same)
    families, ones, others = [], [], []
    for index in range(designs):
        family, drawn = two_hands(seed, index)
        families += [family] * len(drawn)
        ones += [one for one, _ in drawn]
        others += [other for _, other in drawn]
    first, second = encoded(encoder, ones), encoded(encoder, others)
    own = np.eye(len(ones), dtype=bool)
    pairs.add("copy", encoded(encoder, [copied(image, rng) for image in ones]), first, own)
    pairs.add("hand", first, second, own)
    pairs.add("far", first, second, np.array(families)[:, None] != np.array(families)[None, :])
    return pairs


def thresholds(cosines: dict[str, list[float]]) -> dict[str, float]:
    """Where the words begin, rounded to hundredths."""
    kinds = {"same_drawing": ("copy", 0.05), "same_shape": ("hand", 0.25), "alike": ("far", 0.999)}
    return {word: round(float(np.quantile(cosines[kind], share)), 2) for word, (kind, share) in kinds.items()}


def main() -> None:
    """Measure, print, and write the card where that is requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("development", type=Path)
    parser.add_argument("--encoder", default="lite0-drawings")
    parser.add_argument("--designs", type=int, default=300, help="synthetic designs")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--write", type=Path, help="the card that gets the thresholds")
    arguments = parser.parse_args()
    encoder = load_encoder(arguments.encoder, threads=2)
    cosines = measure(encoder, arguments.development, arguments.designs, arguments.seed).cosines
    begin = thresholds(cosines)
    for kind, found in cosines.items():
        print(f"{kind:6}{len(found):9,}  " + "  ".join(f"{q:g}: {np.quantile(found, q):.3f}" for q in QUANTILES))
    for kind, found in cosines.items():
        shares = {word: 100 * float((np.array(found) >= least).mean()) for word, least in begin.items()}
        print(f"{kind:6}" + ", ".join(f"{word} or closer {share:.2f} %" for word, share in shares.items()))
    print(json.dumps(begin))
    if arguments.write:
        card = json.loads(arguments.write.read_text(encoding="utf-8"))
        command = f"python bench/likeness.py DEVELOPMENT --designs {arguments.designs} --seed {arguments.seed}"
        measured = f"Synthetic corpus and {arguments.development.name}: {command}"
        card["likeness"] = begin | {"measured": measured}
        arguments.write.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
