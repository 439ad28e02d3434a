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

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import UsageError

Floats = NDArray[np.float32]

_HINT = "Write k1,k2,lambda and optionally the number of candidates: 7,2,0.5 or 7,2,0.5,500."
DEFAULT_CANDIDATES = 200
# Matrices of candidates x candidates are held in memory.
_MOST_CANDIDATES = 5000


@dataclass(frozen=True, slots=True)
class Rerank:
    """How to re-rank; see the module.

    Attributes:
        k1: neighbours that must be mutual; about as many as a design has drawings, or a few times that.
        k2: neighbours over which encodings are averaged, 1 for none; at most k1.
        weight: lambda, the weight of the cosine relative to the overlap of neighbours, 0 to 1.
        candidates: number of the best by cosine that take part.

    Raises:
        UsageError: a value out of range.
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3
    candidates: int = DEFAULT_CANDIDATES

    def __post_init__(self) -> None:
        if not 1 <= self.k2 <= self.k1 or not 0 <= self.weight <= 1 or not 2 <= self.candidates <= _MOST_CANDIDATES:
            raise UsageError(
                f"Re-ranking with k1 {self.k1}, k2 {self.k2}, lambda {self.weight}, {self.candidates} candidates "
                "is out of range.",
                hint=f"1 <= k2 <= k1 (drawings); lambda 0 to 1; 2 to {_MOST_CANDIDATES} candidates.",
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
            similar[1:, 1:] = mine @ mine.T
            new[chosen] += np.float32(1 - self.weight) * mutual_overlap(similar, k1=self.k1, k2=self.k2)
        return new


def mutual_overlap(similar: Floats, *, k1: int, k2: int) -> Floats:
    """J of the first point with each other one, (P - 1,), 0 to 1.

    Args:
        similar: (P, P) float32 cosines of the points; the diagonal is not read.
    """
    itself_first = -similar
    np.fill_diagonal(itself_first, -np.inf)
    nearest = np.argsort(itself_first, axis=1, kind="stable")[:, : k1 + 1]  # (P, k1 + 1)
    reached = _reached(nearest, nearest[:, : int(np.around(k1 / 2)) + 1])
    weights = np.where(reached, np.exp(similar - 1), np.float32(0))
    np.fill_diagonal(weights, 1.0)  # exp(-d) of a point with itself
    weights /= weights.sum(axis=1, keepdims=True)
    if k2 > 1:
        weights = weights[nearest[:, :k2]].mean(axis=1)
    common = np.minimum(weights[0], weights[1:]).sum(axis=1)
    # Of two vectors of sum 1 the maxima add up to 2 less the minima.
    return np.asarray(common / (2 - common), dtype=np.float32)


def _reached(nearest: NDArray[np.intp], nearer: NDArray[np.intp]) -> NDArray[np.bool_]:
    """R* of every point as a row of (P, P), from its nearest, (P, k1 + 1), and the nearer half, (P, h)."""
    points = np.arange(len(nearest))
    mutual, half = _mutual(nearest), _mutual(nearer)
    belongs = half[points[:, None], nearer]  # (P, h), which of the nearer ones are mutual: the R(q, k1 / 2)
    sets, inside = nearer[nearest], belongs[nearest]  # (P, k1 + 1, h), those sets for each of the nearest
    common = (mutual[points[:, None, None], sets] & inside).sum(axis=2)  # (P, k1 + 1)
    fits = mutual[points[:, None], nearest] & (3 * common >= 2 * inside.sum(axis=2))
    joined = inside & fits[:, :, None]
    rows = np.broadcast_to(points[:, None, None], sets.shape)
    mutual[rows[joined], sets[joined]] = True
    return mutual


def _mutual(nearest: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(P, P), true where each is among the other's nearest, (P, k)."""
    near = np.zeros((len(nearest), len(nearest)), dtype=np.bool_)
    np.put_along_axis(near, nearest, True, axis=1)
    return near & near.T
