"""Drawings of an index with their vectors, in order of id: what is ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from patsearch.backends.base import Backend, Embeddings
from patsearch.errors import EncoderMismatch, UsageError
from patsearch.filters import Filter
from patsearch.types import Drawing


@dataclass(frozen=True, slots=True)
class Collection:
    """Drawings and vectors side by side.

    Attributes:
        drawings: N drawings, ascending by id, no id twice.
        vectors: (N, dim) float32, rows of unit length, in the same order.
    """

    drawings: tuple[Drawing, ...]
    vectors: Embeddings

    def __len__(self) -> int:
        return len(self.drawings)

    @classmethod
    def of(cls, drawings: Sequence[Drawing], vectors: Embeddings) -> Self:
        """From drawings in any order.

        Raises:
            UsageError: an id occurs twice, or the counts differ.
        """
        if len(drawings) != len(vectors):
            raise UsageError(f"{len(drawings)} drawings came with {len(vectors)} vectors.")
        order = sorted(range(len(drawings)), key=lambda i: drawings[i].id)
        ordered = tuple(drawings[i] for i in order)
        for before, after in pairwise(ordered):
            if before.id == after.id:
                raise UsageError(f"The drawing {after.id} occurs twice.", hint="Leave one of its sources out.")
        if order == list(range(len(order))):
            return cls(ordered, vectors)
        return cls(ordered, vectors[np.asarray(order, dtype=np.int64)])

    @classmethod
    def read(cls, backend: Backend, where: Filter | None = None) -> Self:
        """Everything in a backend that matches."""
        drawings: list[Drawing] = []
        # Filled in place: a list of parts joined at the end would hold every vector twice.
        vectors = np.empty((backend.count(where), backend.spec.dim), dtype=np.float32)
        for batch, embeddings in backend.scan(where):
            end = len(drawings) + len(batch)
            if end > len(vectors):
                # Another process wrote between count and scan.
                vectors = np.concatenate(
                    [vectors[: len(drawings)], np.empty_like(vectors, shape=(end, vectors.shape[1]))]
                )
            vectors[len(drawings) : end] = embeddings
            drawings += batch
        return cls.of(drawings, vectors[: len(drawings)])

    def joined(self, other: Collection) -> Collection:
        """Both together; no id may be in both.

        Raises:
            EncoderMismatch: the vectors have different dimensions.
        """
        if self.vectors.shape[1] != other.vectors.shape[1]:
            raise EncoderMismatch(
                f"Vectors of {self.vectors.shape[1]} and of {other.vectors.shape[1]} dimensions cannot be compared.",
                hint="Ingest both with one encoder.",
            )
        return Collection.of([*self.drawings, *other.drawings], np.concatenate([self.vectors, other.vectors]))

    def kept(self, keep: Sequence[bool]) -> Collection:
        """Only the drawings that are flagged."""
        flags = np.asarray(keep, dtype=bool)
        return Collection(tuple(d for d, k in zip(self.drawings, flags, strict=True) if k), self.vectors[flags])
