"""Sources that are damaged or mean harm: what is good is read, the rest is named, nothing escapes."""

from __future__ import annotations

import errno
import gzip
import io
import os
import random
import struct
import tarfile
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from makers import add_member, grant_zip, week

from patsearch.errors import SourceError
from patsearch.ingest.sources import Problem, Unit, open_source, unzip
from patsearch.ingest.sources.folders import Folder, walk
from patsearch.types import Patent


def units_of(path: Path) -> tuple[list[str], list[str]]:
    """Keys that were found, and problems as lines."""
    found = list(open_source(path, kind="uspto").units())
    problems = [str(p) for p in found if isinstance(p, Problem)]
    assert all("\n" not in problem for problem in problems)
    return [u.key for u in found if isinstance(u, Unit)], problems


def load_zip(folder: Path, data: bytes, name: str = "USD0900000-20210105.ZIP") -> Patent:
    (folder / name).write_bytes(data)
    (unit,) = open_source(folder / name).units()
    assert isinstance(unit, Unit)
    return unit.load()


def appended(data: bytes, *members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO(data)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a", method) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("keep", [0.4, 0.6, 0.95])
def test_a_tar_that_was_cut_short_yields_what_is_whole(tmp_path: Path, packed: bool, keep: float) -> None:
    whole = week(tmp_path, range(5))
    keys, _ = units_of(whole)
    data = whole.read_bytes().rstrip(b"\0")
    data = gzip.compress(data) if packed else data
    cut = tmp_path / ("cut.tar.gz" if packed else "cut.tar")
    cut.write_bytes(data[: int(len(data) * keep)])
    found, problems = units_of(cut)
    assert 0 < len(found) < 5
    assert found == keys[: len(found)]
    assert len(problems) == 1
    assert "cut.tar" in problems[0]
    for unit in open_source(cut).units():
        if isinstance(unit, Unit):
            assert len(unit.load().sheets) == 3


def test_a_tar_cut_between_two_members_is_told(tmp_path: Path) -> None:
    path = week(tmp_path, range(3))
    with tarfile.open(path) as tar:
        third = tar.getmembers()[2].offset
    path.write_bytes(path.read_bytes()[:third])
    found, problems = units_of(path)
    assert len(found) == 2
    assert "without its end mark" in problems[0]


def test_a_tar_with_a_broken_header_is_told(tmp_path: Path) -> None:
    path = week(tmp_path, range(3))
    with tarfile.open(path) as tar:
        second = tar.getmembers()[1].offset
    data = bytearray(path.read_bytes())
    data[second : second + 200] = b"\xa5" * 200
    path.write_bytes(data)
    found, problems = units_of(path)
    assert len(found) == 1
    assert "damaged" in problems[0]


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b but no gzip", bytes(10_240)])
def test_what_is_no_tar_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "I20210105.tar"
    path.write_bytes(content)
    found, problems = units_of(path)
    assert found == []
    assert len(problems) >= 1


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    path = week(tmp_path, range(1))
    with tarfile.open(path, "a") as tar:
        for kind, name in (
            (tarfile.SYMTYPE, "a.ZIP"),
            (tarfile.LNKTYPE, "b.ZIP"),
            (tarfile.CHRTYPE, "c.ZIP"),
            (tarfile.FIFOTYPE, "d.ZIP"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        add_member(tar, "../../../etc/US1234567-20210105.ZIP", grant_zip(1)[1])
    found, problems = units_of(path)
    # A name that leads upwards does no harm: nothing is ever written under it.
    assert found == ["USD0900000-20210105", "US1234567-20210105"]
    assert len(problems) == 4
    assert all("a link or device" in problem for problem in problems)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "block",
    [
        header("US1234567-20210105.ZIP", 1 << 50),
        header("US1234567-20210105.ZIP", -(1 << 20)),
        header("x", 1 << 40, tarfile.XHDTYPE),
        header("x", 1 << 40, tarfile.GNUTYPE_LONGNAME),
        header("x", -512, tarfile.GNUTYPE_LONGNAME),
    ],
    ids=["huge", "negative", "huge-extension", "huge-name", "negative-name"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_sizes_that_lie_end_the_tar_and_nothing_else(tmp_path: Path, block: bytes, packed: bool) -> None:
    good = week(tmp_path, range(1)).read_bytes().rstrip(b"\0")
    good += bytes(-len(good) % 512)
    path = tmp_path / "lies.tar"
    path.write_bytes(gzip.compress(good + block + bytes(20_000)) if packed else good + block + bytes(20_000))
    found, problems = units_of(path)
    assert found == ["USD0900000-20210105"]
    assert 1 <= len(problems) <= 2


def test_members_that_lead_out_of_a_zip_are_left_out_and_named(tmp_path: Path) -> None:
    data = appended(
        grant_zip(0)[1],
        ("../../../tmp/USD0900000-20210105-D00008.TIF", b"II*\0"),
        ("/etc/USD0900000-20210105-D00009.TIF", b"II*\0"),
        ("C:\\USD0900000-20210105-D00010.TIF", b"II*\0"),
        ("a\\..\\USD0900000-20210105-D00011.TIF", b"II*\0"),
        ("x\x07/USD0900000-20210105-D00012.TIF", b"II*\0"),
    )
    patent = load_zip(tmp_path, data)
    assert [s.name for s in patent.sheets] == ["D00000", "D00001", "D00002"]
    assert len(patent.problems) == 5
    assert all("leads out of the archive; left out" in problem for problem in patent.problems)


def test_a_member_without_a_name_is_left_out_and_named(tmp_path: Path) -> None:
    data = appended(grant_zip(1)[1], ("?", b"what"))
    # The central directory says that the name is empty: the last byte of its entry becomes a comment's.
    entry = data.rindex(b"PK\x01\x02")
    header = bytearray(data[entry : entry + 46])
    struct.pack_into("<HHH", header, 28, 0, 0, 1)
    patent = load_zip(tmp_path, data[:entry] + bytes(header) + data[entry + 46 :])
    assert len(patent.sheets) == 3
    assert any("no name" in problem for problem in patent.problems)


def test_the_message_about_a_zip_without_a_grant_has_a_bounded_length(tmp_path: Path) -> None:
    members = [("../" + "x" * 30_000 + f"{number}.xml", b"<a/>") for number in range(20)]
    with pytest.raises(SourceError, match="no grant XML in it") as found:
        load_zip(tmp_path, appended(b"", *members))
    assert len(str(found.value)) < 4_000


def test_a_zip_within_a_zip_is_not_opened(tmp_path: Path) -> None:
    inner = grant_zip(1)[1]
    patent = load_zip(tmp_path, appended(grant_zip(0)[1], ("inner/USD0900001-20210105.ZIP", inner)))
    assert (patent.number, len(patent.sheets)) == ("USD900000", 3)
    assert "an archive within the archive" in patent.problems[0]
    with pytest.raises(SourceError, match=r"no grant XML in it.*archive within the archive"):
        load_zip(tmp_path, appended(b"", ("USD0900001-20210105.ZIP", inner)))


def test_a_bomb_among_the_sheets_is_left_out(tmp_path: Path) -> None:
    bomb = ("USD0900000-20210105-D00009.TIF", bytes(unzip.MAX_MEMBER + 1))
    patent = load_zip(tmp_path, appended(grant_zip(0)[1], bomb))
    assert "more than the 64 MB allowed" in patent.problems[0]
    ratio = ("USD0900000-20210105-D00009.TIF", bytes(20 << 20))
    patent = load_zip(tmp_path, appended(grant_zip(0)[1], ratio))
    assert "times its size" in patent.problems[0]
    assert len(patent.sheets) == 3


def test_many_small_bombs_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "MAX_TOTAL", 1 << 20)
    sheets = [(f"USD0900000-20210105-D{n:05d}.TIF", bytes(100_000)) for n in range(3, 20)]
    with pytest.raises(SourceError, match="unpacks to more than 1 MB"):
        load_zip(tmp_path, appended(grant_zip(0)[1], *sheets))


def test_a_directory_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "MAX_MEMBERS", 50)
    with pytest.raises(SourceError, match=r"too large for a grant: .* 64 members"):
        load_zip(tmp_path, appended(grant_zip(0)[1], *((f"{n}.txt", b"") for n in range(60))))


def test_a_size_that_lies_unpacks_no_more_than_it_states(tmp_path: Path) -> None:
    """The directory says 10 bytes, the data 20 million: what is read is bounded, and the sum is wrong."""
    name = "USD0900000-20210105-D00009.TIF"
    data = bytearray(appended(grant_zip(0)[1], (name, bytes(20_000_000))))
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 10)
    patent = load_zip(tmp_path, bytes(data))
    assert len(patent.sheets) == 3
    assert patent.problems[0].startswith(f"{name}: damaged")


def test_an_encrypted_zip_is_named(tmp_path: Path) -> None:
    data = bytearray(grant_zip(0)[1])
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    with pytest.raises(SourceError, match=r"no grant XML in it; .*encrypted"):
        load_zip(tmp_path, bytes(data))


def test_a_method_that_grants_do_not_use_is_named(tmp_path: Path) -> None:
    sheet = ("USD0900000-20210105-D00009.TIF", b"II*\0" * 100)
    patent = load_zip(tmp_path, appended(grant_zip(0)[1], sheet, method=zipfile.ZIP_LZMA))
    assert "packed by a method that grants do not use" in patent.problems[0]


def test_a_damaged_sheet_does_not_spoil_the_patent(tmp_path: Path) -> None:
    data = bytearray(grant_zip(0)[1])
    sheet = data.index(b"-D00001.TIF")
    data[sheet + 200] ^= 0xFF
    patent = load_zip(tmp_path, bytes(data))
    assert [s.name for s in patent.sheets] == ["D00000", "D00002"]
    assert patent.problems[0].startswith("USD0900000-20210105-D00001.TIF: damaged")


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"no zip" * 50, grant_zip(0)[1][:-30], grant_zip(0)[1][:3000], appended(b"", ("a.txt", b"words"))],
    ids=["empty", "two-bytes", "text", "no-end", "cut", "no-grant"],
)
def test_what_is_no_grant_zip_is_one_line_with_its_place(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SourceError, match=r"USD0900000-20210105\.ZIP: ") as caught:
        load_zip(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_a_bad_grant_in_a_week_names_archive_and_member(tmp_path: Path) -> None:
    path = tmp_path / "I20210105.tar"
    with tarfile.open(path, "w") as tar:
        add_member(
            tar, "I20210105/DESIGN/USD0900000-20210105.ZIP", appended(b"", ("x/USD0900000-20210105.XML", b"<a/>"))
        )
    (unit,) = open_source(path).units()
    assert isinstance(unit, Unit)
    expected = "I20210105.tar:I20210105/DESIGN/USD0900000-20210105.ZIP: the XML is a <a>, not a <us-patent-grant>."
    with pytest.raises(SourceError) as caught:
        unit.load()
    assert str(caught.value).endswith(expected)


def test_a_file_that_changes_after_listing_is_told(tmp_path: Path) -> None:
    path = week(tmp_path, range(2))
    units = [u for u in open_source(path).units() if isinstance(u, Unit)]
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SourceError, match="changed or was cut short"):
        units[1].load()
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        units[0].load()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    week(tmp_path / "a", range(1))
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    found, problems = units_of(tmp_path)
    assert found == ["USD0900000-20210105"]
    assert [p.partition(f"{tmp_path}/")[2] for p in problems] == [
        "nowhere: a link that leads nowhere",
        "self: a link that leads nowhere",
    ]


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    week(tmp_path / "elsewhere", range(2))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "one").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "source" / "two").symlink_to(tmp_path / "elsewhere")
    found, problems = units_of(tmp_path / "source")
    assert (len(found), problems) == (2, [])


def test_what_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By refusing instead of the system, since permissions do not hold for root."""
    week(tmp_path, range(1))
    name, data = grant_zip(1)
    (tmp_path / name).write_bytes(data)
    (tmp_path / "closed").mkdir()
    real_open, real_list = Path.open, Path.iterdir

    def refuse(path: Path, *args: object, **kwargs: object) -> object:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, *args, **kwargs)  # type: ignore[call-overload]

    def refuse_list(path: Path) -> object:
        if path.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_list(path)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "iterdir", refuse_list)
    found, problems = units_of(tmp_path)
    assert found == ["USD0900000-20210105"]
    assert len(problems) == 2
    assert all("cannot be read (Permission denied)" in problem for problem in problems)


def test_a_folder_or_a_pipe_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "I20210105.tar").mkdir()
    os.mkfifo(tmp_path / "USD0900001-20210105.ZIP")
    week(tmp_path / "w", range(1))
    found, problems = units_of(tmp_path)
    assert found == ["USD0900000-20210105"]
    assert problems == [f"{tmp_path}/USD0900001-20210105.ZIP: neither a file nor a folder"]


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """File names are bytes; what is kept of them must be text that a database and a terminal take."""
    folder = os.fsencode(tmp_path) + b"/\xff\xe9t\xe9"
    Path(os.fsdecode(folder)).mkdir()
    Path(os.fsdecode(folder), os.fsdecode(b"\xe9.ZIP")).write_bytes(grant_zip(0)[1])
    Path(os.fsdecode(folder), os.fsdecode(b"bad\xe9.xml")).write_bytes(b"<a/>")
    units = [u for u in open_source(tmp_path, kind="uspto").units() if isinstance(u, Unit)]
    assert [u.key for u in units] == ["\\xe9", "bad\\xe9"]
    for unit in units:
        (unit.key + unit.origin + unit.fingerprint).encode("utf-8")
    assert units[0].load().number == "USD900000"
    with pytest.raises(SourceError, match=r"bad\\xe9\.xml") as caught:
        units[1].load()
    str(caught.value).encode("utf-8")


def test_folders_that_nest_too_deeply_are_told(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    found = list(walk(tmp_path))
    assert sum(isinstance(f, Folder) for f in found) == 33
    assert "deeper than 32 levels" in str(found[-1])


@pytest.mark.parametrize("seed", range(3))
def test_random_damage_is_a_patent_or_an_error_of_ours(tmp_path: Path, seed: int) -> None:
    """A few bytes overwritten: in the directory of a ZIP, in the headers of a tar with its sum put right."""
    rng = random.Random(seed)
    name, whole = grant_zip(0)
    tar = week(tmp_path, range(2))
    with tarfile.open(tar) as archive:
        headers = [member.offset for member in archive]
    for _ in range(20):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[len(data) - rng.randint(1, 420)] = rng.randrange(256)
        with suppress(SourceError):
            assert load_zip(tmp_path, bytes(data), name).number == "USD900000"
        data = bytearray(tar.read_bytes())
        at = rng.choice(headers)
        for _ in range(rng.randint(1, 4)):
            data[at + rng.randrange(512)] = rng.randrange(256)
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
        (tmp_path / "damaged.tar").write_bytes(data)
        for unit in open_source(tmp_path / "damaged.tar", kind="uspto").units():
            if isinstance(unit, Unit):
                with suppress(SourceError):
                    assert unit.load().number.startswith("USD90000")
