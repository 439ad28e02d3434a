"""The page: self-contained, escaped, with the pictures that show what went wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from bench_makers import make_collection, make_index, use_tiny_encoders

from patsearch.evaluation.collection import Collection
from patsearch.evaluation.page import metric_columns, render_page
from patsearch.evaluation.plots import curves, histogram
from patsearch.evaluation.results import BenchOptions
from patsearch.evaluation.runner import run_bench
from patsearch.evaluation.specs import parse_dataset

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&"


class Balanced(HTMLParser):
    """Collects tags; complains about one that closes what is not open."""

    VOID = frozenset({"meta", "img", "br", "line", "circle", "polyline", "polygon", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def parse(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    collection = make_collection()
    hostile = Collection(
        tuple(replace(d, title=HOSTILE, figure=HOSTILE) for d in collection.drawings), collection.vectors
    )
    with pytest.MonkeyPatch.context() as patch:
        use_tiny_encoders(patch)
        index = make_index(tmp_path_factory.mktemp("page") / "in<b>dex", hostile)
        spec = parse_dataset([f"index:{index}"])
        return render_page(run_bench(BenchOptions(dataset=spec, all_protocols=True, searches=5)))


def test_it_needs_nothing_else_and_nothing_gets_through(page: str) -> None:
    found = parse(page)
    assert "script" not in found.tags
    assert "in<b>dex" not in page
    assert "in&lt;b&gt;dex" in page
    assert found.sources
    assert all(source.startswith("data:image/png;base64,") for source in found.sources)
    assert "default-src 'none'" in page
    assert "&lt;script&gt;" in page


def test_it_shows_what_should_have_been_found_and_what_was(page: str) -> None:
    assert page.count("Should have been found") == 12 + 3 * 4
    assert page.count('class="good"') > 12
    assert page.count('class="bad"') > 12
    assert re.search(r"<b>rank \d+</b>", page)
    assert 'class="blank"' in page  # a drawing without a thumbnail is named


def test_it_has_plots_and_tables(page: str) -> None:
    assert page.count("<svg") == 3
    assert "ann_recall@10" in page
    assert "figures, with front pages" in page
    assert "locarno=06" in page


def test_plots_of_nothing_and_of_nan() -> None:
    assert parse(curves("t", {"a": []})).tags.count("polyline") == 0
    assert parse(histogram("t", {"a": [float("nan")]}, x_label="x")).tags.count("polygon") == 0
    drawn = histogram("t", {"a": [0.0, 1.0, 1.0, float("nan")]}, bins=4, x_label="x")
    assert parse(drawn).tags.count("polygon") == 1
    assert "67%" in drawn


def test_curves_stay_inside_the_frame() -> None:
    drawn = curves("t", {"a<": [(1, 0.0), (10, 0.5), (1000, 1.0)]})
    points = re.search(r'polyline points="([^"]+)"', drawn)
    assert points
    xy = np.array([[float(v) for v in p.split(",")] for p in points.group(1).split()])
    assert (xy[:, 0] >= 46).all()
    assert (xy[:, 0] <= 448).all()
    assert (np.diff(xy[:, 1]) < 0).all()
    assert "a&lt;" in drawn


def test_columns_follow_the_ks_that_were_measured() -> None:
    assert metric_columns((1, 5, 10, 50))[-3:] == ["recall@10", "mrr", "ndcg@10"]
    assert "hit_rate@20" in metric_columns((20, 50))
