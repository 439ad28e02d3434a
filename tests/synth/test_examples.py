"""The examples of docs/research/synthetic.md run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from patsearch.models.mesh import Assembly
from patsearch.synth.dice import Dice
from patsearch.synth.families import forms, registry
from patsearch.synth.views import choose_views

PAGE = Path(__file__).parents[2] / "docs" / "research" / "synthetic.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_drawings_in_memory() -> None:
    names: dict[str, Any] = {}
    exec(BLOCKS[0], names)
    assert names["label"] == 2
    assert names["drawings"].shape[1:] == (224, 224)
    assert names["query"].shape == (224, 224)


def test_new_family() -> None:
    from patsearch.synth import solids

    names: dict[str, Any] = {**vars(forms), **vars(solids), "np": np, "family": registry.family}
    names |= {"Dice": Dice, "Assembly": Assembly}
    try:
        exec(BLOCKS[1], names)
        bowl = registry.registered()["bowl"]
    finally:
        registry._FAMILIES.pop("bowl", None)
    dice = Dice(np.random.default_rng(0))
    assert len(choose_views(bowl.build(dice).mesh(), dice, count=6)) >= 4
