"""ArcFace, an additive angular margin.

Deng, Guo, Xue, Zafeiriou: ArcFace: Additive Angular Margin Loss for Deep Face Recognition (2019), eq. 3.
With theta the angle between a row and the centre of its class and m the margin in radians, the cosine of
the own class becomes

    cos(theta + m) = cos(theta) cos(m) - sin(theta) sin(m)

and the rest is the softmax family's (`margin_softmax`).

Beyond theta = pi - m, cos(theta + m) would rise again, and a row on the wrong side of the sphere would be
rewarded for going farther. The authors' code continues with cos(theta) - m sin(m) there, which falls further
with theta; so does this. With `easy_margin`, also theirs, the margin only applies to rows with theta below
90 degrees: gentler at the start of a training from scratch; it leaves cos(theta) as it is elsewhere.

The cosine is kept off +-1 by 1e-7, where the slope of sin(theta) is infinite.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from patsearch.training.losses.base import check_flag
from patsearch.training.losses.margin_softmax import MarginSoftmax


class ArcFace(MarginSoftmax):
    """See the module.

    Args:
        margin: radians, 0 to pi / 2; the paper takes 0.5 (28.6 degrees).
        easy_margin: ask the margin only of rows within 90 degrees of their centre.
        the others: as in `MarginSoftmax`.
    """

    usual_margin = 0.5
    largest_margin = math.pi / 2
    margin_unit = "radians; 0.5 is 28.6 degrees"

    def __init__(
        self,
        *,
        dim: int,
        classes: int,
        scale: float = 30.0,
        margin: float | None = None,
        easy_margin: bool = False,
        margin_warmup: float = 0.0,
        focal_gamma: float = 0.0,
        sample: float = 1.0,
        sample_seed: int = 0,
        subcentres: int | None = None,
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
            subcentres=subcentres,
        )
        check_flag(self, "easy_margin", easy_margin)
        self.easy_margin = easy_margin

    def margined(self, cosines: Tensor, margin: float) -> Tensor:
        sines = (1 - cosines**2).sqrt()
        further = cosines * math.cos(margin) - sines * math.sin(margin)
        if self.easy_margin:
            return torch.where(cosines > 0, further, cosines)
        return torch.where(cosines > math.cos(math.pi - margin), further, cosines - margin * math.sin(margin))
