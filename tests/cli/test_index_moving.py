"""`patsearch index copy`, `snapshot`, `restore` and `publish`: whole indexes move and stay what they were."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_qdrant import Cut, FakeServer

from patsearch.backends import Backend, create_backend, open_backend
from patsearch.backends.copy import copy
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.cli import main
from patsearch.engine import Entry, open_index
from patsearch.engine.engine import create_from_spec
from patsearch.errors import EncoderMismatch
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

COUNT = 120
DRAWINGS, VECTORS = random_drawings(COUNT, seed=31), random_vectors(COUNT, seed=31)


def run(*arguments: object) -> int:
    """Exit code of the command line, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


def ask(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert run("index", *arguments, "--json") == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("connection", "collections", "remote"):
        monkeypatch.setattr(f"patsearch.backends.qdrant.{module}.sleep", lambda seconds: None)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index with drawings, thumbnails and a journal, without any encoder having run."""
    with create_from_spec(tmp_path / "index", SPEC, backend="faiss") as engine:
        engine.add(DRAWINGS, VECTORS)
        engine.thumbnails.put((d.id, d.id.encode()) for d in DRAWINGS)
        counts: dict[str, int] = {}
        for drawing in DRAWINGS:
            counts[drawing.patent] = counts.get(drawing.patent, 0) + 1
        engine.journal.put(Entry(p, "f", "{}", p, n, "done") for p, n in counts.items())
    return tmp_path / "index"


def check_same(backend: Backend) -> None:
    assert backend.count() == COUNT
    found = backend.get([d.id for d in DRAWINGS])
    for drawing, vector in zip(DRAWINGS, VECTORS, strict=True):
        assert found[drawing.id][0] == drawing
        np.testing.assert_allclose(found[drawing.id][1], vector, atol=1e-6)


def check_whole(index: Path, like: Path) -> None:
    with open_index(index) as new, open_index(like) as old:
        check_same(new.backend)
        assert new.verify() == []
        assert new.fingerprint() == old.fingerprint()
        assert dict(new.thumbnails.items()) == dict(old.thumbnails.items())


def test_there_and_back(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = ask(capsys, "copy", "--from", f"faiss:{index}", "--to", f"qdrant:{tmp_path / 'edge'}")
    assert (there["total"], there["copied"], there["already"]) == (COUNT, COUNT, 0)
    check_whole(tmp_path / "edge", index)
    ask(capsys, "copy", "--from", f"qdrant:{tmp_path / 'edge'}", "--to", f"faiss:{tmp_path / 'back'}")
    check_whole(tmp_path / "back", index)


def test_to_a_server_and_back(
    index: Path, tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"qdrant:{server.url}#designs"
    ask(capsys, "copy", "--from", f"faiss:{index}", "--to", where, "--index", tmp_path / "remote")
    check_whole(tmp_path / "remote", index)
    again = ask(capsys, "copy", "--from", f"faiss:{index}", "--to", where)
    assert (again["copied"], again["already"]) == (0, COUNT)
    ask(capsys, "copy", "--from", where, "--to", f"faiss:{tmp_path / 'back'}")
    with open_index(tmp_path / "back") as engine:
        check_same(engine.backend)


def test_what_differs_is_copied_again_and_what_is_more_stays(index: Path, server: FakeServer) -> None:
    with (
        open_index(index) as old,
        create_backend("qdrant", f"{server.url}#designs", SPEC) as new,
    ):
        more = random_drawings(130, seed=32)[COUNT:]
        new.upsert(DRAWINGS[:30], VECTORS[:30])
        new.upsert(DRAWINGS[30:40], VECTORS[50:60])
        new.upsert(more, random_vectors(10, seed=5))
        report = copy(old.backend, new)
        assert (report.copied, report.already, report.others) == (COUNT - 30, 30, 10)
        assert new.count() == COUNT + 10
        found = new.get([d.id for d in DRAWINGS])
        np.testing.assert_allclose([found[d.id][1] for d in DRAWINGS], VECTORS, atol=1e-6)


def test_a_cut_copy_goes_on(
    index: Path, server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patsearch.backends.copy._BATCH", 25)
    where = f"qdrant:{server.url}?attempts=2#designs"
    copying = ["index", "copy", "--from", f"faiss:{index}", "--to", where]
    server.trouble("PUT", "/points", Cut(after=True))  # got over
    server.trouble("PUT", "/nothing", Cut())
    assert run(*copying) == 0
    with open_backend("qdrant", f"{server.url}#designs", read_only=False) as backend:
        backend.delete([d.id for d in DRAWINGS[:60]])
    server.trouble("PUT", "/points", Cut(), times=2)  # for good
    assert run(*copying) == 6
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "connection was cut" in line
    assert "resumes from there" in line
    assert ask(capsys, *copying[1:])["copied"] == 60
    with open_backend("qdrant", f"{server.url}#designs") as backend:
        check_same(backend)


def test_a_killed_copy_goes_on(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "edge"
    code = (
        "import os, signal, sys\n"
        "from patsearch.backends import copy as copying\n"
        "from patsearch.engine.copy import copy_index, parse_place\n"
        "copying._BATCH = 20\n"
        "def killed(report):\n"
        "    if report.copied >= 60: os.kill(os.getpid(), signal.SIGKILL)\n"
        "copy_index(parse_place(sys.argv[1]), parse_place(sys.argv[2]), on_progress=killed)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, f"faiss:{index}", f"qdrant:{target}"], check=False)
    assert done.returncode == -signal.SIGKILL
    report = ask(capsys, "copy", "--from", f"faiss:{index}", "--to", f"qdrant:{target}")
    assert (report["copied"], report["already"]) == (COUNT - 60, 60)
    check_whole(target, index)


def test_shards_are_gathered(index: Path, tmp_path: Path, server: FakeServer) -> None:
    """Two folders that share a server become one: the vectors are there, journal and thumbnails come together."""
    patents = sorted({d.patent for d in DRAWINGS})
    for part in (0, 1):
        with create_from_spec(tmp_path / f"part{part}", SPEC, backend="qdrant", url=f"{server.url}#all") as engine:
            own = [i for i, d in enumerate(DRAWINGS) if patents.index(d.patent) % 2 == part]
            engine.add([DRAWINGS[i] for i in own], VECTORS[own])
            engine.thumbnails.put((DRAWINGS[i].id, DRAWINGS[i].id.encode()) for i in own)
            counts = {p: sum(DRAWINGS[i].patent == p for i in own) for p in patents[part::2]}
            engine.journal.put(Entry(p, "f", "{}", p, n, "done") for p, n in counts.items())
    for part in (0, 1):
        where = f"qdrant:{server.url}#all"
        assert run("index", "copy", "--from", f"qdrant:{tmp_path / f'part{part}'}", "--to", where,
                   "--index", tmp_path / "whole") == 0  # fmt: skip
    check_whole(tmp_path / "whole", index)


@pytest.mark.parametrize("backend", ["faiss", "qdrant"])
def test_a_snapshot_of_a_folder(index: Path, tmp_path: Path, backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    if backend != "faiss":
        assert run("index", "copy", "--from", f"faiss:{index}", "--to", f"{backend}:{tmp_path / 'other'}") == 0
        index = tmp_path / "other"
    capsys.readouterr()
    saved = ask(capsys, "snapshot", index, tmp_path / "snap.tar")
    assert saved["bytes"] > 10_000
    assert saved["drawings"] == COUNT
    with open_index(index, read_only=False) as engine:
        engine.delete([d.id for d in DRAWINGS[:100]])
    assert ask(capsys, "restore", tmp_path / "snap.tar", tmp_path / "again")["drawings"] == COUNT
    with open_index(tmp_path / "again", read_only=False) as engine:
        check_same(engine.backend)
        assert engine.verify() == []
        assert engine.thumbnails.get(DRAWINGS[0].id)
    assert {p.name for p in (tmp_path / "again").iterdir()} == {p.name for p in index.iterdir()}
    assert run("index", "restore", tmp_path / "snap.tar", tmp_path / "again") == 2
    assert "exists already" in capsys.readouterr().err
    assert run("index", "snapshot", index, tmp_path / "snap.tar") == 2
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_a_snapshot_of_a_server(
    index: Path, tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"qdrant:{server.url}#designs"
    assert run("index", "copy", "--from", f"faiss:{index}", "--to", where, "--index", tmp_path / "remote") == 0
    assert run("index", "snapshot", tmp_path / "remote", tmp_path / "snap.tar") == 0
    assert run("index", "restore", tmp_path / "snap.tar", tmp_path / "again") == 2
    assert "There is an index at" in capsys.readouterr().err
    with FakeServer() as other:
        assert run("index", "restore", tmp_path / "snap.tar", tmp_path / "again", "--url", other.url) == 0
        check_whole(tmp_path / "again", index)
    # From the server into a folder, and from the folder back.
    assert run("index", "restore", tmp_path / "snap.tar", tmp_path / "local", "--backend", "faiss") == 0
    check_whole(tmp_path / "local", index)
    assert run("index", "snapshot", tmp_path / "local", tmp_path / "local.tar") == 0
    back = ["index", "restore", tmp_path / "local.tar", tmp_path / "back", "--url", f"{server.url}#back"]
    assert run(*back) == 2
    assert "--backend qdrant" in capsys.readouterr().err
    assert run(*back, "--backend", "qdrant") == 0
    check_whole(tmp_path / "back", index)


def test_a_server_that_gives_a_part_of_its_drawings_gets_no_snapshot(
    index: Path, tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"qdrant:{server.url}#designs"
    assert run("index", "copy", "--from", f"faiss:{index}", "--to", where, "--index", tmp_path / "remote") == 0
    scan = QdrantBackend.scan
    monkeypatch.setattr(QdrantBackend, "scan", lambda self, **options: islice(scan(self, batch=80), 1))
    assert run("index", "snapshot", tmp_path / "remote", tmp_path / "snap.tar") == 6
    assert "holds 120 drawings, but 80 could be read" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir() if "snap" in p.name] == []


def test_a_snapshot_that_is_not_whole_is_not_restored(
    index: Path, tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("index", "snapshot", index, tmp_path / "snap.tar") == 0
    with tarfile.open(tmp_path / "snap.tar") as archive:
        archive.extractall(tmp_path / "parts", filter="data")
    (tmp_path / "parts" / "snapshot.json").write_text('{"drawings": 130}')
    with tarfile.open(tmp_path / "less.tar", "w") as archive:
        archive.add(tmp_path / "parts", "")
    assert run("index", "restore", tmp_path / "less.tar", tmp_path / "again") == 3
    assert "has 120 of its 130 drawings" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    # The server takes the drawings, and does not have them afterwards.
    restoring = ["index", "restore", tmp_path / "snap.tar", tmp_path / "again", "--backend", "qdrant"]
    with monkeypatch.context() as patch:
        patch.setattr(QdrantBackend, "count", lambda self, where=None: 119)
        assert run(*restoring, "--url", server.url) == 6
    assert "119 of the 120 drawings" in capsys.readouterr().err
    assert run(*restoring, "--url", server.url) == 0  # nothing was left behind
    check_whole(tmp_path / "again", index)


@pytest.mark.parametrize("part", ["vectors-00000.f32", "thumbnails.sqlite", "journal.sqlite"])
@pytest.mark.parametrize("backend", ["faiss", "qdrant"])
def test_a_snapshot_that_has_changed_is_not_restored(
    index: Path, tmp_path: Path, part: str, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copied to another backend, the damage would get checksums that fit it."""
    if backend != "faiss":
        pytest.importorskip("qdrant_edge")
    assert run("index", "snapshot", index, tmp_path / "snap.tar") == 0
    data = bytearray((tmp_path / "snap.tar").read_bytes())
    with tarfile.open(tmp_path / "snap.tar") as archive:
        member = next(member for member in archive if member.name.endswith(part))
    if part.endswith("f32"):
        place = member.offset_data + 1000
    else:  # within a value: the pages of a database have free places, which nothing reads
        with open_index(index) as engine:
            text = DRAWINGS[0].patent.encode() if "journal" in part else engine.thumbnails.get(DRAWINGS[0].id)
        assert text
        place = data.index(text, member.offset_data) + 1
    data[place] ^= 1
    (tmp_path / "snap.tar").write_bytes(data)
    restoring = ["index", "restore", tmp_path / "snap.tar", tmp_path / "again", "--backend", backend]
    assert run(*restoring) == 3
    assert "snap.tar is damaged: " in capsys.readouterr().err
    assert not (tmp_path / "again").exists()
    if backend == "faiss":
        assert run(*restoring, "--damaged") == 0
        assert run("index", "verify", tmp_path / "again") == 4


def test_snapshots_of_the_version_before(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In 0.1.0, a snapshot had no count, and the backend's part in the backend's own form."""
    pytest.importorskip("qdrant_edge")
    assert run("index", "copy", "--from", f"faiss:{index}", "--to", f"qdrant:{tmp_path / 'edge'}") == 0
    for folder, part in ((index, "faiss"), (tmp_path / "edge", "qdrant")):
        with tarfile.open(tmp_path / f"{part}.tar", "w") as archive:
            for path in folder.iterdir():
                archive.add(path, "backend" if path.name == part else path.name)
        assert run("index", "restore", tmp_path / f"{part}.tar", tmp_path / f"{part}-again") == 0
        check_whole(tmp_path / f"{part}-again", index)
    (tmp_path / "server" / "backend").mkdir(parents=True)
    (tmp_path / "server" / "backend" / "collection.snapshot").touch()
    (tmp_path / "server" / "index.json").write_bytes((tmp_path / "edge" / "index.json").read_bytes())
    with tarfile.open(tmp_path / "server.tar", "w") as archive:
        archive.add(tmp_path / "server", "")
    assert run("index", "restore", tmp_path / "server.tar", tmp_path / "never") == 3
    assert "a Qdrant server's own snapshot" in capsys.readouterr().err


def test_what_is_no_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar")
    assert run("index", "restore", tmp_path / "x.tar", tmp_path / "again") == 3
    assert "is not a snapshot of patsearch" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_publishing(index: Path, tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    where = f"qdrant:{server.url}#next"
    assert run("index", "copy", "--from", f"faiss:{index}", "--to", where, "--index", tmp_path / "next") == 0
    capsys.readouterr()
    assert ask(capsys, "publish", tmp_path / "next", "designs") == {"alias": "designs", "before": None}
    with open_backend("qdrant", f"{server.url}#designs") as backend:
        check_same(backend)
    assert run("index", "publish", index, "designs") == 2
    assert "Only an index on a server" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "target", "code", "words"),
    [
        ("nothing", "faiss:x", 2, "'nothing' names no index"),
        ("milvus:x", "faiss:x", 2, "names no index"),
        ("qdrant:INDEX", "faiss:x", 2, "is an index on 'faiss'"),
        ("faiss:missing", "qdrant:x", 4, "There is no index at missing"),
        ("faiss:INDEX", "faiss:http://host", 2, "names a server, but no collection"),
        ("faiss:INDEX", "qdrant:http://127.0.0.1:9?attempts=1#x", 6, "No server answers"),
        ("qdrant:http://127.0.0.1:9", "faiss:x", 2, "no collection"),
    ],
)
def test_places_that_are_none(
    index: Path, capsys: pytest.CaptureFixture[str], source: str, target: str, code: int, words: str
) -> None:
    source, target = (text.replace("INDEX", str(index)) for text in (source, target))
    assert run("index", "copy", "--from", source, "--to", target) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line


def test_vectors_of_two_encoders_are_not_mixed(index: Path, tmp_path: Path) -> None:
    other = type(SPEC)("another", "7b" * 32, SPEC.dim)
    with (
        open_index(index) as old,
        create_backend("faiss", tmp_path / "other", other) as new,
        pytest.raises(EncoderMismatch, match="separate target"),
    ):
        copy(old.backend, new)
