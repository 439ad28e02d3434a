"""Both backends over the same vectors in one run: load, size, memory, recall and time under filters, clients at once.

    python bench/backends.py --rows 200000 --engine faiss --engine qdrant --folder /tmp/engines --out engines.json
    python bench/backends.py ... --engine qdrant=http://localhost:6333       # a server in addition

`qdrant` alone is Qdrant's engine in this process (qdrant-edge-py); every row says what answered. Data, queries
and filters are those of `bench/million.py`: filters by date are random with respect to the content, filters
by class select whole clusters, and half of the queries under those come from other classes. Answers are
compared with FAISS's IndexFlatIP under the same filter. Each engine loads in one process and answers in a
fresh one; of a server, `memory` is the client's.
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
import uuid
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from million import BATCH, DIM, WARM_UP, Clock, Generator, K, flat_truth, make_cells, memory, note

from patsearch.backends import Backend, IndexSpec, as_server, create_backend, open_backend
from patsearch.filters import Filter, parse_filter

CLIENTS = (1, 2, 4, 8)
SPEC = IndexSpec("synthetic", "0" * 64, DIM)


def located(engine: str, work: Path) -> tuple[str, str]:
    """Backend and location of `faiss`, `qdrant`, `qdrant=URL`."""
    name, _, url = engine.partition("=")
    return name, f"{url}#bench-{uuid.uuid4().hex[:12]}" if url else str(work / f"index-{name}")


def load(name: str, location: str, data: Generator, work: Path) -> dict[str, Any]:
    """Store everything as an ingest does, then build the search structure; seconds by stage."""
    vectors = data.read(work)
    with create_backend(name, location, SPEC) as backend:
        start = time.perf_counter()
        for i in range(0, len(vectors), BATCH):
            rows = range(i, min(i + BATCH, len(vectors)))
            backend.upsert([data.drawing(row) for row in rows], np.asarray(vectors[i : i + BATCH]))
        stored = time.perf_counter()
        backend.optimize()
        return {"store_s": stored - start, "optimize_s": time.perf_counter() - stored}


def measure(name: str, location: str, work: Path) -> dict[str, Any]:
    """In a separate process: every cell one query at a time, then unfiltered from several threads."""
    cells = json.loads((work / "cells.json").read_text())
    report: dict[str, Any] = {"cells": {}}
    start = time.perf_counter()
    with open_backend(name, location) as backend:
        report["open_ms"] = 1e3 * (time.perf_counter() - start)
        for cell in cells:
            where = parse_filter(cell["filter"]) if cell["filter"] else Filter()
            vectors = np.load(work / cell["file"])
            for query in vectors[:WARM_UP]:
                backend.search(query, k=K, where=where)
            found, clock = [], Clock()
            for query in vectors[WARM_UP:]:
                with clock:
                    (hits,) = backend.search(query, k=K, where=where)
                found.append([int(hit.drawing.id.split("-")[1]) for hit in hits])
            report["cells"][cell["name"]] = {"wall_ms": clock.wall, "found": found}
        report["clients"] = at_once(backend, np.load(work / cells[0]["file"]))
        report |= {key: backend.info()[key] for key in ("engine", "bytes")} | {"memory": memory()}
    return report


def at_once(backend: Backend, queries: Any) -> dict[int, float]:
    """Number of threads -> searches a second of all of them together."""
    rates = {}
    for clients in CLIENTS:
        with ThreadPoolExecutor(clients) as pool:
            start = time.perf_counter()
            list(pool.map(lambda query: backend.search(query, k=K), queries))
            rates[clients] = len(queries) / (time.perf_counter() - start)
    return rates


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    work: Path = arguments.folder
    data = Generator(arguments.rows, arguments.seed)
    note(f"making {arguments.rows} vectors")
    data.write(work)
    vectors = data.read(work)
    cells = make_cells(data, arguments.queries)
    for number, cell in enumerate(cells):
        cell["file"] = f"queries-{number}.npy"
        np.save(work / cell["file"], cell["queries"])
    described = [{key: cell[key] for key in ("name", "filter", "file")} for cell in cells]
    (work / "cells.json").write_text(json.dumps(described))
    note("searching with IndexFlatIP")
    flat_truth(vectors, cells)
    engines = []
    for engine in arguments.engine:
        name, location = located(engine, work)
        note(f"loading into {engine}")
        built = load(name, location, data, work)
        note(f"searching with {engine}")
        command = [sys.executable, __file__, "--measure", name, location, "--folder", str(work)]
        measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        engines.append({"asked_for": engine, "built": built, **summary(name, measured, cells, arguments.rows)})
        if "://" in location:
            with open_backend(name, location, read_only=False) as backend:
                as_server(backend).drop()
        else:
            shutil.rmtree(location)
    return {
        "rows": arguments.rows,
        "dim": DIM,
        "seed": arguments.seed,
        "queries_per_cell": arguments.queries,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("faiss-cpu", "qdrant-client", "qdrant-edge-py", "numpy")},
        "engines": engines,
    }


def summary(name: str, measured: dict[str, Any], cells: list[dict[str, Any]], rows: int) -> dict[str, Any]:
    table = []
    for cell in cells:
        got = measured["cells"][cell["name"]]
        overlap = [
            len(set(found) & set(truth[truth >= 0].tolist())) / max(1, int((truth >= 0).sum()))
            for found, truth in zip(got["found"], cell["truth"], strict=True)
        ]
        p50, p95, p99 = np.percentile(got["wall_ms"], [50, 95, 99])
        table.append(
            {
                "cell": cell["name"],
                "matches": int(cell["match"].sum()),
                "recall@10": float(np.mean(overlap)),
                "worst_recall@10": float(min(overlap)),
                "p50_ms": float(p50),
                "p95_ms": float(p95),
                "p99_ms": float(p99),
            }
        )
    return {
        "engine": f"{name}: {measured['engine']}",
        "bytes_per_vector": measured["bytes"] / rows,
        "memory_bytes_per_vector": {key: value / rows for key, value in measured["memory"].items()},
        "open_ms": measured["open_ms"],
        "searches_per_second_by_clients": measured["clients"],
        "cells": table,
    }


def show(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = ["| engine | cell | matches | recall@10 | p50 ms | p95 ms | p99 ms |", "|---|---|---|---|---|---|---|"]
    for engine in report["engines"]:
        lines += [
            f"| {engine['engine']} | {c['cell']} | {c['matches']:,} | {c['recall@10']:.4f} | {c['p50_ms']:.2f} "
            f"| {c['p95_ms']:.2f} | {c['p99_ms']:.2f} |"
            for c in engine["cells"]
        ]
    lines += [
        "",
        "| engine | stored a second | graph or lists, s | bytes on disk each | resident bytes each | opening, ms "
        "| searches a second from 1, 2, 4, 8 clients |",
        "|---|---|---|---|---|---|---|",
    ]
    for e in report["engines"]:
        rates = ", ".join(f"{rate:,.0f}" for rate in e["searches_per_second_by_clients"].values())
        lines.append(
            f"| {e['engine']} | {report['rows'] / e['built']['store_s']:,.0f} | {e['built']['optimize_s']:.0f} "
            f"| {e['bytes_per_vector']:,.0f} | {e['memory_bytes_per_vector']['VmRSS']:,.0f} | {e['open_ms']:.0f} "
            f"| {rates} |"
        )
    lines += [
        "",
        f"{report['rows']:,} vectors of {report['dim']} numbers, {report['queries_per_cell']} queries a cell, "
        f"{report['cores']} cores, seed {report['seed']}, {report['versions']}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=200, help="queries a cell")
    parser.add_argument("--seed", type=int, default=20180)
    parser.add_argument("--engine", action="append", default=[], help="faiss, qdrant or qdrant=URL; may be repeated")
    parser.add_argument("--folder", type=Path, required=True, help="a new one, for data and indexes")
    parser.add_argument("--out", type=Path, help="write the report here as JSON")
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "LOCATION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name, location = arguments.measure
        print(json.dumps(measure(name, location, arguments.folder)))
        return
    arguments.engine = arguments.engine or ["faiss", "qdrant"]
    arguments.folder.mkdir(parents=True)
    try:
        report = run(arguments)
    finally:
        shutil.rmtree(arguments.folder)
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    print(show(report))


if __name__ == "__main__":
    main()
