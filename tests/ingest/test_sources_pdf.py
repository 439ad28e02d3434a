"""PDFs as a source: their drawings are sheets, the front page gives the data, other pages are said to be left out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from makers import draw_design
from pdf_makers import encrypted, front_page, pdf_bytes, scanned, text_page

from patsearch.engine import open_index
from patsearch.errors import SourceError
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.sources import Unit, open_source
from patsearch.types import Patent

SHEETS = [scanned(draw_design(seed, 0)) for seed in (1, 2)]


def load(path: Path) -> Patent:
    (unit,) = open_source(path).units()
    assert isinstance(unit, Unit)
    return unit.load()


def test_a_patent_with_its_front_page(tmp_path: Path) -> None:
    (tmp_path / "scan0001.pdf").write_bytes(pdf_bytes([front_page(), *SHEETS, text_page()]))
    patent = load(tmp_path / "scan0001.pdf")
    assert (patent.number, patent.kind, patent.title) == ("USD939806", "S1", "Shaving blade cartridge")
    assert (patent.granted, patent.filed) == (date(2022, 1, 4), date(2020, 8, 21))
    assert {str(code.code) for code in patent.classes} >= {"28-03", "D28/47", "D28/46"}
    assert [caption.figure for caption in patent.captions] == ["1", "2", "3"]
    assert [sheet.name for sheet in patent.sheets] == ["page2", "page3"]
    assert any("front page" in remark for remark in patent.remarks)


def test_the_number_of_the_file_or_folder_counts_for_more_than_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "USD900001"
    folder.mkdir()
    (folder / "front.pdf").write_bytes(pdf_bytes([front_page(), SHEETS[0]]))
    (folder / "side.pdf").write_bytes(pdf_bytes([SHEETS[1]]))
    patent = load(tmp_path)
    assert (patent.number, patent.title) == ("USD900001", "")
    assert [sheet.name for sheet in patent.sheets] == ["front-page2", "side-page1"]
    assert any("another number, USD939806" in remark for remark in patent.remarks)


def test_ingested_and_found(tmp_path: Path) -> None:
    for seed in range(3):
        data = pdf_bytes([text_page(), scanned(draw_design(seed, 0))])
        (tmp_path / f"USD90000{seed}.pdf").write_bytes(data)
    report = ingest([tmp_path], tmp_path.with_name("index"), IngestOptions(workers=1))
    assert (report.patents, report.drawings, report.failed) == (3, 3, [])
    with open_index(tmp_path.with_name("index")) as engine:
        assert engine.search(draw_design(1, 0))[0].patent == "USD900001"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7\nnothing", "PDF"),
        (encrypted(pdf_bytes(SHEETS)), "password"),
        (pdf_bytes([text_page()]), "no drawings found"),
    ],
    ids=["damaged", "encrypted", "text alone"],
)
def test_what_has_no_drawing_is_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "USD900001.pdf").write_bytes(data)
    with pytest.raises(SourceError, match=reason) as found:
        load(tmp_path)
    assert "\n" not in str(found.value)
