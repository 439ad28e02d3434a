"""An encoder that is not trained: rotation-invariant local binary patterns over a grid of cells (RI-LBP).

Ojala, Pietikainen, Maenpaa: Multiresolution Gray-Scale and Rotation Invariant Texture Classification with Local
Binary Patterns (2002). A pixel is compared with P points on a circle of radius R around it; a point that is at
least as bright gives a 1. A ring of bits with at most two changes (U <= 2, eq. 10) is counted by its number of
ones, all other rings together: P + 2 patterns, the same for a turned picture (LBP^riu2, eq. 9). Histograms of
several circles follow one another (section 2.4).

What the sources say, and what was chosen here where they are silent:

- The radii and numbers of points are those of Ojala: (8, 1), (16, 2), (24, 3).
- RI-LBP is the weakest row of the published tables on DeepPatent (mean average precision 0.069). They name the
  method but not the number of cells, the circles or the distance: the choices here may differ from those measured.
- Cells: 8 x 8, another number as in `ri-lbp:12`. They keep where on the drawing a pattern is. So a drawing that
  is turned as a whole is not found by this encoder, though each of its patterns is.
- Pixels around which everything is equally bright are not counted: nine tenths of a drawing are paper.
- The square root of the counts, scaled to unit length as a whole: the inner product is then the Hellinger kernel.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.base import ArrayEncoder, Embeddings
from patsearch.encoder.card import EncoderCard, fingerprint
from patsearch.encoder.preprocess import Preprocessing
from patsearch.errors import EncoderError

# Points and radius in pixels of each circle.
CIRCLES = ((8, 1), (16, 2), (24, 3))
CELLS = 8
_MOST_CELLS = 32
# Points are between pixels, at multiples of this share of one: the weights are then sums of powers of two, and
# the mean of equal pixels is exactly equal to them.
_STEP = 1 / 32


def riu2(drawing: NDArray[np.uint8], points: int, radius: int) -> NDArray[np.uint8]:
    """(H, W) patterns of a (H, W) drawing, 0 to `points` + 1; pixels beyond its edge are those at the edge."""
    # OpenCV filters floats with kernels of this size directly; bytes would go through a Fourier transform.
    pixels = drawing.astype(np.float32)
    rings = [
        (cv2.filter2D(pixels, cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE) >= 0).view(np.uint8)
        for kernel in _kernels(points, radius)
    ]
    bits = np.stack(rings)  # (P, H, W)
    changes = (bits != np.roll(bits, 1, axis=0)).sum(axis=0, dtype=np.uint8)
    return np.where(changes <= 2, bits.sum(axis=0, dtype=np.uint8), np.uint8(points + 1))


@cache
def _kernels(points: int, radius: int) -> list[NDArray[np.float32]]:
    """For each point the filter that gives its brightness less that of the middle, by bilinear interpolation."""
    kernels = []
    for angle in 2 * np.pi * np.arange(points) / points:
        row, column = (np.round(value / _STEP) * _STEP for value in (-radius * np.sin(angle), radius * np.cos(angle)))
        top, left = int(np.floor(row)), int(np.floor(column))
        kernel = np.zeros((2 * radius + 3, 2 * radius + 3), np.float32)
        for y, share_y in ((top, 1 - (row - top)), (top + 1, row - top)):
            for x, share_x in ((left, 1 - (column - left)), (left + 1, column - left)):
                kernel[y + radius + 1, x + radius + 1] += share_y * share_x
        kernel[radius + 1, radius + 1] -= 1
        kernels.append(kernel)
    return kernels


class RiLbpEncoder(ArrayEncoder):
    """`cells` x `cells` histograms of the patterns on each of `CIRCLES`.

    Args:
        cells: along each side of the drawing, 1 to 32.
        size: side of the drawings in pixels.

    Raises:
        EncoderError: cells or size out of range.
    """

    portable = True

    def __init__(self, cells: int = CELLS, *, size: int | None = None) -> None:
        if not 1 <= cells <= _MOST_CELLS:
            raise EncoderError(
                f"ri-lbp takes 1 to {_MOST_CELLS} cells a side, not {cells}.", hint="Write ri-lbp:8, or ri-lbp alone."
            )
        self.cells = cells
        self.preprocessing = Preprocessing() if size is None else Preprocessing(size=size)
        self.card = EncoderCard(
            name="ri-lbp" if size is None and cells == CELLS else _name(cells, size),
            title=f"Rotation-invariant local binary patterns, {cells} x {cells} cells",
            dim=cells * cells * sum(points + 2 for points, _ in CIRCLES),
            preprocessing=self.preprocessing,
            # Without weights, the code and these numbers decide.
            sha256=fingerprint([f"ri-lbp 1 {cells} {CIRCLES} {_STEP}".encode()], self.preprocessing),
            trained_on="Nothing: local binary patterns (Ojala et al., 2002).",
            licence="Apache-2.0",
            baseline=True,
            notes="A baseline of the literature. See patsearch/encoder/ri_lbp.py for what it counts.",
        )

    def encode_arrays(self, arrays: NDArray[np.uint8]) -> Embeddings:
        size = self.preprocessing.size
        if arrays.dtype != np.uint8 or arrays.ndim != 3 or arrays.shape[1:] != (size, size):
            raise EncoderError(
                f"The encoder {self.card.name!r} takes uint8 (N, {size}, {size}), not {arrays.dtype} {arrays.shape}."
            )
        embeddings = np.empty((len(arrays), self.card.dim), np.float32)
        for row, drawing in zip(embeddings, arrays, strict=True):
            row[:] = self._histograms(drawing)
        return embeddings

    def _histograms(self, drawing: NDArray[np.uint8]) -> NDArray[np.float64]:
        place = np.arange(drawing.shape[0]) * self.cells // drawing.shape[0]
        cell = place[:, None] * self.cells + place[None, :]  # (H, W)
        parts = []
        for points, radius in CIRCLES:
            square = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
            uneven = cv2.dilate(drawing, square) != cv2.erode(drawing, square)
            bins = cell[uneven] * (points + 2) + riu2(drawing, points, radius)[uneven]
            parts.append(np.bincount(bins, minlength=self.cells**2 * (points + 2)))
        rooted = np.sqrt(np.concatenate(parts))
        length = float(np.linalg.norm(rooted))
        if length == 0:  # an empty drawing points nowhere; any unit vector does
            return np.full(self.card.dim, self.card.dim**-0.5)
        return np.asarray(rooted / length)


def load(argument: str, *, threads: int | None = None) -> RiLbpEncoder:
    """The encoder `ri-lbp`, `ri-lbp:CELLS` or `ri-lbp:CELLS?size=PIXELS`; `threads` means nothing here.

    Raises:
        EncoderError: the argument is something else.
    """
    del threads
    cells, _, option = argument.partition("?")
    key, _, size = option.partition("=")
    if (option and key != "size") or not all(text.isascii() and text.isdigit() for text in (cells, size) if text):
        raise EncoderError(f"ri-lbp:{argument} is not understood.", hint="Write ri-lbp, ri-lbp:8 or ri-lbp:8?size=256.")
    return RiLbpEncoder(int(cells or CELLS), size=int(size) if size else None)


def _name(cells: int, size: int | None) -> str:
    return f"ri-lbp:{cells}" + (f"?size={size}" if size is not None else "")
