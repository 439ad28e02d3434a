"""The engine: an encoder and a backend over one index directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from patsearch.backends.base import Backend, Embeddings, IndexSpec, is_shared, on_server
from patsearch.encoder import Encoder, EncoderCard, encoder_card, load_encoder
from patsearch.engine.journal import Journal
from patsearch.engine.manifest import FILE, Manifest, read_manifest, write_manifest
from patsearch.engine.picture import PictureSource
from patsearch.engine.query import QueryVectors, encode_query
from patsearch.engine.question import Question, search
from patsearch.engine.results import Results
from patsearch.engine.thumbnails import Thumbnails
from patsearch.errors import EncoderMismatch, IndexDamaged, IndexNotFound, PatsearchError, UsageError
from patsearch.files import at_home, foreign_entry
from patsearch.filters import only_patent
from patsearch.lock import WriterLock
from patsearch.plugins import load
from patsearch.servers import remember
from patsearch.text import counted
from patsearch.types import Closing, Drawing, Hit, JsonDict

# Fields of the filters that an index of an earlier version, or of another source, may lack.
_MAY_LACK = ("owner", "inventor", "cites", "inforce")


class Engine(Closing):
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
            if not backend.read_only and (cut := [p for p, deed in self.journal.begun().items() if deed == "delete"]):
                self.journal.forget_drawings(cut, self._left)  # a deletion that was killed before it got here
            self._opened = opened.pop_all()

    @property
    def spec(self) -> IndexSpec:
        return self.manifest.spec

    @cached_property
    def encoder(self) -> Encoder:
        """The index's own encoder, loaded when it is first needed.

        Raises:
            EncoderMismatch: the encoder of that name now has other weights or preprocessing.
        """
        encoder = self._given_encoder or load_encoder(self.spec.encoder)
        check_encoder(encoder, self.spec)
        return encoder

    @cached_property
    def card(self) -> EncoderCard | None:
        """The card of the index's encoder; None where that is not available."""
        if self._given_encoder is not None:
            return self._given_encoder.card
        try:
            card = encoder_card(self.spec.encoder)
        except PatsearchError:
            return None
        return card if card.sha256 == self.spec.encoder_sha256 else None

    @property
    def shape_dim(self) -> int | None:
        """`EncoderCard.shape_dim`; None too where the encoder is not available."""
        return self.card.shape_dim if self.card else None

    # ------------------------------------------------------------------ searching

    def search(self, asked: Question | PictureSource | Sequence[PictureSource] = (), **options: Any) -> Results:
        """The patents whose drawings look most like the pictures, best first.

        Args:
            asked: a question; or one picture, or several that together are one query: PIL images, image files' bytes
                or paths.
            options: with pictures, the fields of `Question` by name: `where="uspc=D14"`, `rotations=True`,
                `like="D907292"`, `relevant=[...]`; and `k`, the number of results, 10 by default.

        Raises:
            ImageError: a picture cannot be read, or is blank.
            InputError: the patent or a marked drawing is not in the index.
            UsageError, FilterError: an option is not valid, or there is nothing to search with.
            EncoderMismatch: the index was made with another encoder.
        """
        return Results(search(self, Question.of(asked, **options)).hits, self.thumbnails.get)

    def search_drawings(
        self, asked: Question | PictureSource | Sequence[PictureSource] = (), **options: Any
    ) -> list[Hit]:
        """Like `search`, but single drawings, not grouped by patent."""
        question = Question.of(asked, **options).replaced(drawings=True)
        return [hit.drawings[0] for hit in search(self, question).hits]

    def encode(
        self, images: Image.Image | Sequence[Image.Image], *, rotations: bool = False, mirror: bool = False
    ) -> QueryVectors:
        """The vectors of a query, made as the index's own were."""
        pictures = [images] if isinstance(images, Image.Image) else list(images)
        return encode_query(
            self.encoder, pictures, split=not self.spec.whole_sheets, rotations=rotations, mirror=mirror
        )

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
        """Delete drawings by id, with their thumbnails; returns how many there were.

        A patent that has lost all its drawings is remembered as deleted: ingesting its archive
        again does not bring it back, unless `again` is set.
        """
        touched = {drawing.patent for drawing, _ in self.backend.get(ids).values()}
        self.journal.begin(touched, "delete")
        removed = self.backend.delete(ids)
        self.thumbnails.delete(ids)
        self.journal.forget_drawings(touched, self._left)
        return removed

    def _left(self, patent: str) -> int:
        # The number of a registration selects its designs too.
        return sum(one.patent == patent for batch in self.backend.payloads(only_patent(patent)) for one in batch)

    def fingerprint(self) -> str:
        """Sixteen hex digits that identify the index's contents, however they were ingested."""
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
            "lacking": {field: self.backend.lacking([field]) for field in _MAY_LACK},
        }

    def verify(self) -> list[str]:
        """Damage, and every contradiction between backend, journal and thumbnails; empty for an intact index.

        Patents whose storing or deleting was cut off do not count (`Journal.begun`).
        """
        problems: list[str] = []
        for look in (self.backend.verify, self.journal.problems, self.thumbnails.problems, self._contradictions):
            try:
                problems += look()
            except IndexDamaged as error:
                problems.append(error.message)
        return list(dict.fromkeys(problems))

    def compact(self) -> JsonDict:
        """What `Backend.compact` does; what version 0.1.0 stored without a checksum gets one."""
        report = self.backend.compact()
        self.journal.add_checksums()
        self.thumbnails.add_checksums()
        return report

    def _contradictions(self) -> Iterator[str]:
        stored: dict[str, int] = {}
        journal, begun = self.journal.drawings(), self.journal.begun()
        for drawings, _ in self.backend.scan():
            for drawing in drawings:
                stored[drawing.patent] = stored.get(drawing.patent, 0) + 1
            expected = [d for d in drawings if d.patent not in begun]
            own = [d.id for d in expected if d.patent in journal or not is_shared(self.backend)]
            yield from (f"drawing {i} has no thumbnail" for i in self.thumbnails.missing(own))
        # What other folders have written to a shared store is in their journals.
        known = journal.keys() if is_shared(self.backend) else stored.keys() | journal.keys()
        for patent in sorted(known - begun.keys()):
            if stored.get(patent, 0) != journal.get(patent, 0):
                count = counted(stored.get(patent, 0), "drawing")
                yield (
                    f"patent {patent}: {count} stored, {journal.get(patent, 0)} in the journal"
                    " (an ingest was cut off: run it again)"
                )

    def close(self) -> None:
        self.backend.close()
        self._opened.close()


def open_index(path: Path | str, *, read_only: bool = True, encoder: Encoder | None = None) -> Engine:
    """Open an index.

    Args:
        path: the index directory.
        read_only: several readers may have an index open while one process writes.
        encoder: one already loaded; by default the index's own is loaded when first needed.

    Raises:
        IndexNotFound, IndexVersionError, IndexDamaged: it does not exist, is too new, or is broken.
        IndexLocked: opened for writing while another process writes.
        EncoderMismatch: the encoder given is not the index's.
    """
    index = at_home(path)
    manifest = read_manifest(index)
    if (entry := foreign_entry(index)) is not None:
        raise IndexDamaged(
            f"{entry} is a link to outside of the index, or not a file.",
            hint="Put the files themselves there; the folder of the index may be a link.",
        )
    store: Backend = load("backend", manifest.backend).open(manifest.resolve(index), read_only=read_only)
    if store.spec != manifest.spec:
        # On a server, the same name can have been given to vectors of another encoder.
        store.close()
        raise EncoderMismatch(
            f"The index {index} was made with the encoder {manifest.spec.encoder!r} "
            f"({manifest.spec.encoder_sha256[:12]}), but {manifest.location} now holds vectors of "
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
        PluginError: the backend does not exist.
    """
    card = encoder.card
    spec = IndexSpec(encoder=card.name, encoder_sha256=card.sha256, dim=card.dim, whole_sheets=whole_sheets)
    return create_from_spec(path, spec, backend=backend, url=url, encoder=encoder)


def create_from_spec(
    path: Path | str, spec: IndexSpec, *, backend: str, url: str | None = None, encoder: Encoder | None = None
) -> Engine:
    """Like `create_index`, for existing vectors: no encoder is loaded."""
    index = at_home(path)
    kind: type[Backend] = load("backend", backend)
    location = on_server(kind, url, index.resolve().name) if url else backend
    if url:
        remember(location)
    manifest = Manifest(backend=backend, location=location, spec=spec)
    if index.exists() and not index.is_dir():
        raise UsageError(f"{index} is a file.", hint="Name a folder for the index.")
    begun = {manifest.location, f"{FILE}.new"}  # of a run that was killed before it had an index.json
    if index.is_dir() and (left := [p.name for p in index.iterdir() if p.name not in begun]):
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
    """Refuse an encoder whose vectors do not belong in an index.

    Raises:
        EncoderMismatch: other weights, other preprocessing or another dimension.
    """
    card = encoder.card
    if card.sha256 != spec.encoder_sha256 or card.dim != spec.dim:
        # The shipped encoder keeps its name when it becomes another one.
        was = f"an earlier {spec.encoder!r}" if card.name == spec.encoder else f"the encoder {spec.encoder!r}"
        raise EncoderMismatch(
            f"This index was made with {was} ({spec.encoder_sha256[:12]}), "
            f"not with {card.name!r} ({card.sha256[:12]}).",
            hint="Use that encoder, or make an index by the other: patsearch index reencode INDEX SOURCE --out NEW.",
        )
