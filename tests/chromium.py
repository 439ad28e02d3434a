"""What the tests of the page in a real Chromium share."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

Scheme = Literal["light", "dark"]

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
# The last five: no request but to the page's own server, which a test holds it to.
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

NEEDS_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
    # Playwright's own sockets are closed when its process ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def opened(browser: Browser, address: str, *, width: int, height: int, scheme: Scheme = "light") -> Iterator[Page]:
    """The page, opened; at the end, nothing may have gone wrong on it, and no other host been asked."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        accept_downloads=True,
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    # The browser itself notes an answer that refuses a picture, as it should be refused.
    page.on(
        "console",
        lambda m: troubles.append(m.text) if m.type == "error" and "status of 4" not in m.text else None,
    )
    page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else troubles.append(r.url))
    page.goto(address)
    until(page, "document.querySelector('#index-info').textContent.includes('drawings')")
    yield page
    context.close()
    assert troubles == []


def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    if folder := os.environ.get("PATSEARCH_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=whole)


def until(page: Page, condition: str) -> None:
    """Wait for an expression to hold. Playwright's own way of it evaluates text, which the page's policy forbids."""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, f"never: {condition}"
        page.wait_for_timeout(50)


def done(page: Page) -> Locator:
    page.wait_for_selector('#results[data-state="done"]')
    return page.locator('[data-testid="result"]')


def found(page: Page) -> list[str]:
    return [str(card.get_attribute("data-patent")) for card in done(page).all()]


def ask(page: Page, *files: Path) -> list[str]:
    page.set_input_files("#file-input", [str(file) for file in files])
    page.click("#search-button")
    return found(page)
