"""What every request passes before its body is read: host, origin, token, size, time; and headers of every answer.

A middleware and not a part of the routes, because the framework reads a body before a route can refuse it. A request
whose work is not done at its deadline is answered with 503 here; work in threads looks at the same deadline
(`patsearch.deadline`) and ends by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers

from patsearch.deadline import set_deadline
from patsearch.web.settings import ServerSettings
from patsearch.web.telemetry import LOGGER, Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "patsearch_session"
API = "/api/v1"
# The page and what it needs to sign in, and the probe of a load balancer.
_OPEN = ("/static/", "/favicon.ico")
_OPEN_EXACT = ("/", f"{API}/health", f"{API}/session")
_SAFE = ("GET", "HEAD", "OPTIONS")
# Bytes of a body that a request may send before it has shown a token.
_OPEN_BYTES = 4 << 10
_DISCARD_BYTES, _DISCARD_SECONDS = 1 << 20, 1.0
# Of a form of text. The framework has this limit too, but counts no empty ones, which are as slow to read.
_MOST_FIELDS = 1000
# A type with a boundary has about a hundred characters. Texts of a form are UTF-8: reading some of the other encodings
# that a request can name takes the square of their length (punycode: a minute for one megabyte).
_LONGEST_TYPE = 500
_OTHER_CHARSET = re.compile(r'charset(?!="?utf-?8"?\s*(;|$))', re.IGNORECASE)
# Every wrong token takes this long, however close it is.
WRONG_TOKEN_SECONDS = 0.2

_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = tuple(
    (name.encode(), value.encode())
    for name, value in {
        "content-security-policy": _CONTENT_POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
    }.items()
)


class Refusal(Exception):
    """A request that is refused before its body is read."""

    def __init__(self, status: int, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(kind, message, hint)
        self.kind = kind


def error_body(kind: str, message: str, hint: str | None = None) -> dict[str, Any]:
    """The body of every error."""
    return {"error": {"kind": kind, "message": message, "hint": hint or None}}


def session_value(token: str) -> str:
    """What the page's cookie holds instead of the token; the token cannot be derived from it."""
    return hmac.new(token.encode(), b"patsearch page session", hashlib.sha256).hexdigest()


@dataclass(slots=True)
class _Body:
    """How many bytes of a request's body have arrived."""

    got: int = 0


class Gate:
    """ASGI middleware; see the module."""

    def __init__(self, app: Application, settings: ServerSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._held = 0  # bytes of the bodies of requests that are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, started = time.perf_counter(), 500, False
        clock, body = asyncio.timeout(None), _Body()

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in _HEADERS if h[0] not in given)]
            await send(message)

        async def answer(message: Message) -> None:
            if not started:
                clock.reschedule(None)  # the work is done; how fast the client reads is its own affair
            await send_with_headers(message)

        async def refuse(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            await JSONResponse(body, status, headers)(scope, receive, send_with_headers)

        try:
            async with clock:
                most = await self._admit(scope)
                # Nothing else reads cookies; the framework would, and may take the square of their length.
                scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
                await self._app(scope, self._bounded(scope, receive, most, clock, body), answer)
        except Refusal as refusal:
            self._metrics.refused.labels(refusal.kind).inc()
            await _discard(scope, receive)
            await refuse(refusal.status, refusal.body, _refusal_headers(refusal.status))
        except Exception as error:
            if started:  # all that is left is to break the answer off
                raise
            if clock.expired():
                self._metrics.refused.labels("TimedOut").inc()
                await refuse(503, _timed_out(self._settings.request_seconds), _CLOSE)
            else:
                LOGGER.error("a bug", exc_info=error)
                await refuse(500, error_body("InternalError", "The server failed; its log says why."))
        finally:
            self._hold(-body.got)
            self._note(scope, status, time.perf_counter() - start)

    def _hold(self, size: int) -> None:
        self._held += size
        self._metrics.body_bytes.set(self._held)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, not the requested address: addresses can be made up without limit.
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        fields = {
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "client": scope["client"][0] if scope.get("client") else None,
        }
        LOGGER.info("request", extra={"fields": fields})

    # ------------------------------------------------------------------ before the body

    async def _admit(self, scope: Scope) -> int:
        """Refuse the request, or say how many bytes its body may have."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._settings.allows_host(_without_port(hosts[0])):
            raise Refusal(403, "HostNotAllowed", "The server does not answer to this host name.",
                          "Start it with --allow-host NAME.")  # fmt: skip
        if scope["method"] not in _SAFE and not _same_origin(headers, scope["scheme"]):
            raise Refusal(403, "OtherSite", "A page of another site cannot send requests here.",
                          "A proxy must pass the header Host, and where it ends TLS, X-Forwarded-Proto.")  # fmt: skip
        path = scope["path"]
        is_open = path in _OPEN_EXACT or path.startswith(_OPEN)
        if not is_open and not self._bears_token(headers):
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            raise Refusal(401, "TokenMissing", "The token is missing or wrong.",
                          "Send it as Authorization: Bearer TOKEN, or sign in on the page.")  # fmt: skip
        kind = headers.get("content-type", "").lower()
        if len(kind) > _LONGEST_TYPE or _OTHER_CHARSET.search(kind):
            raise Refusal(400, "InvalidRequest", "The Content-Type is too long, or names another encoding than UTF-8.")
        most = self._settings.max_bytes
        if is_open:
            most = min(most, _OPEN_BYTES)
        elif not kind.startswith("multipart/"):
            most = min(most, self._settings.max_text_bytes)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18 or int(length) > most:
            raise Refusal(413, "TooLarge", _too_large(most), "Send fewer or smaller pictures.")
        if self._held + int(length) > self._settings.max_bytes_together:
            raise Refusal(503, *_FULL)
        return most

    def _bears_token(self, headers: Headers) -> bool:
        token = self._settings.token
        if token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and equal(given.strip(), token):
            return True
        # Not by http.cookies, which may take the square of a quoted value's length. Ours has no quotation marks.
        cookies = (cookie.partition("=") for cookie in headers.get("cookie", "").split(";"))
        return any(name.strip() == COOKIE and equal(value.strip(), session_value(token)) for name, _, value in cookies)

    # ------------------------------------------------------------------ the body

    def _bounded(self, scope: Scope, receive: Receive, most: int, clock: asyncio.Timeout, body: _Body) -> Receive:
        """The body, within the limits of size and time; the clock of the work starts when it has arrived.

        Args:
            body: counts what of it has arrived, which is held until the request is answered.
        """
        deadline = time.monotonic() + self._settings.body_seconds
        headers = Headers(scope=scope)
        is_text = not headers.get("content-type", "").lower().startswith("multipart/")
        fields, whole = 1, False

        def start(seconds: float) -> None:
            clock.reschedule(asyncio.get_running_loop().time() + seconds)
            set_deadline(seconds)

        async def bounded() -> Message:
            nonlocal fields, whole
            if whole:  # the only message now is that the client has gone
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                raise self._refused(408, "TooSlow", "The request's body did not arrive in time.") from None
            size = len(message.get("body", b""))
            body.got += size
            self._hold(size)
            whole = not message.get("more_body", False)
            if whole:
                start(self._settings.request_seconds)
            if self._held > self._settings.max_bytes_together:
                raise self._refused(503, *_FULL)
            if body.got > most:
                raise self._refused(413, "TooLarge", _too_large(most), "Send fewer or smaller pictures.")
            if is_text:
                fields += message.get("body", b"").count(b"&")
            if fields > _MOST_FIELDS:
                raise self._refused(400, "InvalidRequest", f"The form has over {_MOST_FIELDS:,} fields.")
            return message

        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        start(self._settings.request_seconds + has_body * self._settings.body_seconds)
        return bounded

    def _refused(self, status: int, kind: str, message: str, hint: str = "") -> HTTPException:
        """Of a request whose body is being read: the framework's own exceptions pass through its reading of a form."""
        self._metrics.refused.labels(kind).inc()
        return HTTPException(status, error_body(kind, message, hint), _refusal_headers(status))


async def _discard(scope: Scope, receive: Receive) -> None:
    """Read what a refused request still sends, if it is little: a client cut off while it sends sees no answer."""
    if "expect" in Headers(scope=scope):
        return  # it waits to be told whether to send
    got = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while got < _DISCARD_BYTES:
                message = await receive()
                got += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _timed_out(seconds: float) -> dict[str, Any]:
    hint = "Request less: fewer pictures, results or candidates."
    return error_body("TimedOut", f"The answer was not ready within {seconds:g} seconds.", hint)


_FULL = "Busy", "The server holds as many uploads as it can.", "Try again in a moment, or send smaller copies."


def _too_large(most: int) -> str:
    return f"The request is larger than the limit of {most:,} bytes."


# The body was not read, or not to its end: the connection cannot serve another request.
_CLOSE = {"connection": "close"}


_MORE_HEADERS = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "1"}}


def _refusal_headers(status: int) -> dict[str, str]:
    return _CLOSE | _MORE_HEADERS.get(status, {})


def equal(given: str, wanted: str) -> bool:
    """Whether a secret is the right one, in a time that does not reveal how close it is."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _without_port(host: str) -> str:
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]


def _same_origin(headers: Headers, scheme: str) -> bool:
    """Whether the request is not from a page of another site, as far as the browser says."""
    sites = headers.getlist("sec-fetch-site")
    if any(site not in ("same-origin", "none") for site in sites):
        return False
    # Behind a proxy with TLS the page is at https and the request comes by http: the browser or the proxy says so, and
    # neither of these headers can be sent by a page.
    told = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
    schemes = ("http", "https") if "same-origin" in sites else (told,)
    mine = {f"{one}://{headers['host']}".lower() for one in schemes}
    return all(origin.lower() in mine for origin in headers.getlist("origin"))
