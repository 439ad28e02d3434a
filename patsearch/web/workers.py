"""Worker processes that read uploads: they decode and encode pictures, and parse saved searches.

Uploads are read only here: a decoder that hangs or fills the memory stops its process, not the server. A process that
takes too long is killed and replaced.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from pebble import ProcessExpired, ProcessPool
from PIL import Image

from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.drawings.opening import open_image
from patsearch.drawings.photo import query_image
from patsearch.encoder import Encoder, load_encoder
from patsearch.engine import Picture, QueryVectors, check_encoder
from patsearch.engine.explain import Explanation, explain
from patsearch.engine.query import encode_query
from patsearch.errors import ImageError, PatsearchError
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
_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


class Busy(PatsearchError):
    """More queries came at a time than the server accepts, or a picture took too long."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One picture as it was sent, and how it is cropped and turned.

    Attributes:
        name: its name in answers.
        crop: x, y, width, height in pixels of the upright picture.
        turn: degrees clockwise, after the crop: 0, 90, 180 or 270.
        page: of a TIFF with several, from 1.
    """

    name: str
    data: bytes
    crop: tuple[int, int, int, int] | None = None
    turn: int = 0
    page: int = 1


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors of a query's pictures, and the pictures as a record shows them."""

    query: QueryVectors
    pictures: tuple[Picture, ...]

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return self.query.vectors.nbytes + sum(len(picture.png) for picture in self.pictures)


# ---------------------------------------------------------------------- in a worker process


def encode_uploads(
    spec: IndexSpec, uploads: Sequence[Upload], rotations: bool, mirror: bool, max_pixels: int
) -> Encoded:
    """Decode and encode the pictures of one query.

    Raises:
        ImageError: one of them cannot be used.
        EncoderError, EncoderMismatch: the index's encoder is not available.
    """
    images = [_image(upload, max_pixels) for upload in uploads]
    query = encode_query(_encoder(spec), images, split=not spec.whole_sheets, rotations=rotations, mirror=mirror)
    return Encoded(
        query, tuple(Picture(u.name, Picture(u.name, image).png) for u, image in zip(uploads, images, strict=True))
    )


def explain_uploads(
    spec: IndexSpec, uploads: Sequence[Upload], found: tuple[bytes, Embeddings], shape: bool, max_pixels: int
) -> Explanation:
    """Which regions of the pictures and of a drawing agree most.

    Args:
        found: the drawing's PNG and its vector in the index.
        shape: by shape alone.

    Raises:
        ImageError: one of them cannot be used.
    """
    images = [_image(upload, max_pixels) for upload in uploads]
    split = not spec.whole_sheets
    return explain(_encoder(spec), images, found[0], found_vector=found[1], split=split, shape=shape)


def read_saved(data: bytes) -> SavedSearch:
    """Read a saved search; a file that takes long or much memory to refuse does so here.

    Raises:
        InputError: it is not a saved search.
    """
    return SavedSearch.read(data, name="The file")


def load_in_worker(spec: IndexSpec) -> None:
    """Load the index's encoder, so that the first query does not wait for it."""
    _encoder(spec)


def _image(upload: Upload, max_pixels: int) -> Image.Image:
    opened = open_image(upload.data, name=upload.name, page=upload.page, max_pixels=max_pixels)
    image = query_image(opened, name=upload.name, crop=upload.crop)
    return image.transpose(_TURNS[upload.turn]) if upload.turn else image


@lru_cache(maxsize=1)
def _encoder(spec: IndexSpec) -> Encoder:
    encoder = load_encoder(spec.encoder, threads=1)
    check_encoder(encoder, spec)
    return encoder


# ---------------------------------------------------------------------- in the server


class Workers:
    """The pool, the queue before it, and a memory of what was encoded a moment ago.

    Another search with the same pictures (another filter, the next page, marks) finds their vectors here. Only the
    last few hundred queries are kept, only in memory.
    """

    _REMEMBERED = 256
    _REMEMBERED_BYTES = 16 << 20

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._pool = self._new_pool()
        self._recent: OrderedDict[bytes, Encoded] = OrderedDict()
        self._recent_bytes = 0
        self._waiting = 0
        self._closed = False

    def _new_pool(self) -> ProcessPool:
        return start_pool(self._settings.workers, tasks_each=_TASKS_A_PROCESS, memory=_MOST_MEMORY)

    async def warm(self, spec: IndexSpec) -> None:
        """Load the encoder, however long that takes; raises the errors of loading it."""
        loading = [self._pool.schedule(load_in_worker, args=(spec,)) for _ in range(self._settings.workers)]
        await asyncio.gather(*map(asyncio.wrap_future, loading))

    async def encode(
        self, spec: IndexSpec, uploads: Sequence[Upload], *, rotations: bool = False, mirror: bool = False
    ) -> Encoded:
        """`encode_uploads`, in a worker or from memory.

        Raises:
            Busy: too many wait, or it took too long.
        """
        key = await asyncio.to_thread(_key, spec, uploads, rotations, mirror)
        known = self._recent.get(key)
        if known is None:
            with self._metrics.encode_seconds.time():
                known = await self.run(
                    encode_uploads, spec, tuple(uploads), rotations, mirror, self._settings.max_pixels
                )
        self._remember(key, known)
        return known

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
                    return await asyncio.wrap_future(future)
                except BrokenProcessPool as error:
                    reason = error
            if self._closed:
                break
            if pool is self._pool:
                LOGGER.warning("the workers are replaced", extra={"fields": {"reason": str(reason)}})
                self._pool = self._new_pool()
                asyncio.get_running_loop().run_in_executor(None, stop_pool, pool)
        raise Busy("The processes that read pictures have ended.", hint="Try again in a moment.")

    def close(self) -> None:
        """Stop the processes, at once."""
        self._closed = True
        stop_pool(self._pool)


def _key(spec: IndexSpec, uploads: Sequence[Upload], rotations: bool, mirror: bool) -> bytes:
    digest = blake2b(digest_size=24)
    digest.update(repr((spec.encoder_sha256, spec.whole_sheets, rotations, mirror)).encode())
    for upload in uploads:
        digest.update(repr((upload.name, upload.crop, upload.turn, upload.page, len(upload.data))).encode())
        digest.update(upload.data)
    return digest.digest()
