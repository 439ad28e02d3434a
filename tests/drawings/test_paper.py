"""The sheet of paper in a photo is found and flattened; other pictures are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from makers import draw_design
from photo_makers import paper_photo, photo, product, screenshot, sketch
from PIL import Image
from scipy.io import loadmat

from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.grey import Grey
from patsearch.drawings.opening import open_image
from patsearch.drawings.paper import find_paper, flat_paper
from patsearch.ingest.sources import Unit, open_source

PAPER = "a photo of a sheet of paper, which is searched flattened and without shadows"


def share_near(lines: Grey, drawn: Grey, reach: int) -> float:
    """Share of the ink of `lines` that is near ink of `drawn`, both (H, W)."""
    near = cv2.dilate((drawn < 128).astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return float(np.mean(near[lines < 128] > 0))


@pytest.mark.parametrize("shadow", [False, True])
@pytest.mark.parametrize("table", [40, 90, 150])
@pytest.mark.parametrize("seed", range(2))
def test_the_corners_are_found(table: float, shadow: bool, seed: int) -> None:
    data, corners = paper_photo(sketch(seed), table=table, shadow=shadow, seed=seed)
    found = find_paper(open_image(data))
    assert found is not None
    assert np.abs(found - corners).max() < 13  # a hundredth of the photo


@pytest.mark.parametrize("ruled", [False, True])
def test_the_sketch_is_seen_from_above(ruled: bool) -> None:
    drawing = sketch(3)
    data, _ = paper_photo(drawing, ruled=ruled)
    paper = flat_paper(open_image(data))
    assert paper is not None
    flat = np.asarray(Image.fromarray(paper.image).resize(drawing.size))
    expected = np.asarray(drawing)
    assert share_near(flat, expected, 14) > 0.95, "lines that are not there, as shadows and rules"
    assert share_near(expected, flat, 14) > 0.95, "lines that are missing"
    assert np.mean(flat[:40] < 255) < 0.02, "the table, or the edge of the sheet"


def test_a_document_says_what_was_made_and_can_leave_it() -> None:
    data, _ = paper_photo(sketch(1))
    document = read_figures(data, Reading(), name="photo.jpg")
    assert ([f.name for f in document.figures], document.flat) == (["the paper flattened"], True)
    assert document.remarks == (f"photo.jpg: {PAPER}",)
    for how in (Reading(flatten=False), Reading(crop=(330, 250, 600, 500))):
        document = read_figures(data, how, name="photo.jpg")
        assert not document.flat
        assert not any(PAPER in remark for remark in document.remarks)


def others() -> Iterator[tuple[str, Image.Image]]:
    """Pictures that are not photos of a sheet on another ground."""
    yield from ((f"a product, {ground}", product(ground)) for ground in ("white", "slope", "table"))
    for dark in (False, True):
        for viewer in (False, True):
            yield (
                f"a screenshot, {dark}, {viewer}",
                screenshot(draw_design(1, 0, (900, 1000)), dark=dark, viewer=viewer)[0],
            )
    for seed in range(3):
        yield f"a drawing {seed}", draw_design(seed, 0).convert("L")
        yield f"white on black {seed}", Image.fromarray(255 - np.asarray(draw_design(seed, 0).convert("L")))
        yield f"a sketch {seed}", sketch(seed)
        yield f"a photo that the sheet fills {seed}", photo(sketch(seed), seed=seed)
        framed = Image.new("L", (1400, 1400), 0)
        framed.paste(sketch(seed), (250, 300))
        yield f"a scan with black borders {seed}", framed
    yield "empty paper", Image.fromarray(np.full((700, 900), 230, np.uint8))


def test_other_pictures_are_left_alone() -> None:
    assert [name for name, image in others() if flat_paper(image) is not None] == []


def test_an_empty_sheet_on_a_table_is_not_flattened() -> None:
    data, _ = paper_photo(Image.new("L", (900, 700), 255))
    assert flat_paper(open_image(data)) is None


@pytest.mark.data
@pytest.mark.slow
def test_no_real_drawing_is_taken_for_paper(data_dir: Path) -> None:
    def pictures() -> Iterator[tuple[str, Image.Image]]:
        for unit in open_source(data_dir / "uspto-weekly").units():
            if isinstance(unit, Unit):
                patent = unit.load()
                for sheet in patent.sheets:
                    image = open_image(sheet.data).convert("L")
                    yield f"{patent.number} {sheet.name}", image
        yield from ((path.name, open_image(path)) for path in sorted((data_dir / "single-figures-2007").glob("*.png")))
        for path in sorted((data_dir / "sketch-pairs").rglob("*.mat")):
            drawn = (Image.fromarray(array).resize((512, 512)) for array in loadmat(path)["data"])
            yield from ((f"{path.name} {place}", image) for place, image in enumerate(drawn))

    judged = [(name, flat_paper(image) is not None) for name, image in pictures()]
    assert [name for name, taken in judged if taken] == []
    assert len(judged) == 488 + 544 + 1432
