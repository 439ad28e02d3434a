"""Where drawings and their vectors are kept and searched: one interface, engines by name.

`open_backend("faiss", folder)` finds the engine among the installed plug-ins. The promises of every
engine are tests in `patsearch.backends.contract`.
"""

from __future__ import annotations

from typing import Any

from patsearch.backends.base import Backend, Embeddings, IndexSpec, Location
from patsearch.plugins import load

__all__ = ["Backend", "Embeddings", "IndexSpec", "Location", "create_backend", "open_backend"]


def create_backend(name: str, location: Location, spec: IndexSpec, **options: Any) -> Backend:
    """Make a new, empty index with the engine of that name, open for writing.

    Raises:
        PluginError: no such engine is installed.
    """
    backend: Backend = load("backend", name).create(location, spec, **options)
    return backend


def open_backend(name: str, location: Location, *, read_only: bool = True, **options: Any) -> Backend:
    """Open an index with the engine of that name; errors as in `Backend.open`.

    Raises:
        PluginError: no such engine is installed.
    """
    backend: Backend = load("backend", name).open(location, read_only=read_only, **options)
    return backend
