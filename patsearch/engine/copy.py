"""A whole index to another backend or folder: drawings and vectors, journal, thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from patsearch.backends.base import Backend, IndexSpec, on_server
from patsearch.backends.copy import CopyReport, copy
from patsearch.engine.engine import Engine, create_from_spec, open_index
from patsearch.engine.manifest import FILE as MANIFEST
from patsearch.errors import IndexNotFound, UsageError
from patsearch.files import at_home
from patsearch.plugins import load, names

_THUMBNAILS = 500
_EXAMPLE = "Write faiss:DIR, qdrant:DIR or qdrant:http://HOST:6333#COLLECTION."


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a copy: `faiss:DIR`, `qdrant:DIR`, `qdrant:http://HOST:6333#COLLECTION`.

    Attributes:
        backend: plug-in name.
        where: an index folder, or the address of a server.
    """

    backend: str
    where: str

    @property
    def on_server(self) -> bool:
        return "://" in self.where


def parse_place(text: str) -> Place:
    """Read one end of a copy.

    Raises:
        UsageError: no backend is named, or nothing behind it.
    """
    backend, colon, where = text.partition(":")
    if not colon or not where or backend not in names("backend"):
        raise UsageError(f"{text!r} names no index.", hint=_EXAMPLE)
    return Place(backend, str(at_home(where)) if where.startswith("~") else where)


def copy_index(
    source: Place,
    target: Place,
    *,
    folder: Path | None = None,
    on_progress: Callable[[CopyReport], None] | None = None,
) -> CopyReport:
    """Copy an index; drawings that the target already has stay as they are.

    Args:
        folder: of a target on a server: the index folder that searches it, for journal and thumbnails; made where
            there is none. Without it, drawings and vectors alone are copied.

    Raises:
        UsageError, IndexNotFound, EncoderMismatch, BackendError: as their names say.
    """
    with ExitStack() as stack:
        old = stack.enter_context(_source(source))
        backend = old.backend if isinstance(old, Engine) else old
        new = stack.enter_context(_target(target, folder, backend.spec))
        entries = old.journal.entries() if isinstance(old, Engine) else []
        patents = {entry.patent for entry in entries}
        if isinstance(new, Engine):
            new.journal.begin(patents, "store")
        report = copy(backend, new.backend if isinstance(new, Engine) else new, on_progress=on_progress)
        if isinstance(old, Engine) and isinstance(new, Engine):
            thumbnails = old.thumbnails.items()
            while batch := list(islice(thumbnails, _THUMBNAILS)):
                new.thumbnails.put(batch)
            new.journal.put(entries, done=patents)  # last, as in an ingest
    return report


@contextmanager
def _source(place: Place) -> Iterator[Engine | Backend]:
    if place.on_server:
        kind: type[Backend] = load("backend", place.backend)
        with kind.open(_address(kind, place)) as store:
            yield store
        return
    with open_index(place.where) as engine:
        _require_backend(engine, place)
        yield engine


@contextmanager
def _target(place: Place, folder: Path | None, spec: IndexSpec) -> Iterator[Engine | Backend]:
    if folder is not None and not place.on_server:
        raise UsageError("--index goes with a target on a server.", hint="A target in a folder is an index by itself.")
    index = folder if place.on_server else Path(place.where)
    if index is None:
        kind: type[Backend] = load("backend", place.backend)
        location = _address(kind, place)
        try:
            store = kind.open(location, read_only=False)
        except IndexNotFound:
            store = kind.create(location, spec)
        with store:
            yield store
    elif (index / MANIFEST).exists():
        with open_index(index, read_only=False) as engine:
            _require_backend(engine, place)
            if place.on_server and engine.manifest.location != on_server(type(engine.backend), place.where, index.name):
                raise UsageError(f"{index} keeps its vectors at {engine.manifest.location}.", hint="Name that address.")
            yield engine
    else:
        url = place.where if place.on_server else None
        with create_from_spec(index, spec, backend=place.backend, url=url) as engine:
            yield engine


def _address(kind: type[Backend], place: Place) -> str:
    if "#" not in place.where:
        raise UsageError(f"{place.where} names a server, but no collection.", hint=_EXAMPLE)
    return on_server(kind, place.where, "")


def _require_backend(engine: Engine, place: Place) -> None:
    if engine.manifest.backend != place.backend:
        raise UsageError(
            f"{place.where} is an index on {engine.manifest.backend!r}.",
            hint=f"Write {engine.manifest.backend}:{place.where}.",
        )
