"""Relevance judgements in compressed rows: for each query the gallery positions that are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Gains = NDArray[np.float64]
NO_DAY = 0  # ordinals of days begin at 1


@dataclass(frozen=True, slots=True)
class Relevance:
    """The relevant gallery positions of every query, one row behind the other.

    Attributes:
        starts: (Q + 1,) int64; row q is `positions[starts[q]:starts[q + 1]]`.
        positions: (P,) int64, gallery positions, ascending within a row.
        gains: (P,) float64, degree of relevance, > 0.
    """

    starts: Positions
    positions: Positions
    gains: Gains

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, query: int) -> tuple[Positions, Gains]:
        """Relevant gallery positions of one query, ascending, and their gains."""
        part = slice(self.starts[query], self.starts[query + 1])
        return self.positions[part], self.gains[part]

    @property
    def counts(self) -> Positions:
        """(Q,) number of relevant gallery items of each query."""
        return np.diff(self.starts)

    def of(self, queries: Positions) -> Self:
        """The rows of some queries."""
        rows = [self.row(query) for query in queries.tolist()]
        return self.from_rows([positions for positions, _ in rows], [gains for _, gains in rows])

    @property
    def arrays(self) -> tuple[Positions | Gains, ...]:
        """All that it says."""
        return self.starts, self.positions, self.gains

    def without(self, other: Relevance) -> Self:
        """What is in a row of this but not in the same row of another; gains of 1."""
        return self.from_rows([np.setdiff1d(self.row(q)[0], other.row(q)[0]) for q in range(len(self))])

    @classmethod
    def from_rows(cls, rows: Sequence[Positions], gains: Sequence[Gains] | None = None) -> Self:
        """From one array of gallery positions a query; gains are 1 where none are given."""
        starts = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
        positions = np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int64)
        if gains is None:
            return cls(starts, positions, np.ones(len(positions)))
        return cls(starts, positions, np.concatenate([np.empty(0), *gains]).astype(np.float64))

    @classmethod
    def same_group(
        cls, query_groups: Sequence[str], gallery_groups: Sequence[str], own: Positions | None = None
    ) -> Self:
        """Everything in the query's group (its patent) is relevant, the query itself left out.

        Args:
            query_groups: Q group names.
            gallery_groups: G group names.
            own: (Q,) gallery position of the query itself, -1 where it is not in the gallery.
        """
        members: dict[str, list[int]] = {}
        for position, group in enumerate(gallery_groups):
            members.setdefault(group, []).append(position)
        arrays = {group: np.array(found, dtype=np.int64) for group, found in members.items()}
        nothing = np.empty(0, dtype=np.int64)
        rows = [arrays.get(group, nothing) for group in query_groups]
        if own is not None:
            rows = [row[row != itself] for row, itself in zip(rows, own, strict=True)]
        return cls.from_rows(rows)

    @classmethod
    def from_qrels(
        cls,
        query_ids: Sequence[str],
        gallery_ids: Sequence[str],
        judgements: Mapping[str, Mapping[str, float]],
        own: Positions | None = None,
    ) -> Self:
        """From judgements `query id -> drawing id -> degree`; degrees of 0 or less are not relevant.

        Judged drawings that are not in the gallery are left out: no ranking could find them.
        """
        place = {drawing: position for position, drawing in enumerate(gallery_ids)}
        rows: list[Positions] = []
        gains: list[Gains] = []
        for query, name in enumerate(query_ids):
            itself = -1 if own is None else int(own[query])
            row = sorted(
                (place[drawing], gain)
                for drawing, gain in judgements.get(name, {}).items()
                if gain > 0 and drawing in place and place[drawing] != itself
            )
            rows.append(np.array([position for position, _ in row], dtype=np.int64))
            gains.append(np.array([gain for _, gain in row], dtype=np.float64))
        return cls.from_rows(rows, gains)


@dataclass(frozen=True, slots=True)
class NotEarlier:
    """What is left out of each query's ranking: its own patent, and what was granted on its day or later.

    As `Relevance`, made row by row: of a large gallery, half is left out of each query's ranking.

    Attributes:
        patents, days: (G,) of the gallery: the number of each drawing's patent, and its day, 0 where it is not known.
        of_patents, of_days: (Q,) the same of the queries.
    """

    patents: NDArray[np.int64]
    days: NDArray[np.int32]
    of_patents: NDArray[np.int64]
    of_days: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.of_patents)

    def row(self, query: int) -> tuple[Positions, Gains]:
        """Gallery positions of one query, ascending, and gains of 1."""
        out = self.patents == self.of_patents[query]
        if self.of_days[query] != NO_DAY:
            out |= self.days >= self.of_days[query]
        found = np.flatnonzero(out)
        return found, np.ones(len(found))

    def of(self, queries: Positions) -> Self:
        """The rows of some queries."""
        return type(self)(self.patents, self.days, self.of_patents[queries], self.of_days[queries])

    @property
    def arrays(self) -> tuple[NDArray[np.int64] | NDArray[np.int32], ...]:
        """All that it says."""
        return self.patents, self.days, self.of_patents, self.of_days
