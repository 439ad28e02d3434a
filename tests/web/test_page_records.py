"""The page in Chromium: reports and saved searches."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from chromium import NEEDS_CHROMIUM, ask, found, shoot, until

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Browser, Page

pytestmark = NEEDS_CHROMIUM


def test_the_report_downloads_and_opens(page: Page, demo: Demo, tmp_path: Path, browser: Browser) -> None:
    ask(page, demo.folder / "sketch.png")
    for button, name, start in (("#report-html", "r.html", b"<!doctype html>"), ("#report-pdf", "r.pdf", b"%PDF-")):
        page.click(button)
        with page.expect_download() as download:
            page.click("#record-confirm")
        download.value.save_as(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    report = browser.new_page(viewport={"width": 1100, "height": 900})
    report.goto((tmp_path / "r.html").as_uri())
    assert report.locator("li img").count() > 20
    assert "USD9000002" in report.inner_text("body")
    report.close()


def test_a_record_has_what_the_searcher_writes(page: Page, demo: Demo, tmp_path: Path, browser: Browser) -> None:
    before = ask(page, demo.folder / "sketch.png")
    cards = page.locator('[data-testid="result"]')
    cards.nth(1).locator('[data-testid="relevant"]').click()
    cards.nth(19).locator('[data-testid="irrelevant"]').click()
    page.click("#report-html")
    page.fill("#record-docket", "ACME-0123")
    page.fill("#record-heading", "Pots with handles, Ø 20 cm")
    page.fill("#record-searcher", "A. Möller")
    page.fill("#record-notes", "The handle matters.\nThe lid does not.")
    with page.expect_download() as download:
        page.click("#record-confirm")
    name = download.value.suggested_filename
    assert re.fullmatch(r"ACME-0123 Pots with handles, Ø 20 cm \d{4}-\d\d-\d\d\.html", name)
    download.value.save_as(tmp_path / "r.html")
    page.click("#report-pdf")
    assert page.input_value("#record-docket") == "ACME-0123"  # as for the last one
    with page.expect_download() as download:
        page.click("#record-confirm")
    assert download.value.suggested_filename == name.replace(".html", ".pdf")
    for width in (1440, 390):
        report = browser.new_page(viewport={"width": width, "height": 900})
        report.goto((tmp_path / "r.html").as_uri())
        text = report.inner_text("body")
        for said in (
            "Pots with handles, Ø 20 cm",
            "ACME-0123",
            "A. Möller",
            "The lid does not.",
            "What the scores mean",
            "60 patents",
        ):
            assert said in text
        marked = report.locator(".marked li").all_inner_texts()
        assert [before[1] in marked[0], before[19] in marked[1]] == [True, True]
        assert report.evaluate("document.documentElement.scrollWidth") <= width
        if width > 1000:
            report.set_viewport_size({"width": 1100, "height": 1500})
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
    page.wait_for_selector('#results[data-state="done"]')  # what was searched before comes back first
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
