"""The plain softmax over class ids: a linear classifier on the embedding, and cross-entropy.

    L = -log( exp(scale * w_y . x + b_y) / sum over c of exp(scale * w_c . x + b_c) )

and the mean over the rows. Embeddings are of unit length here, so `scale` is the radius of the sphere that
the classifier sees; with unit rows and radius 1 the probability of the right one of C classes could hardly
rise (Ranjan, Castillo, Chellappa: L2-constrained Softmax Loss for Discriminative Face Verification (2017),
eq. 3, with the least radius log(p (C - 2) / (1 - p)) for a mean probability p: about 10 for 2,000 classes).

`normalised` is NormFace (Wang, Xiang, Cheng, Yuille: NormFace: L2 Hypersphere Embedding for Face
Verification (2017), eq. 3): the weights are of unit length too, and there is no bias. That is ArcFace or
CosFace with a margin of 0.

Corner cases: with one class alone the loss is 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from patsearch.training.losses.base import Loss, check, check_flag
from patsearch.training.losses.centres import Centres
from patsearch.training.losses.margin_softmax import check_focal, check_sample, cross_entropy


class Softmax(Loss):
    """See the module.

    Args:
        dim, classes: as in `Loss`.
        scale: multiplies the unit embeddings, no unit.
        normalised: with weights of unit length and no bias (NormFace).
        focal_gamma, sample, sample_seed: as in `MarginSoftmax`.

    Attributes:
        centres: the rows of the classifier.
        bias: (classes,), or None where normalised.
    """

    def __init__(
        self,
        *,
        dim: int,
        classes: int,
        scale: float = 16.0,
        normalised: bool = False,
        focal_gamma: float = 0.0,
        sample: float = 1.0,
        sample_seed: int = 0,
    ) -> None:
        super().__init__(dim=dim, classes=classes)
        check(self, "scale", scale, low=0, above=True, unit="a factor of unit embeddings; 10 to 64 are usual")
        check_focal(self, focal_gamma)
        check_flag(self, "normalised", normalised)
        check_sample(self, sample, sample_seed)
        self.scale, self.focal_gamma = scale, focal_gamma
        self.centres = Centres(dim, classes, share=sample, seed=sample_seed)
        self.bias = None if normalised else nn.Parameter(torch.zeros(classes))

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        chosen = self.centres(labels)
        if self.bias is None:
            logits = chosen.cosines(rows) * self.scale  # (N, C)
        else:
            bias = self.bias if chosen.classes is None else self.bias[chosen.classes]
            logits = chosen.products(rows) * self.scale + bias.to(rows.dtype)
        return cross_entropy(logits, chosen.labels, self.focal_gamma)
