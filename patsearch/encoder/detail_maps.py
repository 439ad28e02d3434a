"""What each region of a drawing adds to its vector, for networks that look at the whole and at its densest windows.

Such a graph says what it does by the names of its tensors (`workshop.lite0_graph` writes it). With the pooled
channels v of each look, of unit length as v':

    whole:  unit(sum of a v') W    of the looks at the whole in two sizes, by fixed shares a, turned to fewer axes W
    local:  unit(sum of a v') A    of the windows, by the roots a of their ink, turned to fewer axes A
    vector: unit(whole, g local + h e), e a separate axis, h > 0 for drawings that are blurred or without windows

All lengths, g and h are numbers once a drawing is given, so that the rest is linear in v, and splits among the cells of
the feature maps as `patsearch.encoder.feature_maps` says. Cells of all looks are on one grid over the whole drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.feature_maps import TOLERANCE, Look, Regions, Run, Vectors, shares_of
from patsearch.encoder.onnx_graph import Node

# Names of the pooled channels of each look: WHOLE.0, WHOLE.1 ... and LOCAL, n count rows. With one of the endings: what
# was averaged, and the shares of the looks, one number or, of windows, (n, count, 1).
WHOLE, LOCAL, POWERS, SHARES = "look.whole", "look.local", ".powers", ".shares"
# The axes (C, dim); the last is empty, a separate one for drawings without a local part.
AXES = f"{LOCAL}.axes"
# Those of the whole, (C, dim); a graph that keeps all channels has none.
WHOLE_AXES = f"{WHOLE}.axes"


class DetailMaps:
    """Splits the vectors of one encoder among the cells of its feature maps.

    Args:
        run: gives the named tensors, for (n, size, size) uint8 drawings.
        names: of the pooled channels of the looks at the whole.
        output: name of the vectors.
        shares: of these looks.
        axes: (C, dim of the local part).
        whole_axes: (C, dim of the whole's part); None where it keeps all channels.
    """

    def __init__(
        self,
        run: Run,
        names: Sequence[str],
        output: str,
        *,
        shares: Sequence[float],
        axes: Vectors,
        whole_axes: Vectors | None = None,
    ) -> None:
        self._run, self._names, self._output = run, tuple(names), output
        self._shares, self._axes, self._whole_axes = tuple(shares), axes, whole_axes

    @classmethod
    def probe(
        cls, run: Run, names: Sequence[str], output: str, size: int, *, whole_axes: bool = False
    ) -> DetailMaps | None:
        """None where three pictures of noise show that the graph computes something else than its names say."""
        noise = np.random.default_rng(0).integers(0, 256, (3, size, size), dtype=np.uint8)
        found = run([AXES, *([WHOLE_AXES] if whole_axes else []), *(name + SHARES for name in names)], noise[:1])
        axes = np.asarray(found[AXES], np.float64)
        turned = np.asarray(found[WHOLE_AXES], np.float64) if whole_axes else None
        shares = [float(found[name + SHARES]) for name in names]
        maps = cls(run, names, output, shares=shares, axes=axes, whole_axes=turned)
        for regions in maps.regions(noise):
            whole, local = (
                np.sum([look.channels for look in regions.looks if (look.window is None) == is_whole], axis=0)
                for is_whole in (True, False)
            )
            whole = whole if turned is None else whole @ turned
            if not np.allclose(np.concatenate([whole, local @ axes]), regions.vector, atol=TOLERANCE):
                return None
        return maps

    def regions(self, drawings: NDArray[np.uint8]) -> list[Regions]:
        """One for each of (n, size, size) uint8 drawings."""
        names = [*self._names, LOCAL]
        found = self._run([*names, *(name + POWERS for name in names), LOCAL + SHARES, self._output], drawings)
        side = int(np.lcm.reduce([found[name + POWERS].shape[-1] for name in self._names]))
        return [self._regions(found, n, side) for n in range(len(drawings))]

    def _regions(self, found: Mapping[str, NDArray[Any]], n: int, side: int) -> Regions:
        vector = np.asarray(found[self._output][n], np.float32)
        count = found[LOCAL + SHARES].shape[1]
        rows = range(n * count, (n + 1) * count)
        wholes = [share * _unit(found[name][n]) for share, name in zip(self._shares, self._names, strict=True)]
        shares = found[LOCAL + SHARES][n, :, 0]
        windows = [share * _unit(found[LOCAL][row]) for share, row in zip(shares, rows, strict=True)]
        # The factors by which both parts are scaled on the way, from what becomes of them in the end.
        turned = self._whole_axes
        split = len(self._axes) if turned is None else turned.shape[1]
        added = np.sum(wholes, axis=0)
        whole = _ratio(vector[:split], added if turned is None else added @ turned)
        local = _ratio(vector[split:-1], np.sum(windows, axis=0) @ self._axes[:, :-1])
        looks = [
            Look(whole * channels, shares_of(found[name + POWERS][n]), slice(split), turned)
            for name, channels in zip(self._names, wholes, strict=True)
        ]
        for number, (row, channels) in enumerate(zip(rows, windows, strict=True)):
            cells = shares_of(found[LOCAL + POWERS][row])
            looks.append(Look(local * channels, cells, slice(split, None), self._axes, number))
        return Regions(vector, tuple(looks), (side, side))


def find_looks(nodes: Sequence[Node]) -> list[str]:
    """Names of the pooled channels of the looks at the whole; none where the graph does not look at windows."""
    known = {name for node in nodes for name in node.outputs}
    if not {LOCAL, LOCAL + POWERS, LOCAL + SHARES} <= known:
        return []
    names = [f"{WHOLE}.{number}" for number in range(len(known)) if f"{WHOLE}.{number}{POWERS}" in known]
    return [name for name in names if name in known]


def has_whole_axes(nodes: Sequence[Node]) -> bool:
    """Whether the graph turns the whole's part to fewer axes."""
    return any(WHOLE_AXES in node.inputs for node in nodes)


def tensors_of(looks: Sequence[str], *, whole_axes: bool) -> list[str]:
    """All tensors that must be handed out, for the names of the looks at the whole."""
    names = [*looks, LOCAL]
    axes = [AXES, WHOLE_AXES] if whole_axes else [AXES]
    return [*names, *(name + ending for name in names for ending in (POWERS, SHARES)), *axes]


def _unit(vector: NDArray[Any]) -> Vectors:
    vector = np.asarray(vector, np.float64)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))


def _ratio(scaled: NDArray[Any], vector: Vectors) -> float:
    """The factor between two parallel vectors, from their lengths."""
    return float(np.linalg.norm(scaled)) / max(float(np.linalg.norm(vector)), 1e-12)
