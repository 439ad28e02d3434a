"""Folders that hold several kinds of source: each file belongs to one of them or to the report."""

from __future__ import annotations

import os
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers import add_member, draw_design, grant_zip, tiff_bytes, week

from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.sources import Problem, SourceOptions, Unit, open_source

DEEPPATENT = "USD0834581-20181127-D00002.png"


def pictures(root: Path, *names: str) -> Path:
    for n, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(tiff_bytes(draw_design(n, 0)))
    return root


def read(root: Path, **options: object) -> tuple[list[str], list[Problem]]:
    """Keys of the units, and the problems."""
    found = list(open_source(root, options=SourceOptions(**options)).units())  # type: ignore[arg-type]
    return [u.key for u in found if isinstance(u, Unit)], [p for p in found if isinstance(p, Problem)]


def test_one_file_of_another_kind_does_not_hide_the_others(tmp_path: Path) -> None:
    own = [f"chair{n}.tif" for n in range(20)]
    pictures(tmp_path, *own)
    (tmp_path / DEEPPATENT).write_bytes((tmp_path / "chair0.tif").read_bytes())
    name, data = grant_zip(1)
    (tmp_path / name).write_bytes(data)
    keys, problems = read(tmp_path)
    assert keys == ["USD0900001-20210105", "USD0834581-20181127", *(Path(n).stem for n in own)]
    assert problems == []
    report = ingest([tmp_path], tmp_path / "index", IngestOptions(workers=1))
    assert (report.patents, report.files, report.failed) == (22, 22, [])
    # The index is inside the folder now: by rule it is not a source.
    again = ingest([tmp_path], tmp_path / "index", IngestOptions(workers=1))
    assert (again.patents, again.files, again.exit_code) == (0, 22, 0)
    assert "files of an index" in again.left_out[0].reason


def test_images_next_to_the_text_of_a_grant_are_their_own_patents(tmp_path: Path) -> None:
    stem = "USD0900001-20210105"
    week(tmp_path / "w", range(1, 2))
    with tarfile.open(tmp_path / "w" / "I20210105.tar") as archive:
        member = archive.extractfile(f"I20210105/DESIGN/{stem}.ZIP")
        assert member is not None
        with zipfile.ZipFile(member) as grant:
            grant.extractall(tmp_path / "grant")
    (folder,) = (tmp_path / "grant").iterdir()
    pictures(folder, "own.tif", f"{stem}-C00001.TIF")
    source = open_source(tmp_path / "grant")
    units = [unit for unit in source.units() if isinstance(unit, Unit)]
    assert [len(unit.load().sheets) for unit in units] == [3]


def test_what_no_source_takes_is_counted_by_suffix_and_reason(tmp_path: Path) -> None:
    pictures(tmp_path, "a.tif", "b/1.tif", "c.jfif")
    (tmp_path / "photo.jxl").write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n")
    for name in ("x.ps", "b/y.ps"):
        (tmp_path / name).write_bytes(b"%!PS-Adobe")
    (tmp_path / "scan").write_bytes(tiff_bytes(draw_design(1, 0, (300, 400))))
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    report = ingest([tmp_path], tmp_path.with_name("index"), IngestOptions(workers=1))
    assert report.exit_code == 9
    assert [problem.reason for problem in report.failed] == [
        "2 files left out (.ps): PostScript, which is not read; convert it to PNG first; for example x.ps",
        "1 files left out (.jxl): a JPEG XL image, which is not read; export it as PNG or JPEG first; "
        "for example photo.jxl",
        "1 files left out (no suffix): images whose names do not end as an image's; for example scan",
    ]
    said = report.to_json()
    assert said["files"] == {"read": 3, "left_out": 6}
    assert [line["files"] for line in said["left_out"]] == [2, 1, 1, 1, 1]
    assert [line["expected"] for line in said["left_out"]] == [False, False, False, True, True]


def test_names_that_only_look_like_the_layout_are_named(tmp_path: Path) -> None:
    pictures(tmp_path, f"a/{DEEPPATENT}", f"b/{DEEPPATENT}", "a/USD0834581-20181127-D6.png", "own/1.png")
    keys, problems = read(tmp_path)
    assert keys == ["USD0834581-20181127", "own"]
    assert [(p.where, p.left_out) for p in problems] == [
        (f"{tmp_path}/b/{DEEPPATENT}", 1),
        (f"{tmp_path}/a/USD0834581-20181127-D6.png", 1),
    ]


def test_a_patent_of_two_kinds_is_taken_once(tmp_path: Path) -> None:
    name, data = grant_zip(1)
    (tmp_path / name).write_bytes(data)
    pictures(tmp_path, "USD0900001.tif")
    report = ingest([tmp_path], tmp_path / "index", IngestOptions(workers=1))
    assert (report.patents, report.drawings, report.removed, report.exit_code) == (1, 2, 0, 9)
    assert "this patent is in the folder as 'uspto' too" in report.failed[0].reason


def test_a_table_is_of_all_kinds(tmp_path: Path) -> None:
    pictures(tmp_path / "drawings", DEEPPATENT, "own.tif")
    (tmp_path / "m.csv").write_text("patent,title,granted\nD834581,Chair,soon\nown,Lamp,\ngone,Table,\n")
    source = open_source(tmp_path / "drawings", options=SourceOptions(metadata=tmp_path / "m.csv"))
    found = list(source.units())
    assert [unit.load().title for unit in found if isinstance(unit, Unit)] == ["Chair", "Lamp"]
    assert [problem.reason for problem in found if isinstance(problem, Problem)] == [
        "'soon' is not a date (write 2015-03-24)",
        "no images of 1 patents of this table, for example gone",
    ]


def test_a_pattern_is_followed_whatever_the_names(tmp_path: Path) -> None:
    pictures(tmp_path, DEEPPATENT, "USD0900001-20190101-D00001.png")
    keys, problems = read(tmp_path, pattern=r"(?P<patent>\w+)-\d+-(?P<figure>\w+)")
    assert (keys, problems) == (["USD834581", "USD900001"], [])


def test_other_files_in_an_archive_are_counted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "I20210105.tar", "w") as archive:
        name, data = grant_zip(1)
        add_member(archive, f"I20210105/DESIGN/{name}", data)
        add_member(archive, "I20210105/scan.png", b"x")
        add_member(archive, "I20210105/DTDS/grant.dtd", b"x")
        add_member(archive, "I20210105/I20210105-SUPP/DESIGN/x.png", b"x")
    keys, (problem,) = read(tmp_path)
    assert keys == ["USD0900001-20210105"]
    assert "1 files in this archive are not grant ZIPs and are left out (.png: 1)" in problem.reason


NAMES = st.sampled_from(
    [
        "a.tif", "b.TIF", "2.jpe", "chair.png", "x.pdf", "y.jxl", "plain", "notes.txt", ".hidden", "z.xml",
        DEEPPATENT, "USD0834581-20181127-D00003.tif", "USD0834581-20181127-D6.png", "USD0900001-20210105.ZIP",
        "USD0900002-20210105.XML", "USD0900002-20210105-D00001.TIF", "I20210105.tar", "I20210105-SUPP.tar",
        "segmentation_2018.json", "caf\udce9.png", "Thumbs.db", "metadata.csv",
    ]
)  # fmt: skip
FOLDERS = st.lists(st.sampled_from(["a", "b", ".git", "Original", "Segmented", "USD0900002-20210105"]), max_size=3)
CONTENTS = st.sampled_from(["sheet", "grant", "week", "xml", "damaged", "empty", "link", "gone", "folder", "loop"])


@given(st.lists(st.tuples(FOLDERS, NAMES, CONTENTS), min_size=1, max_size=14))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_taken_and_remarked_are_all_files(tree: list[tuple[list[str], str, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folders, file, content in tree:
            put(root, Path(*folders) / file, content)
        pictures(root, "last.tif")
        source = open_source(root)
        said = [found for found in source.units() if isinstance(found, Problem)]
        left_out = sum(problem.left_out for problem in said)
        # os.walk counts links to folders as folders, and does not enter them.
        assert len(source.taken) + left_out == sum(len(files) for _, _, files in os.walk(root)), said


def put(root: Path, place: Path, content: str) -> None:
    """One file, link or folder of a random tree; the first of a name stays."""
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        return
    if content == "link":
        path.symlink_to(pictures(root, "last.tif") / "last.tif")
    elif content == "gone":
        path.symlink_to(root / "nothing")
    elif content == "folder":
        path.mkdir()
    elif content == "loop":
        path.symlink_to(root, target_is_directory=True)
    elif content == "week":
        week(root / ".made", range(1)).replace(path)
        (root / ".made").rmdir()
    else:
        sheet = tiff_bytes(draw_design(1, 0, (300, 400)))
        texts = {"sheet": sheet, "grant": grant_zip(1)[1], "xml": b"<us-patent-grant/>", "damaged": sheet[:200]}
        path.write_bytes(texts.get(content, b""))


def test_a_single_file_is_taken(tmp_path: Path) -> None:
    source = open_source(pictures(tmp_path, "a.tif", "b.pdf") / "a.tif")
    assert [type(found).__name__ for found in source.units()] == ["PatentFiles"]
    assert source.taken == {tmp_path / "a.tif"}


@pytest.mark.parametrize("kind", ["uspto", "deeppatent"])
def test_a_named_kind_reports_what_it_leaves(tmp_path: Path, kind: str) -> None:
    name, data = grant_zip(1)
    (tmp_path / name).write_bytes(data)
    pictures(tmp_path, DEEPPATENT, "own.tif")
    problems = [p for p in open_source(tmp_path, kind=kind).units() if isinstance(p, Problem)]
    assert sum(problem.left_out for problem in problems) == 2
