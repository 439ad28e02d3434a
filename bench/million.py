"""One million vectors through the embedded backend, against plain FAISS Flat in the same run.

    python bench/million.py --rows 1000000 --folder /tmp/million --out million.json

The data (seeded) imitate the embeddings of drawings: classes, patents within them, drawings within
patents. With e(.) a Gaussian vector whose spectrum falls as (1 + i)^-0.35 over 512 dimensions in a
random basis, scaled to length 1 on average,

    class c:    centre_c  = e                          sizes of classes: Zipf with exponent 0.6
    patent p:   centre_p  = centre_c + 0.8 e
    drawing:    x         = normalise(centre_p + 0.6 e)      1 to 13 drawings a patent, 7 on average

so that drawings of one patent have a cosine of about 0.82, of one class 0.5, of different classes 0.
Queries are further drawings of indexed patents. Patents are granted on random days (filters by date
are random with respect to the content) and bear their class's code (filters by class select whole
clusters; half of those queries come from the classes selected, half from others).

The measuring process first answers 1,500 unfiltered queries (it maps the structure as it goes; the median of
the first 100 is reported as that of a fresh process); each cell answers 100 other queries to warm up, then
the timed ones, one by one.

Memory is that of a fresh process that opened the index and answered every query: RssAnon (its own)
and RssFile (mapped pages that it touched), from /proc/self/status.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.base import IndexSpec
from patsearch.backends.faiss import FaissBackend
from patsearch.classification import ClassCode
from patsearch.filters import Filter, parse_filter
from patsearch.types import Drawing

DIM = 512
K = 10
WARM_UP = 100
SETTLE = 1500  # searches until a process has mapped all of the structure; the first 100 are reported as fresh
BATCH = 8192
FIRST_DAY, DAYS = date(1990, 1, 2), 10_000
SHARES = (0.001, 0.01, 0.1, 0.3)
Vectors = NDArray[np.float32]


class Generator:
    """The data: drawings in order of patents, made in blocks."""

    def __init__(self, rows: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        basis, _ = np.linalg.qr(self.rng.normal(size=(DIM, DIM)))
        spectrum = (1.0 + np.arange(DIM)) ** -0.35
        self._shape = (basis * (spectrum / np.linalg.norm(spectrum))).T.astype(np.float32)
        self.classes = max(20, rows // 500)
        weights = (1.0 + np.arange(self.classes)) ** -0.6
        patents = rows // 7
        self.class_of = self.rng.choice(self.classes, patents, p=weights / weights.sum())
        self.day_of = self.rng.integers(0, DAYS, patents)
        self.patent_of = np.sort(self.rng.integers(0, patents, rows))
        self._class_centres = self._noise(self.rng, self.classes)
        # A separate stream, so that the queries are the same whether data were made or reused.
        self.asking = np.random.default_rng([seed, 1])

    def _noise(self, rng: np.random.Generator, count: int) -> Vectors:
        return rng.normal(size=(count, DIM)).astype(np.float32) @ self._shape

    def write(self, folder: Path) -> None:
        """All drawings, (rows, DIM), and the centres of their patents, into files."""
        shape = (len(self.class_of), DIM)
        self.centres = np.lib.format.open_memmap(folder / "centres.npy", "w+", np.float32, shape)
        for i in range(0, len(self.centres), BATCH):
            classes = self.class_of[i : i + BATCH]
            self.centres[i : i + BATCH] = self._class_centres[classes] + 0.8 * self._noise(self.rng, len(classes))
        shape = (len(self.patent_of), DIM)
        out = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, shape)
        for i in range(0, len(out), BATCH):
            out[i : i + BATCH] = self._draw(self.rng, self.patent_of[i : i + BATCH])

    def read(self, folder: Path) -> Vectors:
        """The drawings that `write` made, mapped."""
        self.centres = np.load(folder / "centres.npy", mmap_mode="r")
        vectors: Vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        return vectors

    def queries(self, patents: NDArray[np.int64]) -> Vectors:
        """A new drawing of each of these patents."""
        return self._draw(self.asking, patents)

    def _draw(self, rng: np.random.Generator, patents: NDArray[np.int64]) -> Vectors:
        x = self.centres[patents] + 0.6 * self._noise(rng, len(patents))
        return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype=np.float32)

    def drawing(self, row: int) -> Drawing:
        patent = int(self.patent_of[row])
        return Drawing(
            id=f"USD{patent:07d}-{row}",
            patent=f"USD{patent}",
            sheet="D00001",
            figure=str(row % 7 + 1),
            view=f"view {row % 7 + 1}",
            title=f"Article of class {self.class_of[patent]}",
            kind="S1",
            granted=FIRST_DAY + timedelta(days=int(self.day_of[patent])),
            classes=(class_code(int(self.class_of[patent])),),
        )


class Clock:
    """Times of single searches in ms: on the wall, and on the processor (which other work disturbs less)."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def __enter__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall.append(1e3 * (time.perf_counter() - self._start[0]))
        self.cpu.append(1e3 * (time.process_time() - self._start[1]))


def class_code(number: int) -> ClassCode:
    return ClassCode("uspc", f"D{number % 34 + 1}/{number + 1}")  # a subclass 0 would be the class itself


def make_cells(data: Generator, queries: int) -> list[dict[str, Any]]:
    """Each cell: name, filter text, which rows match, and the patents of which queries are drawings."""
    everyone = np.arange(len(data.class_of))
    cells: list[dict[str, Any]] = [
        {"name": "unfiltered", "filter": "", "match": np.ones(len(data.patent_of), bool), "pool": [everyone]}
    ]
    for share in SHARES:
        last = FIRST_DAY + timedelta(days=round(share * DAYS) - 1)
        match = (data.day_of < round(share * DAYS))[data.patent_of]
        cells.append({"name": f"random {share:.1%}", "filter": f"granted<={last}", "match": match, "pool": [everyone]})
    counts = np.bincount(data.class_of[data.patent_of], minlength=data.classes)
    for share in SHARES:
        order = data.asking.permutation(data.classes)
        chosen = order[: 1 + int(np.searchsorted(counts[order].cumsum(), share * len(data.patent_of)))]
        inside = np.isin(data.class_of, chosen)
        codes = ",".join(class_code(int(c)).code for c in chosen)
        pool = [np.flatnonzero(inside), np.flatnonzero(~inside)]
        cells.append(
            {"name": f"class {share:.1%}", "filter": f"uspc={codes}", "match": inside[data.patent_of], "pool": pool}
        )
    for cell in cells:
        # The pools take turns, so that queries for warming up and timed ones have the same mixture.
        pools = cell["pool"]
        patents = [data.asking.choice(pools[i % len(pools)]) for i in range(WARM_UP + queries)]
        cell["queries"] = data.queries(np.array(patents))
    return cells


def build(folder: Path, data: Generator, vectors: Vectors) -> dict[str, float]:
    """Through the public interface, as an ingest does; seconds by stage."""
    with FaissBackend.create(folder, IndexSpec("synthetic", "0" * 64, DIM)) as backend:
        start, cpu = time.perf_counter(), time.process_time()
        for i in range(0, len(vectors), BATCH):
            rows = range(i, min(i + BATCH, len(vectors)))
            backend.upsert([data.drawing(row) for row in rows], np.asarray(vectors[i : i + BATCH]))
        stored = time.perf_counter()
        stored_cpu = time.process_time()
        backend.optimize()
        done = time.perf_counter()
        return {
            "store_s": stored - start,
            "store_cpu_s": stored_cpu - cpu,
            "optimize_s": done - stored,
            "optimize_cpu_s": time.process_time() - stored_cpu,
            "bytes_on_disk": backend.info()["bytes"],
        }


def flat_truth(vectors: Vectors, cells: list[dict[str, Any]]) -> None:
    """Exact answers of IndexFlatIP into each cell, and the time of its single queries in ms."""
    faiss: Any = import_module("faiss")  # its type stubs lack what its wrappers add
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(DIM)
    for i in range(0, len(vectors), BATCH):
        index.add(np.asarray(vectors[i : i + BATCH]))
    for cell in cells:
        selector = faiss.IDSelectorBitmap(np.packbits(cell["match"], bitorder="little"))
        parameters = faiss.SearchParameters(sel=selector) if cell["filter"] else None
        found, clock = [], Clock()
        for query in cell["queries"][WARM_UP:]:
            with clock:
                _, ids = index.search(query[None], K, params=parameters)
            found.append(ids[0])
        cell["truth"], cell["flat"] = np.array(found), clock


def measure(folder: Path, work: Path) -> None:
    """In a separate process: open, answer everything one by one, print times, answers and memory as JSON."""
    cells = json.loads((work / "cells.json").read_text())
    start = time.perf_counter()
    report: dict[str, Any] = {"cells": {}}
    with FaissBackend.open(folder) as backend:
        report["open_ms"] = 1e3 * (time.perf_counter() - start)
        fresh = Clock()
        for query in np.load(work / "settle.npy"):
            with fresh:
                backend.search(query, k=K)
        report["fresh_p50_ms"] = float(np.median(fresh.wall[:100]))
        for cell in cells:
            where: Filter = parse_filter(cell["filter"]) if cell["filter"] else Filter()
            vectors = np.load(work / cell["file"])
            warm_up, queries = vectors[:WARM_UP], vectors[WARM_UP:]
            for query in warm_up:
                backend.search(query, k=K, where=where)
            found, clock = [], Clock()
            for query in queries:
                with clock:
                    (hits,) = backend.search(query, k=K, where=where)
                found.append([int(hit.drawing.id.split("-")[1]) for hit in hits])
            report["cells"][cell["name"]] = {"wall_ms": clock.wall, "cpu_ms": clock.cpu, "found": found}
        report["engine"] = backend.info()["engine"]
        report["memory"] = memory()
    print(json.dumps(report))


def memory() -> dict[str, int]:
    """Resident bytes of this process by kind."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {key: int(status[key].split()[0]) * 1024 for key in ("VmRSS", "RssAnon", "RssFile", "RssShmem")}


def run(rows: int, queries: int, seed: int, work: Path, *, reuse: bool) -> dict[str, Any]:
    """The whole benchmark; `work` holds the data and the index, and is removed by the caller."""
    data = Generator(rows, seed)
    if not reuse:
        note(f"making {rows} vectors")
        data.write(work)
    vectors = data.read(work)
    np.save(work / "settle.npy", data.queries(data.asking.integers(0, len(data.class_of), SETTLE)))
    cells = make_cells(data, queries)
    if not reuse:
        note("building")
        (work / "build.json").write_text(json.dumps(build(work / "index", data, vectors)))
    building = json.loads((work / "build.json").read_text())
    for number, cell in enumerate(cells):
        cell["file"] = f"queries-{number}.npy"
        np.save(work / cell["file"], cell["queries"])
    described = [{key: cell[key] for key in ("name", "filter", "file")} for cell in cells]
    (work / "cells.json").write_text(json.dumps(described))
    note("searching")
    command = [sys.executable, __file__, "--measure", "--folder", str(work)]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    note("searching with IndexFlatIP")
    flat_truth(vectors, cells)

    table = []
    for cell in cells:
        got = measured["cells"][cell["name"]]
        overlap = [
            len(set(found) & set(truth.tolist())) / K for found, truth in zip(got["found"], cell["truth"], strict=True)
        ]
        p50, cpu_p50 = float(np.median(got["wall_ms"])), float(np.median(got["cpu_ms"]))
        flat_p50, flat_cpu_p50 = float(np.median(cell["flat"].wall)), float(np.median(cell["flat"].cpu))
        table.append(
            {
                "cell": cell["name"],
                "matches": int(cell["match"].sum()),
                "recall@10": float(np.mean(overlap)),
                "worst_recall@10": float(min(overlap)),
                "p50_ms": p50,
                "p95_ms": float(np.percentile(got["wall_ms"], 95)),
                "cpu_p50_ms": cpu_p50,
                "flat_p50_ms": flat_p50,
                "flat_cpu_p50_ms": flat_cpu_p50,
                "speedup": flat_p50 / p50,
                "cpu_speedup": flat_cpu_p50 / cpu_p50,
            }
        )
    held = measured["memory"]
    return {
        "rows": rows,
        "dim": DIM,
        "seed": seed,
        "queries_per_cell": queries,
        "threads": 1,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "faiss": version("faiss-cpu"),
        "numpy": np.__version__,
        "engine": measured["engine"],
        "open_ms": measured["open_ms"],
        "fresh_p50_ms": measured["fresh_p50_ms"],
        "build": building,
        "memory_bytes": held,
        "memory_bytes_per_vector": {key: value / rows for key, value in held.items()},
        "cells": table,
    }


def show(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [
        "| cell | matches | recall@10 | p50 ms | p95 ms | CPU p50 ms | Flat p50 ms | Flat CPU p50 ms "
        "| x Flat | x Flat, CPU |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for c in report["cells"]:
        lines.append(
            f"| {c['cell']} | {c['matches']:,} | {c['recall@10']:.4f} | {c['p50_ms']:.2f} | {c['p95_ms']:.2f} "
            f"| {c['cpu_p50_ms']:.2f} | {c['flat_p50_ms']:.1f} | {c['flat_cpu_p50_ms']:.1f} | {c['speedup']:.1f} "
            f"| {c['cpu_speedup']:.1f} |"
        )
    per, built = report["memory_bytes_per_vector"], report["build"]
    lines += [
        "",
        f"Engine: {report['engine']}; {report['rows']:,} vectors of {report['dim']} numbers, "
        f"{report['queries_per_cell']} queries a cell, one thread a query, {report['cores']} cores, "
        f"faiss {report['faiss']}, seed {report['seed']}.",
        f"Memory: {per['VmRSS']:.0f} bytes a vector resident ({per['RssAnon']:.0f} anonymous, {per['RssFile']:.0f} "
        f"of mapped files). On disk: {built['bytes_on_disk'] / report['rows']:.0f} bytes a vector.",
        f"Build: {built['store_s']:.0f} s to store ({built['store_cpu_s']:.0f} s CPU), {built['optimize_s']:.0f} s for "
        f"the approximate structure ({built['optimize_cpu_s']:.0f} s CPU). Opening: {report['open_ms']:.0f} ms; "
        f"median of the first 100 searches of a fresh process: {report['fresh_p50_ms']:.1f} ms.",
    ]
    return "\n".join(lines)


def note(text: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200, help="queries a cell")
    parser.add_argument("--seed", type=int, default=20180)
    parser.add_argument("--folder", type=Path, required=True, help="for data and index; about 6 GB for a million")
    parser.add_argument("--out", type=Path, help="write the report here as JSON")
    parser.add_argument("--keep", action="store_true", help="leave data and index in the folder")
    parser.add_argument("--reuse", action="store_true", help="search again what an earlier run kept in the folder")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.folder / "index", arguments.folder)
        return
    if not arguments.reuse:
        arguments.folder.mkdir(parents=True)
    try:
        report = run(arguments.rows, arguments.queries, arguments.seed, arguments.folder, reuse=arguments.reuse)
    finally:
        if not arguments.keep and not arguments.reuse:
            shutil.rmtree(arguments.folder)
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    print(show(report))


if __name__ == "__main__":
    main()
