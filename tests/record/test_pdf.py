"""The record as PDF, read back by another library."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from makers import draw_design, week
from pypdf import PdfReader

from patsearch.cli import main
from patsearch.engine import Picture, Question, Thumbnails, open_index, search
from patsearch.errors import PluginError
from patsearch.filters import parse_filter
from patsearch.ingest import IngestOptions, ingest
from patsearch.record import SearchRecord, fonts, pdf, render_pdf
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


def make_font(path: Path, letters: str) -> None:
    """A font in which every letter is a box."""
    names = {ord(letter): f"u{ord(letter):04X}" for letter in letters}
    pen = TTGlyphPen(None)
    for point, step in (((0, 0), pen.moveTo), ((0, 700), pen.lineTo), ((500, 700), pen.lineTo), ((500, 0), pen.lineTo)):
        step(point)
    pen.closePath()
    box = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    order = [".notdef", *names.values()]
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys(order, box))
    builder.setupHorizontalMetrics(dict.fromkeys(order, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular", "psName": path.stem})
    builder.setupOS2(sTypoAscender=800)
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def font_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only folder of fonts."""
    monkeypatch.setattr(fonts, "_FOLDERS", (str(tmp_path),))
    fonts.font_files.cache_clear()
    yield tmp_path
    fonts.font_files.cache_clear()


ASCII = "".join(map(chr, range(0x20, 0x7F)))


def shown(title: str, index: Path) -> str:
    with open_index(index) as engine:
        return "".join("".join(read(render_pdf(hostile(title), engine.thumbnails))).split())


def test_without_a_font_letters_become_question_marks(index: Path, font_folder: Path) -> None:
    assert "Ein???füré" in shown("Ein 椅子椅 für é", index)


def test_letters_come_from_the_fonts_that_have_them(index: Path, font_folder: Path) -> None:
    make_font(font_folder / "Plain.ttf", ASCII + "\ufffdé")
    make_font(font_folder / "NotoSansSC-Regular.ttf", "椅子")
    make_font(font_folder / "NotoSansKR-Regular.ttf", "효자" + ASCII)
    make_font(font_folder / "NotoEmoji-Regular.ttf", "🪑")
    (font_folder / "NotoSansBroken.ttf").write_bytes(b"\0\1\0\0" + b"x" * 100)
    (font_folder / "empty.otf").write_bytes(b"")
    assert "é椅子효자🪑.\ufffd" in shown("é 椅子 효자 🪑\ufe0f. ก", index)
    # As few as are needed: of the others nothing is embedded.
    assert [file.name for file in fonts.fonts_for("abc")] == ["NotoSansKR-Regular.ttf"]


def test_arabic_is_joined(index: Path) -> None:
    pytest.importorskip("uharfbuzz")
    if not any(fonts.covered(file) >= {ord("ك")} for file in fonts.font_files()):
        pytest.skip("no font with Arabic letters")
    with open_index(index) as engine:
        writer = pdf._Writer(hostile("كرسي"), engine.thumbnails)
        (text,) = read(writer.write())
    assert writer.pdf.text_shaping is not None
    assert {ord(letter) for letter in "كرسي"} <= writer.letters
    assert "كرسي" in text


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
