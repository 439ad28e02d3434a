"""Readers who may not write in the folder, next to every kind of writer: the truth, or a refusal that says why.

readers   the owner, another user, the owner through a read-only mount
writers   none, one that has the index open, one that closed it, one that was killed
deeds     adding, deleting, both with a compaction
files     as the writer left them, and without SQLite's `-shm` files, as a copy of a folder may be
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from index_makers import NOBODY, Reader, Writer, add, change, delete, look, make_index

from patsearch.engine import open_index

START = 100


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may read; pytest's own are its user's alone. In memory where there is one: quicker."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(prefix="patsearch-readers-", dir=memory) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def truths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The contents after each deed, read from indexes that only one process ever opened."""
    folder, found = tmp_path_factory.mktemp("truths"), {}
    for deed in ("none", "add", "delete", "compact"):
        make_index(folder / deed, START)
        with open_index(folder / deed, read_only=False) as engine:
            change(engine, deed)
            found[deed] = {**look(engine), "problems": []}
    return found


@pytest.fixture
def reader_of(folder: Path) -> Iterator[Any]:
    """Starts readers; ends them, and their mounts, after the test."""
    make_index(folder / "other", 5)
    readers: list[Reader] = []
    mounted: list[Path] = []

    def start(kind: str, index: Path) -> Reader:
        if kind == "user" and (not hasattr(os, "setuid") or os.getuid() != 0):
            pytest.skip("becoming another user needs the rights of root")
        if kind == "mount":
            where = folder / f"mount{len(mounted)}"
            where.mkdir()
            done = subprocess.run(
                ["mount", "--bind", "-o", "ro", str(index), str(where)], check=False, capture_output=True
            )
            if done.returncode:
                pytest.skip("mounting a folder read-only needs the rights of root")
            mounted.append(where)
            index = where
        readers.append(Reader(index, NOBODY if kind == "user" else 0, folder / "other"))
        return readers[-1]

    try:
        yield start
    finally:
        for reader in readers:
            reader.close()
        for where in mounted:
            subprocess.run(["umount", "--lazy", str(where)], check=True)


def without_shared_memory(index: Path) -> None:
    for path in index.rglob("*-shm"):
        path.unlink()


def agrees(answer: dict[str, Any], truth: dict[str, Any]) -> bool:
    """Whether the answer is the truth; a refusal is told from it."""
    if "refused" in answer:
        assert "is being changed" in answer["refused"], answer
        return False
    assert answer == truth, {k: (answer[k], truth[k]) for k in truth if answer.get(k) != truth[k]}
    return True


READERS = ("owner", "user", "mount")


@pytest.mark.parametrize("deed", ["add", "delete", "compact"])
@pytest.mark.parametrize("end", ["open", "closed", "killed"])
@pytest.mark.parametrize("kind", READERS)
def test_a_reader_next_to_a_writer(
    folder: Path, reader_of: Any, truths: dict[str, dict[str, Any]], kind: str, end: str, deed: str
) -> None:
    index = make_index(folder / "index", START)
    early = reader_of(kind, index)
    assert agrees(early.look(), truths["none"])
    writer = Writer(index, deed, end)
    try:
        assert agrees(early.look(), truths[deed])
        assert agrees(early.look("open"), truths[deed])
        assert agrees(reader_of(kind, index).look(), truths[deed])
    finally:
        writer.close()
    assert agrees(early.look(), truths[deed])
    with open_index(index, read_only=False) as owner:  # recovers what a killed one left
        assert look(owner)["count"] == truths[deed]["count"]
        delete(owner, range(START))
        assert (answer := early.look()).get("count", 0) == owner.backend.count() or "refused" in answer
        owner.backend.compact()
        assert early.look()["count"] == owner.backend.count()
    assert early.look()["problems"] == []


@pytest.mark.parametrize("deed", ["add", "delete", "compact"])
@pytest.mark.parametrize("kind", READERS)
def test_a_copy_without_shared_memory(
    folder: Path, reader_of: Any, truths: dict[str, dict[str, Any]], kind: str, deed: str
) -> None:
    """What a killed writer committed is in the logs; a copy of them alone is enough, and `verify` reads the same."""
    index = make_index(folder / "index", START)
    Writer(index, deed, "killed").close()
    assert any(path.stat().st_size for path in index.rglob("*-wal"))
    copy = Path(shutil.copytree(index, folder / "copy"))
    without_shared_memory(copy)
    reader = reader_of(kind, copy)
    assert agrees(reader.look(), truths[deed])
    with open_index(copy, read_only=False) as owner:
        delete(owner, range(60, 100))
        left = look(owner)
        answer = reader.look()
        assert "refused" in answer or answer == {**left, "problems": []}
    assert reader.look() == {**left, "problems": []}


@pytest.mark.parametrize("kind", READERS)
def test_no_writer_at_all(folder: Path, reader_of: Any, truths: dict[str, dict[str, Any]], kind: str) -> None:
    index = make_index(folder / "index", START)
    for path in (*index.rglob("*-wal"), *index.rglob("*-shm")):
        path.unlink()
    reader = reader_of(kind, index)
    for how in ("look", "look", "open"):
        assert agrees(reader.look(how), truths["none"])
    if kind != "owner":
        assert list(index.rglob("*-shm")) == []


def test_a_writer_who_is_busy_all_the_time(folder: Path, reader_of: Any) -> None:
    """Without the files to share, each answer is still that of one moment."""
    index = make_index(folder / "index", START)
    reader = reader_of("user", index)
    assert reader.look()["count"] == START
    with open_index(index, read_only=False) as owner:
        known = {START}
        for first in range(START, 400, 20):
            add(owner, range(first, first + 20))
            known.add(owner.backend.count())
            if first % 60 == 0:
                assert reader.look("open").get("count", START) in known
            answer = reader.look()
            assert "refused" in answer or answer["count"] == owner.backend.count()


def test_a_snapshot_has_no_log(folder: Path, reader_of: Any, truths: dict[str, dict[str, Any]]) -> None:
    from patsearch.engine.snapshot import restore_snapshot, save_snapshot

    index = make_index(folder / "index", START)
    Writer(index, "add", "killed").close()
    save_snapshot(index, folder / "snap.tar")
    restore_snapshot(folder / "snap.tar", folder / "again")
    for path in (folder / "again").rglob("*-*"):
        if path.name.endswith(("-wal", "-shm")):
            path.unlink()  # what the restoring process made when it looked
    assert agrees(reader_of("user", folder / "again").look(), truths["add"])
