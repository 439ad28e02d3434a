"""One connection to the server: closed when a request's headers do not arrive, or an answer is not read, in time.

What arrives is parsed in pieces. Of all connections that have sent more than one, a single piece is parsed in each turn
of the loop: a body in chunks of one byte takes a thousand times as long as another of its size.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds from the first byte of a connection, or of a further request, until its headers are complete.
HEADER_SECONDS = 10.0
# Seconds for reading an answer, after the connection has been idle.
_READ_SECONDS = 600.0
# Bytes of a piece: of headers and of a body in chunks, and of a body whose length is known.
_PIECE_BYTES, _PLAIN_PIECE_BYTES = 4 << 10, 64 << 10

_waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, deque[Connection]] = WeakKeyDictionary()


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with these limits; uvicorn's own begin with the first complete request."""

    _timer: asyncio.TimerHandle | None = None
    _unread = b""
    _waits = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # Headers and body of an answer are sent one after the other: the body would wait 40 ms for their receipt.
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self.flow = _Flow(self)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._waits:
            self._parse_piece()
            self.proceed()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._unread = b""
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(_READ_SECONDS, self.transport.abort)

    # ------------------------------------------------------------------ pieces

    def proceed(self) -> None:
        """Wait for a turn where something is unread, and read on where nothing is; neither while reading is paused."""
        if self.transport.is_closing():
            self._unread = b""
        if self.flow.read_paused:
            return
        if not self._unread:
            self.transport.resume_reading()
            return
        self.transport.pause_reading()
        if not self._waits:
            self._waits = True
            waiting = _waiting.setdefault(self.loop, deque())
            waiting.append(self)
            if len(waiting) == 1:
                self.loop.call_soon(_take_turn, self.loop)

    def take_turn(self) -> None:
        """Parse a piece, unless reading was paused or the connection closed while it waited."""
        if not self.flow.read_paused and not self.transport.is_closing():
            self._parse_piece()

    def end_turn(self) -> None:
        """Wait for the next one, if there is more."""
        self._waits = False
        self.proceed()

    def _parse_piece(self) -> None:
        size = _PLAIN_PIECE_BYTES if self._has_plain_body() else _PIECE_BYTES
        piece, self._unread = self._unread[:size], self._unread[size:]
        super().data_received(piece)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._expect_headers()

    def _has_plain_body(self) -> bool:
        """Whether what comes next is of a body whose length is known."""
        under_way = self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body
        return under_way and all(name != b"transfer-encoding" for name, _ in self.headers)

    # ------------------------------------------------------------------ time

    def _expect_headers(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Flow(FlowControl):
    """Reads on only where nothing is unread."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.transport)
        self._connection = connection

    def resume_reading(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self._connection.proceed()


def _take_turn(loop: asyncio.AbstractEventLoop) -> None:
    waiting = _waiting[loop]
    connection = waiting[0]
    try:
        connection.take_turn()
    except Exception:
        connection.transport.abort()
        raise
    finally:
        waiting.popleft()
        others = bool(waiting)
        connection.end_turn()
        if others:
            loop.call_soon(_take_turn, loop)
