"""The classes that a loss distinguishes: designs, or kinds of drawing and kinds of object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.aspects import ASPECTS
from patsearch.errors import UsageError
from patsearch.training.data.cache import SKETCH, Record

DESIGN, TYPE_AND_DOMAIN = "design", "type-and-domain"
# The view that a caption names, a view that it does not name, or a sketch.
TYPES = (*ASPECTS, "view", SKETCH)


class Labelling:
    """Class ids of drawings.

    With "design", those of the sampler. With "type-and-domain", domain * len(TYPES) + type: the type is the
    view that the drawing's caption names, the domain the design's family; losses separate the two again.

    Args:
        kind: "design" or "type-and-domain".
        records: all designs.
        trained: (classes,) positions of the designs of the sampler's class ids.

    Attributes:
        classes: number of class ids.

    Raises:
        UsageError: fewer than two families where the loss should distinguish them.
    """

    def __init__(self, kind: str, records: Sequence[Record], trained: NDArray[np.int64]) -> None:
        self._tables: dict[int, NDArray[np.int64]] | None = None
        self.classes = len(trained)
        if kind == DESIGN:
            return
        domains = sorted({records[design].family for design in trained.tolist()})
        if len(domains) < 2:
            raise UsageError(
                "The drawings are all of one kind of object, so no domain can be learned.",
                hint="Take data with classes, or batch.labels=design.",
            )
        places = {name: place for place, name in enumerate(domains)}
        self.classes = len(domains) * len(TYPES)
        self._tables = {
            design: places[records[design].family] * len(TYPES) + _types(records[design]) for design in trained.tolist()
        }

    def __call__(self, design: int, number: int, label: int) -> int:
        """The class id of a drawing.

        Args:
            design: its position.
            number: which of the design's drawings.
            label: the design's class id in the sampler.
        """
        return label if self._tables is None else int(self._tables[design][number])


def _types(record: Record) -> NDArray[np.int64]:
    aspects = record.aspects or ("",) * len(record.kinds)
    names = [
        SKETCH if kind == SKETCH else (aspect if aspect in ASPECTS else "view")
        for kind, aspect in zip(record.kinds, aspects, strict=True)
    ]
    return np.array([TYPES.index(name) for name in names], np.int64)
