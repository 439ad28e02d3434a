"""One flipped bit anywhere in an index: `verify` finds it if any answer is another, and nothing ends in a traceback."""

from __future__ import annotations

import json
import os
import random
import shutil
import traceback
from collections.abc import Callable, Iterator
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


def in_children(work: Callable[[int], str], count: int) -> Iterator[str]:
    """What it returns for 0, 1, ... from a child process: damage in FAISS' own files could end the process.

    Then another takes what is left. One for each number would copy the memory of the test process as often.
    """
    done = 0
    while done < count:
        here, there = os.pipe()
        child = os.fork()
        if child == 0:
            with os.fdopen(there, "w") as out:
                for number in range(done, count):
                    try:
                        text = work(number)
                    except BaseException:
                        text = traceback.format_exc()
                    print(json.dumps(text), file=out, flush=True)
            os._exit(0)
        os.close(there)
        with os.fdopen(here) as results:
            for line in results:
                done += 1
                yield json.loads(line)
        _, status = os.waitpid(child, 0)
        if done < count:
            done += 1
            yield f"the process ended with {status}"


def faults(index: Path, path: Path, places: int) -> list[str]:
    """What went wrong with a bit flipped at that many places of a file, one at a time."""
    sound, problems = answers(index)
    assert problems == []
    data = path.read_bytes()
    chance = random.Random(path.name)
    flips = [(place, chance.randrange(8)) for place in chance.sample(range(len(data)), min(places, len(data)))]

    def one(number: int) -> str:
        place, bit = flips[number]
        for left in index.rglob("*-shm"):
            left.unlink()
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        found, problems = answers(index)
        return "" if problems or found == sound else f"not found: {[k for k in sound if found.get(k) != sound[k]]}"

    wrong = [
        f"{path.name}, byte {place}, bit {bit}: {text}"
        for (place, bit), text in zip(flips, in_children(one, len(flips)), strict=True)
        if text
    ]
    for left in index.rglob("*-shm"):
        left.unlink()
    path.write_bytes(data)
    return wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="damage is looked at in forked processes")
def test_a_child_that_ends_costs_one_number() -> None:
    def work(number: int) -> str:
        if number == 2:
            os._exit(3)
        if number == 4:
            raise LookupError("a bug")
        return str(number)

    found = list(in_children(work, 6))
    assert found[:4] == ["0", "1", f"the process ended with {3 << 8}", "3"]
    assert "a bug" in found[4]
    assert found[5:] == ["5"]


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
@pytest.mark.parametrize("places", [12, pytest.param(60, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_a_log(tmp_path: Path, places: int) -> None:
    """What a killed writer left is in the logs."""
    make_index(tmp_path / "index", 100)
    Writer(tmp_path / "index", "add", "killed").close()
    index = Path(shutil.copytree(tmp_path / "index", tmp_path / "copy"))
    for left in index.rglob("*-shm"):
        left.unlink()
    for path in sorted(index.rglob("*-wal")):
        assert faults(index, path, places) == []
