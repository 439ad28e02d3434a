"""An encoder in 8 bits: a quarter of the size, faster on processors that multiply bytes, a little less exact.

Static quantisation: the ranges of the activations are those on drawings, none are measured at query time. Weights
have a range for each output channel. The model holds pairs of QuantizeLinear and DequantizeLinear nodes around
what is computed in bytes (QDQ), which every ONNX runtime understands; pooling and the scaling to unit length stay in
float32, where powers and roots would lose what the bytes still hold.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder.onnx import OnnxEncoder
from patsearch.errors import EncoderError
from patsearch.training.onnx_export import Exported, write_checked

LEAST_MEAN_COSINE = 0.99
_QUANTISED = ["Conv", "MatMul", "Gemm", "Add", "Clip", "Relu"]


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
        EncoderError: the mean cosine of both is below `LEAST_MEAN_COSINE`, or the model cannot be quantised.
            Nothing is left behind.
    """
    data = _quantised(encoder.path, calibration)
    card = replace(
        encoder.card,
        name=name,
        title=f"{encoder.card.title}, in 8 bits",
        scores=(),  # they were measured in float32
        notes=f"{encoder.card.notes} In 8 bits, ranges of {len(calibration)} drawings; from sha256 "
        f"{encoder.card.sha256}.".strip(),
    )
    return write_checked(
        data, card, folder, encoder, check, refuse=lambda cosines: float(cosines.mean()) < LEAST_MEAN_COSINE
    )


def _quantised(path: Path, calibration: NDArray[np.uint8]) -> bytes:
    try:
        from onnxruntime.quantization import (
            CalibrationDataReader,
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise EncoderError("Quantisation needs the onnx package.", hint="pip install 'patsearch[train]'") from error

    class Drawings(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.rest = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            drawing = next(self.rest, None)
            return None if drawing is None else {name: drawing[None, None]}

    import onnx

    name = onnx.load(path).graph.input[0].name
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it warns on the root logger of a step that was just made
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepared, result = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
            quant_pre_process(path, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                result,
                Drawings(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=_QUANTISED,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
            return result.read_bytes()
    except Exception as error:  # onnxruntime's errors share no base class
        raise EncoderError(f"{path} cannot be quantised: {' '.join(str(error).split())[:200]}.") from error
    finally:
        root.setLevel(level)
