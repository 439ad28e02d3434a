"""Relevance judgements: same patent, and TREC's."""

from __future__ import annotations

import numpy as np

from patsearch.evaluation.relevance import Relevance


def test_same_group_leaves_the_query_out() -> None:
    groups = ["a", "b", "a", "a"]
    relevance = Relevance.same_group(groups, groups, np.arange(4))
    assert [relevance.row(q)[0].tolist() for q in range(4)] == [[2, 3], [], [0, 3], [0, 2]]
    assert relevance.counts.tolist() == [2, 0, 2, 2]
    assert len(relevance) == 4


def test_same_group_of_disjoint_queries() -> None:
    relevance = Relevance.same_group(["b", "z"], ["a", "b", "b"])
    assert [relevance.row(q)[0].tolist() for q in range(2)] == [[1, 2], []]


def test_qrels_keep_degrees_and_drop_what_is_not_relevant_or_not_there() -> None:
    judgements = {"q1": {"c": 2.0, "a": 1.0, "b": 0.0, "gone": 1.0}, "other": {"a": 1.0}}
    relevance = Relevance.from_qrels(["q1", "q2"], ["a", "b", "c"], judgements)
    positions, gains = relevance.row(0)
    assert positions.tolist() == [0, 2]
    assert gains.tolist() == [1.0, 2.0]
    assert len(relevance.row(1)[0]) == 0


def test_qrels_never_count_the_query_itself() -> None:
    relevance = Relevance.from_qrels(["a"], ["a", "b"], {"a": {"a": 1.0, "b": 1.0}}, np.array([0]))
    assert relevance.row(0)[0].tolist() == [1]


def test_no_queries() -> None:
    assert len(Relevance.from_rows([])) == 0
    assert len(Relevance.from_qrels([], ["a"], {})) == 0
