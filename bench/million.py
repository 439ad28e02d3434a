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

Each cell first asks 100 other queries to warm up, then the timed ones, one by one.

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
        self._class_centres = self.noise(self.classes)

    def noise(self, count: int) -> Vectors:
        return self.rng.normal(size=(count, DIM)).astype(np.float32) @ self._shape

    def write(self, path: Path) -> Vectors:
        """All drawings (rows, DIM) into a file, mapped; and the patents' centres for the queries."""
        patents = len(self.class_of)
        centres = np.lib.format.open_memmap(path.with_name("centres.npy"), "w+", np.float32, (patents, DIM))
        for i in range(0, patents, BATCH):
            classes = self.class_of[i : i + BATCH]
            centres[i : i + BATCH] = self._class_centres[classes] + 0.8 * self.noise(len(classes))
        self.centres = centres
        out = np.lib.format.open_memmap(path, "w+", np.float32, (len(self.patent_of), DIM))
        for i in range(0, len(out), BATCH):
            out[i : i + BATCH] = self.draw(self.patent_of[i : i + BATCH])
        return out

    def draw(self, patents: NDArray[np.int64]) -> Vectors:
        """One new drawing of each of these patents."""
        x = self.centres[patents] + 0.6 * self.noise(len(patents))
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


def class_code(number: int) -> ClassCode:
    return ClassCode("uspc", f"D{number % 34 + 1}/{number}")


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
        order = data.rng.permutation(data.classes)
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
        patents = [data.rng.choice(pools[i % len(pools)]) for i in range(WARM_UP + queries)]
        cell["queries"] = data.draw(np.array(patents))
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
        found, times = [], []
        for query in cell["queries"][WARM_UP:]:
            start = time.perf_counter()
            _, ids = index.search(query[None], K, params=parameters)
            times.append(1e3 * (time.perf_counter() - start))
            found.append(ids[0])
        cell["truth"], cell["flat_p50_ms"] = np.array(found), float(np.median(times))


def measure(folder: Path, work: Path) -> None:
    """In a process of its own: open, ask everything one by one, print times, answers and memory as JSON."""
    cells = json.loads((work / "cells.json").read_text())
    start = time.perf_counter()
    report: dict[str, Any] = {"cells": {}}
    with FaissBackend.open(folder) as backend:
        report["open_ms"] = 1e3 * (time.perf_counter() - start)
        for cell in cells:
            where: Filter = parse_filter(cell["filter"]) if cell["filter"] else Filter()
            asked = np.load(work / cell["file"])
            warm_up, queries = asked[:WARM_UP], asked[WARM_UP:]
            for query in warm_up:
                backend.search(query, k=K, where=where)
            times, found = [], []
            for query in queries:
                start = time.perf_counter()
                (hits,) = backend.search(query, k=K, where=where)
                times.append(1e3 * (time.perf_counter() - start))
                found.append([int(hit.drawing.id.split("-")[1]) for hit in hits])
            report["cells"][cell["name"]] = {"times_ms": times, "found": found}
        report["engine"] = backend.info()["engine"]
        report["memory"] = memory()
    print(json.dumps(report))


def memory() -> dict[str, int]:
    """Resident bytes of this process by kind."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {key: int(status[key].split()[0]) * 1024 for key in ("VmRSS", "RssAnon", "RssFile", "RssShmem")}


def run(rows: int, queries: int, seed: int, work: Path) -> dict[str, Any]:
    """The whole benchmark; `work` holds the data and the index, and is removed by the caller."""
    data = Generator(rows, seed)
    note(f"making {rows} vectors")
    vectors = data.write(work / "vectors.npy")
    cells = make_cells(data, queries)
    note("building")
    building = build(work / "index", data, vectors)
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
        p50, p95 = np.percentile(got["times_ms"], [50, 95])
        table.append(
            {
                "cell": cell["name"],
                "matches": int(cell["match"].sum()),
                "recall@10": float(np.mean(overlap)),
                "worst_recall@10": float(min(overlap)),
                "p50_ms": float(p50),
                "p95_ms": float(p95),
                "flat_p50_ms": cell["flat_p50_ms"],
                "speedup": cell["flat_p50_ms"] / float(p50),
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
        "build": building,
        "memory_bytes": held,
        "memory_bytes_per_vector": {key: value / rows for key, value in held.items()},
        "cells": table,
    }


def show(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = [
        "| cell | matches | recall@10 | p50 ms | p95 ms | Flat p50 ms | x Flat |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in report["cells"]:
        lines.append(
            f"| {c['cell']} | {c['matches']:,} | {c['recall@10']:.4f} | {c['p50_ms']:.2f} | {c['p95_ms']:.2f} "
            f"| {c['flat_p50_ms']:.1f} | {c['speedup']:.1f} |"
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
        f"the approximate structure ({built['optimize_cpu_s']:.0f} s CPU). Opening: {report['open_ms']:.0f} ms.",
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
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.folder / "index", arguments.folder)
        return
    arguments.folder.mkdir(parents=True)
    try:
        report = run(arguments.rows, arguments.queries, arguments.seed, arguments.folder)
    finally:
        if not arguments.keep:
            shutil.rmtree(arguments.folder)
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    print(show(report))


if __name__ == "__main__":
    main()
