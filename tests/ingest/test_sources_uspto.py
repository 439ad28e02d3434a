"""USPTO grants in every packing: weekly archives, folders, single grants, texts without drawings."""

from __future__ import annotations

import gzip
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from makers import add_member, grant_zip, week

from patsearch.ingest.sources import Problem, Unit, open_source
from patsearch.types import Patent


def listed(path: Path) -> tuple[list[Unit], list[Problem]]:
    """Units and problems of a source, after a round through pickle as on the way to a worker."""
    found = list(open_source(path).units())
    units = [pickle.loads(pickle.dumps(u)) for u in found if isinstance(u, Unit)]
    return units, [p for p in found if isinstance(p, Problem)]


def loaded(path: Path) -> list[Patent]:
    units, problems = listed(path)
    assert problems == []
    return [unit.load() for unit in units]


def unpack(archive: Path, folder: Path) -> Path:
    """The week with every ZIP unpacked into its own folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    for path in sorted(folder.rglob("*.ZIP")):
        with zipfile.ZipFile(path) as grant:
            grant.extractall(path.parent)
        path.unlink()
    return folder


def test_a_weekly_archive(tmp_path: Path) -> None:
    path = week(tmp_path, range(3))
    units, problems = listed(path)
    assert problems == []
    assert [u.key for u in units] == ["USD0900000-20210105", "USD0900001-20210105", "USD0900002-20210105"]
    assert {u.origin for u in units} == {"I20210105.tar"}
    source = open_source(path)
    assert (source.name, source.total()) == ("uspto", 3)
    patent = units[0].load()
    assert (patent.number, patent.title, len(patent.captions)) == ("USD900000", "Chair with arm rest", 2)
    assert [(s.name, s.front_page) for s in patent.sheets] == [("D00000", True), ("D00001", False), ("D00002", False)]
    assert all(sheet.data[:4] in (b"II*\0", b"MM\0*") for sheet in patent.sheets)


def test_every_packing_gives_the_same_patents(tmp_path: Path) -> None:
    tar = week(tmp_path / "plain", range(3))
    expected = loaded(tar)
    packed = tmp_path / "packed" / "I20210105.tar.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(tar.read_bytes()))
    assert loaded(packed) == expected
    assert open_source(packed).total() is None  # to count it one would have to unpack it
    assert loaded(tar.parent) == expected
    unpacked = unpack(tar, tmp_path / "unpacked")
    assert loaded(unpacked) == expected
    one = unpacked / "I20210105" / "DESIGN" / "USD0900001-20210105"
    assert loaded(one) == [expected[1]]
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in unpacked.rglob("*.*"):
        shutil.copy(file, flat / file.name)
    assert loaded(flat) == expected
    name, data = grant_zip(2)
    (tmp_path / name).write_bytes(data)
    assert loaded(tmp_path / name) == [expected[2]]


def test_keys_and_fingerprints_do_not_depend_on_the_place(tmp_path: Path) -> None:
    first, _ = listed(week(tmp_path / "a", range(2)))
    second, _ = listed(week(tmp_path / "b", range(2)).rename(tmp_path / "copy.tar"))
    assert [(u.key, u.fingerprint) for u in first] == [(u.key, u.fingerprint) for u in second]
    name, data = grant_zip(0)
    (tmp_path / name).write_bytes(data)
    (single,), _ = listed(tmp_path / name)
    assert (single.key, single.fingerprint) == (first[0].key, first[0].fingerprint)


def test_a_corrected_grant_has_another_fingerprint(tmp_path: Path) -> None:
    name, data = grant_zip(1)
    _, corrected = grant_zip(1, title="Chair, corrected")
    (tmp_path / name).write_bytes(data)
    (before,), _ = listed(tmp_path)
    (tmp_path / name).write_bytes(corrected)
    (after,), _ = listed(tmp_path)
    assert before.key == after.key
    assert before.fingerprint != after.fingerprint
    unpacked = unpack(week(tmp_path / "w", range(1)), tmp_path / "unpacked")
    (before,), _ = listed(unpacked)
    sheet = next(unpacked.rglob("*-D00001.TIF"))
    sheet.write_bytes(sheet.read_bytes()[:-1] + b"\7")
    (after,), _ = listed(unpacked)
    assert (before.key, before.size) == (after.key, after.size)
    assert before.fingerprint != after.fingerprint


def test_a_text_without_drawings_is_a_patent_without_sheets(tmp_path: Path) -> None:
    unpacked = unpack(week(tmp_path / "w", range(1)), tmp_path / "unpacked")
    text = next(unpacked.rglob("*.XML"))
    for sheet in unpacked.rglob("*.TIF"):
        sheet.unlink()
    for path in (text, text.parent):
        (patent,) = loaded(path)
        assert (patent.number, patent.sheets) == ("USD900000", ())


def test_supplements_are_passed_over(tmp_path: Path) -> None:
    path = week(tmp_path, range(1))
    name, data = grant_zip(1)
    with tarfile.open(path, "a") as tar:
        add_member(tar, "I20210105-SUPP/UTIL0041/US20090041797-20210105-SUPP.ZIP", b"tables")
        add_member(tar, "I20210105/DTDS/DTDS.zip", b"dtds")
        add_member(tar, "I20210105/readme.txt", b"words")
        add_member(tar, f"project/pdds/I20210105/UTIL08334/{name.lower()}", data)
    units, problems = listed(path)
    assert ([u.key for u in units], problems) == (["USD0900000-20210105", "USD0900001-20210105"], [])
    assert open_source(path).total() == 2


def test_only_drawings_are_sheets(tmp_path: Path) -> None:
    """Chemistry and mathematics stand in the text; a drawing counts by its name or by the grant's word."""
    name, data = grant_zip(0)
    stem = name.removesuffix(".ZIP")
    path = tmp_path / name
    path.write_bytes(data)
    with zipfile.ZipFile(path, "a") as grant:
        for other in ("C00001.TIF", "M00001.TIF", "P00001.TIF", "D00003-1465.PNG", "S00001.TXT"):
            grant.writestr(f"{stem}/{stem}-{other}", b"II*\0")
    (patent,) = loaded(path)
    assert [s.name for s in patent.sheets] == ["D00000", "D00001", "D00002", "D00003-1465", "P00001"]


def test_sheets_that_the_grant_names_and_the_archive_lacks_are_told(tmp_path: Path) -> None:
    name, data = grant_zip(0)
    stem = name.removesuffix(".ZIP")
    images = "".join(f'<figure><img file="{stem}-D{n:05d}.TIF"/></figure>' for n in range(4))
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as out, zipfile.ZipFile(_file(tmp_path, data)) as grant:
        for info in grant.infolist():
            content = grant.read(info)
            if info.filename.endswith(".XML"):
                content = content.replace(b"<description>", f"<drawings>{images}</drawings><description>".encode())
            out.writestr(info, content)
    (unit,), _ = listed(tmp_path / "old.zip")
    patent = unit.load()
    assert [s.name for s in patent.sheets] == ["D00000", "D00001", "D00002"]
    assert patent.problems == ("1 of 4 sheets are missing: USD0900000-20210105-D00003.TIF",)


def test_the_same_grant_twice_is_read_once(tmp_path: Path) -> None:
    week(tmp_path, range(2))
    name, data = grant_zip(0)
    (tmp_path / name).write_bytes(data)
    units, problems = listed(tmp_path)
    assert (len(units), problems, open_source(tmp_path).total()) == (2, [], 2)
    (tmp_path / name).write_bytes(grant_zip(0, title="Another")[1])
    units, problems = listed(tmp_path)
    assert [u.load().title for u in units] == ["Chair with arm rest", "Display screen"]
    assert "1 grants occur twice with different content, for example USD0900000-20210105" in problems[0].reason


@pytest.mark.data
def test_the_real_weeks(data_dir: Path) -> None:
    folder = data_dir / "uspto-weekly"
    patents = loaded(folder)
    assert open_source(folder).total() == len(patents) == 59
    assert sum(p.kind == "S1" for p in patents) == 50
    designs = [s for p in patents if p.kind == "S1" for s in p.sheets]
    utility = [s for p in patents if p.kind != "S1" for s in p.sheets]
    assert (len(designs), len(utility)) == (438, 50)
    assert sum(s.front_page for s in designs) == 50
    assert all(p.problems == () for p in patents)
    assert all([s.name for s in p.sheets] == sorted(s.name for s in p.sheets) for p in patents)


@pytest.mark.data
def test_the_real_texts_of_a_week(data_dir: Path) -> None:
    patents = loaded(data_dir / "uspto-design-xml-2023")
    assert len({p.number for p in patents}) == 449
    assert {p.sheets for p in patents} == {()}
    assert all("sheets are missing" in " ".join(p.problems) for p in patents)


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "in.tmp"
    path.write_bytes(data)
    return path
