"""The page in Chromium: what is done with results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chromium import NEEDS_CHROMIUM, ask, done, found, shoot, until
from PIL import Image

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Page, Route

pytestmark = NEEDS_CHROMIUM


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
