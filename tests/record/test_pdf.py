"""The record as PDF, read back by another library."""

from __future__ import annotations

import re
import sys
from io import BytesIO
from pathlib import Path

import pytest
from makers import draw_design, week
from pypdf import PdfReader

from patsearch.cli import main
from patsearch.engine import Picture, Question, Thumbnails, open_index, search
from patsearch.errors import PluginError
from patsearch.filters import parse_filter
from patsearch.ingest import IngestOptions, ingest
from patsearch.record import SearchRecord, pdf, render_pdf
from patsearch.types import Drawing, Hit, PatentHit


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pdf")
    ingest([week(folder / "w", range(12))], folder / "index", IngestOptions(workers=1))
    return folder / "index"


def read(data: bytes) -> list[str]:
    """The text of each page, blanks joined."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(data)).pages]


def hostile(title: str, count: int = 1) -> SearchRecord:
    hits = [
        PatentHit(n, f"USD90000{n}", 0.5, (Hit(Drawing(f"USD90000{n}-1", f"USD90000{n}", title=title), 0.5),))
        for n in range(1, count + 1)
    ]
    index = {"path": "index", "fingerprint": "0" * 16, "drawings": 1, "backend": "faiss"}
    encoder = {"name": "none", "sha256": "0" * 64}
    return SearchRecord(Question(), (), index, encoder, tuple(hits), 0.01)


def test_it_says_everything_and_counts_its_pages(index: Path) -> None:
    picture = draw_design(1, 0)
    with open_index(index) as engine:
        question = Question(pictures=(Picture("sketch.png", picture),), where=parse_filter("granted>=2015"), top=12)
        record = SearchRecord.of(engine, search(engine, question))
        data = render_pdf(record, engine.thumbnails)
    pages = read(data)
    assert len(pages) >= 2
    for number, text in enumerate(pages, start=1):
        assert f"page {number} of {len(pages)}" in text
    whole = " ".join(pages)
    for text in ("granted>=2015", record.asked, str(record.index["fingerprint"]), record.encoder["sha256"]):
        assert text.replace(" ", "") in whole.replace(" ", "")
    assert [hit.patent for hit in record.hits] == re.findall(r"\d+\. (USD\d+) ", whole)
    drawn = sum(len(page.images) for page in PdfReader(BytesIO(data)).pages)
    assert drawn >= 1 + len(record.hits)


@pytest.mark.parametrize(
    "title", ["椅子 кресло كرسي 🪑", "\x00\x1b[31m\n\ud800", "x" * 5000, "**bold** <b>{nb}</b>", "a " * 3000]
)
def test_no_title_breaks_it(title: str, index: Path) -> None:
    with open_index(index) as engine:
        assert "USD900003" in " ".join(read(render_pdf(hostile(title, 3), engine.thumbnails)))


def test_without_a_font_letters_become_question_marks(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_FONTS", ())
    with open_index(index) as engine:
        assert "Ein ??? für é" in " ".join(read(render_pdf(hostile("Ein 椅子椅 für é"), engine.thumbnails)))


def test_nothing_found_is_a_page_too(index: Path) -> None:
    thumbnails = Thumbnails(index, read_only=True)
    assert "0 patents found" in read(render_pdf(hostile("", 0), thumbnails))[0]
    thumbnails.close()


def test_without_the_package_the_user_is_told(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with open_index(index) as engine, pytest.raises(PluginError, match="pip install"):
        render_pdf(hostile("x"), engine.thumbnails)


def test_the_command_writes_it(index: Path, tmp_path: Path) -> None:
    draw_design(2, 0).save(tmp_path / "asked.png")
    with pytest.raises(SystemExit) as stop:
        main(["query", str(tmp_path / "asked.png"), "--index", str(index), "--pdf", str(tmp_path / "r.pdf")])
    assert not stop.value.code
    assert "USD900002" in read((tmp_path / "r.pdf").read_bytes())[0]


@pytest.mark.parametrize("picture", [b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"\0"])
def test_a_thumbnail_that_is_not_a_picture(index: Path, tmp_path: Path, picture: bytes) -> None:
    """An index may come from a stranger: its box stays empty."""
    import shutil

    copy = Path(shutil.copytree(index, tmp_path / "copy"))
    with open_index(copy, read_only=False) as engine:
        engine.thumbnails.put((id_, picture) for id_, _ in list(engine.thumbnails.items()))
        record = SearchRecord.of(engine, search(engine, Question(like="D900001")))
        assert record.hits
        pages = PdfReader(BytesIO(render_pdf(record, engine.thumbnails))).pages
    assert sum(len(page.images) for page in pages) == 0
