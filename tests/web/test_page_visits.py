"""The page in Chromium: reload, Back and Forward, copied addresses, tabs, and what "New search" forgets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from chromium import NEEDS_CHROMIUM, ask, done, draw, found, opened, reload, until, visit, watched
from makers import draw_design

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Browser, Dialog, Page

pytestmark = NEEDS_CHROMIUM

INK = (
    "(() => { const c = document.querySelector('#canvas'); const d = c.getContext('2d')"
    ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
    "for (let i = 0; i < d.length; i += 4) if (d[i] < 128) n += 1; return n; })()"
)
# The pictures that the browser keeps, of all tabs.
KEPT = (
    "new Promise((resolve) => { const r = indexedDB.open('patsearch'); r.onsuccess = () => {"
    "const k = r.result.transaction('pictures').objectStore('pictures').count();"
    "k.onsuccess = () => { resolve(k.result); r.result.close(); }; }; })"
)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    draw_design(3, 0).save(tmp_path / "other.png")
    return tmp_path / "other.png"


def shown(page: Page, patents: list[str]) -> None:
    """Wait for these results."""
    listed = "[...document.querySelectorAll('[data-testid=result]')].map(card => card.dataset.patent).join()"
    until(page, f"document.querySelector('#results').dataset.state === 'done' && {listed} === '{','.join(patents)}'")


def chips(page: Page) -> list[str]:
    return [chip.inner_text() for chip in page.locator(".chip-name").all()]


def test_a_reload_restores_pictures_marks_filters_and_results(page: Page, demo: Demo, other: Path) -> None:
    ask(page, demo.folder / "sketch.png", other)
    page.click("#options summary")
    page.check('[name="mirror"]')
    page.locator("#tree-uspc label", has_text="D7").first.click()
    until(page, "document.querySelectorAll('[data-testid=result]').length < 20")
    page.click("[data-testid=chip] .chip-edit >> nth=1")
    page.click("#turn-right")
    with page.expect_response("**/api/v1/search"):
        page.click("#crop-apply")
    page.wait_for_timeout(500)
    before = found(page)
    page.locator('[data-testid="result"]').nth(1).locator('[data-testid="relevant"]').click()
    page.locator('[data-testid="result"]').nth(2).locator('[data-testid="irrelevant"]').click()
    reload(page)
    shown(page, before)
    assert chips(page) == ["sketch.png", "other.png"]
    assert page.locator(".chip.edited").count() == 1
    assert page.is_checked('[name="mirror"]')
    assert [chip.inner_text().strip() for chip in page.locator(".filter-chip").all()] == ["US D7"]
    assert page.locator("#tree-uspc input:checked").count() > 0
    marked = [page.locator(f'[data-patent="{before[place]}"]').get_attribute("data-marked") for place in (1, 2)]
    assert marked == ["relevant", "irrelevant"]
    assert page.locator("#notes .note").count() == 0
    assert page.get_by_test_id("stale").is_hidden()


def test_a_reload_restores_marks_that_were_searched_with(page: Page, demo: Demo) -> None:
    before = ask(page, demo.folder / "sketch.png")
    page.locator('[data-testid="result"]').nth(7).locator('[data-testid="relevant"]').click()
    page.click("#search-again")
    until(page, "document.querySelectorAll('.filter-chip').length === 1")
    after = found(page)
    assert after != before
    reload(page)
    shown(page, after)
    page.go_back()
    shown(page, before)
    assert page.locator(f'[data-patent="{before[7]}"]').get_attribute("data-marked") == "relevant"
    assert page.is_enabled("#search-again")


def test_a_reload_restores_a_drawing(page: Page, demo: Demo) -> None:
    draw(page, demo.folder / "sketch.png")
    ink = page.evaluate(INK)
    assert ink > 1000
    reload(page)
    assert page.locator("#draw-panel").is_visible()
    assert abs(page.evaluate(INK) - ink) < 0.02 * ink
    page.keyboard.press("Control+z")
    assert page.evaluate(INK) < ink
    page.keyboard.press("Control+Shift+z")
    page.click("#use-drawing")
    before = found(page)
    reload(page)
    shown(page, before)
    assert chips(page) == ["drawing.png"]
    page.click("#draw-toggle")
    page.click("#use-drawing")
    done(page)
    assert chips(page) == ["drawing.png"]  # it replaces what it was


def test_back_and_forward_go_through_searches(page: Page, demo: Demo, other: Path) -> None:
    first = ask(page, demo.folder / "sketch.png")
    page.locator(".chip-remove").click()
    with page.expect_response("**/api/v1/search"):
        page.set_input_files("#file-input", str(other))
        page.click("#search-button")
    second = found(page)
    page.fill("#title-words", "pan")
    until(page, "document.querySelectorAll('.filter-chip').length === 1")
    page.wait_for_timeout(800)
    third = found(page)
    assert first != second != third
    page.go_back()
    shown(page, second)
    assert page.input_value("#title-words") == ""
    page.go_back()
    shown(page, first)
    assert chips(page) == ["sketch.png"]
    assert page.title() == "sketch.png: patsearch"
    page.go_forward()
    page.go_forward()
    shown(page, third)
    assert chips(page) == ["other.png"]
    assert page.input_value("#title-words") == "pan"


def test_back_closes_a_dialog_and_forward_opens_it(page: Page, demo: Demo) -> None:
    before = ask(page, demo.folder / "sketch.png")
    for opener, dialog, ready in (
        ("open-patent", "#patent-dialog", "pick-drawing"),
        ("why", "#explain-dialog", "heat"),
    ):
        page.get_by_test_id(opener).first.click()
        page.get_by_test_id(ready).first.wait_for()
        page.go_back()
        page.locator(dialog).wait_for(state="hidden")
        assert found(page) == before
        page.go_forward()
        page.get_by_test_id(ready).first.wait_for()
        page.keyboard.press("Escape")  # closing it is going back
        until(page, "!history.state.dialog")
    page.get_by_test_id("open-patent").first.click()
    page.get_by_test_id("pick-drawing").first.wait_for()
    reload(page)
    page.get_by_test_id("pick-drawing").first.wait_for()
    with page.expect_response("**/api/v1/search"):
        page.get_by_test_id("like-shown").click()
    until(page, "document.title.startsWith('Like')")
    page.click("#back-button")
    shown(page, before)
    assert chips(page) == ["sketch.png"]


def test_a_dialog_that_is_opened_while_another_goes_stays(page: Page, demo: Demo) -> None:
    ask(page, demo.folder / "sketch.png")
    page.evaluate(
        "() => { const back = history.back;"
        " history.back = function () { setTimeout(() => back.call(history), 400); }; }"
    )
    page.get_by_test_id("open-patent").first.click()
    page.get_by_test_id("pick-drawing").first.wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_timeout(900)
    assert page.locator("#help-dialog").is_visible()
    page.keyboard.press("Escape")
    until(page, "!history.state.dialog")
    assert page.locator("dialog[open]").count() == 0


def test_a_copied_address_opens_elsewhere(page: Page, browser: Browser, demo: Demo) -> None:
    page.fill("#like", "USD9000002")
    page.click("#search-button")
    done(page)
    page.locator("#tree-uspc label", has_text="D7").first.click()
    until(page, "document.querySelectorAll('[data-testid=result]').length < 20")
    before = found(page)
    for elsewhere in opened(browser, page.url, width=1280, height=900):
        shown(elsewhere, before)
        assert elsewhere.input_value("#like") == "USD9000002"
        assert elsewhere.locator(".filter-chip").count() == 1
        assert elsewhere.locator("#notes .note").count() == 0
    page.get_by_test_id("more-like").first.click()
    until(page, "document.title.startsWith('Like')")
    before = found(page)
    until(page, "location.hash.includes('drawing=')")
    for elsewhere in opened(browser, page.url, width=1280, height=900):
        shown(elsewhere, before)
        assert elsewhere.title() == page.title()


def test_a_copied_address_says_what_it_does_not_hold(page: Page, browser: Browser, demo: Demo, other: Path) -> None:
    ask(page, demo.folder / "sketch.png", other)
    page.locator("#tree-uspc label", has_text="D7").first.click()
    until(page, "document.querySelectorAll('[data-testid=result]').length < 20")
    found(page)
    until(page, "location.hash.includes('uspc')")
    assert "sketch" not in unquote(page.url)
    for elsewhere in opened(browser, page.url, width=1280, height=900):
        note = elsewhere.get_by_test_id("note-info").inner_text()
        assert note == "This search had 2 pictures, which an address does not hold. Add the pictures, and search."
        assert elsewhere.locator(".filter-chip").count() == 1
        assert ask(elsewhere, demo.folder / "sketch.png", other) == found(page)


@pytest.mark.parametrize(
    "hash", ["#" + "a" * 30_000, "#like=%FF%00<script>", "#uspc=nonsense&pictures=-3&top=x&marks=1e9"]
)
def test_an_address_of_nonsense_opens(browser: Browser, address: str, hash: str) -> None:
    for page in opened(browser, address + "/" + hash, width=1280, height=900):
        assert page.locator("#query").is_visible()
        assert page.locator("#main script").count() == 0


@pytest.fixture
def tabs(browser: Browser, address: str) -> Iterator[tuple[Page, Page]]:
    """Two tabs of one browser window."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    pages = context.new_page(), context.new_page()
    troubles = [watched(page, address) for page in pages]
    for page in pages:
        visit(page, address)
    yield pages
    context.close()
    assert troubles == [[], []]


def test_two_tabs_do_not_mix(tabs: tuple[Page, Page], demo: Demo, other: Path) -> None:
    one, two = tabs
    first = ask(one, demo.folder / "sketch.png")
    second = ask(two, other)
    assert (one.title(), two.title()) == ("sketch.png: patsearch", "other.png: patsearch")
    reload(one)
    reload(two)
    shown(one, first)
    shown(two, second)
    assert (chips(one), chips(two)) == (["sketch.png"], ["other.png"])
    one.click("#clear-query")
    reload(two)
    shown(two, second)
    assert chips(two) == ["other.png"]


def test_a_duplicated_tab_is_a_tab_by_itself(tabs: tuple[Page, Page], demo: Demo) -> None:
    one, two = tabs
    before = ask(one, demo.folder / "sketch.png")
    kept = one.evaluate("({ ...sessionStorage })")
    # What a browser copies when a tab is duplicated.
    two.evaluate("(kept) => Object.entries(kept).forEach(([name, value]) => sessionStorage.setItem(name, value))", kept)
    two.evaluate("(step) => history.replaceState(step, '')", one.evaluate("history.state"))
    reload(two)
    shown(two, before)
    one.click("#clear-query")
    reload(two)
    shown(two, before)
    assert chips(two) == ["sketch.png"]


def test_a_new_search_forgets(page: Page, demo: Demo) -> None:
    draw(page, demo.folder / "sketch.png")
    page.click("#use-drawing")
    done(page)
    page.get_by_test_id("relevant").first.click()
    assert page.evaluate(KEPT) == 1
    page.click("#clear-query")
    assert page.get_by_test_id("result").count() == 0
    until(page, "document.getElementById('use-drawing').disabled")
    reload(page)
    assert chips(page) == []
    assert page.get_by_test_id("result").count() == 0
    assert page.evaluate(INK) == 0
    assert page.evaluate(KEPT) == 0
    assert "drawing" not in page.evaluate("JSON.stringify({ ...sessionStorage })").replace("patsearch.keep.drawing", "")
    page.go_back()
    page.get_by_test_id("note-info").wait_for()
    assert "This search had 1 picture" in page.get_by_test_id("note-info").inner_text()


def test_an_opened_saved_search_survives_a_reload(page: Page, demo: Demo, tmp_path: Path) -> None:
    before = ask(page, demo.folder / "sketch.png")
    page.click("#save-search")
    page.fill("#search-name", "pots")
    with page.expect_download() as download:
        page.click("#save-confirm")
    download.value.save_as(tmp_path / "pots.json")
    page.click("#clear-query")
    page.set_input_files("#open-saved-file", str(tmp_path / "pots.json"))
    until(page, "document.title === 'pots: patsearch'")
    page.get_by_test_id("irrelevant").first.click()
    reload(page)
    until(page, "document.title === 'pots: patsearch'")
    shown(page, before)
    assert page.locator(f'[data-patent="{before[0]}"]').get_attribute("data-marked") == "irrelevant"
    assert page.locator("#download-updated").is_visible()


def test_leaving_warns_only_where_something_would_be_lost(page: Page, demo: Demo) -> None:
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    ask(page, demo.folder / "sketch.png")
    reload(page)
    done(page)
    assert asked == []  # the picture is a file of the user's
    page.get_by_test_id("relevant").first.click()
    reload(page)
    done(page)
    assert asked == ["beforeunload"]
    page.get_by_test_id("irrelevant").nth(3).click()  # a browser warns only where the page was used
    page.click("#report-html")
    with page.expect_download():
        page.click("#record-confirm")
    page.wait_for_timeout(200)
    reload(page)
    done(page)
    assert asked == ["beforeunload"]  # the record has the marks
    page.get_by_test_id("irrelevant").nth(1).click()
    page.click("#clear-query")
    reload(page)
    assert asked == ["beforeunload"]  # nothing is left
    draw(page, demo.folder / "sketch.png")
    reload(page)
    assert asked == ["beforeunload"] * 2
