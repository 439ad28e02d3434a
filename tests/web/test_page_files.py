"""What the page shows of files and lets the user change, in a real Chromium: sheets, TIFFs, PDFs, photos of paper."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from chromium import NEEDS_CHROMIUM, found, shoot, until
from makers import draw_design
from pdf_makers import pdf_bytes, scanned
from photo_makers import paper_photo
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def address(demo: Demo, start: Callable[..., str]) -> str:
    return start(demo.folder / "index")


def two_figures(first: Image.Image, second: Image.Image) -> Image.Image:
    """A sheet with FIG. 7 above FIG. 8."""
    sheet = Image.new("L", (1700, 2200), 255)
    for place, (label, drawing) in enumerate((("FIG. 7", first), ("FIG. 8", second))):
        small = drawing.copy()
        small.thumbnail((1100, 780))
        top = 130 + 1050 * place
        sheet.paste(small, (300, top))
        ImageDraw.Draw(sheet).text((760, top + 830), label, fill=0, font=ImageFont.load_default(64))
    return sheet


def choose(page: Page, file: Path) -> None:
    """Choose a file, and wait until the server has read it."""
    with page.expect_response("**/api/v1/figures"):
        page.set_input_files("#file-input", str(file))


def shown(page: Page, place: int) -> np.ndarray:
    """The picture of a figure as the page shows it."""
    source = page.get_by_test_id("figure").nth(place).locator("img").get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(str(source).partition(",")[2]))))


def searched(page: Page) -> Any:
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#search-button")
    return answered.value.json()


def crop_to(page: Page, x: int, y: int, width: int, height: int) -> None:
    for field, value in (("x", x), ("y", y), ("w", width), ("h", height)):
        page.fill(f"#crop-{field}", str(value))
        page.locator(f"#crop-{field}").press("Tab")


def test_a_tiff_is_seen_and_cropped(page: Page, demo: Demo, tmp_path: Path) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L")
    sheet = Image.new("L", (2 * sketch.width, sketch.height), 255)
    ImageDraw.Draw(sheet).rectangle((30, 30, sketch.width - 30, sketch.height - 30), fill=0)
    sheet.paste(sketch, (sketch.width, 0))
    sheet.transpose(Image.Transpose.ROTATE_90).convert("1").save(tmp_path / "sheet.tif", compression="group4")
    choose(page, tmp_path / "sheet.tif")
    page.locator(".chip img").first.wait_for()
    page.click(".chip-edit")
    assert page.locator("#crop-none").is_hidden()
    assert page.locator("#crop-w").input_value() == str(sheet.height)
    crop_to(page, 0, 0, sketch.height, sketch.width)
    page.click("#turn-right")
    shoot(page, "crop-tiff")
    page.click("#crop-apply")
    page.wait_for_selector(".chip.edited")
    answer = searched(page)
    assert answer["query"]["crop"] == [0, 0, sketch.height, sketch.width]
    assert found(page)[0] == "USD9000002"


@pytest.mark.parametrize("kind", ["tif", "pdf"])
def test_a_chosen_page_is_cropped(page: Page, demo: Demo, tmp_path: Path, kind: str) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L")
    wide = Image.new("L", (2 * sketch.width, sketch.height), 255)
    wide.paste(sketch, (0, 0))
    wide.paste(draw_design(1, 0, sketch.size), (sketch.width, 0))
    file = tmp_path / f"pages.{kind}"
    if kind == "tif":
        draw_design(3, 0).save(file, save_all=True, append_images=[wide])
    else:
        file.write_bytes(pdf_bytes([scanned(draw_design(3, 0)), scanned(wide)]))
    choose(page, file)
    page.locator(".chip-page").wait_for()
    page.click(".chip-edit")
    assert "choose a page" in page.inner_text("#crop-none")
    page.keyboard.press("Escape")
    with page.expect_response("**/api/v1/figures"):
        page.locator(".chip-page").select_option("2")
    until(page, "!document.querySelector('.chip-edit').disabled")
    page.click(".chip-edit")
    width, height = (int(page.locator(f"#crop-{side}").input_value()) for side in "wh")
    crop_to(page, 0, 0, width // 2, height)
    page.click("#crop-apply")
    page.click("#search-button")
    assert found(page)[0] == "USD9000002"


def test_figures_of_a_sheet_are_chosen_turned_and_cropped(page: Page, demo: Demo, tmp_path: Path) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L")
    two_figures(sketch, draw_design(1, 0, (1100, 780))).convert("1").save(tmp_path / "sheet.tif")
    choose(page, tmp_path / "sheet.tif")
    figures = page.get_by_test_id("figure")
    figures.first.wait_for()
    assert figures.all_inner_texts() == ["FIG. 7", "FIG. 8"]
    assert page.get_by_test_id("figures-used").inner_text() == "2 of 2 figures used"
    assert searched(page)["query"]["pictures"] == ["sheet.tif, FIG. 7", "sheet.tif, FIG. 8"]
    with page.expect_response("**/api/v1/search") as answered:
        page.get_by_role("button", name="Only FIG. 7").click()
    alone = answered.value.json()
    assert alone["query"]["pictures"] == ["sheet.tif, FIG. 7"]
    assert alone["hits"][0]["patent"] == "USD9000002"
    shoot(page, "figures")

    before = shown(page, 0)
    with page.expect_response("**/api/v1/search") as answered:
        page.get_by_role("button", name="Turn FIG. 7 of sheet.tif right").click()
    turned = answered.value.json()
    until(page, "document.querySelector('.figure.edited') !== null")
    assert np.array_equal(shown(page, 0), np.rot90(before, -1))
    assert turned["query"]["pictures"] == ["sheet.tif, FIG. 7"]
    assert turned["hits"][0]["score"] < alone["hits"][0]["score"]
    assert "right" in str(page.evaluate("document.activeElement.getAttribute('aria-label')"))

    page.get_by_role("button", name="Crop or turn FIG. 7 of sheet.tif").click()
    width, height = (int(page.locator(f"#crop-{side}").input_value()) for side in "wh")
    assert width / height == pytest.approx(before.shape[1] / before.shape[0], rel=0.02)
    assert page.inner_text("#turn-value") == "90"
    page.click("#turn-left")
    crop_to(page, 0, 0, width // 2, height)
    shoot(page, "crop-figure")
    with page.expect_response("**/api/v1/search"):
        page.click("#crop-apply")
    until(page, "document.activeElement !== null")
    half = shown(page, 0)
    assert half.shape[1] / half.shape[0] == pytest.approx(width / 2 / height, rel=0.02)

    # The picture is shown as it was searched: the whole figure, upright, finds what it found.
    page.get_by_role("button", name="Crop or turn FIG. 7 of sheet.tif").click()
    page.click("#crop-whole")
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#crop-apply")
    assert answered.value.json()["hits"][0]["score"] == alone["hits"][0]["score"]
    assert page.locator(".figure.edited").count() == 0


def test_a_large_tiff_is_seen_and_searched(page: Page, demo: Demo, tmp_path: Path) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L")
    large = Image.new("L", (5200, 5900), 255)
    large.paste(sketch.resize((3 * sketch.width, 3 * sketch.height)), (700, 900))
    large.save(tmp_path / "large.tif")
    assert (tmp_path / "large.tif").stat().st_size > 30_000_000
    choose(page, tmp_path / "large.tif")
    page.locator(".chip-picture img").wait_for()
    page.click(".chip-edit")
    assert (page.locator("#crop-w").input_value(), page.locator("#crop-h").input_value()) == ("5200", "5900")
    page.keyboard.press("Escape")
    page.click("#search-button")
    assert found(page)[0] == "USD9000002"


def test_the_paper_in_a_photo_is_flattened_or_left(page: Page, demo: Demo, tmp_path: Path) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L").resize((900, 900))
    (tmp_path / "phone.jpg").write_bytes(paper_photo(sketch)[0])
    choose(page, tmp_path / "phone.jpg")
    figures = page.get_by_test_id("figure")
    figures.first.wait_for()
    assert figures.all_inner_texts() == ["the paper flattened"]
    assert "a photo of a sheet of paper, which is searched flattened" in page.get_by_test_id("chip").inner_text()
    flat = shown(page, 0)
    assert np.mean(flat > 200) > 0.85
    shoot(page, "paper")
    answer = searched(page)
    assert (answer["query"]["pictures"], answer["query"]["flatten"]) == (["phone.jpg, the paper flattened"], True)
    assert answer["hits"][0]["patent"] == "USD9000002"
    with page.expect_response("**/api/v1/search") as answered:
        page.get_by_role("button", name="Use the photo as it is: phone.jpg").click()
    plain = answered.value.json()
    assert (plain["query"]["flatten"], plain["warnings"] == answer["warnings"]) == (False, False)
    until(page, "document.querySelector('[data-testid=figure]') === null")
    with page.expect_response("**/api/v1/search") as answered:
        page.get_by_role("button", name="Flatten the paper: phone.jpg").click()
    assert answered.value.json()["hits"] == answer["hits"]
    figures.first.wait_for()
    page.get_by_role("button", name="Crop or turn the paper flattened of phone.jpg").click()
    width, height = (int(page.locator(f"#crop-{side}").input_value()) for side in "wh")
    crop_to(page, 0, 0, width, height // 2)
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#crop-apply")
    assert answered.value.json()["hits"] != answer["hits"]
