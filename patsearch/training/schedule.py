"""How far a run is, how high its learning rates are, and how large its drawings.

All of it is a function of the share of the budget that is spent, so that a recipe means the same in 100 steps,
in 30 epochs or in ten minutes of CPU time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from patsearch.errors import SettingsError

Unit = Literal["steps", "cpu_seconds", "wall_seconds"]
Shape = Literal["cosine", "linear", "constant-then-linear"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What training has taken so far, validation and saving not counted.

    Attributes:
        steps: updates of the weights.
        cpu_seconds: CPU time of this process, all its threads together.
        wall_seconds: time on the clock.
    """

    steps: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Budget:
    """When a run ends.

    Attributes:
        unit: what is counted.
        amount: how much of it there is, above 0.
    """

    unit: Unit
    amount: float

    def __post_init__(self) -> None:
        if not self.amount > 0:
            raise SettingsError(f"A run needs a budget above 0, not {self.amount} {self.unit}.")

    def share(self, spent: Spent) -> float:
        """How much of it is spent, 0 at the start, 1 or more at the end."""
        return float(getattr(spent, self.unit)) / self.amount

    def width(self, spent: Spent) -> float:
        """The share that one step takes; of a budget in seconds, the mean so far."""
        if self.unit == "steps":
            return 1 / self.amount
        return max(self.share(spent), 1e-4) / max(spent.steps, 1)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The course of the learning rates.

    Attributes:
        shape: behind the warm-up: "cosine" (Loshchilov and Hutter, SGDR, eq. 5, without restarts) or "linear"
            down to `floor`, or constant and then linear over the last `decay`.
        warmup: share of the budget over which the rates rise from 0, linearly.
        decay: share of the budget over which "constant-then-linear" falls; the other shapes do not use it.
        floor: share of the rates that is left at the end.
    """

    shape: Shape = "cosine"
    warmup: float = 0.05
    decay: float = 0.3
    floor: float = 0.0

    def factor(self, share: float, width: float = 0.0) -> float:
        """Share of the learning rates, 0 to 1, for a step.

        Args:
            share: of the budget that is spent before the step.
            width: share of the budget that the step takes; the first step's rate is thus above 0.
        """
        rising = (share + width) / self.warmup if self.warmup else 1.0
        if self.shape == "constant-then-linear":
            left = (1 - share) / self.decay if self.decay else 1.0
        else:
            left = (1 - share) / (1 - self.warmup)
        left = min(1.0, max(0.0, left))
        if self.shape == "cosine":
            left = 0.5 * (1 - math.cos(math.pi * left))
        return min(1.0, rising, self.floor + (1 - self.floor) * left)


def size_at(stages: tuple[tuple[int, float], ...], share: float) -> int:
    """The side in pixels at a share of the budget, for stages of (side, share of the budget) in order."""
    end = 0.0
    for size, part in stages:
        end += part
        # A hair of slack, so that 0.1 + 0.2 of a budget ends where 0.3 of it does.
        if share < end - 1e-9:
            return size
    return stages[-1][0]
