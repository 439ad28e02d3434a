"""The engine: an encoder and a backend over one index directory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from patsearch.backends.base import Backend, Embeddings, IndexSpec, is_shared, on_server
from patsearch.encoder import Encoder, load_encoder
from patsearch.engine.expansion import Expansion
from patsearch.engine.feedback import refine
from patsearch.engine.journal import Journal
from patsearch.engine.manifest import Manifest, read_manifest, write_manifest
from patsearch.engine.query import QueryVectors, encode_query, search_drawings, search_patents
from patsearch.engine.rerank import Rerank
from patsearch.engine.thumbnails import Thumbnails
from patsearch.errors import EncoderMismatch, IndexNotFound, InputError, UsageError
from patsearch.filters import Condition, Filter, OneOf, parse_filter
from patsearch.lock import WriterLock
from patsearch.numbers import normal_number
from patsearch.plugins import load
from patsearch.types import Drawing, Hit, JsonDict, PatentHit


class Engine:
    """Searches one index, and writes to it where it was opened for writing. A context manager.

    Attributes:
        path: the index directory.
        manifest: what the index is.
        backend: the store of drawings and vectors.
        journal: what has been ingested.
        thumbnails: small pictures of the drawings.
    """

    def __init__(self, path: Path, manifest: Manifest, backend: Backend, encoder: Encoder | None = None) -> None:
        self.path = path
        self.manifest = manifest
        self.backend = backend
        # A store in the folder has its own lock; one on a server is open to many, the folder's journal is not.
        if encoder is not None:
            check_encoder(encoder, manifest.spec)
        self._given_encoder = encoder
        with ExitStack() as opened:
            if is_shared(backend) and not backend.read_only:
                opened.callback(WriterLock(path / "writer.lock").release)
            self.journal = opened.enter_context(closing(Journal(path, read_only=backend.read_only)))
            self.thumbnails = opened.enter_context(closing(Thumbnails(path, read_only=backend.read_only)))
            self._opened = opened.pop_all()

    @property
    def spec(self) -> IndexSpec:
        return self.manifest.spec

    @cached_property
    def encoder(self) -> Encoder:
        """The index's own encoder, loaded when it is first needed.

        Raises:
            EncoderMismatch: the encoder of that name has other weights or preprocessing by now.
        """
        encoder = self._given_encoder or load_encoder(self.spec.encoder)
        check_encoder(encoder, self.spec)
        return encoder

    # ------------------------------------------------------------------ searching

    def search(
        self,
        images: Image.Image | Sequence[Image.Image],
        *,
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        rotations: bool = False,
        mirror: bool = False,
        shape: bool = False,
        exact: bool = False,
        rerank: Rerank | None = None,
        expansion: Expansion | None = None,
    ) -> list[PatentHit]:
        """The k patents whose drawings look most like the pictures, best first.

        Args:
            images: one picture, or several that together are one query.
            where: a filter, or its text.
            rotations: also try every picture turned by 90, 180 and 270 degrees.
            mirror: also try every picture mirrored; with rotations, each of the turned ones too.
            shape: compare by shape alone, where the encoder tells the pen apart (`EncoderCard.shape_dim`).
            exact: never approximate.
            rerank: re-rank the best; scores are then no cosines any more.
            expansion: ask again with what was found first.

        Raises:
            ImageError: a picture is blank.
            FilterError: the filter's text cannot be understood.
            EncoderMismatch: the index was made with another encoder.
        """
        query = self.encode(images, rotations=rotations, mirror=mirror)
        query = self.by_shape(query) if shape else query
        return self.search_vectors(query, k=k, where=where, exact=exact, rerank=rerank, expansion=expansion)

    def search_drawings(
        self,
        images: Image.Image | Sequence[Image.Image],
        *,
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        rotations: bool = False,
        mirror: bool = False,
        shape: bool = False,
        exact: bool = False,
        rerank: Rerank | None = None,
        expansion: Expansion | None = None,
    ) -> list[Hit]:
        """Like `search`, but single drawings, not grouped by patent."""
        query = self.encode(images, rotations=rotations, mirror=mirror)
        query = self.by_shape(query) if shape else query
        return self.search_drawing_vectors(query, k=k, where=where, exact=exact, rerank=rerank, expansion=expansion)

    def search_drawing_vectors(
        self,
        query: QueryVectors,
        *,
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        exact: bool = False,
        leave_out: str | None = None,
        rerank: Rerank | None = None,
        expansion: Expansion | None = None,
    ) -> list[Hit]:
        """Like `search_drawings`, with the vectors of `encode` or `vectors_of`."""
        selected = as_filter(where) or Filter()
        if leave_out is not None:
            selected &= not_patent(leave_out)
        return search_drawings(
            self.backend, query, k=_positive(k), where=selected, exact=exact, rerank=rerank, expansion=expansion
        )

    def search_vectors(
        self,
        query: QueryVectors,
        *,
        k: int = 10,
        where: Filter | str | Sequence[str] | None = None,
        exact: bool = False,
        leave_out: str | None = None,
        rerank: Rerank | None = None,
        expansion: Expansion | None = None,
    ) -> list[PatentHit]:
        """Like `search`, with the vectors of `encode` or `vectors_of`.

        Args:
            leave_out: a patent that is not to be found: the one that the query was taken from.
        """
        selected = as_filter(where) or Filter()
        if leave_out is not None:
            selected &= not_patent(leave_out)
        return search_patents(
            self.backend, query, k=_positive(k), where=selected, exact=exact, rerank=rerank, expansion=expansion
        )

    def encode(
        self, images: Image.Image | Sequence[Image.Image], *, rotations: bool = False, mirror: bool = False
    ) -> QueryVectors:
        """The vectors of a query, made as the index's own were."""
        pictures = [images] if isinstance(images, Image.Image) else list(images)
        return encode_query(
            self.encoder, pictures, split=not self.spec.whole_sheets, rotations=rotations, mirror=mirror
        )

    def by_shape(self, query: QueryVectors) -> QueryVectors:
        """The query without what the encoder knows of the pen."""
        return query.by_shape(self.encoder.card.shape_dim)

    def vectors_of(self, number: str) -> QueryVectors:
        """The stored vectors of a patent, as a query of as many pictures.

        Raises:
            InputError: the patent is not in the index.
        """
        drawings, vectors = self.drawings_of(number)
        if not drawings:
            raise InputError(
                f"{normal_number(number)} is not in the index {self.path}.", hint="Check the number, or ingest it."
            )
        return QueryVectors(vectors, np.arange(len(vectors)))

    def refine(
        self, query: QueryVectors | None, relevant: Sequence[str], irrelevant: Sequence[str] = ()
    ) -> QueryVectors:
        """A query moved by drawings of the index that were marked, by id; see `patsearch.engine.feedback`.

        Raises:
            InputError: a drawing is not in the index.
            UsageError: there is neither a query nor a relevant drawing.
        """
        return refine(query, self._stored(relevant), self._stored(irrelevant))

    def _stored(self, ids: Sequence[str]) -> Embeddings:
        found = self.backend.get(ids) if ids else {}
        if missing := [i for i in ids if i not in found]:
            raise InputError(
                f"The drawing {missing[0]} is not in the index {self.path}.",
                hint="Drawings are named in the results: USD907292-D00001-1.",
            )
        empty = np.empty((0, self.spec.dim), dtype=np.float32)
        return np.stack([found[i][1] for i in ids]) if ids else empty

    def drawings_of(self, number: str) -> tuple[list[Drawing], Embeddings]:
        """The indexed drawings of a patent and their vectors, (N, dim), by drawing id."""
        parts = list(self.backend.scan(only_patent(number)))
        drawings = [drawing for batch, _ in parts for drawing in batch]
        empty = np.empty((0, self.spec.dim), dtype=np.float32)
        return drawings, np.concatenate([vectors for _, vectors in parts]) if parts else empty

    # ------------------------------------------------------------------ writing and upkeep

    def add(self, drawings: Sequence[Drawing], embeddings: Embeddings) -> None:
        """Store drawings with vectors of this index's encoder; durable on return."""
        self.backend.upsert(drawings, embeddings)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove drawings by id, with their thumbnails; returns how many were there.

        A patent that has lost all its drawings is remembered as deleted: ingesting its archive
        again does not bring it back, unless told to.
        """
        touched = {drawing.patent for drawing, _ in self.backend.get(ids).values()}
        removed = self.backend.delete(ids)
        self.thumbnails.delete(ids)
        self.journal.forget_drawings(touched, self._left)
        return removed

    def _left(self, patent: str) -> int:
        return self.backend.count(only_patent(patent))

    def fingerprint(self) -> str:
        """Sixteen hex digits that stand for the index's content, whatever way it came about."""
        return self.journal.digest()[:16]

    def info(self) -> JsonDict:
        """The backend's counts and sizes, with what the engine adds (see the `index info` command)."""
        backend = self.backend.info()
        own = sum(f.stat().st_size for f in self.path.iterdir() if f.is_file())
        return {
            **backend,
            "path": str(self.path),
            "backend": self.manifest.backend,
            "encoder": {"name": self.spec.encoder, "sha256": self.spec.encoder_sha256, "dim": self.spec.dim},
            "whole_sheets": self.spec.whole_sheets,
            "bytes": int(backend["bytes"]) + own,
            "created": self.manifest.created,
            "fingerprint": self.fingerprint(),
            "format": self.manifest.format,
            "units": self.journal.counts(),
        }

    def verify(self) -> list[str]:
        """Every contradiction between backend, journal and thumbnails; empty where all is well."""
        problems = list(self.backend.verify())
        stored: dict[str, int] = {}
        journal = self.journal.drawings()
        for drawings, _ in self.backend.scan():
            for drawing in drawings:
                stored[drawing.patent] = stored.get(drawing.patent, 0) + 1
            own = [d.id for d in drawings if d.patent in journal or not is_shared(self.backend)]
            problems += [f"drawing {i} has no thumbnail" for i in self.thumbnails.missing(own)]
        # What other folders have put into a shared store is in their journals.
        for patent in sorted(journal if is_shared(self.backend) else stored.keys() | journal.keys()):
            if stored.get(patent, 0) != journal.get(patent, 0):
                problems.append(
                    f"patent {patent}: {stored.get(patent, 0)} drawings stored, {journal.get(patent, 0)} in the journal"
                    " (an ingest was cut off: run it again)"
                )
        return problems

    def close(self) -> None:
        self.backend.close()
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def open_index(path: Path | str, *, read_only: bool = True, encoder: Encoder | None = None) -> Engine:
    """Open an index.

    Args:
        path: the index directory.
        read_only: several readers may have an index open while one process writes.
        encoder: one already loaded; by default the index's own is loaded when first needed.

    Raises:
        IndexNotFound, IndexVersionError, IndexDamaged: there is none, it is too new, or broken.
        IndexLocked: opened for writing while another process writes.
        EncoderMismatch: the encoder given is not the index's.
    """
    index = Path(path)
    manifest = read_manifest(index)
    store: Backend = load("backend", manifest.backend).open(manifest.resolve(index), read_only=read_only)
    if store.spec != manifest.spec:
        # On a server, somebody has put vectors of another encoder behind the same name.
        store.close()
        raise EncoderMismatch(
            f"The index {index} was made with the encoder {manifest.spec.encoder!r} "
            f"({manifest.spec.encoder_sha256[:12]}), but {manifest.location} by now holds vectors of "
            f"{store.spec.encoder!r} ({store.spec.encoder_sha256[:12]}).",
            hint="Use the index folder that was made with that encoder.",
        )
    return _assemble(index, manifest, store, encoder)


def create_index(
    path: Path | str,
    encoder: Encoder,
    *,
    backend: str = "faiss",
    whole_sheets: bool = False,
    url: str | None = None,
) -> Engine:
    """Make an index and open it for writing; the folder may exist if it is empty.

    Args:
        url: keep drawings and vectors on this server. Where it has an index of the folder's name (or of the
            name behind `#` in the url) with the same encoder, the new folder joins it.

    Raises:
        UsageError: the folder holds something else, or the backend has no servers.
        EncoderMismatch: the server has an index of that name with another encoder's vectors.
        PluginError: there is no such backend.
    """
    card = encoder.card
    spec = IndexSpec(encoder=card.name, encoder_sha256=card.sha256, dim=card.dim, whole_sheets=whole_sheets)
    return create_from_spec(path, spec, backend=backend, url=url, encoder=encoder)


def create_from_spec(
    path: Path | str, spec: IndexSpec, *, backend: str, url: str | None = None, encoder: Encoder | None = None
) -> Engine:
    """Like `create_index`, for vectors that are there already: no encoder is loaded."""
    index = Path(path)
    kind: type[Backend] = load("backend", backend)
    location = on_server(kind, url, index.resolve().name) if url else backend
    manifest = Manifest(backend=backend, location=location, spec=spec)
    if index.exists() and not index.is_dir():
        raise UsageError(f"{index} is a file.", hint="Name a folder for the index.")
    if index.is_dir() and (left := [p.name for p in index.iterdir() if p.name != f"{manifest.location}"]):
        raise UsageError(
            f"{index} is not an index, and holds {left[0]!r}.", hint="Name a new or an empty folder for the index."
        )
    index.mkdir(parents=True, exist_ok=True)
    store = _joined_or_made(kind, manifest.resolve(index), spec)
    write_manifest(index, manifest)
    return _assemble(index, manifest, store, encoder)


def _joined_or_made(kind: type[Backend], location: str, spec: IndexSpec) -> Backend:
    """A new store; or what a run left that was killed before it could write index.json; or one shared by others."""
    try:
        store = kind.open(location, read_only=False)
    except IndexNotFound:
        try:
            return kind.create(location, spec)
        except UsageError:
            # Another machine has made it on the server since a moment ago.
            store = kind.open(location, read_only=False)
    if store.spec != spec:
        encoder = store.spec.encoder
        store.close()
        raise EncoderMismatch(
            f"{location} holds vectors of the encoder {encoder!r}{' for whole sheets' * store.spec.whole_sheets}.",
            hint="Name a new folder for the index; on a server, another collection behind # in the address.",
        )
    return store


def _assemble(index: Path, manifest: Manifest, backend: Backend, encoder: Encoder | None) -> Engine:
    try:
        return Engine(index, manifest, backend, encoder)
    except BaseException:
        backend.close()
        raise


def check_encoder(encoder: Encoder, spec: IndexSpec) -> None:
    """Refuse an encoder whose vectors do not belong into an index.

    Raises:
        EncoderMismatch: other weights, other preprocessing or another dimension.
    """
    card = encoder.card
    if card.sha256 != spec.encoder_sha256 or card.dim != spec.dim:
        raise EncoderMismatch(
            f"This index was made with the encoder {spec.encoder!r} ({spec.encoder_sha256[:12]}), "
            f"not with {card.name!r} ({card.sha256[:12]}).",
            hint="Use that encoder, or ingest into a new index.",
        )


def as_filter(where: Filter | str | Sequence[str] | None) -> Filter | None:
    """A filter, however it was given."""
    return where if where is None or isinstance(where, Filter) else parse_filter(where)


def only_patent(number: str) -> Filter:
    """The filter that selects one patent, whatever its number looks like."""
    normal = normal_number(number)
    return Filter((Condition(OneOf("patent", frozenset({normal.casefold()})), text=f"patent={normal}"),))


def not_patent(number: str) -> Filter:
    """The filter that leaves one patent out."""
    (only,) = only_patent(number).conditions
    return Filter((replace(only, negated=True, text=only.text.replace("=", "!=", 1)),))


def _positive(k: int) -> int:
    if k < 1:
        raise UsageError(f"At least one result must be asked for, not {k}.")
    return k
