"""What a user does to single figures of a query's picture: crop them, and turn them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from patsearch.drawings.document import DocumentFigure
from patsearch.errors import ImageError, UsageError

_EDIT = re.compile(
    r"(?P<number>[1-9]\d{0,2})(?: crop (?P<crop>\d{1,6}(?:,\d{1,6}){3}))?(?: turn (?P<turn>90|180|270))?"
)


@dataclass(frozen=True, slots=True)
class FigureEdit:
    """What is done to one figure.

    Attributes:
        number: of the figure among all that are found in its file, from 1.
        crop: x, y, width, height in pixels of the figure.
        turn: degrees clockwise, after the crop: 0, 90, 180 or 270.
    """

    number: int
    crop: tuple[int, int, int, int] | None = None
    turn: int = 0


def parse_edits(text: str) -> tuple[FigureEdit, ...]:
    """Edits from text, as in `3 crop 10,20,300,400 turn 90; 4 turn 180`.

    Raises:
        UsageError: the text is not valid, or has a figure twice.
    """
    edits: dict[int, FigureEdit] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        found = _EDIT.fullmatch(part)
        if found is None or not (found["crop"] or found["turn"]) or int(found["number"]) in edits:
            raise UsageError(
                f"Invalid edits {text[:60]!r}.",
                hint="Write each figure once: its number, crop x,y,width,height, turn 90, 180 or 270; ; between them.",
            )
        x, y, width, height = (int(part) for part in (found["crop"] or "0,0,0,0").split(","))
        crop = (x, y, width, height) if found["crop"] else None
        edits[int(found["number"])] = FigureEdit(int(found["number"]), crop, int(found["turn"] or 0))
    return tuple(edits[number] for number in sorted(edits))


def edited(figure: DocumentFigure, edit: FigureEdit, name: str) -> DocumentFigure:
    """The figure, cropped and then turned.

    Args:
        name: what errors call its file.

    Raises:
        ImageError: the crop is not within the figure.
    """
    image = figure.image
    if edit.crop is not None:
        x, y, width, height = edit.crop
        if width < 1 or height < 1 or x + width > image.shape[1] or y + height > image.shape[0]:
            raise ImageError(
                f"The crop {x},{y},{width},{height} is not within figure {edit.number} of {name}.",
                hint=f"It has {image.shape[1]} x {image.shape[0]} pixels; a crop is x,y,width,height.",
            )
        image = image[y : y + height, x : x + width]
    return replace(figure, image=np.ascontiguousarray(np.rot90(image, -edit.turn // 90)))
