"""Worker processes that read uploads: they decode and encode pictures, and parse saved searches.

Uploads are read only here: a decoder that hangs or fills the memory stops its process, not the server. A process that
takes too long is killed and replaced.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, Self

import numpy as np
from pebble import ProcessExpired, ProcessPool

from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.drawings.document import MOST_FIGURES, Document, DocumentFigure, DocumentKind, read_figures
from patsearch.drawings.edits import FigureEdit, edited
from patsearch.drawings.opening import is_shown_by_browsers
from patsearch.drawings.thumbnail import thumbnail
from patsearch.encoder import Encoder, load_encoder
from patsearch.encoder.preprocess import is_blank
from patsearch.encoder.shape import Comparison, compared_cosines
from patsearch.engine import Picture, QueryVectors, check_encoder
from patsearch.engine.explain import SIDE, Explanation, explain_figures
from patsearch.engine.query import encode_figures, figures_of, reading
from patsearch.errors import ImageError, PatsearchError, UsageError
from patsearch.processes import start_pool, stop_pool
from patsearch.record import SavedSearch
from patsearch.web.settings import ServerSettings
from patsearch.web.telemetry import LOGGER, Metrics

# More than the largest picture needs, far less than a machine has.
_MOST_MEMORY = 4 << 30
# A process is replaced now and then, so that leaks of decoders do not add up.
_TASKS_A_PROCESS = 5000
# Of one task, each after the pool has broken and was replaced.
_ATTEMPTS = 3
# Of the time that a worker has for uploads, for reading them; the rest is for encoding.
_READING = 0.5
# Pixels of the longer side of a page that is shown to be cropped.
_SHEET_SIDE = 1200


class Busy(PatsearchError):
    """More queries came at a time than the server accepts, or a picture took too long."""


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """Of what one call of a worker reads: pixels of a picture, and seconds after which no further page is read."""

    pixels: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture or document as it was sent, and what of it is used.

    Attributes:
        name: its name in answers.
        crop: x, y, width, height in pixels of the upright picture, or of each page.
        turn: degrees clockwise, after the crop: 0, 90, 180 or 270.
        page: of a PDF or TIFF with several, from 1; None for all with drawings.
        up: the axis of a model that points up, "y" or "z"; None for what files of its kind have.
        view: of a model also a view from degrees around and above it, as `Reading.view`.
        figures: numbers of those used, from 1, among all that are found; none for all.
        edits: what is done to single figures.
        flatten: as `Reading.flatten`.
    """

    name: str
    data: bytes
    crop: tuple[int, int, int, int] | None = None
    turn: int = 0
    page: int | None = None
    up: Literal["y", "z"] | None = None
    view: tuple[float, float] | None = None
    figures: tuple[int, ...] = ()
    edits: tuple[FigureEdit, ...] = ()
    flatten: bool = True


@dataclass(frozen=True, slots=True)
class EncodedFigure:
    """One figure of an upload.

    Attributes:
        name: what distinguishes it from the others.
        png: as it is searched.
        size: width and height in pixels, which an edit's crop is of: before the edit.
        whole: PNG before the edit; None where there is none.
    """

    name: str
    page: int | None
    label: str | None
    png: bytes
    size: tuple[int, int]
    whole: bytes | None = None


@dataclass(frozen=True, slots=True)
class EncodedSheet:
    """The whole picture or page, which an upload's crop is of: PNG, reduced, and its size in pixels."""

    png: bytes
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """An upload's figures and their vectors.

    Attributes:
        figures: in the order of the file.
        vectors: (V, dim) float32: those of the first figure and its copies, of the second, and so on; V is a multiple
            of the number of figures.
        remarks: what was left out of the file, in words.
        pages: how many the file has.
        kind: of file.
        crop: where the drawing in a screenshot is, as `Upload.crop` has it.
        sheet: of a file that browsers do not show, where one page of it was read.
        flat: whether it is a photo of a sheet of paper, which was flattened.
    """

    figures: tuple[EncodedFigure, ...]
    vectors: Embeddings
    remarks: tuple[str, ...] = ()
    pages: int = 1
    kind: DocumentKind = "picture"
    crop: tuple[int, int, int, int] | None = None
    sheet: EncodedSheet | None = None
    flat: bool = False

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        shown = sum(len(figure.png) + len(figure.whole or b"") for figure in self.figures)
        return self.vectors.nbytes + shown + (len(self.sheet.png) if self.sheet else 0)

    def of_figure(self, number: int) -> Embeddings:
        """(copies, dim) vectors of a figure, counted from 1."""
        copies = len(self.vectors) // len(self.figures)
        return self.vectors[copies * (number - 1) : copies * number]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The uploads of a query, encoded: what is used of them.

    Attributes:
        numbers: of each upload, the numbers of the figures that are used.
    """

    uploads: tuple[Upload, ...]
    encoded: tuple[Encoded, ...]
    numbers: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, uploads: Sequence[Upload], encoded: Sequence[Encoded]) -> Self:
        """What each upload's `figures` leaves.

        Raises:
            UsageError: an upload has no such figure, or there are too many.
        """
        numbers = []
        for upload, found in zip(uploads, encoded, strict=True):
            count = len(found.figures)
            if upload.figures and max(upload.figures) > count:
                raise no_figure(upload.name, max(upload.figures), count)
            numbers.append(tuple(sorted(set(upload.figures))) or tuple(range(1, count + 1)))
        if sum(map(len, numbers)) > MOST_FIGURES:
            raise UsageError(
                f"The query has {sum(map(len, numbers))} figures.", hint=f"A query takes up to {MOST_FIGURES}."
            )
        return cls(tuple(uploads), tuple(encoded), tuple(numbers))

    @property
    def query(self) -> QueryVectors:
        """The vectors; the figures of a page are one picture together."""
        vectors, owners = [], []
        pages: dict[tuple[int, int | None], int] = {}
        for place, (found, numbers) in enumerate(zip(self.encoded, self.numbers, strict=True)):
            for number in numbers:
                picture = pages.setdefault((place, found.figures[number - 1].page), len(pages))
                vectors.append(found.of_figure(number))
                owners += [picture] * len(vectors[-1])
        return QueryVectors(np.concatenate(vectors), np.asarray(owners, dtype=np.intp))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The figures as a record shows them."""
        return tuple(
            Picture(upload.name, b"").figure(figure.name, figure.png)
            for upload, found, numbers in zip(self.uploads, self.encoded, self.numbers, strict=True)
            for figure in (found.figures[number - 1] for number in numbers)
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left out of the files, in words."""
        return tuple(remark for found in self.encoded for remark in found.remarks)

    def closest(self, vector: Embeddings, comparison: Comparison) -> tuple[Upload, ...]:
        """Each upload with the figure alone that is closest to a drawing's vector, (dim,), so that no other is read.

        Args:
            comparison: as the search compares them.
        """
        found_vector, dim = comparison.of(vector[None]), comparison.dim
        chosen = []
        for upload, found, numbers in zip(self.uploads, self.encoded, self.numbers, strict=True):
            figures = [comparison.of(found.of_figure(n)) for n in numbers]
            likeness = [compared_cosines(figure, found_vector, dim).max() for figure in figures]
            best = numbers[int(np.argmax(likeness))]
            page = found.figures[best - 1].page
            on_page = [figure.page for figure in found.figures[:best]].count(page)
            edits = tuple(replace(edit, number=on_page) for edit in upload.edits if edit.number == best)
            chosen.append(replace(upload, page=page, figures=(on_page,), edits=edits))
        return tuple(chosen)


# ---------------------------------------------------------------------- in a worker process


def encode_uploads(
    spec: IndexSpec, uploads: Sequence[Upload], rotations: bool, mirror: bool, limits: ReadingLimits
) -> tuple[Encoded, ...]:
    """Read and encode uploads: all of their figures.

    Raises:
        ImageError: one of them cannot be used.
        EncoderError, EncoderMismatch: the index's encoder is not available.
    """
    encoder = _encoder(spec)
    until = time.monotonic() + limits.seconds
    encoded = []
    for upload in uploads:
        sheet = not is_shown_by_browsers(upload.data)
        document = _read(encoder, spec, upload, limits.pixels, max(0.0, until - time.monotonic()), sheet=sheet)
        figures = _edited(document, upload)
        query = encode_figures(encoder, [[f.image] for f in figures], rotations=rotations, mirror=mirror)
        shown = tuple(_shown(f, before) for f, before in zip(figures, document.figures, strict=True))
        told = document.remarks, document.pages, document.kind, document.crop
        whole = document.sheet
        page = EncodedSheet(thumbnail(whole, side=_SHEET_SIDE), whole.shape[::-1]) if whole is not None else None
        encoded.append(Encoded(shown, query.vectors, *told, page, document.flat))
    return tuple(encoded)


def _shown(figure: DocumentFigure, before: DocumentFigure) -> EncodedFigure:
    whole = None if figure is before else thumbnail(before.image, side=SIDE)
    size = before.image.shape[1], before.image.shape[0]
    return EncodedFigure(figure.name, figure.page, figure.label, thumbnail(figure.image, side=SIDE), size, whole)


def _edited(document: Document, upload: Upload) -> tuple[DocumentFigure, ...]:
    """The figures as the upload's edits leave them.

    Raises:
        ImageError: a crop is not within its figure, or shows nothing.
        UsageError: an edit is of a figure that the upload has not.
    """
    figures = list(document.figures)
    for edit in upload.edits:
        if edit.number > len(figures):
            raise no_figure(upload.name, edit.number, len(figures))
        figure = edited(figures[edit.number - 1], edit, upload.name)
        if is_blank(figure.image):
            raise ImageError(f"Figure {edit.number} of {upload.name} is blank there.", hint="Crop elsewhere.")
        figures[edit.number - 1] = figure
    return tuple(figures)


def no_figure(name: str, number: int, count: int) -> UsageError:
    """The error where a file has fewer figures than that."""
    return UsageError(f"{name} has no figure {number}.", hint=f"It has {count}; figures count from 1.")


def explain_uploads(
    spec: IndexSpec, uploads: Sequence[Upload], found: tuple[bytes, Embeddings], style: float, limits: ReadingLimits
) -> Explanation:
    """Which regions of the uploads' figures and of a drawing agree most.

    Args:
        found: the drawing's PNG and its vector in the index.
        style: how much the drawing style counts.

    Raises:
        ImageError: one of them cannot be used.
    """
    encoder = _encoder(spec)
    pictures = []
    for upload in uploads:
        figures = _edited(_read(encoder, spec, upload, limits.pixels, limits.seconds), upload)
        pictures.append([figures[number - 1].image for number in upload.figures] or [f.image for f in figures])
    return explain_figures(encoder, pictures, found[0], found_vector=found[1], style=style)


def read_saved(data: bytes) -> SavedSearch:
    """Read a saved search; a file that takes long or much memory to refuse does so here.

    Raises:
        InputError: it is not a saved search.
    """
    return SavedSearch.read(data, name="The file")


def load_in_worker(spec: IndexSpec) -> None:
    """Load the index's encoder, so that the first query does not wait for it."""
    _encoder(spec)


def _read(
    encoder: Encoder, spec: IndexSpec, upload: Upload, pixels: int, seconds: float, *, sheet: bool = False
) -> Document:
    """An upload with all of its figures but blank ones."""
    how = reading(
        encoder,
        split=not spec.whole_sheets,
        page=upload.page,
        crop=upload.crop,
        turn=upload.turn,
        up=upload.up,
        view=upload.view,
        flatten=upload.flatten,
        max_pixels=pixels,
        seconds=seconds,
        sheet=sheet,
    )
    document = read_figures(upload.data, how, name=upload.name)
    return replace(document, figures=figures_of(document, upload.name))


@lru_cache(maxsize=1)
def _encoder(spec: IndexSpec) -> Encoder:
    encoder = load_encoder(spec.encoder, threads=1)
    check_encoder(encoder, spec)
    return encoder


# ---------------------------------------------------------------------- in the server


class Workers:
    """The pool, the queue before it, and a memory of what was encoded a moment ago.

    Another search with the same pictures (another filter, the next page, marks, fewer figures) finds their vectors
    here. Only the last few hundred uploads are kept, only in memory.

    Attributes:
        finished: how many tasks have ended, of those that a worker took.
    """

    _REMEMBERED = 256
    _REMEMBERED_BYTES = 64 << 20

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._pool = self._new_pool()
        self._recent: OrderedDict[bytes, Encoded] = OrderedDict()
        self._recent_bytes = 0
        self._waiting = 0
        self._closed = False
        self.finished = 0

    def _new_pool(self) -> ProcessPool:
        return start_pool(self._settings.workers, tasks_each=_TASKS_A_PROCESS, memory=_MOST_MEMORY)

    async def warm(self, spec: IndexSpec) -> None:
        """Load the encoder, however long that takes; raises the errors of loading it."""
        loading = [self._pool.schedule(load_in_worker, args=(spec,)) for _ in range(self._settings.workers)]
        await asyncio.gather(*map(asyncio.wrap_future, loading))

    async def encode(
        self, spec: IndexSpec, uploads: Sequence[Upload], *, rotations: bool = False, mirror: bool = False
    ) -> Uploaded:
        """`encode_uploads`, in a worker or from memory.

        Raises:
            Busy: too many wait, or it took too long.
            UsageError: an upload has no such figure, or there are too many.
        """
        keys = await asyncio.to_thread(lambda: [_key(spec, upload, rotations, mirror) for upload in uploads])
        found = {key: self._recent[key] for key in keys if key in self._recent}
        new = {key: upload for key, upload in zip(keys, uploads, strict=True) if key not in found}
        if new:
            with self._metrics.encode_seconds.time():
                arguments = spec, tuple(new.values()), rotations, mirror, self.limits
                found |= zip(new, await self.run(encode_uploads, *arguments), strict=True)
        for key in keys:
            self._remember(key, found[key])
        return Uploaded.of(uploads, [found[key] for key in keys])

    @property
    def limits(self) -> ReadingLimits:
        """Of what one call of a worker reads."""
        return ReadingLimits(self._settings.max_pixels, _READING * self._settings.work_seconds)

    def _remember(self, key: bytes, encoded: Encoded) -> None:
        self._recent_bytes += encoded.nbytes - (self._recent.pop(key).nbytes if key in self._recent else 0)
        self._recent[key] = encoded
        while len(self._recent) > self._REMEMBERED or self._recent_bytes > self._REMEMBERED_BYTES:
            self._recent_bytes -= self._recent.popitem(last=False)[1].nbytes

    @property
    def full(self) -> bool:
        """Whether further work is refused."""
        return self._waiting >= self._settings.waiting + self._settings.workers

    async def run(self, function: Any, *arguments: Any) -> Any:
        """Call a function of a module in a worker process.

        Raises:
            Busy: too many wait, or it took too long.
            ImageError: the process died of what it was given.
        """
        if self.full:
            self._metrics.refused.labels("Busy").inc()
            raise Busy("The server is busy.", hint="Try again in a moment.")
        self._waiting += 1
        self._metrics.waiting.set(self._waiting)
        try:
            return await self._run(function, arguments)
        except TimeoutError as error:
            LOGGER.warning("a worker was killed: it took too long")
            raise Busy(
                f"The upload could not be read within {self._settings.work_seconds:g} seconds.",
                hint="Send a smaller copy, or fewer pictures.",
            ) from error
        except (ProcessExpired, MemoryError) as error:
            LOGGER.warning("a worker died", extra={"fields": {"reason": str(error)}})
            raise ImageError("A picture could not be decoded.", hint="Send a smaller copy as PNG.") from error
        finally:
            self._waiting -= 1
            self._metrics.waiting.set(self._waiting)

    async def _run(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """Call a function in a worker; in those of a new pool where this one has broken.

        A pool breaks when a process dies that has nothing to do, as the system kills one when memory is short.
        """
        for _ in range(_ATTEMPTS):
            pool = self._pool
            try:
                future = pool.schedule(function, args=arguments, timeout=self._settings.work_seconds)
            except RuntimeError as error:  # it has broken before
                reason = error
            else:
                try:
                    answer = await asyncio.wrap_future(future)
                except BrokenProcessPool as error:
                    reason = error
                except Exception:  # a worker took it, and ended it in this way
                    self.finished += 1
                    raise
                else:
                    self.finished += 1
                    return answer
            if self._closed:
                break
            if pool is self._pool:
                self.replace(str(reason))
        raise Busy("The processes that read pictures have ended.", hint="Try again in a moment.")

    def replace(self, reason: str) -> None:
        """New processes; these are ended, and who waits for them does so until the time is up."""
        if self._closed:
            return
        LOGGER.warning("the workers are replaced", extra={"fields": {"reason": reason}})
        old, self._pool = self._pool, self._new_pool()
        asyncio.get_running_loop().run_in_executor(None, stop_pool, old)

    def close(self) -> None:
        """Stop the processes, at once."""
        self._closed = True
        stop_pool(self._pool)


def _key(spec: IndexSpec, upload: Upload, rotations: bool, mirror: bool) -> bytes:
    """Of all that decides an upload's vectors; which of its figures are used does not."""
    digest = blake2b(digest_size=24)
    digest.update(repr((spec.encoder_sha256, spec.whole_sheets, rotations, mirror)).encode())
    digest.update(repr(replace(upload, data=b"", figures=())).encode())
    digest.update(upload.data)
    return digest.digest()
