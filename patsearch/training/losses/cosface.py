"""CosFace, an additive cosine margin.

Wang et al.: CosFace: Large Margin Cosine Loss for Deep Face Recognition (2018), eq. 4. The cosine of the
own class becomes cos(theta) - m; the rest is the softmax family's (`margin_softmax`). AM-Softmax is the same.

Corner cases: none; the margin is linear in the cosine everywhere.
"""

from __future__ import annotations

from torch import Tensor

from patsearch.training.losses.margin_softmax import MarginSoftmax


class CosFace(MarginSoftmax):
    """See the module; the options are those of `MarginSoftmax`. The margin is a cosine, the paper takes 0.35."""

    usual_margin = 0.35
    largest_margin = 1.0
    margin_unit = "cosine; the paper takes 0.35"

    def margined(self, cosines: Tensor, margin: float) -> Tensor:
        return cosines - margin
