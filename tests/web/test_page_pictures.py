"""The page in Chromium: the ways of giving pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import NEEDS_CHROMIUM, ask, draw, found, shoot, until
from makers import draw_design
from model_makers import obj, stl, stool
from pdf_makers import encrypted, pdf_bytes, scanned, text_page
from photo_makers import product, screenshot
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM


def test_a_drawing_on_the_canvas_finds_the_drawn_design(page: Page, demo: Demo) -> None:
    draw(page, demo.folder / "sketch.png")
    shoot(page, "canvas")
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#use-drawing")  # "Search at once" is on
    assert answered.value.json()["query"]["shape"] is True  # no patent is from the pen that draws here
    assert found(page)[0] == "USD9000002"


def test_undo_takes_a_line_back(page: Page, demo: Demo) -> None:
    def ink() -> int:
        return int(
            page.evaluate(
                "(() => { const c = document.querySelector('#canvas'); const d = c.getContext('2d')"
                ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
                "for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 0 && d[i] < 128) n += 1; return n; })()"
            )
        )

    draw(page, demo.folder / "sketch.png")
    before = ink()
    assert before > 1000
    page.keyboard.press("Control+z")
    after = ink()
    assert after < before
    page.keyboard.press("Control+Shift+z")
    assert ink() == before
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.click("#clear-canvas")
    assert ink() == 0
    page.click("#tool-mirror")
    axis = ink()
    page.mouse.move(box["x"] + 40, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 40, box["y"] + 300, steps=5)
    page.mouse.up()
    sides = page.evaluate(
        "(() => { const c = document.querySelector('#canvas'); const p = c.getContext('2d'); const h = c.width / 2;"
        "const n = (x) => { const d = p.getImageData(x, 0, h, c.height).data; let k = 0;"
        "for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 0 && d[i] < 128) k += 1; return k; };"
        "return [n(0), n(h)]; })()"
    )
    assert sides[0] > axis // 2 + 100
    assert abs(sides[0] - sides[1]) <= 0.05 * sides[0]


def test_an_uploaded_sketch_finds_its_design(page: Page, demo: Demo) -> None:
    patents = ask(page, demo.folder / "sketch.png")
    assert patents[0] == "USD9000002"
    assert len(patents) == 20
    words = {word.inner_text() for word in page.get_by_test_id("likeness").all()}
    assert words <= {"same drawing", "same shape", "alike", "far"}
    assert words
    shoot(page, "results")
    page.click("#show-more")
    until(page, "document.querySelectorAll('[data-testid=result]').length > 20")
    more = [str(card.get_attribute("data-patent")) for card in page.locator('[data-testid="result"]').all()]
    assert more[:20] == patents
    assert len(set(more)) == len(more) == 40


def test_an_error_is_said_in_words(page: Page, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("no picture")
    page.set_input_files("#file-input", str(tmp_path / "note.png"))
    page.click("#search-button")
    page.wait_for_selector('[data-testid="note-error"]')
    assert "note.png is not an image of a known format" in page.inner_text("#notes")


def test_a_picture_is_cropped_and_turned(page: Page, demo: Demo, tmp_path: Path) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L")
    sheet = Image.new("L", (2 * sketch.width, sketch.height), 255)
    ImageDraw.Draw(sheet).rectangle((30, 30, sketch.width - 30, sketch.height - 30), fill=0)
    sheet.paste(sketch, (sketch.width, 0))
    sheet.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "sheet.png")  # turned counter-clockwise
    page.set_input_files("#file-input", str(tmp_path / "sheet.png"))
    page.click(".chip-edit")
    for field, value in (("#crop-x", 0), ("#crop-y", 0), ("#crop-w", sketch.height), ("#crop-h", sketch.width)):
        page.fill(field, str(value))
        page.locator(field).press("Tab")
    page.click("#turn-right")
    page.click("#crop-apply")
    page.click("#search-button")
    assert found(page)[0] == "USD9000002"


def test_a_page_of_a_file_is_chosen(page: Page, demo: Demo, tmp_path: Path) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L")
    other = draw_design(1, 0, sketch.size)
    other.save(tmp_path / "pages.tif", save_all=True, append_images=[sketch])
    page.set_input_files("#file-input", str(tmp_path / "pages.tif"))
    choice = page.locator(".chip-page")
    choice.wait_for()
    options = ["All pages with drawings", "Page 1 of 2", "Page 2 of 2"]
    assert choice.locator("option").all_text_contents() == options
    choice.select_option("2")
    page.click("#search-button")
    assert found(page)[0] == "USD9000002"


def test_figures_of_a_pdf_are_shown_and_left_out(page: Page, demo: Demo, tmp_path: Path) -> None:
    sketch = Image.open(demo.folder / "sketch.png").convert("L")
    pages = [text_page(), *(scanned(draw_design(n, 0)) for n in range(3)), scanned(sketch)]
    (tmp_path / "application.pdf").write_bytes(pdf_bytes(pages))
    page.set_input_files("#file-input", str(tmp_path / "application.pdf"))
    figures = page.get_by_test_id("figure")
    figures.first.wait_for()
    assert figures.all_inner_texts() == [f"page {n}" for n in (2, 3, 4, 5)]
    assert "left out: 1 page of text (1)" in page.get_by_test_id("chip").inner_text()
    page.click("#search-button")
    every = found(page)
    for number in range(3):
        figures.nth(number).locator("input").uncheck()
    until(page, "document.querySelector('[data-testid=figures-used]').textContent === '1 of 4 figures used'")
    until(page, "document.querySelector('[data-testid=result]').dataset.patent === 'USD9000002'")
    assert found(page) != every
    shoot(page, "document")
    page.get_by_role("button", name="None of the figures").click()
    page.click("#search-button")
    page.wait_for_selector('[data-testid="note-info"]')
    assert "The query is empty" in page.inner_text("#notes")


def test_views_of_a_model_are_shown_and_left_out(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("trimesh", reason="needs trimesh: pip install 'patsearch[models]'")
    (tmp_path / "stool.obj").write_bytes(obj(stool()))
    page.set_input_files("#file-input", str(tmp_path / "stool.obj"))
    views = page.get_by_test_id("figure")
    views.first.wait_for()
    names = [f"{name} view" for name in ("perspective", "front", "back", "left side", "right side", "top", "bottom")]
    assert views.all_inner_texts() == names
    shoot(page, "model")
    front = views.nth(1).locator("img").get_attribute("src")
    page.locator(".chip-page").select_option("z")
    until(page, f"document.querySelectorAll('[data-testid=figure] img')[1]?.src.length != {len(str(front))}")
    page.get_by_role("button", name="None of the figures").click()
    views.nth(0).locator("input").check()
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#search-button")
    query = answered.value.json()["query"]
    assert (query["pictures"], query["up"]) == (["stool.obj, perspective view"], "z")


def test_a_model_is_turned(page: Page, tmp_path: Path) -> None:
    pytest.importorskip("trimesh", reason="needs trimesh: pip install 'patsearch[models]'")
    (tmp_path / "stool.stl").write_bytes(stl(stool()))
    page.set_input_files("#file-input", str(tmp_path / "stool.stl"))
    views = page.get_by_test_id("figure")
    views.first.wait_for()
    page.get_by_role("button", name="Turn stool.stl left").click()
    until(page, "document.querySelectorAll('[data-testid=figure]')[7]?.innerText === 'view from -20, 25'")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Turn stool.stl left"
    page.get_by_role("button", name="None of the figures").click()
    views.nth(7).locator("input").check()
    page.get_by_role("button", name="Turn stool.stl up").click()
    until(page, "document.querySelectorAll('[data-testid=figure]')[7]?.innerText === 'view from -20, -5'")
    shoot(page, "turned")
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#search-button")
    assert answered.value.json()["query"]["pictures"] == ["stool.stl, view from -20, -5"]


def test_the_lines_of_a_photograph_are_shown_and_left_out(page: Page, tmp_path: Path) -> None:
    product().save(tmp_path / "cube.jpg")
    page.set_input_files("#file-input", str(tmp_path / "cube.jpg"))
    figures = page.get_by_test_id("figure")
    figures.first.wait_for()
    assert figures.all_inner_texts() == ["the photograph", "its lines"]
    told = "a photograph, which is searched as it is and as the lines drawn from it"
    assert told in page.get_by_test_id("chip").inner_text()
    shoot(page, "photograph")
    figures.nth(0).locator("input").uncheck()
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#search-button")
    assert answered.value.json()["query"]["pictures"] == ["cube.jpg, its lines"]


def test_a_screenshot_is_cropped_to_its_drawing(page: Page, tmp_path: Path) -> None:
    screenshot(draw_design(2, 0, (900, 1000)))[0].save(tmp_path / "shot.png")
    page.set_input_files("#file-input", str(tmp_path / "shot.png"))
    crop = page.get_by_role("button", name="Crop shot.png to its drawing")
    crop.wait_for()
    assert "the drawing in it is at" in page.get_by_test_id("chip").inner_text()
    shoot(page, "screenshot")
    crop.click()
    page.wait_for_selector(".chip.edited")
    crop.wait_for(state="detached")
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#search-button")
    assert answered.value.json()["query"]["crop"] is not None


def test_a_file_that_cannot_be_read_says_so_before_a_search(page: Page, tmp_path: Path) -> None:
    (tmp_path / "secret.pdf").write_bytes(encrypted(pdf_bytes([text_page()])))
    page.set_input_files("#file-input", str(tmp_path / "secret.pdf"))
    page.wait_for_selector(".chip .field-error")
    assert "secret.pdf is encrypted with a password" in page.inner_text(".chip")


def test_a_search_waits_for_the_pictures_that_are_being_read(page: Page, demo: Demo) -> None:
    """Dropped and searched at once: the picture is in the query, though the browser has not decoded it yet."""
    page.evaluate(
        "() => { const decode = Image.prototype.decode;"
        " Image.prototype.decode = async function () {"
        " await new Promise((done) => setTimeout(done, 800)); return decode.call(this); }; }"
    )
    assert len(ask(page, demo.folder / "sketch.png")) > 1
