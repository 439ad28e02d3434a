"""Everything out of an index, into files that any program reads.

drawings.jsonl    one JSON object a drawing, ordered by id; the fields of `patsearch.Drawing`, and its patent's term
vectors.npy       (N, dim) float32; line i of drawings.jsonl goes with row i
index.json        encoder, its fingerprint, dim, and the number of drawings
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from io import BufferedRandom
from pathlib import Path

import numpy as np

from patsearch.backends.base import Backend
from patsearch.bibliography import public, public_protection
from patsearch.errors import UsageError
from patsearch.files import new_parents, storage_errors, sync_file, sync_folder
from patsearch.filters import Filter
from patsearch.lock import scratch_folder
from patsearch.types import Drawing, JsonDict

_BATCH = 4096


def export(backend: Backend, folder: Path, where: Filter | None = None) -> int:
    """Write what matches into a new folder, which appears whole or not at all; returns the number of drawings.

    Raises:
        UsageError: the folder exists already.
        StorageError: it cannot be written.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already.", hint="Name a new folder.")
    with storage_errors(f"Writing {folder}"), new_parents(folder), scratch_folder(folder, "export") as scratch:
        part = scratch / "export"
        part.mkdir()
        count = _write(backend, part, where)
        for path in part.iterdir():
            sync_file(path)
        part.rename(folder)
        sync_folder(folder.resolve().parent)
    return count


def drawing_json(drawing: Drawing) -> JsonDict:
    """A drawing as one line of the export."""
    values: JsonDict = {field.name: getattr(drawing, field.name) for field in fields(drawing)}
    days = {name: values[name] and values[name].isoformat() for name in ("granted", "filed")}
    known = drawing.bibliography
    return (
        values
        | days
        | {
            "classes": drawing.classes_json(),
            "bibliography": public(known) if known else None,
            "term": [public_protection(one) for one in drawing.protections],
        }
    )


def _write(backend: Backend, folder: Path, where: Filter | None) -> int:
    count = 0
    with (
        (folder / "drawings.jsonl").open("w", encoding="utf-8") as lines,
        (folder / "vectors.npy").open("w+b") as vectors,
    ):
        _header(vectors, 0, backend.spec.dim)
        for drawings, matrix in backend.scan(where, batch=_BATCH):
            for drawing in drawings:
                lines.write(json.dumps(drawing_json(drawing), ensure_ascii=False) + "\n")
            vectors.write(np.ascontiguousarray(matrix, dtype="<f4").data)
            count += len(drawings)
        # The format leaves room for the count to grow: the header keeps its length.
        vectors.seek(0)
        _header(vectors, count, backend.spec.dim)
    (folder / "index.json").write_text(json.dumps({**asdict(backend.spec), "drawings": count}, indent=2) + "\n")
    return count


def _header(file: BufferedRandom, rows: int, dim: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, dim)})
