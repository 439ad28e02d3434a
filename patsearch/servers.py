"""Which servers the user has named: an index folder or a snapshot from elsewhere may name any other.

A search sends its vectors, and the API key, to the server that `index.json` names. So the address counts only if the
user has given it, with `--url` or in PATSEARCH_SERVERS. What was given is kept by scheme, host and port, one a line, in
the user's own folder for settings (`~/.config/patsearch/servers` on Linux).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

import click

from patsearch.errors import StorageError, VectorIndexError
from patsearch.files import write_text

ENVIRONMENT = "PATSEARCH_SERVERS"
_log = logging.getLogger(__name__)


def remember(url: str) -> None:
    """Note that the user has named this server. Where that cannot be written, PATSEARCH_SERVERS has to name it."""
    origin, path = _origin(url), _file()
    known = _lines(path)
    if origin is None or origin in known:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, "".join(f"{line}\n" for line in [*known, origin]), shared=True)
    except (OSError, StorageError) as error:
        _log.warning("%s cannot be written (%s): name the server in %s.", path, error, ENVIRONMENT)


def require_known(location: str, named_in: Path) -> None:
    """Refuse a server that only a file names.

    Raises:
        VectorIndexError: the user has not named it.
    """
    origin = _origin(location)
    if origin is None or origin not in {*_lines(_file()), *map(_origin, os.environ.get(ENVIRONMENT, "").split())}:
        raise VectorIndexError(
            f"{named_in} names the server {origin or location!r}, which you have not named on this machine.",
            hint=f"If you trust it with your searches and API key, set {ENVIRONMENT}={origin or 'http://HOST:PORT'}.",
        )


def _file() -> Path:
    return Path(click.get_app_dir("patsearch")) / "servers"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []


def _origin(url: str) -> str | None:
    """Scheme, host and port, None where the address is not valid. http means Qdrant's port, as in `--url`."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 6333, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
