"""Several losses at once, each with a weight: L = sum of weight_k * L_k.

A recipe's `[loss]` and `[loss2]` become one of these. `build_loss` makes losses from their names.

Corner cases are those of its parts.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from torch import Tensor, nn

from patsearch import plugins
from patsearch.errors import SettingsError
from patsearch.training.config import LossSection
from patsearch.training.losses.base import Loss, check, nothing


class WeightedSum(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        parts: the losses, made for the same dim and classes.
        weights: one a loss, above 0.
        spans: one a loss: the shares of the training, as `progress` tells, between which it counts; None for all
            of it. Outside of them a loss is not computed.
    """

    def __init__(
        self,
        *,
        dim: int,
        classes: int,
        parts: Sequence[Loss],
        weights: Sequence[float],
        spans: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        super().__init__(dim=dim, classes=classes)
        if not parts or len(parts) != len(weights):
            raise SettingsError(f"A sum of {len(parts)} losses needs {len(parts)} weights, not {len(weights)}.")
        if any((part.dim, part.classes) != (dim, classes) for part in parts):
            raise SettingsError("The losses of a sum must be made for the same dimension and classes.")
        for weight in weights:
            check(self, "weight", weight, low=0, above=True, unit="a factor of the loss")
        self.parts = nn.ModuleList(parts)
        self.weights = tuple(float(weight) for weight in weights)
        self.spans = tuple(spans) if spans is not None else ((0.0, 1.0),) * len(self.weights)
        if len(self.spans) != len(parts) or not all(0 <= begin < end <= 1 for begin, end in self.spans):
            raise SettingsError(f"The spans of {len(parts)} losses must be shares of the training, not {self.spans}.")

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        total = nothing(rows)
        for part, weight, (begin, end) in zip(self.parts, self.weights, self.spans, strict=True):
            if begin <= self.share < end or self.share == end == 1:
                total = total + weight * part(rows, labels)
        return total

    def progress(self, share: float) -> None:
        super().progress(share)
        for part in self.parts:
            assert isinstance(part, Loss)
            part.progress(share)


def build_loss(terms: Sequence[LossSection], *, dim: int, classes: int) -> Loss:
    """The loss of a recipe: a single one of weight 1 as it is, otherwise a weighted sum.

    Raises:
        PluginError: no loss of that name.
        SettingsError: an option that the loss does not have, or that is out of range.
    """
    parts = [_make(term, dim=dim, classes=classes) for term in terms]
    spans = [(term.begin, term.end) for term in terms]
    if len(parts) == 1 and terms[0].weight == 1 and spans == [(0, 1)]:
        return parts[0]
    return WeightedSum(dim=dim, classes=classes, parts=parts, weights=[term.weight for term in terms], spans=spans)


def _make(term: LossSection, *, dim: int, classes: int) -> Loss:
    kind: type[Loss] = plugins.load("loss", term.name)
    known = [name for name in inspect.signature(kind).parameters if name not in ("dim", "classes")]
    wrong = sorted(set(term.options) - set(known))
    if wrong:
        raise SettingsError(
            f"The loss {term.name} has no option {wrong[0]!r}.", hint=f"It has: {', '.join(known) or 'none'}."
        )
    return kind(dim=dim, classes=classes, **term.options)
