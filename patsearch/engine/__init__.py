"""Encoder and backend together: open an index, search it, write to it."""

from patsearch.engine.engine import Engine, as_filter, check_encoder, create_index, open_index, parse_patent
from patsearch.engine.journal import Entry, Journal
from patsearch.engine.query import QueryVectors

__all__ = [
    "Engine",
    "Entry",
    "Journal",
    "QueryVectors",
    "as_filter",
    "check_encoder",
    "create_index",
    "open_index",
    "parse_patent",
]
