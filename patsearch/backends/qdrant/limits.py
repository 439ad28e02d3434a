"""What the strict mode of a collection allows at once: requests stay below it, in pages where more is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from patsearch.types import JsonDict

T = TypeVar("T")

_ENDLESS = 1 << 31


@dataclass(frozen=True, slots=True)
class Limits:
    """Attributes:
    query: results of a search or a page; of groups, patents times the drawings of each. Ids read at once, too.
    queries: searches in a request.
    upsert: points stored by a request.
    ef: candidates that a search of the graph keeps.
    oversampling: candidates that are compared again, times the results.
    exact: whether exact searches and counts are allowed.
    """

    query: int = _ENDLESS
    queries: int = _ENDLESS
    upsert: int = _ENDLESS
    ef: int = _ENDLESS
    oversampling: float = float(_ENDLESS)
    exact: bool = True

    @classmethod
    def of(cls, strict_mode: Any) -> Limits:
        """The limits in a collection's `strict_mode_config`, as the client gives it; None has none."""
        if strict_mode is None or not strict_mode.enabled:
            return cls()
        return cls(
            query=strict_mode.max_query_limit or _ENDLESS,
            queries=strict_mode.search_max_batchsize or _ENDLESS,
            upsert=strict_mode.upsert_max_batchsize or _ENDLESS,
            ef=strict_mode.search_max_hnsw_ef or _ENDLESS,
            oversampling=strict_mode.search_max_oversampling or float(_ENDLESS),
            exact=strict_mode.search_allow_exact is not False,
        )

    def to_json(self) -> JsonDict:
        """Those that there are, by Qdrant's names."""
        found: JsonDict = {
            "max_query_limit": self.query,
            "search_max_batchsize": self.queries,
            "upsert_max_batchsize": self.upsert,
            "search_max_hnsw_ef": self.ef,
            "search_max_oversampling": self.oversampling,
        }
        found = {name: value for name, value in found.items() if value != _ENDLESS}
        return found if self.exact else found | {"search_allow_exact": False}


def pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, up to `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
