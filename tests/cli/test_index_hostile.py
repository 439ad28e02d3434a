"""Snapshots and index folders from strangers: nothing outside of the index is touched, nothing is left behind."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from patsearch.cli import main
from patsearch.deadline import set_deadline
from patsearch.engine import open_index
from patsearch.engine.engine import create_from_spec
from patsearch.errors import IndexDamaged, TimedOut
from patsearch.servers import remember
from patsearch.sqlite import Database, Schema
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

COUNT = 20


def run(*arguments: object) -> int:
    """Exit code of the command line, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with create_from_spec(tmp_path / "index", SPEC, backend="faiss") as engine:
        engine.add(random_drawings(COUNT), random_vectors(COUNT))
    return tmp_path / "index"


@pytest.fixture
def snapshot(index: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = index.parent / "snap.tar"
    assert run("index", "snapshot", index, path) == 0
    capsys.readouterr()
    return path


def changed(snapshot: Path, edit: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]) -> Path:
    """A copy of a snapshot, each of its members as `edit` gives it back."""
    path = snapshot.with_name("hostile.tar")
    with tarfile.open(snapshot) as old, tarfile.open(path, "w") as new:
        for member in old:
            data = old.extractfile(member)
            result = edit(member, data.read() if data else b"")
            if result is not None:
                result[0].size = len(result[1])
                new.addfile(result[0], io.BytesIO(result[1]))
    return path


def with_manifest(snapshot: Path, text: str | dict[str, Any]) -> Path:
    def edit(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name != "index.json":
            return member, data
        return member, (json.dumps(json.loads(data) | text) if isinstance(text, dict) else text).encode()

    return changed(snapshot, edit)


def everything(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


LOCATIONS = [
    "/tmp/elsewhere",
    "../../x",
    "..",
    ".",
    "",
    "a/b",
    "a\\b",
    "C:x",
    "x\0y",
    5,
    None,
    ["x"],
    "faiss/",
    "x" * 300,
    "index.json",
    "journal.sqlite",
    "thumbnails.sqlite",
    "snapshot.json",
]


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_is_a_name_in_the_index(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], location: object
) -> None:
    hostile = with_manifest(snapshot, {"location": location})
    before = everything(tmp_path)
    assert run("index", "restore", hostile, tmp_path / "new" / "restored") == 3
    assert "is not a snapshot of patsearch" in one_line(capsys)
    assert everything(tmp_path) == before


MANIFESTS = ["[" * 100_000, '{"a":' * 100_000, "5", "[]", "", "\0", '{"format": 1}', '{"format": true, "spec": 5}']


@pytest.mark.parametrize("text", MANIFESTS, ids=range(len(MANIFESTS)))
def test_a_manifest_that_is_none(
    snapshot: Path, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    hostile = with_manifest(snapshot, text)
    before = everything(tmp_path)
    assert run("index", "restore", hostile, tmp_path / "restored") == 3
    assert "is not a snapshot of patsearch" in one_line(capsys)
    assert everything(tmp_path) == before
    for path in (index / "index.json", index / "faiss" / "manifest.json"):
        kept = path.read_bytes()
        path.write_text(text)
        assert run("index", "info", index) == 4
        one_line(capsys)
        path.write_bytes(kept)


@pytest.mark.parametrize(
    "fields", [{"backend": 5}, {"created": None}, {"id": "\ud800"}, {"spec": None},
               {"format": 0}, {"more": 1}, {"backend": "x\ud800"}],
)  # fmt: skip
def test_fields_of_another_type(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any]
) -> None:
    assert run("index", "restore", with_manifest(snapshot, fields), tmp_path / "restored") == 3
    one_line(capsys)


@pytest.mark.parametrize(
    ("kind", "link"),
    [(tarfile.SYMTYPE, "."), (tarfile.SYMTYPE, "/etc"), (tarfile.LNKTYPE, "index.json"), (tarfile.FIFOTYPE, ""),
     (tarfile.CHRTYPE, "")],
)  # fmt: skip
def test_an_archive_holds_plain_files_alone(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: bytes, link: str
) -> None:
    def edit(member: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes] | None:
        if not member.name.startswith("backend"):
            return member, data
        entry = tarfile.TarInfo("backend")
        entry.type, entry.linkname = kind, link
        return entry, b""

    hostile = changed(snapshot, edit)
    before = everything(tmp_path)
    assert run("index", "restore", hostile, tmp_path / "restored") == 3
    assert "is not a snapshot of patsearch" in one_line(capsys)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "backend/../../x", "a\\b", "index.json", "index.json/x"])
def test_a_member_with_a_name_that_leads_elsewhere(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    hostile = shutil.copy(snapshot, tmp_path / "hostile.tar")
    with tarfile.open(hostile, "a") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    before = everything(tmp_path)
    assert run("index", "restore", hostile, tmp_path / "restored") == 3
    one_line(capsys)
    assert everything(tmp_path) == before


def test_an_archive_that_ends_early_or_holds_no_index(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = snapshot.stat().st_size
    hostile = tmp_path / "hostile.tar"
    for length in range(600, size - 10_240, max(1, size // 25)):
        hostile.write_bytes(snapshot.read_bytes()[:length])
        before = everything(tmp_path)
        assert run("index", "restore", hostile, tmp_path / "restored") == 3
        one_line(capsys)
        assert everything(tmp_path) == before


def header(kind: bytes, size: int, data: bytes = b"") -> bytes:
    """A tar's header with its content."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


HEADERS = {
    "names of names": header(tarfile.GNUTYPE_LONGNAME, 2, b"x\0") * 3000,
    "links of links": header(tarfile.GNUTYPE_LONGLINK, 2, b"x\0") * 3000,
    "headers of headers": header(tarfile.XHDTYPE, 10, b"10 path=x\n") * 3000,
    "headers of all": header(tarfile.XGLTYPE, 10, b"10 path=x\n") * 3000,
    "a huge name": header(tarfile.GNUTYPE_LONGNAME, 1 << 40),
    "a huge header": header(tarfile.XHDTYPE, 1 << 62),
    "a huge file": header(tarfile.REGTYPE, 1 << 60),
    "many files": b"".join(header(tarfile.REGTYPE, 0).replace(b"x", b"%d" % n, 1) for n in range(3)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_an_archive_of_headers(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("patsearch.engine.snapshot._MOST_MEMBERS", 2)
    hostile = tmp_path / "hostile.tar"
    hostile.write_bytes(HEADERS[name] + snapshot.read_bytes())
    before = everything(tmp_path)
    assert run("index", "restore", hostile, tmp_path / "restored") == 3
    assert "is not a snapshot of patsearch" in one_line(capsys)
    assert everything(tmp_path) == before


# ---------------------------------------------------------------------- folders


@pytest.mark.parametrize("name", ["index.json", "faiss/manifest.json"])
def test_only_the_beginning_of_a_huge_file_is_read(index: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    os.truncate(index / name, 1 << 40)  # of which the disk holds nothing
    assert run("index", "info", index) == 4
    assert "Extra data" in one_line(capsys)


def test_an_index_that_names_another_folder(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = index / "index.json"
    for location in ("/etc", "../index/faiss", str(index / "faiss")):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"location": location}))
        assert run("index", "info", index) == 4
        assert "location" in one_line(capsys)


@pytest.mark.parametrize("name", ["journal.sqlite", "faiss", "faiss/g000001/catalogue.db", "faiss/writer.lock"])
def test_a_link_that_leads_out_of_an_index(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = index / name
    path.unlink() if path.is_file() else shutil.move(path, tmp_path / "moved") if path.exists() else None
    victim = tmp_path / "victim"
    path.symlink_to(victim)
    for command in ("info", "compact"):
        assert run("index", command, index) == 4
        assert "link to outside" in one_line(capsys)
    assert not victim.exists()


def test_a_pipe_in_an_index(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    for name in ("index.json", "thumbnails.sqlite"):
        (index / name).rename(index / "kept")
        os.mkfifo(index / name)
        assert run("index", "info", index) == 4
        one_line(capsys)
        (index / name).unlink()
        (index / "kept").rename(index / name)
    assert run("index", "info", index) == 0


def test_the_folder_of_an_index_may_be_a_link(index: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(index)
    with open_index(tmp_path / "link") as engine:
        assert engine.backend.count() == COUNT


# ---------------------------------------------------------------------- servers


def test_a_server_that_only_a_file_names_is_not_asked(
    index: Path, snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        stranger.setblocking(False)
        url = f"http://127.0.0.1:{stranger.getsockname()[1]}"
        fields = {"backend": "qdrant", "location": f"{url}?timeout=1&attempts=1#designs"}
        assert run("index", "restore", with_manifest(snapshot, fields), tmp_path / "restored") == 4
        assert "which you have not named" in one_line(capsys)
        path = index / "index.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))
        assert run("index", "info", index) == 4
        line = one_line(capsys)
        assert f"PATSEARCH_SERVERS={url}" in line
        with pytest.raises(BlockingIOError):
            stranger.accept()
    monkeypatch.setenv("PATSEARCH_SERVERS", f"http://other:6333 {url}")
    assert run("index", "info", index) == 6  # asked, and nobody is there
    monkeypatch.delenv("PATSEARCH_SERVERS")
    remember(url)
    assert run("index", "info", index) == 6


# ---------------------------------------------------------------------- what killed runs leave

KILLED = """
import os, signal, sys
from pathlib import Path
from patsearch.engine import snapshot
snapshot.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
snapshot.{function}(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize(("function", "name"), [("restore_snapshot", "read_manifest"), ("save_snapshot", "sync_file")])
def test_the_next_run_removes_what_a_killed_one_left(
    index: Path, snapshot: Path, tmp_path: Path, function: str, name: str
) -> None:
    source = snapshot if function == "restore_snapshot" else index
    target = tmp_path / "again"
    code = KILLED.format(function=function, name=name)
    done = subprocess.run([sys.executable, "-c", code, str(source), str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*"))) == 1
    command = "restore" if function == "restore_snapshot" else "snapshot"
    assert run("index", command, source, target) == 0
    assert list(tmp_path.glob(".*")) == []


# ---------------------------------------------------------------------- databases

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n)"
CHANGES = [
    ("thumbnails.sqlite", f"DROP TABLE thumbnail; CREATE VIEW thumbnail AS {ENDLESS} SELECT i AS id, i AS png FROM n;"),
    ("journal.sqlite", f"DROP TABLE unit; CREATE VIEW unit AS {ENDLESS} SELECT i AS key, i AS patent FROM n;"),
    ("faiss/g000001/catalogue.db", f"DROP TABLE terms; CREATE VIEW terms AS {ENDLESS} SELECT i AS id FROM n;"),
    ("faiss/g000001/catalogue.db", "CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM drawings; END;"),
    ("faiss/g000001/catalogue.db", "ALTER TABLE captions ADD COLUMN more TEXT;"),
    ("faiss/g000001/catalogue.db", "CREATE TABLE more (x);"),
]


@pytest.mark.parametrize(("name", "sql"), CHANGES)
def test_tables_of_a_stranger(index: Path, capsys: pytest.CaptureFixture[str], name: str, sql: str) -> None:
    with closing(sqlite3.connect(index / name)) as db:
        db.executescript(sql)
    for command in (["index", "verify", index], ["index", "compact", index], ["query", "--like", "D1", "-i", index]):
        assert run(*command) == 4
        line = one_line(capsys)
        assert f"{Path(name).name} is damaged" in line
        assert "tables" in line


def test_a_query_ends(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", Schema("CREATE TABLE x (i);"), read_only=False)
    with pytest.raises(IndexDamaged, match="more steps than"):
        database.rows(f"{ENDLESS} SELECT count(*) FROM n")

    def in_a_hurry() -> None:
        set_deadline(0.1)
        database.rows(f"{ENDLESS} SELECT count(*) FROM n")

    with pytest.raises(TimedOut):
        copy_context().run(in_a_hurry)
    assert database.rows("SELECT * FROM x") == []
    database.close()
