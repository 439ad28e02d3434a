"""From pictures to ranked patents: query vectors, fusion of several pictures, grouping by patent.

A query is a list of pictures. Each picture yields one or more vectors: its figures where it is a
sheet, turned and mirrored copies where asked for. A drawing's score for one picture is the best
cosine over that picture's vectors; its score for the query is the mean over the pictures. A
patent's score for one picture is the best over its drawings, and again the mean over the pictures:
a patent that shows every view asked for stands before one that shows a single view well.

Two refinements may come between: an expansion replaces each vector before the search proper, and
re-ranking replaces the drawings' scores for each picture before they are joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.backends.base import Backend, Embeddings, ServerBackend
from patsearch.drawings import split_sheet
from patsearch.drawings.sheets import LONGEST_SIDE
from patsearch.encoder.base import Encoder
from patsearch.encoder.preprocess import is_blank
from patsearch.engine.expansion import Expansion
from patsearch.engine.rerank import Rerank
from patsearch.errors import ImageError
from patsearch.filters import Filter
from patsearch.types import Drawing, Hit, PatentHit

# Candidates fetched for each drawing or patent asked for, before fusion and grouping.
_OVERFETCH = 8
_LEAST_FETCH = 100
_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """Vectors of a query and the picture each comes from.

    Attributes:
        vectors: (V, dim) float32, rows of unit length.
        picture: (V,) intp, index of the picture; every picture has at least one vector.
    """

    vectors: Embeddings
    picture: NDArray[np.intp]

    def by_shape(self, dim: int | None) -> QueryVectors:
        """Without what tells of the pen: all but the first `dim` numbers, see `EncoderCard.shape_dim`."""
        return replace(self, vectors=shape_part(self.vectors, dim))

    def pictures(self) -> Iterator[NDArray[np.bool_]]:
        """One mask over the vectors for each picture."""
        for index in range(int(self.picture.max()) + 1):
            yield self.picture == index

    @staticmethod
    def joined(parts: Sequence[QueryVectors]) -> QueryVectors | None:
        """Several queries as one of all their pictures; None for none."""
        if not parts:
            return None
        first = np.cumsum([0, *(int(part.picture.max()) + 1 for part in parts[:-1])])
        return QueryVectors(
            np.concatenate([part.vectors for part in parts]),
            np.concatenate([part.picture + offset for part, offset in zip(parts, first, strict=True)]),
        )


def shape_part(vectors: Embeddings, dim: int | None) -> Embeddings:
    """Vectors (..., D) with 0 for all but the first `dim` numbers, of unit length again; None keeps all."""
    if dim is None:
        return vectors
    kept = np.where(np.arange(vectors.shape[-1]) < dim, vectors, 0)
    return np.asarray(kept / np.maximum(np.linalg.norm(kept, axis=-1, keepdims=True), 1e-12), np.float32)


def encode_query(
    encoder: Encoder,
    images: Sequence[Image.Image],
    *,
    split: bool,
    rotations: bool = False,
    mirror: bool = False,
) -> QueryVectors:
    """Encode pictures as a query.

    Args:
        images: one picture or several; each is a drawing, or a sheet with several.
        split: treat each picture as a sheet (labels removed, figures apart), as ingest does.
        rotations: also ask with every picture turned by 90, 180, 270 degrees.
        mirror: also ask with every one of these mirrored.

    Pictures whose pen the encoder cannot tell are asked with by shape alone.

    Raises:
        ImageError: there is no picture, or one shows nothing.
    """
    if not images:
        raise ImageError("There is no picture to search with.", hint="Give at least one image file.")
    variants: list[Image.Image] = []
    owner: list[int] = []
    for number, image in enumerate(images):
        for figure in query_figures(image, encoder) if split else [image]:
            for variant in turned(figure, rotations=rotations, mirror=mirror):
                variants.append(variant)
                owner.append(number)
        if not owner or owner[-1] != number:
            raise ImageError(f"Picture {number + 1} of the query is blank.", hint="Check the file, or crop elsewhere.")
    vectors = _told(encoder.encode_batch(variants), encoder.card.shape_dim)
    return QueryVectors(vectors, np.asarray(owner, dtype=np.intp))


def _told(vectors: Embeddings, dim: int | None) -> Embeddings:
    """By shape alone where the pen cannot be told: a sketch or a small copy must not find small drawings first."""
    if dim is None:
        return vectors
    pen = vectors[:, dim:]
    untold = pen[:, -1] ** 2 > (pen**2).sum(axis=1) / 2
    return np.where(untold[:, np.newaxis], shape_part(vectors, dim), vectors)


def query_figures(image: Image.Image, encoder: Encoder) -> list[Image.Image]:
    """The figures of a picture, treated as ingest treats a sheet for that encoder; empty where it is blank."""
    # Windows are cut out of a drawing as it is on the sheet.
    longest = None if encoder.card.preprocessing.windows else LONGEST_SIDE
    figures = (figure.image for figure in split_sheet(image, longest=longest).figures)
    return [Image.fromarray(figure) for figure in figures if not is_blank(figure)]


def turned(image: Image.Image, *, rotations: bool = True, mirror: bool = True) -> list[Image.Image]:
    """The image in its orientations, itself first: one, two (mirrored), four (turned) or eight (both)."""
    turns = [image, *(image.transpose(turn) for turn in _TURNS)] if rotations else [image]
    return turns + [turn.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for turn in turns] if mirror else turns


def search_drawings(
    backend: Backend,
    query: QueryVectors,
    *,
    k: int,
    where: Filter | None,
    exact: bool = False,
    rerank: Rerank | None = None,
    expansion: Expansion | None = None,
) -> list[Hit]:
    """The k best drawings of a fused query, best first, ties by id."""
    if expansion is not None:
        query = _expanded(backend, query, expansion, where, exact)
    if len(query.vectors) == 1 and rerank is None:
        return backend.search(query.vectors, k=k, where=where, exact=exact)[0]
    fetch = max(_LEAST_FETCH, _OVERFETCH * k, rerank.candidates if rerank else 0)
    drawings, scores = _candidates(backend, query, fetch, where, exact, rerank=rerank)
    fused = scores.mean(axis=1)  # (N,)
    order = sorted(range(len(drawings)), key=lambda i: (-fused[i], drawings[i].id))
    return [Hit(drawings[i], float(fused[i])) for i in order[:k]]


def search_patents(
    backend: Backend,
    query: QueryVectors,
    *,
    k: int,
    where: Filter | None,
    exact: bool = False,
    rerank: Rerank | None = None,
    expansion: Expansion | None = None,
) -> list[PatentHit]:
    """The k best patents of a fused query, best first, ties by number."""
    if expansion is not None:
        query = _expanded(backend, query, expansion, where, exact)
    fetch = max(_LEAST_FETCH, _OVERFETCH * k, rerank.candidates if rerank else 0)
    while True:
        drawings, scores = _candidates(backend, query, fetch, where, exact, rerank=rerank)
        by_patent: dict[str, list[int]] = defaultdict(list)
        for row, drawing in enumerate(drawings):
            by_patent[drawing.patent].append(row)
        # A patent with many drawings can fill the list; ask again, deeper, until k patents are there.
        if len(by_patent) >= k or fetch > len(drawings):
            break
        if len(query.vectors) == 1 and rerank is None and (groups := _grouped(backend, query, k, where, exact)):
            return groups
        fetch *= 4
    hits = [_patent_hit(patent, rows, drawings, scores) for patent, rows in by_patent.items()]
    hits.sort(key=lambda h: (-h.score, h.patent))
    return [
        PatentHit(rank=rank, patent=h.patent, score=h.score, drawings=h.drawings)
        for rank, h in enumerate(hits[:k], start=1)
    ]


def _grouped(
    backend: Backend, query: QueryVectors, k: int, where: Filter | None, exact: bool
) -> list[PatentHit] | None:
    """The answer of an engine that groups by itself: one question in place of ever deeper ones."""
    if not isinstance(backend, ServerBackend):
        return None
    groups = backend.search_groups(query.vectors[0], k=k, size=_LEAST_FETCH, where=where or Filter(), exact=exact)
    if groups is None:
        return None
    ordered = sorted((g for g in groups if g), key=lambda g: (-g[0].score, g[0].drawing.patent))
    return [
        PatentHit(rank=rank, patent=group[0].drawing.patent, score=group[0].score, drawings=tuple(group))
        for rank, group in enumerate(ordered, start=1)
    ]


def _patent_hit(patent: str, rows: list[int], drawings: list[Drawing], scores: NDArray[np.float32]) -> PatentHit:
    own = scores[rows]  # (drawings of the patent, pictures)
    fused = own.mean(axis=1)
    order = sorted(range(len(rows)), key=lambda i: (-fused[i], drawings[rows[i]].id))
    hits = tuple(Hit(drawings[rows[i]], float(fused[i])) for i in order)
    return PatentHit(rank=0, patent=patent, score=float(own.max(axis=0).mean()), drawings=hits)


def _expanded(
    backend: Backend, query: QueryVectors, expansion: Expansion, where: Filter | None, exact: bool
) -> QueryVectors:
    """Each vector joined by what it finds first."""
    lists = backend.search(query.vectors, k=expansion.count, where=where, exact=exact)
    stored = backend.get(sorted({hit.drawing.id for hits in lists for hit in hits}))
    vectors = query.vectors.copy()
    for row, hits in enumerate(lists):
        found = [stored[hit.drawing.id][1] for hit in hits if hit.drawing.id in stored]
        if found:
            joined = np.stack(found)
            vectors[row] = expansion.expanded(query.vectors[row], joined, joined @ query.vectors[row])
    return replace(query, vectors=vectors)


def _candidates(
    backend: Backend, query: QueryVectors, fetch: int, where: Filter | None, exact: bool, *, rerank: Rerank | None
) -> tuple[list[Drawing], NDArray[np.float32]]:
    """Every drawing that some vector finds, and its score for each picture, (N, pictures)."""
    lists = backend.search(query.vectors, k=fetch, where=where, exact=exact)
    found = {hit.drawing.id: hit.drawing for hits in lists for hit in hits}
    drawings = [found[i] for i in sorted(found)]
    if len(lists) == 1 and rerank is None:
        score = {hit.drawing.id: hit.score for hit in lists[0]}
        return drawings, np.array([[score[d.id]] for d in drawings], dtype=np.float32).reshape(-1, 1)
    # One vector's list does not say how close its drawings are to the others: fetch and compare.
    stored = backend.get([d.id for d in drawings])
    drawings = [d for d in drawings if d.id in stored]
    if not drawings:
        return [], np.empty((0, int(query.picture.max()) + 1), dtype=np.float32)
    vectors = np.stack([stored[d.id][1] for d in drawings])
    # Summed in float64: re-ranking looks at the order, which rounding must not decide between copies.
    cosine = (vectors.astype(np.float64) @ query.vectors.T.astype(np.float64)).astype(np.float32)  # (N, V)
    scores = [cosine[:, mask].max(axis=1) for mask in query.pictures()]
    if rerank is not None:
        scores = [rerank.scores(of_picture, vectors) for of_picture in scores]
    return drawings, np.stack(scores, axis=1)
