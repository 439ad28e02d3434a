"""Who asks, what is searched, what is right."""

from __future__ import annotations

import numpy as np
import pytest
from bench_makers import drawing, make_collection, unit

from patsearch.errors import EncoderMismatch, UsageError
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.datasets import Protocol, RetrievalDataset, from_lists, leave_one_out
from patsearch.filters import parse_filter

WITH, WITHOUT = Protocol(False, True), Protocol(False, False)


def collection(*names: str) -> Collection:
    """Drawings named PATENT/SHEET with vectors that do not matter."""
    drawings = [drawing(n.split("/")[0], int(n.split("/")[1])) for n in names]
    return Collection.of(drawings, unit(np.random.default_rng(0).standard_normal((len(names), 4))))


def right(dataset: RetrievalDataset) -> dict[str, list[str]]:
    """Query id -> ids of what is right, read through the positions."""
    rows = range(len(dataset.queries))
    return {dataset.query(q).id: [dataset.at(int(p)).id for p in dataset.relevance.row(q)[0]] for q in rows}


class TestLeaveOneOut:
    def test_the_others_of_the_patent_are_right(self) -> None:
        dataset = leave_one_out("x", collection("B/1", "A/2", "A/1", "A/3"), protocol=WITH)
        assert right(dataset) == {
            "A-D00001": ["A-D00002", "A-D00003"],
            "A-D00002": ["A-D00001", "A-D00003"],
            "A-D00003": ["A-D00001", "A-D00002"],
            "B-D00001": [],
        }
        assert dataset.leave_one_out
        assert dataset.judged == 3
        assert dataset.own.tolist() == [0, 1, 2, 3]

    def test_without_front_pages_they_neither_ask_nor_are_searched(self) -> None:
        drawings = collection("A/0", "A/1", "A/2")
        assert "A-D00000" in right(leave_one_out("x", drawings, protocol=WITH))
        without = leave_one_out("x", drawings, protocol=WITHOUT)
        assert right(without) == {"A-D00001": ["A-D00002"], "A-D00002": ["A-D00001"]}

    def test_distractors_only_stand_in_the_way(self) -> None:
        dataset = leave_one_out(
            "x", collection("A/1", "A/2"), protocol=WITHOUT, distractors=collection("Z/0", "Z/1", "Z/2")
        )
        assert [dataset.query(q).patent for q in range(2)] == ["A", "A"]
        assert [dataset.at(g).id for g in range(4)] == ["A-D00001", "A-D00002", "Z-D00001", "Z-D00002"]
        assert dataset.distractors == 2

    def test_distractors_of_a_patent_in_the_dataset_are_left_out_and_told(self) -> None:
        own, others = collection("A/1", "A/2", "B/1"), collection("A/7", "Z/1")
        dataset = leave_one_out("x", own, protocol=WITHOUT, distractors=others, where=parse_filter("patent=B"))
        # A is filtered out of the dataset, and must not come back as a distractor.
        assert [dataset.at(g).id for g in range(2)] == ["B-D00001", "Z-D00001"]
        assert any("1 distractors left out" in note for note in dataset.notes)

    def test_the_filter_chooses_queries_and_gallery_not_distractors(self) -> None:
        dataset = leave_one_out(
            "x",
            collection("A/1", "B/1"),
            protocol=WITHOUT,
            where=parse_filter("patent=A"),
            distractors=collection("Z/1"),
        )
        assert [dataset.at(g).patent for g in range(2)] == ["A", "Z"]
        assert len(dataset.queries) == 1

    def test_nothing_left_is_an_error(self) -> None:
        with pytest.raises(UsageError, match="has no drawing to search with"):
            leave_one_out("x", collection("A/1"), protocol=WITHOUT, where=parse_filter("patent=B"))
        with pytest.raises(UsageError, match="without front pages"):
            leave_one_out("x", collection("A/0"), protocol=WITHOUT)


class TestFromLists:
    def test_labels_decide_not_patents(self) -> None:
        drawings = collection("A/1", "A/2", "B/1", "B/2")
        labels = {"A-D00001": "1", "A-D00002": "2", "B-D00001": "1", "B-D00002": "1"}
        dataset = from_lists(
            "x", drawings, ["A-D00001"], ["B-D00002", "A-D00002", "B-D00001"], protocol=WITH, labels=labels
        )
        assert right(dataset) == {"A-D00001": ["B-D00001", "B-D00002"]}
        assert not dataset.leave_one_out

    def test_distractors_have_no_label(self) -> None:
        labels = {"A-D00001": "1", "A-D00002": "1"}
        dataset = from_lists(
            "x", collection("A/1", "A/2"), ["A-D00001"], ["A-D00002"],
            protocol=WITH, labels=labels, distractors=collection("Z/1", "Z/2"),
        )  # fmt: skip
        assert right(dataset) == {"A-D00001": ["A-D00002"]}
        assert (len(dataset.gallery), dataset.distractors) == (3, 2)

    def test_judgements(self) -> None:
        judgements = {"A-D00001": {"B-D00001": 2.0, "A-D00001": 1.0}}
        dataset = from_lists(
            "x", collection("A/1", "B/1"), ["A-D00001"], ["A-D00001", "B-D00001"], protocol=WITH, judgements=judgements
        )
        assert right(dataset) == {"A-D00001": ["B-D00001"]}
        assert dataset.relevance.row(0)[1].tolist() == [2.0]
        assert dataset.own.tolist() == [0]

    def test_what_makes_no_sense_is_refused(self) -> None:
        drawings = collection("A/1", "A/2")
        with pytest.raises(UsageError, match="either judgements or labels"):
            from_lists("x", drawings, ["A-D00001"], ["A-D00002"], protocol=WITH)
        with pytest.raises(UsageError, match="empty list of gallery drawings"):
            from_lists("x", drawings, ["A-D00001"], [], protocol=WITH, labels={})
        with pytest.raises(UsageError, match="1 listed drawings were not found, such as gone"):
            from_lists("x", drawings, ["gone"], ["A-D00002"], protocol=WITH, labels={})


def test_the_fingerprint_stands_for_queries_gallery_and_judgements() -> None:
    names = ("A/1", "A/2", "B/1")
    one = leave_one_out("x", collection(*names), protocol=WITH)
    other_vectors = Collection(one.collection.drawings, unit(np.ones((3, 7))))
    assert leave_one_out("y", other_vectors, protocol=WITH).fingerprint() == one.fingerprint()
    assert leave_one_out("x", collection("A/1", "A/2", "C/1"), protocol=WITH).fingerprint() != one.fingerprint()
    more = leave_one_out("x", collection(*names), protocol=WITH, distractors=collection("Z/1"))
    assert more.fingerprint() != one.fingerprint()


def test_a_sample_keeps_gallery_and_judgements() -> None:
    whole = leave_one_out("x", make_collection(), protocol=WITH)
    sample = whole.sampled(5, seed=3)
    assert len(sample.queries) == 5 == sample.judged
    assert sample.gallery is whole.gallery
    assert right(sample).items() <= right(whole).items()
    assert sample.fingerprint() == whole.sampled(5, seed=3).fingerprint() != whole.sampled(5, seed=4).fingerprint()
    assert whole.sampled(10_000) is whole


def test_collections_are_in_order_of_id_and_hold_no_id_twice() -> None:
    vectors = unit(np.arange(1, 7).reshape(3, 2))
    drawings = [drawing("C", 1), drawing("A", 1), drawing("B", 1)]
    ordered = Collection.of(drawings, vectors)
    assert [d.patent for d in ordered.drawings] == ["A", "B", "C"]
    np.testing.assert_array_equal(ordered.vectors, vectors[[1, 2, 0]])
    with pytest.raises(UsageError, match="occurs twice"):
        ordered.joined(ordered)
    with pytest.raises(UsageError, match="came with"):
        Collection.of(drawings, vectors[:2])
    with pytest.raises(EncoderMismatch, match="2 and of 4 dimensions"):
        ordered.joined(collection("Z/1"))
