"""Retrieval on held-out designs: the measure by which a run is judged while it trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from patsearch.encoder.torch_network import Network
from patsearch.evaluation.metrics import average_precision, ranks_of
from patsearch.training.augment import fit
from patsearch.training.cache import SKETCH, DrawingCache

Embeddings = NDArray[np.float32]
_BATCH = 32


@torch.inference_mode()
def pooled_embeddings(network: Network, drawings: NDArray[np.uint8]) -> Embeddings:
    """(N, features) float32 of unit length: the pooled features before the projection.

    Args:
        network: left in evaluation mode.
        drawings: (N, size, size) uint8, white = 255.
    """
    network.eval()
    rows = []
    for start in range(0, len(drawings), _BATCH):
        pixels = torch.from_numpy(drawings[start : start + _BATCH])
        rows.append(torch.nn.functional.normalize(network.pooled(network.normalised(pixels)), dim=1).numpy())
    return np.concatenate(rows)


def retrieval(embeddings: Embeddings, designs: NDArray[np.int64], sketches: NDArray[np.bool_]) -> dict[str, float]:
    """Scores of drawings against one another.

    Args:
        embeddings: (N, dim), rows of unit length.
        designs: (N,) which design each row shows.
        sketches: (N,) whether it is a sketch.

    Returns:
        `map`: mean average precision of every view against all other views; `sketch_hit@1`: the share of
        sketches whose nearest view is of the sketched design. NaN where there is nothing to measure.
    """
    views = np.flatnonzero(~sketches)
    scores = embeddings @ embeddings[views].T  # (N, V)
    scores[views, np.arange(len(views))] = -np.inf  # itself comes last and is cut off below
    order = np.argsort(-scores, axis=1, kind="stable")
    relevant = designs[views][order] == designs[:, None]
    precisions = np.array([average_precision(ranks_of(relevant[row, :-1])) for row in views])
    return {
        "map": float(np.nanmean(precisions)) if np.isfinite(precisions).any() else float("nan"),
        "sketch_hit@1": float(relevant[sketches, 0].mean()) if sketches.any() else float("nan"),
    }


def validate(network: Network, cache: DrawingCache, chosen: Sequence[int], *, size: int) -> dict[str, float]:
    """`retrieval` of the pooled features of designs of a cache, drawn at `size` pixels."""
    places = [(design, number) for design in chosen for number in range(len(cache.records[design].kinds))]
    drawings = np.stack([fit(cache.drawing(*place), size) for place in places])
    sketches = np.array([cache.records[design].kinds[number] == SKETCH for design, number in places])
    return retrieval(pooled_embeddings(network, drawings), np.array([design for design, _ in places]), sketches)
