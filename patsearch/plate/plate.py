"""A plate: two or three designs next to each other, a row a view, with what differs in colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch import __version__
from patsearch.deadline import steps
from patsearch.drawings.grey import Grey
from patsearch.encoder.shape import DEFAULT_STYLE
from patsearch.engine import Engine
from patsearch.engine.wire import PatentAnswer, PatentFields
from patsearch.errors import ImageError
from patsearch.files import printable
from patsearch.numbers import normal_number
from patsearch.plate.marks import aligned, differences
from patsearch.plate.views import MOST_VIEWS, Pair, View, pairs_of, scores_of, views_of_files, views_of_patent
from patsearch.titles import link_of
from patsearch.types import Drawing

ROLES = ("Claimed or accused design", "Patent", "Earlier design")
# Blue, green and red: lines of one that the other lacks. Different in brightness too, for a print in grey.
FIRST_COLOUR, SECOND_COLOUR = (31, 82, 196), (205, 38, 38)
_PARTIES = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One design.

    Attributes:
        role: what it is on the plate.
        name: number of the patent, or name of the file or folder.
        facts: names and values for its head, without empty ones.
        link: the office's page, None where there is none.
    """

    role: str
    name: str
    facts: tuple[tuple[str, str], ...]
    link: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One view: PNG, and what is below it."""

    png: bytes = field(repr=False)
    caption: str


@dataclass(frozen=True, slots=True)
class Row:
    """Views that answer each other.

    Attributes:
        cells: one a column, None where a design has no such view.
        scores: in words, of each pair of views: "1 and 2: 0.912, same shape, 93% in common", of the lines.
    """

    cells: tuple[Cell | None, ...]
    scores: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plate:
    """What is written as PDF, page or picture.

    Attributes:
        notes: how it was made, and what the colours mean.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    made: str


def make_plate(
    engine: Engine, query: Path | str, patent: str, earlier: str | None = None, *, style: float = DEFAULT_STYLE
) -> Plate:
    """Put designs next to each other.

    Args:
        query: a file or a folder of views, or the number of an indexed patent.
        patent, earlier: numbers of indexed patents.
        style: how much the drawing style counts in scores, as in a search.

    Raises:
        InputError, ImageError, UsageError: a design is not in the index, or a file cannot be used.
        EncoderMismatch: the index was made with another encoder.
    """
    path = Path(query)
    if path.exists():
        return plate_of(engine, printable(path.name), views_of_files(engine, path), patent, earlier, style=style)
    number = str(query)
    return plate_of(engine, normal_number(number), views_of_patent(engine, number), patent, earlier, style=style)


def plate_of(
    engine: Engine,
    name: str,
    views: Sequence[View],
    patent: str,
    earlier: str | None = None,
    *,
    style: float = DEFAULT_STYLE,
    most_rows: int | None = None,
) -> Plate:
    """`make_plate` for views of the first design that have been read.

    Args:
        name: of the first design.
        most_rows: up to this many, those with the most views; None for all.

    Raises:
        InputError: a patent is not in the index.
        TimedOut: the deadline of this context has passed.
    """
    designs = [views, *(views_of_patent(engine, number) for number in (patent, earlier) if number)]
    columns = [_column(ROLES[0], name, designs[0])]
    columns += [
        _column(role, normal_number(number), views)
        for role, number, views in zip(ROLES[1:], filter(None, (patent, earlier)), designs[1:], strict=False)
    ]
    # The patent is what both others are compared with: its views decide the rows, then those that it lacks.
    before = pairs_of(engine.card, designs[0], designs[1], style=style)
    after = pairs_of(engine.card, designs[1], designs[2], style=style) if earlier else []
    across = scores_of(engine.card, designs[0], designs[2], style=style) if earlier else []
    places = _places(designs, before, after)[:most_rows]
    rows = [_row(row, designs, before, after, across) for row in steps(places)]
    return Plate(tuple(columns), tuple(rows), _notes(engine, earlier is not None), _now())


def _places(designs: Sequence[Sequence[View]], before: Sequence[Pair], after: Sequence[Pair]) -> list[list[int | None]]:
    """The views of each row, by column: rows with the most views first."""
    of_second = {pair.second: pair.first for pair in before}
    of_third = {pair.first: pair.second for pair in after}
    three = len(designs) == 3
    rows: list[list[int | None]] = [
        [of_second.get(place), place, *([of_third.get(place)] if three else [])] for place in range(len(designs[1]))
    ]
    rows += [
        [place, None, *([None] if three else [])] for place in range(len(designs[0])) if place not in of_second.values()
    ]
    if three:
        rows += [[None, None, place] for place in range(len(designs[2])) if place not in of_third.values()]
    return sorted(rows, key=lambda row: (-sum(place is not None for place in row), _first(row)))


def _first(row: Sequence[int | None]) -> tuple[bool, int]:
    """The order of rows with as many views: by the figures of the patent, then by those of the others."""
    place = row[1] if row[1] is not None else next(place for place in row if place is not None)
    return row[1] is None, place


def _row(
    places: Sequence[int | None],
    designs: Sequence[Sequence[View]],
    before: Sequence[Pair],
    after: Sequence[Pair],
    across: Sequence[Sequence[tuple[float, str | None]]],
) -> Row:
    views = [None if place is None else design[place] for place, design in zip(places, designs, strict=True)]
    shown = [column for column, view in enumerate(views) if view is not None]
    # All of a row are fitted to the patent's drawing, where it has one.
    order = sorted(shown, key=lambda column: column != 1)
    drawings = [design[place].image for design, place in zip(designs, places, strict=True) if place is not None]
    by_column = dict(zip(shown, drawings, strict=True))
    first, *others = (by_column[column] for column in order)
    frames = dict(zip(order, aligned(first, others), strict=True))
    pictures = {column: _grey(frame) for column, frame in frames.items()}
    said = []
    for one, other, pairs in ((0, 1, before), (1, 2, after)):
        if one in frames and other in frames:
            found = differences(frames[one], frames[other])
            pair = next(p for p in pairs if (p.first, p.second) == (places[one], places[other]))
            said.append(_said(f"{one + 1} and {other + 1}", (pair.score, pair.likeness), found.common))
            if one == 0:
                pictures[0] = _coloured(frames[0], found.only_first, FIRST_COLOUR)
                pictures[1] = _coloured(frames[1], found.only_second, SECOND_COLOUR)
            else:
                pictures[2] = _coloured(frames[2], found.only_second, FIRST_COLOUR)
    if len(places) == 3 and places[0] is not None and places[2] is not None:
        common = differences(frames[0], frames[2]).common
        said.append(_said("1 and 3", across[places[0]][places[2]], common))
    cells = [
        None if view is None else Cell(_png(pictures[column]), _caption(view)) for column, view in enumerate(views)
    ]
    return Row(tuple(cells), tuple(said))


def _said(which: str, scored: tuple[float, str | None], common: float) -> str:
    score, likeness = scored
    word = f", {likeness}" if likeness else ""
    # Rounded down: 100 % is said where no line is marked.
    return f"{which}: {score:.3f}{word}, {int(100 * common)}% in common"


def _caption(view: View) -> str:
    return f"{view.name}: {view.caption}" if view.drawing and view.caption else view.name


def _column(role: str, name: str, views: Sequence[View]) -> Column:
    drawing = views[0].drawing
    if drawing is None:
        return Column(role, name, (("Views", str(len(views))),), None)
    known = PatentAnswer.of([view.drawing for view in views if view.drawing])
    rows = [
        ("Title", drawing.title),
        ("Filed", str(drawing.filed or "")),
        ("Granted", str(drawing.granted or "")),
        ("In force until", str(drawing.expires or "")),
        ("Owner", _owners(known)),
        ("Classes", _classes(drawing)),
        ("Views", f"the first {len(views)}" if len(views) == MOST_VIEWS else str(len(views))),
    ]
    return Column(role, drawing.patent, tuple((one, value) for one, value in rows if value), link_of(drawing.patent))


def _owners(known: PatentFields) -> str:
    names = [party.name for party in known.owners or known.inventors]
    more = f" and {len(names) - _PARTIES} more" if len(names) > _PARTIES else ""
    return f"{', '.join(names[:_PARTIES])}{more}"


def _classes(drawing: Drawing) -> str:
    codes = drawing.classes_json()
    return "; ".join(f"{scheme.upper()} {', '.join(codes[scheme][:3])}" for scheme in codes if codes[scheme])


def _notes(engine: Engine, three: bool) -> tuple[str, ...]:
    colours = (
        "Blue: lines of the claimed or accused design that the patent lacks. Red: lines of the patent that it lacks."
    )
    last = " Blue in the third column: lines of the earlier design that the patent lacks." if three else ""
    return (
        f"{colours}{last}",
        "The drawings of a row have one scale: each is moved and scaled, not stretched, to where its lines fit best. "
        "Views are paired by their captions where both name a view, else by looks. Drawings of the index are reduced "
        "copies. Colours and scores are aids for looking, not an opinion on similarity in law.",
        f"Index {printable(engine.path.name)}, fingerprint {engine.fingerprint()}; encoder {engine.spec.encoder}; "
        f"patsearch {__version__}",
    )


def _grey(drawing: Grey) -> NDArray[np.uint8]:
    return np.repeat(drawing[..., np.newaxis], 3, axis=2)


def _coloured(drawing: Grey, marked: NDArray[np.bool_], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: the drawing, marked lines in the colour and a little wider."""
    picture = _grey(drawing)
    wide = cv2.dilate(marked.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    picture[wide] = colour
    return picture


def _png(picture: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", picture[..., ::-1])
    if not done:
        raise ImageError("A view of the plate could not be encoded.")
    return bytes(data)


def _now() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
