from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.errors import UsageError
from patsearch.training.cache import VIEW, Record
from patsearch.training.sampler import PKSampler, split_designs


def corpus(designs: int = 60, groups: int = 25) -> list[Record]:
    """Groups of two or three near duplicates, 1 to 7 drawings each, in five families."""
    return [Record(f"d{i}", f"g{i % groups}", f"f{i % 5}", (VIEW,) * (1 + i % 7)) for i in range(designs)]


@given(seed=st.integers(0, 1000), step=st.integers(0, 500), designs=st.integers(2, 25), drawings=st.integers(2, 9))
def test_every_batch_has_p_groups_with_k_drawings(seed: int, step: int, designs: int, drawings: int) -> None:
    records = corpus()
    batch = PKSampler(records, range(60), designs=designs, drawings=drawings, seed=seed).batch(step)
    assert len(batch.designs) == len(batch.numbers) == len(batch.labels) == designs * drawings
    assert set(Counter(batch.labels.tolist()).values()) == {drawings}
    assert sorted(set(batch.labels.tolist())) == list(range(designs))
    # One design a label, and no two of one group: near duplicates are never negatives.
    by_label = {label: set(batch.designs[batch.labels == label].tolist()) for label in range(designs)}
    assert all(len(members) == 1 for members in by_label.values())
    assert len({records[i].group for members in by_label.values() for i in members}) == designs
    for design in set(batch.designs.tolist()):
        numbers = batch.numbers[batch.designs == design].tolist()
        count = len(records[design].kinds)
        assert all(0 <= number < count for number in numbers)
        assert len(set(numbers)) == min(count, drawings)  # none twice before all were taken once


def test_an_epoch_visits_every_group_once_and_all_designs_in_time() -> None:
    records = corpus()
    sampler = PKSampler(records, range(60), designs=5, drawings=2, seed=3)
    assert sampler.batches_per_epoch == 5
    for epoch in range(3):
        seen = [records[i].group for step in range(5) for i in set(sampler.batch(5 * epoch + step).designs.tolist())]
        assert sorted(seen) == sorted({record.group for record in records})
    visited = {i for batch in islice(sampler, 200) for i in batch.designs.tolist()}
    assert visited == set(range(60))


def test_a_batch_follows_from_seed_and_step() -> None:
    samplers = [PKSampler(corpus(), range(60), designs=5, drawings=3, seed=seed) for seed in (1, 1, 2)]
    batches = [sampler.batch(17) for sampler in samplers]
    np.testing.assert_array_equal(batches[0].designs, batches[1].designs)
    np.testing.assert_array_equal(batches[0].numbers, batches[1].numbers)
    assert (batches[0].designs != batches[2].designs).any()


def test_only_chosen_designs_with_drawings_are_drawn() -> None:
    records = [*corpus(), Record("empty", "alone", "f0", ())]
    sampler = PKSampler(records, [0, 1, 2, 3, 60], designs=4, drawings=2)
    assert {i for batch in islice(sampler, 20) for i in batch.designs.tolist()} == {0, 1, 2, 3}


@pytest.mark.parametrize(("designs", "drawings"), [(26, 2), (5, 1), (1, 2)])
def test_impossible_batches_are_refused(designs: int, drawings: int) -> None:
    with pytest.raises(UsageError, match="No batch of"):
        PKSampler(corpus(), range(60), designs=designs, drawings=drawings)


def test_splits_share_no_group_and_do_not_move_when_the_corpus_grows() -> None:
    small, large = corpus(600, 400), corpus(1200, 400)
    split, later = (split_designs(records, families=("f3",), share=0.2) for records in (small, large))
    parts = [{small[i].group for i in part} for part in (split.train, split.groups)]
    assert not parts[0] & parts[1]
    assert sorted(split.train + split.groups + split.families) == list(range(600))
    assert {small[i].family for i in split.families} == {"f3"}
    assert all(small[i].family != "f3" for i in split.train + split.groups)
    assert 0.1 < len(split.groups) / 480 < 0.3
    assert set(split.train) <= set(later.train)
    assert set(split.groups) <= set(later.groups)
