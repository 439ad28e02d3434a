from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from patsearch.training.augment.augmentation import OFF, Augmentation, alone
from patsearch.training.data.cache import SKETCH, VIEW, DrawingCache, Record, write_shard
from patsearch.training.data.loader import Loader
from patsearch.training.data.sampler import PKSampler
from patsearch.training.data.show import show_batch

SIZE = 72


@pytest.fixture
def cache(tmp_path: Path) -> DrawingCache:
    rows = np.full((15, 80, 80), 255, np.uint8)
    for i, row in enumerate(rows):
        cv2.circle(row, (40, 40), 10 + i, 0, 2)
        cv2.line(row, (10, 10 + 4 * i), (70, 10 + 4 * i), 0, 2)
    records = [Record(f"d{i}", f"g{i}", "phone", (VIEW, VIEW, SKETCH)) for i in range(5)]
    write_shard(tmp_path, 0, records, rows)
    return DrawingCache(tmp_path)


def contains(page: np.ndarray, drawing: np.ndarray) -> bool:
    """Whether a drawing is somewhere on the page, pixel for pixel."""
    scores = cv2.matchTemplate(page, drawing, cv2.TM_SQDIFF)
    top, left = np.unravel_index(scores.argmin(), scores.shape)
    return bool((page[top : top + SIZE, left : left + SIZE] == drawing).all())


def test_the_picture_shows_the_first_batch_as_it_is_trained_on(cache: DrawingCache, tmp_path: Path) -> None:
    sampler = PKSampler(cache.records, range(5), designs=3, drawings=3, seed=4)
    path = tmp_path / "batch.png"
    show_batch(cache, sampler, Augmentation(), path, seed=4, size=SIZE)
    with Image.open(path) as image:
        assert image.format == "PNG"
        page = np.asarray(image.convert("L"))
    for drawing in Loader(cache, sampler, Augmentation(), seed=4).batch(0, SIZE).drawings.numpy():
        assert contains(page, drawing)
    other = Loader(cache, sampler, Augmentation(), seed=5).batch(0, SIZE).drawings.numpy()
    assert not all(contains(page, drawing) for drawing in other)


def test_augmentations_that_are_off_have_no_drawings(cache: DrawingCache, tmp_path: Path) -> None:
    sampler = PKSampler(cache.records, range(5), designs=2, drawings=2)
    inks = []
    for spec in (Augmentation(), replace(Augmentation(), **OFF)):
        show_batch(cache, sampler, spec, tmp_path / "batch.png", seed=0, size=SIZE)
        page = np.asarray(Image.open(tmp_path / "batch.png"))
        inks.append(int((page < 100).sum()))
    assert inks[1] < inks[0] / 3


def test_every_augmentation_can_be_shown_alone() -> None:
    steers = {"wobble", "erased_side"}
    assert set(OFF) == {field.name for field in fields(Augmentation)} - steers
    spec = Augmentation(mirror=0.25, zoom=0.9, paler=0)
    for name, off in OFF.items():
        single = alone(spec, name)
        on = {other for other, value in OFF.items() if getattr(single, other) != value}
        assert on == (set() if getattr(spec, name) == off else {name})
    assert alone(spec, "mirror").mirror == 1
    assert alone(spec, "zoom").zoom == 0.9
