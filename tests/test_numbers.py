"""Patent numbers: many ways to write one, one to store it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.numbers import normal_number


@pytest.mark.parametrize(
    ("texts", "normal"),
    [
        (
            ["USD907292S", "USD907292", "USD0907292", "D907,292", "US D907292 S1", "usd907292", " D0907292 "],
            "USD907292",
        ),
        (["US 12,448,135 B2", "US12448135", "US12448135B2", "US-12448135-B2"], "US12448135"),
        (["US07654321", "US 7,654,321 B1"], "US7654321"),
        (["USRE049000", "RE49,000", "US RE49000 E1"], "USRE49000"),
        (["USPP033000", "PP33,000 P2"], "USPP33000"),
        (["USH0002300", "H2,300"], "USH2300"),
        (["US 2021/0123456 A1"], "US20210123456"),
        (["EP 1 234 567 B1", "EP1234567", "EP Patent 1234567"], "EP1234567"),
        (
            [
                *(
                    "Des. 534,331",
                    "Des. 534331",
                    "Design 534,331",
                    "D534,331 patent",
                    "US D534,331 (S1)",
                    "D‑534\u00a0331",
                ),
                *("U.S. Pat. No. D534,331", "US Design Patent No. D534,331", "U.S. Pat. No. Des. 534,331"),
                *("U.S. Design Pat. No. 534,331", "USD0534331-20070102", "USD0534331-20070102-D00003"),
                *("ＵＳＤ０５３４３３１", "USD٥٣٤٣٣١"),
            ],
            "USD534331",
        ),
        (
            [
                *("6,859,910", "US06859910-20050222", "No. 6,859,910", "United States Patent 6,859,910 B2"),
                *("6.859.910", "6 859 910 B2", "6’859’910", "No 6,859,910", "№ 6,859,910", "Nº 6,859,910"),
                *("USP 6,859,910", "USP6859910", "USPN 6859910", "U.S.P. 6,859,910", "US_6859910_B2"),
            ],
            "US6859910",
        ),
        (["Re. 49,123", "Reissue Patent 49,123", "RE49123E", "Reissue 49,123"], "USRE49123"),
        (["Plant Patent No. PP12,345", "U.S. Plant Pat. No. 12,345", "Plant 12,345"], "USPP12345"),
        (["D_800_001", "D−800001", "\u200bD800001", "USD800\u00ad001", "D800001\ufeff", "D 800\u2009001"], "USD800001"),
        (["DE 10 2005 012 345 A1", "DE102005012345A1"], "DE102005012345"),
        (["JPH10-123456", "JPH10123456A"], "JPH10123456"),
    ],
)
def test_ways_of_writing(texts: list[str], normal: str) -> None:
    assert {normal_number(text) for text in texts} == {normal}


@pytest.mark.parametrize(
    "text",
    [
        *("chair1234", "D12", "my designs", "907292", "views", "", "ITEM1234", "chair, oak", "Design 1234", "pub 1234"),
        *("patent 5", "plant 1234", "No. 1234567", "12,345", "pattern 12345", "x" * 5000, "20210105", "2021-01-05"),
        # A number and something else, such as a sheet's or a copy's, is not a longer number.
        *("USD907292-1", "USD907292_1", "USD907292 (1)", "D907292 (2)", "D907292-002", "USD907292.1", "EP1234567.2"),
        *("SET-1234", "CHX 1000", "ATH_1234"),
    ],
)
def test_what_is_no_number_stays_as_it_is(text: str) -> None:
    assert normal_number(f"  {text} ") == text


def test_a_name_has_one_way_of_composing_its_letters() -> None:
    assert normal_number("Cafe\u0301") == normal_number("Café") == "Café"


@given(st.text(max_size=30))
def test_the_normal_form_is_a_fixed_point(text: str) -> None:
    once = normal_number(text)
    assert normal_number(once) == once


@given(st.integers(1000, 9_999_999), st.sampled_from(["", "S", "S1"]), st.booleans(), st.booleans())
def test_designs_however_written(number: int, kind: str, office: bool, commas: bool) -> None:
    digits = f"{number:,}" if commas else f"{number:07d}"
    assert normal_number(f"{'US ' if office else ''}D{digits} {kind}") == f"USD{number}"
