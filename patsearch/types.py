"""The nouns of patsearch: frozen values built on the standard library alone."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Self

from patsearch import pages
from patsearch.bibliography import Bibliography, Protection
from patsearch.classification import SCHEMES, ClassCode, Scheme
from patsearch.numbers import office_of, registration_of
from patsearch.terms import protections
from patsearch.titles import link_of, title_of

JsonDict = dict[str, Any]
_DATES = ("granted", "filed", "expires")
_OF_PATENT = ("title", "kind", "granted", "filed", "classes")
_OWN_TEXTS = ("title", "kind", "view", "figure")


class Closing(ABC):
    """A context manager that closes itself at the end."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is held. Twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def finite(value: Any) -> Any:
    """The same JSON document with NaN and infinity as null: JSON has neither."""
    if isinstance(value, dict):
        return {str(name): finite(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Drawing:
    """One indexed drawing (a figure, or a whole sheet) with the data of its patent.

    Attributes:
        id: unique in an index and safe in a URL or file name: `USD907292-D00001-1`.
        patent: normal form of the number (`patsearch.numbers.normal_number`).
        sheet: name of the sheet within the patent, `D00001`.
        figure: the figure's number as its label reads (`1`, `2A`), None where unknown.
        view: the caption of the figure, "perspective view of a chair", None where unknown.
        front_page: whether the sheet is the front-page copy (`D00000`).
        turned: degrees clockwise by which the sheet was turned upright: 0, 90, 180, 270.
        box: left, top, right, bottom in pixels of the upright sheet; None for a whole sheet.
        source: where it was ingested from ("I20210105.tar").
        bibliography: owners, citations, term of the patent; None where the source has nothing of it.
    """

    id: str
    patent: str
    sheet: str = ""
    figure: str | None = None
    view: str | None = None
    front_page: bool = False
    turned: int = 0
    box: tuple[int, int, int, int] | None = None
    title: str = ""
    kind: str = ""
    granted: date | None = None
    filed: date | None = None
    classes: tuple[ClassCode, ...] = ()
    source: str = ""
    bibliography: Bibliography | None = None

    def has(self, field: str) -> bool:
        """Whether there is a value for a field of the filters: `granted`, `title`, `uspc`, `owner` ..."""
        if field in SCHEMES:
            return bool(self.codes(field))
        if field == "inforce":
            return any(one.first and one.last for one in self.protections)
        return bool(getattr(self, field)) if field in _DATES else any(self.values(field))

    def values(self, field: str) -> tuple[str, ...]:
        """The texts of a field of the filters: one of a title, several of owners, none where nothing is known.

        A design of a registration with several has two numbers, its own and the registration's.
        """
        if field == "patent":
            return tuple(dict.fromkeys((self.patent, registration_of(self.patent))))
        if field in _OWN_TEXTS:
            value = getattr(self, field)
            return () if value is None else (value,)
        if field == "office":
            return tuple(filter(None, [office_of(self.patent)]))
        known = self.bibliography
        if known is None:
            return ()
        match field:
            case "owner" | "inventor" | "agent":
                return tuple(party.name for party in getattr(known, f"{field}s"))
            case "country":
                return known.countries
            case "cites":
                return known.cites
            case "status":
                return (known.status,) if known.status else ()
        raise ValueError(f"{field!r} is not a field of texts")

    def amended(self, patent: Patent) -> Self:
        """The same with the bibliography of its patent, and with title, kind, dates and classes where it has none."""
        missing = {name: getattr(patent, name) for name in _OF_PATENT if not getattr(self, name)}
        return replace(self, **missing, bibliography=patent.bibliography or self.bibliography)

    @property
    def protections(self) -> tuple[Protection, ...]:
        """Where and from when to when the patent is in force, as far as that is known (`patsearch.terms`)."""
        return protections(self.patent, self.granted, self.filed, self.bibliography)

    @property
    def expires(self) -> date | None:
        """The last day on which the patent is in force anywhere; None where that is not known."""
        return max((one.last for one in self.protections if one.last), default=None)

    def codes(self, scheme: Scheme) -> list[str]:
        """The codes of one scheme, in the order of the grant (main class first)."""
        return [c.code for c in self.classes if c.scheme == scheme]

    def class_titles(self) -> list[str]:
        """Titles of the main classes, each once."""
        return list(dict.fromkeys(title for code in self.classes if (title := title_of(code))))

    def classes_json(self) -> dict[str, list[str]]:
        """Codes by scheme, every scheme present: the `classes` of the command line's JSON."""
        return {scheme: self.codes(scheme) for scheme in SCHEMES}


@dataclass(frozen=True, slots=True)
class Hit:
    """One drawing found, with its score in [-1, 1]: its cosine with what is closest in the query, 1 for the same.

    Attributes:
        likeness: how similar the shapes are (`EncoderCard.likeness`): "same drawing", "same shape", "alike" or
            "far"; None where that is not known.
    """

    drawing: Drawing
    score: float
    likeness: str | None = None


@dataclass(frozen=True, slots=True)
class PatentHit:
    """One patent found: its drawings among the hits, best first, and the best one's score."""

    rank: int
    patent: str
    score: float
    drawings: tuple[Hit, ...]

    @property
    def drawing(self) -> Drawing:
        """The best drawing."""
        return self.drawings[0].drawing

    @property
    def likeness(self) -> str | None:
        """Of the best drawing."""
        return self.drawings[0].likeness

    @property
    def title(self) -> str:
        return self.drawing.title

    @property
    def granted(self) -> date | None:
        return self.drawing.granted

    @property
    def classes(self) -> tuple[ClassCode, ...]:
        return self.drawing.classes

    def _repr_html_(self) -> str:
        """In a notebook: a table of one row. `Results` shows the drawings too."""
        return pages.render("results.html", hits=[self], more=0, picture=lambda _: None, link_of=link_of)


@dataclass(frozen=True, slots=True)
class Caption:
    """What a grant says of one figure: number and view ("1", "a perspective view of a chair")."""

    figure: str
    view: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One drawing sheet of a patent, still encoded as its file's bytes.

    Attributes:
        figure: number of the figure that is on it alone, where the source says it; "" elsewhere.
        view: what the source says that it shows.
        origin: the file that it is from, where that is another one than its unit's.
    """

    name: str
    data: bytes = field(repr=False)
    front_page: bool = False
    figure: str = ""
    view: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Patent:
    """One patent as a source delivers it, before its sheets are split into figures.

    Attributes:
        number: normal form (`patsearch.numbers.normal_number`).
        captions: the figures that the grant describes, in its order.
        sheets: the drawing sheets in page order; bytes, not yet decoded.
        figure_count: number of figures that the grant states, None where it says nothing.
        problems: what of it could not be read ("D00002.TIF: damaged"), for the report.
        remarks: what of it was left out by rule ("pages of text"), for the report.
        bibliography: owners, citations, term; None where the source has nothing of it.
    """

    number: str
    title: str = ""
    kind: str = ""
    granted: date | None = None
    filed: date | None = None
    classes: tuple[ClassCode, ...] = ()
    captions: tuple[Caption, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    figure_count: int | None = None
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    bibliography: Bibliography | None = field(default=None, repr=False)

    def described(self) -> str:
        """All of it in words, for the fingerprint of a unit whose data come from a table."""
        return f"{self!r} {self.bibliography!r}" if self.bibliography else repr(self)
