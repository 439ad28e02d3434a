"""A search record: what was asked, of which index, with which encoder, when, and what was found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Self, TypedDict

from PIL import Image

from patsearch import __version__
from patsearch.drawings.grey import to_grey
from patsearch.drawings.thumbnail import thumbnail
from patsearch.engine import Engine, Expansion, QueryVectors, Rerank
from patsearch.filters import Filter
from patsearch.numbers import normal_number
from patsearch.types import Hit, JsonDict, PatentHit

_PICTURE_SIDE = 600


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a query: its name for people and PNG bytes of what was searched with."""

    name: str
    png: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, image: Image.Image) -> Self:
        """From the picture itself; what is kept has at most 600 pixels a side."""
        return cls(name, thumbnail(to_grey(image), side=_PICTURE_SIDE))


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How a search was asked for; part of the record.

    Attributes:
        top: at most so many results.
        crop: left, top, width, height in pixels of the pictures that were given.
        drawings: single drawings, not grouped by patent.
        min_score: results that score less are left out.
        relevant, irrelevant: ids of drawings that were marked, and moved the query.
        rerank, expansion: refinements of the search; None is without.
        shape: compared by shape alone, where the encoder tells the pen apart.
    """

    top: int = 20
    rotations: bool = False
    crop: tuple[int, int, int, int] | None = None
    drawings: bool = False
    min_score: float | None = None
    exact: bool = False
    mirror: bool = False
    rerank: Rerank | None = None
    expansion: Expansion | None = None
    relevant: tuple[str, ...] = ()
    irrelevant: tuple[str, ...] = ()
    shape: bool = False


class _How(TypedDict):
    k: int
    where: Filter
    exact: bool
    leave_out: str | None
    rerank: Rerank | None
    expansion: Expansion | None


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """Everything that a filed search must say. `to_json` is what `patsearch query --json` prints.

    Attributes:
        like: the patent asked with, in normal form.
        index, encoder: names and fingerprints.
        seconds: from the vectors to the hits.
    """

    pictures: tuple[Picture, ...]
    like: str | None
    where: Filter
    options: SearchOptions
    index: JsonDict
    encoder: JsonDict
    hits: tuple[PatentHit, ...]
    seconds: float
    asked: str = field(default_factory=lambda: datetime.now(UTC).astimezone().isoformat(timespec="seconds"))
    version: str = __version__

    def to_json(self) -> JsonDict:
        """The record without pictures."""
        return {
            "query": {
                "pictures": [picture.name for picture in self.pictures],
                "like": self.like,
                "filter": str(self.where),
                "notices": list(self.where.notices),
                **asdict(self.options),
                "index": self.index,
                "encoder": self.encoder,
                "time": self.asked,
                "seconds": round(self.seconds, 4),
                "patsearch": self.version,
            },
            "hits": [hit.to_json() for hit in self.hits],
        }


def search(
    engine: Engine,
    query: QueryVectors,
    *,
    pictures: Sequence[Picture],
    where: Filter,
    options: SearchOptions,
    like: str | None = None,
) -> SearchRecord:
    """Search and keep the record.

    Args:
        query: the vectors, from `Engine.encode` or `Engine.vectors_of`.
        pictures: what the record shows as the query.
        like: the patent that the query was taken from; it is not found itself.
    """
    start = time.perf_counter()
    if options.shape:
        query = engine.by_shape(query)
    how: _How = {
        "k": options.top,
        "where": where,
        "exact": options.exact,
        "leave_out": like,
        "rerank": options.rerank,
        "expansion": options.expansion,
    }
    if options.drawings:
        hits = _as_patent_hits(engine.search_drawing_vectors(query, **how))
    else:
        hits = engine.search_vectors(query, **how)
    seconds = time.perf_counter() - start
    if options.min_score is not None:
        hits = [hit for hit in hits if hit.score >= options.min_score]
    return SearchRecord(
        pictures=tuple(pictures),
        like=normal_number(like) if like else None,
        where=where,
        options=options,
        index=_describe_index(engine),
        encoder={"name": engine.spec.encoder, "sha256": engine.spec.encoder_sha256},
        hits=tuple(hits),
        seconds=seconds,
    )


def combine(
    engine: Engine, encoded: QueryVectors | None, pictures: Sequence[Picture], like: str | None, options: SearchOptions
) -> tuple[QueryVectors, list[Picture]]:
    """The vectors to ask with, of pictures, of a patent, and moved by marks; and the pictures for the record.

    Args:
        encoded: the vectors of `pictures`; None without pictures.

    Raises:
        InputError: the patent or a marked drawing is not in the index.
        UsageError: there is nothing to ask with.
    """
    parts = [] if encoded is None else [encoded]
    shown = list(pictures)
    if like is not None:
        parts.append(engine.vectors_of(like))
        shown += [Picture(d.id, engine.thumbnails.get(d.id) or b"") for d in engine.drawings_of(like)[0]]
    query = QueryVectors.joined(parts)
    if query is None:
        shown += [Picture(i, engine.thumbnails.get(i) or b"") for i in options.relevant]
    if query is None or options.relevant or options.irrelevant:
        query = engine.refine(query, options.relevant, options.irrelevant)
    return query, shown


def _as_patent_hits(hits: Sequence[Hit]) -> list[PatentHit]:
    """Single drawings in the shape of patents, one drawing each: a result that is not grouped."""
    return [
        PatentHit(rank=rank, patent=hit.drawing.patent, score=hit.score, drawings=(hit,))
        for rank, hit in enumerate(hits, start=1)
    ]


def _describe_index(engine: Engine) -> JsonDict:
    return {
        "path": str(engine.path),
        "fingerprint": engine.fingerprint(),
        "drawings": engine.backend.count(),
        "backend": engine.manifest.backend,
    }
