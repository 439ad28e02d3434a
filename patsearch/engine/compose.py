"""The vectors of a whole query: of its pictures, of a patent, and moved by marked drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from patsearch.backends.base import Embeddings
from patsearch.drawings.grey import Grey
from patsearch.encoder.shape import by_shape_where_unsure
from patsearch.engine.feedback import refine
from patsearch.engine.picture import SECONDS, Picture
from patsearch.engine.query import QueryVectors, by_page, encode_figures, figures_of, reading
from patsearch.engine.remarks import composed_remarks
from patsearch.errors import InputError

if TYPE_CHECKING:
    from patsearch.engine.engine import Engine
    from patsearch.engine.question import Question


@dataclass(frozen=True, slots=True)
class Composed:
    """A whole query.

    Attributes:
        vectors: of its pictures and of a patent, moved by marks.
        pictures: what a record shows: each figure, and the drawings of the patent.
        remarks: what of the pictures was left out, and what else a user may not expect, in words.
    """

    vectors: QueryVectors
    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...] = ()


def compose(engine: Engine, question: Question) -> Composed:
    """The vectors of a query's pictures and of a patent, moved by marks.

    Raises:
        ImageError, InputError, UsageError: as `search`.
    """
    parts: list[QueryVectors] = []
    shown: list[Picture] = []
    remarks: list[str] = []
    if question.encoded is not None:
        parts.append(question.encoded)
        shown += question.pictures
    elif question.pictures:
        read = _read(engine, question)
        parts.append(read.vectors)
        shown += read.pictures
        remarks += read.remarks
    remarks += composed_remarks(QueryVectors.joined(parts), question.like, engine.card)
    if question.like:
        drawings, vectors = engine.drawings_of(question.like)
        if not drawings:
            raise InputError(
                f"{question.like} is not in the index {engine.path}.",
                hint="Check the number, or ingest the patent.",
            )
        parts.append(QueryVectors(by_shape_where_unsure(vectors, engine.shape_dim), np.arange(len(vectors))))
        shown += _indexed(engine, [drawing.id for drawing in drawings])
    query = QueryVectors.joined(parts)
    if query is None:
        shown += _indexed(engine, question.relevant)
    moved = refine(query, _marked(engine, question.relevant), _marked(engine, question.irrelevant))
    return Composed(moved, tuple(shown), tuple(remarks))


def _read(engine: Engine, question: Question) -> Composed:
    """A question's pictures and documents, read and encoded."""
    encoder, split = engine.encoder, not engine.spec.whole_sheets
    of_files = {"page": question.page, "crop": question.crop, "up": question.up, "flatten": question.flatten}
    how = reading(encoder, split=split, seconds=SECONDS, **of_files)
    pictures: list[list[Grey]] = []
    shown: list[Picture] = []
    remarks: list[str] = []
    for picture in question.pictures:
        document = picture.read(how)
        figures = figures_of(document, picture.name)
        pictures += by_page(figures)
        shown += [picture.figure(one.name, Image.fromarray(one.image)) for one in figures]
        remarks += document.remarks
    vectors = encode_figures(encoder, pictures, rotations=question.rotations, mirror=question.mirror)
    return Composed(vectors, tuple(shown), tuple(remarks))


def _indexed(engine: Engine, ids: Sequence[str]) -> list[Picture]:
    return [Picture(id_, engine.thumbnails.get(id_) or b"") for id_ in ids]


def _marked(engine: Engine, ids: Sequence[str]) -> Embeddings:
    """(N, dim) vectors of indexed drawings."""
    found = engine.backend.get(ids) if ids else {}
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise InputError(
            f"The drawing {missing[0]} is not in the index {engine.path}.",
            hint="Results name their drawings, as in USD907292-D00001-1.",
        )
    if not ids:
        return np.empty((0, engine.spec.dim), dtype=np.float32)
    return by_shape_where_unsure(np.stack([found[id_][1] for id_ in ids]), engine.shape_dim)
