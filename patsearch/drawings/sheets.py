"""Turn a patent drawing sheet into its figures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from patsearch.drawings.figure import Figure, Grey, SplitSheet
from patsearch.types import Caption

__all__ = ["Figure", "SplitSheet", "name_figures", "split_sheet", "whole_sheet"]


def split_sheet(image: Image.Image, *, expected: Sequence[str] = ()) -> SplitSheet:
    """The figures of a sheet; `expected` are the figure numbers that the grant's captions name."""
    del expected
    return whole_sheet(image)


def whole_sheet(image: Image.Image) -> SplitSheet:
    """The sheet as one figure, nothing removed but its margins."""
    grey: Grey = np.asarray(image.convert("L"))
    left, top, width, height = cv2.boundingRect((grey < 250).astype(np.uint8))
    if not width or not height:
        return SplitSheet((Figure(grey, (0, 0, grey.shape[1], grey.shape[0]), None),), 0)
    box = (int(left), int(top), int(left + width), int(top + height))
    return SplitSheet((Figure(grey[box[1] : box[3], box[0] : box[2]].copy(), box, None),), 0)


def name_figures(
    sheets: Sequence[SplitSheet], captions: Sequence[Caption], figure_count: int | None
) -> list[SplitSheet]:
    """Labels made consistent over the sheets of one patent."""
    del captions, figure_count
    return list(sheets)
