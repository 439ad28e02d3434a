"""patsearch: a search engine for patent drawings.

import patsearch

patsearch.ingest.ingest(["I20210105.tar"], "my-index")
with patsearch.open_index("my-index") as index:
    for hit in index.search(Image.open("drawing.png"), k=20, where="uspc=D14"):
        print(hit.rank, hit.patent, hit.score, hit.title)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from patsearch import ingest
    from patsearch.classification import ClassCode
    from patsearch.client import Client, connect
    from patsearch.encoder import Encoder, load_encoder
    from patsearch.engine import Engine, Expansion, Question, Rerank, Results, create_index, open_index
    from patsearch.errors import PatsearchError
    from patsearch.filters import Filter, parse_filter
    from patsearch.ingest import IngestOptions, IngestReport
    from patsearch.numbers import normal_number
    from patsearch.types import Drawing, Hit, Patent, PatentHit

__version__ = "0.1.0"

# Where the public names are; loaded when first used: `import patsearch` and `patsearch --help` stay light.
_NAMES = {
    "classification": ("ClassCode",),
    "client": ("Client", "connect"),
    "encoder": ("Encoder", "load_encoder"),
    "engine": ("Engine", "Expansion", "Question", "Rerank", "Results", "create_index", "open_index"),
    "errors": ("PatsearchError",),
    "filters": ("Filter", "parse_filter"),
    "ingest": ("IngestOptions", "IngestReport"),
    "numbers": ("normal_number",),
    "types": ("Drawing", "Hit", "Patent", "PatentHit"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [
    "ClassCode",
    "Client",
    "Drawing",
    "Encoder",
    "Engine",
    "Expansion",
    "Filter",
    "Hit",
    "IngestOptions",
    "IngestReport",
    "Patent",
    "PatentHit",
    "PatsearchError",
    "Question",
    "Rerank",
    "Results",
    "__version__",
    "connect",
    "create_index",
    "ingest",
    "load_encoder",
    "normal_number",
    "open_index",
    "parse_filter",
]


def __getattr__(name: str) -> Any:
    if name == "ingest":  # the package itself, whose function has the same name
        return import_module("patsearch.ingest")
    if name not in _HOMES:
        raise AttributeError(f"module 'patsearch' has no attribute {name!r}")
    return getattr(import_module(f"patsearch.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
