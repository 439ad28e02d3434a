"""CosFace, an additive cosine margin.

Wang et al.: CosFace: Large Margin Cosine Loss for Deep Face Recognition (2018), eq. 4. The cosine of the
own class becomes cos(theta) - m; the rest is the softmax family's (`margin_softmax`). AM-Softmax is the same.

Corner cases: none; the margin is linear in the cosine everywhere.
"""

from __future__ import annotations

from torch import Tensor

from patsearch.training.losses.base import check
from patsearch.training.losses.margin_softmax import MarginSoftmax


class CosFace(MarginSoftmax):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        margin: cosine, 0 to 1; the paper takes 0.35.
        scale, margin_warmup, focal_gamma, sample, sample_seed: as in `MarginSoftmax`.
    """

    def __init__(
        self,
        *,
        dim: int,
        classes: int,
        scale: float = 30.0,
        margin: float = 0.35,
        margin_warmup: float = 0.0,
        focal_gamma: float = 0.0,
        sample: float = 1.0,
        sample_seed: int = 0,
    ) -> None:
        super().__init__(
            dim=dim,
            classes=classes,
            scale=scale,
            margin=margin,
            margin_warmup=margin_warmup,
            focal_gamma=focal_gamma,
            sample=sample,
            sample_seed=sample_seed,
        )
        check(self, "margin", margin, low=0, high=1, unit="cosine; the paper takes 0.35")

    def margined(self, cosines: Tensor, margin: float) -> Tensor:
        return cosines - margin
