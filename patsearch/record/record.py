"""A search record: what was searched for, in which index, with which encoder, when, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal, Self

from patsearch import __version__
from patsearch.encoder.card import Likeness
from patsearch.engine import Answer, Engine, Picture, Question
from patsearch.engine.warnings import filter_warnings
from patsearch.engine.wire import hits_json
from patsearch.files import printable
from patsearch.record.collection import Collection
from patsearch.record.cover import Cover
from patsearch.types import Drawing, JsonDict, PatentHit


@dataclass(frozen=True, slots=True)
class Marked:
    """A drawing that the searcher marked.

    Attributes:
        rank: of its patent among the results; None where it is not one of them.
    """

    kind: Literal["relevant", "not relevant"]
    drawing: Drawing
    rank: int | None


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """Everything that a filed search must say. `to_json` is what `patsearch query --json` prints.

    Attributes:
        pictures: what is shown as the query.
        index, encoder: names and fingerprints.
        seconds: from the vectors to the hits; None where that is not a part of the record.
        warnings: what was left out of the pictures, and what the filter leaves out without being asked.
        cover, marked, collection, likeness: what only a filed record says (`filed`).
    """

    question: Question
    pictures: tuple[Picture, ...]
    index: JsonDict
    encoder: JsonDict
    hits: tuple[PatentHit, ...]
    seconds: float | None
    warnings: tuple[str, ...] = ()
    asked: str = field(default_factory=lambda: datetime.now(UTC).astimezone().isoformat(timespec="seconds"))
    version: str = __version__
    cover: Cover = field(default_factory=Cover)
    marked: tuple[Marked, ...] = ()
    collection: Collection | None = None
    likeness: Likeness | None = None

    @classmethod
    def of(cls, engine: Engine, answer: Answer) -> Self:
        """The record of a search in an index."""
        return cls(
            question=answer.question,
            pictures=answer.pictures,
            index={
                "path": printable(engine.path),
                "fingerprint": engine.fingerprint(),
                "drawings": engine.backend.count(),
                "backend": engine.manifest.backend,
            },
            encoder={"name": engine.spec.encoder, "sha256": engine.spec.encoder_sha256},
            hits=answer.hits,
            seconds=answer.seconds,
            warnings=(*answer.remarks, *filter_warnings(engine.backend, answer.question.where)),
        )

    def filed(self, engine: Engine, cover: Cover, collection: Collection | None = None) -> Self:
        """With all that a page or a PDF says: what is written on it, the marked drawings, and what was searched.

        Args:
            collection: what was searched, where it is known already: counting it takes a while.
        """
        question = self.question
        found = engine.backend.get([*question.relevant, *question.irrelevant])
        ranks = {hit.patent: hit.rank for hit in reversed(self.hits)}
        kinds: list[tuple[Literal["relevant", "not relevant"], tuple[str, ...]]] = [
            ("relevant", question.relevant),
            ("not relevant", question.irrelevant),
        ]
        drawings = [(kind, found[id_][0]) for kind, ids in kinds for id_ in ids if id_ in found]
        marked = [Marked(kind, drawing, ranks.get(drawing.patent)) for kind, drawing in drawings]
        likeness = engine.card.likeness if engine.card else None
        return replace(
            self, cover=cover, marked=tuple(marked), collection=collection or Collection.of(engine), likeness=likeness
        )

    def to_json(self) -> JsonDict:
        """The record without pictures."""
        return {
            "query": {
                "pictures": [picture.name for picture in self.pictures],
                "like": self.question.like,
                "filter": str(self.question.where),
                "notices": list(self.question.where.notices),
                **self.question.options(),
                "index": self.index,
                "encoder": self.encoder,
                "time": self.asked,
                "seconds": None if self.seconds is None else round(self.seconds, 4),
                "patsearch": self.version,
            },
            "warnings": list(self.warnings),
            "hits": hits_json(self.hits),
        }
