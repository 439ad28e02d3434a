"""The page in Chromium: jobs of a searcher's first day, each by what the user sees.

Other jobs are in the files of their parts: marks, "more like this", "why" and an opened patent (`results`); records
and saved searches (`records`); reload, Back and tabs (`visits`); phone and dark (`access`); PDF and crop (`pictures`);
sheets, TIFFs and photographs of paper (`files`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from math import cos, sin
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from chromium import NEEDS_CHROMIUM, ask, done, found, opened, until
from makers import draw_design
from photo_makers import photo
from PIL import Image, ImageDraw
from web_makers import png

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Browser, Page

pytestmark = NEEDS_CHROMIUM

PASTE = (
    "([name, type, data]) => { const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));"
    "const held = new DataTransfer(); held.items.add(new File([bytes], name, { type }));"
    "const paste = new ClipboardEvent('paste', { clipboardData: held, bubbles: true, cancelable: true });"
    "document.body.dispatchEvent(paste); return held.files.length; }"
)

# A grid, a star, a zigzag and two circles: lines of points.
SKETCHES: list[list[list[tuple[int, int]]]] = [
    [[(n, 60), (n, 540)] for n in range(60, 560, 60)] + [[(60, n), (540, n)] for n in range(60, 560, 60)],
    [[(300, 40), (360, 240), (560, 240), (400, 360), (460, 560), (300, 440), (140, 560), (200, 360), (40, 240),
      (240, 240), (300, 40)]],
    [[(40, 300), (120, 100), (200, 500), (280, 100), (360, 500), (440, 100), (560, 300)]],
    [[(round(300 + r * cos(n / 10)), round(300 + r * sin(n / 10))) for n in range(64)] for r in (100, 240)],
]  # fmt: skip


def drawings(folder: Path, count: int) -> list[Path]:
    """Pictures of different designs."""
    files = [folder / f"view-{number}.png" for number in range(count)]
    for number, file in enumerate(files):
        draw_design(number, 0).save(file)
    return files


def chips(page: Page) -> int:
    return page.get_by_test_id("chip").count()


def searched(page: Page) -> list[str]:
    """The names of the pictures that the server searched with, in its order."""
    with page.expect_response("**/api/v1/search") as answered:
        page.click("#search-button")
    done(page)
    return [str(name) for name in answered.value.json()["query"]["pictures"]]


def test_earlier_designs_of_a_class_are_found(
    browser: Browser, index: Path, start: Callable[..., str], tmp_path: Path
) -> None:
    """A class before a date: what an attorney asks of prior art."""
    (sketch := tmp_path / "sketch.png").write_bytes(png(draw_design(8, 0)))
    for page in opened(browser, start(index), width=1440, height=900):
        every = ask(page, sketch)
        assert every[0] == "USD900008"  # of 2022
        page.fill("#class-find", "D14")
        page.locator("#tree-uspc label", has_text="D14").first.click()
        page.fill("#granted-to", "2021-12-31")
        page.locator("#granted-to").press("Tab")
        until(page, "document.querySelectorAll('.filter-chip').length === 2")
        fits = "card.innerText.includes('2021-01-05') && card.innerText.includes('D14/')"
        until(page, f"[...document.querySelectorAll('[data-testid=result]')].every(card => {fits})")
        earlier = found(page)
        assert 0 < len(earlier) < len(every)
        assert set(earlier) < set(every)
        assert {chip.inner_text().strip() for chip in page.locator(".filter-chip").all()} == {
            "US D14", "Granted … to 2021-12-31",
        }  # fmt: skip


def test_several_views_are_one_query(page: Page, demo: Demo, tmp_path: Path) -> None:
    (view,) = drawings(tmp_path, 1)
    alone = ask(page, demo.folder / "sketch.png")
    page.set_input_files("#file-input", str(view))
    until(page, "document.querySelectorAll('[data-testid=chip]').length === 2")
    assert page.get_by_test_id("stale").is_visible()
    assert searched(page) == ["sketch.png", "view-0.png"]
    assert found(page) != alone
    assert page.get_by_test_id("stale").is_hidden()


def test_a_photo_of_a_sketch_finds_its_design(page: Page, demo: Demo, tmp_path: Path) -> None:
    photo(Image.open(demo.folder / "sketch.png").convert("L")).save(tmp_path / "photo.jpg")
    assert "USD9000002" in ask(page, tmp_path / "photo.jpg")[:3]


def test_five_sketches_are_one_query_that_says_that_they_differ(page: Page, demo: Demo, tmp_path: Path) -> None:
    files = [tmp_path / f"sketch-{number}.png" for number in range(4)]
    for file, lines in zip(files, SKETCHES, strict=True):
        sketch = Image.new("L", (600, 600), 255)
        for line in lines:
            ImageDraw.Draw(sketch).line(line, fill=0, width=4)
        sketch.save(file)
    files.insert(0, demo.folder / "sketch.png")
    page.set_input_files("#file-input", [str(file) for file in files])
    until(page, "document.querySelectorAll('[data-testid=chip]').length === 5")
    assert searched(page) == [file.name for file in files]
    assert "search each alone" in page.get_by_test_id("warnings").inner_text()
    assert page.title() == "sketch.png and 4 more: patsearch"


def test_twelve_files_are_taken_and_one_too_many_is_named(page: Page, tmp_path: Path) -> None:
    files = drawings(tmp_path, 17)
    page.set_input_files("#file-input", [str(file) for file in files[:12]])
    until(page, "document.querySelectorAll('[data-testid=chip]').length === 12")
    assert searched(page) == [file.name for file in files[:12]]
    assert found(page)
    page.set_input_files("#file-input", [str(file) for file in files[12:]])
    page.get_by_test_id("note-warning").wait_for()
    told = page.get_by_test_id("note-warning").inner_text()
    assert told == "view-16.png was left out. One query takes up to 16 pictures."
    assert chips(page) == 16


def test_a_picture_is_pasted(page: Page, demo: Demo) -> None:
    data = b64encode((demo.folder / "sketch.png").read_bytes()).decode()
    assert page.evaluate(PASTE, ["pasted.png", "image/png", data]) == 1
    until(page, "document.querySelectorAll('[data-testid=chip]').length === 1")
    page.click("#search-button")
    assert found(page)[0] == "USD9000002"
    assert page.evaluate(PASTE, ["note.txt", "text/plain", data]) == 1
    page.wait_for_timeout(300)
    assert chips(page) == 1  # text is not a picture


def test_a_file_that_is_too_large_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (5900, 5900), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.tif", compression=None)
    page.set_input_files("#file-input", str(tmp_path / "large.tif"))
    page.get_by_test_id("note-warning").wait_for()
    told = page.get_by_test_id("note-warning").inner_text()
    assert told == "large.tif is larger than 32 MiB. Send a smaller copy of the drawing."
    assert chips(page) == 0


def test_a_search_over_a_slow_network_says_that_it_waits(page: Page, demo: Demo) -> None:
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 600, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#file-input", str(demo.folder / "sketch.png"))
    page.click("#search-button")
    until(page, "document.getElementById('searching-note').textContent === 'Searching …'")
    assert page.locator("#results").get_attribute("aria-busy") == "true"
    assert found(page)[0] == "USD9000002"
    assert page.get_by_test_id("searching-note").inner_text() == ""


def test_without_a_network_the_results_stay_and_the_page_says_so(browser: Browser, address: str, demo: Demo) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    until(page, "document.documentElement.dataset.restored")
    before = ask(page, demo.folder / "sketch.png")
    context.set_offline(True)
    page.get_by_test_id("more-like").nth(1).click()
    page.get_by_test_id("note-error").first.wait_for()
    told = page.get_by_test_id("note-error").first.inner_text()
    assert told == "The server does not answer. Check the connection, then try again."
    assert page.get_by_test_id("stale").is_visible()  # of the query before
    assert found(page) == before
    context.set_offline(False)
    page.click("#stale-search")
    until(page, "document.title.startsWith('Like')")
    assert page.locator("#notes .note").count() == 0
    context.close()


def test_a_search_by_the_keyboard_alone(page: Page) -> None:
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "like":
            break
    assert page.evaluate("document.activeElement.id") == "like"
    page.keyboard.type("USD9000002")
    page.keyboard.press("Enter")
    first = found(page)
    for _ in range(3):
        page.keyboard.press("Tab")  # out of the field: letters are shortcuts again
    page.keyboard.press("g")
    assert page.evaluate("document.activeElement.dataset.rank") == "1"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    page.keyboard.press("a")
    until(page, "document.querySelectorAll('.filter-chip').length === 1")
    assert page.locator(".filter-chip").inner_text().strip() == "Marks: 1 relevant, 0 not"
    assert page.locator('[data-marked="relevant"]').get_attribute("data-patent") == first[1]


@pytest.mark.parametrize(("width", "height"), [(720, 450), (640, 400)])
def test_at_200_percent_nothing_is_cut_off(browser: Browser, address: str, demo: Demo, width: int, height: int) -> None:
    """A window of twice that size, enlarged to 200 %."""
    for page in opened(browser, address, width=width, height=height):
        ask(page, demo.folder / "sketch.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        cut = page.evaluate(
            "[...document.querySelectorAll('#query button, #results-bar button, .card button')].filter((b) => {"
            "const r = b.getBoundingClientRect();"
            "return r.width && (r.left < 0 || r.right > innerWidth + 1 || b.scrollWidth > b.clientWidth + 1); })"
            ".map((b) => b.textContent)"
        )
        assert cut == []
        page.get_by_test_id("open-patent").first.click()
        page.get_by_test_id("pick-drawing").first.wait_for()
        box = page.locator("#patent-dialog").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
