"""A connection to a Qdrant server, or to a cluster by several addresses: what fails is tried again where that helps.

Every request of this backend may be repeated: points are stored under ids that the drawing determines.
"""

from __future__ import annotations

import random
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from os import environ
from typing import TypeVar

import httpx
from qdrant_client import QdrantClient

from patsearch.backends.qdrant.address import API_KEY, Address
from patsearch.backends.qdrant.troubles import TROUBLES, Sent, judge, stranger
from patsearch.backends.qdrant.wire import GrpcWire, RestWire
from patsearch.deadline import remaining
from patsearch.errors import BackendError, UsageError

T = TypeVar("T")

OLDEST = (1, 19)  # matching the beginnings of words
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 15.0  # seconds
_IMPATIENT = 3  # times at most that somebody who waits for an answer has a request tried
_CONNECT = 5  # seconds: a host that is off does not refuse, it is silent
_KEEP_ALIVE = 4.0  # seconds; Qdrant closes a connection that was idle for 5
_GRPC = {
    # By default a channel waits up to two minutes before it connects again: longer than all attempts together.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.min_reconnect_backoff_ms": 1000 * _CONNECT,  # in spite of its name, how long one attempt may take
    # Backing off is shared by all channels of a process to one address; a new connection should not inherit it.
    "grpc.use_local_subchannel_pool": 1,
}


def sleep(seconds: float) -> None:
    """Wait between two attempts."""
    time.sleep(seconds)


@dataclass(slots=True)
class Client:
    """How one server is reached.

    Attributes:
        general: for everything, by qdrant-client.
        reading: for what has to be quick.
        searching: the same, or gRPC where the address says so.
    """

    general: QdrantClient
    reading: RestWire
    searching: RestWire | GrpcWire

    def close(self) -> None:
        """Release the sockets. Twice is fine."""
        self.general.close()
        self.reading.close()


@dataclass(slots=True)
class _Server:
    url: str
    client: Client | None = None
    version: str = ""


class Connection:
    """Clients of the servers of an address whose versions are known to do; one of them at a time is used.

    Servers are tried in turn, and the one that has answered is the first that the next request goes to.

    Attributes:
        patient: whether a request is tried for as long as a load can wait; otherwise, as long as a searcher does.

    Raises:
        BackendError: none can be reached, it is not a Qdrant server, needs a key, or is too old.
        UsageError: the key cannot be one.
    """

    def __init__(self, address: Address, *, patient: bool = True) -> None:
        self.address = address
        self.patient = patient
        self._key = api_key()
        self._servers = [_Server(url) for url in address.urls]
        self._at = 0
        self._lock = threading.Lock()
        try:
            self.call("Connecting", lambda _: None)  # looks at the version
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The server that is used now."""
        return self._servers[self._at].url

    @property
    def version(self) -> str:
        """That server's version, as it says it."""
        return self._servers[self._at].version

    def close(self) -> None:
        """Release the sockets. Twice is fine."""
        for server in self._servers:
            if server.client is not None:
                server.client.close()

    def call(self, doing: str, request: Callable[[QdrantClient], T], *, patient: bool | None = None) -> T:
        """As `ask`, by qdrant-client."""
        return self.ask(doing, lambda client: request(client.general), patient=patient)

    def ask(self, doing: str, request: Callable[[Client], T], *, patient: bool | None = None) -> T:
        """The answer to a request, which is tried again while no server answers or all are busy.

        Args:
            doing: what it is for, as the beginning of an error message: "Storing 256 drawings".
            patient: other than the connection is: for somebody who reads everything.

        Raises:
            RequestTooLargeError, AlreadyThereError: for the caller to act on.
            PatsearchError: everything else.
        """
        start, servers = time.monotonic(), len(self._servers)
        patient = self.patient if patient is None else patient
        rounds = self.address.attempts if patient else min(self.address.attempts, _IMPATIENT)
        for tried in range(1, rounds * servers + 1):
            at = self._at
            try:
                return request(self._ready(self._servers[at]))
            except TROUBLES as error:
                url, address = self._servers[at].url, self.address
                final, wait = judge(doing, error, Sent(url, address.timeout, address.grpc_port, bool(self._key)))
                if wait is None:
                    raise final from error
                self._turn(at)
                late = not patient and time.monotonic() - start >= self.address.timeout
                if tried == rounds * servers or (late and tried >= servers):
                    raise self._last(final) from error
                if tried % servers == 0 or wait:
                    self._pause(max(wait, _delay(tried // servers)), final, error)
        raise AssertionError("attempts is at least 1")

    def _pause(self, seconds: float, final: Exception, error: Exception) -> None:
        left = remaining()
        if left is not None and left <= seconds:
            raise final from error  # nobody waits for an answer that long
        sleep(seconds)

    def _turn(self, at: int) -> None:
        """The next server from now on, unless another thread has turned already."""
        with self._lock:
            if self._at == at:
                self._at = (at + 1) % len(self._servers)

    def _last(self, error: Exception) -> Exception:
        """The error, which says how many servers there were."""
        if len(self._servers) > 1 and isinstance(error, BackendError):
            others = ", ".join(server.url for server in self._servers)
            return BackendError(f"{str(error.message).removesuffix('.')}; tried: {others}.", hint=error.hint)
        return error

    def _ready(self, server: _Server) -> Client:
        """The server's client; the first time, after a look at its version."""
        with self._lock:
            if server.client is None:
                server.client = self._client(server.url)
        if not server.version:
            server.version = _version(server.client.general, server.url)
        return server.client

    def _client(self, url: str) -> Client:
        address = self.address
        # The client's own limits keep no connection to this machine; a new one for each search takes as long as it.
        limits = httpx.Limits(keepalive_expiry=_KEEP_ALIVE)
        with warnings.catch_warnings():
            # A key over plain http is common on one machine; docs/operate/clusters.md says what to do elsewhere.
            warnings.simplefilter("ignore", UserWarning)
            general = QdrantClient(
                url=url,
                prefer_grpc=address.grpc,
                grpc_port=address.grpc_port,
                grpc_options=dict(_GRPC),
                api_key=self._key,
                timeout=address.timeout,
                check_compatibility=False,
                limits=limits,
                event_hooks={"request": [_connect_soon]},
            )
        http = httpx.Client(
            headers={"api-key": self._key} if self._key else {},
            timeout=httpx.Timeout(address.timeout, connect=min(address.timeout, _CONNECT)),
            limits=limits,
        )
        reading = RestWire(url, http)
        return Client(general, reading, GrpcWire(general.grpc_points, address.timeout) if address.grpc else reading)


def api_key() -> str | None:
    """The key in the environment, without the line feed that a file ends with; None where there is none.

    Raises:
        UsageError: it has characters that no HTTP header can hold.
    """
    key = environ.get(API_KEY, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"The key in {API_KEY} has characters that are not printable ASCII.",
            hint="Copy it again: quotation marks, dashes or a line break may have come with it.",
        )
    return key or None


def _version(client: QdrantClient, url: str) -> str:
    info = client.info()
    numbers = info.version.split("-")[0].split(".")[:2]
    if "qdrant" not in info.title.lower() or not all(n.isdecimal() for n in numbers):
        raise stranger(url)
    if tuple(int(n) for n in numbers) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise BackendError(
            f"The Qdrant server at {url} is version {info.version}; patsearch needs {wanted} or newer.",
            hint="Upgrade the server, one minor version after the other (docs/operate/clusters.md).",
        )
    return info.version


def _connect_soon(request: httpx.Request) -> None:
    timeout = request.extensions.get("timeout")
    if timeout and timeout.get("connect"):
        timeout["connect"] = min(timeout["connect"], _CONNECT)


def _delay(rounds: int) -> float:
    """Seconds after that many rounds, half of them at random: clients thrown out together come back apart."""
    delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** max(0, rounds - 1))
    return delay * (0.5 + random.random() / 2)  # noqa: S311  no secret depends on it
