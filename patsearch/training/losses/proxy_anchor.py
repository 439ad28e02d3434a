"""Proxy-Anchor.

Kim, Kim, Cho, Kwak: Proxy Anchor Loss for Deep Metric Learning (2020), eq. 4. Each class has one proxy, a
learned unit vector. With s(x, p) the cosine, P all proxies, P+ those whose class is in the batch, X+(p) the
rows of the proxy's class and X-(p) the others:

    L = 1 / |P+| * sum over p in P+ of log(1 + sum over x in X+(p) of exp(-scale * (s(x, p) - margin)))
      + 1 / |P|  * sum over p in P  of log(1 + sum over x in X-(p) of exp(scale * (s(x, p) + margin)))

With `sample` below 1, P is what Partial FC drew (see `patsearch.training.losses.centres`).

Corner cases: a proxy without negatives in the batch (a batch of one class) adds nothing to the second sum;
a batch of one class is thus not 0, it still pulls its proxy.
"""

from __future__ import annotations

from torch import Tensor

from patsearch.training.losses.base import Loss, check, soft_count
from patsearch.training.losses.centres import Centres
from patsearch.training.losses.margin_softmax import check_sample


class ProxyAnchor(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        margin: cosine, the delta of the paper.
        scale: multiplies the cosines, no unit, the alpha of the paper.
        sample: share of the proxies that take part in a step.
        sample_seed: of their choice.
    """

    def __init__(
        self,
        *,
        dim: int,
        classes: int,
        margin: float = 0.1,
        scale: float = 32.0,
        sample: float = 1.0,
        sample_seed: int = 0,
    ) -> None:
        super().__init__(dim=dim, classes=classes)
        check(self, "margin", margin, low=0, high=1, unit="cosine; the paper takes 0.1")
        check(self, "scale", scale, low=0, above=True, unit="a factor of cosines; the paper takes 32")
        check_sample(self, sample, sample_seed)
        self.margin, self.scale = margin, scale
        self.centres = Centres(dim, classes, share=sample, seed=sample_seed)

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        chosen = self.centres(labels)
        cosines = chosen.cosines(rows).T  # (P, N)
        own = chosen.mask.T  # (P, N)
        with_rows = own.any(dim=1)
        pull = soft_count(-self.scale * (cosines - self.margin), own)[with_rows].mean()
        push = soft_count(self.scale * (cosines + self.margin), ~own).mean()
        return pull + push
