"""From pictures to the vectors of a query.

A query is a list of pictures; each page of a document is one. Each picture yields one or more vectors: its figures
where it is a sheet, and turned and mirrored copies where these are requested.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.backends.base import Embeddings
from patsearch.drawings.document import Document, DocumentFigure, Reading
from patsearch.drawings.grey import Grey, to_grey
from patsearch.drawings.sheets import LONGEST_SIDE, split_sheet
from patsearch.encoder.base import Encoder
from patsearch.encoder.card import EncoderCard
from patsearch.encoder.preprocess import is_blank
from patsearch.encoder.shape import Comparison, by_shape_where_unsure, compared_cosines, shape_part
from patsearch.errors import ImageError

# Figures that are encoded in one step.
_TOGETHER = 32
_TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


@dataclass(frozen=True, slots=True)
class QueryVectors:
    """Vectors of a query and the picture each comes from.

    Attributes:
        vectors: (V, dim) float32, rows of unit length.
        picture: (V,) intp, index of the picture; every picture has at least one vector.
        shown: (S, dim) float32, rows of unit length: what scores are cosines with, where marks or an expansion moved
            `vectors`, which decide the order alone; None where they did not.
    """

    vectors: Embeddings
    picture: NDArray[np.intp]
    shown: Embeddings | None = None

    def compared(self, comparison: Comparison) -> QueryVectors:
        """As a comparison has it: the drawing style weighed."""
        shown = None if self.shown is None else comparison.of(self.shown)
        return replace(self, vectors=comparison.of(self.vectors), shown=shown)

    def scores(self, vectors: Embeddings, card: EncoderCard | None) -> list[tuple[float, str | None]]:
        """Score and likeness (see `Hit`) of each drawing, from their vectors (N, D), as compared as these are.

        The score is the cosine with what is closest in the query; the likeness is that of the shapes in words.
        """
        dim, likeness = (card.shape_dim, card.likeness) if card else (None, None)
        shown = self.vectors if self.shown is None else self.shown
        scores = compared_cosines(shown, vectors, dim).max(axis=0).tolist()
        if likeness is None:
            return [(score, None) for score in scores]
        shapes = compared_cosines(shape_part(shown, dim), vectors, dim).max(axis=0).tolist()
        return [(score, likeness.word(shape)) for score, shape in zip(scores, shapes, strict=True)]

    def pictures(self) -> Iterator[NDArray[np.bool_]]:
        """One mask over the vectors for each picture."""
        for index in range(int(self.picture.max()) + 1):
            yield self.picture == index

    @staticmethod
    def joined(parts: Sequence[QueryVectors]) -> QueryVectors | None:
        """Several queries as one of all their pictures; None for none."""
        if not parts:
            return None
        first = np.cumsum([0, *(int(part.picture.max()) + 1 for part in parts[:-1])])
        return QueryVectors(
            np.concatenate([part.vectors for part in parts]),
            np.concatenate([part.picture + offset for part, offset in zip(parts, first, strict=True)]),
        )


def encode_query(
    encoder: Encoder,
    images: Sequence[Image.Image],
    *,
    split: bool,
    rotations: bool = False,
    mirror: bool = False,
) -> QueryVectors:
    """Encode pictures as a query.

    Args:
        images: one picture or several; each is a drawing, or a sheet with several.
        split: treat each picture as a sheet (labels removed, figures apart), as ingest does.
        rotations: also try every picture turned by 90, 180, 270 degrees.
        mirror: also try every one of these mirrored.

    A picture whose drawing style the encoder cannot recognise is compared by shape alone.

    Raises:
        ImageError: no picture is given, or one shows nothing.
    """
    if not images:
        raise ImageError("The query has no picture.", hint="Give at least one image file.")
    figures = [query_figures(image, encoder) if split else [to_grey(image)] for image in images]
    for number, found in enumerate(figures, start=1):
        if not found:
            raise ImageError(f"Picture {number} of the query is blank.", hint="Check the file, or crop elsewhere.")
    return encode_figures(encoder, figures, rotations=rotations, mirror=mirror)


def encode_figures(
    encoder: Encoder, pictures: Sequence[Sequence[Grey]], *, rotations: bool = False, mirror: bool = False
) -> QueryVectors:
    """Encode the figures of a query's pictures; see `encode_query`.

    Args:
        pictures: (H, W) uint8 figures of each, dark on white; at least one.

    Returns:
        Vectors in the order of the figures; each has as many as `turned` makes of it.
    """
    dim = encoder.card.shape_dim
    parts, owner = [np.empty((0, encoder.card.dim), np.float32)], []
    together: list[Image.Image] = []  # a document's figures and their copies are too much for the memory at once
    for number, figures in enumerate(pictures):
        for figure in figures:
            copies = turned(Image.fromarray(figure), rotations=rotations, mirror=mirror)
            together += copies
            owner += [number] * len(copies)
            if len(together) >= _TOGETHER:
                parts.append(encoder.encode_batch(together))
                together = []
    parts.append(encoder.encode_batch(together) if together else parts[0])
    return QueryVectors(by_shape_where_unsure(np.concatenate(parts), dim), np.asarray(owner, dtype=np.intp))


def query_figures(image: Image.Image, encoder: Encoder) -> list[Grey]:
    """(H, W) uint8 figures of a picture, treated as ingest treats a sheet for that encoder; empty where it is blank."""
    figures = (figure.image for figure in split_sheet(image, longest=_longest(encoder)).figures)
    return [figure for figure in figures if not is_blank(figure)]


def _longest(encoder: Encoder) -> int | None:
    # Windows are cut out of a drawing as it is on the sheet.
    return None if encoder.card.preprocessing.windows else LONGEST_SIDE


def reading(encoder: Encoder, *, split: bool, **how: Any) -> Reading:
    """How an encoder's queries are read, with further options of `Reading`."""
    return Reading(split=split, longest=_longest(encoder), **how)


def figures_of(document: Document, name: str) -> tuple[DocumentFigure, ...]:
    """The figures of a document that can be compared: those that are not blank.

    Raises:
        ImageError: all are.
    """
    figures = tuple(figure for figure in document.figures if not is_blank(figure.image))
    if not figures:
        raise ImageError(f"{name} is blank.", hint="Check the file, or crop elsewhere.")
    return figures


def by_page(figures: Sequence[DocumentFigure]) -> list[list[Grey]]:
    """The figures of each page, which together are one picture of a query."""
    pages: dict[int | None, list[Grey]] = {}
    for figure in figures:
        pages.setdefault(figure.page, []).append(figure.image)
    return list(pages.values())


def turned(image: Image.Image, *, rotations: bool = True, mirror: bool = True) -> list[Image.Image]:
    """The image in its orientations, itself first: one, two (mirrored), four (turned) or eight (both)."""
    turns = [image, *(image.transpose(turn) for turn in _TURNS)] if rotations else [image]
    return turns + [turn.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for turn in turns] if mirror else turns
