"""Whether the server can search: tried at intervals, so that the answer to a load balancer never waits."""

from __future__ import annotations

import asyncio
import io

from PIL import Image, ImageDraw

from patsearch.deadline import set_deadline
from patsearch.engine import Question, search
from patsearch.errors import PatsearchError, TimedOut
from patsearch.web.live import LiveIndex
from patsearch.web.memory import give_back
from patsearch.web.settings import ServerSettings
from patsearch.web.telemetry import LOGGER
from patsearch.web.workers import Busy, Upload, Uploaded, Workers, encode_uploads

_EVERY = 10.0  # seconds
_SLOW = 3  # searches
_FAILURE = "The server cannot search at the moment; its log says why."


class Probe:
    """Searches with its own picture, as a user does: a worker encodes it, a thread searches the index.

    Attributes:
        failure: what a user may know of why the last search failed; None where it found an answer.
    """

    def __init__(self, settings: ServerSettings, index: LiveIndex, workers: Workers) -> None:
        self._settings = settings
        self._index = index
        self._workers = workers
        self.failure: str | None = None
        self._slow = 0
        self._idle = 0  # searches in a row in which no worker finished anything

    async def watch(self) -> None:
        """Search at intervals, for as long as the server runs."""
        while True:
            await asyncio.sleep(_EVERY)
            await asyncio.to_thread(give_back, idle=not self._index.in_use)
            if not self._workers.full:  # a server that is busy is well
                await self.search()

    async def search(self) -> None:
        """Search once."""
        seconds = self._settings.request_seconds
        set_deadline(seconds)
        finished = self._workers.finished
        try:
            async with asyncio.timeout(seconds):
                with self._index.borrowed() as (engine, _):
                    spec = engine.spec
                uploads = (Upload("probe.png", _picture()),)
                arguments = spec, uploads, False, False, self._workers.limits
                encoded = await self._workers.run(encode_uploads, *arguments)
                await asyncio.to_thread(self._find, Uploaded.of(uploads, encoded))
        except (PatsearchError, OSError, RuntimeError) as error:  # a timeout is an OSError
            LOGGER.error("the server cannot search", extra={"fields": {"reason": str(error) or type(error).__name__}})
            self._slow += 1
            self._idle = self._idle + 1 if self._workers.finished == finished else 0
            # A server with heavy searches is slow once; one that hangs is slow again and again.
            if self._slow >= _SLOW or not isinstance(error, Busy | TimedOut | TimeoutError):
                self.failure = _FAILURE
            if self._idle >= _SLOW:
                # One that hangs before it has taken a task can keep the others from taking any.
                self._workers.replace("they do not answer")
                self._idle = 0
        else:
            self.failure, self._slow, self._idle = None, 0, 0

    def _find(self, encoded: Uploaded) -> None:
        with self._index.borrowed() as (engine, _):
            search(engine, Question(pictures=encoded.pictures, encoded=encoded.query, top=1))


def _picture() -> bytes:
    image = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(image).rectangle((12, 20, 52, 44), outline=0, width=2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
