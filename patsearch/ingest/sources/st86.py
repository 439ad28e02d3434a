"""Design registers in WIPO ST.86: INPI (France), OEPM (Spain), DPMA (Germany), EUIPO's open data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from patsearch.ingest import st86
from patsearch.ingest.notices import Notice
from patsearch.ingest.sources.register import MAX_TEXT, RegisterSource
from patsearch.ingest.sources.stored import Stored
from patsearch.ingest.sources.xmlstream import records

# As bytes in UTF-8 and in UTF-16, which has a NUL next to each letter.
_ST86 = re.compile(
    rb"<(?:\w+:)?(?:DesignTransactionBody|DesignApplicationDetails|DesignApplication|DesignDetails)[\s>]"
    rb"|http://www\.oami\.europa\.eu/schemas/design"
)
_HAGUE = b"HagueExpressTransaction"


class St86Source(RegisterSource):
    """XML of designs with their pictures, as an office delivers it by the week or all at once."""

    name = "st86"
    looks_for = "design registers in WIPO ST.86 (XML of INPI, OEPM, DPMA, EUIPO)"
    precedence: ClassVar[int] = 5
    suffix: ClassVar[str] = ".xml"

    @classmethod
    def is_of_kind(cls, head: bytes) -> bool:
        plain = head.replace(b"\0", b"")
        return bool(_ST86.search(plain)) and _HAGUE not in plain

    def notices(self, file: Stored) -> Iterator[Notice | str]:
        code = ""
        for found in records(file.chunks(MAX_TEXT), st86.RECORDS, st86.HEAD):
            if isinstance(found, str):
                yield found
            elif found.tag in st86.RECORDS:
                yield from st86.notices(found, file.name.name, code)
            else:
                code = found.text or ""
