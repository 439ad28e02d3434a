"""Inputs for the tests of the benchmark: a tiny encoder, drawings that it tells apart, an index of them."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from patsearch.classification import ClassCode
from patsearch.encoder import ArrayEncoder, EncoderCard, Preprocessing
from patsearch.encoder.base import Embeddings
from patsearch.engine import create_index
from patsearch.evaluation.collection import Collection
from patsearch.types import Drawing

DIM = 64
SHAPE_DIM = 24  # the upper three rows of cells stand for what shape would be


class TinyEncoder(ArrayEncoder):
    """Ink by cells of an 8 x 8 grid: enough to distinguish simple shapes, and instant."""

    def __init__(self, name: str = "tiny", *, baseline: bool = False) -> None:
        self.preprocessing = Preprocessing(size=64)
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        self.card = EncoderCard(
            name, "for tests", DIM, self.preprocessing, sha256, baseline=baseline, shape_dim=SHAPE_DIM
        )

    def encode_arrays(self, arrays: np.ndarray) -> Embeddings:
        cells = 255.0 - arrays.reshape(len(arrays), 8, 8, 8, 8).mean(axis=(2, 4))
        flat = cells.reshape(len(arrays), DIM) + 1e-3
        return unit(flat)


def drawing(patent: str, sheet: int, **values: object) -> Drawing:
    fields = {"patent": patent, "sheet": f"D{sheet:05d}", "front_page": sheet == 0, "title": f"Title of {patent}"}
    return Drawing(id=f"{patent}-D{sheet:05d}", **{**fields, **values})  # type: ignore[arg-type]


def unit(vectors: np.ndarray) -> Embeddings:
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found.astype(np.float32)


def make_collection(patents: int = 12, sheets: int = 4, *, seed: int = 0, prefix: str = "USD9") -> Collection:
    """Patents with `sheets` drawings each around their own direction; sheet 0 repeats sheet 1."""
    rng = np.random.default_rng(seed)
    drawings, vectors = [], []
    for p in range(patents):
        centre = rng.standard_normal(DIM)
        rows = centre + 2.2 * rng.standard_normal((sheets, DIM))
        rows[0] = rows[1]
        for s in range(sheets):
            number = f"{prefix}{p:05d}"
            code = ClassCode("locarno", f"{6 + p % 3:02d}-01")
            drawings.append(drawing(number, s, granted=date(2021, 1 + p % 12, 5), classes=(code,), kind="S1"))
        vectors.append(rows)
    return Collection.of(drawings, unit(np.concatenate(vectors)))


def make_index(path: Path, collection: Collection | None = None) -> Path:
    """An index of `make_collection`, with thumbnails of half of it."""
    collection = collection or make_collection()
    with create_index(path, TinyEncoder()) as engine:
        engine.add(collection.drawings, collection.vectors)
        engine.thumbnails.put((d.id, b"\x89PNG" + d.id.encode()) for d in collection.drawings[::2])
    return path


def draw(path: Path, number: int, view: int) -> None:
    """A PNG: the shape is the patent's own, its place on the sheet the view's."""
    image = Image.new("L", (160, 160), 255)
    pen = ImageDraw.Draw(image)
    rng = np.random.default_rng(number)
    for _ in range(4):
        x, y, w, h = rng.integers(10, 100, size=4).tolist()
        pen.rectangle((x, y, x + w // 2 + 5, y + h // 2 + 5), outline=0, width=3)
    pen.line((10, 150, 10 + 12 * view, 150), fill=0, width=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def use_tiny_encoders(patch: pytest.MonkeyPatch) -> None:
    """Make the benchmark load tiny encoders; ingest then encodes in the main process."""

    def load(name: str | None = None, **_: object) -> TinyEncoder:
        return TinyEncoder(name or "tiny")

    patch.setattr("patsearch.evaluation.runner.load_encoder", load)
    patch.setattr("patsearch.engine.engine.load_encoder", load)
