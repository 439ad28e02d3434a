"""How patents, drawings and hits are written as JSON: one definition, for every program that writes or reads them.

`patsearch query --json`, the HTTP API and its description, `patsearch watch --json` and the client use these models;
scripts rely on the names of their fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Self

from pydantic import BaseModel, Field

from patsearch.classification import SCHEMES, ClassCode
from patsearch.titles import link_of
from patsearch.types import Drawing, Hit, JsonDict, PatentHit


class DrawingAnswer(BaseModel):
    """What a drawing has that its patent does not."""

    id: str
    figure: str | None
    sheet: str
    view: str | None
    front_page: bool

    @classmethod
    def of(cls, drawing: Drawing, **more: Any) -> Self:
        """From a drawing; `more` are the fields of a subclass."""
        return cls(**{name: getattr(drawing, name) for name in DrawingAnswer.model_fields}, **more)


class DrawingOfPatent(DrawingAnswer):
    patent: str


class FoundDrawing(DrawingAnswer):
    score: float
    likeness: str | None = None


class Ranked(BaseModel):
    rank: int
    patent: str
    score: float


class PatentFields(BaseModel):
    """A patent, as every one of its drawings knows it; `link` is the office's page."""

    patent: str
    title: str
    kind: str
    granted: date | None
    filed: date | None
    link: str | None
    classes: dict[str, list[str]]
    class_titles: list[str]


class PatentAnswer(PatentFields):
    drawings: list[DrawingAnswer]

    @classmethod
    def of(cls, drawings: Sequence[Drawing]) -> Self:
        """From all drawings of a patent."""
        return cls(**_patent(drawings[0]), drawings=[DrawingAnswer.of(drawing) for drawing in drawings])


class HitAnswer(PatentFields, Ranked):
    """One patent found; `drawings` are those found, best first, and `drawing` is the best."""

    likeness: str | None = None
    drawing: FoundDrawing
    drawings: list[FoundDrawing] = Field(min_length=1)

    @classmethod
    def of(cls, hit: PatentHit) -> Self:
        found = [FoundDrawing.of(one.drawing, score=round(one.score, 6), likeness=one.likeness) for one in hit.drawings]
        measured: JsonDict = {"rank": hit.rank, "score": round(hit.score, 6), "likeness": hit.likeness}
        return cls(**measured, **_patent(hit.drawing), drawing=found[0], drawings=found)

    def hit(self) -> PatentHit:
        """The value; what the JSON leaves out (a drawing's box, turn and source) has its default."""
        codes = tuple(ClassCode(scheme, code) for scheme in SCHEMES for code in self.classes.get(scheme, ()))
        patent: JsonDict = {
            "patent": self.patent,
            "title": self.title,
            "kind": self.kind,
            "granted": self.granted,
            "filed": self.filed,
            "classes": codes,
        }
        found = (
            Hit(Drawing(**one.model_dump(exclude={"score", "likeness"}), **patent), one.score, one.likeness)
            for one in self.drawings
        )
        return PatentHit(self.rank, self.patent, self.score, tuple(found))


def _patent(drawing: Drawing) -> JsonDict:
    """What a drawing says about its patent: the values of `PatentFields`."""
    return {
        "patent": drawing.patent,
        "title": drawing.title,
        "kind": drawing.kind,
        "granted": drawing.granted,
        "filed": drawing.filed,
        "link": link_of(drawing.patent),
        "classes": drawing.classes_json(),
        "class_titles": drawing.class_titles(),
    }


def hits_json(hits: Iterable[PatentHit]) -> list[JsonDict]:
    """The `hits` of a search record."""
    return [HitAnswer.of(hit).model_dump(mode="json") for hit in hits]
