"""Reads short lines of sheet text with a small convolutional CTC network.

The network (95 k parameters) was trained on synthetic lines alone, see `tools/train_label_reader.py`.
Best-path decoding after Graves et al., "Connectionist Temporal Classification", 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.drawings.grey import Grey

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.,-'/()"
HEIGHT = 24
MAX_WIDTH = 288
_INK_HEIGHT = 20
_STEP = 2  # pixels of width a step of the network's answer
_WIDTHS = (64, 96, 128, 192, MAX_WIDTH)


@dataclass(frozen=True, slots=True)
class Line:
    """What a crop reads.

    Attributes:
        text: upper case without spaces, "" for no text.
        sure: mean probability of its symbols.
        start: where the first symbol was seen, as a share of the crop's width.
        end: where the last symbol was seen.
    """

    text: str
    sure: float
    start: float = 0.0
    end: float = 1.0


def fit_line(crop: Grey) -> Grey:
    """The crop at the reader's height, ink = 255: (24, W) uint8 from a tight (H, W) crop, white = 255.

    Aspect is kept; what would be wider than `MAX_WIDTH` is squeezed.
    """
    height, width = crop.shape
    scale = _INK_HEIGHT / height
    fitted = (min(max(2, round(width * scale)), MAX_WIDTH - 4), _INK_HEIGHT)
    small = cv2.resize(crop, fitted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(cv2.copyMakeBorder(255 - small, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0), dtype=np.uint8)


def read_lines(crops: Sequence[Grey]) -> list[Line]:
    """Read tight, upright crops (white = 255), one line of text each."""
    lines = [fit_line(crop) for crop in crops]
    out = [Line("", 0.0)] * len(lines)
    for low, width in zip((0, *_WIDTHS), _WIDTHS, strict=False):
        part = [i for i, line in enumerate(lines) if low < line.shape[1] <= width]
        if not part:
            continue
        paper = np.zeros((len(part), 1, HEIGHT, width), np.float32)
        for row, i in enumerate(part):
            paper[row, 0, :, : lines[i].shape[1]] = lines[i]
        paper *= np.float32(1 / 255)
        (answer,) = _session().run(None, {"lines": paper})
        for i, chances, best in zip(part, answer, answer.argmax(axis=2).tolist(), strict=True):
            out[i] = _best_path(chances, best, lines[i].shape[1])
    return out


def _best_path(log_probabilities: NDArray[np.float32], best: list[int], width: int) -> Line:
    """Collapse repeated symbols and drop blanks.

    Args:
        log_probabilities: (T, 1 + len(ALPHABET)).
        best: the likeliest of them at each step.
        width: of the line within the T steps, in pixels.
    """
    new = [i for i, symbol in enumerate(best) if symbol and (i == 0 or symbol != best[i - 1])]
    if not new:
        return Line("", 1.0)
    symbols = [best[i] for i in new]
    sure = float(np.exp(log_probabilities[new, symbols]).mean())
    steps = width / _STEP
    return Line("".join(ALPHABET[symbol - 1] for symbol in symbols), sure, new[0] / steps, (new[-1] + 1) / steps)


@lru_cache(maxsize=1)
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread: sheets are split in parallel by those who have many of them.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    data = files("patsearch.drawings").joinpath("weights/label-reader.onnx").read_bytes()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
