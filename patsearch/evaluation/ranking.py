"""Exact cosine ranking in blocks: every query against the whole gallery, in bounded memory.

The whole Q x G matrix of scores is never held, and no row is sorted in full: the average precision
over a whole ranking needs only the rank of each relevant item, which is a count of the scores that
are greater (and of equal ones with a smaller id).

Scores are summed in float64 and rounded once to float32, which drops the last bits, those that depend
on the order of summation. So identical drawings tie, and the ranking does not change with the size
of the blocks, the number of threads or the BLAS library, as it would if rounding errors of float32
sums decided between near-duplicates.

A query may have several vectors: its score is the best over them. It may be expanded before, and its ranking
refined after (`patsearch.engine.expansion`, `patsearch.engine.rerank`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.engine import Expansion, Rerank
from patsearch.errors import UsageError
from patsearch.evaluation.metrics import QueryRanks, Ranks
from patsearch.evaluation.relevance import NotEarlier, Positions, Relevance

Vectors = NDArray[np.float32]

DEFAULT_BLOCK_BYTES = 64 << 20
_TILE_ROWS = 4096  # gallery rows that are widened to float64 at a time
_SORT_FROM = 24  # from this number of relevant items, one sort is faster than counting


@dataclass(frozen=True, slots=True)
class Ranked:
    """The ranking of one query, as far as it is needed.

    Attributes:
        ranks: of the relevant items.
        relevant: (R,) int64, their gallery positions, in the order of `ranks.ranks`.
        relevant_scores: (R,) float32, in the same order.
        top: (n,) int64, gallery positions of the first n places, best first.
        top_scores: (n,) float32, in the same order.
    """

    ranks: QueryRanks
    relevant: Positions
    relevant_scores: Vectors
    top: Positions
    top_scores: Vectors


def rank(
    queries: Vectors,
    gallery: Vectors,
    relevance: Relevance,
    *,
    own: Positions | None = None,
    ignored: Relevance | NotEarlier | None = None,
    top: int = 100,
    block_bytes: int = DEFAULT_BLOCK_BYTES,
    advance: Callable[[int], None] | None = None,
    expansion: Expansion | None = None,
    rerank: Rerank | None = None,
) -> Iterator[Ranked]:
    """Rank the gallery for every query, in the order of the queries.

    Args:
        queries: (Q, dim) float32, or (Q, V, dim) for V vectors a query; rows of unit length.
        gallery: (G, dim) float32, rows of unit length, in ascending order of id: of equal scores
            the smaller gallery position comes first.
        relevance: Q rows of gallery positions; must not contain the query itself.
        own: (Q,) gallery position that is left out of the query's ranking (the query itself, in
            leave-one-out), -1 for none.
        ignored: more gallery positions to leave out of each query's ranking: neither right nor wrong.
        top: number of places to return.
        block_bytes: bound on the scores held at a time (about twice as much is needed in total).
        advance: called with the number of queries done since the last call.
        expansion: each vector is expanded by what it finds first, the query itself left out.
        rerank: replaces the scores, the query itself left out.

    Yields:
        One `Ranked` a query.

    Raises:
        UsageError: the shapes do not fit, or a vector contains NaN or infinity.
    """
    if queries.ndim == 2:
        queries = queries[:, None]
    _check(queries, gallery, relevance, own)
    rows = max(1, block_bytes // (4 * max(1, len(gallery)) * queries.shape[1]))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        left_out = [_left_out(query, own, ignored) for query in range(start, start + len(block))]
        scores = _scores(block, gallery, left_out, expansion)
        for offset, row in enumerate(scores):
            query = start + offset
            if rerank is not None:
                row[:] = rerank.scores(row, gallery)
            yield _rank_row(row, *relevance.row(query), top=min(top, len(row) - len(left_out[offset])))
        del scores, row  # before the next block is made, not after
        if advance:
            advance(len(block))


def rank_scores(
    scores: Iterable[Vectors],
    relevance: Relevance,
    *,
    own: Positions | None = None,
    ignored: Relevance | NotEarlier | None = None,
    top: int = 100,
    advance: Callable[[int], None] | None = None,
) -> Iterator[Ranked]:
    """Like `rank`, by scores (G,) of each query that come from elsewhere; arguments as there."""
    for query, row in enumerate(scores):
        left_out = _left_out(query, own, ignored)
        kept = row.copy()
        kept[left_out] = -np.inf
        yield _rank_row(kept, *relevance.row(query), top=min(top, len(kept) - len(left_out)))
        if advance:
            advance(1)


def score_block(queries: Vectors, gallery: Vectors) -> Vectors:
    """(q, G) float32 cosines of unit vectors, summed in float64 and rounded once."""
    wide = queries.astype(np.float64)
    scores = np.empty((len(queries), len(gallery)), dtype=np.float32)
    for start in range(0, len(gallery), _TILE_ROWS):
        tile = gallery[start : start + _TILE_ROWS].astype(np.float64)
        scores[:, start : start + _TILE_ROWS] = wide @ tile.T
    return scores


def _left_out(query: int, own: Positions | None, ignored: Relevance | NotEarlier | None) -> Positions:
    """Gallery positions that are never counted, never among the first."""
    rows = [ignored.row(query)[0]] if ignored is not None else []
    if own is not None and own[query] >= 0:
        rows.append(own[query : query + 1])
    return np.unique(np.concatenate([np.empty(0, np.int64), *rows]))


def _scores(block: Vectors, gallery: Vectors, left_out: Sequence[Positions], expansion: Expansion | None) -> Vectors:
    """(q, G) scores of a block of queries (q, V, dim), -inf for the drawings that are left out of each."""
    count, each, dim = block.shape
    scores = score_block(block.reshape(-1, dim), gallery)  # (q * V, G)
    rows = [query for query in range(count) for _ in range(each)]
    for i, query in enumerate(rows):
        scores[i, left_out[query]] = -np.inf
    if expansion is not None:
        for i, vector in enumerate(block.reshape(-1, dim)):
            out = left_out[rows[i]]
            found = best_positions(scores[i], min(expansion.count, len(gallery) - len(out)))
            new = expansion.expanded(vector, gallery[found], scores[i][found])
            scores[i] = score_block(new[None], gallery)[0]
            scores[i, out] = -np.inf
    return scores if each == 1 else scores.reshape(count, each, -1).max(axis=1)


def _rank_row(row: Vectors, relevant: Positions, gains: NDArray[np.float64], *, top: int) -> Ranked:
    values = row[relevant]
    first, last = _count_sorted(row, values) if len(relevant) >= _SORT_FROM else _count_each(row, values)
    # Among equal scores the smaller position comes first: count those before it.
    ranks = first.copy()
    for i in np.flatnonzero(last > first):
        ranks[i] += np.count_nonzero(row[: relevant[i]] == values[i])
    order = np.argsort(ranks)
    found = QueryRanks(ranks[order], last[order], gains[order])
    best = best_positions(row, top)
    return Ranked(found, relevant[order], values[order], best, row[best])


def _count_each(row: Vectors, values: Vectors) -> tuple[Ranks, Ranks]:
    """First and last place of each value's group of equal scores, by counting."""
    first = np.array([np.count_nonzero(row > v) for v in values], dtype=np.int64) + 1
    last = np.array([np.count_nonzero(row >= v) for v in values], dtype=np.int64)
    return first, last


def _count_sorted(row: Vectors, values: Vectors) -> tuple[Ranks, Ranks]:
    """The same by sorting the row once: faster for many relevant items."""
    ascending = np.sort(row)
    first = len(row) - np.searchsorted(ascending, values, side="right") + 1
    last = len(row) - np.searchsorted(ascending, values, side="left")
    return first.astype(np.int64), last.astype(np.int64)


def best_positions(row: Vectors, top: int) -> Positions:
    """Positions of the first `top` places, best first, equal scores by position."""
    if top <= 0:
        return np.empty(0, dtype=np.int64)
    threshold = np.partition(row, len(row) - top)[len(row) - top]
    candidates = np.flatnonzero(row >= threshold)
    order = np.argsort(-row[candidates], kind="stable")
    return candidates[order][:top].astype(np.int64)


def _check(queries: Vectors, gallery: Vectors, relevance: Relevance, own: Positions | None) -> None:
    if queries.ndim != 3 or gallery.ndim != 2 or queries.shape[2] != gallery.shape[1]:
        raise UsageError(f"Queries of shape {queries.shape} cannot be ranked against a gallery of {gallery.shape}.")
    if len(relevance) != len(queries) or (own is not None and len(own) != len(queries)):
        raise UsageError(f"{len(queries)} queries came with judgements for {len(relevance)}.")
    for matrix, what in ((queries, "query"), (gallery, "gallery")):
        # A sum is finite only where every element is: one pass, no copy.
        if not np.isfinite(matrix.sum(dtype=np.float64)):
            raise UsageError(f"A {what} vector contains NaN or infinity.")
