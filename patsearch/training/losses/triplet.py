"""Triplet loss with the hardest pairs of the batch.

Hermans, Beyer, Leibe: In Defense of the Triplet Loss for Person Re-Identification (2017), eq. 5; the
soft margin is their section 3.3. With d the Euclidean distance of unit vectors, for every anchor i that
has both a positive and a negative in the batch:

    L(i) = max(0, margin + max over positives of d(i, p) - min over negatives of d(i, n))
    L(i) = log(1 + exp(max d(i, p) - min d(i, n)))                          (soft_margin)

and the mean over these anchors.

Corner cases: anchors without a positive or a negative are left out; without any anchor the loss is 0. The
distance of two equal rows has no gradient (its slope there is infinite), and gives none.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from patsearch.training.losses.base import Loss, check, check_flag, nothing, pairs

_UNIT = "Euclidean distance of unit vectors, 0 to 2"
# Below this squared distance two rows count as equal: the slope of the root would be above 1e5.
_EQUAL = 1e-12


class BatchHardTriplet(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`; not used.
        margin: Euclidean distance of unit vectors, between 0 and 2; None is the soft margin too.
        soft_margin: the soft margin, instead of `margin`.
    """

    def __init__(self, *, dim: int, classes: int, margin: float | None = 0.3, soft_margin: bool = False) -> None:
        super().__init__(dim=dim, classes=classes)
        if margin is not None:
            check(self, "margin", margin, low=0, high=2, unit=_UNIT)
        check_flag(self, "soft_margin", soft_margin)
        self.margin = None if soft_margin else margin

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        positive, negative = pairs(labels)
        anchors = positive.any(dim=1) & negative.any(dim=1)
        if not anchors.any():
            return nothing(rows)
        # Unit rows: |a - b|^2 = 2 - 2 a.b
        distances = (2 - 2 * (rows @ rows.T)).clamp(min=_EQUAL).sqrt()  # (N, N)
        farthest = distances.masked_fill(~positive, -torch.inf).amax(dim=1)[anchors]
        nearest = distances.masked_fill(~negative, torch.inf).amin(dim=1)[anchors]
        difference = farthest - nearest
        if self.margin is None:
            return functional.softplus(difference).mean()
        return functional.relu(difference + self.margin).mean()
