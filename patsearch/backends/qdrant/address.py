"""What the location of a Qdrant index means.

    designs/qdrant                                  a folder: Qdrant in this process
    http://host:6333#designs                        a server, and the alias of the collection
    https://host/prefix?grpc=yes&timeout=60#designs ... with options
    http://a:6333,b:6333,c:6333#designs             nodes of one cluster, tried in turn

| option     | default | meaning                                                                |
|------------|---------|------------------------------------------------------------------------|
| `timeout`  | 30      | seconds that one request may take                                      |
| `attempts` | 6       | how often a request is tried where the server does not answer          |
| `grpc`     | no      | `yes`: points travel by gRPC, which is faster to load                  |
| `grpc_port`| 6334    |                                                                        |
| `shards`   | 1       | of a new collection; in a cluster, two or three for each node          |
| `replicas` | 1       | copies of each shard of a new collection                               |
| `quantization` | int8 | of a new collection: `int8`, `turbo8` or `none`                       |

The API key is a secret and never part of the location: environment variable PATSEARCH_QDRANT_API_KEY.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from patsearch.errors import UsageError
from patsearch.servers import origins

API_KEY = "PATSEARCH_QDRANT_API_KEY"
Quantization = Literal["int8", "turbo8", "none"]
_NAME = re.compile(r"[\w.-]{1,100}")
_HOSTS = re.compile(r"[^/]*//[^/?#]*")
_NUMBERS = ("timeout", "attempts", "grpc_port", "shards", "replicas")
_EXAMPLE = "Write http://HOST:6333#COLLECTION; nodes of a cluster as http://A:6333,B:6333#COLLECTION."


@dataclass(frozen=True, slots=True)
class Address:
    """A collection on a server; the options are those of the table above."""

    urls: tuple[str, ...]
    collection: str
    timeout: int = 30
    attempts: int = 6
    grpc: bool = False
    grpc_port: int = 6334
    shards: int = 1
    replicas: int = 1
    quantization: Quantization = "int8"

    def __str__(self) -> str:
        return f"{', '.join(self.urls)}#{self.collection}"


def is_address(location: str) -> bool:
    """Whether the location names a server, not a folder."""
    return "://" in location


def parse_address(location: str) -> Address:
    """Read the location of a server, or of a cluster by some of its nodes.

    Raises:
        UsageError: no http address, no collection, or an unknown option.
    """
    try:
        servers = origins(location)
        parts = urlsplit("http://x" + _HOSTS.sub("", location, count=1))
    except ValueError as error:
        if "@" in location.partition("#")[0]:
            raise UsageError("An address must not hold a password.", hint=f"Put the API key into {API_KEY}.") from None
        raise UsageError(f"{location!r} is not the address of a server: {error}.", hint=_EXAMPLE) from error
    if not location.lower().startswith(("http://", "https://")):
        raise UsageError(f"{location!r} is not the address of a server.", hint=_EXAMPLE)
    name = unquote(parts.fragment)
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"The address {location!r} names no collection (letters, digits, '_', '-', '.').", hint=_EXAMPLE
        )
    path = parts.path.rstrip("/")
    return Address(tuple(f"{server}{path}" for server in servers), name, **_options(parts.query, location))


def require_name(name: str) -> None:
    """Refuse a name that no address can hold behind `#`.

    Raises:
        UsageError: it is empty, too long, or has other characters than letters, digits, '_', '-' and '.'.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:120]!r} cannot be published: no address can hold it.",
            hint="A name has up to 100 letters, digits, '_', '-' and '.'.",
        )


def with_collection(url: str, name: str) -> str:
    """The address with a collection's name where it has none; the name is made fit for one."""
    if url.partition("#")[2]:
        return url
    fit = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:80] or "patsearch"
    return f"{url.removesuffix('#')}#{quote(fit)}"


def _options(query: str, location: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key in _NUMBERS and value.isdecimal() and int(value) > 0:
            options[key] = int(value)
        elif key == "grpc" and value in ("yes", "no"):
            options[key] = value == "yes"
        elif key == "quantization" and value in get_args(Quantization):
            options[key] = value
        else:
            raise UsageError(
                f"The address {location!r} has the option {key}={value}.",
                hint=f"Options: {', '.join(_NUMBERS)} (numbers), grpc=yes, quantization=int8|turbo8|none.",
            )
    return options
