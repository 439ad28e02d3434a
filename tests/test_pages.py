"""The templates: what is filled in is text, and what is missing is an error."""

from __future__ import annotations

import jinja2
import pytest

from patsearch import pages
from patsearch.evaluation.plots import bars

HOSTILE = '</title><script>alert("x")</script>'


def test_values_are_text_and_fragments_are_not_escaped_twice() -> None:
    plot = bars(HOSTILE, {HOSTILE: {HOSTILE: 0.5}})
    assert "<script" not in plot
    page = pages.render("suite.html", title=HOSTILE, details=[(HOSTILE, HOSTILE)], columns=[HOSTILE],
                        rows=[[HOSTILE]], plots=[plot], settings=HOSTILE)  # fmt: skip
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 10
    assert "<svg" in page
    assert "default-src 'none'" in page
    assert "http:" not in page
    assert "https:" not in page


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="details"):
        pages.render("suite.html", title="t")


def test_filters() -> None:
    assert pages.number(float("nan")) == "-"
    assert pages.number(0.12345) == "0.123"
    assert pages.png_uri(b"\x89PNG") == "data:image/png;base64,iVBORw=="
