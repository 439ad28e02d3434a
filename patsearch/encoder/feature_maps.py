"""What each region of a drawing adds to its vector, for networks whose graph ends in a pooling over a feature map.

    feature map (C, h, w) -> generalised mean -> (a linear map) -> unit length

The generalised mean of a channel, v_c = (mean_x f_c(x)^p)^(1/p), is homogeneous of degree one in the values
f_c(x) >= 0. By Euler's theorem it is the sum of the values times its own derivatives by them:

    v_c = sum_x f_c(x)^p v_c^(1-p) / N = sum_x v_c r_c(x),    r_c(x) = f_c(x)^p / sum_y f_c(y)^p

So a cell x of the map owns the share r_c(x) of channel c, the shares of a channel sum to one, and everything linear
in v is split among the cells without a rest: the cosine with another vector is. For p = 1 this is the split of
Stylianou, Souvenir and Pless, Visualizing Deep Similarity Networks (2019), section 3.

Only f^p is needed, the tensor that is averaged, and not p itself. Cell (i, j) is taken to be at its place in a grid
over the square, as everywhere: on drawings the shipped network answers a spot within 3 of 256 pixels of there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.onnx_graph import Node

Vectors = NDArray[np.float64]
# Left, top, right, bottom of a window, in shares of the sides of the whole drawing's square.
Place = tuple[float, float, float, float]
# Names of tensors and (n, size, size) uint8 drawings in, the tensors out.
Run = Callable[[Sequence[str], NDArray[np.uint8]], Mapping[str, NDArray[Any]]]

_AVERAGES = {"GlobalAveragePool", "ReduceMean"}
_UNIT = {"LpNormalization", "Div"}
_LINEAR = {"MatMul", "Gemm", "Sub", "Add"}
# What may come between the average and the linear map: it changes channels one by one, or all by one factor.
_BY_CHANNEL = {"Flatten", "Reshape", "Squeeze", "Identity", "Pow", *_UNIT}
# Float32 and other orders of summing; a graph that computes something else is off by far more.
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Tail:
    """Names of tensors at the end of a graph.

    Attributes:
        powers: (n, C, h, w), what is averaged.
        pooled: (n, C), what the linear map is applied to, or the same as `mapped`.
        mapped: (n, dim), what is scaled to unit length.
        matrix: the linear map, (C, dim) or (dim, C); None for none.
    """

    powers: str
    pooled: str
    mapped: str
    matrix: str | None

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names, each once."""
        return tuple(dict.fromkeys((self.powers, self.pooled, self.mapped)))


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a drawing adds to its vector.

    Attributes:
        channels: (C,) float64, of the pooled channels, over the length of the vector before it was scaled.
        shares: (C, h, w) float64, of the cells in each channel; they sum to 1.
        part: of the vector that the look adds to.
        axes: (C, length of that part), the linear map behind the pooling; None for the identity.
        window: which of the drawing's windows it is, densest first; None for the whole.
    """

    channels: Vectors
    shares: Vectors
    part: slice
    axes: Vectors | None
    window: int | None = None

    def parts(self, other: Vectors) -> Vectors:
        """(h, w): what each cell adds to the inner product with another vector (dim,)."""
        other = other[self.part]
        wanted = other if self.axes is None else self.axes @ other  # (C,): how much of each channel it asks for
        return np.asarray(np.einsum("c,chw->hw", wanted * self.channels, self.shares))


@dataclass(frozen=True, slots=True)
class Regions:
    """One drawing's vector, and what it is made of.

    Attributes:
        vector: (dim,) float32, of unit length, as the encoder gives it.
        looks: at the whole, and at windows of it.
        grid: rows and columns of cells over the whole drawing.
    """

    vector: NDArray[np.float32]
    looks: tuple[Look, ...]
    grid: tuple[int, int]

    def contributions(
        self, other: NDArray[np.float32], *, total: float | None = None, places: Sequence[Place] = ()
    ) -> Vectors:
        """(rows, columns) parts of the inner product of this drawing's vector and another (dim,); they sum to it.

        What belongs to no region is spread evenly: the offset of a linear map, which describes the average cell that
        each one is compared with, the parts of windows whose places are not given, and what a given `total` differs
        by from the inner product.
        """
        vector, cells = np.asarray(other, np.float64), np.zeros(self.grid)
        for look in self.looks:
            parts = look.parts(vector)
            if look.window is None:
                times = self.grid[0] // len(parts)
                cells += np.kron(parts, np.ones((times, times))) / times**2
            elif look.window < len(places):
                left, top, right, bottom = places[look.window]
                rows, columns = (
                    np.clip((low + (np.arange(n) + 0.5) / n * (high - low)) * count, 0, count - 1).astype(int)
                    for low, high, n, count in zip((top, left), (bottom, right), parts.shape, self.grid, strict=True)
                )
                np.add.at(cells, (rows[:, None], columns[None, :]), parts)
        if total is None:
            total = float(self.vector.astype(np.float64) @ other)
        return np.asarray(cells + (total - float(cells.sum())) / cells.size)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map of (n, C) to (n, dim) and what it adds; without a matrix the identity."""

    matrix: Vectors | None
    offset: Vectors

    @classmethod
    def fitted(cls, matrix: Vectors | None, pooled: Vectors, mapped: Vectors) -> Linear | None:
        """The map of these (n, C) to those (n, dim), whichever way round its matrix is stored; None for no such map."""
        ways = [None] if matrix is None else [matrix, matrix.T]
        for way in ways:
            if (pooled.shape if way is None else (len(pooled), way.shape[-1])) != mapped.shape:
                continue
            if way is not None and way.shape[0] != pooled.shape[1]:
                continue
            offsets = mapped - (pooled if way is None else pooled @ way)
            # The wrong matrix, or what is not linear, leaves another rest for every drawing.
            if float(np.abs(offsets - offsets[0]).max()) <= TOLERANCE * float(np.abs(mapped).max()):
                return cls(way, offsets[0])
        return None


class FeatureMaps:
    """Splits the vectors of one encoder among the cells of its feature map.

    Args:
        run: gives the named tensors, for (n, size, size) uint8 drawings.
        tail: which they are.
        linear: what comes between pooled and mapped.
        output: name of the vectors.
    """

    def __init__(self, run: Run, tail: Tail, linear: Linear, output: str) -> None:
        self._run, self._tail, self._linear, self._output = run, tail, linear, output

    @classmethod
    def probe(cls, run: Run, tail: Tail, output: str, size: int) -> FeatureMaps | None:
        """None where three pictures of noise show that the graph computes something else than its nodes' names say."""
        noise = np.random.default_rng(0).integers(0, 256, (3, size, size), dtype=np.uint8)
        found = run([*tail.tensors, output], noise)
        powers, pooled, mapped = (np.asarray(found[n], np.float64) for n in (tail.powers, tail.pooled, tail.mapped))
        if powers.ndim != 4 or powers.shape[2] * powers.shape[3] == 1 or pooled.shape != powers.shape[:2]:
            return None
        unit = mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-12)
        positive = powers.min() >= 0 and pooled.min() >= 0
        if not positive or unit.shape != found[output].shape or not np.allclose(unit, found[output], atol=TOLERANCE):
            return None
        matrix = None if tail.matrix is None else np.asarray(run([tail.matrix], noise[:1])[tail.matrix], np.float64)
        linear = None if matrix is not None and matrix.ndim != 2 else Linear.fitted(matrix, pooled, mapped)
        return None if linear is None else cls(run, tail, linear, output)

    def regions(self, drawings: NDArray[np.uint8]) -> list[Regions]:
        """One for each of (n, size, size) uint8 drawings."""
        tail = self._tail
        found = self._run([*tail.tensors, self._output], drawings)
        lengths = np.linalg.norm(np.asarray(found[tail.mapped], np.float64), axis=1, keepdims=True)
        pooled = np.asarray(found[tail.pooled], np.float64) / np.maximum(lengths, 1e-12)
        vectors = np.asarray(found[self._output], np.float32)
        grid = found[tail.powers].shape[2:]
        looks = (
            Look(channels, shares_of(powers), slice(None), self._linear.matrix)
            for channels, powers in zip(pooled, found[tail.powers], strict=True)
        )
        return [Regions(vector, (look,), grid) for vector, look in zip(vectors, looks, strict=True)]


def shares_of(powers: NDArray[Any]) -> Vectors:
    """(C, h, w) shares of the cells in each channel, for the powers (C, h, w) that are averaged; they sum to 1."""
    powers = np.asarray(powers, np.float64)
    sums = powers.sum(axis=(1, 2), keepdims=True)
    # A channel that is nowhere adds nothing, and is spread evenly in case that another's vector is put in.
    even = np.full_like(powers, 1 / (powers.shape[1] * powers.shape[2]))
    return np.asarray(np.divide(powers, sums, out=even, where=sums > 0))


def find_tail(nodes: Sequence[Node], output: str) -> Tail | None:
    """The tensors named in `Tail`, where the graph that gives `output` ends as this module can split it."""
    maker = {name: node for node in nodes for name in node.outputs}
    last = maker.get(output)
    if last is None or last.kind not in _UNIT:
        return None
    mapped = pooled = last.inputs[0]
    matrix: str | None = None
    while (node := maker.get(pooled)) is not None and node.kind in _LINEAR:
        if node.kind in ("MatMul", "Gemm"):
            # One matrix can be handed out and multiplied with; one that is itself computed is not such a map.
            if matrix is not None or node.inputs[1] in maker:
                return None
            matrix = node.inputs[1]
        pooled = node.inputs[0]
    name = pooled
    while (node := maker.get(name)) is not None and node.kind in _BY_CHANNEL:
        name = node.inputs[0]
    return Tail(node.inputs[0], pooled, mapped, matrix) if node is not None and node.kind in _AVERAGES else None
