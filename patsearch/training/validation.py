"""Retrieval on held-out designs: the measure by which a run is judged while it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from patsearch.encoder.torch_network import Network
from patsearch.evaluation.metrics import average_precision, ranks_of
from patsearch.training.augment.augmentation import fit
from patsearch.training.data.cache import DrawingCache

Embeddings = NDArray[np.float32]
Grey = NDArray[np.uint8]
_BATCH = 32
# Rows of scores that are ranked at a time.
_BLOCK = 512


def embeddings(network: Network, drawings: Iterable[Grey]) -> Embeddings:
    """(N, dim) float32 of unit length: the vectors that are searched.

    Args:
        network: left in evaluation mode.
        drawings: N of (size, size) uint8, white = 255.
    """
    return encoded(network, network.embed, drawings)


@torch.inference_mode()
def encoded(network: Network, encode: Callable[[Tensor], Tensor], drawings: Iterable[Grey]) -> Embeddings:
    """The same for another function of (n, size, size) uint8 pixels."""
    network.eval()
    device, rows = network.mean.device, []
    source = iter(drawings)
    while some := list(islice(source, _BATCH)):
        pixels = torch.from_numpy(np.stack(some)).to(device)
        rows.append(torch.nn.functional.normalize(encode(pixels).float(), dim=1).cpu().numpy())
    return np.concatenate(rows)


def retrieval(vectors: Embeddings, designs: NDArray[np.int64], sketches: NDArray[np.bool_]) -> dict[str, float]:
    """Scores of drawings against one another.

    Args:
        vectors: (N, dim), rows of unit length.
        designs: (N,) which design each row shows.
        sketches: (N,) whether it is a sketch.

    Returns:
        `map`: mean average precision of every view against all other views; `sketch_hit@1`: the share of
        sketches whose nearest view is of the sketched design. NaN if nothing can be measured.
    """
    views = np.flatnonzero(~sketches)
    places = np.full(len(vectors), -1)
    places[views] = np.arange(len(views))
    precisions: list[float] = []
    hits: list[bool] = []
    for start in range(0, len(vectors), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(vectors)))
        scores = vectors[rows] @ vectors[views].T  # (block, V)
        own = ~sketches[rows]
        scores[own, places[rows[own]]] = -np.inf  # itself comes last and is cut off below
        order = np.argsort(-scores, axis=1, kind="stable")
        relevant = designs[views][order] == designs[rows][:, None]
        precisions += [average_precision(ranks_of(row[:-1])) for row in relevant[own]]
        hits += relevant[~own, 0].tolist() if len(views) else []
    known = [value for value in precisions if np.isfinite(value)]
    return {
        "map": float(np.mean(known)) if known else float("nan"),
        "sketch_hit@1": float(np.mean(hits)) if hits else float("nan"),
    }


def validate(network: Network, cache: DrawingCache, chosen: Sequence[int], *, size: int) -> dict[str, float]:
    """`retrieval` of designs of a cache, drawn at `size` pixels; drawings that cannot be read are left out."""
    designs: list[int] = []
    sketches: list[bool] = []

    def noted() -> Iterable[Grey]:
        for design, sketch, drawing in cache.readable(chosen):
            designs.append(design)
            sketches.append(sketch)
            yield fit(drawing, size)

    vectors = embeddings(network, noted())
    return retrieval(vectors, np.array(designs, np.int64), np.array(sketches, np.bool_))
