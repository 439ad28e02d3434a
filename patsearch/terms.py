"""From when to when a patent is in force, as far as its own data say.

| patent                          | term                                                                     |
|---------------------------------|--------------------------------------------------------------------------|
| any, where the source says it   | `Bibliography.protections`, by country                                   |
| US design (`USD`)               | from grant, 15 years; 14 where filed before 2015-05-13 (35 U.S.C. 173)   |
| US utility patent, US plant     | from grant to 20 years after the first filing, with the extension        |
| designs in offices' registers   | as the register has it (`registered`), kept in `Bibliography.protections` |
| all others                      | not known                                                                |

The last day is the same day of the month, years later, and belongs to the term; of 29 February it is the 28th
in years without one. Court decisions, surrender and unpaid fees are not in these data: what a term rests on in
addition is said in `Protection.assumed`. A status that ends a patent, without a day, leaves no term.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from patsearch.bibliography import Bibliography, Protection
from patsearch.numbers import office_of
from patsearch.text import folded

# Of applications filed from this day on, when the United States joined the Hague Agreement, designs last longer.
_HAGUE_DAY = date(2015, 5, 13)
_DESIGN_YEARS, _DESIGN_YEARS_BEFORE = 15, 14
# Before this day, applicants chose between 3½, 7 and 14 years.
_ONE_TERM = date(1982, 8, 27)
# Before this day, a utility patent lasted 17 years from its grant, or 20 from filing if that is longer.
_TWENTY_YEARS = date(1995, 6, 8)
_UTILITY_YEARS = 20
_MOST_YEARS = 50
# Relations to an earlier document from whose filing the term counts.
_COUNTED = frozenset({"continuation", "continuation-in-part", "division", "pct-application"})
_ELSEWHERE = frozenset({"reissue", "continuing-reissue", "us-divisional-reissue"})
_ENDED = re.compile(
    r"\b(expired|lapsed|surrendered|cancell?ed|invalid|invalidated|revoked|withdrawn|refused|deleted|dead|ceased)\b"
)

FILED_UNKNOWN = "the day of filing is not known: taken as 13 May 2015 or later"
DISCLAIMED = "a terminal disclaimer may end it earlier"
FEES = "maintenance fees are taken as paid"


def protections(
    patent: str, granted: date | None, filed: date | None, bibliography: Bibliography | None
) -> tuple[Protection, ...]:
    """Where and from when to when a patent is protected; none where that is not known.

    Args:
        patent: number in normal form.
    """
    known = bibliography or Bibliography()
    if known.protections:
        return known.protections
    if granted is None or office_of(patent) != "US" or ended(known.status):
        return ()
    if patent.startswith("USD"):
        found = _design(granted, filed, known)
    elif patent[2:].isdecimal() or patent.startswith("USPP"):
        found = _utility(granted, filed, bibliography, plant=patent.startswith("USPP"))
    else:
        found = None
    if found is None:
        return ()
    last, assumed = found
    return (Protection("US", granted, last, known.status, assumed),)


def ended(status: str) -> bool:
    """Whether a status says that a patent or design is no longer in force."""
    return bool(_ENDED.search(folded(status)))


def after_years(day: date, years: int) -> date:
    """The same day of the month, years later; 28 February for the 29th in a year without one."""
    year = min(day.year + years, date.max.year)
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)


def _design(granted: date, filed: date | None, known: Bibliography) -> tuple[date, str] | None:
    assumed = [DISCLAIMED] if known.disclaimer else []
    if known.years is not None and 0 < known.years <= _MOST_YEARS:
        years = known.years
    elif (filed or granted) < _ONE_TERM:
        return None
    elif filed is not None:
        years = _DESIGN_YEARS if filed >= _HAGUE_DAY else _DESIGN_YEARS_BEFORE
    elif granted >= _HAGUE_DAY:
        years, assumed = _DESIGN_YEARS, [FILED_UNKNOWN, *assumed]
    else:
        years = _DESIGN_YEARS_BEFORE  # it was filed before it was granted
    return after_years(granted, years), "; ".join(assumed)


def _utility(granted: date, filed: date | None, known: Bibliography | None, *, plant: bool) -> tuple[date, str] | None:
    """None where an earlier document that it would count from is not dated, or where it ends with another patent."""
    if known is None or filed is None or filed < _TWENTY_YEARS or known.disclaimer:
        return None
    if any(one.relation in _ELSEWHERE for one in known.related):
        return None
    earlier = [one.filed for one in known.related if one.relation in _COUNTED]
    days = [day for day in earlier if day is not None]
    if len(days) < len(earlier):
        return None
    last = after_years(min([filed, *days]), _UTILITY_YEARS)
    last += timedelta(days=min(known.extension or 0, (date.max - last).days))
    return (last, "" if plant else FEES) if last >= granted else None


# ---------------------------------------------------------------------- registered designs

# Offices whose designs last 5 years from filing, and are renewed by 5 years.
_BY_FIVE_YEARS = frozenset({"EM", "DE", "FR", "ES"})
_FIRST_YEARS = 5
RENEWALS = "renewals are not known: the first 5 years"
# Of the last day, a status that says no more than that the term has run out takes nothing away.
_RUN_OUT = re.compile(r"\b(expired|lapsed|expir[ée]e?|caducad[oa]|erloschen)\b")
_OVER = re.compile(
    r"\b(ended|lack of effects|radi[ée]e?|d[ée]chue?|annul[ée]e?|rejet[ée]e?|gel[öo]scht|zur[üu]ckgenommen"
    r"|denegad[oa]|anulad[oa]|cancelad[oa]|retirad[oa]|rejected|renounced)\b"
)
_NOT_YET = re.compile(r"^(?:application\b|filed\b|registration pending|appeal pending)")


def registered(
    office: str,
    *,
    granted: date | None,
    filed: date | None,
    expires: date | None = None,
    years: int | None = None,
    over: date | None = None,
    status: str = "",
) -> Protection | None:
    """The protection of a registered design as its register has it; None where the register says nothing of it.

    Designs of the EU, Germany, France and Spain last 5 years from filing, and can be renewed to 25. Where a register
    does not say to when they are renewed, the first 5 years are taken, and `assumed` says so. A design that was
    refused, surrendered or declared invalid on a day that the register does not name has no last day.

    Args:
        office: code by WIPO ST.3.
        granted: the day of registration; protection is shown from it on.
        expires: the last day, as the register has it.
        years: for which it was protected, counted from filing, as Germany's register has it.
        over: the day on which it was cancelled.
    """
    said = folded(status)
    last, assumed = expires, ""
    if last is None and filed and years:
        last = after_years(filed, years)
    if over is not None:
        last = min(last or over, over)
    elif _RUN_OUT.search(said):
        pass
    elif ended(status) or _OVER.search(said) or _NOT_YET.search(said):
        last = None
    elif last is None and filed and office in _BY_FIVE_YEARS:
        last, assumed = after_years(filed, _FIRST_YEARS), RENEWALS
    first = granted or filed
    if first and last and last < first:
        last, assumed = None, ""
    return Protection(office, first, last, status, assumed) if first or last or status else None
