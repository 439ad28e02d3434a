"""The record as an exhibit: what is written on it, what it says of the collection and of scores, and what it hides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from makers import draw_design, week
from pypdf import PdfReader

from patsearch.cli import main
from patsearch.engine import Engine, Picture, Question, open_index, search
from patsearch.errors import UsageError
from patsearch.ingest import IngestOptions, ingest
from patsearch.record import Cover, SearchRecord, describe, render_page, render_pdf
from patsearch.record.collection import Collection

COVER = Cover("ACME-0123", "Chairs with arms", "A. Möller", "The arms matter.\nThe seat does not.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of twelve designs of two weeks, in a folder whose name must not be in any record."""
    folder = tmp_path_factory.mktemp("secret-client")
    ingest([week(folder / "week-one", range(6))], folder / "index", IngestOptions(workers=1))
    later = week(folder / "week-two", range(6, 12), date="20220104")
    ingest([later], folder / "index", IngestOptions(workers=1))
    draw_design(1, 0).save(folder / "sketch.png")
    return folder


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    with open_index(folder / "index") as opened:
        yield opened


def filed(engine: Engine, cover: Cover = COVER, **options: object) -> SearchRecord:
    path = engine.path.parent / "sketch.png"
    question = Question.of([Picture(str(path), path)], **options)
    return SearchRecord.of(engine, search(engine, question)).filed(engine, cover)


def texts(engine: Engine, record: SearchRecord) -> list[str]:
    """The record as a page and as PDF, blanks joined."""
    pdf = " ".join(page.extract_text() for page in PdfReader(BytesIO(render_pdf(record, engine.thumbnails))).pages)
    return [" ".join(text.split()) for text in (render_page(record, engine.thumbnails), pdf)]


def test_both_forms_say_what_an_exhibit_needs(engine: Engine) -> None:
    for text in texts(engine, filed(engine, top=5)):
        for said in (
            "Chairs with arms", "ACME-0123", "A. Möller", "The arms matter.", "The seat does not.", "sketch.png",
            "12 patents", "2021-01-05 to 2022-01-04", "What the scores mean", "same drawing (from 0.91)",
            "far (below 0.43)", "not a probability",
        ):  # fmt: skip
            assert said in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/home/me/a.png", "a.png"), ("C:\\me\\a.png", "a.png"), ("me\\x9\\a.png", "a.png"), ("folder/", "folder"),
        ("caf\\xe9.png", "caf\\xe9.png"), ("/home/me/caf\\xe9.png", "caf\\xe9.png"), ("a:b.png", "a:b.png"),
        ("C:\\me\\xe9.png", "xe9.png"),
    ],
)  # fmt: skip
def test_a_name_is_shown_without_its_folders(name: str, shown: str) -> None:
    assert describe._without_folder(name) == shown


def test_no_form_has_a_local_path(engine: Engine) -> None:
    record = filed(engine)
    assert any(str(engine.path.parent) in picture.name for picture in record.pictures)  # else this shows nothing
    for text in texts(engine, record):
        assert "secret-client" not in text
        assert str(engine.path.parent) not in text


def test_ranks_are_in_order_and_marked_ones_have_their_section(engine: Engine) -> None:
    plain = filed(engine)
    first, last = plain.hits[1].drawing.id, plain.hits[-1].drawing.id
    record = filed(engine, top=4, relevant=[first], irrelevant=[last])
    assert last.rsplit("-", 2)[0] not in {hit.patent for hit in record.hits}
    page, pdf = texts(engine, record)
    for text in (page, pdf):
        section, results = re.split(r"4 patents found", text)
        section = section.partition("Marked by the searcher")[2]
        assert "not among the 4 results shown" in section
        assert last.rsplit("-", 2)[0] in section
        assert [int(n) for n in re.findall(r"\b(\d+)\. (?:<a[^>]*>)?\s*USD", results)] == [1, 2, 3, 4]
    drawn = render_page(record, engine.thumbnails)
    assert drawn.partition("4 patents found")[0].count("<img") == 1 + 2  # the query and both marked drawings


def test_a_collection_is_described(engine: Engine) -> None:
    known = Collection.of(engine)
    assert (known.patents, known.undated) == (12, 0)
    assert known.granted == (date(2021, 1, 5), date(2022, 1, 4))
    assert len(known.sources) == 2
    assert not any("/" in name for name in known.sources)
    assert known.ingested.startswith("20")


@pytest.mark.parametrize(
    ("cover", "name"),
    [
        (COVER, "ACME-0123 Chairs with arms 2026-11-30.pdf"),
        (Cover(), "patent search 2026-11-30.pdf"),
        (Cover(docket="../../etc/passwd"), "etc-passwd 2026-11-30.pdf"),
        (Cover(title='a"b;c\r\nx: y'), "a-b-c-x- y 2026-11-30.pdf"),
        (Cover(docket="CON" * 30), f"{('CON' * 30)[:80]} 2026-11-30.pdf"),
        (Cover(title="椅子"), "椅子 2026-11-30.pdf"),
    ],
)
def test_a_file_name_says_what_it_is(cover: Cover, name: str) -> None:
    assert cover.file_name("pdf", "2026-11-30") == name


def test_a_cover_has_bounds() -> None:
    with pytest.raises(UsageError, match="notes of the record is longer than 4000"):
        Cover(notes="x" * 4001)


def test_the_command_writes_the_cover(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = ["query", str(folder / "sketch.png"), "--index", str(folder / "index"), "--docket", "ACME-0123"]
    with pytest.raises(SystemExit) as stop:
        main([*query, "--title", "Chairs", "--html", str(tmp_path / "r.html")])
    assert not stop.value.code
    page = (tmp_path / "r.html").read_text()
    assert "ACME-0123" in page
    assert "<h1>Chairs</h1>" in page
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(query)
    assert stop.value.code == 2
    assert "--html FILE" in capsys.readouterr().err
