"""A second look at the densest windows of a drawing, at full size: what a `Details` graph of `lite0` needs to know.

A whole figure at 256 pixels shows its shape and little of the pen. Cut into a grid of 4 x 4 windows at three times that
size, its densest windows show small parts and the strokes. The vectors of both looks stand beside each other. The whole
is looked at in more than one size, for free-hand lines are found better in a smaller one.

An enlarged small picture has no details, only blurred strokes, which tell pictures by their size and not by what they
show. So the local part counts less the wider its edges are, down to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.detail_maps import GRID

# Pixels of the large picture; of 1 to 4, with this one small pictures are most like those that are made at once.
WIDEN = 3
Drawings = NDArray[np.uint8]
Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Details:
    """How a drawing's densest windows add to its vector.

    Attributes:
        count: windows looked at, from 1.
        weight: of their part beside that of the whole drawing.
        shrinks: sides of the large picture over those of the small ones that show the whole.
        shares: of the small pictures' vectors, which are added.
        axes: (C, dim) float32, orthonormal, along which the local part is kept.
        sharp, blurred: widths of edges in pixels of the large picture up to which the local part counts in full, and
            from which it does not count at all.
        weights: of the network that looks at windows, where it is another one.
    """

    count: int
    weight: float
    shrinks: tuple[int, ...]
    shares: tuple[float, ...]
    axes: NDArray[np.float32]
    sharp: float = 2.0
    blurred: float = 3.0
    weights: Mapping[str, NDArray[np.float32]] | None = None

    def join(self, whole: NDArray[np.float32], windows: NDArray[np.float32], cut: Windows) -> Vectors:
        """(N, C + dim) vectors of unit length, as the graph gives them.

        Args:
            whole: (N, shrinks, C) vectors of whole drawings.
            windows: (N, count, C) those of their windows.
            cut: where the windows came from.
        """
        gate = np.clip((self.blurred - cut.edges) / (self.blurred - self.sharp), 0, 1)
        local = _unit(_added(windows, np.sqrt(cut.ink)) @ self.axes)
        first = _added(whole, np.broadcast_to(np.asarray(self.shares), whole.shape[:2]))
        return _unit(np.concatenate([first, self.weight * gate[:, None] * local], axis=1))


@dataclass(frozen=True, slots=True)
class Windows:
    """The densest windows of N drawings.

    Attributes:
        drawings: (N, count, s, s) uint8, densest first, ties in reading order.
        ink: (N, count) float64, their means, 0 to 255, of ink.
        edges: (N,) float64, width of the edges in them in pixels (`edge_width`).
    """

    drawings: Drawings
    ink: Vectors
    edges: Vectors


def split(drawings: Drawings, count: int, grid: int = GRID) -> Windows:
    """The densest of the grid x grid windows of (N, grid s, grid s) drawings: what the graph cuts out."""
    n, size, _ = drawings.shape
    side = size // grid
    windows = drawings.reshape(n, grid, side, grid, side).transpose(0, 1, 3, 2, 4).reshape(n, grid * grid, side, side)
    ink = 255 - windows.mean(axis=(2, 3))
    order = np.argsort(-ink, axis=1, kind="stable")[:, :count]
    chosen = np.take_along_axis(windows, order[:, :, None, None], axis=1)
    return Windows(chosen, np.take_along_axis(ink, order, axis=1), edge_width(chosen))


def shrunk(drawings: Drawings, shrink: int) -> Drawings:
    """(N, s, s) for (N, shrink s, shrink s): the whole drawing as the graph makes it.

    Lines are widened before they are averaged away, so that it is much like what `preprocess` makes of the original.
    """
    side = drawings.shape[1] // shrink
    kernel = np.ones((WIDEN, WIDEN), np.uint8)
    wide = [cv2.erode(drawing, kernel, borderType=cv2.BORDER_REPLICATE) for drawing in drawings]
    return np.stack([np.asarray(cv2.resize(d, (side, side), interpolation=cv2.INTER_AREA), np.uint8) for d in wide])


def edge_width(windows: Drawings) -> Vectors:
    """(N,) mean width in pixels of the edges in (N, count, s, s) windows; 0 where there are none.

    An edge that rises evenly over w pixels has a sum of squared first differences of 1 / w, and of second ones of
    2 / w^2, so that twice the ratio of the two is w.
    """
    grey = windows.astype(np.float64)
    first = second = np.zeros(len(windows))
    for axis in (2, 3):
        first = first + np.square(np.diff(grey, axis=axis)).sum(axis=(1, 2, 3))
        second = second + np.square(np.diff(grey, 2, axis=axis)).sum(axis=(1, 2, 3))
    return 2 * first / np.maximum(second, 1)


def fit_axes(windows: NDArray[np.float32], cut: Windows, dim: int) -> NDArray[np.float32]:
    """(C, dim): the axes with most of the local parts of N drawings of many designs and hands.

    Not those of their differences from the mean: centring on drawings made by a program costs on real ones.

    Args:
        windows, cut: as in `Details.join`.
        dim: at most N and C.
    """
    local = _added(windows, np.sqrt(cut.ink))
    _, axes = np.linalg.eigh(local.T @ local)  # ascending
    return np.ascontiguousarray(axes[:, ::-1][:, :dim], np.float32)


def _added(vectors: NDArray[np.float32], shares: Vectors) -> Vectors:
    """(N, C) of unit length: the sum of each drawing's vectors (N, k, C) by their shares (N, k)."""
    return _unit(np.einsum("nkc,nk->nc", _unit(vectors), shares))


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float64)
