"""The page of a search: complete, self-contained, and safe whatever a title says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from makers import draw_design, week

from patsearch.engine import Picture, Question, open_index, search
from patsearch.filters import parse_filter
from patsearch.ingest import IngestOptions, ingest
from patsearch.record import SearchRecord, render_page
from patsearch.titles import link_of
from patsearch.types import Drawing, Hit, PatentHit

HOSTILE = '</title><script>alert("x")</script><img src="http://example.com/x" onerror=alert(1)>'


class Collector(HTMLParser):
    """Tags, every attribute that could load something from elsewhere, and links, which only a click follows."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        into = self.links if tag == "a" else self.targets
        into += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_the_page_says_everything_and_needs_nothing(tmp_path: Path) -> None:
    ingest([week(tmp_path / "w", range(6))], tmp_path / "index", IngestOptions(workers=1))
    picture = draw_design(1, 0)
    with open_index(tmp_path / "index") as engine:
        question = Question(pictures=(Picture("sketch.png", picture),), where=parse_filter("cpc=D14"), top=3)
        record = SearchRecord.of(engine, search(engine, question))
        page = render_page(record, engine.thumbnails)
        assert engine.fingerprint() in page
        assert engine.spec.encoder_sha256 in page
    for text in ("USD900001", "D14/486", "cpc=D14", "matched as US design class D14", "sketch.png", record.asked):
        assert text in page
    parsed = Collector()
    parsed.feed(page)
    assert "script" not in parsed.tags
    assert parsed.tags.count("li") == 3
    assert parsed.targets
    assert all(target.startswith("data:image/png;base64,") for target in parsed.targets)
    assert parsed.links == [link_of(hit.patent) for hit in record.hits]
    assert "Recording, communication, or information retrieval equipment" in page


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    from patsearch.engine import Thumbnails

    drawing = Drawing(id="x", patent=HOSTILE, title=HOSTILE, sheet=HOSTILE, view=HOSTILE, kind=HOSTILE)
    ingest([week(tmp_path / "w", range(1))], tmp_path / "index", IngestOptions(workers=1))
    with open_index(tmp_path / "index") as engine:
        question = Question(pictures=(Picture(HOSTILE, draw_design(0, 0)),), where=parse_filter(f"title~{HOSTILE}"))
        record = SearchRecord.of(engine, search(engine, question))
    object.__setattr__(record, "hits", (PatentHit(1, HOSTILE, 0.5, (Hit(drawing, 0.5),)),))
    page = render_page(record, Thumbnails(tmp_path, read_only=True))
    parsed = Collector()
    parsed.feed(page)
    assert set(parsed.tags) & {"script", "iframe", "object", "form", "a", "link"} == set()
    assert not re.search(r"<script|onerror=alert\(1\)>", page)
    assert all(target.startswith("data:") for target in parsed.targets)
