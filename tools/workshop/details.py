"""A second look at the densest windows of a drawing, at its own scale: what a `Details` graph of `lite0` must know.

A whole figure at 256 pixels shows its shape and little of its style. Windows at the scale of the sheet show strokes as
the draughtsman drew and the scanner saw them, and the drawings of one patent share these in all views. The
vectors of both are concatenated. The whole is encoded in two sizes, because free-hand lines are found better in a
smaller one. All of them are in one square (`patsearch.encoder.preprocess`).

A small picture has no windows, and an enlarged one has blurred strokes for details. Instead of the local part, such
drawings have a separate axis, the more the wider their edges are. So they are compared by shape, and what comes in
the format of the query is preferred, as drawings of one patent do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.preprocess import Preprocessing

Drawings = NDArray[np.uint8]
Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Details:
    """How a drawing's densest windows add to its vector.

    Attributes:
        weight: of their part relative to that of the whole drawing.
        shares: of the whole drawing's vectors, of the larger and of the smaller copy, which are added.
        axes: (C, dim) float32, orthonormal, along which the local part is kept.
        sharp, blurred: widths of edges in pixels up to which the local part counts in full, and from which it does not
            count at all.
        weights: of the network for windows, if it is another one.
        power: of the pooling of windows.
        shape_axes: (C, shape_dim) float32, the linear map of the whole's part to what is kept; None to keep all of it.
    """

    weight: float
    shares: tuple[float, float]
    axes: NDArray[np.float32]
    sharp: float = 2.0
    blurred: float = 3.0
    weights: Mapping[str, NDArray[np.float32]] | None = None
    power: int = 3
    shape_axes: NDArray[np.float32] | None = None

    @property
    def shape_dim(self) -> int:
        """Length of the whole's part."""
        return len(self.axes) if self.shape_axes is None else int(self.shape_axes.shape[1])

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.shape_dim + int(self.axes.shape[1]) + 1

    def join(self, whole: NDArray[np.float32], windows: NDArray[np.float32], tiles: Tiles) -> Vectors:
        """(N, shape_dim + dim + 1) vectors of unit length, as the graph gives them.

        Args:
            whole: (N, 2, C) vectors of whole drawings.
            windows: (N, count, C) those of their windows.
            tiles: what was looked at.
        """
        gate = np.clip((self.blurred - tiles.edges) / (self.blurred - self.sharp), 0, 1)
        gate = np.where(tiles.ink.any(axis=1), gate, 0)[:, np.newaxis]
        turned = _unit(local_part(windows, tiles) @ self.axes)
        local = np.concatenate([gate * turned, np.sqrt(1 - gate**2)], axis=1)
        first = whole_part(whole, self.shares)
        if self.shape_axes is not None:
            first = _unit(first @ self.shape_axes)
        return _unit(np.concatenate([first, self.weight * local], axis=1))


@dataclass(frozen=True, slots=True)
class Tiles:
    """What the squares of N drawings hold.

    Attributes:
        whole: (N, s, s) uint8.
        smaller: (N, t, t) uint8.
        windows: (N, count, t, t) uint8, densest first.
        ink: (N, count) float64, their means, 0 to 255, of ink.
        edges: (N,) float64, width of the edges in them in pixels (`edge_width`).
    """

    whole: Drawings
    smaller: Drawings
    windows: Drawings
    ink: Vectors
    edges: Vectors

    @classmethod
    def of_windows(cls, windows: Drawings) -> Tiles:
        """Windows (N, count, s, s) alone."""
        nothing = windows[:, 0, :0, :0]
        return cls(nothing, nothing, windows, 255 - windows.mean(axis=(2, 3)), edge_width(windows))


def cut(squares: Drawings, spec: Preprocessing) -> Tiles:
    """Take (N, size, size) squares with windows apart, as the graph does."""
    side, smaller = spec.whole.size, spec.smaller.size
    windows = squares[:, : smaller * spec.windows, side:].reshape(len(squares), spec.windows, smaller, smaller)
    tiles = Tiles.of_windows(windows)
    return Tiles(squares[:, :side, :side], squares[:, side : side + smaller, :smaller], windows, tiles.ink, tiles.edges)


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


def local_part(windows: NDArray[np.float32], tiles: Tiles) -> Vectors:
    """(N, C) of unit length: the vectors of each drawing's windows (N, count, C), added by the roots of their ink."""
    return _added(windows, np.sqrt(tiles.ink))


def whole_part(whole: NDArray[np.float32], shares: tuple[float, float]) -> Vectors:
    """(N, C) of unit length: the vectors of both copies of the whole drawings, (N, 2, C), added by their shares."""
    return _added(whole, np.broadcast_to(np.asarray(shares), whole.shape[:2]))


def fit_axes(local: Vectors, dim: int, flattened: float = 0.0) -> NDArray[np.float32]:
    """(C, dim): the axes with most of the vectors (N, C) of drawings of many designs and hands.

    Not those of their differences from the mean: centring on drawings made by a program costs on real ones.

    Args:
        dim: at most N and C.
        flattened: how far axes with more are made shorter: 0 keeps their length, which leaves cosines as they are, 1
            makes all equal, as whitening does (Jegou, Chum: Negative Evidences and Co-occurrences in Image Retrieval,
            2012). What all drawings have in common then counts less, and rare features more.
    """
    found, axes = np.linalg.eigh(local.T @ local)  # ascending
    kept = axes[:, ::-1][:, :dim]
    if flattened:
        amounts = np.maximum(found[::-1][:dim], 1e-9 * found[-1])
        kept = kept * (amounts / amounts[0]) ** (-flattened / 2)
    return np.ascontiguousarray(kept, np.float32)


def _added(vectors: NDArray[np.float32], shares: Vectors) -> Vectors:
    """(N, C) of unit length: the sum of each drawing's vectors (N, k, C) by their shares (N, k)."""
    return _unit(np.einsum("nkc,nk->nc", _unit(vectors), shares))


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float64)
