"""The heaviest requests that a server allows: how long /health waits next to them, and what memory stays afterwards.

    python bench/bounds.py [--rows 20000] [--workers 2] [--requests 1000] [--time-out 30] [--json]

The script makes an index of random unit vectors and starts a server over it. Two threads send the heaviest allowed
request of one route after the other (the most pictures in the most orientations, the most results, re-ranked from the
most candidates, texts as long as their limits), while a third measures `GET /health` twenty times a second. Then it
sends all of these and values beyond their bounds, those that take seconds in each tenth round, and looks at the memory
of the server's own process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from serve import make_index, picture

from patsearch.engine import open_index

API = "/api/v1"
SEVERAL = 2  # heavy requests at the same time
SECONDS_A_ROUTE = 3.0
SLOW = 2.0  # seconds
SETTLED = 15.0  # seconds, after which the server has given freed memory back

Request = tuple[str, str, dict[str, Any]]


def heaviest(saved: bytes) -> dict[str, Request]:
    """The heaviest allowed request of each route, by a name."""
    pictures = [("image", ("x.png", picture(seed), "image/png")) for seed in range(16)]
    marks = [f"USD{1_000_000 + n // 7}-D{n % 7 + 1:05d}-1" for n in range(200)]
    deep = {"top": "1000", "offset": "10000", "drawings": "true"}
    refined = {"rerank": "200,200,0.5,2000", "expand": "1000,3", "relevant": marks, "irrelevant": marks}
    many = {"rotations": "true", "mirror": "true", "top": "1000"}
    words = [f"title~w{n},x{n}" for n in range(50)]
    words += [f"patent!={','.join(f'USD1{n:02d}{m:04d}' for m in range(15))}" for n in range(50)]
    like = {"like": "USD1000001"}
    return {
        "search, deep": ("POST", "search", {"data": like | deep}),
        "search, refined": ("POST", "search", {"data": like | refined | {"max_per_class": "1"}}),
        "search, pictures": ("POST", "search", {"files": pictures, "data": many}),
        "search, everything": ("POST", "search", {"files": pictures, "data": many | refined}),
        "search, filters": ("POST", "search", {"data": like | {"filter": words}}),
        "search, text form": ("POST", "search", {"content": b"&" * (2 << 20), "headers": _TEXT}),
        "explain": ("POST", "explain", {"files": pictures, "data": {"drawing": marks[0]}}),
        "report": ("POST", "report", {"data": like | {"top": "1000"}}),
        "report, PDF": ("POST", "report", {"data": like | {"top": "1000"}, "params": {"format": "pdf"}}),
        "records": ("POST", "records", {"files": pictures, "data": many}),
        "records/rerun": ("POST", "records/rerun", {"files": [("record", saved)]}),
        "records/rerun, hostile": ("POST", "records/rerun", {"files": [("record", hostile(saved))]}),
        "facets": ("GET", "facets", {"params": {"filter": words[:32]}}),
        "patents": ("GET", "patents/USD1000001", {}),
        "drawings": ("GET", f"drawings/{marks[0]}", {}),
        "thumbnail": ("GET", f"drawings/{marks[0]}/thumbnail", {}),
        "index": ("GET", "index", {}),
        "session": ("POST", "session", {"json": {"token": "x" * 1000}}),
    }


_TEXT = {"content-type": "application/x-www-form-urlencoded"}


def hostile(saved: bytes) -> bytes:
    """A saved search of the largest allowed size, with as much as it can name."""
    search = json.loads(saved)
    search["shown"] = [f"USD{n:07d}" for n in range(1_000_000)]
    return json.dumps(search).encode()[: 16 << 20]


def beyond(saved: bytes) -> list[Request]:
    """Requests that are refused."""
    numbers = {"picture": [30_000_000]}
    fields = (
        {"top": "1001"}, {"offset": "10001"}, {"rerank": "500,2,0.5,5000"}, {"expand": "1001,3"}, {"min_score": "nan"},
        {"filter": " and ".join(["kind=a"] * 200)}, {"filter": "title~" + "a," * 900}, {"like": "x" * 2001},
    )  # fmt: skip
    return [
        *(("POST", "search", {"data": {"like": "USD1000001"} | one}) for one in fields),
        ("POST", "records/rerun", {"files": [("record", json.dumps(json.loads(saved) | numbers).encode())]}),
        ("POST", "session", {"content": b"x" * 5000}),
    ]


@contextmanager
def served(index: Path, *options: object) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "patsearch", "serve", "--index", str(index), "--port", "0"]
    process = subprocess.Popen([*command, *map(str, options)], stderr=subprocess.PIPE, text=True, env={**os.environ})
    assert process.stderr is not None
    try:
        found = next(match for line in process.stderr if (match := re.search(r"http://[\d.]+:\d+", line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield found[0], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def send(client: httpx.Client, request: Request) -> tuple[int, float]:
    method, path, what = request
    start = time.perf_counter()
    response = client.request(method, f"{API}/{path}", **what)
    return response.status_code, time.perf_counter() - start


def health(address: str, stop: threading.Event) -> list[float]:
    """Milliseconds of /health, twenty times a second."""
    taken = []
    with httpx.Client(base_url=address, timeout=60) as client:
        while not stop.wait(0.05):
            start = time.perf_counter()
            assert client.get(f"{API}/health").status_code == 200
            taken.append(1000 * (time.perf_counter() - start))
    return taken


def next_to_health(address: str, request: Request) -> dict[str, Any]:
    """Send one request from several threads for a while, and measure /health next to them."""
    stop, until = threading.Event(), time.perf_counter() + SECONDS_A_ROUTE

    def repeat(_: int) -> list[tuple[int, float]]:
        answers: list[tuple[int, float]] = []
        with httpx.Client(base_url=address, timeout=120) as client:
            while not answers or time.perf_counter() < until:
                answers.append(send(client, request))
        return answers

    with ThreadPoolExecutor(SEVERAL + 1) as threads:
        watched = threads.submit(health, address, stop)
        answers = [answer for some in threads.map(repeat, range(SEVERAL)) for answer in some]
        stop.set()
        taken = sorted(watched.result())
    return {
        "statuses": {str(s): n for s, n in sorted(Counter(status for status, _ in answers).items())},
        "longest_s": max(seconds for _, seconds in answers),
        "health_p50_ms": taken[len(taken) // 2],
        "health_most_ms": taken[-1],
    }


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    make_index(folder / "index", arguments.rows)
    with open_index(folder / "index", read_only=False) as engine:
        for drawings, _ in engine.backend.scan():
            engine.thumbnails.put([(drawing.id, picture(0)) for drawing in drawings])
    with (
        served(folder / "index", "--workers", arguments.workers, "--time-out", arguments.time_out) as (
            address,
            process,
        ),
        httpx.Client(base_url=address, timeout=120) as client,
    ):
        files = [("image", ("x.png", picture(0)))]
        saved = client.post(f"{API}/records", files=files, data={"top": "1000"}).content
        requests = heaviest(saved)
        routes: dict[str, dict[str, Any]] = {}
        for name, request in requests.items():
            routes[name] = row = next_to_health(address, request)
            print(
                f"{name:24} {row['longest_s']:7.2f} s  health {row['health_p50_ms']:6.1f} ms, most "
                f"{row['health_most_ms']:5.0f} ms  {row['statuses']}",
                file=sys.stderr,
            )
        slow = {name for name, row in routes.items() if row["longest_s"] > SLOW}
        fast = [*(request for name, request in requests.items() if name not in slow), *beyond(saved) * 2]
        rounds = itertools.cycle([[*fast, *(requests[name] for name in slow)], *[fast] * 9])
        time.sleep(SETTLED)
        before, answers = process.memory_info().rss, Counter[int]()
        for request in itertools.islice(itertools.chain.from_iterable(rounds), arguments.requests):
            answers[send(client, request)[0]] += 1
        time.sleep(SETTLED)
        after = process.memory_info().rss
    return {
        "rows": arguments.rows, "workers": arguments.workers, "cores": os.cpu_count(), "routes": routes,
        "requests": arguments.requests, "statuses": {str(s): n for s, n in sorted(answers.items())},
        "mib_before": before / (1 << 20), "mib_after": after / (1 << 20),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--time-out", type=int, default=30, help="Seconds that the server allows a request.")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, Path(folder))
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(
        f"{result['requests']} requests {result['statuses']}: {result['mib_before']:.0f} MiB before, "
        f"{result['mib_after']:.0f} MiB after"
    )


if __name__ == "__main__":
    main()
