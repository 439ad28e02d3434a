"""Which view of one design answers which view of another."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from plate_makers import twins

from patsearch.encoder import Encoder, load_encoder
from patsearch.plate.assignment import assignment
from patsearch.plate.views import View, captions_say, pairs_of

PAIRS = 50
_SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))


@given(_SHAPES, st.lists(st.floats(-3, 3), min_size=25, max_size=25))
def test_the_assignment_has_the_largest_sum(shape: tuple[int, int], numbers: list[float]) -> None:
    weights = np.array(numbers[: shape[0] * shape[1]]).reshape(shape)
    found = assignment(weights)
    rows, columns = [i for i, _ in found], [j for _, j in found]
    assert len(set(columns)) == len(columns)
    assert rows == sorted(set(rows))
    assert all(weights[pair] > 0 for pair in found)
    wide = np.maximum(weights if shape[0] <= shape[1] else weights.T, 0)
    places = permutations(range(wide.shape[1]), len(wide))
    best = max(sum(wide[i, j] for i, j in enumerate(chosen)) for chosen in places)
    assert sum(weights[pair] for pair in found) == pytest.approx(best)


def test_nothing_is_assigned_to_nothing() -> None:
    assert assignment(np.zeros((0, 3))) == []
    assert assignment(np.zeros((2, 0))) == []
    assert assignment(np.full((3, 2), -1.0)) == []


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("a front elevational view thereof", "front view", 0),
        ("a front view thereof", "front", 1),
        ("a bottom plan view thereof", "a bottom view", 1),
        ("a bottom plan view thereof", "a top plan view", -1),
        ("a left side view", "a right side view", -1),
        ("left", "a left side view", 0),
        ("a side view", "a right side view", 0),
        ("a front view", "a rear view", -1),
        ("a perspective view of a chair", "a rear perspective view", 0),
        ("a perspective view of a chair", "a front view of it", -1),
        ("view of a chair", "a front view", 0),
        ("", "", 0),
    ],
)
def test_what_two_captions_say(first: str, second: str, says: int) -> None:
    assert np.sign(captions_say([first], [second])) == [[says]]
    assert np.sign(captions_say([second], [first])) == [[says]]


def view(caption: str, *vector: float) -> View:
    made = np.array([vector], np.float32)
    return View(caption, caption, np.full((9, 9), 255, np.uint8), made / np.linalg.norm(made))


def found_in(first: list[View], second: list[View]) -> dict[tuple[int, int], float]:
    return {(pair.first, pair.second): pair.score for pair in pairs_of(None, first, second)}


def test_captions_go_before_looks_and_looks_decide_the_rest() -> None:
    first = [view("front", 1, 0, 0), view("rear", 0, 1, 0), view("", 0, 0.2, 1)]
    second = [view("", 0.1, 0, 1), view("front", 0, 1, 0), view("rear", 1, 0, 0), view("top", 1, 0, 1)]
    found = found_in(first, second)
    assert set(found) == {(0, 1), (1, 2), (2, 0)}
    assert found[0, 1] == pytest.approx(0.0)
    # Different sides are not shown next to each other, however similar they look.
    assert found_in([view("front", 1, 0)], [view("left", 1, 0)]) == {}
    assert found_in([view("", 1, 0)], [view("", 0, 1)]) == {}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("lite0-drawings")


@pytest.mark.slow
def test_the_right_views_of_synthetic_pairs_are_found(encoder: Encoder) -> None:
    rng = np.random.default_rng(0)
    right = {"no captions": 0, "captions of most": 0, "all captions": 0}
    views = 0
    for index in range(PAIRS):
        pair = twins(12, index)
        vectors = [encoder.encode_batch([Image.fromarray(one) for one in side]) for side in (pair.first, pair.second)]
        order = rng.permutation(len(pair.names))
        views += len(order)
        for kind, share in (("no captions", 0.0), ("captions of most", 0.7), ("all captions", 1.0)):
            said = [[name if rng.random() < share else "" for name in pair.names] for _ in range(2)]
            sides = [
                [View("", caption, image, vector[None]) for caption, image, vector in zip(*of_side, strict=True)]
                for of_side in zip(said, (pair.first, pair.second), vectors, strict=True)
            ]
            shuffled = [sides[1][place] for place in order]
            found = pairs_of(encoder.card, sides[0], shuffled)
            right[kind] += sum(int(order[one.second]) == one.first for one in found)
    shares = {kind: count / views for kind, count in right.items()}
    assert min(shares.values()) >= 0.85, shares
    assert shares["all captions"] >= 0.99, shares
