"""Relevance feedback: Rocchio's formula, and what it does to a search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.engine import QueryVectors
from patsearch.engine.feedback import ALPHA, BETA, GAMMA, refine
from patsearch.errors import UsageError


def unit(rng: np.random.Generator, rows: int, dim: int = 16) -> np.ndarray:
    found: np.ndarray = rng.normal(size=(rows, dim)).astype(np.float32)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
def test_it_is_the_formula(seed: int, asked: int, right: int, wrong: int) -> None:
    rng = np.random.default_rng(seed)
    query = QueryVectors(unit(rng, asked), np.arange(asked))
    relevant, irrelevant = unit(rng, right), unit(rng, wrong)
    refined = refine(query, relevant, irrelevant)
    for old, new in zip(query.vectors, refined.vectors, strict=True):
        moved = ALPHA * old.astype(float)
        for vector in relevant:
            moved = moved + BETA * vector / right
        for vector in irrelevant:
            moved = moved - GAMMA * vector / wrong
        np.testing.assert_allclose(new, moved / np.linalg.norm(moved), atol=1e-5)
    assert refined.vectors.dtype == np.float32
    assert (refined.picture == query.picture).all()


@given(st.integers(0, 2**32 - 1))
def test_relevant_come_closer_and_irrelevant_go(seed: int) -> None:
    rng = np.random.default_rng(seed)
    query = QueryVectors(unit(rng, 1), np.zeros(1, dtype=np.intp))
    right, wrong = unit(rng, 1), unit(rng, 1)
    assert refine(query, right, wrong[:0]).vectors @ right[0] >= query.vectors @ right[0] - 1e-6
    assert refine(query, right[:0], wrong).vectors @ wrong[0] <= query.vectors @ wrong[0] + 1e-6


def test_marks_alone_are_a_query() -> None:
    relevant = unit(np.random.default_rng(1), 3)
    alone = refine(None, relevant, relevant[:0])
    mean = relevant.mean(axis=0)
    np.testing.assert_allclose(alone.vectors[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_wrong_ones_alone_are_none() -> None:
    wrong = unit(np.random.default_rng(1), 1)
    with pytest.raises(UsageError, match="nothing to search with"):
        refine(None, wrong[:0], wrong)


def test_a_query_that_vanishes_stays() -> None:
    query = QueryVectors(unit(np.random.default_rng(1), 1), np.zeros(1, dtype=np.intp))
    refined = refine(query, -query.vectors, query.vectors[:0], beta=1.0)
    np.testing.assert_array_equal(refined.vectors, query.vectors)
