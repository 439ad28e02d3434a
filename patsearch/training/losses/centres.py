"""Class centres: a learned vector, or several, for each class. All of them a step, or a sample.

Sampling is Partial FC (An et al.: Partial FC: Training 10 Million Identities on a Single Machine (2021);
Killing Two Birds with One Stone: Efficient and Robust Training of Face Recognition CNNs by Partial FC
(2022)): the classes of a batch take part always, other classes at random, until a given share of all is
reached. What is saved are the logits and their gradients, N x classes numbers each, which beyond some
100,000 classes are more than the network itself; the centres and their optimiser state stay whole.

A sample is a function of a seed and of the number of samples drawn before it. That number is a buffer, saved with
the module's state: a run that is resumed draws what an undisturbed one draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from patsearch.errors import SettingsError, UsageError

# Distance of cosines from +-1: the slopes of angles and sines are infinite there.
COSINE_ROOM = 1e-7


@dataclass(frozen=True, slots=True)
class Chosen:
    """The centres of one step.

    Attributes:
        weight: (C, K, dim), K centres of each of C classes.
        classes: (C,) int64 ascending, the classes; None where they are all classes in order.
        labels: (N,) int64, the rows' own classes as positions in `classes`.
    """

    weight: Tensor
    classes: Tensor | None
    labels: Tensor

    @property
    def mask(self) -> Tensor:
        """(N, C), true for a row's own class."""
        return self.labels[:, None] == torch.arange(len(self.weight), device=self.labels.device)

    def cosines(self, rows: Tensor) -> Tensor:
        """(N, C) cosines of the rows, (N, dim), with the closest centre of each class, kept off +-1."""
        rows = functional.normalize(rows, dim=1)
        return self._closest(rows, functional.normalize(self.weight, dim=2)).clamp(COSINE_ROOM - 1, 1 - COSINE_ROOM)

    def products(self, rows: Tensor) -> Tensor:
        """(N, C) inner products of the rows, (N, dim), with the centres as they are."""
        return self._closest(rows, self.weight)

    def _closest(self, rows: Tensor, weight: Tensor) -> Tensor:
        count, each, dim = weight.shape
        products = rows @ weight.to(rows.dtype).view(count * each, dim).T  # (N, C * K)
        return products if each == 1 else products.view(len(rows), count, each).amax(dim=2)


class Centres(nn.Module):
    """Centres of all classes; called with labels, those that take part in the step.

    In evaluation mode all take part.

    Args:
        dim: length of a centre.
        classes: number of classes.
        subcentres: centres of a class.
        share: of the classes that take part in a training step, above 0 to 1; the classes of the batch do always,
            also where they are more than this share.
        seed: of the samples.

    Attributes:
        weight: (classes, subcentres, dim) float32 parameter; about unit length at first.
        drawn: samples drawn so far, an int64 scalar buffer.

    Raises:
        SettingsError: a share or count out of range.
    """

    drawn: Tensor

    def __init__(self, dim: int, classes: int, *, subcentres: int = 1, share: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        if classes < 1 or subcentres < 1 or dim < 1 or not 0 < share <= 1:
            raise SettingsError(
                f"No centres for {classes} classes x {subcentres} of dimension {dim} at a share of {share}.",
                hint="At least one of each; the share of the classes in a step is above 0 and at most 1.",
            )
        self.classes, self.share, self.seed = classes, share, seed
        # Unit length on average: the optimiser's first steps then turn a centre by as much as its rate says.
        self.weight = nn.Parameter(torch.randn(classes, subcentres, dim) / math.sqrt(dim))
        self.register_buffer("drawn", torch.zeros((), dtype=torch.int64))

    def forward(self, labels: Tensor) -> Chosen:
        """The centres of a step with these labels, (N,) int64.

        Raises:
            UsageError: a label that is not a class.
        """
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= self.classes:
            raise UsageError(
                f"The label {low if low < 0 else high} is not a class: expected 0 to {self.classes - 1}.",
                hint="The batches come from other classes than the loss was made for.",
            )
        if self.share == 1 or not self.training:
            return Chosen(self.weight, None, labels)
        classes = self._sample(labels)
        return Chosen(self.weight[classes], classes, torch.searchsorted(classes, labels))

    def _sample(self, labels: Tensor) -> Tensor:
        """Classes of a step, ascending: those of the labels, and others at random."""
        # On the CPU for every device: the same sample everywhere.
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + int(self.drawn)) % 2**63)
        self.drawn += 1
        ranks = torch.rand(self.classes, generator=generator)
        own = torch.tensor(sorted(set(labels.tolist())))
        ranks[own] = 2.0
        count = max(math.ceil(self.share * self.classes), len(own))
        return ranks.topk(count).indices.sort().values.to(labels.device)
