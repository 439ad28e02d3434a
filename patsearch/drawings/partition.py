"""Shares the ink of a sheet out among its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.figure import Box
from patsearch.drawings.grey import Grey
from patsearch.drawings.raster import pieces_of

_Span = tuple[float, float, float, float]
Side = Literal["below", "above", "beside"]

_BLOCKS = (4, 2)  # cells a block, tried in turn: ink closer than about a block and a half is one cluster

_MOST_CLUSTERS = 250


@dataclass(frozen=True)
class _Cluster:
    number: int
    box: Box


def share_out(ink: Grey, labels: list[Box]) -> Grey:
    """For each cell the number of its figure: 1 + index of its label, 0 for paper.

    Args:
        ink: (H, W) 0/1, without labels and other sheet text.
        labels: boxes in cells, all labels reading upright; two to 255.

    Ink that cannot be separated stays one figure: some numbers are then absent.
    """
    coarse = _Partition(ink, labels, _BLOCKS[0])
    while len(coarse.clusters) > _MOST_CLUSTERS and coarse.block < 64:  # stippling
        coarse = _Partition(ink, labels, 2 * coarse.block)
    # Figures that all but touch are one cluster in coarse blocks.
    fine = None if coarse.enough or coarse.block > _BLOCKS[0] else _Partition(ink, labels, _BLOCKS[1])
    useful = fine is not None and fine.enough and len(fine.clusters) <= _MOST_CLUSTERS
    return (fine if fine is not None and useful else coarse).shared()


class _Partition:
    """Cuts the sheet along gaps until each part holds one label."""

    def __init__(self, ink: Grey, labels: list[Box], block: int) -> None:
        height, width = ink.shape
        padded = cv2.copyMakeBorder(ink, 0, -height % block, 0, -width % block, cv2.BORDER_CONSTANT, value=0)
        rows, columns = padded.shape[0] // block, padded.shape[1] // block
        # Whole rows first: that takes a fifth of the time of both directions at once.
        over = padded.reshape(rows, block, -1).max(axis=1)
        pieces = pieces_of(over.reshape(rows, columns, block).max(axis=2))
        self.ink = ink
        self.block = block
        self.at = pieces.at
        self.labels = [(a / block, b / block, c / block, d / block) for a, b, c, d in labels]
        self.clusters = [
            _Cluster(i, (int(x), int(y), int(x + w), int(y + h))) for i, (x, y, w, h) in enumerate(pieces.boxes) if i
        ]
        extent = max((_extent(c.box) for c in self.clusters), default=0.0)
        large = [c for c in self.clusters if _extent(c.box) >= max(8.0 / block, extent * 0.06)]
        alone = [c for c in large if not any(_within(c.box, other.box) for other in large if other is not c)]
        # A cluster inside another's box is mostly a detail of it, unless the labels say otherwise.
        self.enough = len(alone) >= len(labels)
        self.figures = {c.number for c in (alone if self.enough else large)}
        self.side = self._side()

    def shared(self) -> Grey:
        """For each cell of the ink the number of its figure."""
        table = np.zeros(len(self.clusters) + 1, np.uint8)
        if self.clusters:
            for cluster, label in self.owners().items():
                table[cluster] = label + 1
        height, width = self.ink.shape
        enlarged = np.repeat(np.repeat(table[self.at], self.block, axis=0), self.block, axis=1)
        return np.asarray(enlarged[:height, :width] * self.ink)

    def owners(self) -> dict[int, int]:
        """Cluster -> index of its label."""
        out: dict[int, int] = {}
        self._cut(self.clusters, list(range(len(self.labels))), out)
        return out

    def _side(self) -> Side:
        """On which side of their figures the labels are, as far as the whole sheet shows.

        The lowest label of labels below has nothing under it, the highest of labels above nothing over it.
        """
        over = under = 0
        for left, top, right, bottom in self.labels:
            middle = (top + bottom) / 2
            across = [c.box for c in self.clusters if c.number in self.figures and c.box[0] < right and c.box[2] > left]
            over += any(box[3] <= middle + 1 for box in across)
            under += any(box[1] >= middle - 1 for box in across)
        if over == under:
            return "beside"
        return "below" if over > under else "above"

    def _cut(self, clusters: list[_Cluster], labels: list[int], out: dict[int, int]) -> None:
        if len(labels) == 1:
            out.update({c.number: labels[0] for c in clusters})
            return
        best: tuple[float, list[_Cluster], list[_Cluster], list[int], list[int]] | None = None
        for axis in (0, 1):
            for score, first, second, labels_1, labels_2 in self._gaps(clusters, labels, axis):
                if best is None or score > best[0]:
                    best = (score, first, second, labels_1, labels_2)
        if best is None:
            self._grow(clusters, labels, out)
            return
        self._cut(best[1], best[3], out)
        self._cut(best[2], best[4], out)

    def _gaps(
        self, clusters: list[_Cluster], labels: list[int], axis: int
    ) -> list[tuple[float, list[_Cluster], list[_Cluster], list[int], list[int]]]:
        """Every straight cut across `axis` that leaves each side as many figures as labels, scored."""
        spans = [(c.box[axis], c.box[axis + 2], c, -1) for c in clusters]
        spans += [(self.labels[i][axis], self.labels[i][axis + 2], None, i) for i in labels]  # type: ignore[misc]
        spans.sort(key=lambda span: (span[0], span[1]))
        found = []
        end = spans[0][1]
        for k in range(1, len(spans)):
            start = spans[k][0]
            if start > end:
                before, after = spans[:k], spans[k:]
                labels_1, labels_2 = [s[3] for s in before if s[3] >= 0], [s[3] for s in after if s[3] >= 0]
                first, second = [s[2] for s in before if s[3] < 0], [s[2] for s in after if s[3] < 0]
                if self._holds(first, labels_1) and self._holds(second, labels_2):
                    score = float(start - end)
                    if axis == 1 and self.side != "beside":
                        touching = max(before, key=lambda s: s[1]) if self.side == "below" else after[0]
                        score *= 4.0 if touching[3] >= 0 else 1.0
                    found.append((score, first, second, labels_1, labels_2))
            end = max(end, spans[k][1])
        return found

    def _holds(self, clusters: list[_Cluster], labels: list[int]) -> bool:
        return bool(labels) and sum(c.number in self.figures for c in clusters) >= len(labels)

    def _grow(self, clusters: list[_Cluster], labels: list[int], out: dict[int, int]) -> None:
        """No straight cut: give each label its nearest cluster, then the rest to the nearest figure."""
        seeds: dict[int, int] = {}
        pairs = sorted(
            (self._reach(self.labels[i], c), i, c.number) for i in labels for c in clusters if c.number in self.figures
        )
        for _, label, number in pairs:
            if number not in seeds and label not in seeds.values():
                seeds[number] = label
        if not seeds:
            out.update({c.number: labels[0] for c in clusters})
            return
        out.update(self._spread(clusters, seeds))

    def _spread(self, clusters: list[_Cluster], seeds: dict[int, int]) -> dict[int, int]:
        """Every cluster to the label of the nearest one that has a label, nearest first (after Prim)."""
        owner = dict(seeds)
        numbers = np.array([c.number for c in clusters])
        points = [self._points(c) for c in clusters]
        everything = np.concatenate(points)
        first = np.r_[0, np.cumsum([len(p) for p in points])[:-1]]
        nearest = np.full(len(clusters), np.inf)
        label = np.zeros(len(clusters), np.intp)
        new = [k for k, number in enumerate(numbers) if number in seeds]
        while True:
            for k in new:
                own = points[k][:: 1 + len(points[k]) // 60]
                square = ((everything[:, None, :] - own[None, :, :]) ** 2).sum(axis=2).min(axis=1)
                gap = np.minimum.reduceat(square, first)
                closer = gap < nearest
                nearest[closer], label[closer] = gap[closer], owner[int(numbers[k])]
                nearest[k] = -1.0
            left = np.flatnonzero(nearest >= 0)
            if not len(left):
                return owner
            k = int(left[nearest[left].argmin()])
            owner[int(numbers[k])] = int(label[k])
            nearest[k] = -1.0
            new = [k]

    def _reach(self, label: _Span, cluster: _Cluster) -> float:
        """Distance from a label to the ink of a cluster; ink on the wrong side of the label counts thrice."""
        points = self._points(cluster)
        dx = np.maximum(np.maximum(points[:, 0] - label[2], label[0] - points[:, 0]), 0)
        dy = np.maximum(np.maximum(points[:, 1] - label[3], label[1] - points[:, 1]), 0)
        distance = np.hypot(dx, dy)
        wrong = {"below": points[:, 1] > label[3], "above": points[:, 1] < label[1]}.get(self.side)
        return float((distance if wrong is None else np.where(wrong, 3 * distance, distance)).min())

    def _points(self, cluster: _Cluster) -> NDArray[np.float32]:
        left, top, right, bottom = cluster.box
        y, x = np.nonzero(self.at[top:bottom, left:right] == cluster.number)
        points = np.stack([x + left, y + top], axis=1).astype(np.float32)
        return points[:: max(1, len(points) // 150)]


def _extent(box: Box) -> float:
    return float(np.hypot(box[2] - box[0], box[3] - box[1]))


def _within(inner: Box, outer: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
