"""The vectors of a whole query: of its pictures, of a patent, and moved by marked drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from patsearch.backends.base import Embeddings
from patsearch.encoder.shape import by_shape_where_unsure
from patsearch.engine.feedback import refine
from patsearch.engine.picture import Picture
from patsearch.engine.query import QueryVectors
from patsearch.errors import InputError

if TYPE_CHECKING:
    from patsearch.engine.engine import Engine
    from patsearch.engine.question import Question


def compose(engine: Engine, question: Question) -> tuple[QueryVectors, tuple[Picture, ...]]:
    """The vectors of a query's pictures and of a patent, moved by marks; and the pictures that a record shows.

    Raises:
        ImageError, InputError, UsageError: as `search`.
    """
    parts, shown = [], list(question.pictures)
    if question.encoded is not None:
        parts.append(question.encoded)
    elif shown:
        images = [picture.prepared(question.crop, question.page) for picture in shown]
        shown = [Picture(picture.name, image) for picture, image in zip(shown, images, strict=True)]
        parts.append(engine.encode(images, rotations=question.rotations, mirror=question.mirror))
    if question.like:
        drawings, vectors = engine.drawings_of(question.like)
        if not drawings:
            raise InputError(
                f"{question.like} is not in the index {engine.path}.", hint="Check the number, or ingest it."
            )
        parts.append(QueryVectors(by_shape_where_unsure(vectors, engine.shape_dim), np.arange(len(vectors))))
        shown += _indexed(engine, [drawing.id for drawing in drawings])
    query = QueryVectors.joined(parts)
    if query is None:
        shown += _indexed(engine, question.relevant)
    return refine(query, _marked(engine, question.relevant), _marked(engine, question.irrelevant)), tuple(shown)


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
