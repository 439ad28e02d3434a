"""Bad input of every kind: one line of text, a code for scripts, and nothing lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import Done, run_here
from makers import add_member, draw_design, grant_xml, grant_zip, tiff_bytes, week
from PIL import Image

from patsearch.engine import open_index
from patsearch.types import JsonDict

NUMBER = "D0955555"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three patents."""
    folder = tmp_path_factory.mktemp("good")
    run("ingest", week(folder / "w", range(3)), "--index", folder / "index", "--workers", 1, code=0)
    draw_design(1, 0).save(folder / "query.png")
    return folder / "index"


def run(*arguments: object, code: int) -> subprocess.CompletedProcess[str]:
    """The command in a separate process; its exit code must be the one expected."""
    command = [sys.executable, "-m", "patsearch", *(str(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


def query(*arguments: object, code: int) -> Done:
    """A query in this process: it starts no other."""
    done = run_here(["query", *arguments])
    assert done.returncode == code, done
    return done


def ids(index: Path) -> list[str]:
    with open_index(index) as engine:
        assert engine.verify() == []
        return sorted(d.id for drawings, _ in engine.backend.scan() for d in drawings)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def stem_of(number: str) -> str:
    return f"US{number}-20220104"


def xml_of(number: str) -> bytes:
    return grant_xml(number, title="Bad", date="20220104", locarno="0601", uspc="D 6334", sheets=1)


def grant(sheet: bytes, number: str, xml: Callable[[bytes], bytes] = lambda good: good) -> bytes:
    """A grant's ZIP with a sheet, and its XML as `xml` changes it."""
    stem = stem_of(number)
    return zipped({f"{stem}/{stem}.XML": xml(xml_of(number)), f"{stem}/{stem}-D00001.TIF": sheet})


def huge_tiff() -> bytes:
    """20,000 x 20,000 pixels in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000), 1).save(buffer, "TIFF", compression="group4")
    return buffer.getvalue()


SHEET = tiff_bytes(draw_design(1, 0))
ENTITIES = b'<!DOCTYPE us-patent-grant [ <!ENTITY x SYSTEM "file:///etc/passwd"> ]>'
LAUGHS = (
    b'<!DOCTYPE us-patent-grant [ <!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b" ]>"
)


def with_doctype(doctype: bytes, reference: bytes) -> Callable[[bytes], bytes]:
    def changed(xml: bytes) -> bytes:
        head, _, rest = xml.partition(b"<!DOCTYPE")
        body = rest.partition(b"]>")[2]
        return head + doctype + body.replace(b">Bad<", b">" + reference + b"<")

    return changed


# What the grant of a number is made of, and what the report says of it.
BAD: dict[str, tuple[Callable[[str], bytes], str]] = {
    "truncated TIFF": (lambda n: grant(SHEET[: len(SHEET) // 3], n), "D00001"),
    "corrupt TIFF": (lambda n: grant(b"II*\0" + b"\xff" * 500, n), "D00001"),
    "huge TIFF": (lambda n: grant(huge_tiff(), n), "20,000 x 20,000"),
    "external entity": (lambda n: grant(SHEET, n, with_doctype(ENTITIES, b"&x;")), "entit"),
    "billion laughs": (lambda n: grant(SHEET, n, with_doctype(LAUGHS, b"&j;")), "entit"),
    "no XML": (lambda n: grant(SHEET, n, lambda _: b"this is not XML"), "XML"),
    "climbing names": (lambda n: zipped({f"../../{stem_of(n)}.XML": xml_of(n), "../../etc/x.TIF": SHEET}), ""),
    "ZIP bomb": (lambda n: grant(bytes(300 << 20), n), ""),
    "truncated ZIP": (lambda n: grant(SHEET, n)[:700], "ZIP"),
}


@dataclass(frozen=True)
class BadWeek:
    """What became of an archive with every bad grant, and a good one behind each.

    Attributes:
        before, after: ids in the index.
        good: number of the good grant behind each bad one.
    """

    folder: Path
    report: JsonDict
    before: set[str]
    after: set[str]
    good: dict[str, str]


@pytest.fixture(scope="module")
def bad_week(good: Path, tmp_path_factory: pytest.TempPathFactory) -> BadWeek:
    folder = tmp_path_factory.mktemp("bad") / "one" / "two"
    index = shutil.copytree(good, folder / "index")
    archive, behind = folder / "I20220104.tar", {}
    with tarfile.open(archive, "w") as tar:
        for place, (kind, (make, _)) in enumerate(BAD.items()):
            number = f"D095555{place}"
            add_member(tar, f"I20220104/DESIGN/{stem_of(number)}.ZIP", make(number))
            name, data = grant_zip(10 + place, date="20220104")
            add_member(tar, f"I20220104/DESIGN/{name}", data)
            behind[kind] = f"USD{900010 + place}"
    before = set(ids(index))
    report = json.loads(run("ingest", archive, "--index", index, "--workers", 1, "--json", code=9).stdout)
    return BadWeek(folder, report, before, set(ids(index)), behind)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_grant_is_a_line_in_the_report(bad_week: BadWeek, kind: str) -> None:
    stem, reason = stem_of(f"D095555{list(BAD).index(kind)}"), BAD[kind][1]
    failed = [f for f in bad_week.report["failed"] if stem in f["file"]]
    assert len(failed) >= 1
    text = " ".join(f"{f['file']} {f['reason']}" for f in failed)
    assert reason.lower() in text.lower()
    assert all("\n" not in f["reason"] for f in failed)
    assert bad_week.before < bad_week.after
    number = bad_week.good[kind]
    assert {f"{number}-D00001-1", f"{number}-D00002-1"} <= bad_week.after
    for above in (bad_week.folder, *bad_week.folder.parents[:2]):
        assert not list(above.glob("*.XML"))
        assert not (above / "etc").exists()


def test_a_truncated_archive_yields_what_is_whole(good: Path, tmp_path: Path) -> None:
    index = shutil.copytree(good, tmp_path / "index")
    path = week(tmp_path / "w", range(10, 14), date="20220111")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 6 // 10)
    report = json.loads(run("ingest", path, "--index", index, "--workers", 1, "--json", code=9).stdout)
    assert report["patents"] == 2
    assert "I20220111.tar" in report["failed"][0]["file"]
    assert len(ids(index)) == 6 + 4


def test_an_empty_folder_and_what_is_not_there(good: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "empty", tmp_path / "nowhere"):
        done = run("ingest", source, "--index", good, code=3)
        assert len(done.stderr.strip().splitlines()) == 1
        assert source.name in done.stderr


def test_an_unreadable_file(good: Path, tmp_path: Path) -> None:
    index = shutil.copytree(good, tmp_path / "index")
    folder = tmp_path / "grants"
    folder.mkdir()
    name, data = grant_zip(8)
    (folder / name).write_bytes(data)
    # Permissions do not stop a superuser; a link that leads nowhere stops everybody.
    (folder / f"{stem_of(NUMBER)}.ZIP").symlink_to(tmp_path / "gone.ZIP")
    report = json.loads(run("ingest", folder, "--index", index, "--workers", 1, "--json", code=9).stdout)
    assert report["patents"] == 1
    assert stem_of(NUMBER) in report["failed"][0]["file"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--filter", "color=red"], 2, "Unknown filter key"),
        (["--filter", "granted=2021-02-30"], 2, "is not a date"),
        (["--filter", "uspc=zzz"], 2, "is not a uspc code"),
    ],
)
def test_a_bad_filter(good: Path, arguments: list[str], code: int, message: str) -> None:
    done = query(good.parent / "query.png", "--index", good, *arguments, code=code)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_another_encoder_and_a_newer_index(good: Path, tmp_path: Path) -> None:
    index = shutil.copytree(good, tmp_path / "index")
    manifest = index / "index.json"
    data = json.loads(manifest.read_text())
    data["spec"]["encoder_sha256"] = "f" * 64
    manifest.write_text(json.dumps(data))
    done = query(good.parent / "query.png", "--index", index, code=4)
    assert "was made with the encoder" in done.stderr
    manifest.write_text(json.dumps({**data, "format": 99}))
    assert "Upgrade" in query(good.parent / "query.png", "--index", index, code=4).stderr


def test_a_query_that_is_no_picture(good: Path, tmp_path: Path) -> None:
    cases = {"text.png": b"hello", "cut.png": (good.parent / "query.png").read_bytes()[:500], "huge.tif": huge_tiff()}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        done = query(tmp_path / name, "--index", good, code=3)
        assert name in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs the superuser")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)  # mapped files may outlive their index a little


def test_an_index_on_a_disk_that_is_only_read(small_disk: Path, good: Path) -> None:
    index = shutil.copytree(good, small_disk / "index")
    expected = ids(index)
    for left in [*index.rglob("*-wal"), *index.rglob("*-shm")]:
        left.unlink()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert ids(index) == expected
    done = run("query", good.parent / "query.png", "--index", index, "--json", code=0)
    assert json.loads(done.stdout)["hits"][0]["patent"] == "USD900001"
    done = run("ingest", week(good.parent / "v", range(9, 10)), "--index", index, "--workers", 1, code=8)
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_full_disk_loses_nothing_that_was_there(small_disk: Path, tmp_path: Path) -> None:
    index = small_disk / "index"
    run("ingest", week(tmp_path / "w", range(2)), "--index", index, "--workers", 1, code=0)
    before = set(ids(index))
    many = week(tmp_path / "w", range(20, 44), date="20220118")
    done = run("ingest", many, "--index", index, "--workers", 1, "--commit-every", 8, "--quiet", code=8)
    assert len(done.stderr.strip().splitlines()) == 1
    # With room again, nothing is lost, and the same command continues as if nothing had happened.
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    with open_index(index) as engine:
        assert before <= {d.id for drawings, _ in engine.backend.scan() for d in drawings}
    run("ingest", many, "--index", index, "--workers", 1, "--quiet", code=0)
    assert len(ids(index)) == 4 + 48
