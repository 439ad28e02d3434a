"""A picture of the training input: one batch, and each augmentation alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from patsearch.files import write_output
from patsearch.training.augment.augmentation import OFF, Augmentation, alone, augment, fit
from patsearch.training.data.cache import SKETCH, VIEW, DrawingCache
from patsearch.training.data.loader import Loader
from patsearch.training.data.sampler import Sampler

Grey = NDArray[np.uint8]

_MOST_DESIGNS, _MOST_DRAWINGS, _COLUMNS = 12, 6, 6
_LARGEST = 256  # pixels of a drawing in the picture
_MARGIN, _TEXT, _GAP = 150, 14, 4
_PALE, _INK = 225, 60


def show_batch(
    cache: DrawingCache, sampler: Sampler, augmentation: Augmentation, path: Path, *, seed: int, size: int
) -> None:
    """Write a PNG: at left the first batch, at right what every augmentation does.

    The batch has one row per design with its name, class id and family; its drawings are those of step 0 in a
    training with this seed. At right the columns are drawings of the batch as the cache has them, and
    below, each row, with one augmentation as it is set, done to every drawing; those that are off say so.

    Args:
        size: at which the network sees them; larger ones are shrunk for the picture.

    Raises:
        ImageError: a drawing cannot be read, and no other can replace it.
        StorageError: the picture cannot be written; an older one stays as it was.
    """
    loader = Loader(cache, sampler, augmentation, seed=seed)
    try:
        drawings = loader.batch(0, size).drawings.numpy()
    finally:
        loader.close()
    batch = sampler.batch(0)
    count, per = len(drawings) // sampler.drawings, sampler.drawings
    rows: list[tuple[str, Sequence[Grey]]] = []
    for first in range(0, min(count, _MOST_DESIGNS) * per, per):
        record = cache.records[int(batch.designs[first])]
        kinds = [record.kinds[number] for number in batch.numbers[first : first + per].tolist()]
        shown = f"{kinds.count(VIEW)} views, {kinds.count(SKETCH)} sketches"
        text = f"{record.design}\nclass {batch.labels[first]}\n{record.family}\n{shown}"
        rows.append((text, list(drawings[first : first + per][:_MOST_DRAWINGS])))
    some = _examples(cache, sampler, size)
    effects: list[tuple[str, Sequence[Grey]]] = [("as in the cache", [fit(drawing, size) for drawing in some])]
    for name, off in OFF.items():
        value: float = getattr(augmentation, name)
        spec = alone(augmentation, name)
        changed = [augment(d, spec, np.random.default_rng([seed, i]), size=size) for i, d in enumerate(some)]
        effects.append((f"{name}\n{'off' if value == off else f'{value:g}'}", [] if value == off else changed))
    left, right = _table(rows, min(size, _LARGEST)), _table(effects, min(size, _LARGEST))
    page = Image.new("L", (left.width + right.width + 4 * _GAP, max(left.height, right.height)), 255)
    page.paste(left, (0, 0))
    page.paste(right, (left.width + 4 * _GAP, 0))
    png = io.BytesIO()
    page.save(png, "PNG")
    write_output(path, png.getvalue())


def _examples(cache: DrawingCache, sampler: Sampler, size: int) -> list[Grey]:
    """One drawing each of the designs with the most ink in a batch: effects show on detail."""
    found: list[tuple[int, Grey]] = []
    for design in sampler.designs_of_classes[: 4 * _COLUMNS].tolist():
        drawing = cache.drawing(design, 0)
        found.append((int((fit(drawing, min(size, 64)) < _PALE).sum()), drawing))
    return [drawing for _, drawing in sorted(found, key=lambda item: -item[0])[:_COLUMNS]]


def _table(rows: Sequence[tuple[str, Sequence[Grey]]], side: int) -> Image.Image:
    """Rows of drawings with a text next to each."""
    columns = max(1, *(len(drawings) for _, drawings in rows))
    font = ImageFont.load_default(_TEXT)
    height = max(side, 4 * (_TEXT + 4)) + _GAP
    page = Image.new("L", (_MARGIN + columns * (side + _GAP), len(rows) * height), 255)
    pen = ImageDraw.Draw(page)
    for i, (text, drawings) in enumerate(rows):
        top = i * height
        lines = [line[: _MARGIN // 7] for line in text.splitlines()]
        pen.multiline_text((_GAP, top + _GAP), "\n".join(lines), font=font, fill=_INK)
        for j, drawing in enumerate(drawings):
            left = _MARGIN + j * (side + _GAP)
            page.paste(Image.fromarray(fit(drawing, side)), (left, top))
            pen.rectangle((left - 1, top - 1, left + side, top + side), outline=_PALE)
    return page
