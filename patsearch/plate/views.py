"""The views of a design, and which view of one design answers which view of another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.base import Embeddings
from patsearch.drawings.aspects import aspects
from patsearch.drawings.grey import WHITE, Grey, to_grey
from patsearch.drawings.opening import open_image
from patsearch.encoder import EncoderCard
from patsearch.encoder.shape import DEFAULT_STYLE, Comparison
from patsearch.engine import Engine, Picture, QueryVectors
from patsearch.engine.picture import SECONDS
from patsearch.engine.query import encode_figures, figures_of, reading
from patsearch.errors import ImageError, InputError, UsageError
from patsearch.files import printable
from patsearch.numbers import normal_number
from patsearch.plate.assignment import assignment
from patsearch.types import Drawing

MOST_VIEWS = 100
_NO_PICTURE = np.full((8, 8), WHITE, np.uint8)
# Above every cosine: what captions say goes before looks.
_SAME_WORDS, _DIFFERENT = 8.0, -8.0
# Views of captions that say nothing must look this similar to be shown next to each other.
LEAST = 0.2
_BOTTOM_PLAN = re.compile(r"bottom\s+plan", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class View:
    """One view of a design.

    Attributes:
        name: figure number and caption, or the name of the file.
        caption: what says which side it shows, "" where nothing does.
        image: (H, W) uint8, dark on white.
        vectors: (V, dim) float32, of unit length: one of an indexed drawing, more of a photograph.
        drawing: as it is indexed; None of a file.
    """

    name: str
    caption: str
    image: Grey = field(repr=False)
    vectors: Embeddings = field(repr=False)
    drawing: Drawing | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two views that answer each other, by index, with the score of a search and its word."""

    first: int
    second: int
    score: float
    likeness: str | None


def views_of_patent(engine: Engine, number: str) -> list[View]:
    """The indexed drawings of a patent, without copies on its front page.

    Raises:
        InputError: it is not in the index.
    """
    drawings, vectors = engine.drawings_of(number)
    found = [
        View(
            name=_figure(drawing),
            caption=drawing.view or "",
            image=_thumbnail(engine, drawing.id),
            vectors=vectors[row : row + 1],
            drawing=drawing,
        )
        for row, drawing in enumerate(drawings)
        if not drawing.front_page
    ]
    if not found:
        raise InputError(
            f"{normal_number(number)[:60]} is not in the index {engine.path}.",
            hint="Check the number, or ingest the patent.",
        )
    return found[:MOST_VIEWS]


def views_of_files(engine: Engine, path: Path) -> list[View]:
    """The figures of a file, or of the files of a folder; their names are their captions ("front.png").

    Raises:
        ImageError, InputError: a file cannot be read, or shows nothing.
        UsageError: there are too many.
    """
    files = sorted(one for one in path.iterdir() if not one.name.startswith(".")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{printable(path)} holds no file.", hint="Put the views of the design there.")
    if len(files) > MOST_VIEWS:
        raise UsageError(f"{printable(path)} holds {len(files)} files.", hint=f"A plate takes up to {MOST_VIEWS}.")
    encoder = engine.encoder
    how = reading(encoder, split=not engine.spec.whole_sheets, lines=False, seconds=SECONDS)
    views: list[View] = []
    for file in files:
        name = printable(file.name)
        stem = printable(file.stem)
        for figure in figures_of(Picture(name, file).read(how), name):
            vectors = encode_figures(encoder, [[figure.image]]).vectors
            shown = ", ".join(filter(None, (stem, figure.name)))
            views.append(View(shown, _SEPARATORS.sub(" ", stem), figure.image, vectors))
    return views[:MOST_VIEWS]


def pairs_of(
    card: EncoderCard | None, first: Sequence[View], second: Sequence[View], *, style: float = DEFAULT_STYLE
) -> list[Pair]:
    """Which views answer each other, one to one: by captions where both name a view, else by looks.

    Views whose captions name different sides never answer each other.

    Args:
        card: of the encoder that made the vectors.
    """
    scored = scores_of(card, first, second, style=style)
    scores = np.array([[score for score, _ in row] for row in scored])
    weights = scores + captions_say([view.caption for view in first], [view.caption for view in second])
    weights[weights < LEAST] = 0.0
    return [Pair(i, j, *scored[i][j]) for i, j in assignment(weights)]


def scores_of(
    card: EncoderCard | None, first: Sequence[View], second: Sequence[View], *, style: float = DEFAULT_STYLE
) -> list[list[tuple[float, str | None]]]:
    """Score and word of each view of the first design with each of the second, as a search has them."""
    comparison = Comparison(card.shape_dim if card else None, style)
    compared = comparison.of(np.concatenate([view.vectors[:1] for view in second]))
    rows = []
    for view in first:
        query = QueryVectors(view.vectors, np.zeros(len(view.vectors), np.intp)).compared(comparison)
        rows.append(query.scores(compared, card))
    return rows


def captions_say(first: Sequence[str], second: Sequence[str]) -> NDArray[np.float64]:
    """(N, M) what captions add to the likeness of two views: much for the same view, less than nothing for others."""
    named = [_named(caption) for caption in first], [_named(caption) for caption in second]
    return np.array([[_agreement(a, b) for b in named[1]] for a in named[0]]).reshape(len(first), len(second))


def _named(caption: str) -> tuple[str, ...]:
    """`aspects`, where a plan view of the bottom is not one of the top."""
    return aspects(_BOTTOM_PLAN.sub("bottom", caption))


def _agreement(first: tuple[str, ...], second: tuple[str, ...]) -> float:
    if not first or not second:
        return 0.0
    if first == second:
        return _SAME_WORDS
    if first[0] == second[0]:  # a perspective view from the front and one from somewhere: looks decide
        return 0.0
    # "A side view" may be the left one or the right one.
    if "side" in (first[0], second[0]) and {first[0], second[0]} & {"left", "right"}:
        return 0.0
    return _DIFFERENT


def _thumbnail(engine: Engine, drawing: str) -> Grey:
    png = engine.thumbnails.get(drawing)
    if png is None:
        return _NO_PICTURE
    try:
        return to_grey(open_image(png, name=drawing))
    except ImageError:  # the index holds something else than a picture here
        return _NO_PICTURE


def _figure(drawing: Drawing) -> str:
    return f"FIG. {drawing.figure}" if drawing.figure else drawing.sheet or drawing.id
