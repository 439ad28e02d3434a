"""What a run makes smaller: the recipe's losses, each on the vectors that it is meant for."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from patsearch.encoder.torch_network import Network
from patsearch.training.config import LossSection, Recipe
from patsearch.training.distillation import similarity_loss
from patsearch.training.losses import Loss, build_loss

Vectors = dict[str, Tensor]


class Trunk(nn.Module):
    """A network that gives the vectors of both places, as a process group or a compiler wraps it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, drawings: Tensor) -> Vectors:
        """(N, dim) behind the projection and (N, features) before it, for (N, size, size) uint8."""
        pooled = self.network.pooled(self.network.normalised(drawings))
        return {"projection": self.network.projection(pooled), "pooled": pooled}


class Objective(nn.Module):
    """The weighted sum of a recipe's losses and of what its teachers teach, on the vectors that are searched.

    Args:
        recipe: its `loss`, `loss2` and `distillation`.
        network: says how long the vectors are.
        classes: of the training data.

    Attributes:
        places: the vectors that are used, "projection" or "pooled" or both.
    """

    def __init__(self, recipe: Recipe, network: Network, classes: int) -> None:
        super().__init__()
        dims = {"projection": network.dim, "pooled": network.features}
        sections: dict[str, list[LossSection]] = {}
        for section in recipe.losses:
            sections.setdefault(section.on, []).append(section)
        self._taught = recipe.network.embedding if recipe.distils else None
        self._distillation = recipe.distillation
        self.places = tuple(dict.fromkeys((*sections, *([self._taught] if self._taught else ()))))
        self.parts = nn.ModuleDict()
        for place, some in sections.items():
            self.parts[place] = build_loss(some, dim=dims[place], classes=classes)

    def unit(self, vectors: Mapping[str, Tensor]) -> Vectors:
        """Those that are used, in float32 and of unit length."""
        return {place: functional.normalize(vectors[place].float(), dim=1) for place in self.places}

    def forward(self, vectors: Mapping[str, Tensor], labels: Tensor, taught: Tensor | None = None) -> Tensor:
        """The sum, a scalar.

        Args:
            vectors: unit vectors (N, dim) by place.
            labels: (N,).
            taught: (N, D), the teachers' unit vectors of the same drawings; needed where there are teachers.
        """
        parts = [part(vectors[place], labels) for place, part in self.parts.items()]
        if self._taught is not None and taught is not None:
            section = self._distillation
            learned = similarity_loss(
                vectors[self._taught], taught, temperature=section.temperature, squared=section.squared
            )
            parts.append(section.weight * learned)
        first, *others = parts
        total: Tensor = sum(others, start=first)
        return total

    def progress(self, share: float) -> None:
        """How much of the budget is spent, for margins that grow."""
        for part in self.parts.values():
            assert isinstance(part, Loss)
            part.progress(share)
