"""One connection to the server: closed when a request's headers do not arrive, or an answer is not read, in time."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds from the first byte of a connection, or of a further request, until its headers are complete.
HEADER_SECONDS = 10.0
# Seconds for reading an answer, after the connection has been idle.
_READ_SECONDS = 600.0


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with these limits; uvicorn's own begin with the first complete request."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(_READ_SECONDS, self.transport.abort)

    def _expect_headers(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
