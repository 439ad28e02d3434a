"""From a mesh and a point of view to lines: hidden lines removed, as vectors.

The mesh is drawn into a depth buffer that keeps the face at each pixel; where neighbouring pixels
show another surface runs a crack, and the cracks are followed from junction to junction. Parts may
intersect: their seams appear by themselves. The lines are curves with a kind and a part, which a
style then inks at any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from patsearch.models.mesh import Mesh

# Thresholds in pixels of the depth buffer. Different surfaces: any visible step is a line. Within one
# smooth surface: grazing faces differ by a pixel or two without a fold.
_TIE, _STEP, _FOLD = 2e-3, 0.45, 4.5
_CREASE = float(np.cos(np.radians(38)))
_SHORTEST, _SMOOTHING = 7, 2
_BORDER = 3


@dataclass(frozen=True, slots=True)
class View:
    """A point of view.

    Attributes:
        name: as a caption says it, "perspective view", "left side elevational view".
        azimuth: degrees; -90 looks at the front, 0 at the right side.
        elevation: degrees above the horizon; 90 is the top.
        perspective: 0 is parallel projection; else the object's radius over the eye's distance.
        roll: degrees by which the picture turns anticlockwise.
    """

    name: str
    azimuth: float
    elevation: float
    perspective: float = 0.0
    roll: float = 0.0

    @property
    def flat(self) -> bool:
        """Parallel projection along an axis: a view in which the object shows one side only."""
        return self.perspective == 0.0 and self.azimuth % 90 == 0 and self.elevation % 90 == 0

    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) rows: right, up, towards the eye."""
        azimuth, elevation, roll = np.radians([self.azimuth, self.elevation, self.roll])
        eye = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
        up = np.array([0.0, 0.0, 1.0])
        if abs(eye[2]) > 0.999:  # from above or below, the side that faces the azimuth is at the bottom
            up = -np.sign(eye[2]) * np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        right = np.cross(up, eye)
        right /= np.linalg.norm(right)
        c, s = np.cos(roll), np.sin(roll)
        rolled = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.stack([right, np.cross(eye, right), eye])
        return np.asarray(rolled, np.float64)


@dataclass(frozen=True, slots=True)
class Lines:
    """The visible lines of one view.

    Attributes:
        points: (N, 2) float32, x to the right and y down, in pixels of the depth buffer.
        offsets: (M + 1,) int64: line i is `points[offsets[i]:offsets[i + 1]]`.
        kinds: (M,) int32: 1 silhouette, 2 occlusion, 3 crease.
        parts: (M,) int32, the part of the mesh whose edge it is.
        closed: (M,) bool.
        seen: (height, width) int32, the face at each pixel, -1 on the page.
        normals: (F + 1, 3) float32, towards the eye; the last row, for the page, is zero.
        scale: pixels of the depth buffer for one unit of the object.
    """

    points: NDArray[np.float32]
    offsets: NDArray[np.int64]
    kinds: NDArray[np.int32]
    parts: NDArray[np.int32]
    closed: NDArray[np.bool_]
    seen: NDArray[np.int32]
    normals: NDArray[np.float32]
    scale: float = 1.0

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the depth buffer, which the lines fill up to a border of 3 pixels."""
        return self.seen.shape[1], self.seen.shape[0]

    def line(self, i: int) -> NDArray[np.float32]:
        """(n, 2) the points of one line."""
        return self.points[self.offsets[i] : self.offsets[i + 1]]

    def strokes(self) -> Iterator[NDArray[np.float64]]:
        """The points of each line, (n, 2); a closed one ends where it begins."""
        for i in range(len(self)):
            line = self.line(i).astype(np.float64)
            yield np.vstack([line, line[:1]]) if self.closed[i] else line

    def normals_at(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, 3) normals of the surfaces seen at (n, 2) points; zero on and beyond the page."""
        x, y = np.rint(points).astype(np.int64).T
        height, width = self.seen.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        face = np.where(inside, self.seen[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)], -1)
        return self.normals[face]


def project(mesh: Mesh, view: View, size: int) -> tuple[NDArray[np.float64], NDArray[np.float64], int, int, float]:
    """Screen coordinates with the longer side fitted to `size` pixels.

    Returns:
        points (V, 3) float64 for the depth buffer, normals (F, 3) in the eye's axes, width, height, and pixels of the
        buffer for one unit of the object.
    """
    matrix = view.matrix()
    centre = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    eye = (mesh.vertices - centre) @ matrix.T
    if view.perspective > 0:
        distance = float(np.linalg.norm(eye, axis=1).max()) / view.perspective
        nearness = distance / (distance - eye[:, 2])
        # distance * nearness is linear on the screen, as the depth buffer needs it.
        points = np.column_stack([eye[:, 0] * nearness, -eye[:, 1] * nearness, distance * nearness])
    else:
        points = np.column_stack([eye[:, 0], -eye[:, 1], eye[:, 2]])
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    factor = (size - 2 * _BORDER) / max(float((high - low).max()), 1e-9)
    points *= factor
    points[:, :2] += _BORDER - low * factor
    width, height = (int(np.ceil(extent * factor)) + 2 * _BORDER + 1 for extent in high - low)
    return np.ascontiguousarray(points), np.ascontiguousarray(mesh.normals @ matrix.T), width, height, factor


def render(mesh: Mesh, view: View, *, size: int = 672) -> Lines:
    """The visible lines of a mesh.

    Args:
        size: longer side of the depth buffer in pixels: three times that of the drawing to be made
            gives clean lines.
    """
    from patsearch.models import _kernels

    points, normals, width, height, scale = project(mesh, view, size)
    depth, seen, planes = _kernels.raster(points, mesh.faces, width, height, _TIE)
    across, down = _kernels.cracks(depth, seen, planes, mesh.patches, mesh.parts, normals, _STEP, _FOLD, _CREASE)
    line_points, offsets, labels, closed = _kernels.trace(across, down, _SHORTEST, _SMOOTHING)
    towards = normals * np.where(normals[:, 2:] < 0, -1.0, 1.0)
    page = np.vstack([towards, np.zeros(3)]).astype(np.float32)
    return Lines(line_points, offsets, labels & 3, labels >> 2, closed, seen, page, scale)
