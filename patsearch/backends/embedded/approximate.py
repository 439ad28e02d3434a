"""The derived structure: inverted lists of 8-bit codes in FAISS, for indexes too large to scan.

`IVFn,SQ8` with inner product: vectors lie in the list of their nearest centroid, each number of the
residual in one byte. Candidates are always re-ranked with the original vectors, so codes decide
what is found, never a score or an order. The file is mapped, not read: opening takes milliseconds,
processes share it, and it may be deleted at any time (searches are then exact, and slower).
"""

from __future__ import annotations

import json
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from patsearch.backends.base import Embeddings
from patsearch.backends.embedded.catalogue import Rows
from patsearch.backends.embedded.durable import fsync_file, mapped_errors, replace_file
from patsearch.backends.embedded.masks import Mask
from patsearch.backends.embedded.segments import Segments
from patsearch.backends.planner import Tuning, starved
from patsearch.errors import StorageError

_POINTER = "approximate.json"
_TRAIN_PER_LIST = 48  # k-means warns below 39
_BLOCK = 1 << 16
_SEED = 20180
_log = logging.getLogger(__name__)


def _faiss() -> Any:
    # Imported when first needed: small indexes never do. Its type stubs lack what its wrappers add.
    return import_module("faiss")


@contextmanager
def _threads(count: int) -> Iterator[None]:
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def build(folder: Path, segments: Segments, rows: int, dim: int, dead: Mask | None) -> None:
    """Make the structure for the first rows and put it in the place of the one before.

    Args:
        dead: (rows,) which rows are left out; None for none.

    Raises:
        StorageError: the disk is full.
    """
    faiss = _faiss()
    live = np.arange(rows) if dead is None else np.flatnonzero(~dead[:rows])
    lists = 1 << max(0, math.floor(math.log2(max(1, min(6 * math.sqrt(len(live)), len(live) / _TRAIN_PER_LIST)))))
    index = faiss.index_factory(dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = _SEED
    rng = np.random.default_rng(_SEED)
    sample = np.sort(rng.choice(live, min(len(live), lists * _TRAIN_PER_LIST), replace=False))
    index.train(segments.take(sample))
    for first, block in segments.vectors(0, rows, _BLOCK):
        chosen = np.arange(len(block)) if dead is None else np.flatnonzero(~dead[first : first + len(block)])
        index.add_with_ids(block[chosen] if dead is not None else block, first + chosen)
    segments.release_pages()

    old = _pointer(folder)
    number = 1 + (int(old["file"].split("-")[1].split(".")[0]) if old else 0)
    path = folder / f"approximate-{number:06d}.faiss"
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:
        path.unlink(missing_ok=True)
        raise StorageError(
            f"Writing {path}: {str(error).splitlines()[-1]}.", hint="Free some space; the index itself is intact."
        ) from error
    with mapped_errors(f"Writing {path}"):
        fsync_file(path)
        fields = {"file": path.name, "rows": rows, "bytes": path.stat().st_size, "crc": _crc(path)}
        replace_file(folder / _POINTER, json.dumps(fields).encode())
        for other in folder.glob("approximate-*.faiss"):
            if other != path:
                other.unlink()


def stamp(folder: Path) -> tuple[int, int]:
    """Changes when the structure is replaced."""
    try:
        status = (folder / _POINTER).stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def load(folder: Path, dim: int, rows: int) -> Approximate | None:
    """The structure of a folder; None where there is none, or where it cannot be what was written."""
    fields = _pointer(folder)
    if fields is None:
        return None
    path = folder / fields["file"]
    faiss = _faiss()
    try:
        if path.stat().st_size != fields["bytes"] or not 0 < fields["rows"] <= rows:
            raise ValueError("its size is not what was written")
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        if not isinstance(index, faiss.IndexIVF) or index.d != dim:
            raise ValueError("it is another kind of structure")
    except (OSError, ValueError, RuntimeError) as error:
        _log.warning("%s is not usable and searches are exact until `patsearch index compact` (%s).", path, error)
        return None
    return Approximate(index, fields["rows"])


def check(folder: Path) -> Iterator[str]:
    """What is wrong with the stored structure; one sentence each."""
    fields = _pointer(folder)
    if fields is None:
        return
    path = folder / fields["file"]
    if not path.exists() or path.stat().st_size != fields["bytes"] or _crc(path) != fields["crc"]:
        yield f"{path} is damaged; `patsearch index compact` makes it anew."


class Approximate:
    """A loaded structure. `rows` is how many rows it covers, from 0."""

    def __init__(self, index: Any, rows: int) -> None:
        self._index = index
        self._list_of: tuple[NDArray[np.int32], NDArray[np.int64]] | None = None
        self.rows = rows
        self.lists: int = index.nlist

    def probe(self, queries: Embeddings, n: int, tuning: Tuning) -> list[Rows]:
        """The n best candidates of each query in the nearest lists, unfiltered."""
        faiss = _faiss()
        with _threads(tuning.threads):
            parameters = faiss.SearchParametersIVF(nprobe=min(self.lists, tuning.nprobe))
            _, found = self._index.search(queries, n, params=parameters)
        return self._clean(found)

    def codes(self, queries: Embeddings, n: int, keep: Mask, tuning: Tuning) -> list[Rows]:
        """The n best candidates of each query among all rows to keep, (rows,)."""
        faiss = _faiss()
        with _threads(tuning.threads):
            parameters = faiss.SearchParametersIVF(nprobe=self.lists, sel=self._selector(keep))
            _, found = self._index.search(queries, n, params=parameters)
        return self._clean(found)

    def probe_filtered(self, queries: Embeddings, n: int, keep: Mask, matches: int, tuning: Tuning) -> list[Rows]:
        """The n best candidates of each query among the rows to keep, in lists chosen by what they hold.

        Lists without a match are passed over, and so many visited that as many matches are met as
        an unfiltered search meets rows. Where the lists nearest to the query hold conspicuously few
        matches, the filter excludes the query's surroundings, distance to a centroid says little
        about the rest, and all matches are compared instead.
        """
        faiss = _faiss()
        list_of, sizes = self._lists_of_rows()
        held = np.bincount(list_of[np.flatnonzero(keep[: self.rows])], minlength=self.lists)
        goal = tuning.nprobe_filtered * self.rows / self.lists
        result: list[Rows] = []
        with _threads(tuning.threads):
            distances, order = self._index.quantizer.search(queries, self.lists)
            parameters = faiss.SearchParametersIVF(sel=self._selector(keep))
            for query, near, closeness in zip(queries, order, distances, strict=True):
                nearest = near[: tuning.surroundings]
                if starved(
                    met=int(held[nearest].sum()),
                    visited=int(sizes[nearest].sum()),
                    matches=matches,
                    covered=self.rows,
                ):
                    result += self.codes(query[None], n, keep, tuning)
                    continue
                useful = np.flatnonzero(held[near])
                useful = useful[: 1 + int(np.searchsorted(held[near[useful]].cumsum(), goal))]
                result += self._visit(query, n, near[useful], closeness[useful], parameters)
        return result

    def _visit(
        self,
        query: NDArray[np.float32],
        n: int,
        lists: NDArray[np.int64],
        closeness: NDArray[np.float32],
        parameters: Any,
    ) -> list[Rows]:
        # FAISS's own wrapper of this call takes no parameters; pointers do not keep arrays alive, names do.
        faiss = _faiss()
        found, scores = np.empty((1, n), dtype=np.int64), np.empty((1, n), dtype=np.float32)
        parameters.nprobe = len(lists)
        x, keys, near, out, labels = (faiss.swig_ptr(a) for a in (query, lists, closeness, scores, found))
        self._index.search_preassigned_c(1, x, n, keys, near, out, labels, False, parameters)
        return self._clean(found)

    def _clean(self, found: NDArray[np.int64]) -> list[Rows]:
        # -1 means "none"; anything else outside the rows can only be damage on disk.
        return [np.unique(line[(line >= 0) & (line < self.rows)]) for line in found]

    def _selector(self, keep: Mask) -> Any:
        faiss = _faiss()
        return faiss.IDSelectorBitmap(np.packbits(keep[: self.rows], bitorder="little"))

    def _lists_of_rows(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """(rows,) the list in which each row lies, and (lists,) how many rows a list holds."""
        if self._list_of is None:
            faiss = _faiss()
            # Rows left out of the structure are dead; that they seem to lie in list 0 is never seen.
            list_of = np.zeros(self.rows, dtype=np.int32)
            sizes = np.zeros(self.lists, dtype=np.int64)
            for number in range(self.lists):
                sizes[number] = size = self._index.invlists.list_size(number)
                if size:
                    ids = faiss.rev_swig_ptr(self._index.invlists.get_ids(number), size)
                    list_of[ids[(ids >= 0) & (ids < self.rows)]] = number
            self._list_of = list_of, sizes
        return self._list_of


def _pointer(folder: Path) -> dict[str, Any] | None:
    try:
        fields = json.loads((folder / _POINTER).read_bytes())
        name, numbers = fields["file"], [fields["rows"], fields["bytes"], fields["crc"]]
        if name != Path(name).name or not all(type(n) is int for n in numbers):
            raise ValueError("not a pointer")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        _log.warning("%s cannot be understood; searches are exact until `patsearch index compact`.", folder / _POINTER)
        return None
    return dict(fields)


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            crc = zlib.crc32(chunk, crc)
    return crc
