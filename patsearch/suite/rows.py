"""The rows of the suite `seed`: what the literature on DeepPatent compares, and the recipes that go beyond it.

With a small budget on a CPU, no row can be trained as its recipe says. The changes are the same for all rows and
printed with the table: CPU seconds, side of the drawings, backbone, learning rates, moving average, and which
vectors are searched. A row keeps its losses, its way of drawing batches and its augmentations, and the network
where that is what the row is about (`Row.changes`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patsearch.errors import UsageError
from patsearch.training.config import Recipe
from patsearch.training.recipes import load_recipe

TAKEN, UNTRAINED, TRAINED = "taken", "untrained", "trained"


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        name: in the table.
        recipe: what is trained; of an untrained row, the network it starts from.
        kind: "taken" (an existing encoder), "untrained" or "trained".
        published: mean average precision on DeepPatent's test split as published, or None.
        published_as: the network and size of that figure.
        changes: of the recipe, with a small budget, beyond those of all rows.
    """

    name: str
    recipe: str
    kind: str = TRAINED
    published: float | None = None
    published_as: str = ""
    changes: tuple[str, ...] = ()


def _rows(suite: str) -> tuple[Row, ...]:
    table = tomllib.loads((Path(__file__).parent / f"{suite}.toml").read_text(encoding="utf-8"))
    return tuple(Row(**row | {"changes": tuple(row.get("changes", ()))}) for row in table["row"])


SEED = _rows("seed")
SUITES = {"seed": SEED}


def rows_of(suite: str, names: Sequence[str]) -> tuple[Row, ...]:
    """The rows of a suite, all where no names are given, in its own order.

    Raises:
        UsageError: no such suite or row.
    """
    if suite not in SUITES:
        raise UsageError(f"Invalid suite {suite!r}.", hint=f"Known: {', '.join(SUITES)}.")
    known = {row.name: row for row in SUITES[suite]}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"Invalid --rows {unknown[0]!r}: the suite {suite} has no such row.", hint=f"Known: {', '.join(known)}."
        )
    return tuple(row for row in known.values() if not names or row.name in names)


def small_budget(*, cpu_seconds: float, size: int, families: Sequence[str]) -> tuple[str, ...]:
    """The changes of every trained row."""
    held = ", ".join(f'"{name}"' for name in families)
    return (
        f"schedule.cpu_seconds={cpu_seconds:g}",
        "schedule.precision=fp32",
        "schedule.rate=4e-4",
        "schedule.head_rate=4e-3",
        "schedule.average=0.98",
        "schedule.save_seconds=30",
        f"data.stages=[{{size={size}}}]",
        f"data.held_out_families=[{held}]",
        "data.workers=0",
        f"search.size={size}",
        "network.pooling=gem",
        "network.embedding=pooled",
        # The table's figures are those of the last weights: held-out designs select nothing.
        "validation.every=1000000",
        "validation.designs=20",
    )


def recipe_of(row: Row, common: Sequence[str], more: Sequence[str] = ()) -> Recipe:
    """The recipe of a row with the changes of all rows, its own and the user's.

    Raises:
        SettingsError: a change that the recipe does not know.
    """
    return load_recipe(row.recipe, changes=(*common, *row.changes, *more))
