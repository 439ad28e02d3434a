"""Drawings and vectors from one backend to another, as they are: nothing is encoded again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from patsearch.backends.base import Backend, Embeddings
from patsearch.errors import EncoderMismatch
from patsearch.types import Drawing, JsonDict

_BATCH = 1024
_SAME = 1e-5  # a backend may scale a vector to unit length again, or keep half precision


@dataclass(slots=True)
class CopyReport:
    """What a copy did.

    Attributes:
        total: drawings in the source.
        copied: written to the target.
        already: in the target already, the same.
        others: drawings of the target that the source does not have; they were left unchanged.
    """

    total: int = 0
    copied: int = 0
    already: int = 0
    others: int = 0
    seconds: float = 0.0

    def to_json(self) -> JsonDict:
        return asdict(self)


def copy(source: Backend, target: Backend, *, on_progress: Callable[[CopyReport], None] | None = None) -> CopyReport:
    """Copy everything, in batches, in the order of ids.

    What the target already has is not written again: a copy that was stopped or killed resumes where
    it stopped, and another run checks a complete one.

    Raises:
        EncoderMismatch: the two were made with different encoders.
    """
    if source.spec != target.spec:
        raise EncoderMismatch(
            f"The source holds vectors of {source.spec.encoder!r}, the target of {target.spec.encoder!r}.",
            hint="Name a separate target for each encoder.",
        )
    start = time.perf_counter()
    report = CopyReport(total=source.count())
    fresh = target.count() == 0
    for drawings, vectors in source.scan(batch=_BATCH):
        missing = list(range(len(drawings))) if fresh else _missing(target, drawings, vectors)
        target.upsert([drawings[i] for i in missing], vectors[missing])
        report.copied += len(missing)
        report.already += len(drawings) - len(missing)
        report.seconds = time.perf_counter() - start
        if on_progress is not None:
            on_progress(report)
    target.optimize()
    report.others = max(0, target.count() - report.copied - report.already)
    report.seconds = time.perf_counter() - start
    return report


def _missing(target: Backend, drawings: list[Drawing], vectors: Embeddings) -> list[int]:
    """Which of them the target has not, or has differently."""
    there = target.get([drawing.id for drawing in drawings])
    return [
        row
        for row, (drawing, vector) in enumerate(zip(drawings, vectors, strict=True))
        if (found := there.get(drawing.id)) is None
        or found[0] != drawing
        or float(np.abs(found[1] - vector).max()) > _SAME
    ]
