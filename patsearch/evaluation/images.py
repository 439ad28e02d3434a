"""Listed image files as a collection: each file is one drawing, encoded as a query would be."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import open_image
from patsearch.drawings.thumbnail import thumbnail
from patsearch.encoder import Encoder
from patsearch.errors import InputError
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.lists import ListedImage
from patsearch.types import Drawing

_CHUNK = 64  # decoded images held at a time


def encode_images(
    images: Sequence[ListedImage], encoder: Encoder, *, advance: Callable[[int], None] | None = None
) -> tuple[Collection, list[str]]:
    """Encode images as they are, nothing split off or removed.

    Args:
        images: with distinct ids.
        advance: called with the number of images done since the last call.

    Returns:
        The collection (drawing id, and patent, are the listed id), and one line for each image that
        could not be read.
    """
    drawings: list[Drawing] = []
    parts = [np.empty((0, encoder.card.dim), dtype=np.float32)]
    problems: list[str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(images), _CHUNK):
            chunk = images[start : start + _CHUNK]
            opened: list[Image.Image] = []
            for image, found in zip(chunk, pool.map(_open, chunk), strict=True):
                if isinstance(found, str):
                    problems.append(found)
                    continue
                opened.append(found)
                drawings.append(Drawing(id=image.id, patent=image.id, source=str(image.path)))
            if opened:
                parts.append(encoder.encode_batch(opened))
            if advance:
                advance(len(chunk))
    return Collection.of(drawings, np.concatenate(parts)), problems


def file_thumbnail(path: Path) -> bytes | None:
    """PNG bytes of an image file, None where it cannot be read (any more)."""
    try:
        return thumbnail(to_grey(open_image(path)))
    except (InputError, OSError):
        return None


def _open(image: ListedImage) -> Image.Image | str:
    try:
        opened = open_image(image.path)
        opened.load()
    except (InputError, OSError) as error:
        return f"{image.path}: {error}"
    return opened
