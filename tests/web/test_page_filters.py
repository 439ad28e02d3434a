"""The page in Chromium: filters, classes and owners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import NEEDS_CHROMIUM, ask, done, found, opened, reload, shoot, until
from makers import draw_design, week
from web_makers import HOSTILE_TITLE, png

from patsearch.bibliography import Bibliography, Citation, Party, Related
from patsearch.engine import open_index
from patsearch.ingest import IngestOptions, ingest
from patsearch.types import Patent

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Browser, Page

pytestmark = NEEDS_CHROMIUM


def test_filters_narrow(page: Page, demo: Demo) -> None:
    before = ask(page, demo.folder / "sketch.png")
    page.locator("#tree-uspc label", has_text="D7").first.click()
    until(page, "document.querySelectorAll('[data-testid=result]').length < 20")
    narrowed = found(page)
    assert 0 < len(narrowed) < len(before)
    for card in page.locator('[data-testid="result"]').all():
        assert "D7/" in str(card.inner_text())
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


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, start: Callable[..., str]) -> str:
    """A server over twelve patents: seven designs of kind S1, one of the old kind S, four of other kinds."""
    folder = tmp_path_factory.mktemp("mixed")
    ingest([week(folder / "w", range(12))], folder / "index", IngestOptions(workers=1))
    with open_index(folder / "index", read_only=False) as engine:
        for number, kind in ((907, "S"), (908, "B1"), (909, "B2"), (910, "SIR"), (911, "H1")):
            drawings, vectors = engine.drawings_of(f"USD900{number - 900:03d}")
            engine.add([replace(drawing, kind=kind) for drawing in drawings], vectors)
    return start(folder / "index")


def test_designs_only_is_a_switch_that_the_address_keeps(browser: Browser, mixed: str, tmp_path: Path) -> None:
    (sketch := tmp_path / "sketch.png").write_bytes(png(draw_design(2, 0)))
    for page in opened(browser, mixed, width=1280, height=1400):
        assert len(ask(page, sketch)) == 12
        assert page.get_by_test_id("designs-count").inner_text() == "8"
        page.check("#designs-only")
        until(page, "document.querySelectorAll('[data-testid=result]').length === 8")
        assert set(found(page)) == {f"USD{900000 + n}" for n in range(8)}
        assert page.get_by_test_id("filter-chip").all_inner_texts() == ["Designs only"]
        shoot(page, "designs-only", whole=True)
        reload(page)
        until(page, "document.querySelectorAll('[data-testid=result]').length === 8")
        assert page.is_checked("#designs-only")
        address = page.url
        page.uncheck("#designs-only")
        until(page, "document.querySelectorAll('[data-testid=result]').length === 12")
        assert page.get_by_test_id("filter-chip").count() == 0
    # In another tab, the address alone.
    for page in opened(browser, address, width=1280, height=900):
        assert page.is_checked("#designs-only")
        until(page, "document.getElementById('facet-total').textContent.startsWith('8 patents')")
        page.get_by_role("button", name="Remove filter Designs only").click()
        assert not page.is_checked("#designs-only")


def test_common_classes_are_suggested_and_filter_by_one_click(browser: Browser, described: str, tmp_path: Path) -> None:
    (sketch := tmp_path / "sketch.png").write_bytes(png(draw_design(2, 0)))
    for page in opened(browser, described, width=1280, height=900):
        suggested = page.get_by_test_id("suggested-class")
        assert suggested.count() == 0
        assert page.get_by_test_id("suggested").is_hidden()
        ask(page, sketch)
        codes = [str(chip.get_attribute("data-code")) for chip in suggested.all()]
        counts = [count.inner_text() for count in page.locator("[data-testid=suggested-class] .count").all()]
        # Of D28 there is one subclass alone, which would say the same; four subclasses have three designs each.
        assert counts == ["6", "6", "3", "3", "3"]
        assert set(codes[:2]) == {"D14", "14"}
        assert set(codes[2:]) < {"D14/345", "D14/486", "14-02", "14-04"}
        shoot(page, "suggested")
        suggested.first.click()
        until(page, "document.querySelectorAll('[data-testid=result]').length === 6")
        assert codes[0] in page.get_by_test_id("filter-chip").inner_text()
        assert page.get_by_test_id("suggested").is_hidden()
        page.locator(".filter-chip button").click()
        until(page, "!document.getElementById('suggested').hidden")
        page.fill("#expert", "title~a and cpc!=A47C")
        page.click("#expert-add")
        until(page, "document.getElementById('suggested').hidden")


def test_every_class_is_reached_by_the_scroll_bar_of_the_column(page: Page) -> None:
    for tree in ("#tree-locarno", "#tree-uspc"):
        for opener in page.locator(f"{tree} button.opener").all():
            opener.click()
        height, inside = page.locator(tree).evaluate("tree => [tree.clientHeight, tree.scrollHeight]")
        assert height == inside > 19 * 16
    last = page.locator("#tree-uspc label").last
    box = page.locator("#filters").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2)
    for _ in range(60):
        page.mouse.wheel(0, 500)
    until(page, "document.getElementById('filters').scrollTop > 0")
    last.click(timeout=5000)
    assert page.locator("#tree-uspc input").last.is_checked()


def test_patents_without_a_date_are_included_by_a_box(
    browser: Browser, start: Callable[..., str], tmp_path: Path
) -> None:
    (sketch := tmp_path / "sketch.png").write_bytes(png(draw_design(2, 0)))
    for seeds, day in ((range(6), "20210105"), (range(6, 9), "20220104")):
        ingest([week(tmp_path / day, seeds, date=day)], tmp_path / "index", IngestOptions(workers=1))
    with open_index(tmp_path / "index", read_only=False) as engine:
        for n in (1, 7):
            drawings, vectors = engine.drawings_of(f"USD{900000 + n}")
            engine.add([replace(drawing, granted=None) for drawing in drawings], vectors)
    for page in opened(browser, start(tmp_path / "index"), width=1280, height=900):
        assert len(ask(page, sketch)) == 9
        box = page.get_by_test_id("include-undated")
        assert box.is_hidden()
        page.fill("#granted-from", "2022-01-01")
        page.press("#granted-from", "Tab")
        until(page, "document.querySelectorAll('[data-testid=result]').length === 2")
        assert "4 of 18 drawings have no date of grant" in page.locator("#warnings").inner_text()
        page.get_by_text("Include 2 patents without a date of grant").wait_for()
        shoot(page, "undated")
        box.check()
        until(page, "document.querySelectorAll('[data-testid=result]').length === 4")
        assert {"USD900001", "USD900007"} < set(found(page))
        assert page.get_by_test_id("filter-chip").inner_text() == "Granted 2022-01-01 to … or without a date"
        reload(page)
        until(page, "document.querySelectorAll('[data-testid=result]').length === 4")
        assert box.is_checked()
        page.get_by_test_id("filter-chip").locator("button").click()
        until(page, "document.querySelectorAll('[data-testid=result]').length === 9")
        assert box.is_hidden()
        assert "undated" not in page.url
