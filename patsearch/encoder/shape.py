"""Vectors with shape and drawing style side by side (`EncoderCard.shape_dim`), and what is compared of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.base import Embeddings

# How much the drawing style counts in a search unless it says otherwise. An examiner looks for the same shape by
# another hand; with the style in it, most of what is found first comes from the query's own draughtsman or scanner.
DEFAULT_STYLE = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much the drawing style counts next to the shape: what a search compares of the vectors.

    With shapes s, t and styles u, v of two vectors, and the weight w, it is the cosine of (s, sqrt(w) u) and
    (t, sqrt(w) v): w = 0 compares the shapes alone, w = 1 the vectors as they are. It is 1 for equal vectors at every
    weight.

    Attributes:
        dim: `EncoderCard.shape_dim`; None where the vectors have no style, and are compared as they are.
        style: the weight w, 0 to 1.
    """

    dim: int | None = None
    style: float = 1.0

    @property
    def whole(self) -> bool:
        """Whether vectors are compared as they are."""
        return self.dim is None or self.style == 1

    def of(self, vectors: Embeddings) -> Embeddings:
        """Vectors (..., D) of unit length as they are compared: their cosines are those of the comparison."""
        if self.whole:
            return vectors
        factors = np.where(np.arange(vectors.shape[-1]) < (self.dim or 0), 1.0, float(np.sqrt(self.style)))
        weighed = vectors * factors
        length = np.linalg.norm(weighed, axis=-1, keepdims=True)
        return np.asarray(weighed / np.maximum(length, 1e-12), np.float32)

    def asked(self, compared: Embeddings) -> Embeddings:
        """What an index of whole vectors is searched with, (..., D) of unit length, for vectors made by `of`.

        All styles have one length, so that inner products with the indexed vectors have the order of the comparison.
        """
        return self.of(compared)


WHOLE = Comparison()


def shape_part(vectors: Embeddings, dim: int | None) -> Embeddings:
    """Vectors (..., D) of unit length with 0 for all but the first `dim` numbers; None keeps all."""
    return Comparison(dim, 0.0).of(vectors)


def by_shape_where_unsure(vectors: Embeddings, dim: int | None) -> Embeddings:
    """Query vectors (V, D), by shape alone where the style is unclear.

    A sketch or a small copy must not find small drawings first.
    """
    if dim is None:
        return vectors
    style = vectors[:, dim:]
    unsure = style[:, -1] ** 2 > (style**2).sum(axis=1) / 2
    return np.where(unsure[:, np.newaxis], shape_part(vectors, dim), vectors)


def compared_cosines(query: Embeddings, vectors: Embeddings, dim: int | None) -> NDArray[np.float64]:
    """(V, N) cosines of what is compared; for a query vector without a style that is the shape alone.

    Args:
        query: (V, D), rows of unit length.
        vectors: (N, D), of indexed drawings, rows of unit length.
        dim: `EncoderCard.shape_dim`.
    """
    stored = vectors.astype(np.float64)
    cosines = query.astype(np.float64) @ stored.T
    if dim is not None:
        alone = ~query[:, dim:].any(axis=1)
        cosines[alone] /= np.maximum(np.linalg.norm(stored[:, :dim], axis=1), 1e-12)
    return np.asarray(np.clip(cosines, -1, 1))
