"""Each loss against a naive loop, against finite differences, and in its corners."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from patsearch import plugins
from patsearch.errors import SettingsError, UsageError
from patsearch.training.losses import BatchHardTriplet, InfoNCE, Loss

# Classes of three, two and one: the last has no positive.
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])


def rows(seed: int = 0, count: int = 6, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(count, 4, generator=generator, dtype=dtype), dim=1)


def naive_info_nce(embeddings: Tensor, labels: Tensor, temperature: float) -> float:
    values = []
    for i in range(len(labels)):
        for p in range(len(labels)):
            if p == i or labels[p] != labels[i]:
                continue
            positive = math.exp(float(embeddings[i] @ embeddings[p]) / temperature)
            negatives = sum(
                math.exp(float(embeddings[i] @ embeddings[n]) / temperature)
                for n in range(len(labels))
                if labels[n] != labels[i]
            )
            values.append(-math.log(positive / (positive + negatives)))
    return sum(values) / len(values)


def naive_triplet(embeddings: Tensor, labels: Tensor, margin: float | None) -> float:
    values = []
    for i in range(len(labels)):
        distance = [float((embeddings[i] - other).norm()) for other in embeddings]
        positives = [distance[j] for j in range(len(labels)) if j != i and labels[j] == labels[i]]
        negatives = [distance[j] for j in range(len(labels)) if labels[j] != labels[i]]
        if positives and negatives:
            difference = max(positives) - min(negatives)
            values.append(math.log1p(math.exp(difference)) if margin is None else max(0.0, margin + difference))
    return sum(values) / len(values)


LOSSES = [
    InfoNCE(dim=4, classes=3, temperature=0.1),
    InfoNCE(dim=4, classes=3, temperature=1.0),
    BatchHardTriplet(dim=4, classes=3, margin=0.3),
    BatchHardTriplet(dim=4, classes=3, margin=1.5),
    BatchHardTriplet(dim=4, classes=3, margin=None),
]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loss", LOSSES)
def test_equals_the_naive_loop(loss: Loss, seed: int) -> None:
    embeddings = rows(seed)
    if isinstance(loss, InfoNCE):
        wanted = naive_info_nce(embeddings, LABELS, loss.temperature)
    else:
        assert isinstance(loss, BatchHardTriplet)
        wanted = naive_triplet(embeddings, LABELS, loss.margin)
    assert float(loss(embeddings, LABELS)) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_equals_finite_differences(loss: Loss) -> None:
    free = torch.randn(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    # Through the normalisation, as in training: the loss is only meant for unit rows.
    assert torch.autograd.gradcheck(lambda x: loss(functional.normalize(x, dim=1), LABELS), (free,))
    assert loss(functional.normalize(free, dim=1), LABELS).item() > 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "labels", [[0, 1, 2, 3, 4, 5], [7, 7, 7, 7, 7, 7]], ids=["no pair of a class", "one class alone"]
)
def test_nothing_to_learn_is_zero_with_a_zero_gradient(loss: Loss, labels: list[int]) -> None:
    embeddings = rows().requires_grad_()
    value = loss(embeddings, torch.tensor(labels))
    value.backward()
    assert value.item() == 0
    assert embeddings.grad is not None
    assert embeddings.grad.abs().max().item() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_rows_give_finite_gradients(loss: Loss) -> None:
    embeddings = rows()[[0, 0, 0, 0, 0, 0]].requires_grad_()
    loss(embeddings, LABELS).backward()
    assert embeddings.grad is not None
    assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_is_computed_in_float32(loss: Loss) -> None:
    exact = rows(dtype=torch.float32)
    half = loss(exact.to(torch.bfloat16), LABELS)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(loss(exact.to(torch.bfloat16).float(), LABELS).item())


def test_separated_classes_cost_nothing_and_mixed_ones_much() -> None:
    apart = torch.eye(4, dtype=torch.float64)[[0, 1, 0, 2, 1, 0]]
    mixed = torch.eye(4, dtype=torch.float64)[[0, 0, 1, 1, 2, 2]]
    for loss in LOSSES:
        assert loss(apart, LABELS) < loss(mixed, LABELS)
    assert InfoNCE(dim=4, classes=3, temperature=0.05)(apart, LABELS).item() < 1e-7
    assert BatchHardTriplet(dim=4, classes=3, margin=0.3)(apart, LABELS).item() == 0


def test_extreme_temperature_does_not_overflow() -> None:
    value = InfoNCE(dim=4, classes=3, temperature=1e-4)(rows(dtype=torch.float32), LABELS)
    assert value.isfinite()


def test_wrong_shapes_and_options() -> None:
    for loss in LOSSES:
        with pytest.raises(UsageError, match=r"\(6, 4\) and \(5,\)"):
            loss(rows(), LABELS[:5])
    with pytest.raises(SettingsError, match="temperature"):
        InfoNCE(dim=4, classes=3, temperature=0)
    with pytest.raises(SettingsError, match="margin"):
        BatchHardTriplet(dim=4, classes=3, margin=2.5)


@pytest.mark.parametrize(("name", "wanted"), [("info-nce", InfoNCE), ("triplet", BatchHardTriplet)])
def test_registered_by_name(name: str, wanted: type[Loss]) -> None:
    assert plugins.load("loss", name) is wanted
