"""Vectors with shape and drawing style side by side (`EncoderCard.shape_dim`), and what is compared of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.base import Embeddings


def shape_part(vectors: Embeddings, dim: int | None) -> Embeddings:
    """Vectors (..., D) of unit length with 0 for all but the first `dim` numbers; None keeps all."""
    if dim is None:
        return vectors
    kept = np.where(np.arange(vectors.shape[-1]) < dim, vectors, 0)
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=-1, keepdims=True), 1e-12), np.float32)


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
