from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.errors import SettingsError
from patsearch.training.schedule import Budget, Schedule, Spent, size_at

SHAPES = ("cosine", "linear", "constant-then-linear")
shares = st.floats(0, 1)


@given(share=shares, shape=st.sampled_from(SHAPES), warmup=st.floats(0, 0.5), floor=st.floats(0, 1))
def test_rates_stay_between_nothing_and_all(share: float, shape: str, warmup: float, floor: float) -> None:
    factor = Schedule(shape, warmup, floor=floor).factor(share)  # type: ignore[arg-type]
    assert 0 <= factor <= 1
    if share >= warmup:
        assert factor >= floor - 1e-12


@given(a=st.floats(0.2, 1), b=st.floats(0.2, 1), shape=st.sampled_from(SHAPES))
def test_rates_never_rise_after_the_warm_up(a: float, b: float, shape: str) -> None:
    schedule = Schedule(shape, warmup=0.2)  # type: ignore[arg-type]
    early, late = sorted((a, b))
    assert schedule.factor(early) >= schedule.factor(late) - 1e-12


def test_the_shapes_at_known_places() -> None:
    width = 1 / 100
    cosine, linear = Schedule("cosine", warmup=0.1), Schedule("linear", warmup=0.1)
    kept = Schedule("constant-then-linear", warmup=0.1, decay=0.25)
    for schedule in (cosine, linear, kept):
        assert schedule.factor(0, width) == pytest.approx(0.1)  # the first step of ten is not lost
        assert schedule.factor(0.09, width) == pytest.approx(1.0, abs=1e-3)
        assert schedule.factor(1.0) == pytest.approx(0)
    assert cosine.factor(0.55) == pytest.approx(0.5)
    assert cosine.factor(0.1 + 0.9 / 4) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert linear.factor(0.325) == pytest.approx(0.75)
    assert kept.factor(0.7) == 1.0
    assert kept.factor(0.875) == pytest.approx(0.5)
    assert Schedule("linear", warmup=0, floor=0.2).factor(1.0) == pytest.approx(0.2)


@pytest.mark.parametrize("unit", ["steps", "cpu_seconds", "wall_seconds"])
def test_a_budget_counts_its_own_unit(unit: str) -> None:
    spent = Spent(steps=10, cpu_seconds=20.0, wall_seconds=40.0)
    budget = Budget(unit, 80)  # type: ignore[arg-type]
    assert budget.share(spent) == {"steps": 0.125, "cpu_seconds": 0.25, "wall_seconds": 0.5}[unit]
    assert budget.width(spent) == pytest.approx(1 / 80 if unit == "steps" else budget.share(spent) / 10)
    assert budget.width(Spent()) > 0


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="above 0"):
        Budget("steps", 0)


def test_stages_follow_one_another() -> None:
    stages = ((128, 0.1), (160, 0.2), (256, 0.7))
    places = (0, 0.05, 0.1, 0.29, 0.3, 0.99, 1.0, 1.5)
    assert [size_at(stages, share) for share in places] == [128, 128, 160, 160, 256, 256, 256, 256]
