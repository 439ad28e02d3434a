"""What design number i is, and that it needs nothing but seed and number."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from patsearch.errors import UsageError
from patsearch.models.mesh import Assembly
from patsearch.models.render import render
from patsearch.synth import FAMILIES, make_design, plan_design
from patsearch.synth.design import Plan
from patsearch.synth.dice import Dice
from patsearch.synth.solids import ball, box
from patsearch.synth.views import choose_views, fingerprint


def test_families_take_turns() -> None:
    rounds = 3 * len(FAMILIES)
    counts = Counter(plan_design(4, i, near_duplicates=0).family.name for i in range(rounds))
    assert set(counts.values()) == {3}
    first = [plan_design(4, i, near_duplicates=0).family.name for i in range(len(FAMILIES))]
    second = [plan_design(4, i + len(FAMILIES), near_duplicates=0).family.name for i in range(len(FAMILIES))]
    assert first != second


def test_a_design_is_the_same_out_of_turn() -> None:
    plan = plan_design(9, 17)
    one, two = make_design(plan), make_design(plan_design(9, 17))
    assert np.array_equal(one.mesh.vertices, two.mesh.vertices)
    assert (one.title, one.uspc, one.views, one.unclaimed) == (two.title, two.uspc, two.views, two.unclaimed)


def test_share_of_near_duplicates() -> None:
    plans = [plan_design(2, i, near_duplicates=0.3) for i in range(600)]
    near = [p for p in plans if p.near_duplicate_of is not None]
    assert 0.22 < len(near) / len(plans) < 0.38
    for plan in near:
        assert plan.near_duplicate_of is not None
        original = plans[plan.near_duplicate_of]
        assert original.index < plan.index
        assert original.near_duplicate_of is None
        assert original.family is plan.family


def test_near_duplicate_is_alike_and_another() -> None:
    original = make_design(Plan(6, 0, FAMILIES["bottle"]))
    near = make_design(Plan(6, 1, FAMILIES["bottle"], near_duplicate_of=0))
    stranger = make_design(Plan(6, 1, FAMILIES["bottle"]))
    assert len(near.mesh.faces) == len(original.mesh.faces) != len(stranger.mesh.faces)
    assert not np.array_equal(near.mesh.vertices, original.mesh.vertices)
    view = original.views[0]
    a, b, c = (fingerprint(render(d.mesh, view, size=160))[0] for d in (original, near, stranger))
    assert a @ b > a @ c


def test_measures_are_nudged_and_choices_are_not() -> None:
    plain = Dice(np.random.default_rng(1))
    nudged = Dice(np.random.default_rng(1), np.random.default_rng(2), amount=0.05)
    assert plain.between(0, 1) != nudged.between(0, 1)
    assert abs(plain.between(0, 1) - nudged.between(0, 1)) < 0.25
    assert [plain.pick(*"abcdef") for _ in range(20)] == [nudged.pick(*"abcdef") for _ in range(20)]
    assert [plain.whole(1, 9) for _ in range(20)] == [nudged.whole(1, 9) for _ in range(20)]
    bounded = Dice(np.random.default_rng(1), np.random.default_rng(2), amount=5.0)
    assert ((bounded.measures(2, 3, 100) >= 2) & (bounded.measures(2, 3, 100) <= 3)).all()


def test_cube_and_ball_keep_no_bare_view() -> None:
    for solid in (box(1, 1, 1), ball(1)):
        views = choose_views(Assembly().add(solid).mesh(), Dice(np.random.default_rng(0)), count=8)
        assert all(not view.flat for view in views)


def test_views_of_a_turned_body_are_not_repeated() -> None:
    mesh = Assembly().add(ball(1, 2.0)).add(box(0.2, 0.2, 3.0)).mesh()
    views = choose_views(mesh, Dice(np.random.default_rng(0)), count=8)
    assert len(views) >= 4
    assert len([view for view in views if view.flat and view.elevation == 0]) <= 1


@pytest.mark.parametrize("arguments", [{"families": ["chair", "unicorn"]}, {"families": []}, {"near_duplicates": 1.0}])
def test_nonsense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        plan_design(0, 0, **arguments)
