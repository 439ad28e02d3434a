"""InfoNCE over labelled batches.

van den Oord, Li, Vinyals: Representation Learning with Contrastive Predictive Coding (2018), eq. 4.
For every ordered pair (i, p) of one class, with s the cosine, t the temperature and N(i) the rows of
other classes:

    L(i, p) = -log( exp(s_ip / t) / (exp(s_ip / t) + sum over n in N(i) of exp(s_in / t)) )

and the mean over all pairs. Other positives of i stand in no denominator, so that they do not push one
another away (unlike SupCon's eq. 2). With two rows a class this is NT-Xent (SimCLR) without the second
view of other positives.

Corner cases: rows without a partner of their class serve as negatives only; a batch without a positive
pair, or of one class alone, gives 0.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from patsearch.errors import SettingsError
from patsearch.training.losses.base import Loss, at_least_float32, nothing, pairs


class InfoNCE(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`; not used.
        temperature: divides the cosines; 0.05 to 0.2 are usual.
    """

    def __init__(self, *, dim: int, classes: int, temperature: float = 0.07) -> None:
        super().__init__(dim=dim, classes=classes)
        if not temperature > 0:
            raise SettingsError(f"The temperature of InfoNCE must be above 0, not {temperature}.")
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        rows = at_least_float32(embeddings, labels)
        positive, negative = pairs(labels)
        if not positive.any() or not negative.any():
            return nothing(rows)
        logits = rows @ rows.T / self.temperature  # (N, N)
        against = logits.masked_fill(~negative, -torch.inf).logsumexp(dim=1, keepdim=True)  # (N, 1)
        # -log(e^s / (e^s + e^a)) = log(1 + e^(a - s)), which softplus computes without overflow.
        return functional.softplus(against - logits)[positive].mean()
