"""Folders of images, name patterns and tables of metadata."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
from makers import draw_design

from patsearch.errors import SourceError, UsageError
from patsearch.ingest.sources import Problem, SourceOptions, Unit, open_source
from patsearch.ingest.sources.images import compile_pattern
from patsearch.ingest.sources.metadata import COLUMNS, read_metadata


def folder_of(root: Path, *names: str) -> Path:
    for n, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        draw_design(n, 0, (90, 120)).save(root / name)
    return root


def sheets_of(root: Path, **options: object) -> tuple[dict[str, list[str]], list[str]]:
    """Patent -> names of its sheets, and the problems."""
    found = list(open_source(root, kind="images", options=SourceOptions(**options)).units())  # type: ignore[arg-type]
    patents = [u.load() for u in found if isinstance(u, Unit)]
    return {p.number: [s.name for s in p.sheets] for p in patents}, [str(p) for p in found if isinstance(p, Problem)]


def test_a_sub_folder_is_a_patent_and_a_loose_file_too(tmp_path: Path) -> None:
    folder_of(
        tmp_path, "USD0907292/2.png", "USD0907292/10.png", "own design/a.jpg", "D907,293.png", "set/x/USD1000/1.gif"
    )
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image either")
    source = open_source(tmp_path)
    assert (source.name, source.total()) == ("images", 4)
    assert sheets_of(tmp_path) == (
        {"own design": ["a"], "USD1000": ["1"], "USD907292": ["2", "10"], "USD907293": ["D907-293"]},
        [
            f"{tmp_path}: 1 files left out (.txt): not images of a known format; for example notes.txt",
            f"{tmp_path}: 1 hidden files left out",
        ],
    )


def test_a_single_image_is_a_source(tmp_path: Path) -> None:
    folder_of(tmp_path, "USD0907292.png", "other.png")
    assert open_source(tmp_path / "USD0907292.png").total() == 1
    assert sheets_of(tmp_path / "USD0907292.png") == ({"USD907292": ["USD0907292"]}, [])


def test_folders_of_one_name_are_not_joined(tmp_path: Path) -> None:
    folder_of(tmp_path, "A/views/1.png", "B/views/1.png")
    patents, problems = sheets_of(tmp_path)
    assert patents == {"views": ["1"]}
    assert problems[0].startswith(f"{tmp_path}/B/views: another folder gives a patent of the same name")
    assert sheets_of(tmp_path, pattern="{patent}/views/{figure}.png") == ({"A": ["1"], "B": ["1"]}, [])


@pytest.mark.parametrize(
    "pattern",
    [
        "{patent}_{figure}.png",
        "{patent}_{figure}",
        r"(?P<patent>[^_]+)_(?P<figure>\d+[A-Z]?)",
        r".*/?(?P<patent>USD\d+)_(?P<figure>\w+)\.png",
    ],
)
def test_patterns(tmp_path: Path, pattern: str) -> None:
    folder_of(tmp_path, "USD0907292_2.png", "USD0907292_10A.png", "sub/USD0907293_1.png", "cover.png")
    patents, problems = sheets_of(tmp_path, pattern=pattern)
    assert patents == {"USD907292": ["2", "10A"], "USD907293": ["1"]}
    assert problems == [f"{tmp_path}/cover.png: the name does not match the pattern; 1 images are left out"]


def test_names_of_sheets_are_safe_in_a_url(tmp_path: Path) -> None:
    folder_of(tmp_path, "A/vue de côté #1.png", "A/vue de c té #1.png", "A/é.png")
    assert sheets_of(tmp_path)[0] == {"A": ["vue-de-c-t-1", "vue-de-c-t-1-2", "sheet"]}


def test_sheets_of_one_name_get_a_number(tmp_path: Path) -> None:
    folder_of(tmp_path, "A/1.png", "A/1.gif", "A/1.jpg")
    assert sheets_of(tmp_path) == ({"A": ["1", "1-2", "1-3"]}, [])


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("{figure}.png", "does not say where the patent is"),
        ("{patent}_{page}", "unknown part {page}"),
        ("(?P<patent>[a-z", "cannot be read"),
        ("{patent}_{patent}", "cannot be read"),
        ("*.png", "does not say where the patent is"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused_at_once(tmp_path: Path, pattern: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_source(folder_of(tmp_path, "a.png"), options=SourceOptions(pattern=pattern))


def test_template_text_is_literal() -> None:
    assert compile_pattern("{patent}.v+1 (*)").fullmatch("X.v+1 (any)")
    assert not compile_pattern("{patent}.png").fullmatch("Xapng")


CSV = """patent,Title,kind,granted,filed,locarno,uspc,cpc,ipc,colour
"D907,292",Razor  cartridge,S1,2021-01-05,20190220,28-03,D28/47; D28/8.1,,,red
US12448135,Aircraft,B2,2025-10-21,,,345/173,G06F 3/01|B64U10/13,B64U 10/13,
"""
TSV = CSV.replace(",", "\t").replace('"D907\t292"', "D907292")
JSONL = "\n\n".join(
    json.dumps(row)
    for row in (
        {
            "patent": "USD0907292 S1",
            "title": "Razor cartridge",
            "kind": "S1",
            "granted": "2021-01-05",
            "filed": "2019-02-20",
            "locarno": ["28-03"],
            "uspc": ["D28-47", "D28/8.1"],
            "cpc": None,
        },
        {
            "patent": "US 12,448,135 B2",
            "title": "Aircraft",
            "kind": "B2",
            "granted": "2025-10-21",
            "uspc": "345/173",
            "cpc": "G06F3/01;B64U10/13",
            "ipc": "B64U10/13",
        },
    )
)


@pytest.mark.parametrize(
    ("name", "text"), [("m.csv", CSV), ("m.tsv", TSV), ("m.jsonl", JSONL), ("m.CSV", "\ufeff" + CSV)]
)
def test_tables_of_every_kind_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    metadata = read_metadata(tmp_path / name)
    assert metadata.problems == []
    first, second = metadata.patents.values()
    assert (first.number, first.title, first.kind) == ("USD907292", "Razor cartridge", "S1")
    assert (first.granted, first.filed) == (date(2021, 1, 5), date(2019, 2, 20))
    assert [str(c) for c in first.classes] == ["locarno:28-03", "uspc:D28/47", "uspc:D28/8.1"]
    assert (second.number, second.filed) == ("US12448135", None)
    assert [str(c) for c in second.classes] == ["uspc:345/173", "cpc:G06F3/01", "cpc:B64U10/13", "ipc:B64U10/13"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", "SEP={}\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_write_them(tmp_path: Path, separator: str, first: str, encoding: str) -> None:
    rows = [["Patent", "title", "granted"], ["D907292", f'"Stuhl{separator} groß"', "2021-01-05 00:00:00"]]
    text = first.format(separator) + "".join(separator.join(row) + "\r\n" for row in rows)
    (tmp_path / "m.csv").write_bytes(text.encode(encoding))
    metadata = read_metadata(tmp_path / "m.csv")
    assert metadata.problems == []
    (patent,) = metadata.patents.values()
    assert (patent.title, patent.granted) == (" ".join(f"Stuhl{separator} groß".split()), date(2021, 1, 5))


def test_what_programs_write_around_values_and_for_none(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text(
        '\n"sep=;"\n\npatent;title;kind;uspc;granted\n'
        '="D907292";nan;<NA>;NaN|D28/47;#N/A\n12448135.0;"=""1.50""";None;null;２０２１–０１–０５\n---;---;---;---;---\n',
        encoding="utf-8",
    )
    metadata = read_metadata(table)
    assert [str(p).partition(", ")[2] for p in metadata.problems] == ["line 7: the row names no patent; left out"]
    first, second = metadata.patents.values()
    assert (first.number, first.title, first.kind, first.granted) == ("USD907292", "", "", None)
    assert [str(code) for code in first.classes] == ["uspc:D28/47"]
    assert (second.number, second.title, second.granted) == ("12448135", "1.50", date(2021, 1, 5))
    assert second.classes == ()


def test_the_separator_that_is_said_may_be_wrong(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("sep=;\npatent,title\nD907292,Chair\n")
    assert read_metadata(tmp_path / "m.csv").patents["USD907292"].title == "Chair"


def test_a_line_of_json_without_a_patent_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"title": "A"}\n{"patent": "D907292"}\n{"patent": null}\n')
    metadata = read_metadata(tmp_path / "m.jsonl")
    assert list(metadata.patents) == ["USD907292"]
    assert [p.where.partition(", ")[2] for p in metadata.problems] == ["line 1", "line 3"]


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2007-01-02 00:00:00", date(2007, 1, 2)),
        ("2007-01-02T00:00:00", date(2007, 1, 2)),
        ("2007-01-02T00:00:00.000Z", date(2007, 1, 2)),
        ("2007-01-02T00:00:00+00:00", date(2007, 1, 2)),
        ("2007/01/02", date(2007, 1, 2)),
        ("20070102.0", date(2007, 1, 2)),
        ("1167696000000", date(2007, 1, 2)),
        (1167696000000, date(2007, 1, 2)),
        (20070102.0, date(2007, 1, 2)),
        (float("nan"), None),
        ("NaT", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_as_pandas_writes_them(tmp_path: Path, written: object, day: date | None) -> None:
    (tmp_path / "m.jsonl").write_text(json.dumps({"patent": "D907292", "granted": written}))
    (tmp_path / "m.csv").write_text(f"patent,granted\nD907292,{'' if written is None else written}\n")
    for name in ("m.jsonl", "m.csv"):
        metadata = read_metadata(tmp_path / name)
        assert metadata.problems == []
        assert metadata.patents["USD907292"].granted == day


def test_bad_values_and_rows_are_named_by_their_line(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text(
        "patent,granted,uspc\nUSD907292,soon,D28/47;chair\n,2020-01-01,\nD907292,,\nUSD907293,2020-02-30,\nUSD907294,01/02/2007,\n"
        "USD907295,2020-01-01,D28/47,D28/48\nUSD907296,2020,\n"
    )
    metadata = read_metadata(path)
    assert [str(p).partition(", ")[2] for p in metadata.problems] == [
        "line 2: 'soon' is not a date (write 2015-03-24)",
        "line 2: 'chair' is not a uspc code",
        "line 3: the row names no patent; left out",
        "line 4: USD907292 occurs twice; the first row counts",
        "line 5: '2020-02-30' is not a date (write 2015-03-24)",
        "line 6: '01/02/2007' is not a date (write 2015-03-24)",
        "line 7: more values than the header has columns; left out (put values with separators in quotes)",
        "line 8: '2020' is not a date (write 2015-03-24)",
    ]
    assert [str(c) for c in metadata.patents["USD907292"].classes] == ["uspc:D28/47"]
    lines = tmp_path / "m.jsonl"
    lines.write_text('{"patent": "A"}\n[1]\n{"patent": \n' + "[" * 100_000 + '\n{"patent": {"a": 1}}\n')
    metadata = read_metadata(lines)
    assert list(metadata.patents) == ["A"]
    assert [p.where.partition(", ")[2] for p in metadata.problems] == ["line 2", "line 3", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("m.csv", b"number,title\nA,B\n", "line 1: there is no column 'patent'"),
        ("m.csv", b"sep=;\nnumber;title\nA;B\n", "line 2: there is no column 'patent'"),
        ("m.csv", b"\n\nnumber,title\nA,B\n", "line 3: there is no column 'patent'"),
        ("m.csv", b"patent,title,title\nA,B,C\n", "line 1: the column 'title' occurs twice"),
        ("m.csv", b"\xff\xfep\0a", "not in UTF-8"),
        ("m.csv", b"", "the table is empty"),
        ("m.csv", b"patent\n\xff\xfe\n", "not in UTF-8"),
        ("m.csv", b'patent\nB\n"A\n', "line 3: not a readable row"),
        ("m.csv", b'patent,title\nA,"5" table"\n', "line 2: not a readable row"),
        ("m.csv", b"patent\n" + b"A" * 200_000, "line 2: not a readable row"),
        ("m.csv", b"patent," + b"A" * 200_000, "line 1: there is no column 'patent'"),
        ("m.xlsx", b"PK", "unknown kind of table '.xlsx'"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says):
        read_metadata(tmp_path / name)
    with pytest.raises(SourceError, match="cannot be read"):
        read_metadata(tmp_path / "gone.csv")


def test_metadata_reach_the_patents(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", "USD0907292/1.png", "unlisted.png")
    table = tmp_path / "m.csv"
    table.write_text(CSV)
    options = SourceOptions(metadata=table)
    found = list(open_source(tmp_path / "images", options=options).units())
    patents = {p.number: p for u in found if isinstance(u, Unit) for p in [u.load()]}
    assert (patents["USD907292"].title, patents["USD907292"].granted) == ("Razor cartridge", date(2021, 1, 5))
    assert patents["unlisted"].title == ""
    (problem,) = [p for p in found if isinstance(p, Problem)]
    assert problem.reason == "no images of 1 patents of this table, for example US12448135"


def test_other_data_are_another_fingerprint(tmp_path: Path) -> None:
    folder_of(tmp_path / "images", "USD0907292/1.png")
    table = tmp_path / "m.csv"

    def fingerprint(text: str) -> str:
        table.write_text(text)
        (unit,) = open_source(tmp_path / "images", options=SourceOptions(metadata=table)).units()
        assert isinstance(unit, Unit)
        return unit.fingerprint

    first = fingerprint("patent,title\nD907292,Razor\n")
    assert fingerprint("patent,title\nUSD0907292,Razor\n") == first
    assert fingerprint("patent,title\nD907292,Razors\n") != first


@pytest.mark.data
def test_the_single_figures_of_2007(data_dir: Path, tmp_path: Path) -> None:
    """With their table, once it has a header; its class codes are written D1-121."""
    folder = data_dir / "single-figures-2007"
    table = tmp_path / "2007.tsv"
    table.write_text("patent\tuspc\ttitle\n" + (folder / "metadata_2007.txt").read_text(encoding="utf-8"))
    found = list(open_source(folder, options=SourceOptions(metadata=table)).units())
    units = [u for u in found if isinstance(u, Unit)]
    assert len(units) == 544
    patents = [u.load() for u in units]
    assert all(len(p.sheets) == 1 and p.title and p.number.startswith("USD53") for p in patents)
    assert all(len(p.classes) == 1 and p.classes[0].scheme == "uspc" for p in patents)


def test_the_documented_columns_are_those_that_are_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    table = page.partition("## Metadata")[2].partition("\n    patent,")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [name for cell in cells for name in re.findall(r"`(\w+)`", cell)] == list(COLUMNS)
