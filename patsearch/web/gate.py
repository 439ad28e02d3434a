"""What every request passes before its body is read: host, origin, token, size, time; and headers of every answer.

A middleware and not a part of the routes, because the framework reads a body before a route can refuse it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException
from fastapi.responses import JSONResponse

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


class Gate:
    """ASGI middleware; see the module."""

    def __init__(self, app: Application, settings: ServerSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in _HEADERS if h[0] not in given)]
            await send(message)

        try:
            try:
                await self._admit(scope)
            except Refusal as refusal:
                self._metrics.refused.labels(refusal.kind).inc()
                answer = JSONResponse(refusal.body, refusal.status, _refusal_headers(refusal.status))
                await answer(scope, receive, send_with_headers)
            else:
                await self._app(scope, self._bounded(receive), send_with_headers)
        finally:
            self._note(scope, status, time.perf_counter() - start)

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

    async def _admit(self, scope: Scope) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not self._settings.allows_host(_without_port(host)):
            raise Refusal(403, "HostNotAllowed", "The server does not answer to this host name.",
                          "Start it with --allow-host NAME.")  # fmt: skip
        if scope["method"] not in _SAFE and not _same_origin(headers, host):
            raise Refusal(403, "OtherSite", "A page of another site cannot send requests here.")
        path = scope["path"]
        if not (path in _OPEN_EXACT or path.startswith(_OPEN)) and not self._bears_token(headers):
            await asyncio.sleep(WRONG_TOKEN_SECONDS)
            raise Refusal(401, "TokenMissing", "The token is missing or wrong.",
                          "Send it as Authorization: Bearer TOKEN, or sign in on the page.")  # fmt: skip
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > self._settings.max_bytes:
            raise Refusal(413, "TooLarge", self._too_large(), "Send fewer or smaller pictures.")

    def _bears_token(self, headers: dict[str, str]) -> bool:
        token = self._settings.token
        if token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and equal(given.strip(), token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and equal(cookie.value, session_value(token))

    # ------------------------------------------------------------------ the body

    def _bounded(self, receive: Receive) -> Receive:
        """The body, within the limits of size and time."""
        # The framework's own exceptions pass through its reading of a form.
        deadline = time.monotonic() + self._settings.body_seconds
        got, whole = 0, False

        async def bounded() -> Message:
            nonlocal got, whole
            if whole:  # the only message now is that the client has gone
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                self._metrics.refused.labels("TooSlow").inc()
                raise HTTPException(408, error_body("TooSlow", "The request's body did not arrive in time.")) from None
            got += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if got > self._settings.max_bytes:
                self._metrics.refused.labels("TooLarge").inc()
                raise HTTPException(413, error_body("TooLarge", self._too_large(), "Send fewer or smaller pictures."))
            return message

        return bounded

    def _too_large(self) -> str:
        return f"The request is larger than the limit of {self._settings.max_bytes:,} bytes."


def _refusal_headers(status: int) -> dict[str, str]:
    # The body was not read: the connection cannot serve another request.
    return {"connection": "close", **({"www-authenticate": "Bearer"} if status == 401 else {})}


def equal(given: str, wanted: str) -> bool:
    """Whether a secret is the right one, in a time that does not reveal how close it is."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _without_port(host: str) -> str:
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]


def _same_origin(headers: dict[str, str], host: str) -> bool:
    """Whether the request is not from a page of another site, as far as the browser says."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == host
