"""What starting costs: `patsearch --help`, and a cold query on 10,000 drawings.

    python bench/startup.py [--drawings 10000] [--repeat 5]

Each is run as its own process and compared with `python -c "import numpy, onnxruntime"` in the same run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from patsearch.classification import ClassCode
from patsearch.encoder import load_encoder
from patsearch.engine import create_index
from patsearch.types import Drawing

PER_PATENT = 8


def make_index(path: Path, count: int) -> None:
    """An index of random unit vectors; what the search costs does not depend on what they show."""
    encoder = load_encoder()
    rng = np.random.default_rng(1)
    with create_index(path, encoder) as engine:
        vectors = rng.normal(size=(count, encoder.card.dim)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        drawings = [
            Drawing(
                id=f"USD{9_000_000 + n // PER_PATENT}-D{n % PER_PATENT:05d}-1",
                patent=f"USD{9_000_000 + n // PER_PATENT}",
                title="Random vector",
                granted=date(2000 + n % 24, 1, 4),
                classes=(ClassCode("uspc", f"D{1 + n % 34}/{n % 400 + 1}"),),
            )
            for n in range(count)
        ]
        engine.add(drawings, vectors)


def median_seconds(command: list[str], repeat: int) -> float:
    """Median wall time; the first run, which fills the file cache, does not count."""
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_index(folder / "index", options.drawings)
        picture = Image.new("L", (1200, 1600), 255)
        ImageDraw.Draw(picture).ellipse((200, 300, 1000, 1300), outline=0, width=5)
        picture.save(folder / "query.png")
        patsearch = [sys.executable, "-m", "patsearch"]
        rows = {
            "python -c 'import numpy, onnxruntime'": [sys.executable, "-c", "import numpy, onnxruntime"],
            "patsearch --help": [*patsearch, "--help"],
            f"cold query, {options.drawings:,} drawings": [
                *patsearch, "query", str(folder / "query.png"), "--index", str(folder / "index"), "--json",
            ],
        }  # fmt: skip
        base = 0.0
        for title, command in rows.items():
            seconds = median_seconds(command, options.repeat)
            base = base or seconds
            print(f"{title:<42} {seconds:6.3f} s   {seconds / base:5.2f} x")


if __name__ == "__main__":
    main()
