"""An encoder in 8 bits: smaller, faster on processors that multiply bytes, a little less exact.

Static quantisation: the ranges of the activations are those on drawings, none are measured at query time. Weights
have a range for each output channel. The model holds pairs of QuantizeLinear and DequantizeLinear nodes around
what is computed in bytes (QDQ), which every ONNX runtime understands. In bytes are convolutions and products between
layers, what clips them, and the sums of residual branches; what is made of the last feature maps (powers, roots,
projections, lengths) stays in float32, for it would lose there what the bytes still hold.

Weights take 7 of the 8 bits: processors without VNNI add the products of two pairs of bytes in 16 bits, which weights
of 8 bits overflow. So a vector is the same on all of them, but for what rounding turns.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.card import fingerprint
from patsearch.encoder.detail_maps import find_looks, has_whole_axes, tensors_of
from patsearch.encoder.onnx import OnnxEncoder
from patsearch.encoder.onnx_graph import read_nodes, with_outputs
from patsearch.errors import EncoderError
from patsearch.training.export.onnx_export import Exported, write_checked

LEAST_MEAN_COSINE = 0.99
# The first of these shares of the layers, from the input on, that brings the mean cosine on the drawings of
# the calibration to `_AIM` stays in float32. The first layers lose most: on drawings they see paper and thin lines.
_KEPT = (0.0, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2)
_AIM = 0.992
_CONVOLUTION, _PRODUCTS, _ACTIVATIONS, _SUM = "Conv", ("MatMul", "Gemm"), ("Clip", "Relu"), "Add"


def quantise(
    encoder: OnnxEncoder, folder: Path, name: str, *, calibration: NDArray[np.uint8], check: NDArray[np.uint8]
) -> Exported:
    """Write `NAME.onnx` and `NAME.json`, in 8 bits.

    Args:
        encoder: in float32.
        folder: to write into.
        name: of the files and in the card.
        calibration: (N, size, size) uint8 drawings, from which the ranges are taken.
        check: (M, size, size) others, on which both are compared.

    Raises:
        EncoderError: the mean cosine of both is below `LEAST_MEAN_COSINE`, or the model cannot be quantised, or is in
            8 bits already. Nothing is left behind.
    """
    data, kept = _quantised(encoder, calibration)
    card = replace(
        encoder.card,
        name=name,
        title=f"{encoder.card.title}, in 8 bits",
        scores=(),  # they were measured in float32
        notes=f"{encoder.card.notes} In 8 bits but for the first {kept} layers, ranges of "
        f"{len(calibration)} drawings; from sha256 {encoder.card.sha256}.".strip(),
    )
    return write_checked(
        data, card, folder, encoder, check, refuse=lambda cosines: float(cosines.mean()) < LEAST_MEAN_COSINE
    )


def _quantised(encoder: OnnxEncoder, calibration: NDArray[np.uint8]) -> tuple[bytes, int]:
    """The model in 8 bits, and how many layers of each of its networks stay in float32."""
    try:
        import onnx
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise EncoderError("Quantisation needs the onnx package.", hint="pip install 'patsearch[train]'") from error
    data = encoder.path.read_bytes()
    parts = read_nodes(data)
    if any(node.kind == "QuantizeLinear" for node in parts):
        raise EncoderError(f"{encoder.card.name} is already in 8 bits.", hint="Name an encoder in float32.")
    exact = encoder.encode_arrays(calibration)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it warns on the root logger of a step that was just made
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            looks = find_looks(parts)
            # Declared as outputs, the tensors that explanations ask for survive what is left out and joined here.
            source.write_bytes(with_outputs(data, tensors_of(looks, whole_axes=has_whole_axes(parts)) if looks else []))
            quant_pre_process(source, source, skip_symbolic_shape=True)
            nodes = onnx.load(source).graph.node
            count = max(_depths(nodes).values(), default=-1) + 1
            for share in _KEPT:
                kept = round(share * count)
                _quantise_file(source, path, calibration, _in_bytes(nodes, kept))
                model = onnx.load(path)
                del model.graph.output[1:]
                data = model.SerializeToString(deterministic=True)
                path.write_bytes(data)
                card = replace(encoder.card, sha256=fingerprint([data], encoder.card.preprocessing))
                found = OnnxEncoder(path, card, threads=encoder.threads).encode_arrays(calibration)
                if float((exact * found).sum(axis=1).mean()) >= _AIM:
                    break
            return data, kept
    except Exception as error:  # onnxruntime's errors share no base class
        raise EncoderError(f"{encoder.path} cannot be quantised: {' '.join(str(error).split())[:200]}.") from error
    finally:
        root.setLevel(level)


def _depths(nodes: Sequence[Any]) -> dict[str, int]:
    """For each layer of a network by name, how many come before it: a graph may hold several networks side by side.

    Layers are convolutions, and products with others behind them; the last product is a projection. A convolution with
    no layer before and none behind it is a measurement of the drawing, and no network's.
    """
    leading: set[str] = set()  # tensors from which there is a way to a layer
    followed: set[str] = set()
    for node in reversed(nodes):
        if behind := not leading.isdisjoint(node.output):
            followed.add(node.name)
        if behind or node.op_type in (_CONVOLUTION, *_PRODUCTS):
            leading.update(node.input)
    before: dict[str, int] = {}
    depths: dict[str, int] = {}
    for node in nodes:  # in an order in which they can be computed
        depth = max((before.get(name, 0) for name in node.input), default=0)
        convolution, product = node.op_type == _CONVOLUTION, node.op_type in _PRODUCTS
        if (convolution and (depth or node.name in followed)) or (product and node.name in followed):
            depths[node.name] = depth
            depth += 1
        before |= dict.fromkeys(node.output, depth)
    return depths


def _in_bytes(nodes: Sequence[Any], kept: int) -> list[str]:
    """Names of the nodes to compute in bytes: layers with `kept` or more layers before them, the nodes that clip their
    results, and the sums that they are part of.

    Raises:
        ValueError: there are none.
    """
    chosen = {name for name, depth in _depths(nodes).items() if depth >= kept}
    results = {output for node in nodes if node.name in chosen for output in node.output}
    chosen |= {node.name for node in nodes if node.op_type in _ACTIVATIONS and node.input[0] in results}
    chosen |= {node.name for node in nodes if node.op_type == _SUM and not results.isdisjoint(node.input)}
    if not chosen:  # which would be taken for all nodes
        raise ValueError("it has no layers")
    return sorted(chosen)


def _quantise_file(source: Path, target: Path, calibration: NDArray[np.uint8], chosen: list[str]) -> None:
    from onnxruntime import InferenceSession
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    (name,) = (one.name for one in InferenceSession(source, providers=["CPUExecutionProvider"]).get_inputs())

    class Drawings(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.rest = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            drawing = next(self.rest, None)
            return None if drawing is None else {name: drawing[None, None]}

    quantize_static(
        source,
        target,
        Drawings(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=[_CONVOLUTION, *_PRODUCTS, *_ACTIVATIONS, _SUM],
        nodes_to_quantize=chosen,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
