"""What the losses of the softmax family share: class centres, a margin on the own class, cross-entropy.

Each row x has a cosine with the centre of every class; that of the own class y is made worse by a margin,
all are multiplied by a scale, and cross-entropy is taken with the own class:

    L = -log( exp(scale * margined(cos_y)) / (exp(scale * margined(cos_y)) + sum over c != y of exp(scale * cos_c)) )

and the mean over the rows. The margin is part of the graph: the gradient goes through it.

With `focal_gamma` > 0 each row is weighted by (1 - p)^gamma, p the probability of the own class with the
margin in it (Lin et al.: Focal Loss for Dense Object Detection (2017), eq. 4).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from patsearch.training.losses.base import Loss, check
from patsearch.training.losses.centres import Centres

# The slope of x^gamma at 0 is infinite for gamma below 1.
_CERTAIN = 1e-12


class MarginSoftmax(Loss):
    """Cross-entropy over cosines with a margin on the own class; see the module.

    Args:
        dim, classes: as in `Loss`.
        scale: multiplies the cosines, no unit; 64 in the papers on millions of faces, 16 to 32 for small data.
        margin: the full margin, in the subclass's unit; None is the subclass's default.
        margin_warmup: share of the training, 0 to 1, over which the margin grows linearly from 0 to the full
            one, as `progress` tells; 0 is the full margin from the start.
        focal_gamma: exponent of the focal weight; 0 is none.
        sample: share of the classes that take part in a step (Partial FC), see `patsearch.training.losses.centres`.
        sample_seed: of their choice.
        subcentres: centres of a class; the closest one counts. None is the subclass's default.

    Attributes:
        centres: the class centres.
        usual_margin, largest_margin, margin_unit: of a subclass: its default, its limit, and the unit in words.
        usual_subcentres: default of `subcentres`.
    """

    usual_margin: ClassVar[float]
    largest_margin: ClassVar[float]
    margin_unit: ClassVar[str]
    usual_subcentres: ClassVar[int] = 1

    def __init__(
        self,
        *,
        dim: int,
        classes: int,
        scale: float = 30.0,
        margin: float | None = None,
        margin_warmup: float = 0.0,
        focal_gamma: float = 0.0,
        sample: float = 1.0,
        sample_seed: int = 0,
        subcentres: int | None = None,
    ) -> None:
        super().__init__(dim=dim, classes=classes)
        margin = self.usual_margin if margin is None else margin
        subcentres = self.usual_subcentres if subcentres is None else subcentres
        check(self, "scale", scale, low=0, above=True, unit="a factor of cosines; 16 to 64 are usual")
        check(self, "margin", margin, low=0, high=self.largest_margin, unit=self.margin_unit)
        check(self, "margin_warmup", margin_warmup, low=0, high=1, unit="share of the training")
        check_focal(self, focal_gamma)
        check_sample(self, sample, sample_seed)
        check(self, "subcentres", subcentres, low=1, whole=True, unit="centres a class")
        self.scale, self.margin, self.margin_warmup = scale, margin, margin_warmup
        self.focal_gamma = focal_gamma
        self.centres = Centres(dim, classes, share=sample, seed=sample_seed, subcentres=subcentres)

    @abstractmethod
    def margined(self, cosines: Tensor, margin: float) -> Tensor:
        """The cosines with the own class, (N,), made worse by the margin; at most what they were."""

    @property
    def margin_now(self) -> float:
        """The margin at this point of the training."""
        return self.margin * (min(1.0, self.share / self.margin_warmup) if self.margin_warmup else 1.0)

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        chosen = self.centres(labels)
        cosines = chosen.cosines(rows)  # (N, C)
        own = chosen.labels[:, None]  # (N, 1), columns
        worse = self.margined(cosines.gather(1, own), self.margin_now)
        return cross_entropy(cosines.scatter(1, own, worse) * self.scale, chosen.labels, self.focal_gamma)


def check_sample(loss: Loss, share: float, seed: int) -> None:
    """Refuse a share of the classes or a seed out of range."""
    check(loss, "sample", share, low=0, high=1, above=True, unit="share of the classes")
    check(loss, "sample_seed", seed, low=0, whole=True, unit="a seed of random numbers")


def check_focal(loss: Loss, gamma: float) -> None:
    """Refuse a focal exponent out of range."""
    check(loss, "focal_gamma", gamma, low=0, high=10, unit="an exponent; 0 is none, 2 the paper's")


def cross_entropy(logits: Tensor, labels: Tensor, focal_gamma: float = 0.0) -> Tensor:
    """Mean cross-entropy, each row weighted by (1 - p)^gamma.

    Args:
        logits: (N, C).
        labels: (N,) int64 columns.
    """
    costs = functional.cross_entropy(logits, labels, reduction="none")  # (N,)
    if not focal_gamma:
        return costs.mean()
    # 1 - p = 1 - e^-cost; expm1 keeps its digits where p is close to 1.
    return ((-torch.expm1(-costs)).clamp(min=_CERTAIN) ** focal_gamma * costs).mean()
