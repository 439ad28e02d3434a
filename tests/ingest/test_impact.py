"""Tables of the IMPACT dataset: a row is a patent, its sheets are found by name, what is wrong is said by line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from register_makers import IMPACT_COLUMNS, IMPACT_SHEETS, impact, packed, picture, unpacked

from patsearch.classification import ClassCode
from patsearch.engine import open_index
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.sources import Problem, SourceOptions, open_source
from patsearch.ingest.sources.designs import DesignUnit
from patsearch.ingest.sources.impact import ImpactSource


def units(path: Path) -> tuple[list[DesignUnit], list[Problem]]:
    found = list(ImpactSource(path, SourceOptions()).units())
    return [u for u in found if isinstance(u, DesignUnit)], [p for p in found if isinstance(p, Problem)]


def images() -> dict[str, bytes]:
    return {f"images/{name[:-4]}.png": picture(n) for n, name in enumerate(IMPACT_SHEETS)}


def test_a_year_is_ingested(tmp_path: Path) -> None:
    unpacked(tmp_path / "impact", {"2022.csv": impact(), **images()})
    report = ingest([tmp_path / "impact"], tmp_path / "index", IngestOptions(workers=1))
    assert (report.failed, report.patents, report.kinds) == ([], 1, {str(tmp_path / "impact"): ("impact",)})
    with open_index(tmp_path / "index") as engine:
        drawings, _ = engine.drawings_of("D939,806")
    assert [(d.id, d.figure, d.view) for d in drawings] == [
        ("USD939806-D00001-1", "1", "a perspective view of a shoe"),
        ("USD939806-D00002-1", "2", "a front view thereof"),
    ]
    assert (drawings[0].title, drawings[0].granted) == ("Shoe, for running", date(2022, 1, 4))
    assert drawings[0].classes == (ClassCode("uspc", "D2/947"), ClassCode("uspc", "D2/902"))
    assert drawings[0].expires == date(2037, 1, 4)  # as of every US design


def test_sheets_in_a_zip(tmp_path: Path) -> None:
    unpacked(tmp_path, {"2022.csv": impact()})
    packed(tmp_path / "images.zip", images())
    (unit,), problems = units(tmp_path)
    assert ([sheet.name for sheet in unit.load().sheets], problems) == (["D00001", "D00002"], [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "none"}, "line 3: 'none' is not the number of a patent; left out"),
        ({"file_names": "[" * 1000}, "line 3: file_names is not a list of texts; left out"),
        ({"file_names": "['a'] + open('x')"}, "line 3: file_names is not a list of texts; left out"),
        ({"fig_desc": "['" + "x" * (2 << 20) + "']"}, "line 3: fig_desc is not a list of texts; left out"),
        ({"claim": "a\0b"}, "line 3: a value has a NUL in it; left out"),
    ],
)
def test_a_bad_row_is_left_out(changes: dict[str, str], reason: str, tmp_path: Path) -> None:
    bad = {"id": "D0939807", "title": "Lamp\nshade"} | changes
    good = {"title": "Shoe"}
    unpacked(tmp_path, {"2022.csv": impact(bad, good), **images()})
    found, problems = units(tmp_path)
    assert [unit.key for unit in found] == ["USD939806"]
    assert [problem.reason for problem in problems] == [reason]


def test_a_table_that_cannot_be_read_on_is_one_line(tmp_path: Path) -> None:
    unpacked(
        tmp_path,
        {
            "a.csv": ",".join([*IMPACT_COLUMNS, *(f"c{n}" for n in range(1_000_000))]) + "\n",
            "b.csv": impact() + '"Shoe" x,D0939808\n',
            "c.csv": impact({"id": "D0939810"}).encode() + b"\xff\n",
            "d.csv": impact({"id": "D0939811"}, {"id": "D0939812"})[:-100],
            "e.csv": ",".join(IMPACT_COLUMNS) + "\n" + "x" * (9 << 20),
            **images(),
        },
    )
    found, problems = units(tmp_path)
    assert [unit.key for unit in found] == ["USD939806", "USD939810", "USD939811"]
    assert {Path(p.where).name: p.reason.split(" (")[0] for p in problems} == {
        "a.csv": "the table has 1,000,012 columns, more than the 200 allowed",
        "b.csv": "not a readable table",
        "c.csv": "not in UTF-8",
        "d.csv": "not a readable table",
        "e.csv": "a line has more than 8 million characters",
    }
    assert all("\n" not in problem.reason for problem in problems)


def test_a_file_name_that_leaves_the_folder_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture(1))
    folder = unpacked(tmp_path / "impact", {"2022.csv": impact({"file_names": "['../secret.png']"}), **images()})
    (unit,), _ = units(folder)
    assert unit.pictures == ()


def test_other_tables_are_not_of_this_kind(tmp_path: Path) -> None:
    unpacked(tmp_path, {"metadata.csv": "patent,title\nD939806,Shoe\n", "USD939806/1.png": picture(1)})
    assert [type(unit).__name__ for unit in open_source(tmp_path).units()][:1] == ["PatentFiles"]
