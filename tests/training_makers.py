"""Inputs for the tests of training: a tiny corpus, and a recipe that learns it in a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from patsearch.training.config import Recipe
from patsearch.training.data.cache import SKETCH, VIEW, DrawingCache, Record, write_shard
from patsearch.training.recipes import check_recipe

SIZE = 40
HELD = "held"
NOTHING = {
    "mirror": 0.0, "quarter": 0.0, "tilt": 0.0, "shear": 0.0, "stretch": 0.0, "zoom": 1.0, "sketched": 0.0,
    "unhatched": 0.0, "wobbly": 0.0, "thicker": 0.0, "thinner": 0.0, "broken": 0.0, "erased": 0.0, "paler": 0.0,
    "one_bit": 0.0, "grain": 0.0,
}  # fmt: skip


def make_cache(folder: Path, designs: int = 16) -> DrawingCache:
    """Designs with their own pattern each, drawn four times in slightly other places; the last is a sketch.

    The last two are of the family "held".
    """
    records, rows = [], []
    for design in range(designs):
        family = HELD if design >= designs - 2 else "some"
        records.append(Record(f"d{design}", f"g{design}", family, (VIEW, VIEW, VIEW, SKETCH)))
        rng = np.random.default_rng(design)
        pattern = np.kron(rng.integers(0, 2, (5, 5)), np.ones((6, 6)))
        for _ in range(4):
            page = np.full((SIZE, SIZE), 255, np.uint8)
            top, left = rng.integers(2, 8, 2)
            page[top : top + 30, left : left + 30] -= (200 * pattern).astype(np.uint8)
            rows.append(page)
    folder.mkdir(parents=True, exist_ok=True)
    write_shard(folder, 0, records, np.stack(rows))
    return DrawingCache(folder)


def make_table(**sections: dict[str, object]) -> dict[str, dict[str, object]]:
    """A recipe's table: a network of 0.1 million weights at 32 pixels; sections are changed key by key."""
    table: dict[str, dict[str, object]] = {
        "network": {"architecture": "test_efficientnet", "start": "random", "projection": 16},
        "data": {"stages": [{"size": 32, "share": 1.0}], "held_out_families": [HELD], "held_out_share": 0.2},
        "batch": {"designs": 4, "drawings": 2},
        "loss": {"name": "info-nce", "options": {"temperature": 0.1}},
        "schedule": {"steps": 6, "warmup": 0.2, "rate": 1e-3, "head_rate": 5e-3, "average": 0.5, "log_steps": 1},
        "search": {"size": 40},
    }
    for name, values in sections.items():
        table[name] = table.get(name, {}) | values
    return table


def make_recipe(**sections: dict[str, object]) -> Recipe:
    """The recipe of `make_table`."""
    return check_recipe(make_table(**sections), where="a test")
