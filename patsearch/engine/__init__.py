"""Encoder and backend together: open an index, search it, write to it."""

from patsearch.engine.engine import Engine, as_filter, check_encoder, create_index, not_patent, only_patent, open_index
from patsearch.engine.expansion import Expansion
from patsearch.engine.journal import Entry, Journal, State
from patsearch.engine.query import QueryVectors
from patsearch.engine.rerank import Rerank
from patsearch.engine.thumbnails import Thumbnails

__all__ = [
    "Engine",
    "Entry",
    "Expansion",
    "Journal",
    "QueryVectors",
    "Rerank",
    "State",
    "Thumbnails",
    "as_filter",
    "check_encoder",
    "create_index",
    "not_patent",
    "only_patent",
    "open_index",
]
