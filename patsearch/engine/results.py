"""The results of a search as a list that shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex, overload

from patsearch import pages
from patsearch.errors import PatsearchError
from patsearch.titles import link_of
from patsearch.types import PatentHit

_SHOWN = 50


class Results(list[PatentHit]):
    """Patents found, best first: a list; in a notebook a table with the best drawings, while the index is open.

    A part, as `results[:3]`, shows itself too. Pickled, it is a plain list.
    """

    def __init__(
        self, hits: Iterable[PatentHit] = (), thumbnail: Callable[[str], bytes | None] = lambda _: None
    ) -> None:
        """From hits.

        Args:
            thumbnail: PNG of an indexed drawing, by its id.
        """
        super().__init__(hits)
        self._thumbnail = thumbnail

    @overload
    def __getitem__(self, place: SupportsIndex) -> PatentHit: ...
    @overload
    def __getitem__(self, place: slice) -> Results: ...
    def __getitem__(self, place: SupportsIndex | slice) -> PatentHit | Results:
        if isinstance(place, slice):
            return Results(super().__getitem__(place), self._thumbnail)
        return super().__getitem__(place)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)

    def _repr_html_(self) -> str:
        return pages.render(
            "results.html", hits=self[:_SHOWN], more=max(0, len(self) - _SHOWN), picture=self._picture, link_of=link_of
        )

    def _picture(self, drawing: str) -> bytes | None:
        """None where the index is closed, too: a notebook shows results long after they were found."""
        try:
            return self._thumbnail(drawing)
        except (PatsearchError, OSError, RuntimeError):
            return None
