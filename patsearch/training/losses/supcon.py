"""SupCon, supervised contrastive learning.

Khosla et al.: Supervised Contrastive Learning (2020), eq. 2, L_out: the sum over positives outside of the
logarithm, which the paper found the better one. With s the cosine, t the temperature, A(i) all rows but i
and P(i) those of its class:

    L(i) = -1 / |P(i)| * sum over p in P(i) of log( exp(s_ip / t) / sum over a in A(i) of exp(s_ia / t) )

and the mean over the anchors that have a positive (the paper writes a sum; its code takes the mean).

Corner cases: rows without a partner of their class serve as negatives only; a batch without a positive pair
gives 0. Other positives are in the denominator, so that with K rows a class the loss cannot fall below
log(K - 1), and a batch of one class alone is not 0: it pulls the cosines together until they are equal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from patsearch.training.losses.base import Loss, check, nothing, pairs


class SupCon(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        temperature: divides the cosines, no unit; the paper's is 0.1.
    """

    def __init__(self, *, dim: int, classes: int, temperature: float = 0.1) -> None:
        super().__init__(dim=dim, classes=classes)
        check(self, "temperature", temperature, low=0, above=True, unit="a divisor of cosines; 0.05 to 0.2 are usual")
        self.temperature = temperature

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        positive, _ = pairs(labels)
        anchors = positive.any(dim=1)
        if not anchors.any():
            return nothing(rows)
        logits = rows @ rows.T / self.temperature  # (N, N)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        log_share = logits - logits.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
        of_anchor = log_share.masked_fill(~positive, 0.0).sum(dim=1)[anchors] / positive.sum(dim=1)[anchors]
        return -of_anchor.mean()
