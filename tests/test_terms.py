"""How long patents last: the rules by worked examples, at their edges, and against a naive count of years."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.bibliography import Bibliography, Protection, Related
from patsearch.numbers import office_of
from patsearch.terms import DISCLAIMED, FEES, FILED_UNKNOWN, after_years, ended, protections

DESIGN = "USD900000"
PRINTED = Bibliography(years=15, status="granted")


def last(patent: str, granted: date | None, filed: date | None, known: Bibliography | None = None) -> date | None:
    found = protections(patent, granted, filed, known)
    assert len(found) <= 1
    if found:
        assert (found[0].country, found[0].first) == ("US", granted)
    return found[0].last if found else None


@pytest.mark.parametrize(
    ("granted", "filed", "expected"),
    [
        (date(2017, 3, 7), date(2015, 5, 12), date(2031, 3, 7)),  # the last day of the 14 years
        (date(2017, 3, 7), date(2015, 5, 13), date(2032, 3, 7)),  # the first of the 15
        (date(2015, 5, 12), None, date(2029, 5, 12)),  # granted before it could have been filed later
        (date(2015, 5, 19), None, date(2030, 5, 19)),
        (date(2000, 2, 29), date(1999, 1, 1), date(2014, 2, 28)),  # a Tuesday of grants
        (date(2028, 2, 29), date(2026, 1, 1), date(2043, 2, 28)),
        (date(1982, 8, 31), date(1982, 8, 27), date(1996, 8, 31)),
        (date(1983, 1, 4), date(1982, 8, 26), None),  # of 3½, 7 or 14 years
        (None, date(2020, 1, 1), None),
    ],
)
def test_the_term_of_a_design(granted: date | None, filed: date | None, expected: date | None) -> None:
    assert last(DESIGN, granted, filed) == expected


def test_a_term_holds_from_the_day_of_grant_to_its_last_day() -> None:
    (term,) = protections(DESIGN, date(2017, 3, 7), date(2016, 1, 1), PRINTED)
    assert [term.on(d) for d in (date(2017, 3, 6), date(2017, 3, 7), date(2032, 3, 7), date(2032, 3, 8))] == [
        False,
        True,
        True,
        False,
    ]
    assert not replace(term, last=None).on(date(2020, 1, 1))


def test_what_the_grant_prints_counts() -> None:
    assert last(DESIGN, date(2017, 3, 7), None, Bibliography(years=14)) == date(2031, 3, 7)
    assert last(DESIGN, date(1975, 3, 4), None, Bibliography(years=7)) == date(1982, 3, 4)
    for odd in (0, 51, 99999):
        assert last(DESIGN, date(2017, 3, 7), date(2016, 1, 1), Bibliography(years=odd)) == date(2032, 3, 7)


def test_what_is_assumed_is_said() -> None:
    def assumed(known: Bibliography | None, filed: date | None = None, patent: str = DESIGN) -> str:
        return protections(patent, date(2017, 3, 7), filed, known)[0].assumed

    assert assumed(None) == FILED_UNKNOWN
    assert assumed(None, date(2016, 1, 1)) == ""
    assert assumed(PRINTED) == ""
    assert assumed(replace(PRINTED, disclaimer=True)) == DISCLAIMED
    assert assumed(Bibliography(disclaimer=True)) == f"{FILED_UNKNOWN}; {DISCLAIMED}"
    assert assumed(Bibliography(extension=0), date(2016, 1, 1), "US9590001") == FEES
    assert assumed(Bibliography(extension=0), date(2016, 1, 1), "USPP27001") == ""


UTILITY = Bibliography(extension=62)


@pytest.mark.parametrize(
    ("patent", "filed", "known", "expected"),
    [
        ("US9590001", date(2016, 1, 1), UTILITY, date(2036, 3, 3)),
        ("US9590001", date(2016, 1, 1), None, None),  # without a bibliography, earlier documents are not known
        ("US9590001", None, UTILITY, None),
        ("US9590001", date(1995, 6, 7), UTILITY, None),
        ("US9590001", date(2016, 1, 1), replace(UTILITY, disclaimer=True), None),
        ("USPP27001", date(2016, 1, 1), Bibliography(extension=0), date(2036, 1, 1)),
        ("USRE46001", date(2016, 1, 1), UTILITY, None),
        ("USH2001", date(2016, 1, 1), UTILITY, None),
        ("EP1234567", date(2016, 1, 1), UTILITY, None),
        ("chair 12", date(2016, 1, 1), UTILITY, None),
    ],
)
def test_the_term_of_others(patent: str, filed: date | None, known: Bibliography | None, expected: date | None) -> None:
    assert last(patent, date(2017, 3, 7), filed, known) == expected


@pytest.mark.parametrize(
    ("relation", "filed", "expected"),
    [
        ("continuation", date(2010, 2, 3), date(2030, 4, 6)),
        ("pct-application", date(2012, 2, 3), date(2032, 4, 5)),
        ("division", None, None),  # not dated
        ("us-provisional-application", date(2010, 2, 3), date(2036, 3, 3)),  # does not count
        ("reissue", date(2010, 2, 3), None),
    ],
)
def test_a_utility_patent_counts_from_the_first_filing(
    relation: str, filed: date | None, expected: date | None
) -> None:
    known = replace(UTILITY, related=(Related(relation, "12345678", filed),))
    assert last("US9590001", date(2017, 3, 7), date(2016, 1, 1), known) == expected


def test_the_register_counts_more_than_a_rule() -> None:
    own = (Protection("DE", date(2017, 1, 1), date(2022, 1, 1), "registered"), Protection("FR", None, None, "refused"))
    assert protections(DESIGN, date(2017, 3, 7), None, Bibliography(protections=own)) == own


@pytest.mark.parametrize("status", ["Design lapsed", "EXPIRED", "cancelled", "Canceled", "declared invalid", "refused"])
def test_a_status_that_ends_it_leaves_no_term(status: str) -> None:
    assert ended(status)
    assert protections(DESIGN, date(2017, 3, 7), None, Bibliography(years=15, status=status)) == ()


@pytest.mark.parametrize("status", ["", "granted", "Registered and fully published", "deadline extended"])
def test_other_states_do_not(status: str) -> None:
    assert not ended(status)


@given(st.dates(), st.integers(0, 60))
def test_years_are_counted_on_the_calendar(day: date, years: int) -> None:
    later = after_years(day, years)
    assert later.year == min(day.year + years, 9999)
    assert (later.month, later.day) in ((day.month, day.day), (2, 28))
    assert later.month == day.month


@given(
    st.sampled_from(["USD900000", "US9000000", "USPP30000", "USRE40000", "DE402020100", "x"]),
    st.none() | st.dates(),
    st.none() | st.dates(),
    st.builds(
        Bibliography,
        years=st.none() | st.integers(0, 99999),
        extension=st.none() | st.integers(0, 99999),
        disclaimer=st.booleans(),
        related=st.lists(st.builds(Related, st.just("division"), st.just("1"), st.none() | st.dates()), max_size=2).map(
            tuple
        ),
    ),
)
def test_any_data_give_a_term_or_none(
    patent: str, granted: date | None, filed: date | None, known: Bibliography
) -> None:
    for term in protections(patent, granted, filed, known):
        assert term.first == granted
        assert term.last is not None
        assert term.last >= term.first  # type: ignore[operator]


def test_the_office_of_a_number() -> None:
    assert [office_of(n) for n in ("USD900000", "EM0073230190001", "DE402020", "chair", "chair1234", "")] == [
        "US", "", "DE", "", "", "",
    ]  # fmt: skip
