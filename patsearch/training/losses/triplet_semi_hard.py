"""Triplet loss with semi-hard negatives.

Schroff, Kalenichenko, Philbin: FaceNet (2015), eq. 3; semi-hard negatives are their eq. 4. With D the
squared Euclidean distance of unit vectors, for every ordered pair (i, p) of one class:

    n = the nearest of the negatives with D(i, n) > D(i, p)       ("semi-hard": farther than the positive)
    L(i, p) = max(0, D(i, p) - D(i, n) + margin)

and the mean over all pairs. Where no negative is farther than the positive, the paper does not say what to
take; here it is the farthest negative, the easiest of the hard ones, as in TensorFlow's implementation.

Corner cases: rows without a positive or a negative ask nothing; without any pair the loss is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from patsearch.training.losses.base import Loss, check, nothing, pairs


class SemiHardTriplet(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        margin: squared Euclidean distance of unit vectors, between 0 and 4.
    """

    def __init__(self, *, dim: int, classes: int, margin: float = 0.2) -> None:
        super().__init__(dim=dim, classes=classes)
        check(self, "margin", margin, low=0, high=4, unit="squared Euclidean distance of unit vectors, 0 to 4")
        self.margin = margin

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        positive, negative = pairs(labels)
        anchor, partner = (positive & negative.any(dim=1, keepdim=True)).nonzero(as_tuple=True)  # (M,), (M,)
        if not len(anchor):
            return nothing(rows)
        squared = 2 - 2 * (rows @ rows.T)  # (N, N), of unit rows
        near = squared[anchor, partner]  # (M,)
        others, allowed = squared[anchor], negative[anchor]  # (M, N)
        farther = others.masked_fill(~(allowed & (others > near[:, None])), torch.inf).amin(dim=1)
        farthest = others.masked_fill(~allowed, -torch.inf).amax(dim=1)
        return functional.relu(near - torch.where(farther.isinf(), farthest, farther) + self.margin).mean()
