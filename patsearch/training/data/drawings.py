"""Drawings to calibrate with and to compare encoders on: from a cache, a source, or the synthetic corpus."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from patsearch.encoder import Preprocessing
from patsearch.errors import EncoderError, PluginError, UsageError
from patsearch.training.augment.augmentation import encoder_input
from patsearch.training.data.build import open_data
from patsearch.training.data.cache import DrawingCache
from patsearch.training.data.splits import hash_share

# Of the synthetic corpus: about six drawings a design, of which not all are needed.
_MOST_DESIGNS = 48


def some_drawings(data: Sequence[Path], preprocessing: Preprocessing, count: int) -> NDArray[np.uint8]:
    """(N, size, size) uint8, white = 255, at most `count`, in an order that a hash of their names decides.

    Args:
        data: caches or sources; none for synthetic drawings, which need the extra `synth`.
        preprocessing: of the encoder.

    Raises:
        InputError: they cannot be read.
        EncoderError: no data given, and the synthetic corpus cannot be drawn.
        UsageError: fewer than two drawings.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        if not data:
            data = [_synthetic(store / "corpus", min(_MOST_DESIGNS, -(-count // 2)))]
        cache, built = open_data(data, store / "cache", preprocessing)
        places = [
            (hash_share(f"{record.design} {number}"), design, number)
            for design, record in enumerate(cache.records)
            for number in range(len(record.kinds))
        ]
        chosen = sorted(places)[:count]
        if len(chosen) < 2:
            raise UsageError("Too few drawings: at least two are needed.", hint="Name a larger source or cache.")
        drawings = [cache.drawing(design, number) for _, design, number in chosen]
        return np.stack(drawings if built else [encoder_input(drawing, preprocessing) for drawing in drawings])


def whole_cache(data: Sequence[Path], size: int, store: Path) -> DrawingCache:
    """All drawings of caches or sources, with at least `size` pixels.

    Raises:
        UsageError: the drawings of a cache are smaller.
    """
    cache, _ = open_data(data, store, Preprocessing(size=size))
    if cache.size < size:
        raise UsageError(f"The cached drawings have {cache.size} pixels, fewer than {size}.", hint="Name their source.")
    return cache


def _synthetic(folder: Path, designs: int) -> Path:
    from patsearch.synth import write_corpus

    try:
        write_corpus(folder, designs=designs, seed=0)
    except (ImportError, PluginError) as error:
        raise EncoderError(
            "Without --drawings, synthetic ones are drawn, and that needs the extra synth.",
            hint="Name drawings with --drawings SOURCE, or pip install 'patsearch[synth]'.",
        ) from error
    return folder
