"""A saved search: one file with everything that is needed to repeat it in an index that has grown.

The file is JSON: pictures as PNG, the query's vectors, filter, options, the encoder's fingerprint, and the
patents that have been shown. New results are patents found now that have not been shown before.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from patsearch.backends.base import Embeddings
from patsearch.engine import Engine, Picture, QueryVectors, Question, search
from patsearch.errors import EncoderMismatch, InputError, UsageError
from patsearch.files import storage_errors, write_text
from patsearch.record.record import SearchRecord
from patsearch.types import JsonDict, PatentHit

# The file may come from a stranger: each of its parts has a bound, checked before anything is made from it.
_MAX_BYTES = 64 << 20
_MAX_DIM = 1 << 16
_MOST_VECTORS = 4096
_MOST_RESULTS = 10_000
_MOST_SHOWN = 100_000
# Of the file: more commas than all of its lists together can have. Errors in millions of items would take minutes.
_MOST_COMMAS = 250_000
# A float32 vector of unit length differs from it by less.
_LENGTH_ERROR = 1e-2

_Short = Annotated[str, Field(max_length=200)]
_Text = Annotated[str, Field(max_length=4096)]
_Row = Annotated[int, Field(ge=0, lt=_MOST_VECTORS)]


class _SavedPicture(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Text
    png: str  # base64


class SavedSearch(BaseModel):
    """What the file holds.

    `vectors` is little-endian float32, (V, dim), in base64, V the length of `picture`. Where marks moved the query,
    `shown_vectors` is what scores are measured with, (S, dim); only then is it in the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    name: _Short
    asked: _Short
    encoder: _Text
    encoder_sha256: _Short
    like: _Short | None
    where: str
    options: Annotated[Question, PlainSerializer(Question.options)]
    pictures: Annotated[tuple[_SavedPicture, ...], FailFast(), Field(max_length=_MOST_VECTORS)]
    vectors: str
    shown_vectors: str | None = None
    picture: Annotated[tuple[_Row, ...], FailFast(), Field(min_length=1, max_length=_MOST_VECTORS)]
    shown: Annotated[frozenset[_Short], FailFast(), Field(max_length=_MOST_SHOWN)]
    checked: _Short
    fingerprint: _Short

    @classmethod
    def of(cls, record: SearchRecord, query: QueryVectors, *, name: str) -> Self:
        """From a search just made; its results count as shown."""
        return cls(
            name=name[:200],
            asked=record.asked,
            encoder=str(record.encoder["name"]),
            encoder_sha256=str(record.encoder["sha256"]),
            like=record.question.like,
            where=str(record.question.where),
            options=record.question,
            pictures=tuple(_SavedPicture(name=p.name, png=b64encode(p.png).decode()) for p in record.pictures),
            vectors=_text(query.vectors),
            shown_vectors=None if query.shown is None else _text(query.shown),
            picture=tuple(int(i) for i in query.picture),
            shown=frozenset(hit.patent for hit in record.hits),
            checked=record.asked,
            fingerprint=str(record.index["fingerprint"]),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            InputError: it is missing, too large, or not a saved search.
        """
        hint = "Save one: patsearch query drawing.png --index DIR --save FILE."
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"Cannot read the saved search {path}: {error.strerror}.", hint=hint) from error
        if len(data) > _MAX_BYTES:
            raise InputError(f"{path} is larger than {_MAX_BYTES >> 20} MiB, too large for a saved search.", hint=hint)
        return cls.read(data, name=str(path))

    @classmethod
    def read(cls, data: bytes, *, name: str) -> Self:
        """From a file's bytes; errors use `name`.

        Raises:
            InputError: it is not a saved search.
        """
        try:
            if data.count(b",") > _MOST_COMMAS:
                raise ValueError("it has too many parts")
            saved = cls.model_validate_json(data)
            saved.query()
            if saved.question().top > _MOST_RESULTS:
                raise ValueError(f"it requests more than {_MOST_RESULTS:,} results")
        except (ValidationError, Base64Error, ValueError, UsageError) as error:
            raise InputError(
                f"{name} is not a saved search: {_reason(error)}.",
                hint="Save one: patsearch query drawing.png --index DIR --save FILE.",
            ) from error
        return saved

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        with storage_errors(f"Writing the saved search {path}"):
            write_text(path, self.model_dump_json(indent=1), shared=True)

    def query(self) -> QueryVectors:
        """The query's vectors."""
        numbers = np.frombuffer(b64decode(self.vectors, validate=True), dtype="<f4")
        dim, rest = divmod(len(numbers), len(self.picture))
        if rest or not 0 < dim <= _MAX_DIM or len(set(self.picture)) != max(self.picture) + 1:
            raise ValueError("its vectors and pictures do not belong together")
        shown = None
        if self.shown_vectors is not None:
            shown = _rows(np.frombuffer(b64decode(self.shown_vectors, validate=True), dtype="<f4"), dim)
        return QueryVectors(_rows(numbers, dim), np.asarray(self.picture, dtype=np.intp), shown)

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> JsonDict:
        """As versions before this field expect it, wherever it is not needed."""
        written: JsonDict = write(self)
        if self.shown_vectors is None:
            del written["shown_vectors"]
        return written

    def question(self) -> Question:
        """The search, with its pictures as records show them; `query` has their vectors."""
        pictures = tuple(Picture(p.name, b64decode(p.png, validate=True)) for p in self.pictures)
        return self.options.replaced(pictures=pictures, like=self.like, where=self.where)

    def rerun(self, engine: Engine) -> News:
        """Repeat the search.

        Raises:
            EncoderMismatch: the index was made with another encoder than the search.
        """
        if engine.spec.encoder_sha256 != self.encoder_sha256:
            raise EncoderMismatch(
                f"The search {self.name!r} was saved with the encoder {self.encoder!r} ({self.encoder_sha256[:12]}), "
                f"but the index {engine.path} was made with {engine.spec.encoder!r} "
                f"({engine.spec.encoder_sha256[:12]}).",
                hint="Search with the pictures again, and save that search.",
            )
        record = SearchRecord.of(engine, search(engine, self.question(), self.query()))
        new = tuple(hit for hit in record.hits if hit.patent not in self.shown)
        after = self.model_copy(
            update={
                "shown": self.shown | {hit.patent for hit in record.hits},
                "checked": record.asked,
                "fingerprint": str(record.index["fingerprint"]),
            }
        )
        return News(record, new, after)


@dataclass(frozen=True, slots=True)
class News:
    """What repeating a search gave.

    Attributes:
        record: of the whole search as it is now.
        new: its hits that had not been shown before.
        after: the saved search with these shown.
    """

    record: SearchRecord
    new: tuple[PatentHit, ...]
    after: SavedSearch


def _text(vectors: Embeddings) -> str:
    return b64encode(vectors.astype("<f4").tobytes()).decode()


def _rows(numbers: Embeddings, dim: int) -> Embeddings:
    """(V, dim) float32, checked."""
    rows, rest = divmod(len(numbers), dim)
    if rest or not 0 < rows <= _MOST_VECTORS:
        raise ValueError("its vectors do not belong together")
    vectors = numbers.reshape(rows, dim).astype(np.float32)
    with np.errstate(invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if not (np.abs(lengths - 1) < _LENGTH_ERROR).all():  # not so for NaN either
        raise ValueError("its vectors are not of unit length")
    return vectors


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part)[:40] for part in first['loc']) or 'the file'}: {first['msg'][:200]}"
    return str(error).splitlines()[0][:300].rstrip(".")
