"""Free-hand sketches as queries: does a sketch find the edge map of the photograph it was drawn from?

    python bench/sketches.py DIR --encoder lite0-imagenet --encoder onnx:FILE

DIR holds "Sketch Me That Shoe" (Yu et al., CVPR 2016) as `<set>_sketch_db_test.mat` and `<set>_edge_db_test.mat`,
anywhere below it: uint8 arrays N x 256 x 256, row i of one belonging to row i of the other. The gallery is all edge
maps of the test set. The edge maps carry a thin line at the right and lower border, which is cut off first, so that
trimming sees the drawing.

Needs the `dev` extra (scipy comes with scikit-learn).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from patsearch.encoder import Encoder, load_encoder

SETS = ("chairs", "shoes")
BORDER = 2  # pixels cut off the right and lower side of the edge maps
TOP = (1, 5, 10)


def read_pairs(folder: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Sketches and edge maps of a test set, each (N, H, W) uint8 with white paper."""
    found = []
    for kind in ("sketch", "edge"):
        paths = sorted(folder.rglob(f"{name}_{kind}_db_test.mat"))
        if not paths:
            raise SystemExit(f"No {name}_{kind}_db_test.mat found in {folder}.")
        images = np.asarray(loadmat(paths[0])["data"], np.uint8)
        found.append(images if np.median(images) > 127 else 255 - images)
    sketches, edges = found
    return sketches, edges[:, :-BORDER, :-BORDER]


def hit_rates(encoder: Encoder, sketches: NDArray[np.uint8], edges: NDArray[np.uint8]) -> dict[str, float]:
    """`hit_rate@k`: the share of sketches whose own edge map is among the k nearest. Ties count against it."""
    scores = encoder.encode_batch(list(sketches)) @ encoder.encode_batch(list(edges)).T  # (N, N)
    ranks = (scores >= np.diag(scores)[:, None]).sum(axis=1)
    return {f"hit_rate@{k}": float((ranks <= k).mean()) for k in TOP}


def main() -> None:
    """Measure each encoder on each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", action="append", required=True, help="as `patsearch --encoder`; repeatable")
    arguments = parser.parse_args()
    for name in arguments.encoder:
        encoder = load_encoder(name)
        for chosen in SETS:
            result = hit_rates(encoder, *read_pairs(arguments.folder, chosen))
            print(
                json.dumps({"encoder": name, "set": chosen} | {k: round(v, 4) for k, v in result.items()}), flush=True
            )


if __name__ == "__main__":
    main()
