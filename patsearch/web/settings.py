"""The settings of a server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from patsearch.errors import UsageError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
MIB = 1 << 20
MAX_TOP = 1000
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One server.

    Attributes:
        index: folder of the index that is searched.
        host: address to listen at; only this machine can reach a loopback address.
        allowed_hosts: names under which browsers may call a server that others can reach; none for any.
        token: the token that requests must send; None for no token.
        workers: processes that decode and encode pictures.
        max_bytes: of one request's body.
        max_text_bytes: of a body that is not an upload: a form of text, which is slow to read.
        max_bytes_together: of the bodies of all requests that are not answered yet; others are answered with 503.
        max_picture_bytes: of one uploaded picture.
        max_pixels: of one uploaded picture.
        max_pictures: of one query.
        body_seconds: in which a request's body must have arrived.
        work_seconds: in which the pictures of one query must have been decoded and encoded.
        request_seconds: in which a request must be answered once its body has arrived.
        waiting: queries that may wait for a worker process; others are answered with 503.
    """

    index: Path
    host: str = "127.0.0.1"
    port: int = 8765
    allowed_hosts: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)
    workers: int = field(default_factory=lambda: max(1, min(8, os.cpu_count() or 1)))
    max_bytes: int = 64 * MIB
    max_text_bytes: int = 2 * MIB
    max_bytes_together: int = 256 * MIB
    max_picture_bytes: int = 32 * MIB
    max_pixels: int = 50_000_000
    max_pictures: int = 16
    body_seconds: float = 60.0
    work_seconds: float = 30.0
    request_seconds: float = 30.0
    waiting: int = 64

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < _SHORTEST_TOKEN:
            raise UsageError(
                f"The token has {len(self.token)} characters.",
                hint=f"Use at least {_SHORTEST_TOKEN} random ones: "
                "python -c 'import secrets; print(secrets.token_urlsafe())'.",
            )
        if self.max_bytes_together < self.max_bytes:
            object.__setattr__(self, "max_bytes_together", self.max_bytes)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def allows_host(self, name: str) -> bool:
        """Whether a browser may call the server by this name (the Host header without its port).

        A page of another site can make its own name point to this machine (DNS rebinding); its browser
        then still sends that name.
        """
        name = name.lower()
        if self.loopback:
            return name in LOOPBACK_NAMES or name == self.host or name in self.allowed_hosts
        return not self.allowed_hosts or name in self.allowed_hosts or name == self.host.lower()
