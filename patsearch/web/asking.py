"""The form of a search: what was uploaded and asked for, checked, and turned into a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from fastapi import File, Form, Query, UploadFile

from patsearch.drawings.photo import parse_crop
from patsearch.engine import Engine, Expansion, QueryVectors, Rerank
from patsearch.errors import ImageTooLarge, UsageError
from patsearch.filters import Filter, parse_filter
from patsearch.record import Picture, SearchOptions, SearchRecord, combine, search
from patsearch.types import JsonDict
from patsearch.web.settings import MAX_TOP, ServerSettings
from patsearch.web.workers import Encoded, Upload

MAX_OFFSET = 10_000
_MAX_MARKS = 200
_MAX_FILTERS = 32
_MAX_TEXT = 2000
_LONGEST_NAME = 120

Text = Annotated[str, Query(max_length=_MAX_TEXT)]
Turn = Literal["", "0", "90", "180", "270"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as it was asked for, checked as far as that goes without the index."""

    uploads: tuple[Upload, ...]
    like: str | None
    where: Filter
    options: SearchOptions
    offset: int

    def record(self, engine: Engine, encoded: Encoded | None) -> tuple[SearchRecord, QueryVectors, bool]:
        """Search: the record of the page asked for, the vectors asked with, and whether there are more results.

        Args:
            encoded: of `uploads`, None where there are none.

        Raises:
            InputError: the patent or a marked drawing is not in the index.
            UsageError: there is nothing to ask with.
        """
        pictures: Sequence[Picture] = encoded.pictures if encoded else ()
        query, shown = combine(engine, encoded.query if encoded else None, pictures, self.like, self.options)
        last = self.offset + self.options.top
        deeper = replace(self.options, top=last + 1)
        found = search(engine, query, pictures=shown, where=self.where, options=deeper, like=self.like)
        record = replace(public(found), options=self.options, hits=found.hits[self.offset : last])
        return record, query, len(found.hits) > last


def public(record: SearchRecord) -> SearchRecord:
    """The record without the path of this machine's: the folder's name says which index it is."""
    return replace(record, index={**record.index, "path": Path(record.index["path"]).name})


def answer(asked: Asked, record: SearchRecord, more: bool) -> JsonDict:
    """What the API says of a search: what the command line prints, and which page it is."""
    return {**record.to_json(), "page": {"offset": asked.offset, "count": len(record.hits), "more": more}}


def read_form(settings: ServerSettings) -> Callable[..., object]:
    """The dependency that reads the form of a search within a server's limits."""

    async def form(
        *,
        image: Annotated[list[UploadFile], File(description="Pictures, one query together.")] = [],  # noqa: B006
        crop: Annotated[list[str], Form(description="x,y,width,height; one a picture, empty for none.")] = [],  # noqa: B006
        turn: Annotated[list[Turn], Form(description="Degrees clockwise, after the crop; one a picture.")] = [],  # noqa: B006
        like: Annotated[str | None, Form(max_length=100, description="Ask with an indexed patent.")] = None,
        filter: Annotated[list[str], Form(max_length=_MAX_FILTERS, description="All must hold.")] = [],  # noqa: B006
        top: Annotated[int, Form(ge=1, le=MAX_TOP)] = 20,
        offset: Annotated[int, Form(ge=0, le=MAX_OFFSET)] = 0,
        rotations: Annotated[bool, Form(description="Also try turned copies.")] = False,
        mirror: Annotated[bool, Form(description="Also try mirrored copies.")] = False,
        shape: Annotated[bool, Form(description="By shape alone, not by the pen too.")] = False,
        drawings: Annotated[bool, Form(description="Single drawings, not grouped by patent.")] = False,
        min_score: Annotated[float | None, Form(ge=-1, le=1)] = None,
        exact: Annotated[bool, Form(description="Never approximate.")] = False,
        relevant: Annotated[list[str], Form(max_length=_MAX_MARKS, description="Ids of drawings that are right.")] = [],  # noqa: B006
        irrelevant: Annotated[
            list[str], Form(max_length=_MAX_MARKS, description="Ids of drawings that are wrong.")
        ] = [],  # noqa: B006
        rerank: Annotated[str | None, Form(max_length=100, description="K1,K2,LAMBDA, as in 7,2,0.5.")] = None,
        expand: Annotated[str | None, Form(max_length=100, description="N,ALPHA, as in 3,3.")] = None,
    ) -> Asked:
        like = like or None
        if not (image or like or relevant or irrelevant):
            raise UsageError(
                "There is nothing to search with.", hint="Send a picture, the number of a patent, or a marked drawing."
            )
        uploads = await _uploads(image, crop, turn, settings)
        options = SearchOptions(
            top=top,
            rotations=rotations,
            crop=uploads[0].crop if len(uploads) == 1 else None,
            drawings=drawings,
            min_score=min_score,
            exact=exact,
            mirror=mirror,
            rerank=Rerank.parse(rerank) if rerank else None,
            expansion=Expansion.parse(expand) if expand else None,
            relevant=tuple(relevant),
            irrelevant=tuple(irrelevant),
            shape=shape,
        )
        return Asked(uploads, like, filter_of(filter), options, offset)

    return form


def filter_of(texts: Sequence[str]) -> Filter:
    """The filter of a form or an address, where an empty field stands for none.

    Raises:
        FilterError: one of the texts cannot be understood.
    """
    return parse_filter([text for text in texts if text.strip()])


async def _uploads(
    files: Sequence[UploadFile], crops: Sequence[str], turns: Sequence[str], settings: ServerSettings
) -> tuple[Upload, ...]:
    if len(files) > settings.max_pictures:
        raise UsageError(
            f"{len(files)} pictures are too many.", hint=f"One query takes at most {settings.max_pictures}."
        )
    for given, what in ((crops, "crop"), (turns, "turn")):
        if len(given) > len(files):
            raise UsageError(f"There are more values of {what!r} than pictures.", hint="Send one a picture, in order.")
    found = []
    for place, file in enumerate(files):
        name = _name(file.filename, place)
        if (file.size or 0) > settings.max_picture_bytes:
            raise ImageTooLarge(
                f"{name} has {file.size:,} bytes; the limit is {settings.max_picture_bytes:,}.",
                hint="Send a smaller copy of the drawing.",
            )
        crop = parse_crop(crops[place]) if place < len(crops) and crops[place].strip() else None
        turn = int(turns[place] or 0) if place < len(turns) else 0
        found.append(Upload(name, await file.read(), crop, turn))
    return tuple(found)


def _name(given: str | None, place: int) -> str:
    """The last part of the name that a browser gave, in letters that can be shown; it opens no file."""
    last = PurePosixPath((given or "").replace("\\", "/")).name
    clean = "".join(letter for letter in last if letter.isprintable())[:_LONGEST_NAME].strip()
    return clean or f"picture {place + 1}"
