"""Types and domains, the loss that tells them, and losses that follow one another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.errors import SettingsError, UsageError
from patsearch.training.config import LossSection
from patsearch.training.data.cache import Record
from patsearch.training.data.classes import TYPES, Labelling
from patsearch.training.losses import build_loss
from patsearch.training.losses.dual_softmax import DualSoftmax

RECORDS = [
    Record("a", "a", "mugs", ("view", "view", "sketch"), ("front", "perspective", "")),
    Record("b", "b", "chairs", ("view", "view")),
    Record("c", "c", "mugs", ("view",), ("nonsense",)),
]


def test_types_and_domains_make_one_class_id() -> None:
    trained = np.array([2, 0, 1])
    labelling = Labelling("type-and-domain", RECORDS, trained)
    assert labelling.classes == 2 * len(TYPES)

    def told(design: int, number: int) -> tuple[int, str]:
        label = labelling(design, number, 0)
        return label // len(TYPES), TYPES[label % len(TYPES)]

    assert told(0, 0) == (1, "front")
    assert told(0, 1) == (1, "perspective")
    assert told(0, 2) == (1, "sketch")
    assert told(1, 1) == (0, "view")
    assert told(2, 0) == (1, "view")


def test_designs_keep_the_ids_of_the_sampler() -> None:
    labelling = Labelling("design", RECORDS, np.array([2, 0]))
    assert labelling.classes == 2
    assert labelling(0, 1, 1) == 1


def test_one_domain_cannot_be_told() -> None:
    with pytest.raises(UsageError, match="all of one kind"):
        Labelling("type-and-domain", RECORDS, np.array([0, 2]))


def test_the_dual_loss_is_the_mean_of_two_classifiers_on_their_halves() -> None:
    torch.manual_seed(0)
    domains, count = 3, 7
    loss = DualSoftmax(dim=8, classes=domains * len(TYPES), scale=5.0)
    rows = functional.normalize(torch.randn(count, 8), dim=1).requires_grad_()
    labels = torch.randint(0, domains * len(TYPES), (count,))
    expected = torch.zeros(())
    for part, half, own in (
        (loss.types, rows[:, :4], labels % len(TYPES)),
        (loss.domains, rows[:, 4:], labels // len(TYPES)),
    ):
        assert part.bias is not None
        for row, label in zip(half, own, strict=True):
            logits = 5 * (part.centres.weight.reshape(-1, 4) @ (row / row.norm())) + part.bias
            expected = expected + (logits.exp().sum().log() - logits[label]) / (2 * count)
    assert torch.allclose(loss(rows, labels), expected, atol=1e-5)
    with pytest.raises(SettingsError, match="dual-softmax cannot share"):
        DualSoftmax(dim=7, classes=2 * len(TYPES))
    with pytest.raises(SettingsError, match="dual-softmax cannot share"):
        DualSoftmax(dim=8, classes=len(TYPES) + 1)


def test_each_half_of_the_dual_network_learns_from_its_own_classifier() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network = Network(NetworkConfig("dual_vgg11_bn", pooling="average", embedding="pooled"))
    assert network.dim == network.embedding_dim == 1024
    drawings = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    network.train()
    pooled = network.embed(drawings)
    pooled[:, :512].sum().backward()  # type: ignore[no-untyped-call]
    backbone = network.backbone
    # The last convolution's scale: of what lies before it, normalisation leaves little.
    assert backbone.first.features[-3].weight.grad.abs().sum() > 0
    assert all(p.grad is None or not p.grad.any() for p in backbone.second.parameters())
    first, second = (twin.state_dict()["features.0.weight"] for twin in (backbone.first, backbone.second))
    assert not torch.equal(first, second)


def test_losses_follow_one_another() -> None:
    torch.manual_seed(0)
    terms = [LossSection(name="softmax", end=0.5), LossSection(name="triplet", begin=0.5, options={"margin": 0.3})]
    loss = build_loss(terms, dim=4, classes=3)
    rows = functional.normalize(torch.randn(6, 4), dim=1)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    torch.manual_seed(0)
    first, second = (build_loss([LossSection(name=t.name, options=t.options)], dim=4, classes=3) for t in terms)
    first.load_state_dict({n.removeprefix("parts.0."): v for n, v in loss.state_dict().items() if "parts.0." in n})
    for share, expected in ((0.0, first), (0.49, first), (0.5, second), (1.0, second)):
        loss.progress(share)
        assert torch.allclose(loss(rows, labels), expected(rows, labels)), share
