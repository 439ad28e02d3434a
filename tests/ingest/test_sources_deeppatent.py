"""The DeepPatent layout and its lists."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from makers import draw_design

from patsearch.errors import SourceError
from patsearch.ingest.sources import Problem, SourceOptions, Unit, open_source
from patsearch.ingest.sources.deeppatent import read_list

LAYOUT = [
    "I20181127/USD0834581-20181127/USD0834581-20181127-D00000.png",
    "I20181127/USD0834581-20181127/USD0834581-20181127-D00002.png",
    "I20181127/USD0834581-20181127/USD0834581-20181127-D00010.png",
    "I20181127/USD0834581-20181127/USD0834581-20181127-D00012-1465.png",
    "I20181127/USD0834581-20181127/USD0834581-20181127-P00001.png",
    "I20180220/USD0810412-20180220/USD0810412-20180220-D00001.png",
]


def deeppatent(root: Path, names: list[str]) -> Path:
    image = draw_design(1, 0, (90, 120))
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / name)
    return root


def listed(root: Path, **options: object) -> tuple[list[Unit], list[Problem]]:
    found = list(open_source(root, options=SourceOptions(**options)).units())  # type: ignore[arg-type]
    return [u for u in found if isinstance(u, Unit)], [p for p in found if isinstance(p, Problem)]


def test_the_layout(tmp_path: Path) -> None:
    source = open_source(deeppatent(tmp_path, LAYOUT))
    assert (source.name, source.total()) == ("deeppatent", 2)
    units, problems = listed(tmp_path)
    assert problems == []
    assert [u.key for u in units] == ["USD0810412-20180220", "USD0834581-20181127"]
    patent = units[1].load()
    assert (patent.number, patent.granted) == ("USD834581", date(2018, 11, 27))
    assert [(s.name, s.front_page) for s in patent.sheets] == [
        ("D00000", True),
        ("D00002", False),
        ("D00010", False),
        ("D00012-1465", False),
        ("P00001", False),
    ]
    assert patent.sheets[0].data == (tmp_path / LAYOUT[0]).read_bytes()
    assert units[1].size == sum((tmp_path / name).stat().st_size for name in LAYOUT[:5])


def test_a_patent_spread_over_folders_is_one(tmp_path: Path) -> None:
    """Copies exist that are flat, or split into a folder of queries and one of the gallery."""
    names = [f"{'query' if n % 2 else 'db'}/{Path(name).name}" for n, name in enumerate(LAYOUT[:4])]
    units, _ = listed(deeppatent(tmp_path, names))
    assert [s.name for s in units[0].load().sheets] == ["D00000", "D00002", "D00010", "D00012-1465"]
    assert len(units) == 1


def test_lists_choose_what_is_read(tmp_path: Path) -> None:
    deeppatent(tmp_path, LAYOUT)
    queries, gallery = tmp_path / "query.txt", tmp_path / "db.txt"
    queries.write_text(f"{LAYOUT[1]} 1\n")
    gallery.write_text(f"{LAYOUT[2]} 1\n{LAYOUT[5]} 2\nI20180220/gone.png 2\n{LAYOUT[2]} 1\n")
    units, problems = listed(tmp_path, lists=(queries, gallery))
    assert [[s.name for s in u.load().sheets] for u in units] == [["D00001"], ["D00002", "D00010"]]
    assert [str(p) for p in problems] == [f"{gallery}: 1 listed files are missing, for example I20180220/gone.png"]
    (everything,) = [u for u in listed(tmp_path)[0] if u.key == "USD0834581-20181127"]
    assert units[1].fingerprint != everything.fingerprint


def test_lists_as_other_programs_write_them(tmp_path: Path) -> None:
    for text in (
        "\ufeffa/b.png 1\na/c.png 2\n",
        "a/b.png,1\r\na/c.png, 2\r\n",
        "./a/b.png\t1\na\\c.png\t2\n",
        '"a/b.png",1\n"a/c.png";"2"\n',
    ):
        (tmp_path / "list.txt").write_bytes(text.encode())
        assert read_list(tmp_path / "list.txt") == [("a/b.png", 1), ("a/c.png", 2)]


def test_metadata_adds_titles_and_classes(tmp_path: Path) -> None:
    deeppatent(tmp_path, LAYOUT)
    table = tmp_path / "titles.csv"
    table.write_text('patent,title,uspc\n"D834,581",Chair,D6/334\n')
    units, _ = listed(tmp_path, metadata=table)
    patent = units[1].load()
    assert (patent.title, patent.granted, str(patent.classes[0])) == ("Chair", date(2018, 11, 27), "uspc:D6/334")
    assert units[0].load().title == ""


def test_a_sheet_that_is_gone_is_a_problem_of_the_patent(tmp_path: Path) -> None:
    units, _ = listed(deeppatent(tmp_path, LAYOUT))
    (tmp_path / LAYOUT[1]).unlink()
    patent = units[1].load()
    assert len(patent.sheets) == 4
    assert "D00002.png: cannot be read" in patent.problems[0]
    (tmp_path / LAYOUT[5]).unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        units[0].load()


def test_a_list_is_path_and_label(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("a/b.png 3\n\n./a/c d.png\t12\na\\e.png 1\n")
    assert read_list(path) == [("a/b.png", 3), ("a/c d.png", 12), ("a/e.png", 1)]


@pytest.mark.parametrize("line", ["a/b.png", "a/b.png x", "../b.png 1", "a/../../b.png 1", "/etc/b.png 1", "1"])
def test_a_line_that_is_none_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"a/b.png 1\n{line}\n")
    with pytest.raises(SourceError, match=r"list\.txt, line 2: not a relative path and a label"):
        read_list(path)


def test_what_is_no_list_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_list(tmp_path / "gone.txt")
    with pytest.raises(SourceError, match="cannot be read"):
        read_list(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00 1\n")
    with pytest.raises(SourceError, match="not a text file"):
        read_list(tmp_path / "bytes")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "lines", "patents"),
    [
        ("test_db_patent.txt", 38_834, 6_927),
        ("test_query_patent.txt", 13_133, 6_927),
        ("train_patent_val.txt", 44_815, 5_888),
        ("val_db_patent.txt", 33_544, 5_888),
        ("val_query_patent.txt", 11_271, 5_888),
    ],
)
def test_the_published_lists(data_dir: Path, name: str, lines: int, patents: int) -> None:
    entries = read_list(data_dir / "deeppatent-lists" / name)
    assert len(entries) == lines
    assert len({label for _, label in entries}) == patents
    assert all(path.endswith(".png") and path.count("/") == 2 for path, _ in entries)
