"""Append-only segments: the vectors and two hot columns of every row, in files of equal capacity.

Vectors are kept as they came, in float32: scores are then the exact cosines and an export gives back
every bit. Smaller codes for searching are derived (see `approximate`).
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.base import Embeddings
from patsearch.errors import IndexDamaged
from patsearch.files import IN_USE, open_binary, read_at, sync_data, sync_folder, write_at

SEGMENT_ROWS = 1 << 18
COLUMNS = 2  # facts, caption
Columns = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of rows within one segment, as one append wrote it, with the CRC-32 of its bytes."""

    first: int
    rows: int
    vectors_crc: int
    columns_crc: int


class Segments:
    """The segment files of one generation. Row r is in segment r // SEGMENT_ROWS."""

    def __init__(self, folder: Path, dim: int, *, writable: bool) -> None:
        self._folder = folder
        self._dim = dim
        self._writable = writable
        self._files: dict[tuple[str, int], int] = {}
        self._maps: dict[tuple[str, int], tuple[mmap.mmap, NDArray[Any]]] = {}

    # ------------------------------------------------------------------ writing

    def append(self, first: int, vectors: Embeddings, columns: Columns) -> list[Batch]:
        """Write rows from `first` on and flush them to the disk; they count once the catalogue says so.

        Args:
            vectors: (N, dim) float32.
            columns: (N, 2) int32.
        """
        batches = []
        done = 0
        touched: set[int] = set()
        while done < len(vectors):
            row = first + done
            segment, offset = divmod(row, SEGMENT_ROWS)
            count = min(len(vectors) - done, SEGMENT_ROWS - offset)
            data = np.ascontiguousarray(vectors[done : done + count], dtype="<f4").data.cast("B")
            cols = np.ascontiguousarray(columns[done : done + count], dtype="<i4").data.cast("B")
            touched.add(self._write("vectors", segment, offset * self._dim * 4, data))
            touched.add(self._write("columns", segment, offset * COLUMNS * 4, cols))
            batches.append(Batch(row, count, zlib.crc32(data), zlib.crc32(cols)))
            done += count
        for handle in touched:
            sync_data(handle)
        return batches

    def truncate(self, rows: int) -> None:
        """Give back the space behind the last committed row: what a killed writer left."""
        for kind, width in (("vectors", self._dim * 4), ("columns", COLUMNS * 4)):
            for path in sorted(self._folder.glob(f"{kind}-*")):
                segment = int(path.name.split("-")[1].split(".")[0])
                keep = max(0, min(SEGMENT_ROWS, rows - segment * SEGMENT_ROWS)) * width
                if path.stat().st_size > keep:
                    # Windows keeps the length of what a reader has mapped; the next append overwrites it.
                    with suppress(*IN_USE):
                        os.truncate(path, keep)

    # ------------------------------------------------------------------ reading

    def check_sizes(self, rows: int) -> None:
        """Raises IndexDamaged where a file is shorter than its committed rows."""
        for kind, width in (("vectors", self._dim * 4), ("columns", COLUMNS * 4)):
            for segment in range(-(-rows // SEGMENT_ROWS)):
                need = min(SEGMENT_ROWS, rows - segment * SEGMENT_ROWS) * width
                path = self._path(kind, segment)
                size = path.stat().st_size if path.exists() else 0
                if size < need:
                    raise IndexDamaged(
                        f"{path} holds {size} bytes where {need} were committed.",
                        hint="Restore the index from a backup, or ingest into a new one.",
                    )

    def open_files(self, rows: int) -> None:
        """Open every file that holds rows, so that a reader outlives a compaction that removes them."""
        for segment in range(-(-rows // SEGMENT_ROWS)):
            self._handle("vectors", segment)
            self._handle("columns", segment)

    def vectors(self, start: int, stop: int, step: int = 1 << 16) -> Iterator[tuple[int, Embeddings]]:
        """(first row, (n, dim) mapped block), in order of rows, for the rows start to stop."""
        row = start
        while row < stop:
            segment, offset = divmod(row, SEGMENT_ROWS)
            count = min(stop - row, SEGMENT_ROWS - offset, step)
            block: Embeddings = self._map("vectors", segment, offset + count, np.dtype("<f4"), self._dim)
            yield row, block[offset : offset + count]
            row += count

    def columns(self, rows: int) -> list[Columns]:
        """The mapped columns of the rows 0 to `rows`, one array (n, 2) a segment."""
        return [
            self._map("columns", s, min(SEGMENT_ROWS, rows - s * SEGMENT_ROWS), np.dtype("<i4"), COLUMNS)
            for s in range(-(-rows // SEGMENT_ROWS))
        ]

    def take(self, rows: NDArray[np.int64]) -> Embeddings:
        """The vectors (n, dim) of any rows, read and not mapped: mapping would pull in their neighbours."""
        out = np.empty((len(rows), self._dim), dtype="<f4")
        if not len(rows):
            return out
        # Runs of consecutive rows within a segment are one read.
        breaks = np.flatnonzero((np.diff(rows) != 1) | (rows[1:] % SEGMENT_ROWS == 0)) + 1
        width = self._dim * 4
        for start, stop in zip([0, *breaks.tolist()], [*breaks.tolist(), len(rows)], strict=True):
            segment, offset = divmod(int(rows[start]), SEGMENT_ROWS)
            part = out[start:stop].data
            if read_at(self._handle("vectors", segment), part, offset * width) != part.nbytes:
                raise IndexDamaged(f"{self._path('vectors', segment)} ends before row {rows[stop - 1]}.")
        return out

    def release_pages(self) -> None:
        """Unmap the vectors that a scan of everything has touched; they stay in the page cache."""
        for (kind, _), (mapped, _array) in list(self._maps.items()):
            if kind == "vectors" and hasattr(mapped, "madvise"):  # Windows has nothing of the kind
                mapped.madvise(mmap.MADV_DONTNEED)

    def check(self, batch: Batch) -> Iterator[str]:
        """What is wrong with a batch: checksums, norms; one sentence each."""
        vectors = self.take(np.arange(batch.first, batch.first + batch.rows))
        where = f"rows {batch.first} to {batch.first + batch.rows - 1}"
        if zlib.crc32(vectors.data.cast("B")) != batch.vectors_crc:
            yield f"The vectors of {where} differ from their checksum."
        elif np.abs(np.linalg.norm(vectors, axis=1) - 1.0).max() > 2e-3:
            yield f"Vectors of {where} are not of unit length."
        segment, offset = divmod(batch.first, SEGMENT_ROWS)
        columns = np.zeros((batch.rows, COLUMNS), dtype="<i4")
        read_at(self._handle("columns", segment), columns.data, offset * COLUMNS * 4)
        if zlib.crc32(columns.data.cast("B")) != batch.columns_crc:
            yield f"The columns of {where} differ from their checksum."

    def close(self) -> None:
        self._maps.clear()
        for handle in self._files.values():
            os.close(handle)
        self._files.clear()

    # ------------------------------------------------------------------ files

    def _path(self, kind: str, segment: int) -> Path:
        return self._folder / f"{kind}-{segment:05d}.{'f32' if kind == 'vectors' else 'i32'}"

    def _handle(self, kind: str, segment: int) -> int:
        handle = self._files.get((kind, segment))
        if handle is None:
            path = self._path(kind, segment)
            new = self._writable and not path.exists()
            handle = open_binary(path, writable=self._writable)
            self._files[kind, segment] = handle
            if new:
                sync_folder(self._folder)
        return handle

    def _write(self, kind: str, segment: int, offset: int, data: memoryview) -> int:
        handle = self._handle(kind, segment)
        write_at(handle, data, offset)
        return handle

    def _map(self, kind: str, segment: int, rows: int, dtype: np.dtype[Any], width: int) -> NDArray[Any]:
        known = self._maps.get((kind, segment))
        if known is None or len(known[1]) < rows:
            mapped = mmap.mmap(self._handle(kind, segment), rows * width * dtype.itemsize, access=mmap.ACCESS_READ)
            known = mapped, np.frombuffer(mapped, dtype=dtype).reshape(rows, width)
            self._maps[kind, segment] = known
        return known[1][:rows]
