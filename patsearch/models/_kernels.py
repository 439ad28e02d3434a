"""The compiled inner loops: depth buffer, discontinuities, line tracing, smooth patches.

Four functions with one explicit signature each, compiled once and cached next to this file, so that
the first use on a machine costs seconds and every later one a fraction of a second. Nothing outside
this package imports this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import PluginError

try:
    import numba
except ImportError as error:
    raise PluginError(
        "Drawing objects needs numba, which is not installed.",
        hint="Run: pip install 'patsearch[models]'; for synthetic drawings: pip install 'patsearch[synth]'.",
    ) from error

_Function = TypeVar("_Function", bound=Callable[..., object])

NOTHING, SILHOUETTE, OCCLUSION, CREASE = 0, 1, 2, 3
"""The edges between two neighbouring pixels: silhouette against the page, a part in front of another, a sharp edge."""

_PART_SHIFT = 2  # a crack's label is kind + (part << 2)


# Called by the functions below alone, and compiled into them.
_part = cast(Callable[[_Function], _Function], numba.njit(inline="always"))


def _compiled(signature: str) -> Callable[[_Function], _Function]:
    """`numba.njit` with a type that mypy can follow, cached where a folder for that can be written."""

    def compiled(function: _Function) -> _Function:
        try:
            return cast(_Function, numba.njit(signature, cache=True, nogil=True)(function))
        except RuntimeError:  # neither next to this file nor in the user's folder
            return cast(_Function, numba.njit(signature, nogil=True)(function))

    return compiled


@_compiled("Tuple((float32[:,::1], int32[:,::1], float64[:,::1]))(float64[:,::1], int64[:,::1], int64, int64, float64)")
def raster(  # noqa: PLR0912  (one compiled loop)
    points: NDArray[np.float64], faces: NDArray[np.int64], width: int, height: int, tie: float
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float64]]:
    """Scanline depth buffer that keeps the face seen at each pixel.

    Args:
        points: (V, 3) x to the right and y down in pixels, z towards the eye and linear on the screen.
        faces: (F, 3).
        tie: a face at most this much deeper (pixels) still replaces an earlier one: of faces that
            coincide, the one added last is seen everywhere, and they do not fight.

    Returns:
        depth (height, width), face (height, width; -1 is the page), planes (F, 3) with
        z = planes[f] @ (x, y, 1).
    """
    depth = np.full((height, width), -1e30, np.float32)
    seen = np.full((height, width), -1, np.int32)
    planes = np.zeros((faces.shape[0], 3), np.float64)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, z0 = points[a, 0], points[a, 1], points[a, 2]
        x1, y1, z1 = points[b, 0], points[b, 1], points[b, 2]
        x2, y2, z2 = points[c, 0], points[c, 1], points[c, 2]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        slope_x = ((z1 - z0) * (y2 - y0) - (z2 - z0) * (y1 - y0)) / area
        slope_y = ((x1 - x0) * (z2 - z0) - (x2 - x0) * (z1 - z0)) / area
        offset = z0 - slope_x * x0 - slope_y * y0
        planes[f, 0], planes[f, 1], planes[f, 2] = slope_x, slope_y, offset
        # Faces seen edge on have huge slopes: never let one leave its own range of depth.
        nearest, farthest = max(z0, z1, z2), min(z0, z1, z2)
        top = max(0, int(np.ceil(min(y0, y1, y2))))
        bottom = min(height - 1, int(np.floor(max(y0, y1, y2))))
        for y in range(top, bottom + 1):
            left, right = 1e30, -1e30
            for e in range(3):
                if e == 0:
                    xa, ya, xb, yb = x0, y0, x1, y1
                elif e == 1:
                    xa, ya, xb, yb = x1, y1, x2, y2
                else:
                    xa, ya, xb, yb = x2, y2, x0, y0
                if (ya <= y <= yb) or (yb <= y <= ya):
                    if ya == yb:
                        left, right = min(left, xa, xb), max(right, xa, xb)
                    else:
                        x = xa + (xb - xa) * (y - ya) / (yb - ya)
                        left, right = min(left, x), max(right, x)
            if left > right:
                continue
            first = max(0, int(np.ceil(left - 1e-4)))
            last = min(width - 1, int(np.floor(right + 1e-4)))
            for x_pixel in range(first, last + 1):
                z = min(max(slope_x * x_pixel + slope_y * y + offset, farthest), nearest)
                if z > depth[y, x_pixel] - tie:
                    depth[y, x_pixel] = z
                    seen[y, x_pixel] = f
    return depth, seen, planes


@_compiled(
    "Tuple((int32[:,::1], int32[:,::1]))(float32[:,::1], int32[:,::1], float64[:,::1], int32[::1], int32[::1],"
    " float64[:,::1], float64, float64, float64)"
)
def cracks(  # noqa: PLR0912, PLR0917  (one compiled loop; numba passes by position)
    depth: NDArray[np.float32],
    seen: NDArray[np.int32],
    planes: NDArray[np.float64],
    patches: NDArray[np.int32],
    parts: NDArray[np.int32],
    normals: NDArray[np.float64],
    step: float,
    fold: float,
    crease: float,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Label the crack between each two neighbouring pixels where a line must be drawn.

    Args:
        step: depth jump (pixels) that is an edge between different patches.
        fold: depth jump that is an occlusion, also within one smooth patch; twice the slope of the
            flatter face is added.
        crease: cosine below which a break of normals within a patch is an edge.

    Returns:
        (across, down), both (height + 1, width + 1) and on the corners of pixels: `across[y, x]`
        labels the crack from corner (x, y) to (x + 1, y), `down[y, x]` that to (x, y + 1);
        0 for none, else kind + 4 * part.
    """
    height, width = depth.shape
    across = np.zeros((height + 1, width + 1), np.int32)
    down = np.zeros((height + 1, width + 1), np.int32)
    for y in range(height - 1):
        for x in range(width - 1):
            a = seen[y, x]
            for k in range(2):
                yy, xx = y + k, x + 1 - k
                b = seen[yy, xx]
                if a == b:
                    continue
                kind = 0
                owner = -1
                if a < 0 or b < 0:
                    kind = 1
                    owner = parts[b] if a < 0 else parts[a]
                else:
                    # Depth differs from what BOTH faces would have there: neither just slopes away.
                    jump_a = abs(planes[a, 0] * xx + planes[a, 1] * yy + planes[a, 2] - depth[yy, xx])
                    jump_b = abs(planes[b, 0] * x + planes[b, 1] * y + planes[b, 2] - depth[y, x])
                    jump = min(jump_a, jump_b)
                    same = patches[a] == patches[b]
                    cosine = abs(
                        normals[a, 0] * normals[b, 0] + normals[a, 1] * normals[b, 1] + normals[a, 2] * normals[b, 2]
                    )
                    in_front = parts[a] if depth[y, x] > depth[yy, xx] else parts[b]
                    # Near a rim both faces are steep, and what looks like a jump is one surface.
                    slope_a = abs(planes[a, 0]) + abs(planes[a, 1])
                    slope_b = abs(planes[b, 0]) + abs(planes[b, 1])
                    if jump > fold + 2 * min(slope_a, slope_b):
                        kind, owner = 2, in_front
                    elif same:
                        if cosine < crease and abs(normals[a, 2]) > 0.25 and abs(normals[b, 2]) > 0.25:
                            kind, owner = 3, in_front
                    elif cosine < 0.985 or jump > step:
                        kind, owner = 3, in_front
                if kind > 0:
                    label = kind + (owner << _PART_SHIFT)
                    if k == 0:
                        down[y, x + 1] = label
                    else:
                        across[y + 1, x] = label
    return across, down


@_part
def _degrees(across: NDArray[np.int32], down: NDArray[np.int32]) -> tuple[NDArray[np.int8], int]:
    """How many cracks meet at each corner, and how many there are in all."""
    right, below = (across > 0).astype(np.int8), (down > 0).astype(np.int8)
    degree = right + below
    degree[:, 1:] += right[:, :-1]
    degree[1:] += below[:-1]
    return degree, right.sum() + below.sum()


@_part
def _walk(  # noqa: PLR0917  (numba passes by position)
    across: NDArray[np.int32],
    down: NDArray[np.int32],
    free_across: NDArray[np.bool_],
    free_down: NDArray[np.bool_],
    degree: NDArray[np.int8],
    y: int,
    x: int,
    chain: NDArray[np.int32],
    labels: NDArray[np.int32],
) -> int:
    """Use up the free cracks from a corner to the next junction or end; the number of cracks.

    The corners (x, y) go to `chain`, the first included, and the labels of the cracks to `labels`.
    """
    chain[0, 0], chain[0, 1] = x, y
    length = 0
    while True:
        if free_across[y, x]:
            free_across[y, x] = False
            label = across[y, x]
            x += 1
        elif free_down[y, x]:
            free_down[y, x] = False
            label = down[y, x]
            y += 1
        elif x > 0 and free_across[y, x - 1]:
            x -= 1
            free_across[y, x] = False
            label = across[y, x]
        elif y > 0 and free_down[y - 1, x]:
            y -= 1
            free_down[y, x] = False
            label = down[y, x]
        else:
            return length
        labels[length] = label
        length += 1
        chain[length, 0], chain[length, 1] = x, y
        if degree[y, x] != 2:
            return length


@_part
def _average(
    source: NDArray[np.int32] | NDArray[np.float32], target: NDArray[np.float32], n: int, radius: int, loop: bool
) -> None:
    """A moving average over n points; the ends of an open line stay where they are."""
    for i in range(n):
        r = radius if loop else min(radius, i, n - 1 - i)
        r = min(r, (n - 1) // 2)
        sx, sy = 0.0, 0.0
        for j in range(i - r, i + r + 1):
            q = j % n if loop else j
            sx += source[q, 0]
            sy += source[q, 1]
        target[i, 0], target[i, 1] = sx / (2 * r + 1), sy / (2 * r + 1)


@_compiled("Tuple((float32[:,::1], int64[::1], int32[::1], boolean[::1]))(int32[:,::1], int32[:,::1], int64, int64)")
def trace(
    across: NDArray[np.int32], down: NDArray[np.int32], shortest: int, radius: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int32], NDArray[np.bool_]]:
    """Follow the cracks from junction to junction and smooth away their stairs.

    Args:
        across, down: as `cracks` returns them.
        shortest: lines of fewer cracks than this that touch no other line, and loops, are dropped.
        radius: half the window of the moving average; ends stay where they are.

    Returns:
        points (N, 2) x, y in pixels; offsets (M + 1,) of the M lines; label (M,) of each line (that of
        its middle); closed (M,).
    """
    height, width = across.shape
    degree, total = _degrees(across, down)
    free_across, free_down = across > 0, down > 0
    chain = np.empty((total + 1, 2), np.int32)
    labels = np.empty(total + 1, np.int32)
    once = np.empty((total + 1, 2), np.float32)
    points = np.empty((2 * total + 2, 2), np.float32)
    offsets = np.zeros(total + 2, np.int64)
    line_labels = np.empty(total + 1, np.int32)
    closed = np.zeros(total + 1, np.bool_)
    lines = 0
    # First from ends and junctions, then the loops that are left.
    for loops in range(2):
        for y0 in range(height):
            for x0 in range(width):
                if degree[y0, x0] == 0 or (loops == 0 and degree[y0, x0] == 2):
                    continue
                while True:
                    length = _walk(across, down, free_across, free_down, degree, y0, x0, chain, labels)
                    x, y = chain[length]
                    if length == 0:
                        break
                    loop = x == x0 and y == y0
                    alone = degree[y0, x0] == 1 and degree[y, x] == 1
                    if length < shortest and (alone or loop):
                        continue
                    if min(degree[y0, x0], degree[y, x]) == 1 and length < 3:
                        continue
                    n = length if loop else length + 1
                    base = offsets[lines]
                    _average(chain, once, n, radius, loop)
                    _average(once, points[base:], n, radius, loop)
                    line_labels[lines] = labels[length // 2]
                    closed[lines] = loop
                    lines += 1
                    offsets[lines] = base + n
    return (
        points[: offsets[lines]].copy(),
        offsets[: lines + 1].copy(),
        line_labels[:lines].copy(),
        closed[:lines].copy(),
    )


@_compiled("int32[::1](int64[::1], int64[::1], float64[:,::1], int32[::1], float64)")
def smooth_patches(
    keys: NDArray[np.int64],
    owners: NDArray[np.int64],
    normals: NDArray[np.float64],
    parts: NDArray[np.int32],
    cosine: float,
) -> NDArray[np.int32]:
    """Join faces that meet at a flat enough edge into patches, by union-find.

    Args:
        keys: (3 F,) ascending, the same number for each use of one edge.
        owners: (3 F,) the face of each key.
        normals: (F, 3) unit length.
        cosine: of the largest angle at which faces are still one surface.

    Returns:
        (F,) the patch of each face, named by one of its faces.
    """
    parent = np.arange(normals.shape[0])
    for i in range(1, keys.shape[0]):
        if keys[i] != keys[i - 1]:
            continue
        a, b = owners[i - 1], owners[i]
        dot = normals[a, 0] * normals[b, 0] + normals[a, 1] * normals[b, 1] + normals[a, 2] * normals[b, 2]
        if dot > cosine and parts[a] == parts[b]:
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            parent[a] = b
    patches = np.empty(parent.shape[0], np.int32)
    for i in range(parent.shape[0]):
        root = i
        while parent[root] != root:
            root = parent[root]
        patches[i] = root
    return patches
