"""The shapes of the API's answers, for its description. Those of patents and hits are in `patsearch.engine.wire`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from patsearch.drawings.document import DocumentKind
from patsearch.engine.wire import HitAnswer


class Problem(BaseModel):
    """What happened, and what to do next."""

    kind: str
    message: str
    hint: str | None


class ErrorAnswer(BaseModel):
    """The body of every error."""

    error: Problem


class Health(BaseModel):
    status: str
    version: str


class Version(BaseModel):
    version: str
    api: int


class EncoderName(BaseModel):
    name: str
    sha256: str
    dim: int


class Limits(BaseModel):
    """The limits of one request."""

    bytes: int
    picture_bytes: int
    pictures: int
    pixels: int
    figures: int
    top: int


class IndexAnswer(BaseModel):
    path: str
    fingerprint: str
    backend: str
    patents: int
    drawings: int
    encoder: EncoderName
    limits: Limits


class FoundFigure(BaseModel):
    """A figure of an upload: `number` is what the field `figures` of a search takes, `picture` is PNG in base64.

    `width` and `height` are pixels before the field `edits` changes it, and `whole` is its picture before that.
    """

    number: int
    name: str
    page: int | None
    label: str | None
    picture: str
    width: int
    height: int
    whole: str | None


class FoundSheet(BaseModel):
    """The whole page that the field `crop` is of: PNG in base64, reduced, and its size in pixels."""

    picture: str
    width: int
    height: int


class FoundPicture(BaseModel):
    """What was found in one upload.

    `remarks` say what was left out; `crop` is where the drawing in a screenshot is, as the field `crop` takes it;
    `flat` is whether it is a photo of a sheet of paper, which was flattened;
    `sheet` is of a file that browsers do not show, where it has one page or one was chosen.
    """

    name: str
    kind: DocumentKind
    pages: int
    figures: list[FoundFigure]
    remarks: list[str]
    crop: str | None
    flat: bool
    sheet: FoundSheet | None


class FiguresAnswer(BaseModel):
    pictures: list[FoundPicture]


class Page(BaseModel):
    offset: int
    count: int
    more: bool


class SearchAnswer(BaseModel):
    """What `patsearch query --json` prints, and which page of the results it is."""

    query: dict[str, Any]
    warnings: list[str]
    hits: list[HitAnswer]
    page: Page


class RerunAnswer(SearchAnswer):
    """A saved search, repeated."""

    name: str
    new: list[str]
    record: dict[str, Any]


class ClassCount(BaseModel):
    code: str
    title: str | None
    count: int


class ClassTree(ClassCount):
    children: list[ClassCount]


class YearCount(BaseModel):
    year: int
    count: int


class KindCount(BaseModel):
    kind: str
    count: int


class OwnerCount(BaseModel):
    owner: str
    count: int


class CountryCount(BaseModel):
    country: str
    count: int


class OfficeCount(BaseModel):
    office: str
    count: int


class StatusCount(BaseModel):
    status: str
    count: int


class InForceCount(BaseModel):
    """Patents known to be in force on a day, the server's today."""

    day: str
    count: int


class FacetsAnswer(BaseModel):
    """`owners` are those with the most patents, of `owners_total`."""

    patents: int
    drawings: int
    classes: dict[str, list[ClassTree]]
    granted: list[YearCount]
    kinds: list[KindCount]
    owners: list[OwnerCount]
    owners_total: int
    countries: list[CountryCount]
    offices: list[OfficeCount]
    statuses: list[StatusCount]
    in_force: InForceCount


class ExplainedPicture(BaseModel):
    """PNG in base64; `heat` is white where the two agree most."""

    name: str | None = None
    picture: str
    heat: str


class ExplainAnswer(BaseModel):
    drawing: str
    score: float
    likeness: str | None = None
    method: str
    query: list[ExplainedPicture]
    found: ExplainedPicture


class SessionAnswer(BaseModel):
    signed_in: bool
