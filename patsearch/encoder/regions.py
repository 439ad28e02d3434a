"""Which regions of two drawings agree most: the cosine of their vectors, split among the cells of a grid.

Where the encoder's graph ends in a pooling over a feature map the split is exact (`patsearch.encoder.feature_maps`).
For every other encoder one cell after the other is covered with white paper, and what the cosine loses is the
cell's share: occlusion (Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.grey import WHITE, Grey, to_grey
from patsearch.encoder.base import ArrayEncoder, Embeddings, Encoder
from patsearch.encoder.detail_maps import DetailMaps
from patsearch.encoder.feature_maps import FeatureMaps, Place
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.preprocess import Preprocessing, has_windows, is_blank, placement, preprocess, window_places
from patsearch.encoder.shape import by_shape_where_unsure
from patsearch.errors import EncoderError, ImageError

Method = Literal["feature maps", "occlusion"]

# Cells along each side of the square that are covered in turn. What is covered reaches half a cell further on each
# side, so that a line between two cells is not missed by both.
_CELLS = 8
_REACH = 0.5
# An encoder that takes pictures and not arrays gets them this small at most: dozens are in memory at a time.
_MOST_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much each cell of a grid adds to a cosine.

    The grid covers the square that `preprocess` makes of the whole drawing.

    Attributes:
        query: (h, w) float32, parts of the score by cell of the query; almost all of them are not negative.
        found: (h, w) float32, in the found drawing's.
        score: cosine of the two vectors. By "feature maps" each of the two arrays sums to it.
        method: by "occlusion" a value is what the score loses when the cell is covered with paper.
    """

    query: NDArray[np.float32]
    found: NDArray[np.float32]
    score: float
    method: Method


def agreement(
    encoder: Encoder, query: Image.Image, found: Image.Image, *, found_vector: Embeddings | None = None
) -> Agreement:
    """Which regions of two drawings agree most.

    Args:
        query: any drawing, as `encode_batch` takes it.
        found: the other.
        found_vector: (dim,) of unit length, where a better one than that of `found` is known: `found` may be a small
            picture of what was indexed. The score is then the cosine with that one, and split as exactly.

    Raises:
        ImageError: one of the two is blank.
        EncoderError: the given vector has another length.
    """
    (one,) = agreements(encoder, [query], found, found_vector=found_vector)
    return one


def agreements(
    encoder: Encoder,
    queries: Sequence[Image.Image],
    found: Image.Image,
    *,
    found_vector: Embeddings | None = None,
    style: float = 1.0,
) -> list[Agreement]:
    """Like `agreement`, for several pictures and one drawing, which is encoded once.

    Args:
        style: how much the drawing style counts, as in a search; nothing for a picture whose style is unclear.
    """
    for number, image in enumerate((*queries, found)):
        if is_blank(to_grey(image)):
            which = "found drawing" if number == len(queries) else f"picture {number + 1} of the query"
            raise ImageError(f"The {which} is blank and cannot be compared.", hint="Check the file.")
    if found_vector is not None and found_vector.shape != (encoder.card.dim,):
        raise EncoderError(
            f"The encoder {encoder.card.name!r} gives vectors of {encoder.card.dim} numbers, "
            f"not of the shape {found_vector.shape}."
        )
    if isinstance(encoder, OnnxEncoder) and (maps := encoder.feature_maps) is not None:
        return _by_feature_maps(encoder, maps, queries, found, found_vector, style=style)
    return _by_occlusion(encoder, queries, found, found_vector, style=style)


def _by_feature_maps(
    encoder: OnnxEncoder,
    maps: FeatureMaps | DetailMaps,
    queries: Sequence[Image.Image],
    found: Image.Image,
    given: Embeddings | None,
    *,
    style: float,
) -> list[Agreement]:
    spec = encoder.preprocessing
    squares = np.stack([preprocess(image, spec) for image in (found, *queries)])
    there, *query = maps.regions(squares)
    vector = there.vector if given is None else given
    agreements = []
    for image, one in zip(queries, query, strict=True):
        to_query, to_found, score = _compared(one.vector, vector, encoder.card.shape_dim, style=style)
        # A small picture of what was indexed has other windows.
        places = _places(found, spec) if given is None else []
        agreements.append(
            Agreement(
                one.contributions(to_query, total=score, places=_places(image, spec)).astype(np.float32),
                there.contributions(to_found, total=score, places=places).astype(np.float32),
                score,
                "feature maps",
            )
        )
    return agreements


def _places(image: Image.Image, spec: Preprocessing) -> list[Place]:
    """Where in the whole drawing's square its windows are."""
    grey, side = to_grey(image), spec.whole.size
    if not has_windows(grey, spec):
        return []
    place = placement(grey, spec.whole)
    places = []
    length = spec.smaller.size
    for left, top in window_places(grey, spec.windows, length):
        across, down = place.to_square(np.array([left, left + length], float), np.array([top, top + length], float))
        places.append((across[0] / side, down[0] / side, across[1] / side, down[1] / side))
    return places


def _by_occlusion(
    encoder: Encoder, queries: Sequence[Image.Image], found: Image.Image, given: Embeddings | None, *, style: float
) -> list[Agreement]:
    there = _Covered.encoded(encoder, found)
    agreements = []
    for image in queries:
        one = _Covered.encoded(encoder, image)
        vector = there.vector if given is None else given
        to_query, to_found, score = _compared(one.vector, vector, encoder.card.shape_dim, style=style)
        agreements.append(Agreement(one.falls(to_query), there.falls(to_found), score, "occlusion"))
    return agreements


def _compared(
    query: Embeddings, found: Embeddings, dim: int | None, *, style: float
) -> tuple[Embeddings, Embeddings, float]:
    """What the inner products of the query's and the found vector, (dim,) each, are the score with; and the score."""
    unsure = not by_shape_where_unsure(query[None], dim)[0, dim:].any() if dim is not None else False
    weight = 0.0 if unsure else style
    factors = np.where(np.arange(len(query)) < (len(query) if dim is None else dim), 1.0, weight)
    length = 1.0 if weight == 1 else float(np.sqrt(((query**2) @ factors) * ((found**2) @ factors)))
    to_query, to_found = (np.asarray(v * factors / max(length, 1e-12), np.float32) for v in (found, query))
    return to_query, to_found, float(np.clip(query @ to_query, -1, 1))


@dataclass(frozen=True, slots=True)
class _Covered:
    """A drawing's vector, and those of its copies with a cell covered.

    Attributes:
        vector: (dim,) float32.
        copies: (n, dim) float32.
        cells: row and column of what is covered in each copy.
    """

    vector: Embeddings
    copies: Embeddings
    cells: list[tuple[int, int]]

    @classmethod
    def encoded(cls, encoder: Encoder, image: Image.Image) -> _Covered:
        """One call of the encoder, with at most 65 drawings: cells without ink need not be covered."""
        if isinstance(encoder, ArrayEncoder) and not encoder.preprocessing.windows:
            square = preprocess(image, encoder.preprocessing)
            covered = _copies(square, _windows_of_square(encoder.preprocessing.size))
            vectors = encoder.encode_arrays(np.stack([square, *covered.values()]))
        else:
            grey = _small(to_grey(image))
            covered = _copies(grey, _windows_of_drawing(grey, encoder.card.preprocessing.whole))
            vectors = encoder.encode_batch([Image.fromarray(copy) for copy in (grey, *covered.values())])
        return cls(vectors[0], vectors[1:], list(covered))

    def falls(self, other: Embeddings) -> NDArray[np.float32]:
        """(h, w): what the cosine with another vector (dim,) loses by covering each cell; 0 for cells without ink."""
        falls = np.zeros((_CELLS, _CELLS), np.float32)
        scores = self.copies @ other
        for (row, column), score in zip(self.cells, scores, strict=True):
            # A drawing within one cell is blank without it, and the vector of a blank drawing means nothing.
            falls[row, column] = self.vector @ other - (score if np.isfinite(score) else 0)
        return falls


# Left, top, right and bottom in pixels of what is covered, by row and column of the cell.
_Windows = dict[tuple[int, int], tuple[int, int, int, int]]


def _windows_of_square(size: int) -> _Windows:
    edges = [
        (max(0, round((cell - _REACH) * size / _CELLS)), min(size, round((cell + 1 + _REACH) * size / _CELLS)))
        for cell in range(_CELLS)
    ]
    return {
        (row, column): (left, top, right, bottom)
        for row, (top, bottom) in enumerate(edges)
        for column, (left, right) in enumerate(edges)
    }


def _windows_of_drawing(grey: Grey, spec: Preprocessing) -> _Windows:
    """The same cells, in the pixels of a drawing that the encoder itself will put into the square.

    The outermost pixels of the ink stay: without them the rest would be trimmed and scaled in another way, and all
    of the drawing would seem to have changed.
    """
    place = placement(grey, spec)
    last_x, last_y = place.left + place.width - 1, place.top + place.height - 1
    windows = {}
    for cell, (left, top, right, bottom) in _windows_of_square(spec.size).items():
        first, end = place.to_drawing(left, top), place.to_drawing(right, bottom)
        windows[cell] = (
            max(place.left + 1, round(first[0])),
            max(place.top + 1, round(first[1])),
            min(last_x, round(end[0])),
            min(last_y, round(end[1])),
        )
    return windows


def _copies(grey: Grey, windows: _Windows) -> dict[tuple[int, int], Grey]:
    """The drawing with one window white, for each window that has ink in it."""
    copies = {}
    for cell, (left, top, right, bottom) in windows.items():
        if right > left and bottom > top and not is_blank(grey[top:bottom, left:right]):
            copy = grey.copy()
            copy[top:bottom, left:right] = WHITE
            copies[cell] = copy
    return copies


def _small(grey: Grey) -> Grey:
    shrink = max(grey.shape) / _MOST_SIDE
    if shrink <= 1:
        return grey
    size = (max(1, round(grey.shape[1] / shrink)), max(1, round(grey.shape[0] / shrink)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
