"""What is kept of each query, and the curves."""

from __future__ import annotations

import numpy as np
import pytest
from bench_makers import drawing, make_collection, unit

from patsearch.evaluation import metrics
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.datasets import Protocol, from_lists, leave_one_out
from patsearch.evaluation.quality import measure_quality
from patsearch.evaluation.runner import worst_queries


def test_records_by_hand() -> None:
    # On a circle: the query at 0 degrees, then its fellow at 20, a stranger at 10, a fellow at 90.
    angles = np.radians([0, 20, 10, 90])
    drawings = [drawing("A", 1), drawing("A", 2), drawing("B", 1), drawing("A", 3)]
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    dataset = leave_one_out("x", Collection.of(drawings, vectors), protocol=Protocol(False, False))
    quality = measure_quality(dataset, top_k=(1, 2), depth=2)
    record = quality.records[0]
    assert (record.id, record.patent, record.ranks.ranks.tolist()) == ("A-D00001", "A", [2, 3])
    assert [(p.id, p.rank, p.relevant) for p in quality.top(record)] == [("B-D00001", 1, False), ("A-D00002", 2, True)]
    assert [(p.id, p.rank) for p in quality.expected(record)] == [("A-D00002", 2), ("A-D00003", 3)]
    assert quality.top(record, 1)[0].score == pytest.approx(np.cos(np.radians(10)), abs=1e-6)
    assert record.average_precision == pytest.approx((1 / 2 + 2 / 3) / 2)
    # B has nothing to find: it is ranked, and counts in no mean.
    assert [r.id for r in quality.records if not r.ranks.relevant] == ["B-D00001"]
    judged = [r.average_precision for r in quality.records if r.ranks.relevant]
    assert quality.metrics["map"] == pytest.approx(np.mean(judged))


def test_curves_are_the_metrics_at_k() -> None:
    dataset = leave_one_out("x", make_collection(), protocol=Protocol(False, True))
    quality = measure_quality(dataset, top_k=(1, 5, 10, 20))
    for name in ("recall", "hit_rate"):
        curve = dict(quality.curves[name])
        for k in (1, 5, 10, 20):
            assert curve[k] == pytest.approx(quality.metrics[f"{name}@{k}"])
        assert max(curve) <= len(dataset.gallery)


def test_the_metrics_can_be_computed_again_from_the_records() -> None:
    judgements = {"A-D00001": {"A-D00002": 3.0, "B-D00001": 1.0}}
    drawings = [drawing("A", 1), drawing("A", 2), drawing("B", 1)]
    collection = Collection.of(drawings, unit(np.array([[1, 0], [1, 2], [1, 1]])))
    ids = [d.id for d in drawings]
    dataset = from_lists("x", collection, ids[:1], ids, protocol=Protocol(True, True), judgements=judgements)
    quality = measure_quality(dataset, top_k=(1, 2))
    (record,) = quality.records
    assert record.ranks.gains.tolist() == [1.0, 3.0]
    again = metrics.aggregate(metrics.per_query([record.ranks], (1, 2)))
    assert again | {"map_by_patent": again["map"]} == quality.metrics  # one patent asks
    assert quality.metrics["ndcg@2"] < 1


def test_without_any_judged_query() -> None:
    collection = Collection.of([drawing("A", 1), drawing("B", 1)], unit(np.eye(2) + 0.1))
    quality = measure_quality(leave_one_out("x", collection, protocol=Protocol(False, False)))
    assert np.isnan(quality.metrics["map"])
    assert quality.curves == {"recall": [], "hit_rate": []}


def test_the_worst_queries_are_one_a_patent_the_worst_first() -> None:
    quality = measure_quality(leave_one_out("x", make_collection(), protocol=Protocol(False, False)))
    worst = worst_queries(quality.records, 5)
    values = [r.average_precision for r in worst]
    assert values == sorted(values)
    assert len({r.patent for r in worst}) == 5
    assert values[0] == min(r.average_precision for r in quality.records)
