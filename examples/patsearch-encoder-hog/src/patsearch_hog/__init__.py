"""An encoder for patsearch that needs no training: histograms of oriented gradients.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005: the drawing is
cut into cells; each cell says how much of its lines runs in which direction.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from patsearch.encoder import ArrayEncoder, EncoderCard, Preprocessing, fingerprint
from patsearch.errors import EncoderError

BINS = 9
DEFAULT_CELLS = 12


class HogEncoder(ArrayEncoder):
    """`cells` x `cells` histograms of `BINS` undirected line directions.

    Args:
        cells: cells along each side of the drawing, 2 to 32.
    """

    # A worker process may load it again by its name: it holds nothing but a number.
    portable = True

    def __init__(self, cells: int = DEFAULT_CELLS) -> None:
        if not 2 <= cells <= 32:
            raise EncoderError(f"hog takes 2 to 32 cells, not {cells}.", hint="Write hog:12.")
        self.cells = cells
        self.preprocessing = Preprocessing(size=192)
        self.card = EncoderCard(
            name=f"hog:{cells}",
            title=f"Histograms of oriented gradients, {cells} x {cells} cells",
            dim=cells * cells * BINS,
            preprocessing=self.preprocessing,
            # Without weights, the code and its one number shape the vectors.
            sha256=fingerprint([f"hog 1 {cells} {BINS}".encode()], self.preprocessing),
            licence="Apache-2.0",
            baseline=True,
        )

    def encode_arrays(self, arrays: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, dim) float32, rows of unit length, for (N, size, size) grey drawings."""
        rows = [self._histograms(array) for array in arrays]
        return np.stack(rows) if rows else np.empty((0, self.card.dim), dtype=np.float32)

    def _histograms(self, array: NDArray[np.uint8]) -> NDArray[np.float32]:
        smooth = cv2.GaussianBlur(array.astype(np.float32), (0, 0), 1.0)
        along_x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
        along_y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        strength = np.hypot(along_x, along_y)
        direction = np.mod(np.arctan2(along_y, along_x), np.pi) * (BINS / np.pi)
        bins = np.minimum(direction.astype(np.intp), BINS - 1)
        height, width = array.shape
        row = np.arange(height)[:, None] * self.cells // height
        column = np.arange(width)[None, :] * self.cells // width
        cell = (row * self.cells + column) * BINS + bins  # (H, W)
        histogram = np.bincount(cell.ravel(), strength.ravel(), minlength=self.card.dim)
        # The square root keeps one bold line from drowning the rest.
        rooted = np.sqrt(histogram)
        length = float(np.linalg.norm(rooted))
        if length == 0:  # a blank drawing points nowhere; any unit vector will do
            rooted, length = np.ones_like(rooted), float(np.sqrt(self.card.dim))
        return (rooted / length).astype(np.float32)


def load(argument: str, *, threads: int | None = None) -> HogEncoder:
    """What `patsearch.load_encoder("hog")` and `"hog:16"` call; `threads` means nothing here.

    Raises:
        EncoderError: the argument is not a number of cells.
    """
    del threads
    try:
        return HogEncoder(int(argument) if argument else DEFAULT_CELLS)
    except ValueError as error:
        raise EncoderError(f"hog takes a number of cells, not {argument!r}.", hint="Write hog:12.") from error
