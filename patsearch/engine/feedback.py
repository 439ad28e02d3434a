"""Relevance feedback: repeat a search with drawings marked as relevant and irrelevant.

Rocchio's formula (Relevance Feedback in Information Retrieval, 1971; Manning, Raghavan, Schütze, Introduction to
Information Retrieval, equation 9.3). With R and N the drawings marked relevant and irrelevant:

    q' = alpha q + beta mean(R) - gamma mean(N),   to unit length

Every vector of a query is moved; without a picture, the marked drawings alone are the query. That changes the order;
scores are cosines with the query as it was, or with the closest of the relevant drawings.
"""

from __future__ import annotations

import numpy as np

from patsearch.backends.base import Embeddings
from patsearch.engine.query import QueryVectors
from patsearch.errors import UsageError

# A wrong drawing says less about what you look for than a right one (the book's values, section 9.1.1).
ALPHA, BETA, GAMMA = 1.0, 0.75, 0.15


def refine(
    query: QueryVectors | None,
    relevant: Embeddings,
    irrelevant: Embeddings,
    *,
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
) -> QueryVectors:
    """A query moved towards the relevant and away from the irrelevant drawings; as it is where there are none.

    Args:
        query: None where the marks alone are the query.
        relevant, irrelevant: (R, dim) and (N, dim) float32, rows of unit length; either may be empty.

    Raises:
        UsageError: there is neither a query nor a relevant drawing.
    """
    if query is None and not len(relevant):
        alone = " but drawings marked as irrelevant" * (len(irrelevant) > 0)
        raise UsageError(
            f"There is nothing to search with{alone}.",
            hint="Give a picture, the number of a patent, or a drawing marked as relevant.",
        )
    if query is not None and not len(relevant) and not len(irrelevant):
        return query
    shift = np.zeros(relevant.shape[1])
    if len(relevant):
        shift += beta * relevant.mean(axis=0, dtype=np.float64)
    if len(irrelevant):
        shift -= gamma * irrelevant.mean(axis=0, dtype=np.float64)
    if query is None:
        return QueryVectors(_unit(shift[None, :], relevant[:1]), np.zeros(1, dtype=np.intp), relevant)
    moved = _unit(alpha * query.vectors.astype(np.float64) + shift, query.vectors)
    return QueryVectors(moved, query.picture, query.vectors)


def _unit(moved: np.ndarray[tuple[int, ...], np.dtype[np.float64]], before: Embeddings) -> Embeddings:
    """Rows of unit length, (V, dim) float32; a row that vanished stays what it was."""
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.where(lengths > 1e-9, moved / np.maximum(lengths, 1e-9), before).astype(np.float32)
