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
        (["EP 1 234 567 B1", "EP1234567"], "EP1234567"),
    ],
)
def test_ways_of_writing(texts: list[str], normal: str) -> None:
    assert {normal_number(text) for text in texts} == {normal}


@pytest.mark.parametrize("text", ["chair1234", "D12", "my designs", "907292", "views", "", "ITEM1234", "USD٩٠٧٢٩٢"])
def test_what_is_no_number_stays_as_it_is(text: str) -> None:
    assert normal_number(f"  {text} ") == text


@given(st.text(max_size=30))
def test_the_normal_form_is_a_fixed_point(text: str) -> None:
    once = normal_number(text)
    assert normal_number(once) == once


@given(st.integers(1000, 9_999_999), st.sampled_from(["", "S", "S1"]), st.booleans(), st.booleans())
def test_designs_however_written(number: int, kind: str, office: bool, commas: bool) -> None:
    digits = f"{number:,}" if commas else f"{number:07d}"
    assert normal_number(f"{'US ' if office else ''}D{digits} {kind}") == f"USD{number}"
