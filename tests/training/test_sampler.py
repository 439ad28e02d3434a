from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.errors import UsageError
from patsearch.training.data.cache import TEST, TRAIN, VALIDATION, VIEW, Record
from patsearch.training.data.sampler import SAMPLERS, ClassBalancedSampler, PKSampler, Sampler, sampler_kind
from patsearch.training.data.splits import split_designs


def corpus(designs: int = 60, groups: int = 25) -> list[Record]:
    """Groups of two or three near duplicates, 2 to 8 drawings each, in five families."""
    return [Record(f"d{i}", f"g{i % groups}", f"f{i % 5}", (VIEW,) * (2 + i % 7)) for i in range(designs)]


def assert_sound(sampler: Sampler, records: list[Record], step: int) -> None:
    """K drawings that exist of each design, labelled with its class, none twice before all were taken once."""
    batch = sampler.batch(step)
    count = sampler.designs * sampler.drawings
    assert batch.designs.shape == batch.numbers.shape == batch.labels.shape == (count,)
    assert batch.designs.dtype == batch.numbers.dtype == batch.labels.dtype == np.int64
    assert 0 <= batch.labels.min() <= batch.labels.max() < sampler.classes
    np.testing.assert_array_equal(batch.designs, sampler.designs_of_classes[batch.labels])
    for start in range(0, count, sampler.drawings):
        part = slice(start, start + sampler.drawings)
        assert len(set(batch.designs[part].tolist())) == 1
        available = len(records[batch.designs[start]].kinds)
        assert all(0 <= number < available for number in batch.numbers[part].tolist())
        assert len(set(batch.numbers[part].tolist())) == min(available, sampler.drawings)


@given(seed=st.integers(0, 1000), step=st.integers(0, 500), designs=st.integers(2, 25), drawings=st.integers(2, 9))
def test_every_pk_batch_has_p_groups_with_k_drawings(seed: int, step: int, designs: int, drawings: int) -> None:
    records = corpus()
    sampler = PKSampler(records, range(60), designs=designs, drawings=drawings, seed=seed)
    assert_sound(sampler, records, step)
    batch = sampler.batch(step)
    assert set(Counter(batch.labels.tolist()).values()) == {drawings}
    # No two designs of one group: near duplicates are never negatives.
    assert len({records[i].group for i in batch.designs.tolist()}) == designs


@given(seed=st.integers(0, 1000), step=st.integers(0, 500), designs=st.integers(1, 90), drawings=st.integers(1, 9))
def test_every_class_balanced_batch_is_sound(seed: int, step: int, designs: int, drawings: int) -> None:
    records = corpus()
    assert_sound(ClassBalancedSampler(records, range(60), designs=designs, drawings=drawings, seed=seed), records, step)


@given(
    seed=st.integers(0, 1000),
    designs=st.integers(1, 90),
    first=st.integers(0, 300),
    steps=st.integers(1, 40),
)
def test_over_any_stretch_no_class_is_drawn_much_oftener_than_another(
    seed: int, designs: int, first: int, steps: int
) -> None:
    sampler = ClassBalancedSampler(corpus(), range(60), designs=designs, drawings=1, seed=seed)
    drawn = np.concatenate([sampler.batch(first + step).labels for step in range(steps)])
    counts = np.bincount(drawn, minlength=60)
    assert counts.max() - counts.min() <= 2  # one for the list that the stretch begins in, one for where it ends
    # Whole epochs from the start: exactly equal.
    assert set(np.bincount(np.concatenate([sampler.batch(s).labels for s in range(60)])).tolist()) == {designs}


def test_an_epoch_visits_every_group_once_and_all_designs_in_time() -> None:
    records = corpus()
    sampler = PKSampler(records, range(60), designs=5, drawings=2, seed=3)
    assert sampler.batches_per_epoch == 5
    for epoch in range(3):
        seen = [records[i].group for step in range(5) for i in set(sampler.batch(5 * epoch + step).designs.tolist())]
        assert sorted(seen) == sorted({record.group for record in records})
    visited = {i for batch in islice(sampler, 200) for i in batch.designs.tolist()}
    assert visited == set(range(60))


@given(
    name=st.sampled_from(sorted(SAMPLERS)),
    seed=st.integers(0, 99),
    step=st.integers(0, 99),
    ranks=st.integers(1, 5),
    designs=st.integers(2, 5),
)
def test_the_parts_of_all_processes_make_the_batch_of_one(
    name: str, seed: int, step: int, ranks: int, designs: int
) -> None:
    records = corpus()
    whole = sampler_kind(name)(records, range(60), designs=designs * ranks, drawings=3, seed=seed)
    parts = [
        sampler_kind(name)(records, range(60), designs=designs, drawings=3, seed=seed, rank=rank, ranks=ranks)
        for rank in range(ranks)
    ]
    assert {part.batches_per_epoch for part in parts} == {whole.batches_per_epoch}
    for attribute in ("designs", "numbers", "labels"):
        joined = np.concatenate([getattr(part.batch(step), attribute) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole.batch(step), attribute))


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_batch_follows_from_seed_and_step_in_any_order(name: str) -> None:
    one, same, other = (sampler_kind(name)(corpus(), range(60), designs=5, drawings=3, seed=seed) for seed in (1, 1, 2))
    steps = [17, 3, 40, 18, 0, 17]
    forward = {step: one.batch(step) for step in sorted(steps)}
    for step in steps:
        again = same.batch(step)
        np.testing.assert_array_equal(again.designs, forward[step].designs)
        np.testing.assert_array_equal(again.numbers, forward[step].numbers)
        np.testing.assert_array_equal(again.labels, forward[step].labels)
    assert (forward[17].designs != other.batch(17).designs).any()


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_designs_with_too_few_drawings_are_left_out_and_counted(name: str) -> None:
    records = [*corpus(), Record("empty", "x", "f0", ()), Record("single", "y", "f0", (VIEW,))]
    sampler = sampler_kind(name)(records, [0, 1, 61, 2, 3, 60], designs=4, drawings=2)
    assert sampler.left_out == (60, 61)
    assert sampler.classes == 4
    assert sampler.designs_of_classes.tolist() == [0, 1, 2, 3]
    assert {i for batch in islice(sampler, 20) for i in batch.designs.tolist()} == {0, 1, 2, 3}
    with pytest.raises(UsageError, match="none of the 2 designs has 2 drawings"):
        sampler_kind(name)(records, [60, 61], designs=1, drawings=2)
    lenient = ClassBalancedSampler(records, [60, 61], designs=3, drawings=2, least=1)
    assert lenient.classes == 1
    assert lenient.batch(0).designs.tolist() == [61] * 6


@pytest.mark.parametrize(("designs", "drawings", "ranks"), [(26, 2, 1), (5, 1, 1), (1, 2, 1), (13, 2, 2)])
def test_impossible_pk_batches_are_refused(designs: int, drawings: int, ranks: int) -> None:
    with pytest.raises(UsageError, match="No batch of"):
        PKSampler(corpus(), range(60), designs=designs, drawings=drawings, ranks=ranks)


def test_unknown_names_and_ranks_are_refused() -> None:
    with pytest.raises(UsageError, match="Unknown sampler 'p'"):
        sampler_kind("p")(corpus(), range(60), designs=2, drawings=2)
    with pytest.raises(UsageError, match="process 2 of 2"):
        sampler_kind("pk")(corpus(), range(60), designs=2, drawings=2, rank=2, ranks=2)
    with pytest.raises(UsageError, match="No batch of 0 designs"):
        sampler_kind("class-balanced")(corpus(), range(60), designs=0, drawings=2)


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


def test_the_side_that_a_source_gives_counts() -> None:
    sides = [TRAIN, VALIDATION, TEST]
    records = [replace(record, split=sides[i % 3]) for i, record in enumerate(corpus())]
    split = split_designs(records, families=("f0",), share=0.5)
    assert split.train == tuple(i for i in range(60) if i % 3 == 0 and i % 5)
    assert split.groups == tuple(i for i in range(60) if i % 3 and i % 5)
    assert split.families == tuple(range(0, 60, 5))
