"""Two encoders on the same drawings: how similar their vectors and rankings are, which is better, which is faster."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder import ArrayEncoder
from patsearch.errors import UsageError
from patsearch.training.augment.augmentation import encoder_input
from patsearch.training.data.cache import DrawingCache
from patsearch.training.validation import retrieval
from patsearch.types import JsonDict

TOP = 10
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes:
        name, sha256, dim, size: of its card.
        map: mean average precision, of the views of designs against one another; NaN where no design has two.
        per_cpu_second: drawings encoded a second of CPU time.
    """

    name: str
    sha256: str
    dim: int
    size: int
    map: float
    per_cpu_second: float


@dataclass(frozen=True, slots=True)
class EncoderComparison:
    """Two encoders.

    Attributes:
        first, second: each for itself.
        drawings: their number.
        cosine_mean, cosine_least: of their vectors of the same drawing; None where dimensions differ, and without
            meaning unless one was made of the other.
        top: of the 10 drawings nearest to each, the share that both agree on.
    """

    first: Side
    second: Side
    drawings: int
    cosine_mean: float | None
    cosine_least: float | None
    top: float

    def to_json(self) -> JsonDict:
        """By name; what is not a number is null."""
        values = asdict(self)
        for side in ("first", "second"):
            values[side]["map"] = None if np.isnan(values[side]["map"]) else values[side]["map"]
        return values


def compare_encoders(first: ArrayEncoder, second: ArrayEncoder, cache: DrawingCache) -> EncoderComparison:
    """Compare on all drawings of a cache.

    Raises:
        UsageError: fewer than three drawings.
    """
    readable = list(cache.readable(range(len(cache))))
    if len(readable) < 3:
        raise UsageError(f"{len(readable)} drawings are too few to compare on.", hint="Name a larger source.")
    designs, sketches, drawings = zip(*readable, strict=True)
    rows, sides = [], []
    for encoder in (first, second):
        vectors, rate = _encoded(encoder, drawings)
        found = retrieval(vectors, np.array(designs, np.int64), np.array(sketches, np.bool_))
        card = encoder.card
        rows.append(vectors)
        sides.append(Side(card.name, card.sha256, card.dim, card.preprocessing.size, found["map"], rate))
    cosines = (rows[0] * rows[1]).sum(axis=1) if rows[0].shape == rows[1].shape else None
    return EncoderComparison(
        sides[0],
        sides[1],
        len(drawings),
        None if cosines is None else float(cosines.mean()),
        None if cosines is None else float(cosines.min()),
        agreement(rows[0], rows[1], TOP),
    )


def agreement(first: NDArray[np.float32], second: NDArray[np.float32], top: int) -> float:
    """Mean share of the `top` nearest others of each row that both sets of unit vectors have in common."""
    count, top = len(first), min(top, len(first) - 1)
    shared = 0
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        nearest = []
        for vectors in (first, second):
            scores = vectors[rows] @ vectors.T
            scores[np.arange(len(rows)), rows] = -np.inf
            nearest.append(np.argsort(-scores, axis=1, kind="stable")[:, :top])
        shared += sum(len(np.intersect1d(a, b)) for a, b in zip(*nearest, strict=True))
    return shared / (count * top)


def _encoded(encoder: ArrayEncoder, drawings: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], float]:
    sized = np.stack([encoder_input(drawing, encoder.preprocessing) for drawing in drawings])
    encoder.encode_arrays(sized[:2])  # the first call is slower
    start = time.process_time()
    vectors = encoder.encode_arrays(sized)
    return vectors, len(sized) / max(time.process_time() - start, 1e-9)
