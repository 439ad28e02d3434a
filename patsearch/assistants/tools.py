"""The tools: what they take, what they answer, and the work. Every argument is bounded, and so is every answer."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Annotated, Any

from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from patsearch.assistants.sheet import MOST_TILES, Picture, Tile, contact_sheet, encoded, heat_over, side_by_side
from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import open_image
from patsearch.encoder.shape import DEFAULT_STYLE
from patsearch.engine import Engine, Question
from patsearch.engine.wire import PatentAnswer
from patsearch.errors import ImageError, ImageTooLarge, UsageError
from patsearch.filters import KEYS
from patsearch.numbers import normal_number
from patsearch.plate import View, plate_of, render_image, views_of_patent
from patsearch.plate.views import MOST_VIEWS
from patsearch.titles import link_of
from patsearch.types import Drawing, JsonDict, PatentHit
from patsearch.web.asking import Asked, filter_of, public
from patsearch.web.facets import Facets
from patsearch.web.routes import NotFound, Service
from patsearch.web.workers import Upload, Uploaded

MOST_PICTURE = 8 << 20  # bytes of a picture file
MOST_RESULTS = 50
MOST_ANSWER = 1_000_000  # bytes, as it is sent
_MOST_LISTED = 40  # numbers, names and counts in one list of an answer
_MOST_ROWS = 6  # of a plate
_PIXELS = 4_000_000  # of one figure
_LONGEST_TEXT = 300  # letters of one text of an answer
_DATA = re.compile(r"data:[\w.+/-]{0,100}(;[\w=-]{1,40}){0,3},", re.ASCII)
_BLANKS = re.compile(r"\s+")

_Text = Annotated[str, Field(max_length=2000)]
_Number = Annotated[str, Field(min_length=1, max_length=100, description="Number of a patent, as in USD907292.")]
_Filters = Annotated[
    list[_Text],
    BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
    Field(
        max_length=32,
        description="Conditions, all of which must hold: uspc=D14, locarno=14-02, granted=2015..2018, title~chair, "
        f"owner~nike, inforce=2026-11-28. Keys: {', '.join(KEYS)}.",
    ),
]
_Picture = Annotated[
    str | None,
    Field(
        max_length=4 * (MOST_PICTURE // 3 + 1) + 4096,
        description="A picture file in base64, or as a data: address: PNG, JPEG, TIFF, WebP, GIF, SVG or PDF; "
        f"up to {MOST_PICTURE >> 20} MiB.",
    ),
]
_Like = Annotated[
    str | None,
    Field(min_length=1, max_length=100, description="Instead of a picture: the number of an indexed patent."),
]
_Style = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How much the drawing style counts: 0 the shape alone, 1 finds the same hand or patent first.",
    ),
]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchArguments(_Arguments):
    picture: _Picture = None
    like: _Like = None
    filter: _Filters = []
    limit: Annotated[int, Field(ge=1, le=MOST_RESULTS, description="Number of patents.")] = 10
    style: _Style = DEFAULT_STYLE
    rotations: Annotated[bool, Field(description="Also try copies turned by 90, 180 and 270 degrees.")] = False


class PatentArguments(_Arguments):
    number: _Number


class DrawingArguments(_Arguments):
    id: Annotated[
        str, Field(min_length=1, max_length=300, description="Id of a drawing, as in USD907292-D00001-1.")
    ]  # fmt: skip


class ExplainArguments(_Arguments):
    drawing: Annotated[str, Field(min_length=1, max_length=300, description="Id of the drawing that was found.")]
    picture: _Picture = None
    like: _Like = None
    style: _Style = DEFAULT_STYLE


class PlateArguments(_Arguments):
    patent: _Number
    earlier: Annotated[
        str | None, Field(min_length=1, max_length=100, description="Number of the closest earlier design.")
    ] = None
    picture: _Picture = None
    like: _Like = None
    style: _Style = DEFAULT_STYLE


class InfoArguments(_Arguments):
    filter: _Filters = []


# ---------------------------------------------------------------------- answers


class DrawingOut(BaseModel):
    id: str
    figure: str | None
    view: str | None


class Found(BaseModel):
    """One patent found; `rank` is also below its drawing in the contact sheet."""

    rank: int
    patent: str
    score: float
    likeness: str | None
    title: str
    granted: date | None
    owners: list[str]
    classes: dict[str, list[str]]
    expires: date | None
    link: str | None
    drawing: DrawingOut
    drawings_found: int


class SearchOut(BaseModel):
    index: str
    results: list[Found]
    warnings: list[str]


class PatentOut(BaseModel):
    """A patent; of long lists, the first entries. Counts are of all."""

    patent: str
    title: str
    kind: str
    granted: date | None
    filed: date | None
    expires: date | None
    status: str
    office: str
    link: str | None
    owners: list[str]
    inventors: list[str]
    classes: dict[str, list[str]]
    class_titles: list[str]
    cites: dict[str, list[str]]
    cites_count: int
    drawings: list[DrawingOut]
    drawings_count: int


class DrawingPatent(DrawingOut):
    patent: str
    title: str
    sheet: str
    link: str | None


class ExplainOut(BaseModel):
    """Score and word are the search's; `method` is how the regions were found."""

    drawing: str
    score: float
    likeness: str | None
    method: str


class PlateRow(BaseModel):
    """Views that answer each other, one a design, null where it has none; scores in words."""

    views: list[str | None]
    scores: list[str]


class PlateOut(BaseModel):
    designs: list[str]
    rows: list[PlateRow]
    notes: list[str]


class Count(BaseModel):
    name: str
    title: str | None = None
    count: int


class InfoOut(BaseModel):
    index: str
    fingerprint: str
    patents: int
    drawings: int
    encoder: str
    filter_keys: list[str]
    uspc: list[Count]
    locarno: list[Count]
    granted: list[Count]
    owners: list[Count]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says: data, one picture or none, and what the picture shows."""

    data: BaseModel
    picture: Picture | None = None
    shows: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: its models and its work."""

    title: str
    description: str
    takes: type[BaseModel]
    answers: type[BaseModel]
    work: Callable[[Service, Any], Awaitable[Answer]]


# ---------------------------------------------------------------------- the work


async def _search(service: Service, asked: SearchArguments) -> Answer:
    query = _asked(asked.picture, asked.like, asked.style, asked.filter, top=asked.limit, rotations=asked.rotations)
    sent = await service.encode(query)

    def find(engine: Engine) -> Answer:
        record, _, _ = query.record(engine, sent)
        hits = record.hits
        tiles = [Tile(engine.thumbnails.get(hit.drawing.id), _lines(hit)) for hit in hits[:MOST_TILES]]
        data = SearchOut(
            index=public(record).index["path"],
            results=[_found(hit) for hit in hits],
            warnings=[_short(text) for text in (*record.question.where.notices, *record.warnings)][:_MOST_LISTED],
        )
        return Answer(data, contact_sheet(tiles), "The best drawing of each result: rank, patent, score, title.")

    return await service.with_engine(find)


async def _patent(service: Service, asked: PatentArguments) -> Answer:
    def describe(engine: Engine) -> Answer:
        drawings, _ = engine.drawings_of(asked.number)
        if not drawings:
            raise NotFound(f"The patent {normal_number(asked.number)[:60]} is not in the index.")
        shown = drawings[:MOST_TILES]
        tiles = [Tile(engine.thumbnails.get(one.id), (_figure(one), one.view or "")) for one in shown]
        return Answer(_described(drawings), contact_sheet(tiles), "Its drawings: figure, view.")

    return await service.with_engine(describe)


async def _drawing(service: Service, asked: DrawingArguments) -> Answer:
    def describe(engine: Engine) -> Answer:
        found = engine.backend.get([asked.id])
        png = engine.thumbnails.get(asked.id)
        if asked.id not in found or png is None:
            raise NotFound(f"The drawing {asked.id[:60]!r} is not in the index, or has no picture.")
        one = found[asked.id][0]
        data = DrawingPatent(
            **_drawing_out(one).model_dump(), patent=one.patent, title=_short(one.title), sheet=_short(one.sheet),
            link=link_of(one.patent),
        )  # fmt: skip
        return Answer(data, contact_sheet([Tile(png)]), "The drawing.")

    return await service.with_engine(describe)


async def _explain(service: Service, asked: ExplainArguments) -> Answer:
    explained = await service.explain(_asked(asked.picture, asked.like, asked.style, []), asked.drawing)
    why = explained.why
    heated = [heat_over(one.picture, one.heat) for one in (*why.query[:3], why.found)]
    data = ExplainOut(drawing=asked.drawing, **explained.measured, method=why.method)
    return Answer(
        data,
        _reduced(side_by_side(heated)),
        "The query and, last, the drawing that was found: red where they agree most.",
    )


async def _plate(service: Service, asked: PlateArguments) -> Answer:
    query = _asked(asked.picture, asked.like, asked.style, [])
    sent = await service.encode(query)

    def draw(engine: Engine) -> Answer:
        if sent is None:
            name, views = normal_number(asked.like or ""), views_of_patent(engine, asked.like or "")
        else:
            name, views = "picture", _sent_views(sent)
        plate = plate_of(
            engine, name, views, asked.patent, asked.earlier, style=asked.style, most_rows=_MOST_ROWS
        )  # fmt: skip
        data = PlateOut(
            designs=[_short(column.name) for column in plate.columns],
            rows=[
                PlateRow(views=[_short(cell.caption) if cell else None for cell in row.cells], scores=list(row.scores))
                for row in plate.rows
            ],
            notes=[_short(note) for note in plate.notes],
        )
        return Answer(data, _reduced(render_image(plate)), "The plate: a column a design, a row a view.")

    return await service.with_engine(draw)


def _sent_views(sent: Uploaded) -> list[View]:
    """The figures of uploads; the pictures have been decoded in a worker process and encoded again."""
    found = []
    for one, numbers in zip(sent.encoded, sent.numbers, strict=True):
        for number in numbers:
            figure = one.figures[number - 1]
            image = to_grey(open_image(figure.png, max_pixels=_PIXELS))
            found.append(View(figure.name or "picture", "", image, one.of_figure(number)))
    return found[:MOST_VIEWS]


def _reduced(picture: Image.Image) -> Picture:
    """Encoded, and as small as it must be."""
    while (found := encoded(picture)) is None:
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)
    return found


async def _info(service: Service, asked: InfoArguments) -> Answer:
    where = filter_of(asked.filter)

    def describe(engine: Engine, facets: Facets) -> Answer:
        counts = facets.count(where)
        data = InfoOut(
            index=engine.path.name,
            fingerprint=engine.fingerprint(),
            patents=counts["patents"],
            drawings=counts["drawings"],
            encoder=engine.spec.encoder,
            filter_keys=list(KEYS),
            uspc=_counts(counts["classes"]["uspc"], "code"),
            locarno=_counts(counts["classes"]["locarno"], "code"),
            granted=_counts(counts["granted"], "year"),
            owners=_counts(counts["owners"], "owner"),
        )
        return Answer(data)

    return await service.with_index(describe)


TOOLS: dict[str, Tool] = {
    "search": Tool(
        "Search patent drawings",
        "Find the patents whose drawings look most like a picture, or like the drawings of an indexed patent. A score "
        "of 1 is the same drawing; the word next to it says how similar the shapes are. The answer has one contact "
        "sheet. A weak or empty list does not show that no earlier design exists.",
        SearchArguments,
        SearchOut,
        _search,
    ),
    "patent": Tool(
        "Show a patent",
        "One indexed patent: title, dates, owners, classes, citations, and a contact sheet of its drawings.",
        PatentArguments,
        PatentOut,
        _patent,
    ),
    "drawing": Tool(
        "Show a drawing",
        "One indexed drawing, larger than in a contact sheet.",
        DrawingArguments,
        DrawingPatent,
        _drawing,
    ),
    "explain": Tool(
        "Explain a match",
        "Why two drawings match: a picture (or an indexed patent) and a drawing that was found, side by side, red "
        "where they agree most.",
        ExplainArguments,
        ExplainOut,
        _explain,
    ),
    "plate": Tool(
        "Put designs next to each other",
        "A plate: a claimed or accused design (a picture or an indexed patent), a patent and, if given, an earlier "
        "design next to each other, view by view at one scale, with the lines that only one has in colour. Up to six "
        "rows.",
        PlateArguments,
        PlateOut,
        _plate,
    ),
    "index_info": Tool(
        "Describe the index",
        "What the index holds: numbers of patents and drawings, classes, years and owners, of all or of those that a "
        "filter selects; and the keys of filters.",
        InfoArguments,
        InfoOut,
        _info,
    ),
}


def _asked(picture: str | None, like: str | None, style: float, where: Sequence[str], **options: Any) -> Asked:
    """The search of the arguments.

    Raises:
        UsageError, FilterError: they contradict each other, or are not valid.
        ImageTooLarge: the picture is larger than the limit.
    """
    if (picture is None) == (like is None):
        raise UsageError("Give either a picture or the number of a patent (like).", hint="picture is base64.")
    uploads = () if picture is None else (Upload("picture", _decoded(picture)),)
    return Asked(uploads, Question(like=like, where=filter_of(where), style=style, **options), 0)


def _decoded(text: str) -> bytes:
    if head := _DATA.match(text):
        text = text[head.end() :]
    try:
        data = b64decode(_BLANKS.sub("", text), validate=True)
    except (Base64Error, ValueError) as error:
        raise UsageError("The picture is not in base64.", hint="Encode the bytes of the file.") from error
    if len(data) > MOST_PICTURE:
        raise ImageTooLarge(
            f"The picture has {len(data):,} bytes; the limit is {MOST_PICTURE:,}.", hint="Send a smaller copy."
        )
    if not data:
        raise ImageError("The picture is empty.")
    return data


def _found(hit: PatentHit) -> Found:
    best = hit.drawing
    return Found(
        rank=hit.rank,
        patent=hit.patent,
        score=round(hit.score, 4),
        likeness=hit.likeness,
        title=_short(hit.title),
        granted=hit.granted,
        owners=_texts(best.values("owner"), 5),
        classes={scheme: codes[:5] for scheme, codes in best.classes_json().items() if codes},
        expires=best.expires,
        link=link_of(hit.patent),
        drawing=_drawing_out(best),
        drawings_found=len(hit.drawings),
    )


def _described(drawings: Sequence[Drawing]) -> PatentOut:
    one = PatentAnswer.of(drawings)
    return PatentOut(
        patent=one.patent,
        granted=one.granted,
        filed=one.filed,
        expires=one.expires,
        link=one.link,
        title=_short(one.title),
        kind=_short(one.kind),
        status=_short(one.status),
        office=one.office,
        owners=_texts((party.name for party in one.owners), 10),
        inventors=_texts((party.name for party in one.inventors), 10),
        classes={scheme: codes[:_MOST_LISTED] for scheme, codes in one.classes.items() if codes},
        class_titles=_texts(one.class_titles, 10),
        cites={by or "others": _texts(numbers, _MOST_LISTED) for by, numbers in one.citations.items() if numbers},
        cites_count=sum(map(len, one.citations.values())),
        drawings=[_drawing_out(drawing) for drawing in drawings[:MOST_TILES]],
        drawings_count=len(drawings),
    )


def _drawing_out(drawing: Drawing) -> DrawingOut:
    view = None if drawing.view is None else _short(drawing.view)
    return DrawingOut(id=drawing.id, figure=drawing.figure, view=view)


def _figure(drawing: Drawing) -> str:
    return f"FIG. {drawing.figure}" if drawing.figure else drawing.sheet


def _lines(hit: PatentHit) -> tuple[str, ...]:
    likeness = f", {hit.likeness}" if hit.likeness else ""
    return f"{hit.rank}. {hit.patent}", f"{hit.score:.3f}{likeness}", hit.title


def _counts(entries: Sequence[JsonDict], name: str) -> list[Count]:
    """Those with the most first."""
    best = sorted(entries, key=lambda entry: -int(entry["count"]))[:_MOST_LISTED]
    return [Count(name=_short(str(e[name])), title=e.get("title"), count=e["count"]) for e in best]


def _texts(texts: Any, most: int) -> list[str]:
    return [_short(text) for text in islice(texts, most)]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."
