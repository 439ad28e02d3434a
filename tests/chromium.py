"""What the tests of the page in a real Chromium share.

Screenshots go to the folder that PATSEARCH_SCREENSHOTS names; those of the documentation are made by

    PATSEARCH_SCREENSHOTS=docs/images/web pytest tests/web -k page
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
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
    troubles = watched(page, address)
    visit(page, address)
    yield page
    context.close()
    assert troubles == []


def watched(page: Page, address: str) -> list[str]:
    """What goes wrong on a page from now on, and what it requests of other hosts."""
    own = address.partition("#")[0]
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    # The browser itself notes an answer that refuses a picture, as it should be refused.
    page.on(
        "console",
        lambda m: troubles.append(m.text) if m.type == "error" and "status of 4" not in m.text else None,
    )
    page.on("request", lambda r: None if r.url.startswith((own, "data:", "blob:")) else troubles.append(r.url))
    return troubles


def visit(page: Page, address: str) -> None:
    page.goto(address)
    until(page, "document.documentElement.dataset.restored")


def reload(page: Page) -> None:
    """Load the page again; a warning before leaving is accepted, as Playwright does where nobody listens."""
    page.reload()
    until(page, "document.documentElement.dataset.restored")


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
