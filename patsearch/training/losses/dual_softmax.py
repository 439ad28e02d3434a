"""Two classifiers at once, each on its own half of the embedding: what a drawing is, and what it shows.

    L = ( cross-entropy of the type, from the first half + cross-entropy of the domain, from the second ) / 2

Jiang, Luo, Ruiz-Pava, Hu, Magee: Deriving Design Feature Vectors for Patent Images Using Convolutional Neural
Networks (2021) train one VGG to tell the type of a drawing and one to tell the section of the classification, and
search with the features of both. The halves belong to the networks of `patsearch.encoder.torch_dual`.

Class ids are those of `patsearch.training.data.classes` with "type-and-domain": domain * types + type. Each half is
scaled to unit length; the classifiers are those of `Softmax`.

Corner cases: with one domain alone the second term is 0.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from patsearch.errors import SettingsError
from patsearch.training.data.classes import TYPES
from patsearch.training.losses.base import Loss
from patsearch.training.losses.softmax import Softmax


class DualSoftmax(Loss):
    """See the module.

    Args:
        dim: of the embedding, even.
        classes: domains * types.
        scale: as in `Softmax`.

    Raises:
        SettingsError: the dimension is odd, or the class ids are not those of types and domains.
    """

    def __init__(self, *, dim: int, classes: int, scale: float = 16.0) -> None:
        super().__init__(dim=dim, classes=classes)
        if dim % 2 or classes % len(TYPES):
            raise SettingsError(
                f"dual-softmax cannot share {dim} numbers and {classes} classes between types and domains.",
                hint="Set batch.labels=type-and-domain, and take an even dimension.",
            )
        self.width = dim // 2
        self.types = Softmax(dim=self.width, classes=len(TYPES), scale=scale)
        self.domains = Softmax(dim=self.width, classes=classes // len(TYPES), scale=scale)

    def value(self, rows: Tensor, labels: Tensor) -> Tensor:
        first, second = (functional.normalize(half, dim=1) for half in (rows[:, : self.width], rows[:, self.width :]))
        total: Tensor = self.types(first, labels % len(TYPES)) + self.domains(second, labels // len(TYPES))
        return total / 2
