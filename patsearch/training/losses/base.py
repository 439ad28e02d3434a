"""The interface of a loss: a labelled batch of embeddings in, a number out.

One file a loss, named as in its paper; the module's docstring gives paper, equation, units and corner
cases. A loss is registered under a name in the entry-point group `patsearch.losses`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from patsearch.errors import SettingsError, UsageError


class Loss(nn.Module, ABC):
    """Derives from `torch.nn.Module`, because some losses have weights.

    A subclass takes its options as further keyword arguments, with defaults, and implements `value`.

    Args:
        dim: length of an embedding.
        classes: number of classes in the training data; labels are 0 .. classes - 1.

    Attributes:
        share: how much of the training is done, 0 to 1, as `progress` was told last.

    Raises:
        SettingsError: an option out of range.
    """

    def __init__(self, *, dim: int, classes: int) -> None:
        super().__init__()
        check(self, "dim", dim, low=1, whole=True, unit="numbers in an embedding")
        check(self, "classes", classes, low=1, whole=True, unit="classes in the training data")
        self.dim = dim
        self.classes = classes
        self.share = 0.0

    @abstractmethod
    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            rows: (N, dim) float32 or float64, rows of unit length; N is at least 1.
            labels: (N,) int64, the class of each row.

        A batch from which nothing can be learned (no pair of one class, say) gives 0, with a gradient of 0.
        """

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: a scalar, in float32 where the embeddings are float16, bfloat16 or float32.

        Args:
            embeddings: (N, dim), rows of unit length.
            labels: (N,) int64, the class of each row.

        Raises:
            UsageError: shapes or kinds that do not belong together, or a label that is not a class.
        """
        if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1] or embeddings.shape[1] != self.dim:
            shapes = f"{tuple(embeddings.shape)} and {tuple(labels.shape)}"
            raise UsageError(f"A loss takes embeddings (N, {self.dim}) and labels (N,), not {shapes}.")
        if labels.dtype != torch.int64 or not embeddings.is_floating_point():
            raise UsageError(
                f"A loss takes floating-point embeddings and int64 labels, not {embeddings.dtype} and {labels.dtype}."
            )
        if not len(labels):
            return nothing(embeddings)
        if embeddings.dtype in (torch.float16, torch.bfloat16):
            # Half a dozen bits off unit length after rounding; cosines above 1 would follow.
            embeddings = functional.normalize(embeddings.float(), dim=1)
        # Autocast would put the products below back into half precision: exponentials and margins need the digits.
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.value(embeddings, labels)

    def progress(self, share: float) -> None:
        """Hear how much of the training is done, before a step: margins may grow with it.

        Args:
            share: 0 at the first step, 1 at the end; values outside are cut off.
        """
        self.share = min(1.0, max(0.0, share))


def check(
    loss: object,
    option: str,
    value: object,
    *,
    unit: str,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    whole: bool = False,
) -> None:
    """Refuse an option out of range.

    Args:
        unit: what the option counts or measures, for the message.
        low, high: both allowed, `low` not where `above`.
        whole: only whole numbers.

    Raises:
        SettingsError: it is, or it is not a number.
    """
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if number and low <= value <= high and math.isfinite(value) and not (above and value == low):  # type: ignore[operator, arg-type]
        return
    least = "" if low == -math.inf else (f"above {low:g}" if above else f"at least {low:g}")
    most = "" if high == math.inf else f"at most {high:g}"
    limits = "a whole number " * whole + " and ".join(part for part in (least, most) if part)
    raise SettingsError(
        f"{type(loss).__name__}: {option} must be {limits}, not {value!r}.", hint=f"The unit of {option}: {unit}."
    )


def check_flag(loss: object, option: str, value: object) -> None:
    """Refuse what is neither true nor false: the text "false" would count as true.

    Raises:
        SettingsError: it is.
    """
    if not isinstance(value, bool):
        raise SettingsError(f"{type(loss).__name__}: {option} must be true or false, not {value!r}.")


def pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """(N, N) masks of the positive pairs (same class, not the row itself) and of the negative pairs."""
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return positive, ~same


def nothing(embeddings: Tensor) -> Tensor:
    """A zero that still has a gradient, for a batch from which nothing can be learned."""
    zero = embeddings.sum() * 0.0
    return zero.float() if zero.dtype in (torch.float16, torch.bfloat16) else zero


def soft_count(values: Tensor, mask: Tensor) -> Tensor:
    """log(1 + sum of exp(values) where the mask holds) along the last dimension; 0 where it holds nowhere.

    Without overflow, and with finite gradients also where the mask is empty.
    """
    masked = values.masked_fill(~mask, -torch.inf)
    return torch.cat([torch.zeros_like(masked[..., :1]), masked], dim=-1).logsumexp(dim=-1)
