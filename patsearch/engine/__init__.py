"""Encoder and backend together: open an index, search it, write to it."""

from patsearch.engine.compose import compose
from patsearch.engine.engine import Engine, check_encoder, create_index, open_index
from patsearch.engine.expansion import Expansion
from patsearch.engine.journal import Entry, Journal, State
from patsearch.engine.picture import Picture, PictureSource
from patsearch.engine.query import QueryVectors
from patsearch.engine.question import Answer, Question, search
from patsearch.engine.rerank import Rerank
from patsearch.engine.results import Results
from patsearch.engine.thumbnails import Thumbnails

__all__ = [
    "Answer",
    "Engine",
    "Entry",
    "Expansion",
    "Journal",
    "Picture",
    "PictureSource",
    "QueryVectors",
    "Question",
    "Rerank",
    "Results",
    "State",
    "Thumbnails",
    "check_encoder",
    "compose",
    "create_index",
    "open_index",
    "search",
]
