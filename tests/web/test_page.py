"""The page in a real Chromium, over a real server and the demo corpus.

Screenshots go to the folder that PATSEARCH_SCREENSHOTS names; those of the documentation are made by

    PATSEARCH_SCREENSHOTS=docs/images/web pytest tests/web/test_page.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from chromium import NEEDS_CHROMIUM, Scheme, ask, done, found, opened, shoot, until
from makers import draw_design, week
from model_makers import obj, stl, stool
from pdf_makers import encrypted, pdf_bytes, scanned, text_page
from photo_makers import product, screenshot
from PIL import Image, ImageDraw
from web_makers import HOSTILE_TITLE, TOKEN, png

from patsearch.bibliography import Bibliography, Citation, Party, Related
from patsearch.engine import open_index
from patsearch.ingest import IngestOptions, ingest
from patsearch.types import Patent

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Browser, Dialog, Page, Route

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def address(demo: Demo, start: Callable[..., str]) -> str:
    return start(demo.folder / "index")


def strokes(sketch: Path, width: float, height: float) -> list[list[tuple[float, float]]]:
    """Lines to draw with a pen, in a box of that size, so that they look like the picture."""
    grey = cv2.imread(str(sketch), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    lines, _ = cv2.findContours((grey < 128).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    scale = 0.85 * min(width / grey.shape[1], height / grey.shape[0])
    drawn = []
    for line in lines:
        if len(line) > 40:
            points = cv2.approxPolyDP(line, 2.0, True)[:, 0].astype(float) * scale + (0.07 * width, 0.07 * height)
            drawn.append([(float(x), float(y)) for x, y in [*points, points[0]]])
    return drawn


def draw(page: Page, sketch: Path) -> None:
    page.click("#draw-toggle")
    page.wait_for_timeout(300)
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    for line in strokes(sketch, box["width"], box["height"]):
        page.mouse.move(box["x"] + line[0][0], box["y"] + line[0][1])
        page.mouse.down()
        for x, y in line[1:]:
            page.mouse.move(box["x"] + x, box["y"] + y)
        page.mouse.up()


def test_a_drawing_on_the_canvas_finds_the_drawn_design(page: Page, demo: Demo) -> None:
    draw(page, demo.folder / "sketch.png")
    shoot(page, "canvas")
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#use-drawing")  # "Search at once" is on
    assert answered.value.json()["query"]["shape"] is True  # no patent is from the pen that draws here
    assert found(page)[0] == "USD9000002"
    shoot(page, "drawn")


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


def test_filters_narrow(page: Page, demo: Demo) -> None:
    before = ask(page, demo.folder / "sketch.png")
    page.locator("#tree-uspc label", has_text="D7").first.click()
    until(page, "document.querySelectorAll('[data-testid=result]').length < 20")
    narrowed = found(page)
    assert 0 < len(narrowed) < len(before)
    for card in page.locator('[data-testid="result"]').all():
        assert "D7/" in str(card.inner_text())
    shoot(page, "filters")
    # A card's figure is text; the query's figures have boxes.
    border = page.locator(".facts .figure").first.evaluate("shown => getComputedStyle(shown).borderTopWidth")
    assert border == "0px"
    page.fill("#title-words", "pan")
    until(page, f"document.querySelectorAll('[data-testid=result]').length < {len(narrowed)}")
    assert all("Pan" in card.inner_text() for card in done(page).all())
    page.locator(".filter-chip").first.click()
    page.wait_for_timeout(800)
    assert len(page.locator(".filter-chip").all()) == 1
    assert page.locator("#warnings").is_hidden()
    page.fill("#title-words", "zebra")
    until(page, "!document.getElementById('warnings').hidden")
    assert "No drawing of this index matches title~zebra" in page.locator("#warnings").inner_text()


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, start: Callable[..., str]) -> str:
    """A server over twelve designs of three owners; USD900002 cites two of them, and its owner's name is markup."""
    folder = tmp_path_factory.mktemp("described")
    ingest([week(folder / "w", range(12))], folder / "index", IngestOptions(workers=1))
    with open_index(folder / "index", read_only=False) as engine:
        for n in range(12):
            owners = (Party(["NIKE, Inc.", 'The "Made Up" Co., Ltd.', HOSTILE_TITLE][n % 3], "US"),)
            cited = (Citation("USD900005", "examiner"), Citation("USD900007", "applicant"), Citation("GB2071234"))
            known = Bibliography(
                owners=owners,
                inventors=(Party("Ada Möller", "DE"),),
                citations=(*cited, Citation("", "examiner", "A catalogue of chairs")) if n == 2 else (),
                related=(Related("division", "29736593", date(2015, 3, 4)),) if n == 2 else (),
                years=15 if n < 9 else 1,
                disclaimer=n == 2,
                status="granted",
            )
            engine.backend.amend([Patent(f"USD{900000 + n}", bibliography=known)])
    return start(folder / "index")


def test_owners_and_the_switch_narrow(browser: Browser, described: str, tmp_path: Path) -> None:
    (sketch := tmp_path / "sketch.png").write_bytes(png(draw_design(2, 0)))
    for page in opened(browser, described, width=1280, height=1400):
        assert len(ask(page, sketch)) == 12
        owners = page.locator('[data-testid="owners"] label')
        assert [owner.inner_text().split("\n")[0].strip() for owner in owners.all()] == [
            "NIKE, Inc.",
            HOSTILE_TITLE,
            'The "Made Up" Co., Ltd.',
        ]
        assert [count.inner_text() for count in page.locator('[data-testid="owners"] .count').all()] == ["4"] * 3
        assert page.locator('[data-testid="in-force-count"]').inner_text() == "9"
        page.check("#in-force")
        until(page, "document.querySelectorAll('[data-testid=result]').length === 9")
        owners.filter(has_text="Made Up").click()
        until(page, "document.querySelectorAll('[data-testid=result]').length === 3")
        owners.filter(has_text="NIKE").click()
        until(page, "document.querySelectorAll('[data-testid=result]').length === 6")
        shoot(page, "owners", whole=True)
        assert {card.inner_text() for card in page.locator('[data-testid="owner"]').all()} == {
            "NIKE, Inc.", 'The "Made Up" Co., Ltd.',
        }  # fmt: skip
        (said,) = page.locator("#warnings li").all()
        assert "15 years from grant" in said.inner_text()
        page.click("#clear-filters")
        until(page, "document.querySelectorAll('[data-testid=result]').length === 12")
        assert not page.is_checked("#in-force")
        page.fill("#owner-words", "made co")
        until(page, "document.querySelectorAll('[data-testid=result]').length === 4")


def test_a_patent_shows_who_owns_it_and_what_it_cites(browser: Browser, described: str, tmp_path: Path) -> None:
    (sketch := tmp_path / "sketch.png").write_bytes(png(draw_design(2, 0)))
    for page in opened(browser, described, width=1280, height=1000):
        assert ask(page, sketch)[0] == "USD900002"
        page.locator('[data-testid="open-patent"]').first.click()
        page.wait_for_selector('[data-testid="bibliography"]')
        text = page.locator('[data-testid="bibliography"]').inner_text()
        for part in (HOSTILE_TITLE, "Ada Möller (DE)", "US: 2021-01-05 to 2036-01-05", "disclaimer may end it earlier",
                     "division 29736593 2015-03-04", "granted"):  # fmt: skip
            assert part in text
        page.locator('[data-testid="citations"] summary').click()
        cited = page.locator('[data-testid="citations"]').inner_text()
        for part in (
            "Cites 3 patents",
            "By the examiner",
            "USD900005",
            "A catalogue of chairs",
            "USD900007",
            "GB2071234",
        ):
            assert part in cited
        shoot(page, "bibliography")
        page.click('[data-testid="cited-here"]')
        until(page, "document.querySelectorAll('[data-testid=result]').length === 2")
        assert set(found(page)) == {"USD900005", "USD900007"}
        page.locator('[data-testid="open-patent"]').first.click()
        page.wait_for_selector('[data-testid="citing-here"]')
        assert page.locator('[data-testid="cited-here"]').count() == 0
        page.locator(".filter-chip")
        page.keyboard.press("Escape")
        page.locator(".filter-chip").first.click()
        until(page, "document.querySelectorAll('[data-testid=result]').length === 12")
        page.locator('[data-patent="USD900007"] [data-testid="open-patent"]').click()
        page.click('[data-testid="citing-here"]')
        until(page, "document.querySelectorAll('[data-testid=result]').length === 1")
        assert found(page) == ["USD900002"]


def test_marks_change_the_order(page: Page, demo: Demo) -> None:
    before = ask(page, demo.folder / "sketch.png")
    cards = page.locator('[data-testid="result"]')
    cards.nth(7).locator('[data-testid="relevant"]').click()
    cards.nth(1).locator('[data-testid="irrelevant"]').click()
    page.click("#search-again")
    shown = "[...document.querySelectorAll('[data-testid=result]')].map(card => card.dataset.patent).join()"
    until(page, f"document.querySelector('#results').dataset.state === 'done' && {shown} !== '{','.join(before)}'")
    after = found(page)
    assert after != before
    assert after.index(before[7]) < 7
    marked = page.locator(f'[data-patent="{before[7]}"]').first
    assert marked.get_attribute("data-marked") == "relevant"


def test_why_it_matched_is_shown_on_both(page: Page, demo: Demo) -> None:
    ask(page, demo.folder / "sketch.png")
    page.locator('[data-testid="why"]').first.click()
    page.wait_for_selector('[data-testid="heat"]')
    page.wait_for_timeout(500)
    assert page.locator('[data-testid="heat"]').count() == 2
    shoot(page, "explanation")
    page.uncheck("#heat-on")
    assert not page.locator('[data-testid="heat"]').first.is_visible()


def test_a_patent_shows_all_its_drawings(page: Page, demo: Demo) -> None:
    ask(page, demo.folder / "sketch.png")
    page.locator('[data-testid="open-patent"]').first.click()
    page.wait_for_selector('[data-testid="pick-drawing"]')
    assert page.locator('[data-testid="pick-drawing"]').count() == 7
    shoot(page, "patent")


def test_the_report_downloads_and_opens(page: Page, demo: Demo, tmp_path: Path, browser: Browser) -> None:
    ask(page, demo.folder / "sketch.png")
    for button, name, start in (("#report-html", "r.html", b"<!doctype html>"), ("#report-pdf", "r.pdf", b"%PDF-")):
        with page.expect_download() as download:
            page.click(button)
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    report = browser.new_page(viewport={"width": 1100, "height": 900})
    report.goto((tmp_path / "r.html").as_uri())
    assert report.locator("li img").count() > 20
    assert "USD9000002" in report.inner_text("body")
    shoot(report, "report")
    report.close()


def test_a_saved_search_opens_again(page: Page, demo: Demo, tmp_path: Path) -> None:
    ask(page, demo.folder / "sketch.png")
    page.click("#save-search")
    page.fill("#search-name", "pots")
    with page.expect_download() as download:
        page.click("#save-confirm")
    saved = tmp_path / "pots.json"
    download.value.save_as(saved)
    record = json.loads(saved.read_text())
    record["shown"].remove("USD9000038")
    saved.write_text(json.dumps(record))
    page.reload()
    page.set_input_files("#open-saved-file", str(saved))
    page.wait_for_selector('[data-testid="new-badge"]')
    assert page.locator('[data-testid="new-badge"]').count() == 1
    assert page.locator('[data-patent="USD9000038"] [data-testid="new-badge"]').count() == 1


def test_a_saved_search_is_a_question_again(page: Page, demo: Demo, tmp_path: Path) -> None:
    page.click("#options summary")
    page.check('[name="mirror"]')
    page.fill("#max-per-class", "9")
    before = ask(page, demo.folder / "sketch.png")
    page.locator(f'[data-patent="{before[2]}"] [data-testid="relevant"]').click()
    page.click("#search-again")
    page.fill("#expert", "uspc=D7")
    page.click("#expert-add")
    until(page, "document.querySelectorAll('[data-testid=result]').length < 20")
    page.click("#save-search")
    page.fill("#search-name", "pots")
    with page.expect_download() as download:
        page.click("#save-confirm")
    download.value.save_as(tmp_path / "pots.json")
    shown = found(page)
    page.reload()
    page.set_input_files("#open-saved-file", str(tmp_path / "pots.json"))
    until(page, "document.title === 'pots: patsearch'")
    assert found(page) == shown
    assert page.get_by_test_id("stale").is_hidden()
    assert page.get_by_test_id("chip").count() == 1
    assert page.is_checked('[name="mirror"]')
    assert page.input_value("#max-per-class") == "9"
    assert page.locator(".filter-chip").first.inner_text().startswith("uspc=D7")
    assert page.locator(f'[data-patent="{before[2]}"]').get_attribute("data-marked") == "relevant"
    page.locator('[data-testid="why"]').first.click()
    page.wait_for_selector('[data-testid="heat"]')
    page.keyboard.press("Escape")
    page.locator(".filter-chip button").first.click()
    until(page, "document.querySelectorAll('[data-testid=result]').length === 20")
    assert not page.title().startswith("pots")


def test_the_keyboard_alone_is_enough(page: Page, demo: Demo) -> None:
    ask(page, demo.folder / "sketch.png")
    page.locator('[data-testid="result"]').first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.rank") == "2"
    page.keyboard.press("r")
    assert page.locator('[data-rank="2"]').get_attribute("data-marked") == "relevant"
    page.keyboard.press("n")
    assert page.locator('[data-rank="2"]').get_attribute("data-marked") == "irrelevant"
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-testid="pick-drawing"]')
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#help-dialog").is_visible()


def test_an_error_is_said_in_words(page: Page, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("no picture")
    page.set_input_files("#file-input", str(tmp_path / "note.png"))
    page.click("#search-button")
    page.wait_for_selector('[data-testid="note-error"]')
    assert "note.png is not an image of a known format" in page.inner_text("#notes")


@pytest.mark.parametrize(
    ("scheme", "width", "height", "name"), [("light", 360, 740, "phone"), ("dark", 1280, 900, "dark")]
)
def test_phone_and_dark(
    browser: Browser, address: str, demo: Demo, scheme: Scheme, width: int, height: int, name: str
) -> None:
    for page in opened(browser, address, width=width, height=height, scheme=scheme):
        shoot(page, f"{name}-start")
        ask(page, demo.folder / "sketch.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#results").scroll_into_view_if_needed()
        shoot(page, name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Browser, address: str, demo: Demo, scheme: Scheme) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()

    def faults(page: Page) -> list[str]:
        found = axe.run(page).response["violations"]
        return [
            f"{fault['id']}: {node['target']} {node['failureSummary']}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    for page in opened(browser, address, width=1280, height=900, scheme=scheme):
        assert faults(page) == []
        page.click("#draw-toggle")
        page.locator("#options").evaluate("element => { element.open = true; }")
        assert faults(page) == []
        page.click("#draw-toggle")
        ask(page, demo.folder / "sketch.png")
        page.locator('[data-testid="relevant"]').first.click()
        page.wait_for_timeout(400)
        assert faults(page) == []
        page.locator('[data-testid="why"]').first.click()
        page.wait_for_selector('[data-testid="heat"]')
        assert faults(page) == []
        page.keyboard.press("Escape")
        page.locator('[data-testid="open-patent"]').first.click()
        page.wait_for_selector('[data-testid="pick-drawing"]')
        assert faults(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        assert faults(page) == []


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
    shoot(page, "crop")
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


def _note(alerts: list[str], dialog: Dialog) -> None:
    alerts.append(dialog.message)


def test_a_hostile_title_is_text(browser: Browser, index: Path, start: Callable[..., str], tmp_path: Path) -> None:
    draw_design(0, 0).save(tmp_path / "x.png")
    for page in opened(browser, start(index), width=1280, height=900):
        alerts: list[str] = []
        page.on("dialog", partial(_note, alerts))
        assert ask(page, tmp_path / "x.png")[0] == "USD900000"
        first = page.locator('[data-testid="result"]').first
        assert first.locator("h3").inner_text() == HOSTILE_TITLE
        first.locator('[data-testid="open-patent"]').click()
        page.wait_for_selector('[data-testid="pick-drawing"]')
        assert page.inner_text("#patent-title") == HOSTILE_TITLE
        assert page.locator("#main script, dialog script").count() == 0
        assert alerts == []


def test_signing_in(browser: Browser, demo: Demo, start: Callable[..., str]) -> None:
    guarded = start(demo.folder / "index", env={**os.environ, "PATSEARCH_TOKEN": TOKEN})
    context = browser.new_context()
    page = context.new_page()
    page.goto(guarded)
    page.wait_for_selector("#sign-in-dialog[open]")
    page.fill("#token", TOKEN)
    page.click("#sign-in")
    until(page, "document.querySelector('#index-info').textContent.includes('drawings')")
    assert ask(page, demo.folder / "sketch.png")[0] == "USD9000002"
    assert TOKEN not in page.evaluate("document.cookie + JSON.stringify(localStorage)")
    context.close()


def _first_shown(page: Page, height: int) -> bool:
    """Whether the top half of the first result is in the window."""
    box = page.locator('[data-testid="result"]').first.bounding_box()
    assert box is not None
    return box["y"] >= 0 and box["y"] + 0.5 * min(box["height"], 400) <= height


@pytest.mark.parametrize(("width", "height", "name"), [(1440, 900, "wide"), (390, 844, "narrow")])
def test_results_are_in_view_after_each_way_of_asking(
    browser: Browser, address: str, demo: Demo, width: int, height: int, name: str
) -> None:
    for page in opened(browser, address, width=width, height=height):
        ask(page, demo.folder / "sketch.png")
        shoot(page, f"asked-{name}")
        assert _first_shown(page, height)
        assert page.title() == "sketch.png: patsearch"
        page.locator('[data-testid="more-like"]').nth(2).click()
        until(page, "document.title.startsWith('Like')")
        done(page)
        assert _first_shown(page, height)
        page.click("#clear-query")
        page.fill("#like", "USD9000002")
        page.click("#search-button")
        done(page)
        assert _first_shown(page, height)
        page.click("#clear-query")
        page.fill("#like", "")
        if name == "wide":
            draw(page, demo.folder / "sketch.png")
            page.click("#use-drawing")
            done(page)
            assert page.locator("#draw-panel").is_hidden()
            assert _first_shown(page, height)


def test_results_of_another_query_are_marked_as_such(page: Page, demo: Demo, tmp_path: Path) -> None:
    ask(page, demo.folder / "sketch.png")
    assert page.get_by_test_id("stale").is_hidden()
    Image.effect_noise((300, 300), 90).point(lambda grey: 255 * (grey > 128)).save(tmp_path / "other.png")
    page.set_input_files("#file-input", str(tmp_path / "other.png"))
    page.wait_for_selector('[data-testid="stale"]:not([hidden])')
    assert page.get_by_test_id("stale").inner_text().startswith("These are the results of another query.")
    page.locator(".chip-remove").nth(1).click()
    until(page, "document.getElementById('stale').hidden")
    page.fill("#like", "USD9000003")
    page.click("#stale-search")
    until(
        page, "document.getElementById('results').dataset.state === 'done' && document.getElementById('stale').hidden"
    )
    assert page.get_by_test_id("warnings").inner_text().startswith("The pictures and the drawings of USD9000003")


def test_what_is_marked_as_not_relevant_goes(page: Page, demo: Demo) -> None:
    before = ask(page, demo.folder / "sketch.png")
    for place in (1, 3):
        page.locator('[data-testid="result"]').nth(place).locator('[data-testid="irrelevant"]').click()
    assert page.get_by_test_id("show-hidden").is_hidden()  # a slip can be taken back
    page.click("#search-again")
    page.wait_for_selector('[data-testid="show-hidden"]:not([hidden])')
    gone = [page.locator(f'[data-patent="{before[place]}"]') for place in (1, 3)]
    hidden = [card for card in gone if card.count()]
    assert page.get_by_test_id("show-hidden").inner_text() == f"{len(hidden)} hidden, show"
    assert hidden
    assert not any(card.is_visible() for card in hidden)
    page.get_by_test_id("show-hidden").click()
    assert all(card.is_visible() for card in hidden)


def test_more_like_this_leaves_itself_out(page: Page, demo: Demo) -> None:
    before = ask(page, demo.folder / "sketch.png")
    page.locator('[data-testid="more-like"]').first.click()
    until(page, "document.title.startsWith('Like')")
    after = found(page)
    assert before[0] not in after
    assert after


def test_a_slow_search_says_that_it_is_under_way(page: Page, demo: Demo) -> None:
    def slowly(route: Route) -> None:
        page.wait_for_timeout(800)
        route.continue_()

    page.route("**/api/v1/search", slowly)
    page.set_input_files("#file-input", str(demo.folder / "sketch.png"))
    page.click("#search-button")
    until(page, "document.getElementById('searching-note').textContent === 'Searching …'")
    done(page)
    assert page.get_by_test_id("searching-note").inner_text() == ""


def test_the_first_result_is_a_key_away(page: Page, demo: Demo) -> None:
    ask(page, demo.folder / "sketch.png")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    assert page.evaluate("document.activeElement.dataset.rank") == "1"


def test_the_arrow_keys_move_in_a_tree_of_classes(page: Page) -> None:
    def focused() -> str:
        return str(page.evaluate("document.activeElement.dataset.code"))

    page.locator("#tree-uspc input").first.focus()
    first = focused()
    page.keyboard.press("ArrowRight")  # opens
    page.keyboard.press("ArrowDown")
    below = focused()
    assert below.startswith(f"{first}/")
    page.keyboard.press("ArrowLeft")
    assert focused() == first
    page.keyboard.press("ArrowLeft")  # closes
    page.keyboard.press("ArrowDown")
    assert "/" not in focused()
    assert focused() != first
    assert page.locator('#tree-uspc input[tabindex="0"]').count() == 1
    page.keyboard.press("Space")
    until(page, "document.querySelectorAll('.filter-chip').length === 1")


def test_classes_are_found_by_what_their_patents_are_called(page: Page) -> None:
    page.fill("#class-find", "cooking pot")
    until(page, "[...document.querySelectorAll('#tree-uspc .class-title')].some(t => t.textContent === 'Cooking pot')")
    assert page.locator("#tree-uspc label", has_text="Cooking pot").first.is_visible()
    page.fill("#class-find", "zebra")
    assert page.locator("#tree-uspc", has_text="No class here has this in its number or name").is_visible()


def test_results_that_are_far_are_set_apart(page: Page, demo: Demo) -> None:
    ask(page, demo.folder / "sketch.png")
    words = [word.inner_text() for word in page.get_by_test_id("likeness").all()]
    near = [place for place, word in enumerate(words) if word != "far"][-1] + 1
    assert 0 < near < len(words)
    line = "[...document.querySelector('#result-list').children].findIndex(item => item.dataset.testid === 'divider')"
    assert page.evaluate(line) == near
    assert page.get_by_test_id("divider").inner_text() == "Mostly chance from here on"
    page.click("#show-more")
    until(page, "document.querySelectorAll('[data-testid=result]').length > 20")
    assert page.get_by_test_id("divider").count() == 1
