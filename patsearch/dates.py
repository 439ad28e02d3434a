"""Dates as they are written: a year, a month or a day, the year first."""

from __future__ import annotations

import calendar
import re
from datetime import date

from patsearch.text import typed

_DATE = re.compile(
    r"^(?P<year>\d{4})(?:(?P<by>[-/.])(?P<month>\d{1,2})(?:(?P=by)(?P<day>\d{1,2}))?|(?P<mm>\d{2})(?P<dd>\d{2}))?"
    r"(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)?$",
    re.IGNORECASE,
)


def span_of(text: str) -> tuple[date, date]:
    """First and last day of `2015`, `2015-03`, `2015-03-24`, `20150324` or `2015-03-24T00:00:00`.

    Raises:
        ValueError: it is not a date.
    """
    match = _DATE.match(typed(text))
    if match is None:
        raise ValueError(f"{text!r} is not a date")
    year, month, day = int(match["year"]), match["month"] or match["mm"], match["day"] or match["dd"]
    first = date(year, int(month or 1), int(day or 1))
    if day:
        return first, first
    return first, date(year, first.month, calendar.monthrange(year, first.month)[1]) if month else date(year, 12, 31)
