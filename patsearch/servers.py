"""Which servers the user has named: an index folder or a snapshot from elsewhere may name any other.

A search sends its vectors, and the API key, to the server that `index.json` names. So the address counts only if the
user has given it, with `--url` or in PATSEARCH_SERVERS. What was given is kept by scheme, host and port, one a line, in
the user's own folder for settings (`~/.config/patsearch/servers` on Linux).
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import click

from patsearch.errors import StorageError, VectorIndexError
from patsearch.files import write_text

ENVIRONMENT = "PATSEARCH_SERVERS"
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<places>[^/?#]*)")
_PORTS = {"http": 6333, "https": 443}
_MOST = 32  # servers in one address
_log = logging.getLogger(__name__)


def remember(url: str) -> None:
    """Note that the user has named these servers. Where that cannot be written, PATSEARCH_SERVERS has to name them."""
    path = _file()
    known = _lines(path)
    new = [origin for origin in _known_by(url) if origin not in known]
    if not new:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(f"{line}\n" for line in [*known, *new]), shared=True)
    except (OSError, StorageError) as error:
        _log.warning("%s cannot be written (%s): name the server in %s.", path, error, ENVIRONMENT)


def require_known(location: str, named_in: Path) -> None:
    """Refuse a server that only a file names; of several, every one must be known.

    Raises:
        VectorIndexError: the user has not named it.
    """
    named = _known_by(location)
    given = (origin for url in os.environ.get(ENVIRONMENT, "").split() for origin in _known_by(url))
    strange = sorted(set(named) - {*_lines(_file()), *given})
    if strange or not named:
        what = ",".join(strange)
        raise VectorIndexError(
            f"{named_in} names the server {what or repr(location)}, which you have not named on this machine.",
            hint=f"If you trust it with your searches and API key, set {ENVIRONMENT}={what or 'http://HOST:PORT'}.",
        )


def origins(url: str) -> tuple[str, ...]:
    """Scheme, host and port of each server that an address names: `http://a:6333,b:6333/path` names two.

    Without a port, http means Qdrant's, and https the usual one of a reverse proxy.

    Raises:
        ValueError: one of them has no host, a port that is not one, or a password.
    """
    match = _ADDRESS.match(url)
    if match is None:
        raise ValueError("it has no scheme")
    scheme, places = match["scheme"].lower(), match["places"].split(",")
    if len(places) > _MOST:
        raise ValueError(f"it names more than {_MOST} servers")
    return tuple(dict.fromkeys(_origin(scheme, place.strip()) for place in places))


def _origin(scheme: str, place: str) -> str:
    if "@" in place:
        raise ValueError("it holds a password")
    parts = urlsplit(f"{scheme}://{place}")
    if not parts.hostname or place.endswith(":"):
        raise ValueError(f"{place!r} is not a host")
    port = parts.port or _PORTS.get(scheme)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{scheme}://{host}:{port}"


def _known_by(url: str) -> tuple[str, ...]:
    """Its servers as they are remembered, none where the address is not valid.

    One address may also be written as several of the same scheme, joined by commas, as an error message shows them.
    """
    try:
        return origins(re.sub(r",\s*\w+://", ",", url))
    except ValueError:
        return ()


def _file() -> Path:
    return Path(click.get_app_dir("patsearch")) / "servers"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []
