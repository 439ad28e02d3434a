"""How patents, drawings and hits are written as JSON: one definition, for every program that writes or reads them.

`patsearch query --json`, the HTTP API and its description, `patsearch watch --json` and the client use these models;
scripts rely on the names of their fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Self

from pydantic import BaseModel, Field

from patsearch.bibliography import Bibliography, Party, Protection, bounded, public, public_protection
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


class PartyAnswer(BaseModel):
    """An owner, inventor or agent; `country` is a code of WIPO ST.3, "" where it is not known."""

    name: str
    country: str = ""


class ProtectionAnswer(BaseModel):
    """Protection in one country from the first to the last day, and what these rest on that no source says."""

    country: str
    first: date | None = None
    last: date | None = None
    status: str = ""
    assumed: str = ""


class RelatedAnswer(BaseModel):
    """An earlier document that a patent goes back to."""

    relation: str
    number: str
    filed: date | None = None
    patent: str | None = None


class HagueAnswer(BaseModel):
    """The international registration that a patent comes from."""

    number: str
    filed: date | None = None
    registered: date | None = None
    published: date | None = None


class PatentFields(BaseModel):
    """A patent, as every one of its drawings knows it; `link` is the office's page.

    From `owners` on, the fields are empty in answers of servers and indexes of earlier versions.
    """

    patent: str
    title: str
    kind: str
    granted: date | None
    filed: date | None
    link: str | None
    classes: dict[str, list[str]]
    class_titles: list[str]
    owners: list[PartyAnswer] = []
    inventors: list[PartyAnswer] = []
    agents: list[PartyAnswer] = []
    office: str = ""
    status: str = ""
    expires: date | None = None
    term: list[ProtectionAnswer] = []
    citation_counts: dict[str, int] = {}


class PatentAnswer(PatentFields):
    """A patent with all that is known of it; `citations` and `literature` are by who named them."""

    citations: dict[str, list[str]] = {}
    literature: dict[str, list[str]] = {}
    related: list[RelatedAnswer] = []
    hague: HagueAnswer | None = None
    drawings: list[DrawingAnswer]

    @classmethod
    def of(cls, drawings: Sequence[Drawing]) -> Self:
        """From all drawings of a patent."""
        known = drawings[0].bibliography
        more = {name: public(known)[name] for name in ("citations", "literature", "related", "hague")} if known else {}
        return cls(**_patent(drawings[0]), **more, drawings=[DrawingAnswer.of(drawing) for drawing in drawings])


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
            "bibliography": self._bibliography(),
        }
        found = (
            Hit(Drawing(**one.model_dump(exclude={"score", "likeness"}), **patent), one.score, one.likeness)
            for one in self.drawings
        )
        return PatentHit(self.rank, self.patent, self.score, tuple(found))

    def _bibliography(self) -> Bibliography | None:
        """What of it is in the answer: not the citations."""
        owners, inventors, agents = (
            tuple(Party(party.name, party.country) for party in given)
            for given in (self.owners, self.inventors, self.agents)
        )
        term = tuple(Protection(one.country, one.first, one.last, one.status, one.assumed) for one in self.term)
        return bounded(Bibliography(owners, inventors, agents, protections=term, status=self.status))[0]


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
        "office": "".join(drawing.values("office")),
        "expires": drawing.expires,
        "term": [public_protection(one) for one in drawing.protections],
        **_known(drawing.bibliography),
    }


def _known(bibliography: Bibliography | None) -> JsonDict:
    if bibliography is None:
        return {}
    values = public(bibliography)
    counts = {by: len(numbers) for by, numbers in values["citations"].items() if numbers}
    return {name: values[name] for name in ("owners", "inventors", "agents", "status")} | {"citation_counts": counts}


def hits_json(hits: Iterable[PatentHit]) -> list[JsonDict]:
    """The `hits` of a search record."""
    return [HitAnswer.of(hit).model_dump(mode="json") for hit in hits]
