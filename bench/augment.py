"""What each augmentation costs: milliseconds of CPU time a drawing, alone and in the default mixture.

    python bench/augment.py CACHE [CACHE ...] [--drawings 300]

A row is one augmentation of every drawing, minus the cost of no augmentation (random numbers, the copy).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from patsearch.training.augment.augmentation import OFF, Augmentation, alone, augment
from patsearch.training.data.cache import DrawingCache


def cost(drawings: list[np.ndarray], spec: Augmentation) -> float:
    """Milliseconds a drawing, the better of two runs."""
    seconds = []
    for _ in range(2):
        start = time.process_time()
        for i, drawing in enumerate(drawings):
            augment(drawing, spec, np.random.default_rng([1, i]), size=drawing.shape[0])
        seconds.append(time.process_time() - start)
    return 1000 * min(seconds) / len(drawings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("caches", type=Path, nargs="+")
    parser.add_argument("--drawings", type=int, default=300, help="of each cache")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    spec = Augmentation()
    columns: list[dict[str, float]] = []
    names = []
    for folder in arguments.caches:
        cache = DrawingCache(folder)
        places = [(i, j) for i, record in enumerate(cache.records) for j in range(len(record.kinds))]
        chosen = np.random.default_rng(0).permutation(len(places))[: arguments.drawings].tolist()
        start = time.process_time()
        drawings = [cache.drawing(*places[i]) for i in chosen]
        column = {"reading": 1000 * (time.process_time() - start) / len(drawings)}
        off = replace(spec, **OFF)
        cost(drawings, spec)  # warm
        column["none"] = cost(drawings, off)
        column |= {name: cost(drawings, alone(spec, name)) - column["none"] for name in OFF}
        column["default mixture"] = cost(drawings, spec)
        columns.append(column)
        names.append(f"{folder.name}, {cache.size} px")
    print("| augmentation | default | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for name in columns[0]:
        value = f"{getattr(spec, name):g}" if name in OFF else ""
        print(f"| {name} | {value} | " + " | ".join(f"{max(0.0, column[name]):.3f}" for column in columns) + " |")


if __name__ == "__main__":
    main()
