"""What went wrong between client and server, as patsearch's own errors: one line, and whether another try helps."""

from __future__ import annotations

from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

import grpc
import httpx
from pydantic import ValidationError
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from patsearch.backends.qdrant.address import API_KEY
from patsearch.errors import BackendError, EncoderMismatch, IndexNotFound, PatsearchError, StorageError

TROUBLES = (
    ResponseHandlingException,
    UnexpectedResponse,
    ResourceExhaustedResponse,
    JSONDecodeError,  # of an answer that is a web page
    grpc.RpcError,
)
KEPT = "What was acknowledged is kept; the same command resumes from there."

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_FULL = ("no space left", "out of disk", "disk is full", "insufficient storage", "disk usage")
_MISSING = ("doesn't exist", "does not exist", "not found")
_STRICT = ("strict", "help:", "limit", "disabled!")
_SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_GRPC_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
}
_START = "Start the server (docker compose up -d), or check the address behind --url."


class RequestTooLargeError(Exception):
    """The server takes no request of this size; half of it may do."""


class AlreadyThereError(Exception):
    """What was to be made is there."""


class AccessError(BackendError):
    """The key is known, but does not allow this."""


class LimitError(BackendError):
    """The request exceeds a limit of the collection's strict mode."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a request went, and how.

    Attributes:
        url: the server.
        timeout: seconds that the answer could take.
        keyed: whether a key went along.
    """

    url: str
    timeout: int
    grpc_port: int
    keyed: bool


def judge(doing: str, error: Exception, sent: Sent) -> tuple[Exception, float | None]:
    """The error to raise in the end, and how long to wait at least before trying again; None is not to try.

    Args:
        doing: what the request was for, as the beginning of a sentence.
    """
    where = f"{doing} at {sent.url}"
    match error:
        case ResourceExhaustedResponse():
            text = f"{where}: the server refuses more requests for now ({error})."
            return BackendError(text, hint=f"Try later, or with fewer workers. {KEPT}"), float(error.retry_after_s)
        case UnexpectedResponse():
            text = error.content.decode("utf-8", "replace")
            return _refused(where, error.status_code or 0, _reason(error, text), sent)
        case grpc.RpcError():
            return _by_grpc(where, error, sent)
        case ResponseHandlingException():
            return _unanswered(where, error.source, sent)
        case JSONDecodeError():
            return stranger(sent.url), None
    raise AssertionError(f"not expected here: {error!r}")


def stranger(url: str) -> BackendError:
    """Something else than Qdrant answers."""
    return BackendError(
        f"The server at {url} is not a Qdrant server.",
        hint="Check the address; the REST interface is on port 6333, gRPC on 6334.",
    )


def _by_grpc(where: str, error: grpc.RpcError, sent: Sent) -> tuple[Exception, float | None]:
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNAVAILABLE
    details = str(error.details() if isinstance(error, grpc.Call) else error)
    if code in _SILENT:
        short = " ".join(details.split())[:120]
        return BackendError(f"No server answers at {sent.url}, gRPC port {sent.grpc_port} ({short}).", hint=_START), 0.0
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return _too_slow(where, sent.timeout), 0.0
    return _refused(where, _GRPC_STATUS.get(code, 500), details, sent)


def _refused(where: str, status: int, text: str, sent: Sent) -> tuple[Exception, float | None]:
    small = text.lower()
    short = " ".join(text.split())[:300].removesuffix(".")
    if status == 507 or any(sign in small for sign in _FULL):
        return StorageError(
            f"{where}: the server has no disk space left ({short}).", hint=f"Free or add space there. {KEPT}"
        ), None
    if status in (401, 403) and "access" in small and "required" in small:
        return _not_allowed(where, small, short), None
    if status in (400, 403, 422) and any(sign in small for sign in _STRICT):
        hint = "See docs/operate/clusters.md, strict mode."
        return LimitError(f"{where}: the server refuses: {short}.", hint=hint), None
    if status in (401, 403):
        given = "refuses the API key" if sent.keyed else "needs an API key"
        return BackendError(f"{where}: the server {given}.", hint=f"Put the right one into {API_KEY}."), None
    if status == 404 and any(sign in small for sign in _MISSING):
        hint = "Check the address behind --url, or ingest into it again."
        return IndexNotFound(f"{where}: {short}.", hint=hint), None
    if status == 404:
        return stranger(sent.url), None
    if status == 409 or (status == 400 and "already exists" in small):
        return AlreadyThereError(short), None
    if status == 413:
        return RequestTooLargeError(short), None
    if status == 400 and "dimension" in small:
        return EncoderMismatch(f"{where}: {short}.", hint="Use the index's encoder, or a new collection."), None
    if status in _AGAIN:
        hint = f"Look at the server's log and try later. {KEPT}"
        return BackendError(f"{where}: the server answers {status} ({short}).", hint=hint), 0.0
    hint = "Look at the server's log; docs/operate/clusters.md lists what servers refuse."
    return BackendError(f"{where}: the server refuses: {short}.", hint=hint), None


def _not_allowed(where: str, small: str, short: str) -> AccessError:
    """The rights that a key or token lacks, in Qdrant's words."""
    if "global manage access" in small or "write access" in small:
        return AccessError(f"{where}: this key may only read.", hint=f"Put one that may write into {API_KEY}.")
    if "manage access" in small:
        hint = f"Put one that may manage them into {API_KEY}, or use a collection that exists."
        return AccessError(f"{where}: this key may not make or change collections.", hint=hint)
    hint = f"Put one into {API_KEY} that names the collection, or its alias."
    return AccessError(f"{where}: this key does not allow it ({short}).", hint=hint)


def _unanswered(where: str, source: Exception, sent: Sent) -> tuple[PatsearchError, float | None]:
    text = " ".join(str(source).split()) or type(source).__name__
    match source:
        case ValidationError() | ValueError():
            return stranger(sent.url), None
        case httpx.ConnectError() if "CERTIFICATE" in text.upper() or "SSL" in text.upper():
            hint = "Name the authority's certificate in SSL_CERT_FILE, or check http and https."
            return BackendError(f"{where}: no secure connection: {text}.", hint=hint), None
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return BackendError(f"No server answers at {sent.url} ({text}).", hint=_START), 0.0
        case httpx.TimeoutException():
            return _too_slow(where, sent.timeout), 0.0
        case httpx.TransportError():
            hint = f"Look at the server's log and the network. {KEPT}"
            return BackendError(f"{where}: the connection was cut ({text}).", hint=hint), 0.0
    return BackendError(f"{where}: {text}.", hint="Check the address behind --url."), None


def _too_slow(where: str, timeout: int) -> BackendError:
    hint = f"Add ?timeout=SECONDS to the address, or look at the server's load. {KEPT}"
    return BackendError(f"{where}: no answer within {timeout} s.", hint=hint)


def _reason(error: UnexpectedResponse, text: str) -> str:
    """What the server says is wrong; Qdrant's own errors are JSON, those of a proxy are not."""
    try:
        status: Any = error.structured()["status"]
        return str(status["error"])
    except (ValueError, KeyError, TypeError):
        return text or error.reason_phrase
