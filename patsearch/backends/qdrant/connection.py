"""One connection to a Qdrant server: requests that are tried again where that helps, and errors as patsearch's own.

Every request of this backend may be repeated: points are stored under ids that the drawing determines.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable
from json import JSONDecodeError
from os import environ
from typing import Any, TypeVar

import grpc
import httpx
from pydantic import ValidationError
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from patsearch.backends.qdrant.address import API_KEY, Address
from patsearch.errors import BackendError, EncoderMismatch, IndexNotFound, PatsearchError, StorageError

T = TypeVar("T")

OLDEST = (1, 19)  # matching the beginnings of words
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 15.0  # seconds
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_KEPT = "What was acknowledged is kept; the same command resumes from there."
_FULL = ("no space left", "out of disk", "disk is full", "insufficient storage", "disk usage")
_MISSING = ("doesn't exist", "does not exist", "not found")
_TROUBLES = (
    ResponseHandlingException,
    UnexpectedResponse,
    ResourceExhaustedResponse,
    JSONDecodeError,  # of an answer that is a web page
    grpc.RpcError,
)
_GRPC_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class RequestTooLargeError(Exception):
    """The server takes no request of this size; half of it may do."""


class AlreadyThereError(Exception):
    """What was to be made is there."""


def sleep(seconds: float) -> None:
    """Wait between two attempts."""
    time.sleep(seconds)


class Connection:
    """A client of one server whose version is known to do.

    Attributes:
        client: for use within `call`.
        version: the server's, as it says it.

    Raises:
        BackendError: it cannot be reached, is not a Qdrant server, needs a key, or is too old.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        with warnings.catch_warnings():
            # A key over plain http is common on one machine; docs/operate/clusters.md says what to do elsewhere.
            warnings.simplefilter("ignore", UserWarning)
            self.client = QdrantClient(
                url=address.url,
                prefer_grpc=address.grpc,
                grpc_port=address.grpc_port,
                api_key=environ.get(API_KEY) or None,
                timeout=address.timeout,
                check_compatibility=False,
            )
        try:
            self.version = self._version()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the sockets. Twice is fine."""
        self.client.close()

    def call(self, doing: str, request: Callable[[QdrantClient], T]) -> T:
        """The answer to a request, which is tried again while the server does not answer or is busy.

        Args:
            doing: what it is for, as the beginning of an error message: "Storing 256 drawings".

        Raises:
            RequestTooLargeError, AlreadyThereError: for the caller to act on.
            PatsearchError: everything else.
        """
        for attempt in range(1, self.address.attempts + 1):
            try:
                return request(self.client)
            except _TROUBLES as error:
                final, wait = self._judge(doing, error)
                if wait is None or attempt == self.address.attempts:
                    raise final from error
                # Half of it at random: clients that a restart has thrown out together come back apart.
                delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (attempt - 1))
                sleep(max(wait, delay * (0.5 + random.random() / 2)))  # noqa: S311  no secret depends on it
        raise AssertionError("attempts is at least 1")

    def _version(self) -> str:
        info = self.call("Connecting", lambda client: client.info())
        numbers = info.version.split("-")[0].split(".")[:2]
        if "qdrant" not in info.title.lower() or not all(n.isdecimal() for n in numbers):
            raise self._stranger()
        if tuple(int(n) for n in numbers) < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise BackendError(
                f"The Qdrant server at {self.address.url} is version {info.version}; "
                f"patsearch needs {wanted} or newer.",
                hint="Upgrade the server, one minor version after the other (docs/operate/clusters.md).",
            )
        return info.version

    def _judge(self, doing: str, error: Exception) -> tuple[Exception, float | None]:
        """The error to raise in the end, and how long to wait at least before trying again; None is not to try."""
        where = f"{doing} at {self.address.url}"
        match error:
            case ResourceExhaustedResponse():
                text = f"{where}: the server refuses more requests for now ({error})."
                return BackendError(text, hint=f"Try later, or with fewer workers. {_KEPT}"), float(error.retry_after_s)
            case UnexpectedResponse():
                text = error.content.decode("utf-8", "replace")
                return self._refused(where, error.status_code or 0, _reason(error, text))
            case grpc.RpcError():
                code = error.code() if isinstance(error, grpc.Call) else None
                details = error.details() if isinstance(error, grpc.Call) else str(error)
                return self._refused(where, _GRPC_STATUS.get(code, 500) if code else 503, str(details))
            case ResponseHandlingException():
                return self._unanswered(where, error.source)
            case JSONDecodeError():
                return self._stranger(), None
        raise AssertionError(f"not expected here: {error!r}")

    def _refused(self, where: str, status: int, text: str) -> tuple[Exception, float | None]:
        small = text.lower()
        short = " ".join(text.split())[:300]
        if status == 507 or any(sign in small for sign in _FULL):
            return StorageError(
                f"{where}: the server has no disk space left ({short}).", hint=f"Free or add space there. {_KEPT}"
            ), None
        if status in (401, 403) and ("strict" not in small and "forbidden:" not in small):
            given = "refuses the API key" if environ.get(API_KEY) else "needs an API key"
            return BackendError(f"{where}: the server {given}.", hint=f"Put the right one into {API_KEY}."), None
        if status == 404 and any(sign in small for sign in _MISSING):
            hint = "Check the address behind --url, or ingest into it again."
            return IndexNotFound(f"{where}: {short}.", hint=hint), None
        if status == 404:
            return self._stranger(), None
        if status == 409 or (status == 400 and "already exists" in small):
            return AlreadyThereError(short), None
        if status == 413:
            return RequestTooLargeError(short), None
        if status == 400 and "dimension" in small:
            return EncoderMismatch(f"{where}: {short}.", hint="Use the index's encoder, or a new collection."), None
        if status in _AGAIN:
            hint = f"Look at the server's log and try later. {_KEPT}"
            return BackendError(f"{where}: the server answers {status} ({short}).", hint=hint), 0.0
        return BackendError(
            f"{where}: the server refuses: {short}.", hint="See docs/operate/clusters.md, strict mode."
        ), None

    def _unanswered(self, where: str, source: Exception) -> tuple[PatsearchError, float | None]:
        text = " ".join(str(source).split()) or type(source).__name__
        match source:
            case ValidationError() | ValueError():
                return self._stranger(), None
            case httpx.ConnectError() if "CERTIFICATE" in text.upper() or "SSL" in text.upper():
                hint = "Name the authority's certificate in SSL_CERT_FILE, or check http and https."
                return BackendError(f"{where}: no secure connection: {text}.", hint=hint), None
            case httpx.ConnectError() | httpx.ConnectTimeout():
                hint = "Start the server (docker compose up -d), or check the address behind --url."
                return BackendError(f"No server answers at {self.address.url} ({text}).", hint=hint), 0.0
            case httpx.TimeoutException():
                hint = f"Add ?timeout=SECONDS to the address, or look at the server's load. {_KEPT}"
                return BackendError(f"{where}: no answer within {self.address.timeout} s.", hint=hint), 0.0
            case httpx.TransportError():
                hint = f"Look at the server's log and the network. {_KEPT}"
                return BackendError(f"{where}: the connection was cut ({text}).", hint=hint), 0.0
        return BackendError(f"{where}: {text}.", hint="Check the address behind --url."), None

    def _stranger(self) -> BackendError:
        return BackendError(
            f"The server at {self.address.url} is not a Qdrant server.",
            hint="Check the address; the REST interface is on port 6333, gRPC on 6334.",
        )


def _reason(error: UnexpectedResponse, text: str) -> str:
    """What the server says is wrong; Qdrant's own errors are JSON, those of a proxy are not."""
    try:
        status: Any = error.structured()["status"]
        return str(status["error"])
    except (ValueError, KeyError, TypeError):
        return text or error.reason_phrase
