"""Titles of classes and links to offices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.classification import parse_code
from patsearch.titles import class_titles, head_noun, link_of, title_of


@pytest.mark.parametrize(
    ("scheme", "code", "title"),
    [
        ("locarno", "14-02", "Recording, telecommunication or data processing equipment"),
        ("locarno", "6", "Furnishing"),
        ("uspc", "D14/126", "Recording, communication, or information retrieval equipment"),
        ("uspc", "D99/27", "Miscellaneous"),
        ("cpc", "G06F3/01", None),
        ("uspc", "345/173", None),
    ],
)
def test_a_subclass_has_its_class_title(scheme: str, code: str, title: str | None) -> None:
    assert title_of(parse_code(scheme, code)) == title


def test_every_class_is_a_code_of_its_scheme() -> None:
    locarno = [("locarno", f"{number:02d}") for number in range(1, 33)]
    # D31 and D33 were never in use.
    us_design = [("uspc", f"D{number}") for number in [*range(1, 31), 32, 34, 99]]
    assert list(class_titles()) == locarno + us_design
    assert all(title_of(parse_code(*code)) == title for code, title in class_titles().items())


@pytest.mark.parametrize("number", ["USD907292", "D907,292", "US D0907292 S1"])
def test_us_patents_lead_to_the_uspto(number: str) -> None:
    assert link_of(number) == "https://ppubs.uspto.gov/pubwebapp/external.html?q=(D907292).pn."


def test_other_patents_lead_to_espacenet() -> None:
    assert link_of("EP 1234567 A1") == "https://worldwide.espacenet.com/patent/search?q=pn%3DEP1234567"


def test_designs_of_the_eu_lead_to_the_euipo() -> None:
    assert link_of("EM 4247823-0007") == "https://euipo.europa.eu/eSearch/#details/designs/004247823-0007"


@pytest.mark.parametrize("number", ["chair1234", "FR20211234-0001", "DM/218234", "DM/218234-2"])
def test_what_no_page_is_known_of_leads_nowhere(number: str) -> None:
    assert link_of(number) is None


@given(st.text(max_size=40))
def test_no_name_gets_into_an_address(name: str) -> None:
    link = link_of(name)
    assert link is None or not set(link) & set("\"'<>\\ \n")


@pytest.mark.parametrize(
    ("title", "noun"),
    [
        ("Portion of a shoe upper", "upper"),
        ("Lamp with a clip, and a stand", "lamp"),
        ("Pair of scissors for children", "scissors"),
        ("Office chair", "chair"),
        ("Combined bottle and cap", "bottle"),
        ("SET OF THE Table Lamps", "lamps"),
        ("", ""),
        ("12", ""),
    ],
)
def test_the_thing_that_a_title_names(title: str, noun: str) -> None:
    assert head_noun(title) == noun
