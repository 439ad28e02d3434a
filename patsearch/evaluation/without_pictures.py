"""A ranking by class and date alone: how much of a result do the classes explain?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from patsearch.evaluation.datasets import RetrievalDataset, group_of
from patsearch.evaluation.relevance import NO_DAY
from patsearch.types import Drawing

WITHOUT_PICTURES = "class-and-date"
_MAIN_CLASS, _SAME_CLASS = 1.0, 2.0
_CLOSENESS = 0.999  # the day alone never outweighs a class


def class_and_date(dataset: RetrievalDataset) -> Iterator[NDArray[np.float32]]:
    """(G,) scores of the gallery for each query, without pictures.

    The same class comes first, then the same main class, then the rest; of these, what was granted closest before.
    """
    gallery = [dataset.at(position) for position in range(len(dataset.gallery))]
    classes = _numbered([group_of(drawing, "class") for drawing in gallery])
    mains = _numbered([_main_class(drawing) for drawing in gallery])
    days = np.array([d.granted.toordinal() if d.granted else NO_DAY for d in gallery], dtype=np.float64)
    known = days != NO_DAY
    span = float(np.ptp(days[known])) + 1 if known.any() else 1.0
    place = {drawing.id: position for position, drawing in enumerate(gallery)}
    for query in range(len(dataset.queries)):
        own = place[dataset.query(query).id]
        scores = np.zeros(len(gallery))
        scores[(mains == mains[own]) & (mains >= 0)] = _MAIN_CLASS
        scores[(classes == classes[own]) & (classes >= 0)] = _SAME_CLASS
        if known[own]:
            scores[known] += _CLOSENESS * (1 - np.abs(days[own] - days[known]) / span)
        yield scores.astype(np.float32)


def _main_class(drawing: Drawing) -> str:
    """The top of the code that `group_of` takes."""
    scheme, _, code = group_of(drawing, "class").partition(" ")
    return next((f"{scheme} {c.ancestors[0]}" for c in drawing.classes if (c.scheme, c.code) == (scheme, code)), "")


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """A number for each name, -1 for none."""
    numbers: dict[str, int] = {"": -1}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
