"""How the queries of a benchmark are put: as they are, or turned and mirrored, and with which refinements.

A query that is tried in several orientations has a vector for each; a drawing's score is its best cosine over
them. Only queries are turned, never the gallery.

The vectors of other orientations come from the drawings' source, through the same ingest as the upright
ones: an encoder that turns its images writes the vectors of all orientations side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from PIL import Image
from pydantic import model_validator

from patsearch.encoder import Encoder
from patsearch.encoder.base import Embeddings
from patsearch.engine import Question
from patsearch.engine.query import turned
from patsearch.errors import UsageError
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.datasets import RetrievalDataset
from patsearch.evaluation.ranking import Vectors
from patsearch.types import JsonDict

_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


class Asking(Question):
    """How the queries of a benchmark are put: a question without pictures; the default is one vector as it is.

    Attributes:
        turn: degrees anticlockwise by which every query is turned first, 0, 90, 180 or 270: not a way to
            find more, but a test of the others.

    Raises:
        UsageError: another turn, or an option that is not valid.
    """

    turn: int = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.turn not in (0, *_TURNS):
            raise UsageError(f"Invalid --turn {self.turn}: expected 90, 180 or 270.")
        return self

    @property
    def oriented(self) -> bool:
        """Whether other vectors are needed than those of the upright drawings."""
        return bool(self.turn) or self.rotations or self.mirror

    @property
    def orientations(self) -> int:
        """Number of vectors per query."""
        return (4 if self.rotations else 1) * (2 if self.mirror else 1)

    def orient(self, image: Image.Image) -> list[Image.Image]:
        """The image in all orientations that are tried."""
        upright = image.transpose(_TURNS[self.turn]) if self.turn else image
        return turned(upright, rotations=self.rotations, mirror=self.mirror)

    def parts(self) -> list[str]:
        """The options one by one; empty for plain queries."""
        flags = [name for name in ("rotations", "mirror") if getattr(self, name)]
        refined = {"expand": self.expansion, "rerank": self.rerank}
        values = [f"{name} {value}" for name, value in refined.items() if value]
        style = [f"style {self.style:g}"] * (self.style > 0)
        return [f"turned by {self.turn}"] * bool(self.turn) + flags + style + values

    def __str__(self) -> str:
        return ", ".join(self.parts()) or "plain"

    def to_json(self) -> JsonDict:
        return {
            "turn": self.turn,
            "rotations": self.rotations,
            "mirror": self.mirror,
            "shape": self.shape,
            "style": self.style,
            "expand": str(self.expansion) if self.expansion else None,
            "rerank": str(self.rerank) if self.rerank else None,
        }


class OrientedEncoder(Encoder):
    """Encodes each drawing in all orientations; a vector is their vectors side by side, at unit length.

    Args:
        encoder: encodes each one.
        asking: which orientations.
    """

    def __init__(self, encoder: Encoder, asking: Asking) -> None:
        self._encoder, self._asking = encoder, asking
        name = f"turn{asking.turn}{'-rotations' if asking.rotations else ''}{'-mirror' if asking.mirror else ''}"
        self.card = replace(
            encoder.card,
            name=f"{encoder.card.name}+{name}",
            dim=encoder.card.dim * asking.orientations,
            sha256=hashlib.sha256(f"{encoder.card.sha256} {name}".encode()).hexdigest(),
        )

    def encode_batch(self, images: Sequence[Image.Image]) -> Embeddings:
        variants = [variant for image in images for variant in self._asking.orient(image)]
        vectors = self._encoder.encode_batch(variants).reshape(len(images), self.card.dim)
        return np.asarray(vectors / np.sqrt(self._asking.orientations), dtype=np.float32)


def asked_vectors(dataset: RetrievalDataset, oriented: Collection, asking: Asking) -> Vectors:
    """(Q, V, dim) float32, rows of unit length: the queries' vectors in their orientations.

    Args:
        oriented: vectors of an `OrientedEncoder`, of all queries at least.

    Raises:
        UsageError: a query was not found.
    """
    row_of = {drawing.id: row for row, drawing in enumerate(oriented.drawings)}
    ids = [dataset.query(number).id for number in range(len(dataset.queries))]
    missing = [i for i in ids if i not in row_of]
    if missing:
        raise UsageError(
            f"{len(missing)} queries were not found when the drawings were read again, such as {missing[0]}.",
            hint="Has the source changed? Use another --index folder.",
        )
    wide = oriented.vectors[[row_of[i] for i in ids]].reshape(len(ids), asking.orientations, -1)
    return np.asarray(wide / np.linalg.norm(wide, axis=2, keepdims=True), dtype=np.float32)
