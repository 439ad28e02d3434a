"""The form of a search: uploads and options, checked, and turned into a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, get_args

from fastapi import File, Form, HTTPException, UploadFile
from pydantic import StringConstraints
from pydantic.fields import FieldInfo

from patsearch.drawings.edits import parse_edits
from patsearch.drawings.photo import parse_crop
from patsearch.engine import Engine, QueryVectors, Question, search
from patsearch.engine.question import form_fields
from patsearch.errors import ImageTooLarge, PatsearchError, UsageError
from patsearch.filters import Filter, parse_filter
from patsearch.record import SearchRecord
from patsearch.types import JsonDict
from patsearch.web.gate import error_body
from patsearch.web.settings import MAX_TOP, ServerSettings
from patsearch.web.workers import Upload, Uploaded

MAX_OFFSET = 10_000
_MOST_VALUES = 200
_MAX_TEXT = 2000
_LONGEST_NAME = 120

FieldText = Annotated[str, StringConstraints(max_length=_MAX_TEXT)]
_Page = Annotated[str, StringConstraints(pattern="^([1-9][0-9]{0,3})?$")]
_Figures = Annotated[str, StringConstraints(pattern="^([1-9][0-9]{0,2}(,[1-9][0-9]{0,2})*)?$", max_length=_MAX_TEXT)]
_Edits = Annotated[str, StringConstraints(max_length=4 * _MAX_TEXT)]
_Flatten = Literal["", "yes", "no"]
_Turn = Literal["", "0", "90", "180", "270"]
_View = Annotated[str, StringConstraints(pattern="^(-?[0-9]{1,3},-?[0-9]{1,2})?$")]
_Up = Literal["", "y", "z"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search of the API, checked as far as that is possible without the index."""

    uploads: tuple[Upload, ...]
    question: Question
    offset: int

    def asked(self, encoded: Uploaded | None) -> Question:
        """The question with its uploads' pictures and vectors."""
        return self.question.replaced(pictures=encoded.pictures, encoded=encoded.query) if encoded else self.question

    def record(self, engine: Engine, encoded: Uploaded | None) -> tuple[SearchRecord, QueryVectors, bool]:
        """Search: the record of the requested page, the query's vectors, and whether there are more results.

        Args:
            encoded: of `uploads`, None where there are none.

        Raises:
            InputError: the patent or a marked drawing is not in the index.
            UsageError: there is nothing to search with.
        """
        last = self.offset + self.question.top
        answer = search(engine, self.asked(encoded).replaced(top=last + 1))
        record = public(SearchRecord.of(engine, answer))
        if encoded:
            record = replace(record, warnings=(*encoded.remarks, *record.warnings))
        page = replace(record, question=self.question, hits=answer.hits[self.offset : last])
        return page, answer.vectors, len(answer.hits) > last


def public(record: SearchRecord) -> SearchRecord:
    """The record without this machine's path: the folder's name identifies the index."""
    return replace(record, index={**record.index, "path": Path(record.index["path"]).name})


def answer(asked: Asked, record: SearchRecord, more: bool) -> JsonDict:
    """The API's answer to a search: what the command line prints, and which page it is."""
    return {**record.to_json(), "page": {"offset": asked.offset, "count": len(record.hits), "more": more}}


def read_form(settings: ServerSettings) -> Callable[..., object]:
    """The dependency that reads the form of a search within a server's limits; its fields are those of `Question`."""

    async def form(
        *,
        image: list[UploadFile],
        crop: list[str],
        turn: list[str],
        page: list[str],
        up: list[str],
        view: list[str],
        figures: list[str],
        edits: list[str],
        flatten: list[str],
        offset: int,
        **options: Any,
    ) -> Asked:
        fields = {"crop": crop, "turn": turn, "page": page, "up": up, "view": view, "figures": figures}
        fields |= {"edits": edits, "flatten": flatten}
        uploads = await _uploads(image, fields, settings)
        try:
            options["filter"] = filter_of(options["filter"])
            given = {name: value for name, value in options.items() if value != usual[name]}
            return Asked(uploads, Question(**_only(uploads), **given), offset)
        except UsageError as error:  # a value that is out of its bounds, as those that the description names
            raise invalid(error) from error

    usual = {name: info.default for _, name, info in form_fields()}
    number = Form(ge=0, le=MAX_OFFSET, description="Leave out the first N results.")
    most = settings.max_pictures
    crops = Form(max_length=most, description="x,y,width,height; one per picture, empty for none.")
    turns = Form(max_length=most, description="Degrees clockwise, after the crop; one per picture.")
    pages = Form(
        max_length=most,
        description="Page of a PDF or TIFF, or view of a model, from 1; one per picture, empty for all.",
    )
    ups = Form(max_length=most, description="Axis of a 3D model that points up, y or z; one per picture.")
    views = Form(
        max_length=most,
        description="A further view of a 3D model, its last figure: degrees around (-90 is the front) and above (90 is "
        "the top), as in 30,20; one per picture, empty for none.",
    )
    figures = Form(
        max_length=most,
        description="Numbers of the figures to use, as in 1,3, as POST /figures gives them; one per picture, empty for "
        "all.",
    )
    changes = Form(
        max_length=most,
        description="What is done to single figures, as in 3 crop 10,20,300,400 turn 90; 4 turn 180: by their numbers, "
        "in pixels of the figure, degrees clockwise; one per picture, empty for nothing.",
    )
    flat = Form(
        max_length=most,
        description="no: search with the photo of a sheet of paper as it is, not flattened; one per picture.",
    )
    form.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            _parameter(
                "image", list[UploadFile], File(description="Pictures, PDFs and 3D models, one query together."), []
            ),
            _parameter("crop", list[FieldText], crops, []),
            _parameter("turn", list[_Turn], turns, []),
            _parameter("page", list[_Page], pages, []),
            _parameter("up", list[_Up], ups, []),
            _parameter("view", list[_View], views, []),
            _parameter("figures", list[_Figures], figures, []),
            _parameter("edits", list[_Edits], changes, []),
            _parameter("flatten", list[_Flatten], flat, []),
            _parameter("offset", int, number, 0),
            *(_option(name, info) for _, name, info in form_fields()),
        ]
    )
    return form


def invalid(error: PatsearchError) -> HTTPException:
    """The answer where what was sent cannot be used as it is: 422, whatever the error means elsewhere."""
    return HTTPException(422, error_body(type(error).__name__, error.message, error.hint))


def _only(uploads: Sequence[Upload]) -> dict[str, Any]:
    """What a record says of the only picture."""
    if len(uploads) != 1:
        return {}
    return {name: getattr(uploads[0], name) for name in ("crop", "page", "up", "flatten")}


def _option(name: str, info: FieldInfo) -> Parameter:
    """A field of the form, within the bounds of the question's field and of a server."""
    kind, default = info.annotation, info.default
    told: dict[str, Any] = {"description": info.description}
    if isinstance(default, Filter | tuple):
        kind, default, told["max_length"] = list[FieldText], [], _MOST_VALUES
    elif {bool, int, float}.isdisjoint({kind, *get_args(kind)}):
        # Read from text by the question.
        kind, told["max_length"] = str | None, _MAX_TEXT
    for bound in info.metadata:
        told |= {side: getattr(bound, side) for side in ("ge", "le", "allow_inf_nan") if hasattr(bound, side)}
    if name == "top":
        told["le"] = MAX_TOP
    return _parameter(name, kind, Form(**told), default)


def _parameter(name: str, kind: Any, told: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, told])


def filter_of(texts: Sequence[str]) -> Filter:
    """The filter of a form or an address, where an empty field stands for none.

    Raises:
        FilterError: one of the texts is not valid.
    """
    return parse_filter([text for text in texts if text.strip()])


async def _uploads(
    files: Sequence[UploadFile], fields: Mapping[str, Sequence[str]], settings: ServerSettings
) -> tuple[Upload, ...]:
    """The files with what the form says of each, at the same place of its fields."""
    if len(files) > settings.max_pictures:
        raise UsageError(f"Too many pictures: {len(files)}.", hint=f"A query takes up to {settings.max_pictures}.")
    for what, given in fields.items():
        if len(given) > len(files):
            raise UsageError(f"Too many values of {what!r}: {len(given)}.", hint="Send one per picture, in order.")
    found = []
    for place, file in enumerate(files):
        name = _name(file.filename, place)
        if (file.size or 0) > settings.max_picture_bytes:
            raise ImageTooLarge(
                f"{name} has {file.size:,} bytes; the limit is {settings.max_picture_bytes:,}.",
                hint="Send a smaller copy of the drawing.",
            )
        said = {what: given[place].strip() if place < len(given) else "" for what, given in fields.items()}
        found.append(
            Upload(
                name,
                await file.read(),
                crop=parse_crop(said["crop"]) if said["crop"] else None,
                turn=int(said["turn"] or 0),
                page=int(said["page"]) if said["page"] else None,
                up="y" if said["up"] == "y" else "z" if said["up"] == "z" else None,
                view=_view(said["view"]),
                figures=tuple(int(number) for number in said["figures"].split(",") if number),
                edits=parse_edits(said["edits"]),
                flatten=said["flatten"] != "no",
            )
        )
    return tuple(found)


def _view(text: str) -> tuple[float, float] | None:
    """Degrees around and above; what is over the top or below the bottom is that."""
    if not text:
        return None
    around, above = (float(part) for part in text.split(","))
    return (around + 180) % 360 - 180, max(-90.0, min(90.0, above))


def _name(given: str | None, place: int) -> str:
    """The last part of the name that a browser gave, in printable letters; it opens no file."""
    last = PurePosixPath((given or "").replace("\\", "/")).name
    clean = "".join(letter for letter in last if letter.isprintable())[:_LONGEST_NAME].strip()
    return clean or f"picture {place + 1}"
