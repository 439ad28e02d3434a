"""Exact search: every vector that may match is compared with the query, in float32, then ranked in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.base import Embeddings
from patsearch.backends.embedded.catalogue import Catalogue, Rows
from patsearch.backends.embedded.masks import Mask
from patsearch.backends.embedded.segments import Segments
from patsearch.types import Hit

# float32 sums of the same vector may differ by this much with its place in a block; candidates this
# close to the k-th are all kept, and ranked again by sums that do not depend on the place.
_TOLERANCE = np.float32(1e-5)
_QUERIES = 64  # at once: bounds the block of scores
_ALONE = 4  # queries up to which they are multiplied one by one
_GATHER = 0.25  # share of matching rows below which they are copied together first
_RANKED = 1 << 14  # vectors read at once when ranking


def candidates(segments: Segments, span: tuple[int, int], queries: Embeddings, k: int, keep: Mask | None) -> list[Rows]:
    """For each query, the rows of a span (first, end) that may be among its k best: those and all near ties.

    Args:
        queries: (Q, dim).
        keep: (rows,) which rows match, over all rows of the index; None for all.
    """
    result: list[Rows] = []
    for first in range(0, len(queries), _QUERIES):
        part = queries[first : first + _QUERIES]
        tops = [_Top(k) for _ in part]
        for row, block in segments.vectors(*span, 1 << (16 if len(part) == 1 else 13)):
            rows: Rows | None = None
            if keep is not None:
                inside = keep[row : row + len(block)]
                matches = int(np.count_nonzero(inside))
                if not matches:
                    continue
                if matches < len(block):
                    rows = np.flatnonzero(inside)
                    if matches < _GATHER * len(block):
                        block = block[rows]  # noqa: PLW2901  the smaller block takes its place
            scores = _products(block, part)  # (q, n)
            if rows is not None and scores.shape[1] != len(rows):
                scores = scores[:, rows]
            for top, line in zip(tops, scores, strict=True):
                top.offer(row, rows, line)
        result.extend(top.rows() for top in tops)
    return result


def _products(block: Embeddings, queries: Embeddings) -> Embeddings:
    """(q, n) for a block (n, dim) and queries (q, dim)."""
    if len(queries) > _ALONE:
        return queries @ block.T
    # As quick as BLAS for single queries, and without its threads, which wait on each other under load.
    return np.stack([np.einsum("ij,j->i", block, query) for query in queries])


class _Top:
    """The candidates of one query so far."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._bar = np.float32(-np.inf)  # what the k-th best reaches so far, less the tolerance
        self._rows: list[Rows] = []
        self._scores: list[NDArray[np.float32]] = []
        self._held = 0

    def offer(self, first: int, rows: Rows | None, scores: NDArray[np.float32]) -> None:
        """Scores (n,) of the rows first + rows (first + 0..n-1 where rows is None)."""
        picked = np.flatnonzero(scores >= self._bar)
        if not len(picked):
            return
        self._scores.append(scores[picked])
        self._rows.append(first + (picked if rows is None else rows[picked]))
        self._held += len(picked)
        if self._held > 2 * self._k:
            self._shrink()

    def _shrink(self) -> None:
        scores, rows = np.concatenate(self._scores), np.concatenate(self._rows)
        if len(scores) > self._k:
            self._bar = np.partition(scores, len(scores) - self._k)[len(scores) - self._k] - _TOLERANCE
            keep = scores >= self._bar
            scores, rows = scores[keep], rows[keep]
        self._scores, self._rows, self._held = [scores], [rows], len(rows)

    def rows(self) -> Rows:
        if not self._rows:
            return np.empty(0, dtype=np.int64)
        self._shrink()
        return self._rows[0].astype(np.int64)


def rank(segments: Segments, catalogue: Catalogue, queries: Embeddings, found: list[Rows], k: int) -> list[list[Hit]]:
    """The k best of each query's candidates with exact scores, descending, ties by id.

    Args:
        queries: (Q, dim).
        found: candidate rows of each query.
    """
    ranked = [_best(segments, catalogue, query, rows, k) for query, rows in zip(queries, found, strict=True)]
    drawings = catalogue.drawings({row for rows, _ in ranked for row in rows.tolist()})
    result = []
    for rows, scores in ranked:
        hits = [Hit(drawings[row], score) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)]
        result.append(sorted(hits, key=lambda hit: (-hit.score, hit.drawing.id)))
    return result


def _best(
    segments: Segments, catalogue: Catalogue, query: NDArray[np.float32], rows: Rows, k: int
) -> tuple[Rows, NDArray[np.float32]]:
    rows, vectors = _nearly_best(segments, query, np.sort(rows), k)
    wide = query.astype(np.float64)
    scores = (vectors.astype(np.float64) * wide).sum(axis=1).clip(-1.0, 1.0).astype(np.float32)
    if len(rows) <= k:
        return rows, scores
    worst = np.partition(scores, len(scores) - k)[len(scores) - k]
    better = np.flatnonzero(scores > worst)
    tied = np.flatnonzero(scores == worst)
    room = k - len(better)
    if len(tied) > room:
        # Among equal scores the smallest ids are in.
        ids = catalogue.ids_of(rows[tied].tolist())
        tied = np.array(sorted(tied.tolist(), key=lambda i: ids[int(rows[i])])[:room], dtype=np.int64)
    chosen = np.concatenate([better, tied])
    return rows[chosen], scores[chosen]


def _nearly_best(segments: Segments, query: NDArray[np.float32], rows: Rows, k: int) -> tuple[Rows, Embeddings]:
    """Those of the rows (ascending: neighbours are read together) that may be among the k best, with their vectors."""
    kept_rows, kept = np.empty(0, dtype=np.int64), np.empty((0, len(query)), dtype=np.float32)
    for start in range(0, len(rows), _RANKED):
        part = rows[start : start + _RANKED]
        kept_rows, kept = np.concatenate([kept_rows, part]), np.concatenate([kept, segments.take(part)])
        if len(kept_rows) > k:
            (scores,) = _products(kept, query[None])
            near = scores >= np.partition(scores, len(scores) - k)[len(scores) - k] - _TOLERANCE
            kept_rows, kept = kept_rows[near], kept[near]
    return kept_rows, kept
