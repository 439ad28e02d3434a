"""Random choices that families make, in words, and their slightly altered repetition."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T")


class Dice:
    """A random generator with the few draws that shapes need.

    Args:
        rng: decides everything.
        nudge: with it, every measure (not a choice or a count) is moved a little off what `rng`
            says: the same construction in slightly other proportions, a near duplicate.
        amount: standard deviation of that move as a share of the measure's range.
    """

    def __init__(
        self, rng: np.random.Generator, nudge: np.random.Generator | None = None, amount: float = 0.12
    ) -> None:
        self.rng = rng
        self._nudge = nudge
        self._amount = amount

    def between(self, low: float, high: float) -> float:
        """A measure from the range."""
        return float(self.measures(low, high, 1)[0])

    def each(self, *ranges: tuple[float, float]) -> tuple[float, ...]:
        """A measure from every range, in their order."""
        return tuple(self.between(low, high) for low, high in ranges)

    def measures(self, low: float, high: float, n: int) -> NDArray[np.float64]:
        """n measures from the range, (n,)."""
        values = self.rng.uniform(low, high, n)
        if self._nudge is None:
            return values
        moved = values + self._nudge.normal(0, self._amount, n) * (high - low)
        return np.clip(moved, low, high)

    def whole(self, low: int, high: int) -> int:
        """A count from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def pick(self, *options: _T) -> _T:
        """One of the options."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)
