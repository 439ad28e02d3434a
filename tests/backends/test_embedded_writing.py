"""What is on disk: kill -9, one writer, full disks, damage, versions."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from patsearch.backends.faiss import FaissBackend
from patsearch.backends.planner import Tuning
from patsearch.errors import IndexDamaged, IndexLocked, IndexNotFound, IndexVersionError, StorageError, UsageError
from patsearch.filters import parse_filter
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

COUNT = 400
# Writes batches for ever and says so after each; half-way replaces old drawings, deletes and compacts.
WRITER = """
import sys
from patsearch.backends.faiss import FaissBackend
from patsearch_contract.samples import random_drawings, random_vectors
drawings, vectors = random_drawings(400), random_vectors(400)
backend = FaissBackend.open(sys.argv[1], read_only=False)
first = int(sys.argv[2])
for i in range(first, 400, 8):
    backend.upsert(drawings[i:i + 8], vectors[i:i + 8])
    print(i + 8, flush=True)
    if i % 80 == 72:
        backend.upsert(drawings[i - 40:i], vectors[i - 40:i])
        backend.compact()
"""


def start_writer(index: Path, first: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(index), str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    with FaissBackend.create(tmp_path / "index", SPEC) as backend:
        backend.upsert(random_drawings(COUNT)[:100], random_vectors(COUNT)[:100])
    return tmp_path / "index"


def check_complete(index: Path, at_least: int) -> int:
    """The first N drawings are there, and none twice; returns N."""
    drawings, vectors = random_drawings(COUNT), random_vectors(COUNT)
    with FaissBackend.open(index, read_only=False) as backend:
        assert backend.verify() == []
        count = backend.count()
        assert at_least <= count
        assert list(backend.ids()) == sorted(d.id for d in drawings[:count])
        found = backend.get([d.id for d in drawings[:count]])
        for drawing, vector in zip(drawings[:count], vectors[:count], strict=True):
            assert found[drawing.id][0] == drawing
            np.testing.assert_array_equal(found[drawing.id][1], vector)
    return count


def test_kill_9_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    index = tmp_path / "index"
    FaissBackend.create(index, SPEC).close()
    chance = random.Random(7)
    done = 0
    for _ in range(6):
        writer = start_writer(index, done)
        assert writer.stdout is not None
        acknowledged = done
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged >= done + chance.randrange(8, 90):
                break
        time.sleep(chance.random() * 0.02)
        writer.kill()
        rest = writer.stdout.read().split()
        writer.wait(timeout=120)
        writer.stdout.close()
        done = check_complete(index, int(rest[-1]) if rest else acknowledged)
        if done == COUNT:
            break
    assert len([p for p in index.iterdir() if p.is_dir()]) == 1  # no generation is left over


def test_a_torn_tail_is_ignored_and_overwritten(index: Path) -> None:
    vectors = index / "g000001" / "vectors-00000.f32"
    committed = vectors.stat().st_size
    for name in ("vectors-00000.f32", "columns-00000.i32"):
        with (index / "g000001" / name).open("ab") as file:
            file.write(b"torn" * 77)
    with FaissBackend.open(index) as backend:
        assert backend.count() == 100
        assert backend.verify() == []
    with FaissBackend.open(index, read_only=False) as backend:
        assert vectors.stat().st_size == committed
        backend.upsert(random_drawings(COUNT)[100:120], random_vectors(COUNT)[100:120])
    assert check_complete(index, 120) == 120


def test_an_interrupted_append_changes_nothing(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawings, vectors = random_drawings(COUNT), random_vectors(COUNT)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with FaissBackend.open(index, read_only=False) as backend:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", interrupt)
            with pytest.raises(KeyboardInterrupt):
                backend.upsert(drawings[100:150], vectors[100:150])
        assert backend.count() == 100
        backend.upsert(drawings[100:110], vectors[100:110])
    assert check_complete(index, 110) == 110


# ---------------------------------------------------------------------- one writer


def test_a_second_writer_is_told_who_is_writing(index: Path) -> None:
    with FaissBackend.open(index, read_only=False):
        with pytest.raises(IndexLocked, match=f"Process {os.getpid()} "):
            FaissBackend.open(index, read_only=False)
        code = f"from patsearch.backends.faiss import FaissBackend; FaissBackend.open({str(index)!r}, read_only=False)"
        other = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
        assert f"IndexLocked: Process {os.getpid()} is writing" in other.stderr
        with FaissBackend.open(index) as reader:
            assert reader.count() == 100
    FaissBackend.open(index, read_only=False).close()


def test_the_lock_of_a_killed_writer_is_free(index: Path) -> None:
    writer = start_writer(index, 0)
    assert writer.stdout is not None
    writer.stdout.readline()
    with pytest.raises(IndexLocked, match=f"Process {writer.pid} "):
        FaissBackend.open(index, read_only=False)
    writer.send_signal(signal.SIGKILL)
    writer.wait(timeout=120)
    writer.stdout.close()
    FaissBackend.open(index, read_only=False).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_reads_but_does_not_write(index: Path) -> None:
    drawings, vectors = random_drawings(COUNT), random_vectors(COUNT)

    def in_child() -> None:
        assert reader.search(vectors[3])[0][0].drawing == drawings[3]
        assert reader.count() == 110
        for change in (lambda: writer.upsert(drawings[110:120], vectors[110:120]),
                       lambda: writer.delete([drawings[0].id]), writer.compact):  # fmt: skip
            with pytest.raises(UsageError, match="this is a child of it"):
                change()
        with pytest.raises(IndexLocked):
            FaissBackend.open(index, read_only=False)
        writer.close()
        reader.close()

    with FaissBackend.open(index) as reader, FaissBackend.open(index, read_only=False) as writer:
        writer.upsert(drawings[100:110], vectors[100:110])
        child = os.fork()
        if child == 0:
            try:
                in_child()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0
        writer.upsert(drawings[110:120], vectors[110:120])
        with pytest.raises(IndexLocked):
            FaissBackend.open(index, read_only=False)
        assert reader.count() == 120
    assert check_complete(index, 120) == 120


# ---------------------------------------------------------------------- full disks


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 300 kB: to a program it looks like a full disk."""
    resource = pytest.importorskip("resource", reason="Windows cannot limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_files_that_may_not_grow_lose_nothing(tmp_path: Path) -> None:
    fill_until_refused(tmp_path / "index")


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs needs the rights of root")
    try:
        fill_until_refused(disk / "index")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill_until_refused(index: Path) -> None:
    drawings, vectors = random_drawings(6000), random_vectors(6000)
    stored = 0

    def fill(backend: FaissBackend) -> None:
        nonlocal stored
        for i in range(0, 6000, 50):
            backend.upsert(drawings[i : i + 50], vectors[i : i + 50])
            stored = i + 50

    with FaissBackend.create(index, SPEC) as backend:
        with pytest.raises(StorageError) as refused:
            fill(backend)
        assert 0 < stored < 6000
        assert "what was stored before is intact" in str(refused.value)
        assert list(backend.ids()) == sorted(d.id for d in drawings[:stored])
        assert backend.search(vectors[3])[0][0].drawing == drawings[3]
    with FaissBackend.open(index) as backend:
        assert list(backend.ids()) == sorted(d.id for d in drawings[:stored])
        assert backend.verify() == []


def test_a_structure_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows cannot limit the size of files")
    tuning = Tuning(exact_limit=100)
    drawings, vectors = random_drawings(1500), random_vectors(1500)
    with FaissBackend.create(tmp_path / "index", SPEC, tuning=tuning) as backend:
        backend.upsert(drawings, vectors)
        before = backend.search(vectors[:4])
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
        try:
            with pytest.raises(StorageError, match="approximate"):
                backend.optimize()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        assert list((tmp_path / "index" / "g000001").glob("approximate*")) == []
        assert backend.search(vectors[:4]) == before
        backend.optimize()
        assert backend.info()["indexed"] == 1500


# ---------------------------------------------------------------------- damage and versions


def test_an_index_of_a_newer_version_is_refused(index: Path) -> None:
    manifest = index / "manifest.json"
    fields = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**fields, "format": fields["format"] + 1}))
    for read_only in (True, False):
        with pytest.raises(IndexVersionError, match="Upgrade"):
            FaissBackend.open(index, read_only=read_only)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": "x", "generation": 1, "spec": {}}'])
def test_a_damaged_manifest_is_refused(index: Path, text: str) -> None:
    (index / "manifest.json").write_text(text)
    with pytest.raises(IndexDamaged, match="manifest"):
        FaissBackend.open(index)


def test_missing_or_short_files_are_refused(index: Path) -> None:
    vectors = index / "g000001" / "vectors-00000.f32"
    os.truncate(vectors, vectors.stat().st_size - 1)
    with pytest.raises(IndexDamaged, match=r"vectors-00000\.f32"):
        FaissBackend.open(index)
    vectors.unlink()
    for read_only in (True, False):
        with pytest.raises(IndexDamaged, match=r"vectors-00000\.f32"):
            FaissBackend.open(index, read_only=read_only)


def test_a_catalogue_that_is_no_database_is_refused(index: Path) -> None:
    for path in (index / "g000001").glob("catalogue.db*"):
        path.unlink()
    (index / "g000001" / "catalogue.db").write_bytes(b"no database" * 1000)
    with pytest.raises(IndexDamaged, match="catalogue"):
        FaissBackend.open(index)


def test_no_folder_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        FaissBackend.open(tmp_path / "nothing", read_only=False)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_index_says_so(index: Path) -> None:
    backend = FaissBackend.open(index)
    backend.close()
    with pytest.raises(UsageError, match="closed"):
        backend.count()


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)


def test_verify_finds_a_flipped_bit_wherever_it_is(index: Path) -> None:
    for name, position in (("vectors-00000.f32", 2000), ("columns-00000.i32", 40)):
        flip(index / "g000001" / name, position)
        with FaissBackend.open(index) as backend:
            problems = backend.verify()
        assert any("checksum" in problem for problem in problems), name
        flip(index / "g000001" / name, position)
    with FaissBackend.open(index) as backend:
        assert backend.verify() == []


def test_verify_finds_doubles_and_orphans(index: Path) -> None:
    with closing(sqlite3.connect(index / "g000001" / "catalogue.db")) as db, db:
        db.execute("UPDATE drawings SET id = (SELECT id FROM drawings WHERE row = 1) WHERE row = 2")
        db.execute("DELETE FROM facts WHERE id = 3")
    with FaissBackend.open(index) as backend:
        problems = " ".join(backend.verify())
    assert "there twice" in problems
    assert "rows name missing facts" in problems


def test_verify_tells_that_the_structure_is_stale_or_damaged(index: Path) -> None:
    tuning = Tuning(exact_limit=50)
    with FaissBackend.open(index, read_only=False, tuning=tuning) as backend:
        assert any("covers 0 of 100 rows" in problem for problem in backend.verify())
        backend.optimize()
        assert backend.verify() == []
    (structure,) = (index / "g000001").glob("approximate-*.faiss")
    flip(structure, structure.stat().st_size - 200)
    with FaissBackend.open(index, tuning=tuning) as backend:
        assert any(f"{structure.name} is damaged" in problem for problem in backend.verify())


def change(index: Path, sql: str) -> None:
    with closing(sqlite3.connect(index / "g000001" / "catalogue.db")) as db, db:
        assert db.execute(sql).rowcount > 0


DAMAGE = [
    ("UPDATE captions SET view = view || 'x' WHERE id = 1", "captions 1 differ"),
    ("UPDATE facts SET title = 'another' WHERE id = 2", "facts 2 differ"),
    ("UPDATE facts SET granted = granted + 1 WHERE id = 2", "facts 2 differ"),
    ("UPDATE drawings SET sheet = 'D99' WHERE row = 7", "payloads 7 differ"),
    ("UPDATE drawings SET fact = 1 - fact WHERE row = 7 AND fact < 2 OR fact = 0", "differ"),
    ("UPDATE drawings SET dead = 1 WHERE row = 9", "payloads 9 differ"),
    ("DELETE FROM postings WHERE item = 3", "filters may miss"),
    ("UPDATE terms SET text = text || 'x' WHERE field = 'title'", "filters may miss"),
    ("UPDATE state SET value = value - 1 WHERE key = 'facts'", "counts"),
    ("UPDATE state SET value = value - 1 WHERE key = 'rows'", "rows"),
]


@pytest.mark.parametrize(("sql", "words"), DAMAGE)
def test_verify_finds_what_was_changed_in_the_catalogue(index: Path, sql: str, words: str) -> None:
    change(index, sql)
    with FaissBackend.open(index) as backend:
        assert words in " ".join(backend.verify())


UNREADABLE = [
    "UPDATE drawings SET box = '[1, 2'",
    "UPDATE drawings SET box = '7' WHERE row = 3",
    "UPDATE drawings SET sheet = 'D99'",
    "UPDATE facts SET classes = '[[1]]'",
    "UPDATE facts SET classes = '5'",
    "UPDATE facts SET granted = 'x'",
    "UPDATE facts SET granted = 1e300",
    "UPDATE facts SET granted = -5, filed = 99999999",
    "UPDATE facts SET title = CAST(x'ff' AS TEXT)",
    "DELETE FROM facts",
    "DELETE FROM state",
    "UPDATE state SET value = 'x'",
    "UPDATE state SET value = value * -1",
    "UPDATE drawings SET dead = 1, row = 100000 WHERE row = 99",
    "UPDATE postings SET item = -1 WHERE item = 1",
]


@pytest.mark.parametrize("sql", UNREADABLE)
def test_what_cannot_be_understood_is_damage(index: Path, sql: str) -> None:
    """Never an error of another kind; where a checksum covers it, a search refuses what it would show."""
    change(index, sql)

    def everything() -> None:
        with FaissBackend.open(index) as backend:
            for where in (None, parse_filter("granted>=2000"), parse_filter("title~chair"), parse_filter("view~front")):
                backend.search(random_vectors(1), k=100, where=where)
                backend.count(where)
                backend.patents(where)
            list(backend.scan())
            if problems := backend.verify():
                raise IndexDamaged(problems[0])

    with pytest.raises(IndexDamaged):
        everything()


def test_compaction_adds_checksums_to_what_has_none(index: Path) -> None:
    """As in an index that version 0.1.0 made: nothing is damaged, and nothing is checked until then."""
    change(index, "UPDATE drawings SET crc = NULL")
    change(index, "UPDATE facts SET terms_crc = NULL")
    change(index, "UPDATE drawings SET sheet = 'D77' WHERE row = 7")
    with FaissBackend.open(index, read_only=False) as backend:
        assert backend.verify() == []
        assert backend.compact()["reclaimed"] == 0
        assert backend.info()["generation"] == 2
        assert backend.verify() == []
        assert backend.compact()["reclaimed"] == 0
        assert backend.info()["generation"] == 2
        backend.delete([random_drawings(COUNT)[3].id])
    with closing(sqlite3.connect(index / "g000002" / "catalogue.db")) as db, db:
        db.execute("UPDATE drawings SET sheet = 'D78' WHERE row = 7")
    with FaissBackend.open(index) as backend, pytest.raises(IndexDamaged, match="row 7 differs from its checksum"):
        list(backend.scan())
