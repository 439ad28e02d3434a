"""Indexes of random drawings with journal and thumbnails, and processes that read or write them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from patsearch.engine import Engine, Entry, open_index
from patsearch.engine.engine import create_from_spec
from patsearch.errors import PatsearchError
from patsearch.filters import parse_filter
from patsearch_contract.samples import SPEC, random_drawings, random_vectors

DRAWINGS, VECTORS = random_drawings(400, seed=20), random_vectors(400, seed=20)
# Forked from a process that has imported what they need (conftest.py): quick, and without the threads of the tests.
_PROCESSES = multiprocessing.get_context("forkserver")
QUERIES = random_vectors(3, seed=21)
NOBODY = 65_534


def make_index(path: Path, count: int) -> Path:
    """An index of the first `count` random drawings."""
    with create_from_spec(path, SPEC, backend="faiss") as engine:
        add(engine, range(count))
    return path


def add(engine: Engine, rows: range) -> None:
    """Store these of the random drawings, as an ingest does: vectors, thumbnails, then the journal."""
    drawings = DRAWINGS[rows.start : rows.stop]
    engine.add(drawings, VECTORS[rows.start : rows.stop])
    engine.thumbnails.put((d.id, png(d.id)) for d in drawings)
    put_journal(engine, {d.patent for d in drawings})


def put_journal(engine: Engine, patents: set[str]) -> None:
    """Let the journal say how many drawings of these patents there are."""
    stored = [
        d for p in sorted(patents) for batch in engine.backend.payloads(parse_filter(f"patent={p}")) for d in batch
    ]
    counts = {p: len({d.id for d in stored if d.patent == p}) for p in sorted(patents)}
    engine.journal.put(Entry(p, "f", "{}", p, n, "done" if n else "deleted") for p, n in counts.items())


def delete(engine: Engine, rows: range) -> None:
    """Delete these of the random drawings."""
    engine.delete([d.id for d in DRAWINGS[rows.start : rows.stop]])


def png(text: str) -> bytes:
    """Bytes that stand for a picture."""
    return hashlib.blake2b(text.encode()).digest() * 3


def look(engine: Engine) -> dict[str, Any]:
    """What a reader is told: everything that an answer can show."""
    hits = engine.backend.search(QUERIES, k=10)
    few = engine.backend.search(QUERIES, k=10, where=parse_filter("granted>=2010 and title~chair"))
    stored = [
        (d, v.tobytes().hex()) for part, vectors in engine.backend.scan() for d, v in zip(part, vectors, strict=True)
    ]
    return {
        "count": engine.backend.count(),
        "patents": engine.backend.patents(),
        "hits": [[[h.drawing.id, round(h.score, 6)] for h in line] for line in (*hits, *few)],
        "stored": hashlib.blake2b(repr(stored).encode()).hexdigest(),
        "filtered": [
            engine.backend.count(parse_filter(f)) for f in ("uspc=D14", "granted<2012", "view~front", "kind!=S1")
        ],
        "thumbnails": hashlib.blake2b(repr(list(engine.thumbnails.items())).encode()).hexdigest(),
        "journal": [repr(entry) for entry in engine.journal.entries()],
        "fingerprint": engine.fingerprint(),
    }


class Reader:
    """Another process that has the index open, as a user of this number; it touches another index of its own first."""

    def __init__(self, index: Path, user: int, other: Path) -> None:
        self._here, there = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_read, args=(there, index, user, other), daemon=True)
        self._process.start()
        there.close()

    def look(self, how: str = "look") -> dict[str, Any]:
        """What it is told now: the answers of `look`, and `problems`; or `refused`, in words.

        Args:
            how: `open` to open the index again first.
        """
        self._here.send(how)
        answer: dict[str, Any] = self._here.recv()
        return answer

    def close(self) -> None:
        self._here.close()
        self._process.join(timeout=120)
        assert self._process.exitcode == 0


class Writer:
    """Another process that did something to the index, as the owner.

    Args:
        deed: `add`, `delete`, or `compact` after both.
        end: whether it still has the index `open`, has `closed` it, or was `killed`.
    """

    def __init__(self, index: Path, deed: str, end: str) -> None:
        self._here, there = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_write, args=(there, index, deed, end), daemon=True)
        self._process.start()
        there.close()
        assert self._here.recv() == "done"
        if end == "killed":
            self._process.join(timeout=120)

    def close(self) -> None:
        self._here.close()
        self._process.join(timeout=120)


def change(engine: Engine, deed: str) -> None:
    """Do a deed of `Writer`."""
    if deed in ("add", "compact"):
        add(engine, range(100, 180))
    if deed in ("delete", "compact"):
        delete(engine, range(20, 50))
    if deed == "compact":
        engine.backend.compact()


def _read(requests: Connection, index: Path, user: int, other: Path) -> None:
    with open_index(other) as engine:  # afterwards, nothing has to be imported as the other user
        look(engine)
        engine.verify()
    if user:
        os.setuid(user)
    with ExitStack() as stack:
        opened: Engine | None = None
        while True:
            try:
                how = requests.recv()
            except EOFError:
                return
            try:
                if opened is None or how == "open":
                    stack.close()
                    opened = None
                    opened = stack.enter_context(open_index(index))
                answer = {**look(opened), "problems": opened.verify()}
            except PatsearchError as error:
                answer = {"refused": str(error)}
            requests.send(answer)


def _write(requests: Connection, index: Path, deed: str, end: str) -> None:
    engine = open_index(index, read_only=False)
    change(engine, deed)
    if end == "closed":
        engine.close()
    requests.send("done")
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    with suppress(EOFError):
        requests.recv()
    engine.close()
