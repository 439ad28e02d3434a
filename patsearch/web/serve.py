"""The application behind an HTTP server, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from patsearch.errors import UsageError
from patsearch.web.app import create_app
from patsearch.web.connection import Connection
from patsearch.web.memory import limit_heaps, settle
from patsearch.web.settings import ServerSettings
from patsearch.web.telemetry import log_to_stderr

# Seconds for the current requests when the server is told to stop.
_GRACE = 20
_MOST_CONNECTIONS = 1000
_HEADER_BYTES = 64 << 10  # of one request


def serve(
    settings: ServerSettings,
    *,
    ready: Callable[[str], None] = lambda _: None,
    make: Callable[[ServerSettings], Starlette] = create_app,
) -> None:
    """Serve until SIGINT or SIGTERM; current requests are answered first.

    Args:
        ready: called with the page's address once it answers.
        make: the application; its `state.failure` says why its lifespan could not begin, None where it did.

    Raises:
        VectorIndexError: the index does not exist, or cannot be opened.
        EncoderError, EncoderMismatch: the index's encoder is not available.
        UsageError: the address is in use, or not this machine's.
    """
    log_to_stderr()
    limit_heaps()
    with _listen(settings) as listener:
        app = make(settings)
        config = uvicorn.Config(
            app,
            http=Connection,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE,
            h11_max_incomplete_event_size=_HEADER_BYTES,
            limit_concurrency=_MOST_CONNECTIONS,
            ws="none",
        )
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        # uvicorn stops at either signal and afterwards sends it to itself again: a normal end, not an error.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            _Server(config, lambda: ready(f"http://{host}:{listener.getsockname()[1]}/")).run(sockets=[listener])
        except SystemExit:
            # uvicorn's way of saying that the application did not start; the reason is more useful.
            if app.state.failure is None:
                raise
            raise app.state.failure from None


class _Server(uvicorn.Server):
    """Says when it is ready: after the application's lifespan has begun, and the encoder is loaded."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            settle()
            self._ready()


def _listen(settings: ServerSettings) -> socket.socket:
    """A bound socket: made before anything is loaded, so that a wrong address is reported at once."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise UsageError(
            f"Cannot listen at {settings.host}, port {settings.port}: {error.strerror or error}.",
            hint="Choose another --port, or --host.",
        ) from error
