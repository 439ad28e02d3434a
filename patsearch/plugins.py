"""Plug-ins: a kind and a name -> the class that an installed package registered as an entry point.

| kind      | entry-point group      | class                                   |
|-----------|------------------------|-----------------------------------------|
| backend   | `patsearch.backends`   | `patsearch.backends.Backend`            |
| source    | `patsearch.sources`    | `patsearch.ingest.sources.Source`       |
| encoder   | `patsearch.encoders`   | a callable: (argument, threads=) -> `Encoder` |
| loss      | `patsearch.losses`     | `patsearch.training.losses.Loss`        |
| weights   | `patsearch.weights`    | the `Path` of a folder with NAME.onnx and NAME.json |

patsearch registers its own parts the same way, in its pyproject.toml.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, get_args

from patsearch.errors import PluginError

Kind = Literal["backend", "source", "encoder", "loss", "weights"]

_GROUPS = {"loss": "patsearch.losses", "weights": "patsearch.weights"}  # the others add an s

# A missing extra is the usual reason why one of our own plug-ins does not import.
_INSTALL_HINTS = {
    "torch": "pip install 'patsearch[train]'",
    "timm": "pip install 'patsearch[train]'",
    "safetensors": "pip install 'patsearch[train]'",
    "qdrant_client": "pip install 'patsearch[qdrant]'",
    "qdrant_edge": "pip install 'patsearch[qdrant-edge]'",
}


def names(kind: Kind) -> list[str]:
    """The names installed for a kind, sorted."""
    return sorted({entry.name for entry in _entries(kind)})


def load(kind: Kind, name: str) -> Any:
    """The class or callable registered under a name.

    Raises:
        PluginError: no such name, or its package does not import (the message says what to install).
    """
    for entry in _entries(kind):
        if entry.name == name:
            return _load(kind, entry)
    known = ", ".join(names(kind)) or "none"
    raise PluginError(f"There is no {kind} named {name!r}.", hint=f"Installed: {known}.")


def _entries(kind: Kind) -> list[EntryPoint]:
    return _installed(tuple(sys.path))[kind]


@lru_cache(maxsize=2)
def _installed(_path: tuple[str, ...]) -> dict[Kind, list[EntryPoint]]:
    """The entry points on `sys.path`: reading them takes milliseconds, and a command looks several names up."""
    found = entry_points()
    groups = {kind: found.select(group=_GROUPS.get(kind, f"patsearch.{kind}s")) for kind in get_args(Kind)}
    # Our own come last, so that an installed package may replace a built-in by its name.
    return {kind: sorted(group, key=lambda e: e.value.startswith("patsearch.")) for kind, group in groups.items()}


def _load(kind: Kind, entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        hint = _INSTALL_HINTS.get(missing)
        raise PluginError(
            f"The {kind} {entry.name!r} does not load: {error}.",
            hint=f"Install what it needs: {hint}." if hint else f"It was registered as {entry.value}.",
        ) from error
