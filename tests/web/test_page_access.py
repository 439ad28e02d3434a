"""The page in Chromium: keyboard, phone, dark, what is in view, signing in, and markup that is text."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import NEEDS_CHROMIUM, Scheme, ask, done, draw, opened, shoot, until
from makers import draw_design
from web_makers import HOSTILE_TITLE, TOKEN

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Browser, Dialog, Page

pytestmark = NEEDS_CHROMIUM


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


def test_the_first_result_is_a_key_away(page: Page, demo: Demo) -> None:
    ask(page, demo.folder / "sketch.png")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    assert page.evaluate("document.activeElement.dataset.rank") == "1"


@pytest.mark.parametrize(
    ("scheme", "width", "height", "name"), [("light", 360, 740, "phone"), ("dark", 1280, 900, "dark")]
)
def test_phone_and_dark(
    browser: Browser, address: str, demo: Demo, scheme: Scheme, width: int, height: int, name: str
) -> None:
    for page in opened(browser, address, width=width, height=height, scheme=scheme):
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
