"""A search that finds nothing names the filter at fault and removes it by one click, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from chromium import NEEDS_CHROMIUM, ask, shoot, until

if TYPE_CHECKING:
    from conftest import Demo
    from playwright.sync_api import Page

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def address(demo: Demo, start: Callable[..., str]) -> str:
    return start(demo.folder / "index")


def test_the_filter_at_fault_is_named_and_removed(page: Page, demo: Demo) -> None:
    assert len(ask(page, demo.folder / "sketch.png")) == 20
    for line in ("granted>=2024", "granted<2001"):
        page.fill("#expert", line)
        page.click("#expert-add")
        page.get_by_role("button", name=f"Remove filter {line}").wait_for()
    at_fault = page.get_by_test_id("at-fault")
    at_fault.first.wait_for()
    assert at_fault.all_inner_texts() == ["Remove “granted<2001”: 60 patents"]
    shoot(page, "nothing")
    at_fault.click()
    until(page, "document.querySelectorAll('[data-testid=result]').length === 20")
    assert page.get_by_test_id("filter-chip").all_inner_texts() == ["granted>=2024"]
