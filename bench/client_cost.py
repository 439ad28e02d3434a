"""What the client of a Qdrant server costs: searches of 1,536 numbers against a server that answers after a fixed time.

    python bench/client_cost.py --delay-ms 1.4

A second process speaks HTTP: it gives the same answer to every search after the delay, so that what is measured above
the delay is the client, the loopback and the answer's way into `Hit`s. It is not a Qdrant server and says nothing of
one. To compare two versions, run them in turn, several times: PYTHONPATH=OLD python bench/client_cost.py.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import Any

import numpy as np

from patsearch.backends import IndexSpec
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.backends.qdrant.payload import to_point
from patsearch.filters import Filter
from patsearch_contract.samples import random_drawings

DIM, K, SIZE = 1536, 10, 10
SPEC = IndexSpec("synthetic", "0" * 64, DIM)


def answers(vectors: np.ndarray) -> dict[str, bytes]:
    """The body of each answer, by the end of the request's path."""
    points = [to_point(d, v) for d, v in zip(random_drawings(K + 1, seed=1), vectors, strict=True)]
    hits = [{"id": p.id, "version": 1, "score": 0.9 - i / 100, "payload": p.payload} for i, p in enumerate(points)]
    groups = [{"id": str(i), "hits": hits[:SIZE]} for i in range(K)]
    records = [{"id": p.id, "payload": p.payload, "vector": {"drawing": p.vector.tolist()}} for p in points]  # type: ignore[union-attr]  # they have one
    config: dict[str, Any] = {
        "params": {"vectors": {"drawing": {"size": DIM, "distance": "Cosine"}}},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
        "optimizer_config": {
            "deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0,
            "flush_interval_sec": 5, "indexing_threshold": 20_000,
        },
        "metadata": {"patsearch": {"format": 1, "spec": asdict(SPEC)}},
    }  # fmt: skip
    info = {"status": "green", "optimizer_status": "ok", "segments_count": 1, "config": config, "payload_schema": {}}
    results: dict[str, Any] = {
        "/query/batch": [{"points": hits}],
        "/query/groups": {"groups": groups},
        "/points": records,
        "/aliases": {"aliases": [{"alias_name": "bench", "collection_name": "c"}]},
        "/collections/c": info,
    }
    bodies = {path: json.dumps({"result": r, "status": "ok", "time": 0.0}).encode() for path, r in results.items()}
    return bodies | {"/": json.dumps({"title": "qdrant - vector search engine", "version": "1.20.0"}).encode()}


def serve(port: Any, bodies: dict[str, bytes], delay: float) -> None:
    """Answer until the process is ended."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = next((b for path, b in bodies.items() if path != "/" and self.path.endswith(path)), bodies["/"])
            until = time.perf_counter() + delay
            while time.perf_counter() < until:  # sleeping is not exact enough
                pass
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        do_GET = do_POST = do_any  # noqa: N815  names of the standard library

        def log_message(self, format: str, *args: Any) -> None:
            """Silence."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = http.server_address[1]
    http.serve_forever()


def timed(act: Any, searches: int) -> dict[str, float]:
    """Milliseconds of one call, one after the other."""
    for _ in range(20):
        act()
    wall, cpu = [], time.process_time()
    for _ in range(searches):
        start = time.perf_counter()
        act()
        wall.append(1e3 * (time.perf_counter() - start))
    used = 1e3 * (time.process_time() - cpu) / searches
    p25, p50, p95 = np.percentile(wall, [25, 50, 95])
    return {"p25_ms": round(p25, 2), "p50_ms": round(p50, 2), "p95_ms": round(p95, 2), "client_cpu_ms": round(used, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay-ms", type=float, default=1.4)
    parser.add_argument("--searches", type=int, default=500)
    args = parser.parse_args()
    vectors = np.random.default_rng(0).normal(size=(K + 1, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    server = context.Process(target=serve, args=(port, answers(vectors), args.delay_ms / 1e3), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.01)
    ids = [f"x-{i}" for i in range(K + 1)]
    try:
        with QdrantBackend.open(f"http://127.0.0.1:{port.value}#bench") as backend:
            report = {
                "delay_ms": args.delay_ms,
                "search": timed(lambda: backend.search(vectors[0], k=K), args.searches),
                "groups": timed(
                    lambda: backend.search_groups(vectors[0], k=K, size=SIZE, where=Filter(), exact=False),
                    args.searches,
                ),
                "read 11 vectors": timed(
                    lambda: backend._points.retrieve(ids, fields=True, vectors=True), args.searches
                ),
            }
    finally:
        server.terminate()
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "qdrant-client": version("qdrant-client")}
    print(json.dumps(report | machine, indent=1))


if __name__ == "__main__":
    main()
