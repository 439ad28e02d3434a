"""InfoNCE over labelled batches.

van den Oord, Li, Vinyals: Representation Learning with Contrastive Predictive Coding (2018), eq. 4.
For every ordered pair (i, p) of one class, with s the cosine, t the temperature and N(i) the rows of
other classes:

    L(i, p) = -log( exp(s_ip / t) / (exp(s_ip / t) + sum over n in N(i) of exp(s_in / t)) )

and the mean over all pairs. Other positives of i are in no denominator, so that they do not push one
another away (unlike SupCon's eq. 2). With two rows a class this is NT-Xent (SimCLR) without the second
view of other positives.

Both directions: CLIP, with two kinds of rows, averages the loss from images to texts and that from texts to
images. In a labelled batch there is one kind of rows, and each pair counts in both orders: (i, p) against the
negatives of i, (p, i) against those of p. Both are in the mean, so the loss is symmetric without an option.

The temperature may be learned, as in CLIP (Radford et al. 2021, section 2.5): what is learned is log(1 / t),
clipped so that 1 / t stays within 1 and 100.

Corner cases: rows without a partner of their class serve as negatives only; a batch without a positive
pair, or of one class alone, gives 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from patsearch.errors import SettingsError
from patsearch.training.losses.base import Loss, check, check_flag, nothing, pairs

# CLIP's limit of the factor that a learned temperature puts on the cosines.
_LARGEST_FACTOR = 100.0


class InfoNCE(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        temperature: divides the cosines, no unit; 0.05 to 0.2 are usual. If learned, the first one.
        learn_temperature: whether it is learned; it is then kept within 0.01 and 1.

    Attributes:
        log_factor: log(1 / temperature), a scalar parameter; None if it is not learned.
    """

    def __init__(self, *, dim: int, classes: int, temperature: float = 0.07, learn_temperature: bool = False) -> None:
        super().__init__(dim=dim, classes=classes)
        check(self, "temperature", temperature, low=0, above=True, unit="a divisor of cosines; 0.05 to 0.2 are usual")
        check_flag(self, "learn_temperature", learn_temperature)
        if learn_temperature and not 1 / _LARGEST_FACTOR <= temperature <= 1:
            raise SettingsError(
                f"InfoNCE: a learned temperature must begin between 0.01 and 1, not at {temperature}.",
                hint="Begin at 0.07, as CLIP does, or leave learn_temperature out.",
            )
        self._fixed = temperature
        self.log_factor = nn.Parameter(torch.tensor(-math.log(temperature))) if learn_temperature else None

    @property
    def temperature(self) -> float:
        """The divisor of the cosines, as it is now."""
        return self._fixed if self.log_factor is None else math.exp(-float(self.log_factor.detach()))

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        positive, negative = pairs(labels)
        if not positive.any() or not negative.any():
            return nothing(rows)
        logits = rows @ rows.T * self._factor()  # (N, N)
        against = logits.masked_fill(~negative, -torch.inf).logsumexp(dim=1, keepdim=True)  # (N, 1)
        # -log(e^s / (e^s + e^a)) = log(1 + e^(a - s)), which softplus computes without overflow.
        return functional.softplus(against - logits)[positive].mean()

    def _factor(self) -> Tensor | float:
        if self.log_factor is None:
            return 1 / self._fixed
        with torch.no_grad():
            # In place, not in the graph: at the limit a clamp in the graph would have no gradient to come back.
            self.log_factor.clamp_(0, math.log(_LARGEST_FACTOR))
        return self.log_factor.exp()
