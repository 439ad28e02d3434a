"""Any image as grey on white."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.errors import ImageError

Grey = NDArray[np.uint8]

WHITE = 255


def to_grey(image: Image.Image | NDArray[np.uint8]) -> Grey:
    """(H, W) uint8 grey for an image of any mode; transparent becomes white.

    Raises:
        ImageError: no pixels, or a shape or mode that no picture has.
    """
    grey = _pil_to_grey(image) if isinstance(image, Image.Image) else _array_to_grey(image)
    if 0 in grey.shape:
        raise ImageError("The image has no pixels.", hint="Check the file, or the crop.")
    return grey


def _pil_to_grey(image: Image.Image) -> Grey:
    if image.mode == "L" and "transparency" not in image.info:
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)
    if image.mode in ("I", "F"):
        return _stretch(np.asarray(image, dtype=np.float64))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _array_to_grey(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("L"))


def _array_to_grey(array: NDArray[Any]) -> Grey:
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(WHITE)
    elif array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(f"An image array must be uint8, not {array.dtype}.", hint="Scale it to 0..255 first.")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 2:
        return np.ascontiguousarray(array)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ImageError(f"An image array must be (H, W), (H, W, 3) or (H, W, 4), not {array.shape}.")
    if array.shape[2] == 3:
        return np.asarray(cv2.cvtColor(array, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    grey = cv2.cvtColor(array, cv2.COLOR_RGBA2GRAY).astype(np.uint16)
    alpha = array[:, :, 3].astype(np.uint16)
    return ((grey * alpha + WHITE * (WHITE - alpha) + WHITE // 2) // WHITE).astype(np.uint8)


def _stretch(values: NDArray[np.float64]) -> Grey:
    # 32-bit files say nothing of their range: the powers of two that files really use are tried in turn.
    if not values.size:
        return np.empty(values.shape, np.uint8)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max())
    full = next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), top)
    return np.clip(values * (WHITE / full), 0, WHITE).astype(np.uint8)
