"""A search as one value, and the one function that answers it.

The command line, the HTTP form, the client, saved searches, benchmarks and Python all make a `Question` and hand it to
`search`. A new option is a field here, with its use in `search` and its words in `words`: the form of the API and its
description, the client's form, records, reports and saved searches are derived from the fields.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from patsearch.drawings.photo import parse_crop
from patsearch.encoder.shape import DEFAULT_STYLE, Comparison
from patsearch.engine.compose import compose
from patsearch.engine.expansion import Expansion
from patsearch.engine.fusion import Fusion
from patsearch.engine.picture import Picture, PictureSource, pictures_of
from patsearch.engine.query import QueryVectors
from patsearch.engine.rerank import Rerank
from patsearch.errors import UsageError
from patsearch.filters import Filter, as_filter, not_patent
from patsearch.numbers import normal_number, registration_of
from patsearch.text import counted
from patsearch.types import JsonDict, PatentHit

if TYPE_CHECKING:
    from patsearch.engine.engine import Engine

# Results that a search looks through for patents of other classes.
_DEEPEST = 10_000
_MOST_RESULTS = 1_000_000
# A number of pixels that no picture has.
_MOST_PIXELS = 1_000_000
_MOST_PAGES = 10_000
_Pixels = Annotated[int, Field(ge=0, le=_MOST_PIXELS)]
_Ids = Annotated[tuple[str, ...], Field(max_length=10_000)]
T = TypeVar("T")


def _read_by(parse: Callable[[str], T]) -> BeforeValidator:
    """A value that may be given as text; an empty text is None."""
    return BeforeValidator(lambda given: (parse(given) if given else None) if isinstance(given, str) else given)


def _several(given: Any) -> Any:
    return (given,) if isinstance(given, str) else given


class Question(BaseModel):
    """Everything that a search asks. Frozen; making one validates it.

    Attributes:
        pictures: one query together: PIL images, the bytes or paths of image files and PDFs, or `Picture`s.
        encoded: vectors of the pictures, where they have been encoded before; the pictures are then only shown.
        like: query with the drawings of this indexed patent, which is not found itself.
        where: only drawings that this filter selects; a `Filter` or its text.
        top: number of results, or fewer.
        rotations: also try every picture turned by 90, 180 and 270 degrees.
        crop: left, top, width, height in pixels of the upright pictures.
        page: of documents with several pages (PDF, TIFF), this one, from 1; None is all that show drawings. Of a 3D
            model, one of its views: perspective, front, back, left, right, top, bottom.
        up: the axis of 3D models that points up, "y" or "z"; None is what files of their kind have.
        flatten: of a photo of a sheet of paper, search with the sheet seen from above; else with the photo as it is.
        drawings: single drawings, each a separate hit, not grouped by patent.
        min_score: leave out results that score less (`Hit.score`).
        exact: never approximate.
        mirror: also try every picture mirrored; with `rotations`, each of the turned ones too.
        rerank: re-rank the best, see `Rerank`: changes the order, not the scores.
        expansion: repeat the search with what was found first, see `Expansion`.
        relevant, irrelevant: ids of indexed drawings that move the query; relevant ones alone are a query.
        max_per_class: up to this many patents of one main class: Locarno, or US where a patent has no Locarno class.
        max_per_registration: up to this many designs of one registration; patents have no other in theirs.
        style: how much the drawing style counts next to the shape, 0 to 1, where the encoder distinguishes drawing
            styles (`EncoderCard.shape_dim`): 0 finds the same shape by any hand, 1 the same hand or patent first.
        shape: the older name of two values: True is style 0, False is style 1; afterwards, whether the style is 0.

    Raises:
        UsageError: an unknown option, or a value out of range.
        FilterError: the filter's text is not valid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pictures: Annotated[tuple[InstanceOf[Picture], ...], BeforeValidator(pictures_of)] = ()
    encoded: InstanceOf[QueryVectors] | None = Field(default=None, repr=False)
    like: Annotated[str | None, AfterValidator(lambda number: normal_number(number) if number else None)] = Field(
        default=None, description="Query with the drawings of this indexed patent."
    )
    where: Annotated[InstanceOf[Filter], BeforeValidator(as_filter), PlainSerializer(str)] = Field(
        default=Filter(), validation_alias="filter", description="A filter, as in uspc=D14; all must hold."
    )
    top: int = Field(default=20, ge=1, le=_MOST_RESULTS, description="Number of results.")
    rotations: bool = Field(default=False, description="Also try turned copies.")
    crop: Annotated[tuple[_Pixels, _Pixels, _Pixels, _Pixels] | None, _read_by(parse_crop)] = None
    page: Annotated[int, Field(ge=1, le=_MOST_PAGES)] | None = None
    up: Literal["y", "z"] | None = None
    flatten: bool = True
    drawings: bool = Field(default=False, description="Single drawings, not grouped by patent.")
    min_score: float | None = Field(
        default=None, ge=-1, le=1, allow_inf_nan=False, description="Leave out results that score less."
    )
    exact: bool = Field(default=False, description="Never approximate.")
    mirror: bool = Field(default=False, description="Also try mirrored copies.")
    rerank: Annotated[Rerank | None, _read_by(Rerank.parse)] = Field(
        default=None, description="Re-rank the best: K1,K2,LAMBDA, as in 7,2,0.5."
    )
    expansion: Annotated[Expansion | None, _read_by(Expansion.parse)] = Field(
        default=None,
        validation_alias="expand",
        description="Repeat the search with what was found first: N,ALPHA, as in 3,3.",
    )
    relevant: Annotated[_Ids, BeforeValidator(_several)] = Field(
        default=(), description="Ids of drawings marked as relevant."
    )
    irrelevant: Annotated[_Ids, BeforeValidator(_several)] = Field(
        default=(), description="Ids of drawings marked as irrelevant."
    )
    max_per_class: int | None = Field(
        default=None, ge=1, le=_MOST_RESULTS, description="Up to N patents of one main class, Locarno or else US."
    )
    max_per_registration: int | None = Field(
        default=None, ge=1, le=_MOST_RESULTS, description="Up to N designs of one registration."
    )
    style: float = Field(
        default=DEFAULT_STYLE,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How much the drawing style counts: 0 the shape alone, 1 finds the same hand or patent first.",
    )
    shape: bool | None = Field(default=None, description="Older name: true is style=0, false is style=1.")

    @model_validator(mode="after")
    def _one_style(self) -> Self:
        if self.shape is not None and "style" not in self.model_fields_set:
            object.__setattr__(self, "style", 0.0 if self.shape else 1.0)
        if self.shape not in (None, self.style == 0):
            raise UsageError(f"style {self.style:g} contradicts shape={self.shape}.", hint="Leave shape out.")
        object.__setattr__(self, "shape", self.style == 0)
        return self

    if not TYPE_CHECKING:  # type checkers know the fields by their annotations

        def __init__(self, **options: Any) -> None:
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise _invalid(error) from error

    @classmethod
    def of(cls, asked: Question | PictureSource | Sequence[PictureSource], **options: Any) -> Question:
        """A question as it is; or one of pictures, with options named as its fields are. `k` is `top`, by default 10.

        Raises:
            UsageError, FilterError: an option is unknown or not valid, or given together with a question.
        """
        if not isinstance(asked, Question):
            options.setdefault("top", options.pop("k", 10))
            return cls(pictures=pictures_of(asked), **options)
        if options:
            raise UsageError(f"A question has its own options: {', '.join(options)}.", hint="Use question.replaced().")
        return asked

    def replaced(self, **changes: Any) -> Self:
        """A copy with other values, validated again."""
        before = dict(self)
        if changes.keys() & {"style", "shape"}:
            del before["style"], before["shape"]
        return type(self)(**{**before, **changes})

    def options(self) -> JsonDict:
        """What records and saved searches hold in addition to pictures, patent and filter: values for JSON."""
        return self.model_dump(mode="json", exclude={"pictures", "encoded", "like", "where"})

    def form(self) -> dict[str, str | list[str]]:
        """The fields of the API's form, without pictures; those of the default are left out."""
        given = ((name, info, getattr(self, attribute)) for attribute, name, info in form_fields())
        fields = {name: _form_value(v) for name, info, v in given if v != info.default and name != "shape"}
        if self.crop:
            fields["crop"] = [",".join(str(value) for value in self.crop)] * len(self.pictures)
        if self.page:
            fields["page"] = [str(self.page)] * len(self.pictures)
        if self.up:
            fields["up"] = [self.up] * len(self.pictures)
        if not self.flatten:
            fields["flatten"] = ["no"] * len(self.pictures)
        return fields

    def words(self) -> list[str]:
        """The options in words, as reports print them."""
        copies = " and ".join(["turned"] * self.rotations + ["mirrored"] * self.mirror)
        said = [
            f"up to {counted(self.top, 'result')}",
            copies and f"{copies} copies tried",
            "by shape alone" if self.shape else f"drawing style counts {self.style:g}",
            self.expansion
            and f"expanded by {counted(self.expansion.count, 'drawing')}, alpha {self.expansion.alpha:g}",
            self.rerank and f"re-ranked by mutual neighbours, {self.rerank.words()}",
            self.relevant and f"marked as relevant: {', '.join(self.relevant)}",
            self.irrelevant and f"marked as irrelevant: {', '.join(self.irrelevant)}",
            self.crop and "cropped to x {}, y {}, width {}, height {}".format(*self.crop),
            self.page and f"page {self.page}",
            self.up and f"{self.up} of models is up",
            not self.flatten and "photos of paper as they are",
            self.min_score is not None and f"score at least {self.min_score}",
            self.max_per_class and f"up to {counted(self.max_per_class, 'patent')} per class",
            self.max_per_registration and f"up to {counted(self.max_per_registration, 'design')} per registration",
            self.exact and "exact",
        ]
        return [word for word in said if isinstance(word, str) and word]


def form_fields() -> Iterator[tuple[str, str, FieldInfo]]:
    """The fields that a form holds as text: attribute, name in the form, and what pydantic knows about it."""
    for attribute, info in Question.model_fields.items():
        if info.description:
            yield attribute, str(info.validation_alias or attribute), info


def _form_value(value: Any) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Filter):
        return [condition.text for condition in value.conditions]
    return list(value) if isinstance(value, tuple) else str(value)


def _invalid(error: ValidationError) -> UsageError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(Question.model_fields))
        return UsageError(f"A search has no option {name!r}.", hint=f"Known options: {known}.")
    return UsageError(f"Invalid {name} {repr(first['input'])[:60]}: {first['msg'][:1].lower()}{first['msg'][1:]}.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found.

    Attributes:
        hits: best first; where single drawings were requested, each has one drawing.
        vectors: the query as it was composed of pictures, patent and marks.
        pictures: what a record shows as the query.
        seconds: from the vectors to the hits.
        remarks: what of the pictures was left out, in words.
    """

    question: Question
    hits: tuple[PatentHit, ...]
    vectors: QueryVectors
    pictures: tuple[Picture, ...]
    seconds: float
    remarks: tuple[str, ...] = ()


def search(engine: Engine, question: Question, vectors: QueryVectors | None = None) -> Answer:
    """Answer a question.

    Args:
        vectors: of the whole query, where it was composed before: what `Answer.vectors` of the same question was.

    Raises:
        ImageError: a picture cannot be read, or is blank.
        InputError: the patent or a marked drawing is not in the index.
        UsageError: there is nothing to search with.
        EncoderMismatch: the index was made with another encoder.
    """
    pictures = question.pictures
    remarks: tuple[str, ...] = ()
    if vectors is None:
        composed = compose(engine, question)
        vectors, pictures, remarks = composed.vectors, composed.pictures, composed.remarks
    start = time.perf_counter()
    comparison = Comparison(engine.encoder.card.shape_dim, question.style)
    query = vectors.compared(comparison)
    where = question.where & not_patent(question.like) if question.like else question.where
    fusion = Fusion(engine.backend, query, where, comparison, question.exact, question.rerank)
    if question.expansion:
        fusion = fusion.expanded(question.expansion)
    find = fusion.drawings if question.drawings else fusion.patents
    limits = [
        (key, most)
        for key, most in ((_main_class, question.max_per_class), (_registration, question.max_per_registration))
        if most
    ]
    hits = _spread(find, question.top, limits) if limits else find(question.top)
    hits = fusion.scored(hits, engine.card)
    if question.min_score is not None:
        hits = [hit for hit in hits if hit.score >= question.min_score]
    return Answer(question, tuple(hits), vectors, pictures, time.perf_counter() - start, remarks)


_Limit = tuple[Callable[[PatentHit], str | None], int]


def _spread(find: Callable[[int], list[PatentHit]], top: int, limits: Sequence[_Limit]) -> list[PatentHit]:
    """The best results within limits, searched as deep as that takes; ranked again.

    Args:
        limits: what a patent is one of, such as its main class, and how many patents of it may be there.
    """
    depth = top
    while True:
        found = find(depth)
        patents: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
        kept = []
        for hit in found:
            groups = [(patents[place, of(hit) or hit.patent], most) for place, (of, most) in enumerate(limits)]
            if all(len(group | {hit.patent}) <= most for group, most in groups):
                for group, _ in groups:
                    group.add(hit.patent)
                kept.append(hit)
        if len(kept) >= top or len(found) < depth or depth >= _DEEPEST:
            return [replace(hit, rank=rank) for rank, hit in enumerate(kept[:top], start=1)]
        depth = min(4 * depth, max(_DEEPEST, top))


def _registration(hit: PatentHit) -> str:
    return registration_of(hit.patent)


def _main_class(hit: PatentHit) -> str | None:
    """The top of the first Locarno code, or else of the first US code; None where the patent has neither."""
    codes = [code for scheme in ("locarno", "uspc") for code in hit.classes if code.scheme == scheme]
    return f"{codes[0].scheme} {codes[0].ancestors[0]}" if codes else None
