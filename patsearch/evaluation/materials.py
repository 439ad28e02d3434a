"""From a named dataset to vectors: ingest sources into an index and read it back.

Sources go through the same ingest as a user's, into a separate index for each encoder and each way of
taking sheets. A second run with the same folder finds them there.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from patsearch.backends.base import Backend, IndexSpec
from patsearch.encoder import Encoder, EncoderCard, load_encoder, shipped_cards
from patsearch.engine import Engine, check_encoder, open_index
from patsearch.errors import SourceError, UsageError
from patsearch.evaluation.asking import Asking, OrientedEncoder
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.images import encode_images, file_thumbnail
from patsearch.evaluation.lists import ImageLists, read_lists
from patsearch.evaluation.sketches import read_sketches
from patsearch.evaluation.specs import DatasetSpec, deeppatent_lists
from patsearch.text import counted
from patsearch.types import Closing, JsonDict

if TYPE_CHECKING:
    from patsearch.ingest import Progress as IngestProgress

Thumbnail = Callable[[str], bytes | None]
# Called with the current step, how much of it is done, and the total (None if unknown).
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Material:
    """The vectors of a dataset and its distractors by one encoder.

    Attributes:
        encoder: name, sha256, dim, and whether it is an untrained baseline.
        spec: of an index that may hold these vectors.
        collection: the dataset's own drawings, front pages included.
        distractors: the others; None if there are none.
        thumbnail: PNG bytes by drawing id.
        ingests: the reports of the ingests, in order.
        notes: what could not be read.
        stored: the user's own index, where the dataset is one, and the name of its backend.
        lists: of a dataset of listed images.
    """

    encoder: JsonDict
    spec: IndexSpec
    collection: Collection
    distractors: Collection | None
    thumbnail: Thumbnail
    ingests: tuple[JsonDict, ...] = ()
    notes: tuple[str, ...] = ()
    stored: tuple[str, Backend] | None = None
    lists: ImageLists | None = None


@dataclass(slots=True)
class _Gathered:
    """What is collected while a material is made."""

    engines: list[Engine] = field(default_factory=list)
    ingests: list[JsonDict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def thumbnail(self, drawing_id: str) -> bytes | None:
        return next((png for e in self.engines if (png := e.thumbnails.get(drawing_id))), None)

    def material(
        self, encoder: JsonDict, spec: IndexSpec, collection: Collection, distractors: Collection | None
    ) -> Material:
        return Material(encoder, spec, collection, distractors, self.thumbnail, tuple(self.ingests), tuple(self.notes))


class Workshop(Closing):
    """Makes materials, and keeps their indexes open. A context manager.

    Args:
        spec: the dataset.
        distractors: sources, or `index:DIR`, whose drawings are added to the gallery.
        folder: where to keep the indexes that are made; None is a temporary folder.
        workers: worker processes of an ingest; None is one a core.
        progress: called with each step.
        metadata: table of the dataset's patents, for its ingest; not of the distractors.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        *,
        distractors: Sequence[DatasetSpec] = (),
        folder: Path | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
        metadata: Path | None = None,
    ) -> None:
        self.spec, self._metadata = spec, metadata
        self._distractors = tuple(distractors)
        self._workers = workers
        self._progress = progress or (lambda *_: None)
        self._stack = ExitStack()
        self._folder = folder or Path(self._stack.enter_context(TemporaryDirectory(prefix="patsearch-bench-")))

    def material(self, encoder: Encoder | None, *, whole_sheets: bool) -> Material:
        """The dataset's vectors by an encoder; None is that of the index, if the dataset is an index.

        Raises:
            InputError: nothing of a dataset or of distractors could be read.
            EncoderMismatch, UsageError: an index holds another encoder's vectors, or another kind of drawing.
        """
        gathered = _Gathered()
        if self._metadata is not None and (self.spec.kind == "index" or self.spec.listed):
            raise UsageError(f"Nothing of {self.spec.name} is ingested: --metadata does not go with it.")
        if self.spec.kind == "index":
            return self._of_index(gathered, encoder)
        chosen = encoder or load_encoder()
        if self.spec.listed:
            return self._of_images(gathered, chosen)
        engine = self._ingested(gathered, self.spec, chosen, whole_sheets)
        collection = Collection.read(engine.backend)
        distractors = self._gather_distractors(gathered, chosen, whole_sheets)
        return gathered.material(describe_encoder(chosen.card), engine.spec, collection, distractors)

    def oriented(self, encoder: Encoder | None, asking: Asking, *, whole_sheets: bool) -> Collection:
        """The dataset's drawings encoded in other orientations, side by side (`OrientedEncoder`).

        Not for an index, which has no pictures to turn.
        """
        gathered, turning = _Gathered(), OrientedEncoder(encoder or load_encoder(), asking)
        if self.spec.listed:
            return encode_images(self._lists().queries, turning)[0]
        return Collection.read(self._ingested(gathered, self.spec, turning, whole_sheets).backend)

    def _of_index(self, gathered: _Gathered, encoder: Encoder | None) -> Material:
        engine = self._open(gathered, self.spec.paths[0])
        if encoder is not None:
            check_encoder(encoder, engine.spec)
        distractors = None
        if self._distractors:
            distractors = self._gather_distractors(gathered, engine.encoder, engine.spec.whole_sheets)
        material = gathered.material(
            describe_spec(engine.spec), engine.spec, Collection.read(engine.backend), distractors
        )
        return replace(material, stored=(engine.manifest.backend, engine.backend))

    def _of_images(self, gathered: _Gathered, encoder: Encoder) -> Material:
        lists = self._lists()
        images = {image.id: image for image in (*lists.queries, *lists.gallery)}
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._progress("Encoding", done, len(images))

        start = time.perf_counter()
        collection, problems = encode_images(list(images.values()), encoder, advance=advance)
        seconds = time.perf_counter() - start
        if not len(collection):
            raise SourceError(f"No image of {self.spec.name} could be read. {problems[0]}", hint="Check the lists.")
        rate = {"drawings_per_second": round(len(collection) / seconds, 2)}
        gathered.ingests.append({"seconds": round(seconds, 3), "drawings": len(collection), "rate": rate})
        gathered.notes += _unread(problems)
        distractors = self._gather_distractors(gathered, encoder, whole_sheets=True)
        card = encoder.card

        def show(drawing_id: str) -> bytes | None:
            image = images.get(drawing_id)
            return file_thumbnail(image.path) if image else gathered.thumbnail(drawing_id)

        spec = IndexSpec(card.name, card.sha256, card.dim, True)
        return replace(
            gathered.material(describe_encoder(card), spec, collection, distractors), thumbnail=show, lists=lists
        )

    def _lists(self) -> ImageLists:
        if self.spec.kind == "trec":
            return read_lists(self.spec.paths[0])
        return read_sketches(self.spec.paths[0], self.spec.chosen, self._folder)

    def _gather_distractors(self, gathered: _Gathered, encoder: Encoder, whole_sheets: bool) -> Collection | None:
        collection: Collection | None = None
        for spec in self._distractors:
            if spec.kind == "index":
                engine = self._open(gathered, spec.paths[0])
                check_encoder(encoder, engine.spec)
                if engine.spec.whole_sheets != whole_sheets:
                    kind = "whole sheets" if engine.spec.whole_sheets else "figures"
                    raise UsageError(
                        f"The distractors {spec.name} are {kind}; the dataset's drawings are not.",
                        hint="Name the source instead of the index.",
                    )
            else:
                engine = self._ingested(gathered, spec, encoder, whole_sheets)
            found = Collection.read(engine.backend)
            collection = found if collection is None else collection.joined(found)
        return collection

    def _ingested(self, gathered: _Gathered, spec: DatasetSpec, encoder: Encoder, whole_sheets: bool) -> Engine:
        """An index of the sources, front pages included: each protocol chooses from it."""
        from patsearch.ingest import IngestOptions, ingest
        from patsearch.ingest.sources import SourceOptions

        lists = deeppatent_lists(spec) if spec.kind == "deeppatent" else ()
        metadata = self._metadata if spec is self.spec else None
        options = IngestOptions(
            whole_sheets=whole_sheets,
            front_pages=True,
            workers=self._workers,
            kind="deeppatent" if lists else None,
            source=SourceOptions(metadata=metadata, lists=tuple(lists)),
        )
        index = (
            self._folder / _slug(encoder.card, whole_sheets) / _digest([*spec.paths, *lists, *filter(None, [metadata])])
        )
        index.parent.mkdir(parents=True, exist_ok=True)

        def show(state: IngestProgress) -> None:
            self._progress(f"Ingesting {spec.name}", state.done, state.total)

        report = ingest(spec.paths, index, options, encoder=encoder, on_progress=show)
        if report.interrupted:
            raise KeyboardInterrupt
        gathered.ingests.append(report.to_json())
        gathered.notes += _unread([str(problem) for problem in report.failed])
        engine = self._open(gathered, index)
        if report.failed and not engine.backend.count():
            raise SourceError(f"Nothing of {spec.name} could be read. {report.failed[0]}", hint="Check the dataset.")
        return engine

    def _open(self, gathered: _Gathered, index: Path) -> Engine:
        engine = self._stack.enter_context(open_index(index))
        gathered.engines.append(engine)
        return engine

    def close(self) -> None:
        self._stack.close()


def describe_encoder(card: EncoderCard) -> JsonDict:
    """What a run file says about an encoder."""
    return {"name": card.name, "sha256": card.sha256, "dim": card.dim, "baseline": card.baseline}


def describe_spec(spec: IndexSpec) -> JsonDict:
    """The same for an index, without loading its encoder; `baseline` is None where that is unknown."""
    known = {card.sha256: card.baseline for card in shipped_cards()}
    return {
        "name": spec.encoder,
        "sha256": spec.encoder_sha256,
        "dim": spec.dim,
        "baseline": known.get(spec.encoder_sha256),
    }


def _unread(problems: Sequence[str]) -> list[str]:
    return [f"{counted(len(problems), 'file')} could not be read, the first: {problems[0]}"] if problems else []


def _slug(card: EncoderCard, whole_sheets: bool) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", card.name)[-40:]
    return f"{name}-{card.sha256[:8]}-{'sheets' if whole_sheets else 'figures'}"


def _digest(paths: Sequence[Path]) -> str:
    """A folder name for these sources: another dataset must not land in the same index."""
    return hashlib.blake2b("\0".join(str(p.resolve()) for p in paths).encode(), digest_size=8).hexdigest()
