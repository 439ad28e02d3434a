"""The derived structure: inverted lists of 8-bit codes in FAISS, for indexes too large to scan.

`IVFn,SQ8` with inner product: vectors are in the list of their nearest centroid, each number of the
residual in one byte. Candidates are always re-ranked with the original vectors, so codes decide
what is found, never a score or an order. The file is mapped, not read: opening takes milliseconds,
processes share it, and it may be deleted at any time (searches are then exact, and slower).
"""

from __future__ import annotations

import json
import logging
import math
import re
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
from patsearch.backends.embedded.masks import Mask
from patsearch.backends.embedded.segments import Segments
from patsearch.backends.planner import Tuning
from patsearch.errors import StorageError
from patsearch.files import (
    check_seal,
    parse_json,
    read_start,
    remove,
    sealed,
    storage_errors,
    sync_file,
    write_bytes,
)

_POINTER = "approximate.json"
_NAME = re.compile(r"approximate-\d{6,10}\.faiss", re.ASCII)
_MAX_POINTER = 1 << 16  # bytes
_MOST_SPREAD = 10.0  # scores are cosines
_TRAIN_PER_LIST = 48  # k-means warns below 39
_BLOCK = 1 << 16
_PROBED = 2000  # vectors from which the spread is estimated
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
    lists = 1 << max(0, math.floor(math.log2(max(1, min(3 * math.sqrt(len(live)), len(live) / _TRAIN_PER_LIST)))))
    index = faiss.index_factory(dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = _SEED
    rng = np.random.default_rng(_SEED)
    sample = np.sort(rng.choice(live, min(len(live), lists * _TRAIN_PER_LIST), replace=False))
    index.train(segments.take(sample))
    for first, block in segments.vectors(0, rows, _BLOCK):
        chosen = np.arange(len(block)) if dead is None else np.flatnonzero(~dead[first : first + len(block)])
        index.add_with_ids(block[chosen] if dead is not None else block, first + chosen)
    spread = _spread(index, segments.take(sample[:: max(1, len(sample) // _PROBED)]))
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
    with storage_errors(f"Writing {path}"):
        sync_file(path)
        fields = {"file": path.name, "rows": rows, "bytes": path.stat().st_size, "crc": _crc(path), "spread": spread}
        write_bytes(folder / _POINTER, json.dumps(sealed(fields)).encode())
        for other in folder.glob("approximate-*.faiss"):
            if other != path:
                remove(other)


def _spread(index: Any, sample: Embeddings) -> float:
    """How far a score strays from that of its list's centroid: the standard deviation over unrelated pairs."""
    _, lists = index.quantizer.search(sample, 1)
    residuals = sample - _centroids(index)[lists[:, 0]]
    strays = sample @ residuals.T
    return float(strays[~np.eye(len(sample), dtype=np.bool_)].std()) if len(sample) > 1 else 1.0


def _centroids(index: Any) -> Embeddings:
    """(lists, dim), a view that lives as long as the index."""
    faiss = _faiss()
    quantizer = faiss.downcast_index(index.quantizer)
    view: Embeddings = faiss.rev_swig_ptr(quantizer.get_xb(), index.nlist * index.d).reshape(index.nlist, index.d)
    return view


def stamp(folder: Path) -> tuple[int, int]:
    """Changes when the structure is replaced."""
    try:
        status = (folder / _POINTER).stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_mtime_ns


def load(folder: Path, dim: int, rows: int) -> Approximate | None:
    """The structure of a folder; None if there is none, or if it differs from what was written."""
    fields = _pointer(folder)
    if fields is None:
        return None
    path = folder / fields["file"]
    faiss = _faiss()
    try:
        if path.stat().st_size != fields["bytes"] or not 0 < fields["rows"] <= rows:
            raise ValueError("its size is not what was written")
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        if not _is_ours(index) or index.d != dim:
            raise ValueError("it is another kind of structure")
    except (OSError, ValueError, RuntimeError, MemoryError) as error:  # of a size that only the file states
        _log.warning("%s is not usable and searches are exact until `patsearch index compact` (%s).", path, error)
        return None
    return Approximate(index, fields["rows"], fields["spread"])


def _is_ours(index: Any) -> bool:
    """Whether it is what `build` makes: lists of codes about centroids that are kept as they are."""
    faiss = _faiss()
    if not isinstance(index, faiss.IndexIVFScalarQuantizer):
        return False
    quantizer = faiss.downcast_index(index.quantizer)
    return isinstance(quantizer, faiss.IndexFlat) and quantizer.ntotal == index.nlist > 0 and quantizer.d == index.d


def check(folder: Path) -> Iterator[str]:
    """What is wrong with the stored structure; one sentence each."""
    fields = _pointer(folder)
    if fields is None:
        if (folder / _POINTER).exists():
            yield f"{folder / _POINTER} is damaged; `patsearch index compact` builds it again."
        return
    path = folder / fields["file"]
    if not path.exists() or path.stat().st_size != fields["bytes"] or _crc(path) != fields["crc"]:
        yield f"{path} is damaged; `patsearch index compact` builds it again."


class Approximate:
    """A loaded structure. `rows` is how many rows it covers, from 0.

    Args:
        spread: standard deviation of a score about that of its list's centroid (`_spread`).
    """

    def __init__(self, index: Any, rows: int, spread: float) -> None:
        self._index = index
        self._spread = spread
        self._list_of: NDArray[np.int32] | None = None
        self.rows = rows
        self.lists: int = index.nlist

    def probe(self, queries: Embeddings, k: int, tuning: Tuning, keep: Mask | None, n: int) -> list[Rows]:
        """The n best candidates of each query in the lists where the k best may be.

        First the nearest lists are visited, as many as hold `nprobe` average lists' worth of rows to
        keep; lists without any are passed over. Then every list whose centroid comes within
        `sigmas` standard deviations of the k-th score found: few or none where the query has close
        neighbours, many where a filter excludes its surroundings and the best may be anywhere.

        Args:
            keep: (rows,) which rows pass; None for all.
        """
        faiss = _faiss()
        parameters = (
            faiss.SearchParametersIVF() if keep is None else faiss.SearchParametersIVF(sel=_selector(keep, self.rows))
        )
        held: NDArray[np.int64] | None = None
        if keep is not None:
            held = np.bincount(self._lists_of_rows()[np.flatnonzero(keep[: self.rows])], minlength=self.lists)
        centroids = _centroids(self._index)
        result: list[Rows] = []
        with _threads(tuning.threads):
            for query in queries:
                closeness = np.empty(self.lists, dtype=np.float32)
                faiss.fvec_inner_products_ny(
                    faiss.swig_ptr(closeness), faiss.swig_ptr(query), faiss.swig_ptr(centroids), query.size, self.lists
                )
                order = np.argsort(-closeness)
                if held is None:
                    first = tuning.nprobe
                else:
                    order = order[held[order] > 0]
                    goal = tuning.nprobe * self.rows / self.lists
                    first = 1 + int(np.searchsorted(held[order].cumsum(), goal))
                rows, scores = self._visit(query, n, order[:first], closeness, parameters)
                bar = scores[k - 1] - tuning.sigmas * self._spread if len(scores) >= k else -np.inf
                more = order[first:][closeness[order[first:]] >= bar]
                if len(more):
                    others, their_scores = self._visit(query, n, more, closeness, parameters)
                    rows = np.concatenate([rows, others])
                    rows = rows[np.argsort(-np.concatenate([scores, their_scores]), kind="stable")[:n]]
                result.append(np.unique(rows))
        return result

    def codes(self, queries: Embeddings, tuning: Tuning, keep: Mask, n: int) -> list[Rows]:
        """The n best candidates of each query among all rows to keep, (rows,)."""
        faiss = _faiss()
        with _threads(tuning.threads):
            parameters = faiss.SearchParametersIVF(nprobe=self.lists, sel=_selector(keep, self.rows))
            _, found = self._index.search(queries, n, params=parameters)
        return [np.unique(line[self._sound(line)]) for line in found]

    def _visit(
        self, query: NDArray[np.float32], n: int, lists: Rows, closeness: NDArray[np.float32], parameters: Any
    ) -> tuple[Rows, NDArray[np.float32]]:
        """The n best rows in these lists and their approximate scores, best first."""
        # FAISS's own wrapper of this call takes no parameters; pointers do not keep arrays alive, names do.
        faiss = _faiss()
        near = closeness[lists]
        found, scores = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)
        parameters.nprobe = len(lists)
        x, keys, distances, out, labels = (faiss.swig_ptr(a) for a in (query, lists, near, scores, found))
        if len(lists):
            self._index.search_preassigned_c(1, x, n, keys, distances, out, labels, False, parameters)
        else:
            found.fill(-1)
        sound = self._sound(found)
        return found[sound], scores[sound]

    def _sound(self, found: NDArray[np.int64]) -> Mask:
        # -1 means "none"; anything else outside the rows can only be damage on disk.
        return (found >= 0) & (found < self.rows)

    def _lists_of_rows(self) -> NDArray[np.int32]:
        """(rows,) the list of each row."""
        if self._list_of is None:
            faiss = _faiss()
            # Rows left out of the structure are dead; that they seem to be in list 0 is never seen.
            list_of = np.zeros(self.rows, dtype=np.int32)
            for number in range(self.lists):
                if size := self._index.invlists.list_size(number):
                    ids = faiss.rev_swig_ptr(self._index.invlists.get_ids(number), size)
                    list_of[ids[(ids >= 0) & (ids < self.rows)]] = number
            self._list_of = list_of
        return self._list_of


def _selector(keep: Mask, rows: int) -> Any:
    return _faiss().IDSelectorBitmap(np.packbits(keep[:rows], bitorder="little"))


def _pointer(folder: Path) -> dict[str, Any] | None:
    try:
        fields = parse_json(read_start(folder / _POINTER, _MAX_POINTER))
        numbers = [fields["rows"], fields["bytes"], fields["crc"]]
        if not _NAME.fullmatch(fields["file"]) or not all(type(n) is int for n in numbers):
            raise ValueError("not a pointer")
        if not 0 < fields["spread"] < _MOST_SPREAD:
            raise ValueError("not the spread of scores")
        check_seal(fields)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        _log.warning("%s is not valid; searches are exact until `patsearch index compact`.", folder / _POINTER)
        return None
    return dict(fields)


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            crc = zlib.crc32(chunk, crc)
    return crc
