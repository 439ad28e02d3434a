"""One-to-one assignment of the largest sum.

The Hungarian method with potentials, row by row with shortest augmenting paths, O(n^3): Kuhn, The Hungarian method for
the assignment problem, 1955; Jonker and Volgenant, A shortest augmenting path algorithm, 1987. A patent has a few
dozen views, and no package that patsearch needs anyway has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assignment(weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs of rows and columns with the largest sum; a row or column may stay alone, and no pair has a weight <= 0.

    Args:
        weights: (N, M), finite.

    Returns:
        By row; each row and each column occurs at most once.
    """
    rows, columns = weights.shape
    side = rows + columns
    # Alone is as good as a partner of weight 0: everybody has one of these.
    costs = np.zeros((side, side))
    costs[:rows, :columns] = -np.maximum(weights, 0.0)
    partner = _assign(costs)
    return [(int(partner[c]), c) for c in _by_row(partner, rows, columns) if weights[partner[c], c] > 0]


def _by_row(partner: NDArray[np.intp], rows: int, columns: int) -> list[int]:
    return sorted((c for c in range(columns) if partner[c] < rows), key=lambda c: int(partner[c]))


def _assign(costs: NDArray[np.float64]) -> NDArray[np.intp]:
    """(N,) the row of each column in the assignment of (N, N) costs with the smallest sum."""
    side = len(costs)
    of_row, of_column = np.zeros(side), np.zeros(side)  # the potentials
    partner = np.full(side, -1, dtype=np.intp)
    for row in range(side):
        least, before = np.full(side, np.inf), np.full(side, -1, dtype=np.intp)
        done = np.zeros(side, dtype=bool)
        at, column = row, -1
        while True:
            reduced = costs[at] - of_row[at] - of_column
            better = ~done & (reduced < least)
            least[better], before[better] = reduced[better], column
            nearest = int(np.argmin(np.where(done, np.inf, least)))
            step = least[nearest]
            # What has been visited moves by the step, so that the reduced costs stay at least 0.
            of_row[row] += step
            of_row[partner[done]] += step
            of_column[done] -= step
            least[~done] -= step
            done[nearest] = True
            column = nearest
            if partner[column] < 0:
                break
            at = int(partner[column])
        while column >= 0:
            earlier = int(before[column])
            partner[column] = row if earlier < 0 else partner[earlier]
            column = earlier
    return partner
