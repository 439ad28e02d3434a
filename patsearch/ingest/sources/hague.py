"""International design registrations under the Hague Agreement: the Hague Express bulletin in WIPO ST.96."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from patsearch.ingest import hague
from patsearch.ingest.notices import Happened, Notice
from patsearch.ingest.sources.register import MAX_TEXT, RegisterSource
from patsearch.ingest.sources.stored import Stored
from patsearch.ingest.sources.xmlstream import records


class HagueSource(RegisterSource):
    """XML of bulletins with the pictures of their designs."""

    name = "hague"
    looks_for = "Hague bulletins in WIPO ST.96 (XML)"
    precedence: ClassVar[int] = 6
    suffix: ClassVar[str] = ".xml"

    @classmethod
    def is_of_kind(cls, head: bytes) -> bool:
        return hague.RECORD.encode() in head.replace(b"\0", b"")  # UTF-16 has a NUL next to each letter

    def notices(self, file: Stored) -> Iterator[Notice | Happened | str]:
        for found in records(file.chunks(MAX_TEXT), frozenset({hague.RECORD}), frozenset()):
            if isinstance(found, str):
                yield found
            else:
                yield from hague.read(found)
