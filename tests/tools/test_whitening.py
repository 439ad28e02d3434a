"""Learned whitening: what it promises on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from patsearch.errors import SettingsError, UsageError
from workshop.whitening import fit_whitening


def designs(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """200 designs of 5 drawings in 12 dimensions; within a design the first two axes vary far more than designs do."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(200), 5)
    spread = np.array([3.0, 3.0] + [0.1] * 10)
    rows = rng.normal(size=(200, 12))[labels] + rng.normal(size=(1000, 12)) * spread + 5.0
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def nearest_is_mine(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    scores = rows @ rows.T
    np.fill_diagonal(scores, -2)
    return float((labels[scores.argmax(axis=1)] == labels).mean())


def test_brings_drawings_of_one_design_together() -> None:
    fitted, unseen = designs(0), designs(1)
    whitening = fit_whitening(*fitted, dim=12, shrinkage=0.01)
    assert nearest_is_mine(*unseen) < 0.6
    assert nearest_is_mine(whitening(unseen[0]), unseen[1]) > 0.95


def test_the_first_axes_tell_designs_apart_best() -> None:
    fitted, (rows, labels) = designs(0), designs(1)
    few = fit_whitening(*fitted, dim=6, shrinkage=0.01)(rows)
    last = fit_whitening(*fitted, dim=12, shrinkage=0.01)
    worst = (rows - last.mean) @ last.matrix[:, 6:]
    worst = (worst / np.linalg.norm(worst, axis=1, keepdims=True)).astype(np.float32)
    assert nearest_is_mine(few, labels) > nearest_is_mine(worst, labels)


def test_variation_within_designs_becomes_alike_in_all_directions() -> None:
    rows, labels = designs()
    whitening = fit_whitening(rows, labels, dim=12, shrinkage=1e-6)
    mapped = (rows.astype(np.float64) - whitening.mean) @ whitening.matrix
    means = np.stack([mapped[labels == label].mean(axis=0) for label in range(200)])
    within = np.cov((mapped - means[labels]).T)
    assert np.allclose(within / within[0, 0], np.eye(12), atol=0.02)


def test_large_shrinkage_only_centres_and_rotates() -> None:
    rows, labels = designs()
    whitening = fit_whitening(rows, labels, dim=12, shrinkage=1e9)
    centred = rows - rows.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    mapped = whitening(rows)
    assert np.allclose(mapped @ mapped.T, centred @ centred.T, atol=1e-3)


def test_rows_have_unit_length_and_a_row_at_the_mean_stays_finite() -> None:
    rows, labels = designs()
    whitening = fit_whitening(rows, labels, dim=4)
    assert np.allclose(np.linalg.norm(whitening(rows), axis=1), 1, atol=1e-5)
    assert np.isfinite(whitening(whitening.mean[None])).all()


@pytest.mark.parametrize("options", [{"dim": 0}, {"dim": 13}, {"dim": 4, "shrinkage": 0.0}])
def test_refuses_settings_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="12 dimensions"):
        fit_whitening(*designs(), **options)  # type: ignore[arg-type]


def test_needs_designs_with_several_drawings() -> None:
    rows, _ = designs()
    with pytest.raises(UsageError, match="two drawings"):
        fit_whitening(rows[:5], np.arange(5), dim=2)
    with pytest.raises(UsageError, match="two designs"):
        fit_whitening(rows[:5], np.zeros(5, np.int64), dim=2)
