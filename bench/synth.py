"""How fast synthetic drawings are made, one process, CPU time.

    python bench/synth.py [--objects 46] [--size 224] [--json FILE]

Prints the milliseconds of building an object, choosing its views, rendering lines, inking a random
style and drawing whole sheets, and the drawings a second that follow.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=46, help="objects, the families taking turns")
    parser.add_argument("--size", type=int, default=224, help="side of a drawing in pixels")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)

    wall = time.perf_counter()
    from patsearch.models import _kernels  # noqa: F401  (compiles, or loads what was compiled)

    loading = time.perf_counter() - wall
    from patsearch.models.render import render
    from patsearch.synth.design import Plan, iter_designs, make_design, render_views
    from patsearch.synth.families import FAMILIES
    from patsearch.synth.sheets import draw_sheets, tiff_bytes

    make_design(Plan(0, 0, FAMILIES["chair"]))
    spent: dict[str, float] = {}

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        start = time.process_time()
        yield
        spent[stage] = spent.get(stage, 0.0) + time.process_time() - start

    designs, sheets = [], 0
    with timed("objects and views"):
        designs = list(iter_designs(1, arguments.objects))
    views = sum(len(design.views) for design in designs)
    rng = np.random.default_rng(0)
    for design in designs:
        with timed("lines alone"):
            for view in design.views:
                render(design.mesh, view, size=3 * arguments.size)
        with timed("styled drawings"):
            render_views(design.mesh, design.views, rng, size=arguments.size, unclaimed=design.unclaimed)
    for design in designs[::4]:
        with timed("sheets at 300 dpi"):
            sheets += sum(bool(tiff_bytes(sheet)) for sheet in draw_sheets(design))
    figures = {
        "machine": platform.processor() or platform.machine(),
        "objects": len(designs),
        "drawings": views,
        "triangles_median": int(np.median([len(design.mesh.faces) for design in designs])),
        "kernels_ready_s": round(loading, 2),
        "object_and_views_ms": round(1000 * spent["objects and views"] / len(designs), 1),
        "lines_ms": round(1000 * spent["lines alone"] / views, 2),
        "styled_drawing_ms": round(1000 * spent["styled drawings"] / views, 2),
        "styled_drawings_per_s": round(views / spent["styled drawings"], 1),
        "styled_drawings_per_s_with_objects": round(views / (spent["styled drawings"] + spent["objects and views"]), 1),
        "sheet_ms": round(1000 * spent["sheets at 300 dpi"] / sheets, 1),
    }
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
