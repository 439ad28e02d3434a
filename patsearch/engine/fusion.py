"""From query vectors to ranked drawings and patents: fusion of several pictures, grouping by patent.

What decides the order: a drawing's rating for one picture is the best inner product over that picture's vectors; its
rating for the query is the mean over the pictures. A patent's rating for one picture is the best over its drawings, and
again the mean over the pictures: a patent that shows every view of the query comes before one that shows a single view
well. Two refinements may come between: an expansion replaces each vector before the search proper, and re-ranking
replaces the drawings' ratings for each picture before they are joined.

What is shown is another number, which has one meaning everywhere (`Fusion.scored`): a drawing's score is its cosine
with the closest picture of the query, and a patent's is that of its best drawing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.base import Backend, Embeddings, ServerBackend
from patsearch.deadline import check
from patsearch.encoder import EncoderCard
from patsearch.encoder.shape import WHOLE, Comparison
from patsearch.engine.expansion import Expansion
from patsearch.engine.query import QueryVectors
from patsearch.engine.rerank import Rerank
from patsearch.filters import Filter
from patsearch.types import Drawing, Hit, PatentHit

# Candidates fetched for each drawing or patent requested, before fusion and grouping.
_OVERFETCH = 8
_LEAST_FETCH = 100
# Vectors of the query that are searched, and drawings that are compared, in one step.
_VECTORS_TOGETHER = 16
_TOGETHER = 4096


@dataclass(frozen=True, slots=True)
class Fusion:
    """One query against one backend.

    Attributes:
        query: as `comparison` compares it.
        comparison: of the query and the indexed drawings.
        exact: never approximate.
        rerank: re-rank the best; None is without.
    """

    backend: Backend
    query: QueryVectors
    where: Filter
    comparison: Comparison = WHOLE
    exact: bool = False
    rerank: Rerank | None = None

    def expanded(self, expansion: Expansion) -> Fusion:
        """With each vector joined by what it finds first."""
        vectors = self.query.vectors
        moved = vectors.copy()
        for row, hits in enumerate(self._lists(expansion.count)):
            stored = self.backend.get([hit.drawing.id for hit in hits])
            found = [stored[hit.drawing.id][1] for hit in hits if hit.drawing.id in stored]
            if found:
                joined = self.comparison.of(np.stack(found))
                moved[row] = expansion.expanded(vectors[row], joined, joined @ vectors[row])
        shown = vectors if self.query.shown is None else self.query.shown
        return replace(self, query=replace(self.query, vectors=moved, shown=shown))

    def drawings(self, k: int) -> list[PatentHit]:
        """The k best drawings, best first, ties by id: each as a hit of its patent with this one drawing."""
        if len(self.query.vectors) == 1 and self.rerank is None:
            (hits,) = self._lists(k)
        else:
            drawings, scores = self._candidates(self._fetch(k))
            fused = scores.mean(axis=1)  # (N,)
            order = sorted(range(len(drawings)), key=lambda i: (-fused[i], drawings[i].id))
            hits = [Hit(drawings[i], float(fused[i])) for i in order[:k]]
        return _ranked([(hit,) for hit in hits], [hit.score for hit in hits])

    def patents(self, k: int) -> list[PatentHit]:
        """The k best patents, best first, ties by number."""
        fetch = self._fetch(k)
        while True:
            check()
            drawings, scores = self._candidates(fetch)
            by_patent: dict[str, list[int]] = defaultdict(list)
            for row, drawing in enumerate(drawings):
                by_patent[drawing.patent].append(row)
            # A patent with many drawings can fill the list; search deeper until k patents are there.
            if len(by_patent) >= k or fetch > len(drawings):
                break
            if len(self.query.vectors) == 1 and self.rerank is None and (groups := self._grouped(k)):
                return groups
            fetch *= 4
        found = [_patent_hit(rows, drawings, scores) for rows in by_patent.values()]
        found.sort(key=lambda one: (-one[1], one[0][0].drawing.patent))
        return _ranked([hits for hits, _ in found[:k]], [score for _, score in found[:k]])

    def scored(self, found: list[PatentHit], card: EncoderCard | None) -> list[PatentHit]:
        """The same patents in the same order, with scores for ratings, and the drawings of each by their scores."""
        ids = [hit.drawing.id for patent in found for hit in patent.drawings]
        scores: dict[str, tuple[float, str | None]] = {}
        for start in range(0, len(ids), _TOGETHER):
            check()
            stored = self.backend.get(ids[start : start + _TOGETHER])
            if stored:
                vectors = self.comparison.of(np.stack([vector for _, vector in stored.values()]))
                scores |= zip(stored, self.query.scores(vectors, card), strict=True)
        # A drawing that was deleted a moment ago keeps what it was found by.
        hits = [
            [Hit(hit.drawing, *scores.get(hit.drawing.id, (hit.score, None))) for hit in patent.drawings]
            for patent in found
        ]
        best_first = [tuple(sorted(some, key=lambda hit: (-hit.score, hit.drawing.id))) for some in hits]
        return [replace(p, score=some[0].score, drawings=some) for p, some in zip(found, best_first, strict=True)]

    def _fetch(self, k: int) -> int:
        return max(_LEAST_FETCH, _OVERFETCH * k, self.rerank.candidates if self.rerank else 0)

    def _grouped(self, k: int) -> list[PatentHit] | None:
        """The answer of a backend that groups by itself: one search instead of ever deeper ones."""
        if not isinstance(self.backend, ServerBackend):
            return None
        vector = self.comparison.asked(self.query.vectors)[0]
        groups = self.backend.search_groups(vector, k=k, size=_LEAST_FETCH, where=self.where, exact=self.exact)
        if groups is None:
            return None
        ordered = sorted((g for g in groups if g), key=lambda g: (-g[0].score, g[0].drawing.patent))
        return _ranked(ordered, [group[0].score for group in ordered])

    def _candidates(self, fetch: int) -> tuple[list[Drawing], NDArray[np.float32]]:
        """Every drawing that some vector finds, and its score for each picture, (N, pictures)."""
        query = self.query
        if len(query.vectors) == 1 and self.rerank is None:
            (hits,) = self._lists(fetch)
            score = {hit.drawing.id: hit.score for hit in hits}
            drawings = sorted((hit.drawing for hit in hits), key=lambda drawing: drawing.id)
            return drawings, np.array([[score[d.id]] for d in drawings], dtype=np.float32).reshape(-1, 1)
        found = {hit.drawing.id: hit.drawing for hits in self._lists(fetch) for hit in hits}
        # One vector's list does not say how close its drawings are to the others: fetch and compare.
        drawings, scores, vectors = [], [], []
        everything = sorted(found)
        for start in range(0, len(everything), _TOGETHER):
            check()
            ids = everything[start : start + _TOGETHER]
            stored = self.backend.get(ids)
            kept = [i for i in ids if i in stored]
            if kept:
                some = self.comparison.of(np.stack([stored[i][1] for i in kept]))
                drawings += [found[i] for i in kept]
                scores.append(self._compared(some))
                if self.rerank is not None:
                    vectors.append(some)
        if not drawings:
            return [], np.empty((0, int(query.picture.max()) + 1), dtype=np.float32)
        joined = np.concatenate(scores)
        if self.rerank is not None:
            stack = np.concatenate(vectors)
            joined = np.stack([self.rerank.scores(of_picture, stack) for of_picture in joined.T], axis=1)
        return drawings, joined

    def _lists(self, k: int) -> Iterator[list[Hit]]:
        """What each vector finds; not all of these lists are in memory at the same time."""
        asked = self.comparison.asked(self.query.vectors)
        for vectors in np.array_split(asked, math.ceil(len(asked) / _VECTORS_TOGETHER)):
            check()
            yield from self.backend.search(vectors, k=k, where=self.where, exact=self.exact)

    def _compared(self, vectors: Embeddings) -> Embeddings:
        """The scores of some drawings, (N, dim), for each picture, (N, pictures)."""
        # Summed in float64: re-ranking looks at the order, which rounding must not decide between copies.
        query = self.query
        cosine = (vectors.astype(np.float64) @ query.vectors.T.astype(np.float64)).astype(np.float32)  # (N, V)
        return np.stack([cosine[:, mask].max(axis=1) for mask in query.pictures()], axis=1)


def _patent_hit(rows: list[int], drawings: list[Drawing], scores: NDArray[np.float32]) -> tuple[tuple[Hit, ...], float]:
    """A patent's drawings, best first, and its score."""
    own = scores[rows]  # (drawings of the patent, pictures)
    fused = own.mean(axis=1)
    order = sorted(range(len(rows)), key=lambda i: (-fused[i], drawings[rows[i]].id))
    return tuple(Hit(drawings[rows[i]], float(fused[i])) for i in order), float(own.max(axis=0).mean())


def _ranked(groups: Sequence[Sequence[Hit]], scores: Sequence[float]) -> list[PatentHit]:
    return [
        PatentHit(rank=rank, patent=hits[0].drawing.patent, score=score, drawings=tuple(hits))
        for rank, (hits, score) in enumerate(zip(groups, scores, strict=True), start=1)
    ]
