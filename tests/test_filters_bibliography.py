"""Filters by owner, inventor, agent, country, office, status, term, citations: worked examples, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import pytest

from patsearch.bibliography import Bibliography, Citation, Party, Protection
from patsearch.errors import FilterError, UsageError
from patsearch.filters import Filter, parse_filter
from patsearch.filters.conditions import MOST_CITED
from patsearch.types import Drawing

KNOWN = Bibliography(
    owners=(Party("NIKE, Inc.", "US"), Party("Société Générale S.A.", "FR")),
    inventors=(Party("Wei Li", "CN"), Party("Min Zhang", "CN")),
    agents=(Party("Banner & Witcoff, Ltd."),),
    citations=(Citation("USD907292", "examiner"), Citation("US20040040082", "applicant")),
    years=15,
    status="granted",
)
DRAWING = Drawing("x", "USD900000", granted=date(2017, 3, 7), filed=date(2016, 1, 5), bibliography=KNOWN)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("owner~nike", True),
        ("owner~nike inc", True),
        ("owner~nike societe", False),  # words of two names
        ("owner~generale", True),
        ("owner~adidas,nike", True),
        ('owner="NIKE, Inc."', True),
        ('owner="nike inc"', True),
        ("owner=nike", False),  # not the whole name
        ("owner!=nike", True),
        ("owner!~nike", False),
        ("inventor~wei zhang", False),
        ("inventor~zhang min", True),
        ("inventor=Wei Li", True),
        ("agent~banner", True),
        ("agent~nike", False),
        ("country=us", True),
        ("country=CN", False),  # of the owners where these are known
        ("country!=CN", True),
        ("office=USPTO", True),
        ("office=EUIPO", False),
        ("status=Granted", True),
        ("cites=D907,292", True),
        ("cites=US 2004/0040082 A1", True),
        ("cites=D900000", False),
        ("expires=2032-03-07", True),
        ("expires>=2032", True),
        ("expires<2032-03-07", False),
    ],
)
def test_what_conditions_mean(text: str, right: bool) -> None:
    assert parse_filter(text).matches(DRAWING) is right


def test_without_a_bibliography_only_negated_conditions_hold() -> None:
    bare = Drawing("x", "chair 12")
    for text in ("owner~a", "inventor=a", "agent~a", "country=US", "office=US", "status=a", "cites=D1", "expires<2100",
                 "inforce=2020-01-01"):  # fmt: skip
        assert not parse_filter(text).matches(bare), text
    for text in ("owner!~a", "inventor!=a", "country!=US", "office!=US", "cites!=D1", "inforce!=2020-01-01"):
        assert parse_filter(text).matches(bare), text


def test_number_and_dates_are_enough_for_office_and_term() -> None:
    """So an index of an earlier version, and a DeepPatent folder, can be filtered by them."""
    old = replace(DRAWING, bibliography=None)
    assert parse_filter("office=US and inforce=2026-11-28 and expires=2032").matches(old)


@pytest.mark.parametrize(
    ("day", "right"),
    [
        ("2017-03-06", False),
        ("2017-03-07", True),  # the day of grant
        ("2032-03-07", True),  # the last day
        ("2032-03-08", False),
        ("20320307", True),
        ("2017-03-06,2020-01-01", True),
        ("2020-01-01 US", True),
        ("us 2020-01-01", True),
        ("2020-01-01 DE", False),
    ],
)
def test_in_force_on_a_day(day: str, right: bool) -> None:
    assert parse_filter(f"inforce={day}").matches(DRAWING) is right
    assert parse_filter(f"inforce!={day}").matches(DRAWING) is not right


@pytest.mark.parametrize(
    ("granted", "filed", "last"),
    [
        (date(2015, 5, 12), date(2014, 1, 7), date(2029, 5, 12)),  # 14 years
        (date(2016, 1, 5), date(2015, 5, 12), date(2030, 1, 5)),
        (date(2016, 1, 5), date(2015, 5, 13), date(2031, 1, 5)),  # 15 years
        (date(2028, 2, 29), date(2026, 1, 6), date(2043, 2, 28)),  # the 29th is not in 2043
        (date(2000, 2, 29), date(1999, 1, 5), date(2014, 2, 28)),
    ],
)
def test_the_edges_of_a_term(granted: date, filed: date, last: date) -> None:
    drawing = Drawing("x", "USD900000", granted=granted, filed=filed)
    days = (granted.toordinal() - 1, granted.toordinal(), last.toordinal(), last.toordinal() + 1)
    found = [parse_filter(f"inforce={date.fromordinal(day)}").matches(drawing) for day in days]
    assert found == [False, True, True, False]
    assert parse_filter(f"expires={last}").matches(drawing)


def test_in_force_by_country() -> None:
    """As of an international registration: what holds in one country may have ended in another."""
    hague = Bibliography(
        protections=(
            Protection("DE", date(2020, 1, 1), date(2025, 1, 1)),
            Protection("EM", date(2020, 1, 1), date(2030, 1, 1)),
            Protection("JP", None, None, "refused"),
            Protection("NO", date(2021, 1, 1), None),
        )
    )
    drawing = Drawing("x", "WODM218234", bibliography=hague)
    for text, right in {
        "inforce=2026-11-28": True,
        "inforce=2026-11-28 FR": True,  # by the office of the European Union
        "inforce=2026-11-28 EUIPO": True,
        "inforce=2026-11-28 DE": True,
        "inforce=2026-11-28 NO": False,  # until when is not known
        "inforce=2026-11-28 JP": False,
        "inforce=2019-12-31": False,
        "expires=2030-01-01": True,
        "expires=2025": False,  # the last of them counts
        "office=WIPO": True,
    }.items():
        assert parse_filter(text).matches(drawing) is right, text
    registered = replace(hague, protections=(Protection("BX", date(2020, 1, 1), date(2030, 1, 1)),))
    assert parse_filter("inforce=2026-11-28 NL").matches(replace(drawing, bibliography=registered))
    assert not parse_filter("inforce=2026-11-28 DE").matches(replace(drawing, bibliography=registered))


def test_what_a_term_rests_on_is_said_once() -> None:
    (notice,) = parse_filter("inforce=2026-11-28").notices
    assert "15 years from grant (14 if filed before 13 May 2015)" in notice
    assert "courts are not known" in notice
    assert len(parse_filter(["inforce=2026-11-28", "inforce!=2020-01-01"]).notices) == 1
    assert parse_filter("expires>=2030").notices
    assert not parse_filter("owner~nike").notices


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("country=Germany", "is not the code of a country"),
        ("country=D1", "is not the code of a country"),
        ("office=XX", "is not the code of an office"),
        ("office=NASA", "is not the code of an office"),
        ("inforce=2026", "needs a day"),
        ("inforce=2026-11", "needs a day"),
        ("inforce=DE", "is not a day, with or without a country"),
        ("inforce=2026-11-28 DE FR", "is not a day, with or without a country"),
        ("inforce=2026-11-28 Germany", "is not the code of a country"),
        ("inforce=2026-02-30", "is not a date"),
        ("inforce>=2026-11-28", "does not go with"),
        ("expires~2030", "does not go with"),
        ("cites~D1", "does not go with"),
        ("cites=---", "is not a patent"),
        ("citedby=", "has no value"),
        ("owner>a", "does not go with"),
        ("owner~&", "holds no word to look for"),
        ("owner=&", "is not an owner"),
        ("status=...", "is not a status"),
    ],
)
def test_what_is_not_valid_is_refused_with_a_hint(text: str, says: str) -> None:
    with pytest.raises(FilterError, match=re.escape(says)) as caught:
        parse_filter(text)
    assert caught.value.hint


def test_who_cites_is_looked_up() -> None:
    cited = replace(DRAWING, patent="USD907292")

    def look(citing: Filter) -> Iterable[str]:
        return KNOWN.cites if citing.matches(DRAWING) else ()

    for text, right in {
        "citedby=D900,000": True,
        "citedby!=D900,000": False,
        "citedby=D900001": False,  # which is not there
        "citedby=D900001,D900000": True,
        "citedby=D900000 and owner~nike": True,
    }.items():
        assert parse_filter(text).resolved(look).matches(cited) is right, text
    where = parse_filter("owner~nike")
    assert where.resolved(look) is where
    with pytest.raises(UsageError) as caught:
        parse_filter("citedby=D900000").matches(cited)
    assert caught.value.hint


def test_one_patent_cannot_stand_for_everything() -> None:
    with pytest.raises(FilterError, match="more than 50,000 patents"):
        parse_filter("citedby=D900000").resolved(lambda _: map(str, range(MOST_CITED + 1)))
