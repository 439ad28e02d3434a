"""The shapes of the API's answers, for its description; the answers themselves are made by the parts they come from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """What happened, and what to do next."""

    kind: str
    message: str
    hint: str | None


class ErrorAnswer(BaseModel):
    """Every answer that is an error."""

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
    """What one request may hold."""

    bytes: int
    picture_bytes: int
    pictures: int
    pixels: int
    top: int


class IndexAnswer(BaseModel):
    path: str
    fingerprint: str
    backend: str
    patents: int
    drawings: int
    encoder: EncoderName
    limits: Limits


class DrawingAnswer(BaseModel):
    id: str
    figure: str | None
    sheet: str
    view: str | None
    front_page: bool


class DrawingOfPatent(DrawingAnswer):
    patent: str


class FoundDrawing(DrawingAnswer):
    score: float


class PatentFields(BaseModel):
    patent: str
    title: str
    kind: str
    granted: str | None
    filed: str | None
    link: str | None
    classes: dict[str, list[str]]
    class_titles: list[str]


class PatentAnswer(PatentFields):
    drawings: list[DrawingAnswer]


class HitAnswer(PatentFields):
    rank: int
    score: float
    drawing: FoundDrawing
    drawings: list[FoundDrawing]


class Page(BaseModel):
    offset: int
    count: int
    more: bool


class SearchAnswer(BaseModel):
    """What `patsearch query --json` prints, and which page of the results it is."""

    query: dict[str, Any]
    hits: list[HitAnswer]
    page: Page


class RerunAnswer(SearchAnswer):
    """A saved search asked again."""

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


class FacetsAnswer(BaseModel):
    patents: int
    drawings: int
    classes: dict[str, list[ClassTree]]
    granted: list[YearCount]
    kinds: list[KindCount]


class ExplainedPicture(BaseModel):
    """PNG in base64; `heat` is white where the two agree most."""

    name: str | None = None
    picture: str
    heat: str


class ExplainAnswer(BaseModel):
    drawing: str
    score: float
    method: str
    query: list[ExplainedPicture]
    found: ExplainedPicture


class SessionAnswer(BaseModel):
    signed_in: bool
