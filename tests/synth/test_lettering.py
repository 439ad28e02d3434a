"""Figure labels."""

from __future__ import annotations

import numpy as np
import pytest

from patsearch.synth.dice import Dice
from patsearch.synth.lettering import Lettering


@pytest.mark.parametrize("source", ["pillow", "opencv", "strokes"])
@pytest.mark.parametrize("wording", ["FIG. {}", "Fig. {}", "FIGURE {}", "figure {}"])
def test_labels_have_the_height_said(source: str, wording: str) -> None:
    label = Lettering(wording, 40, source).write("12", np.random.default_rng(0))
    assert set(np.unique(label)) == {0, 255}
    assert 30 <= label.shape[0] <= 66
    assert label.shape[1] > 2 * label.shape[0]
    assert (label[0] == 0).any()
    assert (label[:, -1] == 0).any()


@pytest.mark.parametrize("source", ["pillow", "opencv", "strokes"])
def test_digits_differ(source: str) -> None:
    labels = [Lettering("{}", 40, source, weight=0.1).write(str(i), np.random.default_rng(0)) for i in range(10)]
    assert len({label.tobytes() for label in labels}) == 10


def test_every_random_hand_writes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        label = Lettering.draw(Dice(rng)).write("8", rng)
        assert (label == 0).mean() > 0.03
