"""The files of a folder of vectors.

part-000001.parquet    a partition of patents, with what it is made of in its metadata
_partitions.json       how many there are, and what each is made of: written when the sources have been read to the end
_reports               a report of each run

A partition has a row for each unit (a patent as a source delivers it) with `unit` set, and behind it a row for each
of its drawings, with `id`, `patent`, `payload`, `vector` and `thumbnail`. A row with a thumbnail and no vector is the
front page of a patent, which is shown and not searched. Programs that read Parquet pass over names that begin with `_`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from patsearch.backends.base import IndexSpec
from patsearch.encoder.base import Embeddings
from patsearch.errors import IndexVersionError, PluginError, SourceError
from patsearch.files import parse_json, printable, read_start, replacing, storage_errors, write_text
from patsearch.ingest.sources import Unit
from patsearch.ingest.vectors.rows import Written, drawing_text, read_drawing, read_unit, unit_of, unit_text, written
from patsearch.ingest.worker import UnitResult
from patsearch.types import Drawing, JsonDict

if TYPE_CHECKING:
    import pyarrow

PARTITIONS = "_partitions.json"
REPORTS = "_reports"
_FORMAT = 1
_ABOUT = b"patsearch"
_NAME = re.compile(r"part-(\d{6,9})\.parquet")
_ROWS = 1024  # of a row group
_MOST_ROWS = 10_000_000
_MOST_BYTES = 4 << 30  # of a partition, unpacked
_MOST_TEXT = 16 << 20  # of the metadata
_MOST_DIGESTS = 256 << 20  # bytes of `_partitions.json`
_PNG = b"\x89PNG\r\n\x1a\n"
_ABANDONED_SECONDS = 3600.0
_UNIT_LENGTH = 1e-3  # as every backend checks it


@dataclass(frozen=True, slots=True)
class Made:
    """How the drawings of a folder of vectors were made: the same for all of its files.

    Attributes:
        front_pages, recipe: what the journal of an index says of them.
    """

    encoder: str
    encoder_sha256: str
    dim: int
    whole_sheets: bool
    front_pages: bool
    recipe: int

    @property
    def spec(self) -> IndexSpec:
        return IndexSpec(self.encoder, self.encoder_sha256, self.dim, self.whole_sheets)

    @property
    def shape(self) -> JsonDict:
        return {"front_pages": self.front_pages, "recipe": self.recipe}


@dataclass(frozen=True, slots=True)
class About:
    """What a partition's file says of itself.

    Attributes:
        digest: of `made` and its units (`rows.digest_of`).
        problems: units and sheets that could not be read.
    """

    made: Made
    digest: str
    units: int
    drawings: int
    problems: int
    format: int = _FORMAT


_about = TypeAdapter(About)


def require_pyarrow() -> None:
    """Raises PluginError where it is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401 - whether it is there
    except ImportError as error:
        raise PluginError("Parquet files need pyarrow.", hint="pip install 'patsearch[parquet]'") from error


def path_of(folder: Path, number: int) -> Path:
    """The file of a partition, counted from 1."""
    return folder / f"part-{number:06d}.parquet"


def files_of(folder: Path) -> dict[int, Path]:
    """The partitions that are there, by number."""
    names = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return dict(sorted((int(name[1]), path) for name, path in names if name))


# ---------------------------------------------------------------------- writing


def write_partition(path: Path, made: Made, digest: str, results: Sequence[tuple[Unit, UnitResult]]) -> None:
    """Write a partition, whole or not at all; the same results give the same bytes.

    Raises:
        StorageError: it cannot be written.
    """
    import pyarrow.parquet as pq

    _remove_abandoned(path)
    table, units = _table(results, made.dim)
    about = About(
        made,
        digest,
        len(units),
        sum(len(result.drawings) for _, result in results),
        sum(len(one.failures) for one in units),
    )
    table = table.replace_schema_metadata({_ABOUT: _about.dump_json(about)})
    packed = {"unit": "zstd", "id": "zstd", "patent": "zstd", "payload": "zstd", "thumbnail": "none"}
    with storage_errors(f"Writing {path}"), replacing(path, shared=True) as part:
        pq.write_table(
            table,
            part,
            row_group_size=_ROWS,
            compression={**packed, "vector.list.element": "none"},  # numbers and PNG hardly shrink
            use_dictionary=["patent"],
            write_statistics=["id", "patent"],
            write_page_checksum=True,
        )


def _remove_abandoned(path: Path) -> None:
    """What killed runs left of this partition; a run that is still at it is younger."""
    for left in path.parent.glob(f".{path.name}.*.new"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                left.unlink()


def _schema() -> pyarrow.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            ("unit", pa.string()),
            ("id", pa.string()),
            ("patent", pa.string()),
            ("payload", pa.string()),
            ("vector", pa.list_(pa.float32())),
            ("thumbnail", pa.binary()),
        ]
    )


def _table(results: Sequence[tuple[Unit, UnitResult]], dim: int) -> tuple[pyarrow.Table, list[Written]]:
    import pyarrow as pa

    rows: list[tuple[str | None, str | None, str | None, str | None, bytes | None]] = []
    units: list[Written] = []
    has_vector: list[bool] = []
    vectors: list[Embeddings] = [np.empty((0, dim), np.float32)]
    for unit, result in results:
        units.append(written(unit, result))
        rows.append((unit_text(units[-1]), None, None, None, None))
        pictures = dict(result.thumbnails)
        for drawing in result.drawings:
            rows.append((None, drawing.id, drawing.patent, drawing_text(drawing), pictures.pop(drawing.id, None)))
        others = [(None, name, result.patent, None, picture) for name, picture in pictures.items()]
        rows += others
        has_vector += [False, *[True] * len(result.drawings), *[False] * len(others)]
        if result.vectors is not None and len(result.drawings):
            vectors.append(result.vectors)
    schema = _schema()
    ends = np.cumsum([0, *has_vector], dtype=np.int64) * dim
    column = pa.ListArray.from_arrays(
        pa.array(ends.astype(np.int32)),
        pa.array(np.concatenate(vectors).astype(np.float32, copy=False).reshape(-1)),
        mask=pa.array([not there for there in has_vector]),
    )
    *texts, pictures_of = zip(*rows, strict=True)
    columns = [*(pa.array(text, pa.string()) for text in texts), column, pa.array(pictures_of, pa.binary())]
    return pa.Table.from_arrays(columns, schema=schema), units


def write_digests(folder: Path, digests: Sequence[str]) -> None:
    """Say which partitions there are, when all are known; every shard writes the same.

    Raises:
        StorageError: it cannot be written.
    """
    write_text(folder / PARTITIONS, json.dumps({"format": _FORMAT, "digests": list(digests)}) + "\n", shared=True)


# ---------------------------------------------------------------------- reading


def read_digests(folder: Path) -> list[str] | None:
    """What `write_digests` wrote; None where no run has read its sources to the end.

    Raises:
        SourceError: something else wrote it.
    """
    path = folder / PARTITIONS
    if not path.is_file():
        return None
    with _reading(path):
        found = parse_json(read_start(path, _MOST_DIGESTS))
        _require_format(path, found)
        digests = found["digests"]
        if not isinstance(digests, list) or not all(isinstance(one, str) for one in digests):
            raise ValueError("its digests are not texts")
        return digests


def read_about(path: Path) -> About:
    """What a partition's file says of itself.

    Raises:
        SourceError: it is not such a file, or damaged.
        IndexVersionError: a newer patsearch wrote it.
    """
    with _reading(path), _opened(path) as file:
        return _about_of(path, file)


def read_units(path: Path) -> list[Written]:
    """The units of a partition, without their drawings; errors as above."""
    with _reading(path), _opened(path) as file:
        about = _about_of(path, file)
        texts = file.read(columns=["unit"]).column("unit").drop_null().to_pylist()
        units = [read_unit(text) for text in texts]
        if len(units) != about.units:
            raise ValueError(f"{len(units)} of {about.units} patents are in it")
        return units


def read_partition(path: Path) -> list[tuple[Unit, Written, UnitResult]]:
    """All of a partition, checked; errors as above."""
    with _reading(path), _opened(path) as file:
        about = _about_of(path, file)
        table = file.read().combine_chunks()
        vectors = _vectors(table.column("vector"), about.made.dim)
        found = list(_results(table, vectors))
        counts = len(found), sum(len(result.drawings) for _, _, result in found)
        if counts != (about.units, about.drawings):
            raise ValueError(f"it holds {counts[0]} patents and {counts[1]} drawings, and states other numbers")
        return found


def _about_of(path: Path, file: Any) -> About:
    text = (file.schema_arrow.metadata or {}).get(_ABOUT)
    if text is None or not file.schema_arrow.equals(_schema(), check_metadata=False):
        raise ValueError("patsearch encode did not write it")
    _require_format(path, parse_json(text))
    about = _about.validate_json(text, strict=True)
    if about.made.dim < 1:
        raise ValueError(f"dim is {about.made.dim}")
    return about


def _require_format(path: Path, found: Any) -> None:
    version = found["format"]
    if type(version) is not int or version < 1:
        raise ValueError(f"format is {version!r}")
    if version > _FORMAT:
        raise IndexVersionError(
            f"{printable(path)} was written by a newer patsearch (format {version}).",
            hint="Upgrade: pip install --upgrade patsearch.",
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(
        path,
        thrift_string_size_limit=_MOST_TEXT,
        thrift_container_size_limit=1_000_000,
        page_checksum_verification=True,
    )
    with file:
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        if size > _MOST_BYTES or file.metadata.num_rows > _MOST_ROWS:
            raise ValueError(f"it states {size:,} bytes in {file.metadata.num_rows:,} rows, more than a partition has")
        yield file


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever a damaged file makes libraries raise, as one line."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, MemoryError, ValueError, TypeError, KeyError, OverflowError) as error:
        reason = str(error).strip().splitlines()
        raise SourceError(
            f"{printable(path)} cannot be read: {reason[0][:200] if reason else type(error).__name__}.",
            hint="Make it again: patsearch encode, with the same sources and folder.",
        ) from error


def _vectors(column: Any, dim: int) -> Embeddings:
    """(N, dim) float32, of the rows that have one."""
    import pyarrow.compute as pc

    kept = column.drop_null()
    lengths = pc.list_value_length(kept)
    if len(kept) and (pc.min(lengths).as_py(), pc.max(lengths).as_py()) != (dim, dim):
        raise ValueError(f"a vector does not have {dim} numbers")
    values = pc.list_flatten(kept)
    if values.null_count:
        raise ValueError("a vector lacks a number")
    vectors: Embeddings = np.asarray(values.to_numpy(), dtype=np.float32).reshape(-1, dim)
    norms = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(norms).all() or (len(norms) and np.abs(norms - 1.0).max() > _UNIT_LENGTH):
        raise ValueError("a vector is not of unit length")
    return vectors


def _results(table: Any, vectors: Embeddings) -> Iterator[tuple[Unit, Written, UnitResult]]:
    units, ids, patents, payloads, pictures = (
        table.column(name).to_pylist() for name in ("unit", "id", "patent", "payload", "thumbnail")
    )
    has_vector = table.column("vector").is_valid().to_pylist()
    begins = [row for row, text in enumerate(units) if text is not None]
    if (begins or [len(units)])[0] != 0:
        raise ValueError("drawings come before their patent")
    done = 0
    for first, end in pairwise([*begins, len(units)]):
        unit = read_unit(units[first])
        drawings: list[Drawing] = []
        thumbnails: list[tuple[str, bytes]] = []
        for row in range(first + 1, end):
            if not isinstance(ids[row], str) or (payloads[row] is None) == has_vector[row]:
                raise ValueError(f"row {row} is neither a drawing nor a picture")
            if pictures[row] is not None:
                if not pictures[row].startswith(_PNG):
                    raise ValueError(f"the thumbnail of {ids[row]!r} is not a PNG")
                thumbnails.append((ids[row], pictures[row]))
            if payloads[row] is not None:
                drawings.append(read_drawing(payloads[row]))
                if (drawings[-1].id, drawings[-1].patent) != (ids[row], patents[row]):
                    raise ValueError(f"the payload of {ids[row]!r} is another drawing's")
        if len({drawing.id for drawing in drawings}) != len(drawings):
            raise ValueError(f"{unit.key!r} has a drawing twice")
        result = UnitResult(
            patent=unit.patent,
            drawings=drawings,
            vectors=vectors[done : done + len(drawings)],
            thumbnails=thumbnails,
            sheets=unit.sheets,
            problems=list(unit.problems),
            remarks=list(unit.remarks),
            failed=unit.failed,
        )
        done += len(drawings)
        yield unit_of(unit), unit, result
