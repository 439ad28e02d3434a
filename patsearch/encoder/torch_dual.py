"""Two networks side by side whose features are searched together, as one backbone: `dual_vgg19`, `dual_vgg19_bn`.

Jiang, Luo, Ruiz-Pava, Hu, Magee: Deriving Design Feature Vectors for Patent Images Using Convolutional Neural
Networks (2021), "Dual-VGG": one VGG19 learns the type of a drawing, one its domain.

What is chosen here: the features are those behind the last convolution (512 of each network, pooled), without the
two layers of 4,096 that VGG has behind them: those hold 119 of a VGG19's 139 million weights and are bound to
224 pixels. With `dual_vgg19_bn` the convolutions are normalised: without that, 16 layers hardly learn from random
weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from patsearch.encoder.torchvision_schemas import import_timm

# Names of architectures, and timm's model that is taken twice.
TWINS = {"dual_vgg11_bn": "vgg11_bn", "dual_vgg19": "vgg19", "dual_vgg19_bn": "vgg19_bn"}


class Dual(nn.Module):
    """Two networks of the same architecture with separate weights; behaves as timm's models do.

    Args:
        architecture: a VGG of timm.
        pretrained: whether both start from timm's weights.

    Attributes:
        num_features, head_hidden_size: length of the features of both together.
        output_fmt: order of the feature maps' axes.
    """

    output_fmt = "NCHW"

    def __init__(self, architecture: str, *, pretrained: bool = False) -> None:
        super().__init__()
        timm = import_timm()
        twins: list[Any] = [timm.create_model(architecture, pretrained=pretrained, num_classes=0) for _ in range(2)]
        for twin in twins:
            twin.pre_logits = nn.Identity()
        self.first, self.second = twins
        self.num_features = self.head_hidden_size = 2 * int(twins[0].num_features)

    def forward_features(self, images: Tensor) -> Tensor:
        """(N, features, H, W): the maps of the first network, then those of the second."""
        return torch.cat([self.first.forward_features(images), self.second.forward_features(images)], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, features): the maps averaged."""
        return self.forward_features(images).mean(dim=(2, 3))
