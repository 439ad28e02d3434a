"""The index of a server: opened once, shared by all requests, reopened when another index replaced it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patsearch.engine import Engine, open_index
from patsearch.engine.journal import FILE as JOURNAL
from patsearch.engine.manifest import FILE as MANIFEST
from patsearch.engine.thumbnails import FILE as THUMBNAILS
from patsearch.errors import PatsearchError
from patsearch.files import at_home
from patsearch.web.facets import Facets
from patsearch.web.telemetry import LOGGER

_LOOK_EVERY = 1.0  # seconds

Stamp = tuple[int | None, ...]


class LiveIndex:
    """What requests borrow the engine from.

    The engine itself sees what an ingest adds, at the next search. This class sees what the engine cannot: that
    another index replaced the folder, or that not all of its files existed yet.
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            VectorIndexError: it does not exist, or cannot be opened.
        """
        self._path = path = at_home(path)
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._shared = _Shared(open_index(path))
        self._looked = time.monotonic()

    @contextmanager
    def borrowed(self) -> Iterator[tuple[Engine, Facets]]:
        """The engine and its facets, open for as long as they are used."""
        shared = self._borrow()
        try:
            yield shared.engine, shared.facets
        finally:
            with self._lock:
                shared.give_back()

    @property
    def in_use(self) -> bool:
        """Whether a request has borrowed it."""
        return self._shared.users > 0

    def close(self) -> None:
        with self._lock:
            self._shared.retire()

    def _borrow(self) -> _Shared:
        with self._lock:
            if time.monotonic() - self._looked > _LOOK_EVERY:
                self._look()
            self._shared.users += 1
            return self._shared

    def _look(self) -> None:
        self._looked = time.monotonic()
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        try:
            new = _Shared(open_index(self._path))
        except (PatsearchError, OSError) as error:
            # It is being replaced: the open one still answers.
            LOGGER.warning("the index cannot be reopened", extra={"fields": {"reason": str(error)}})
            return
        old, self._shared, self._stamp = self._shared, new, stamp
        old.retire()
        LOGGER.info("reopened the index")


class _Shared:
    """An engine and how many use it; closed when it was replaced and the last user is done."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.facets = Facets(engine)
        self.users = 0
        self._retired = False

    def give_back(self) -> None:
        self.users -= 1
        self._close_if_done()

    def retire(self) -> None:
        self._retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._retired and self.users == 0:
            self.engine.close()


def _stamp(path: Path) -> Stamp:
    """Which index is there, by its manifest, and which of its databases exist, by their inodes."""
    return tuple(_inode(path / name) for name in (MANIFEST, JOURNAL, THUMBNAILS))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
