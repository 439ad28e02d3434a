"""The interface of an encoder: images in, unit vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.encoder.card import EncoderCard
from patsearch.encoder.preprocess import Preprocessing, preprocess

Embeddings = NDArray[np.float32]


class Encoder(ABC):
    """One required method. `card` names the encoder and fingerprints it.

    Attributes:
        card: name, dimension, fingerprint.
        portable: whether ingest's worker processes may each load it again by `card.name`, one
            thread each. False for an encoder on a GPU or one made from an object in memory.
    """

    card: EncoderCard
    portable: bool = False

    @abstractmethod
    def encode_batch(self, images: Sequence[Image.Image]) -> Embeddings:
        """(N, dim) float32, rows of unit length, for N drawings of any size and mode."""


class ArrayEncoder(Encoder):
    """An encoder that works on the arrays of `preprocess`: most networks.

    Ingest runs `preprocess` where it decodes, apart from the network, so this split lets both
    overlap; an encoder that needs the images themselves derives from `Encoder` instead.
    """

    preprocessing: Preprocessing

    @abstractmethod
    def encode_arrays(self, arrays: NDArray[np.uint8]) -> Embeddings:
        """(N, dim) float32, rows of unit length, for (N, size, size) grey drawings, white = 255."""

    def encode_batch(self, images: Sequence[Image.Image]) -> Embeddings:
        if not images:
            return np.empty((0, self.card.dim), dtype=np.float32)
        return self.encode_arrays(np.stack([preprocess(image, self.preprocessing) for image in images]))
