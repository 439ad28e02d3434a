"""What a searcher says of a record that is filed: docket, title, searcher and notes."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import date
from typing import Self

from patsearch.errors import UsageError

LONGEST = {"docket": 100, "title": 200, "searcher": 200, "notes": 4000}
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Cover:
    """What is written on a record by hand; each part may be empty.

    Raises:
        UsageError: a part is too long.
    """

    docket: str = ""
    title: str = ""
    searcher: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        for one in fields(self):
            if len(getattr(self, one.name)) > LONGEST[one.name]:
                raise UsageError(
                    f"The {one.name} of the record is longer than {LONGEST[one.name]} letters.", hint="Shorten it."
                )

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    @classmethod
    def of(cls, **texts: str | None) -> Self:
        """From what was typed: without blanks around it."""
        return cls(**{name: (text or "").strip() for name, text in texts.items()})

    def file_name(self, suffix: str, day: date | str) -> str:
        """A file name that says what the record is: docket, title and day, in letters that every file system takes."""
        said = " ".join(filter(None, (self.docket, self.title))) or "patent search"
        kept = re.sub(r"[^\w .,()&+-]+", "-", said)
        plain = " ".join(kept.split())[:_LONGEST_NAME].strip(" .-")
        return f"{plain or 'patent search'} {day}.{suffix}"
