"""The drawing in a screenshot is found; other pictures have none to propose."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from makers import draw_design
from photo_makers import photo, product, screenshot, sketch
from PIL import Image

from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.opening import open_image
from patsearch.drawings.product import is_photograph
from patsearch.drawings.screenshot import drawing_in_screenshot
from patsearch.ingest.sources import Unit, open_source


@pytest.mark.parametrize("viewer", [False, True])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_drawing_is_found(viewer: bool, dark: bool, seed: int) -> None:
    image, (left, top, right, bottom) = screenshot(draw_design(seed, 0, (900, 1000)), dark=dark, viewer=viewer)
    assert not is_photograph(image)
    crop = drawing_in_screenshot(image)
    assert crop is not None
    x, y, width, height = crop
    assert x <= left + 2
    assert y <= top + 2
    assert x + width >= right - 2
    assert y + height >= bottom - 2
    assert width * height < 1.35 * (right - left) * (bottom - top)


def test_it_is_proposed_and_not_done() -> None:
    buffer = io.BytesIO()
    image, _ = screenshot(draw_design(1, 0, (900, 1000)))
    image.save(buffer, "PNG")
    document = read_figures(buffer.getvalue(), Reading(), name="shot.png")
    assert document.crop == drawing_in_screenshot(image)
    at = ",".join(map(str, document.crop or ()))
    told = f"shot.png: a screenshot, which is searched whole; the drawing in it is at {at}: crop it to that"
    assert document.remarks == (told,)
    cropped = read_figures(buffer.getvalue(), Reading(crop=document.crop), name="shot.png")
    assert (cropped.crop, cropped.remarks) == (None, ())


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_other_pictures_have_none(mode: str) -> None:
    drawings = [draw_design(seed, 0, (side, side)) for seed in range(3) for side in (200, 700, 1500)]
    for image in (*drawings, sketch(), photo(sketch(), table=True), product(), Image.new("L", (800, 600), 255)):
        assert drawing_in_screenshot(image.convert(mode)) is None


@pytest.mark.data
@pytest.mark.slow
def test_real_drawings_have_none(data_dir: Path) -> None:
    def sheets() -> Iterator[Image.Image]:
        for unit in open_source(data_dir / "uspto-weekly").units():
            if isinstance(unit, Unit):
                for sheet in unit.load().sheets:
                    grey = open_image(sheet.data).convert("L")
                    grey.thumbnail((1400, 1400))
                    yield grey

    gazette = [open_image(path) for path in sorted((data_dir / "single-figures-2007").glob("*.png"))]
    assert len(gazette) == 544
    assert all(drawing_in_screenshot(image) is None for image in (*gazette, *sheets()))
