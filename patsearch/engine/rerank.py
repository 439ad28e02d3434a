"""k-reciprocal re-ranking of a query's best candidates.

Zhong, Zheng, Cao, Li: Re-ranking Person Re-identification with k-reciprocal Encoding (2017). Two drawings
that are among each other's nearest are likelier to belong together than the cosine alone says. With the query
p and its candidates as points, d = 1 - cosine, and N(x, k) the point x itself and its k nearest others:

    R(x, k)  = those of N(x, k) that have x among their own N(., k)                              (eq. 3)
    R*(x)    = R(x, k1), joined by R(q, k1 / 2) for each q in R(x, k1) with
               |R(x, k1) & R(q, k1 / 2)| >= 2/3 |R(q, k1 / 2)|                                   (eq. 5)
    V_x      = exp(-d(x, .)) on R*(x), 0 elsewhere, of sum 1                                     (eq. 7)
    V_x      = the mean of V over x and its k2 - 1 nearest others                                (eq. 11)
    J(p, g)  = sum of min(V_p, V_g) / sum of max(V_p, V_g)                                       (eq. 10)
    score(g) = (1 - lambda) J(p, g) + lambda cosine(p, g)                     (eq. 12, as 1 - distance)

As in the authors' code x is the first of its own neighbours, k1 / 2 is rounded to even halves and V has the sum 1.
Unlike there, no other query and only a limited number of candidates take part, which is what a search engine can
afford; beyond them J is 0. With as many candidates as the gallery has drawings it is the whole ranking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from patsearch.deadline import check
from patsearch.errors import UsageError

Floats = NDArray[np.float32]

_HINT = "Write k1,k2,lambda and optionally the number of candidates: 7,2,0.5 or 7,2,0.5,500."
DEFAULT_CANDIDATES = 200
# Matrices of candidates x candidates are held in memory. A design has tens of drawings, not hundreds.
_MOST_CANDIDATES = 2000
_MOST_NEIGHBOURS = 200
# Numbers of a matrix that are handled in one step.
_NUMBERS = 1 << 19


@dataclass(frozen=True, slots=True)
class Rerank:
    """How to re-rank; see the module.

    Attributes:
        k1: neighbours that must be mutual, up to 200; about as many as a design has drawings, or a few times that.
        k2: neighbours over which encodings are averaged, 1 for none; at most k1.
        weight: lambda, the weight of the cosine relative to the overlap of neighbours, 0 to 1.
        candidates: number of the best by cosine that take part, 2 to 2000.

    Raises:
        UsageError: a value out of range.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3
    candidates: int = DEFAULT_CANDIDATES

    def __post_init__(self) -> None:
        if (
            not 1 <= self.k2 <= self.k1 <= _MOST_NEIGHBOURS
            or not 0 <= self.weight <= 1
            or not 2 <= self.candidates <= _MOST_CANDIDATES
        ):
            raise UsageError(
                f"Re-ranking with k1 {self.k1}, k2 {self.k2}, lambda {self.weight}, {self.candidates} candidates "
                "is out of range.",
                hint=f"1 <= k2 <= k1 <= {_MOST_NEIGHBOURS}; lambda 0 to 1; 2 to {_MOST_CANDIDATES} candidates.",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `k1,k2,lambda` or `k1,k2,lambda,candidates`.

        Raises:
            UsageError: the text is not valid, or a value is out of range.
        """
        try:
            k1, k2, weight, *rest = text.split(",")
            (candidates,) = (int(part) for part in rest or [str(DEFAULT_CANDIDATES)])
            values = int(k1), int(k2), float(weight)
        except ValueError as error:
            raise UsageError(f"Invalid rerank {text!r}: expected K1,K2,LAMBDA.", hint=_HINT) from error
        return cls(*values, candidates)

    def __str__(self) -> str:
        return f"{self.k1},{self.k2},{self.weight:g},{self.candidates}"

    def words(self) -> str:
        """As reports print it."""
        return f"k1 {self.k1}, k2 {self.k2}, lambda {self.weight:g}"

    def scores(self, cosines: Floats, vectors: Floats) -> Floats:
        """New scores of a query's drawings, (N,), in [-lambda, 1]; higher is closer.

        Args:
            cosines: (N,) with the query, best summed in float64; -inf for a drawing that is left out, which stays so.
            vectors: (N, dim) float32, rows of unit length; only the candidates' are read.
        """
        order = np.argsort(-cosines, kind="stable")
        chosen = order[: min(self.candidates, int(np.isfinite(cosines).sum()))]
        new = np.full(len(cosines), -np.inf, dtype=np.float32)
        new[np.isfinite(cosines)] = np.float32(self.weight) * cosines[np.isfinite(cosines)]
        if len(chosen):
            # Summed in float64 and rounded once: copies of one drawing then tie, and fall in one order always.
            mine = vectors[chosen].astype(np.float64)
            similar = np.ones((len(chosen) + 1, len(chosen) + 1), dtype=np.float32)
            similar[0, 1:] = similar[1:, 0] = cosines[chosen]
            for rows in _blocks(len(chosen)):
                similar[1:, 1:][rows] = mine[rows] @ mine.T
            new[chosen] += np.float32(1 - self.weight) * mutual_overlap(similar, k1=self.k1, k2=self.k2)
        return new


def mutual_overlap(similar: Floats, *, k1: int, k2: int) -> Floats:
    """J of the first point with each other one, (P - 1,), 0 to 1.

    Needs the memory of a few matrices (P, P), whatever k1 and k2 are.

    Args:
        similar: (P, P) float32 cosines of the points; the diagonal is not read.

    Raises:
        TimedOut: the deadline of this context has passed.
    """
    points = len(similar)
    nearest = np.concatenate([_nearest(similar, rows, k1) for rows in _blocks(points)])  # (P, k1 + 1)
    nearer = nearest[:, : int(np.around(k1 / 2)) + 1]
    mutual, half = _mutual(nearest), _mutual(nearer)
    belongs = half[np.arange(points)[:, None], nearer]  # (P, h), which of the nearer ones are mutual: R(q, k1 / 2)
    weights = np.empty((points, points), dtype=np.float32)
    for rows in _blocks(points, nearest.shape[1] * nearer.shape[1]):
        reached = _reached(mutual[rows], nearest[rows], nearer, belongs)
        weights[rows] = _weights(similar[rows], reached, rows.start)
    mine = _mean(weights, nearest[:1, :k2])
    common = np.concatenate(
        [np.minimum(mine, _mean(weights, nearest[rows, :k2])).sum(axis=1) for rows in _blocks(points)]
    )[1:]
    # Of two vectors of sum 1 the maxima add up to 2 less the minima.
    return np.asarray(common / (2 - common), dtype=np.float32)


def _blocks(points: int, width: int = 0) -> Iterator[slice]:
    """The points a few rows at a time, as many as fit in memory by their width, as long as there is time."""
    step = max(1, _NUMBERS // max(width, points))
    for start in range(0, points, step):
        check()
        yield slice(start, min(start + step, points))


def _nearest(similar: Floats, rows: slice, k1: int) -> NDArray[np.intp]:
    """The points of some rows, each first, and its k1 nearest others, (rows, k1 + 1)."""
    itself_first = -similar[rows]
    own = np.arange(len(itself_first))
    itself_first[own, own + rows.start] = -np.inf
    return np.argsort(itself_first, axis=1, kind="stable")[:, : k1 + 1].copy()


def _mutual(nearest: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(P, P), true where each is among the other's nearest, (P, k)."""
    near = np.zeros((len(nearest), len(nearest)), dtype=np.bool_)
    np.put_along_axis(near, nearest, True, axis=1)
    return near & near.T


def _reached(
    mutual: NDArray[np.bool_], nearest: NDArray[np.intp], nearer: NDArray[np.intp], belongs: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """R* of some points, (rows, P).

    Args:
        mutual, nearest: their R(x, k1), (rows, P), and their nearest, (rows, k1 + 1).
        nearer, belongs: of every point the nearer half, (P, h), and which of those are in its R(q, k1 / 2).
    """
    rows = np.arange(len(mutual))
    sets, inside = nearer[nearest], belongs[nearest]  # (rows, k1 + 1, h), R(q, k1 / 2) of each of the nearest
    common = (mutual[rows[:, None, None], sets] & inside).sum(axis=2)  # (rows, k1 + 1)
    fits = mutual[rows[:, None], nearest] & (3 * common >= 2 * inside.sum(axis=2))
    joined = inside & fits[:, :, None]
    reached = mutual.copy()
    reached[np.broadcast_to(rows[:, None, None], sets.shape)[joined], sets[joined]] = True
    return reached


def _weights(similar: Floats, reached: NDArray[np.bool_], start: int) -> Floats:
    """V of the points from `start` on, (rows, P)."""
    weights = np.where(reached, np.exp(similar - 1), np.float32(0))
    own = np.arange(len(weights))
    weights[own, own + start] = 1.0  # exp(-d) of a point with itself
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _mean(weights: Floats, nearest: NDArray[np.intp]) -> Floats:
    """The mean of V over the nearest of some points, (rows, k2); (rows, P)."""
    total = np.zeros((len(nearest), weights.shape[1]), dtype=np.float32)
    for column in nearest.T:
        total += weights[column]
    return total / np.float32(nearest.shape[1])
