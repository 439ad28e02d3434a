"""Triangle meshes in parts: placing solids, welding, smooth patches.

Axes: x to the right, y away from the viewer of the front view, z up. Units are free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
"""(4, 4), to be multiplied from the left: `move(...) @ turn_z(...)` turns first."""

SMOOTH_ANGLE = 28.0
"""Degrees between faces up to which they count as one curved surface, which shows no line."""


@dataclass(frozen=True, slots=True)
class Solid:
    """One shape: vertices (V, 3) float64 and triangles (F, 3) int64 into them."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    def at(self, matrix: Matrix) -> Solid:
        """The shape moved, turned or scaled."""
        return Solid(self.vertices @ matrix[:3, :3].T + matrix[:3, 3], self.faces)


@dataclass(frozen=True, slots=True)
class Mesh:
    """What is rendered. Every vertex is used by a face, every face has an area.

    Attributes:
        vertices: (V, 3) float64.
        faces: (F, 3) int64.
        normals: (F, 3) float64, unit length; their sign is not relied on.
        parts: (F,) int32, the part of the object that each face belongs to, from 0 without gaps.
        patches: (F,) int32, the smooth surface that each face belongs to.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    normals: NDArray[np.float64]
    parts: NDArray[np.int32]
    patches: NDArray[np.int32]

    @property
    def part_count(self) -> int:
        return int(self.parts.max()) + 1

    @classmethod
    def of(cls, vertices: NDArray[np.float64], faces: NDArray[np.int64], parts: NDArray[np.int32]) -> Self:
        """Build a mesh from raw triangles: weld, drop faces without area and vertices without faces.

        Raises:
            ValueError: no face has an area.
        """
        from patsearch.models._kernels import smooth_patches

        extent = float(np.ptp(vertices, axis=0).max()) or 1.0
        grid = np.round((vertices - vertices.min(axis=0)) / extent * 20000).astype(np.int64)
        key = grid @ np.array([1, 30_000, 900_000_000])
        _, welded = np.unique(key, return_inverse=True)
        corners = welded[faces]
        a, b, c = corners.T
        edges = vertices[faces]
        cross = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0])
        area = np.linalg.norm(cross, axis=1)
        kept = (a != b) & (b != c) & (a != c) & (area > 1e-12 * extent * extent)
        if not kept.any():
            raise ValueError("The mesh has no face with an area.")
        faces, corners = faces[kept], corners[kept]
        normals = np.ascontiguousarray(cross[kept] / area[kept, None])
        parts_kept = np.unique(parts[kept], return_inverse=True)[1].astype(np.int32)

        pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
        pairs.sort(axis=1)
        edge = pairs[:, 0] * np.int64(len(vertices)) + pairs[:, 1]
        order = np.argsort(edge, kind="stable")
        owner = np.tile(np.arange(len(faces)), 3)
        patches = smooth_patches(
            edge[order], owner[order], normals, parts_kept, float(np.cos(np.radians(SMOOTH_ANGLE)))
        )
        used, compact = np.unique(faces, return_inverse=True)
        return cls(
            np.ascontiguousarray(vertices[used], dtype=np.float64),
            np.ascontiguousarray(compact.reshape(-1, 3), dtype=np.int64),
            normals,
            parts_kept,
            patches,
        )


class Assembly:
    """Collects the solids of an object; each `add` is a new part unless `part` names one."""

    def __init__(self) -> None:
        self._solids: list[Solid] = []
        self._parts: list[int] = []
        self._names: dict[str, int] = {}
        self._count = 0

    def add(self, solid: Solid, *where: Matrix, part: str | None = None) -> Self:
        """Place a solid. Several matrices apply as written: the last one first.

        Args:
            part: solids of the same name are one part (all spokes, all buttons): claimed or
                disclaimed together.
        """
        for matrix in reversed(where):
            solid = solid.at(matrix)
        number = self._names.get(part, -1) if part else -1
        if number < 0:
            number = self._count
            self._count += 1
            if part:
                self._names[part] = number
        self._solids.append(solid)
        self._parts.append(number)
        return self

    def copies(
        self, solid: Solid, places: Iterable[tuple[float, float, float]], turn: Matrix | None = None, *, part: str
    ) -> Self:
        """Place copies of a solid, each turned first and then moved to one of the places, as one part."""
        for place in places:
            self.add(solid, move(*place) if turn is None else move(*place) @ turn, part=part)
        return self

    def mesh(self) -> Mesh:
        """All parts as one mesh."""
        starts = np.cumsum([0] + [len(s.vertices) for s in self._solids])
        faces = [s.faces + start for s, start in zip(self._solids, starts, strict=False)]
        parts = np.repeat(self._parts, [len(s.faces) for s in self._solids]).astype(np.int32)
        return Mesh.of(np.concatenate([s.vertices for s in self._solids]), np.concatenate(faces), parts)


def move(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Matrix:
    """Shift by (x, y, z)."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def scale(x: float, y: float | None = None, z: float | None = None) -> Matrix:
    """Scale along the axes; one number scales all three. A negative one mirrors."""
    return np.diag([x, x if y is None else y, x if z is None else z, 1.0])


def turn_x(angle: float) -> Matrix:
    """Turn about x, radians: y towards z."""
    return _turn(angle, 1, 2)


def turn_y(angle: float) -> Matrix:
    """Turn about y, radians: z towards x."""
    return _turn(angle, 2, 0)


def turn_z(angle: float) -> Matrix:
    """Turn about z, radians: x towards y."""
    return _turn(angle, 0, 1)


def _turn(angle: float, first: int, second: int) -> Matrix:
    matrix = np.eye(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


FACE_ON = turn_x(np.pi / 2)
"""Turns what lies flat upright, its top to the front."""

ALONG = turn_y(np.pi / 2)
"""Lays what is upright along x."""
