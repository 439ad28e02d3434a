"""The bibliography of a front page's text, and of a table's columns."""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path

import pytest
from pdf_makers import front_page, pdf_bytes, scanned
from PIL import Image, ImageDraw

from patsearch.bibliography import MOST_CITATIONS, Bibliography, Citation, Party, Protection, Related
from patsearch.engine import open_index
from patsearch.filters import parse_filter
from patsearch.ingest import IngestOptions, add_bibliographies, ingest
from patsearch.ingest.frontpage import read_front_page
from patsearch.ingest.sources import SourceOptions
from patsearch.ingest.sources.metadata import read_metadata

FRONT = """(12) United States Design Patent (10) Patent No.: US D907,292 S
Möller et al. (45) Date of Patent: ** Jan. 5, 2021
(54) CHAIR
(71) Applicant: Made Up Holdings Ltd., London (GB)
(72) Inventors: Ada B. Möller, Ames, IA (US); Min
Li, Wuxi (CN); Karl von der Heide, Jr., Boise, ID (US)
(73) Assignee: Made Up, Inc., Ames, IA (US)
( * ) Notice: This patent is subject to a terminal disclaimer.
(**) Term: 15 Years
(21) Appl. No.: 29/736,594
(22) Filed: May 29, 2020
Related U.S. Application Data
(62) Division of application No. 29/736,593, filed on May 28, 2020, now Pat. No. D886,311.
(51) LOC (13) Cl. ................ 06-01
(52) U.S. Cl.
USPC ........ D6/334
(56) References Cited
U.S. PATENT DOCUMENTS
D235,908 S * 7/1975 Rosenwach ............ D6/335
4,621,424 A 11/1986 Jones
2004/0040082 A1 † 3/2004 Ash
(Continued)
FOREIGN PATENT DOCUMENTS
CN 304567890 S * 3/2018
OTHER PUBLICATIONS
A catalogue of 12/2018, page 1234.
* cited by examiner
Primary Examiner — Jane Doe
(74) Attorney, Agent, or Firm — Reader & Co., P.C.
(57) CLAIM
The ornamental design for a chair, as shown and described.
"""


def test_a_front_page() -> None:
    patent = read_front_page(FRONT)
    assert (patent.number, patent.title, patent.granted) == ("USD907292", "Chair", date(2021, 1, 5))
    assert patent.bibliography == Bibliography(
        owners=(Party("Made Up, Inc.", "US"),),
        inventors=(Party("Ada B. Möller", "US"), Party("Min Li", "CN"), Party("Karl von der Heide, Jr.", "US")),
        agents=(Party("Reader & Co., P.C."),),
        citations=(
            Citation("USD235908", "examiner"),
            Citation("US4621424", "applicant"),
            Citation("US20040040082", "third party"),
            Citation("CN304567890", "examiner"),
        ),
        related=(Related("division", "29/736,593", date(2020, 5, 28), "USD886311"),),
        years=15,
    )


def test_an_older_front_page() -> None:
    text = "(11) Patent Number: Des. 301,456\n(75) Inventor: John Doe, Ames, Iowa\n(56) D. 234,567 1/1975 Smith\n"
    found = read_front_page(text + "Des. 298,123 10/1988 Jones ... D6/335\n(57) CLAIM").bibliography
    assert found == Bibliography(
        inventors=(Party("John Doe, Ames, Iowa"),), citations=(Citation("USD234567"), Citation("USD298123"))
    )


def test_without_fields_there_is_none() -> None:
    for text in ("", "(54) CHAIR", "(72) John Doe", "Inventors: nobody", "(56)", "(73) Assignee: ", "(**) Term: many"):
        assert read_front_page(text).bibliography is None, text


def test_a_hostile_front_page_costs_little() -> None:
    start = time.process_time()
    for text in ("(56) " * 10**5, "(56)" + "D123,456 S * 1/2000 " * 10**5, "(72) Inventors: " + "A, B (US);" * 10**5,
                 "(72) Inventors:" + " " * 10**6, "(56)" + "1" * 10**6, "(56)" + "1,2-3/" * 10**5):  # fmt: skip
        patent = read_front_page(text)
        assert patent.bibliography is None or len(patent.bibliography.citations) <= MOST_CITATIONS
    assert time.process_time() - start < 60


def test_a_pdf_is_found_by_its_owner(tmp_path: Path) -> None:
    drawing = Image.new("L", (1200, 1600), 255)
    ImageDraw.Draw(drawing).rectangle((200, 300, 900, 1200), outline=0, width=6)
    (tmp_path / "d").mkdir()
    lines = FRONT.replace("†", "").replace("—", "-").splitlines()
    (tmp_path / "d" / "scan.pdf").write_bytes(pdf_bytes([front_page(lines), scanned(drawing)]))
    report = ingest([tmp_path / "d"], tmp_path / "index", IngestOptions(workers=1))
    assert report.patents == 1
    with open_index(tmp_path / "index") as engine:
        for text in ("owner=made up inc", "inventor~min li", "cites=D235908", "inforce=2026-11-28", "agent~reader"):
            assert engine.backend.count(parse_filter(text)) == 1, text


TABLE = """patent;granted;owner;country;inventor;agent;status;expires;cites;cites_examiner;cites_applicant
D907,292;2021-01-05;Made Up, Inc.|Other AG;US|CH;Ada Möller|Min Li;Reader & Co.;registered;2030-01-05;GB2071234;\
D235,908|D235909;US 4,621,424 A
D907293;2021-01-05;;;;;;;;;
D907294;2021-01-05;One;Germany;;;lapsed;31 Dec 2030;;;
D907295;;One|Two|Three;DE;;;;2030;;;
D907296;;One|Two|Three;DE|FR;;;;;;;
"""


def test_the_columns_of_a_table(tmp_path: Path) -> None:
    (path := tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    table = read_metadata(path)
    known = {number: patent.bibliography for number, patent in table.patents.items()}
    assert known["USD907292"] == Bibliography(
        owners=(Party("Made Up, Inc.", "US"), Party("Other AG", "CH")),
        inventors=(Party("Ada Möller"), Party("Min Li")),
        agents=(Party("Reader & Co."),),
        citations=(
            Citation("GB2071234", ""),
            Citation("USD235908", "examiner"),
            Citation("USD235909", "examiner"),
            Citation("US4621424", "applicant"),
        ),
        protections=(Protection("US", date(2021, 1, 5), date(2030, 1, 5)),),
        status="registered",
    )
    assert known["USD907293"] is None
    assert known["USD907294"] == Bibliography(owners=(Party("One"),), status="lapsed")
    assert known["USD907295"] is not None
    assert {party.country for party in known["USD907295"].owners} == {"DE"}
    said = [problem.reason for problem in table.problems]
    assert any("'GERMANY' is not the code of a country" in reason for reason in said)
    assert any("'31 Dec 2030' is not a date" in reason for reason in said)
    assert any("2 countries for 3 owners" in reason for reason in said)


def test_lists_in_json_lines_and_their_bounds(tmp_path: Path) -> None:
    row = {"patent": "D907292", "owner": ["A; B", "C"], "cites": [f"D{n}" for n in range(100_000, 106_000)]}
    (path := tmp_path / "t.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (patent,) = read_metadata(path).patents.values()
    assert patent.bibliography is not None
    assert [party.name for party in patent.bibliography.owners] == ["A; B", "C"]
    assert len(patent.bibliography.citations) == MOST_CITATIONS
    assert patent.remarks == ("more than 5,000 citations; the first 5,000 are read",)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    drawing = Image.new("L", (600, 600), 255)
    ImageDraw.Draw(drawing).ellipse((100, 100, 500, 400), outline=0, width=6)
    (tmp_path / "pictures").mkdir()
    for number in ("USD907292", "USD907294"):
        drawing.save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


def test_a_table_with_pictures_and_a_table_alone(pictures: Path, tmp_path: Path) -> None:
    """The columns come with `--metadata`; or later, as a source that describes an index."""
    (path := tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    ingest([pictures], tmp_path / "a", IngestOptions(workers=1, source=SourceOptions(metadata=path)))
    ingest([pictures], tmp_path / "b", IngestOptions(workers=1))
    report = add_bibliographies([path], tmp_path / "b", IngestOptions(workers=1))
    assert (report.patents, report.skipped) == (
        2,
        {"not in the index": 2, "nothing of a bibliography in the source": 1},
    )
    for index in ("a", "b"):
        with open_index(tmp_path / index) as engine:
            for text, count in {
                "owner~made": 1,
                "owner=one": 1,
                "status=lapsed": 1,
                "inforce=2026-11-28": 1,
                "expires=2030": 1,
                "citedby=D907292": 0,
                "cites=D235908": 1,
                "country=CH": 1,
            }.items():
                assert engine.backend.count(parse_filter(text)) == count, (index, text)
    again = add_bibliographies([path], tmp_path / "b", IngestOptions(workers=1))
    assert again.patents == 0
