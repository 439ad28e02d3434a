"""Sampled class centres, and losses made from names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from patsearch.errors import PluginError, SettingsError, UsageError
from patsearch.training.config import LossSection
from patsearch.training.losses import (
    ArcFace,
    BatchHardTriplet,
    CosFace,
    InfoNCE,
    Loss,
    ProxyAnchor,
    Softmax,
    SubcenterArcFace,
    WeightedSum,
    build_loss,
)
from patsearch.training.losses.centres import Centres

KINDS = [ArcFace, CosFace, SubcenterArcFace, Softmax, ProxyAnchor]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Threads waiting for one another cost more than these small products."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batch(classes: int = 40, count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    embeddings = torch.randn(count, 6, generator=generator, dtype=torch.float64)
    return functional.normalize(embeddings, dim=1), torch.randint(classes, (count,), generator=generator)


@given(
    classes=st.integers(1, 60),
    share=st.floats(0.01, 1.0),
    seed=st.integers(0, 5),
    data=st.data(),
)
def test_the_classes_of_the_batch_take_part_always(classes: int, share: float, seed: int, data: st.DataObject) -> None:
    labels = torch.tensor(data.draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=20)))
    centres = Centres(3, classes, share=share, seed=seed)
    chosen = centres(labels)
    taken = torch.arange(classes) if chosen.classes is None else chosen.classes
    assert torch.equal(taken[chosen.labels], labels)
    assert torch.equal(chosen.weight, centres.weight[taken])
    assert taken.tolist() == sorted(set(taken.tolist()))
    assert len(taken) == max(math.ceil(share * classes), len(set(labels.tolist())))
    assert torch.equal(chosen.mask, labels[:, None] == taken[None, :])


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_of_one_is_the_full_loss_and_a_small_one_the_loss_over_its_sample(kind: Callable[..., Loss]) -> None:
    embeddings, labels = batch()
    torch.manual_seed(0)
    full = kind(dim=6, classes=40).double()
    torch.manual_seed(0)
    sampled = kind(dim=6, classes=40, sample=0.4, sample_seed=3).double()
    torch.manual_seed(0)
    whole = kind(dim=6, classes=40, sample=1.0, sample_seed=3).double()
    assert torch.equal(full(embeddings, labels), whole(embeddings, labels))
    # The same loss, made for the sampled classes alone.
    twin = Centres(6, 40, share=0.4, seed=3)
    chosen = twin(labels)
    assert chosen.classes is not None
    small = kind(dim=6, classes=len(chosen.classes)).double()
    small.centres.weight.data = full.centres.weight.data[chosen.classes]  # type: ignore[union-attr, index]
    assert sampled(embeddings, labels).item() == pytest.approx(small(embeddings, chosen.labels).item(), rel=1e-12)
    # Evaluation sees all.
    assert torch.equal(sampled.eval()(embeddings, labels), full(embeddings, labels))


@pytest.mark.parametrize("kind", KINDS)
def test_classes_outside_of_the_sample_get_no_gradient(kind: Callable[..., Loss]) -> None:
    embeddings, labels = batch()
    loss = kind(dim=6, classes=40, sample=0.4, sample_seed=3).double()
    loss(embeddings, labels).backward()
    chosen = Centres(6, 40, share=0.4, seed=3)(labels).classes
    assert chosen is not None
    moved = loss.centres.weight.grad.abs().amax(dim=(1, 2)) > 0  # type: ignore[union-attr, operator]
    outside = torch.ones(40, dtype=torch.bool)
    outside[chosen] = False
    assert not moved[outside].any()
    assert moved[labels].all()


def test_samples_follow_seed_and_step_and_survive_a_checkpoint() -> None:
    labels = torch.tensor([3, 3, 7])

    def draw(centres: Centres) -> list[int]:
        classes = centres(labels).classes
        assert classes is not None
        return [int(c) for c in classes]

    first, again, other = (Centres(2, 100, share=0.2, seed=seed) for seed in (1, 1, 2))
    undisturbed = [draw(first) for _ in range(6)]
    assert [draw(again) for _ in range(3)] == undisturbed[:3]
    resumed = Centres(2, 100, share=0.2, seed=1)
    resumed.load_state_dict(again.state_dict())
    assert [draw(resumed) for _ in range(3)] == undisturbed[3:]
    assert len({tuple(d) for d in undisturbed}) == 6
    assert draw(other) != undisturbed[0]
    # Over the steps all classes have their turn.
    seen = {c for _ in range(60) for c in draw(first)}
    assert seen == set(range(100))


def test_evaluation_draws_no_sample() -> None:
    centres = Centres(2, 100, share=0.2).eval()
    assert centres(torch.tensor([3])).classes is None
    assert int(centres.drawn) == 0


@pytest.mark.parametrize("wrong", [{"share": 0.0}, {"share": 1.1}, {"subcentres": 0}])
def test_wrong_centres_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="No centres"):
        Centres(4, 10, **wrong)  # type: ignore[arg-type]


def test_a_label_outside_is_refused_where_classes_are_sampled_too() -> None:
    with pytest.raises(UsageError, match="label 10 is not a class: expected 0 to 9"):
        Centres(4, 10, share=0.5)(torch.tensor([1, 10]))


# ------------------------------------------------------------------ losses from their names


def test_one_term_of_weight_one_is_the_loss_itself() -> None:
    loss = build_loss([LossSection(name="info-nce", options={"temperature": 0.2})], dim=6, classes=40)
    assert isinstance(loss, InfoNCE)
    assert loss.temperature == 0.2


def test_a_sum_is_the_sum_of_its_weighted_parts() -> None:
    embeddings, labels = batch()
    terms = [
        LossSection(name="arcface", weight=1.0, options={"margin_warmup": 0.5}),
        LossSection(name="triplet", weight=0.25, options={"margin": 1.0}),
    ]
    torch.manual_seed(4)
    loss = build_loss(terms, dim=6, classes=40).double()
    assert isinstance(loss, WeightedSum)
    torch.manual_seed(4)
    arc = ArcFace(dim=6, classes=40, margin_warmup=0.5).double()
    triplet = BatchHardTriplet(dim=6, classes=40, margin=1.0)
    for part in (loss, arc):
        part.progress(0.3)
    values = [arc(embeddings, labels), triplet(embeddings, labels)]
    assert [part(embeddings, labels) for part in loss.parts] == values
    assert loss(embeddings, labels).item() == pytest.approx(values[0].item() + 0.25 * values[1].item(), rel=1e-12)
    assert [name for name, _ in loss.named_parameters()] == ["parts.0.centres.weight"]
    free = torch.randn(8, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss(functional.normalize(x, dim=1), labels), (free,))


def test_losses_may_follow_one_another() -> None:
    embeddings, labels = batch(classes=3)
    terms = [
        LossSection(name="info-nce", begin=0.0, end=0.4),
        LossSection(name="supcon", weight=2.0, begin=0.2),
        LossSection(name="triplet", begin=0.2, end=0.4),
    ]
    loss = build_loss(terms, dim=6, classes=40)
    first, second, third = (
        build_loss([LossSection(name=t.name)], dim=6, classes=40)(embeddings, labels).item() for t in terms
    )
    wanted = {0.0: first, 0.2: first + 2 * second + third, 0.4: 2 * second, 1.0: 2 * second}
    for share, value in wanted.items():
        loss.progress(share)
        assert loss(embeddings, labels).item() == pytest.approx(value)
    early = build_loss([LossSection(name="supcon", end=0.1)], dim=6, classes=40)
    early.progress(0.5)
    assert early(embeddings, labels).item() == 0
    with pytest.raises(SettingsError, match="shares of the training"):
        build_loss([LossSection(name="supcon", begin=0.5, end=0.5)], dim=6, classes=40)


def test_a_single_term_may_have_a_weight() -> None:
    embeddings, labels = batch(classes=3)
    loss = build_loss([LossSection(name="supcon", weight=2.0)], dim=6, classes=40)
    alone = build_loss([LossSection(name="supcon")], dim=6, classes=40)
    assert loss(embeddings, labels).item() == pytest.approx(2 * alone(embeddings, labels).item())


def test_unknown_names_and_options_are_told() -> None:
    with pytest.raises(PluginError, match="no loss named 'arc-face'") as unknown:
        build_loss([LossSection(name="arc-face")], dim=6, classes=40)
    assert "arcface" in str(unknown.value.hint)
    with pytest.raises(SettingsError, match="cosface has no option 'easy_margin'") as wrong:
        build_loss([LossSection(name="cosface", options={"easy_margin": True})], dim=6, classes=40)
    assert "margin_warmup" in str(wrong.value.hint)
    with pytest.raises(SettingsError, match="weight must be above 0"):
        build_loss([LossSection(name="cosface", weight=0.0)], dim=6, classes=40)
    with pytest.raises(SettingsError, match="0 losses"):
        build_loss([], dim=6, classes=40)
    with pytest.raises(SettingsError, match="same dimension"):
        WeightedSum(dim=6, classes=40, parts=[InfoNCE(dim=5, classes=40)], weights=[1])
