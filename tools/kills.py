"""Kill ingest, deletion, compaction and copying (kill -9) at random moments, and look at the index after each.

    python tools/kills.py --kills 200

Each round fills an index from a folder of drawings, deletes some of them, compacts and copies it. Every step is killed
several times before it may finish. After each kill, `index verify` must find nothing; after each round, the index and
its copy must hold and answer the same as one that nothing ever interrupted. Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from patsearch.engine import open_index

PATENTS = 24
DELETED = range(3, 12)
MOST_KILLS = 5  # of one step, before it may finish
# Forked from a process that has imported what the commands need: kills meet their work, not their start.
PROCESSES = multiprocessing.get_context("forkserver")
LOADED = [
    "patsearch.cli",
    "patsearch.ingest",
    "patsearch.engine.copy",
    "patsearch.backends.faiss",
    "patsearch.encoder.onnx",
]


def draw(folder: Path, seed: int) -> None:
    """Two small line drawings for each patent."""
    chance = random.Random(seed)
    folder.mkdir()
    for number in range(PATENTS):
        for figure in (1, 2):
            image = Image.new("L", (400, 400), 255)
            pen = ImageDraw.Draw(image)
            for _ in range(6):
                x, y = chance.randrange(20, 200), chance.randrange(20, 200)
                box = (x, y, x + chance.randrange(30, 180), y + chance.randrange(30, 180))
                chance.choice((pen.ellipse, pen.rectangle))(box, outline=0, width=3)
            image.save(folder / f"D{900000 + number}_{figure}.png")


def steps(work: Path, drawings: Path) -> dict[str, list[str]]:
    """The commands of a round, in their order."""
    index = str(work / "index")
    chosen = [word for number in DELETED for word in ("--patent", f"D{900000 + number}")]
    pattern = ["--pattern", "{patent}_{figure}.png"]
    return {
        "ingest": ["ingest", str(drawings), "--index", index, *pattern, "--workers", "1", "--commit-every", "4", "-q"],
        "delete": ["index", "delete", index, *chosen, "--yes"],
        "compact": ["index", "compact", index],
        "copy": ["index", "copy", "--from", f"faiss:{index}", "--to", f"faiss:{work / 'copy'}", "--quiet"],
    }


def run(arguments: list[str], started: Connection) -> None:
    """One command, in this process; small batches, so that each has several commits."""
    from patsearch.backends import copy
    from patsearch.cli import index, main

    copy._BATCH, index._DELETED_AT_ONCE = 8, 4
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    started.send("started")
    main(arguments)


def attempt(arguments: list[str], seconds: float | None) -> int | None:
    """Exit code of a command that is killed after some seconds, if it runs that long; None where it was killed."""
    here, there = PROCESSES.Pipe()
    process = PROCESSES.Process(target=run, args=(arguments, there))
    process.start()
    there.close()
    here.recv()
    process.join(seconds)
    killed = process.is_alive()
    if killed and process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return None if killed and process.exitcode == -signal.SIGKILL else process.exitcode


def contents(index: Path) -> dict[str, Any]:
    """Everything that the index says."""
    with open_index(index) as engine:
        stored = [
            (d, v.tobytes()) for part, vectors in engine.backend.scan() for d, v in zip(part, vectors, strict=True)
        ]
        like = sorted({drawing.patent for drawing, _ in stored})[::4]
        return {
            "stored": stored,
            "answers": [[(hit.patent, hit.score) for hit in engine.search(like=number, k=20)] for number in like],
            "journal": engine.journal.entries(),
            "fingerprint": engine.fingerprint(),
            "thumbnails": [engine.thumbnails.get(drawing.id) for drawing, _ in stored],
            "problems": engine.verify(),
            "unfinished": engine.journal.begun(),
        }


def problems(work: Path) -> Iterator[str]:
    """What `index verify` finds in the indexes that there are."""
    for name in ("index", "copy"):
        if (work / name / "index.json").exists():
            with open_index(work / name) as engine:
                yield from (f"{name}: {problem}" for problem in engine.verify())


def uninterrupted(work: Path, drawings: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """What a round leaves that nothing interrupts, and the seconds of its steps."""
    taken = {}
    work.mkdir()
    for step, command in steps(work, drawings).items():
        before = time.monotonic()
        if code := attempt(command, None):
            sys.exit(f"{step} ended with {code} without being killed")
        taken[step] = time.monotonic() - before
    return contents(work / "index"), taken


def rounds(
    folder: Path, kills: int, chance: random.Random, say: Callable[[str], None]
) -> tuple[Counter[str], list[str]]:
    """Kill that many commands; returns the kills of each step, and what was wrong."""
    drawings = folder / "drawings"
    draw(drawings, seed=1)
    truth, taken = uninterrupted(folder / "truth", drawings)
    count: Counter[str] = Counter()
    wrong: list[str] = []
    number = 0
    while count.total() < kills:
        work = folder / f"round{number}"
        work.mkdir()
        for step, command in steps(work, drawings).items():
            for left in range(MOST_KILLS, -1, -1):
                limit = chance.random() * taken[step] if left and count.total() < kills else None
                code = attempt(command, limit)
                count[step] += code is None
                wrong += [f"round {number}, {step}, after kill {count.total()}: {text}" for text in problems(work)]
                if code:
                    wrong.append(f"round {number}, {step}: exit code {code}")
                if code is not None:
                    break
        for name in ("index", "copy"):
            if not (work / name / "index.json").exists():
                wrong.append(f"round {number}: no {name}")
                continue
            found = contents(work / name)
            wrong += [f"round {number}, {name}: another {key}" for key in truth if found[key] != truth[key]]
        say(f"{count.total()} kills ({dict(count)}), {len(wrong)} faults")
        shutil.rmtree(work)
        number += 1
    return count, wrong


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    PROCESSES.set_forkserver_preload(LOADED)
    with tempfile.TemporaryDirectory(prefix="patsearch-kills-") as folder:
        count, wrong = rounds(
            Path(folder), options.kills, random.Random(options.seed), lambda t: print(t, file=sys.stderr)
        )
    print(json.dumps({"kills": dict(count), "faults": wrong}, indent=1))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
