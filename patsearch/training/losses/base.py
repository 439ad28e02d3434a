"""The interface of a loss: a labelled batch of embeddings in, a number out.

One file a loss, named as in its paper; the module's docstring gives paper, equation and corner cases.
A loss is registered under a name in the entry-point group `patsearch.losses`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from patsearch.errors import UsageError


class Loss(nn.Module, ABC):
    """Derives from `torch.nn.Module`, because some losses have weights of their own.

    A subclass takes its options as further keyword arguments, with defaults.

    Args:
        dim: length of an embedding.
        classes: number of classes in the training data; labels are 0 .. classes - 1.
    """

    def __init__(self, *, dim: int, classes: int) -> None:
        super().__init__()
        self.dim = dim
        self.classes = classes

    @abstractmethod
    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """A scalar.

        Args:
            embeddings: (N, dim), rows of unit length.
            labels: (N,) int64, the class of each row.

        A batch from which nothing can be learned (no pair of one class, say) gives 0, with a gradient of 0.
        """


def at_least_float32(embeddings: Tensor, labels: Tensor) -> Tensor:
    """The embeddings, half precision raised to float32: exponentials and margins need the digits.

    Raises:
        UsageError: shapes that do not belong together.
    """
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        shapes = f"{tuple(embeddings.shape)} and {tuple(labels.shape)}"
        raise UsageError(f"A loss takes embeddings (N, dim) and labels (N,), not {shapes}.")
    return embeddings.float() if embeddings.dtype in (torch.float16, torch.bfloat16) else embeddings


def pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(N, N) masks of the positive pairs (same class, not the row itself) and of the negative pairs."""
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return positive, ~same


def nothing(embeddings: Tensor) -> Tensor:
    """A zero that still has a gradient, for a batch from which nothing can be learned."""
    return embeddings.sum() * 0.0
