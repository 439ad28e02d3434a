"""Circle loss over pairs.

Sun et al.: Circle Loss: A Unified Perspective of Pair Similarity Optimization (2020), eq. 6 with the
weights of eq. 5 and the single margin m of section 3.3. With s the cosine, for every anchor i:

    a_p = max(0, 1 + m - s_ip)      a_n = max(0, s_in + m)
    L(i) = log( 1 + sum over n of exp(scale * a_n * (s_in - m))
                  * sum over p of exp(-scale * a_p * (s_ip - (1 - m))) )

and the mean over the anchors that have both a positive and a negative. The weights a are constants to the
gradient, as in the paper: they say how far a similarity is from its optimum, and how fast it should move.

Corner cases: anchors without a positive or a negative are left out; without any anchor the loss is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from patsearch.training.losses.base import Loss, check, nothing, pairs


class Circle(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        margin: cosine, the m of the paper: positives are to reach 1 - m, negatives to fall to m.
        scale: multiplies the weighted cosines, no unit; the paper takes 80 for retrieval, 256 for faces.
    """

    def __init__(self, *, dim: int, classes: int, margin: float = 0.4, scale: float = 80.0) -> None:
        super().__init__(dim=dim, classes=classes)
        check(self, "margin", margin, low=0, high=1, unit="cosine; 0.25 to 0.4 are usual")
        check(self, "scale", scale, low=0, above=True, unit="a factor of cosines; 32 to 256 are usual")
        self.margin, self.scale = margin, scale

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        positive, negative = pairs(labels)
        anchors = positive.any(dim=1) & negative.any(dim=1)
        if not anchors.any():
            return nothing(rows)
        cosines = rows @ rows.T  # (N, N)
        fixed = cosines.detach()
        pull = -functional.relu(1 + self.margin - fixed) * (cosines - (1 - self.margin)) * self.scale
        push = functional.relu(fixed + self.margin) * (cosines - self.margin) * self.scale
        positives = pull.masked_fill(~positive, -torch.inf)[anchors].logsumexp(dim=1)
        negatives = push.masked_fill(~negative, -torch.inf)[anchors].logsumexp(dim=1)
        return functional.softplus(positives + negatives).mean()
