"""One flipped bit anywhere in an index: `verify` finds it if any answer is another, and nothing ends in a traceback."""

from __future__ import annotations

import os
import random
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from index_makers import DRAWINGS, Writer, add, delete, look, make_index

from patsearch.backends.planner import Tuning
from patsearch.engine import open_index
from patsearch.errors import PatsearchError

Answers = dict[str, Any]


@pytest.fixture
def approximate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small indexes are searched like large ones."""
    tuning = Tuning(exact_limit=60, flat_matches=5, scan_matches=20, scan_share=0.1, nprobe=1, stale_share=1.0)
    monkeypatch.setattr("patsearch.backends.faiss.Tuning", lambda: tuning)


@pytest.fixture
def index(tmp_path: Path, approximate: None) -> Path:
    """Drawings added in several batches, some deleted, some added after the structure was built."""
    make_index(tmp_path / "index", 120)
    with open_index(tmp_path / "index", read_only=False) as engine:
        delete(engine, range(10, 30))
        engine.backend.optimize()
        add(engine, range(120, 150))
    return tmp_path / "index"


def answers(index: Path) -> tuple[Answers, list[str]]:
    """What searches say and what `verify` says; each a refusal where it refuses."""
    try:
        with open_index(index) as engine:
            try:
                found = look(engine) | {
                    "pictures": [engine.thumbnails.get(d.id) for d in DRAWINGS[:150]],
                    "info": {k: v for k, v in engine.info().items() if k != "bytes"},
                }
            except PatsearchError as error:
                found = {"refused": str(error)}
            return found, engine.verify()
    except PatsearchError as error:
        return {"refused": str(error)}, [str(error)]


def in_child(work: Callable[[], str]) -> str:
    """What it returns, from a child process: damage in FAISS' own files could end the process."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(there, "w") as out:
            try:
                out.write(work() or "ok")
            except BaseException:
                out.write(traceback.format_exc())
        os._exit(0)
    os.close(there)
    with os.fdopen(here) as result:
        text = result.read()
    _, status = os.waitpid(child, 0)
    return text if status == 0 and text else f"the process ended with {status}"


def faults(index: Path, path: Path, places: int) -> list[str]:
    """What went wrong with a bit flipped at that many places of a file, one at a time."""
    sound, problems = answers(index)
    assert problems == []
    data = path.read_bytes()
    chance = random.Random(path.name)
    wrong = []

    def one(place: int, bit: int) -> str:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        found, problems = answers(index)
        return "" if problems or found == sound else f"not found: {[k for k in sound if found.get(k) != sound[k]]}"

    for place in chance.sample(range(len(data)), min(places, len(data))):
        bit = chance.randrange(8)
        text = in_child(lambda place=place, bit=bit: one(place, bit))  # type: ignore[misc]
        if text != "ok":
            wrong.append(f"{path.name}, byte {place}, bit {bit}: {text}")
        for left in index.rglob("*-shm"):
            left.unlink()
        path.write_bytes(data)
    return wrong


FILES = ("index.json", "journal.sqlite", "thumbnails.sqlite", "manifest.json", "catalogue.db", "vectors-00000.f32",
         "columns-00000.i32", "approximate.json", "approximate-000001.faiss")  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="damage is looked at in forked processes")
@pytest.mark.parametrize("places", [12, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("approximate")
def test_a_flipped_bit(index: Path, name: str, places: int) -> None:
    assert {path.name for path in index.rglob("*") if path.is_file()} - {*FILES} <= {"writer.lock"}
    (path,) = index.rglob(name)
    assert faults(index, path, places) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="damage is looked at in forked processes")
@pytest.mark.parametrize("places", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_a_log(tmp_path: Path, places: int) -> None:
    """What a killed writer left is in the logs."""
    make_index(tmp_path / "index", 100)
    Writer(tmp_path / "index", "add", "killed").close()
    index = Path(shutil.copytree(tmp_path / "index", tmp_path / "copy"))
    for left in index.rglob("*-shm"):
        left.unlink()
    for path in sorted(index.rglob("*-wal")):
        assert faults(index, path, places) == []
