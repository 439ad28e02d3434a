"""Where drawings and their vectors are stored and searched: one interface, backends by name.

`open_backend("faiss", folder)` finds the backend among the installed plug-ins. The promises of every
backend are tests in the package `patsearch-contract`.
"""

from __future__ import annotations

from typing import Any

from patsearch.backends.base import (
    Backend,
    Embeddings,
    IndexSpec,
    Location,
    ServerBackend,
    as_server,
    is_shared,
    on_server,
)
from patsearch.plugins import load

__all__ = [
    "Backend",
    "Embeddings",
    "IndexSpec",
    "Location",
    "ServerBackend",
    "as_server",
    "create_backend",
    "is_shared",
    "on_server",
    "open_backend",
]


def create_backend(name: str, location: Location, spec: IndexSpec, **options: Any) -> Backend:
    """Make a new, empty index with the backend of that name, open for writing.

    Raises:
        PluginError: no such backend is installed.
    """
    backend: Backend = load("backend", name).create(location, spec, **options)
    return backend


def open_backend(name: str, location: Location, *, read_only: bool = True, **options: Any) -> Backend:
    """Open an index with the backend of that name; errors as in `Backend.open`.

    Raises:
        PluginError: no such backend is installed.
    """
    backend: Backend = load("backend", name).open(location, read_only=read_only, **options)
    return backend
