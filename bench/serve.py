"""The server under load, and the engine called directly in the same run.

    python bench/serve.py [--rows 100000] [--clients 32] [--seconds 60] [--workers 2] [--json]

The script makes an index of random unit vectors of the default encoder's length and starts a server over it. Clients,
threads of a separate process, send one search after the other with pictures that are all different, so that no cache
helps. Before and after, the engine answers the same pictures in a process with as many threads as the server has
workers: decoded, cleaned, encoded, searched. Memory is that of the server and its workers together.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw

from patsearch.classification import ClassCode
from patsearch.drawings.photo import query_image
from patsearch.encoder import load_encoder
from patsearch.engine import create_index, open_index
from patsearch.types import Drawing

PICTURES = 1500
BATCH = 5000
BOUNDARY = "patsearch-bench"


def picture(seed: int) -> bytes:
    """A line drawing of 640 x 480 pixels as PNG."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", (640, 480), 255)
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        x, y, w, h = rng.uniform(20, 400), rng.uniform(20, 300), rng.uniform(40, 220), rng.uniform(40, 160)
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)((x, y, x + w, y + h), outline=0, width=3)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def number(row: int) -> str:
    return f"USD{1_000_000 + row // 7}"


def make_index(folder: Path, rows: int) -> None:
    encoder = load_encoder(threads=1)
    rng = np.random.default_rng(7)
    with create_index(folder, encoder) as engine:
        for start in range(0, rows, BATCH):
            count = min(BATCH, rows - start)
            vectors = np.abs(rng.standard_normal((count, encoder.card.dim), dtype=np.float32))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            drawings = [
                Drawing(
                    id=f"{number(n)}-D{n % 7 + 1:05d}-1", patent=number(n), sheet=f"D{n % 7 + 1:05d}",
                    title="Design", kind="S1", granted=date(2015, 1, 6) + timedelta(weeks=n % 500),
                    classes=(ClassCode("uspc", f"D{n // 7 % 30 + 1}/{n // 7 % 90 + 100}"),),
                )
                for n in range(start, start + count)
            ]  # fmt: skip
            engine.add(drawings, vectors)
        engine.backend.optimize()


def bodies() -> list[bytes]:
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n\r\n'.encode()
    return [start + picture(seed) + f"\r\n--{BOUNDARY}--\r\n".encode() for seed in range(PICTURES)]


def clients(host: str, port: int, count: int, seconds: float) -> dict[str, Any]:
    """Send requests from N threads; what came back, and how long each took."""
    requests, until = bodies(), time.perf_counter() + seconds
    seen: list[list[tuple[int, float]]] = [[] for _ in range(count)]
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        place = number * 37
        while time.perf_counter() < until:
            start = time.perf_counter()
            connection.request("POST", "/api/v1/search", requests[place % PICTURES], headers)
            response = connection.getresponse()
            response.read()
            seen[number].append((response.status, time.perf_counter() - start))
            place += count * 37 + 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    answers = [one for line in seen for one in line]
    times = sorted(taken for status, taken in answers if status == 200)
    return {
        "statuses": {str(status): n for status, n in sorted(Counter(status for status, _ in answers).items())},
        "qps": len(times) / elapsed,
        "p50_ms": 1000 * statistics.median(times),
        "p95_ms": 1000 * times[int(0.95 * len(times))],
        "p99_ms": 1000 * times[int(0.99 * len(times))],
    }


def direct(index: Path, threads: int, seconds: float) -> float:
    """Searches a second of the engine alone."""
    pictures = [picture(seed) for seed in range(PICTURES)]
    until = time.perf_counter() + seconds
    with open_index(index, encoder=load_encoder(threads=1)) as engine:

        def ask(number: int) -> int:
            done = 0
            while time.perf_counter() < until:
                engine.search(query_image(pictures[(number + done * threads) % PICTURES]), k=20)
                done += 1
            return done

        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            done = sum(pool.map(ask, range(threads)))
        return done / (time.perf_counter() - start)


def resident(process: psutil.Process) -> float:
    """MiB of a process and its children, without pages of files, which the system takes back at need."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        memory = one.memory_info()
        total += memory.rss - memory.shared
    return total / (1 << 20)


def isolated(what: str, *arguments: object) -> Any:
    """Run one of the parts above in its own process."""
    command = [sys.executable, __file__, "--part", what, *(str(argument) for argument in arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    index = folder / "index"
    make_index(index, arguments.rows)
    before = isolated("direct", index, arguments.workers, min(20, arguments.seconds))
    command = [sys.executable, "-m", "patsearch", "serve", "--index", str(index), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--workers", str(arguments.workers)], stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stderr is not None
    try:
        found = next(match for line in process.stderr if (match := re.search(r"http://([\d.]+):(\d+)", line)))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        host, port = found[1], int(found[2])
        isolated("clients", host, port, arguments.clients, 5)  # warm
        watched = psutil.Process(process.pid)
        memory = [resident(watched)]
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(2):
                memory.append(resident(watched))

        watcher = threading.Thread(target=watch)
        watcher.start()
        load = isolated("clients", host, port, arguments.clients, arguments.seconds)
        stop.set()
        watcher.join()
    finally:
        process.terminate()
        process.wait(30)
    after = isolated("direct", index, arguments.workers, min(20, arguments.seconds))
    engine = (before + after) / 2
    return {
        "rows": arguments.rows, "clients": arguments.clients, "seconds": arguments.seconds,
        "workers": arguments.workers, "cores": os.cpu_count(), **load, "direct_qps": engine,
        "ratio": load["qps"] / engine, "mib_begin": memory[0], "mib_half": memory[len(memory) // 2],
        "mib_end": memory[-1], "mib_most": max(memory),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    match arguments.part:
        case ["direct", index, threads, seconds]:
            print(json.dumps(direct(Path(index), int(threads), float(seconds))))
        case ["clients", host, port, count, seconds]:
            print(json.dumps(clients(host, int(port), int(count), float(seconds))))
        case _:
            with tempfile.TemporaryDirectory() as folder:
                result = measure(arguments, Path(folder))
            if arguments.json:
                print(json.dumps(result, indent=2))
            else:
                for name, value in result.items():
                    print(f"{name:12} {value:,.2f}" if isinstance(value, float) else f"{name:12} {value}")


if __name__ == "__main__":
    main()
