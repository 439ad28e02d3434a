"""Photographs of products are recognised and drawn as lines; drawings and photographed sketches are not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from makers import draw_design
from photo_makers import photo, product, sketch
from PIL import Image, ImageDraw
from scipy.io import loadmat

from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.grey import Grey
from patsearch.drawings.opening import open_image
from patsearch.drawings.product import is_photograph, product_lines
from patsearch.ingest.sources import Unit, open_source

BACKGROUNDS = ("white", "slope", "table")


def share_near(lines: Grey, drawn: Grey, reach: int = 4) -> float:
    """Share of the ink of `lines` that is near ink of `drawn`, both (H, W)."""
    near = cv2.dilate((drawn < 128).astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    ink = lines < 128
    return float(np.mean(near[ink] > 0))


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_the_lines_of_a_cube(background: str) -> None:
    lines = product_lines(product(background))
    assert lines is not None
    expected = Image.new("L", (800, 600), 255)
    pen = ImageDraw.Draw(expected)
    pen.line([(250, 220), (410, 165), (560, 210), (560, 410), (400, 480), (250, 420), (250, 220)], fill=0, width=2)
    pen.line([(250, 220), (400, 270), (560, 210)], fill=0, width=2)
    pen.line([(400, 270), (400, 480)], fill=0, width=2)
    pen.ellipse((280, 285, 370, 405), outline=0, width=2)
    alone = np.asarray(expected)[164:482, 249:562]
    drawn = np.asarray(Image.fromarray(lines).resize(alone.shape[::-1]))
    assert share_near(drawn, alone, 5) > 0.85, "lines that are not there"
    assert share_near(alone, drawn, 5) > 0.85, "lines that are missing"


def test_the_same_picture_gives_the_same_lines() -> None:
    first, second = (product_lines(product("table")) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first, second)


def test_a_photograph_is_two_figures_and_says_so() -> None:
    buffer = io.BytesIO()
    product().save(buffer, "PNG")
    document = read_figures(buffer.getvalue(), Reading(), name="cup.png")
    assert [figure.name for figure in document.figures] == ["the photograph", "its lines"]
    assert document.figures[0].image.shape == (600, 800)
    said = "cup.png: a photograph, which is searched as it is and as the lines drawn from it"
    assert document.remarks == (said,)
    lying = read_figures(buffer.getvalue(), Reading(turn=90), name="cup.png").figures
    assert [f.image.shape for f in lying] == [f.image.shape[::-1] for f in document.figures]
    part = read_figures(buffer.getvalue(), Reading(crop=(230, 150, 350, 350)), name="cup.png")
    assert [figure.name for figure in part.figures] == ["the photograph", "its lines"]
    assert len(read_figures(buffer.getvalue(), Reading(lines=False), name="cup.png").figures) == 1


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("shadow", [False, True])
def test_a_photographed_sketch_is_not_a_product(table: bool, shadow: bool) -> None:
    for seed in range(4):
        assert not is_photograph(photo(sketch(seed), table=table, shadow=shadow, seed=seed))


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
@pytest.mark.parametrize("side", [200, 600, 1500])
def test_a_drawing_is_not_a_photograph(mode: str, side: int) -> None:
    for seed in range(4):
        drawing = draw_design(seed, 0, (side, side)).convert(mode)
        assert not is_photograph(drawing)
        if mode != "1":
            assert not is_photograph(Image.fromarray(255 - np.asarray(drawing))), "white on black"


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (3, 900), (500, 400)])
def test_pictures_of_one_shade_are_not_photographs(shade: int, size: tuple[int, int]) -> None:
    assert product_lines(Image.new("L", size, shade)) is None


def test_a_picture_full_of_surfaces_still_gives_lines() -> None:
    """Nothing distinguishes a thing from its background."""
    y, x = np.mgrid[0:300, 0:400].astype(np.float32)
    waves = 128 + 60 * np.sin(x / 40) * np.cos(y / 30)
    lines = product_lines(Image.fromarray(waves.astype(np.uint8)))
    assert lines is None or lines.size


@pytest.mark.data
@pytest.mark.slow
def test_no_real_drawing_is_taken_for_a_photograph(data_dir: Path) -> None:
    def sheets() -> Iterator[tuple[str, Image.Image]]:
        for unit in open_source(data_dir / "uspto-weekly").units():
            if isinstance(unit, Unit):
                patent = unit.load()
                yield from ((f"{patent.number} {sheet.name}", open_image(sheet.data)) for sheet in patent.sheets)

    def sketches() -> Iterator[tuple[str, Image.Image]]:
        for path in sorted((data_dir / "sketch-pairs").rglob("*.mat")):
            yield from ((f"{path.name} {i}", Image.fromarray(a)) for i, a in enumerate(loadmat(path)["data"]))

    gazette = ((path.name, open_image(path)) for path in sorted((data_dir / "single-figures-2007").glob("*.png")))
    counts = []
    for pictures in (sheets(), gazette, sketches()):
        judged = [(name, is_photograph(image)) for name, image in pictures]
        assert [name for name, taken in judged if taken] == []
        counts.append(len(judged))
    assert counts == [488, 544, 1432]
