"""What lines of sheet text mean."""

from __future__ import annotations

import pytest

from patsearch.drawings.labels import canonical, foreseen, meaning, spelling


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("FIG.1", "1"),
        ("FIG12B", "12B"),
        ("FIG-3", "3"),
        ("FIG.-3", "3"),
        ("FIGURE4", "4"),
        ("FIGURE1OF4", "1"),
        ("FIG.10F", "10F"),
        ("FIG.3(A)", "3(a)"),
        ("FIG.5.", "5"),
        ("FIG.6'", "6'"),
        ("FIG.1.12", "1.12"),
        ("FIG.1PRIORART", "1"),
        ("FIG.2(PRIORART)", "2"),
        ("F1G.7", "7"),
        ("FIC.8", "8"),
        ("FIGRE31", "31"),
        ("IGURE26", "26"),
        ("FIG.I", "1"),
        ("FIG.", None),
        ("FIGURE", None),
    ],
)
def test_labels(text: str, number: str | None) -> None:
    found = meaning(text)
    assert (found.kind, found.number) == ("label", number)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "other"),
        ("SETTINGS", "other"),
        ("FIGHTER", "other"),
        ("FIBER", "other"),
        ("CONFIGURE", "other"),
        ("102", "bare"),
        ("1.1", "bare"),
        ("S12", "numeral"),
        ("1234", "numeral"),
        ("1/7", "page"),
        ("U.S.PATENT", "header"),
        ("SHEET1OF8", "header"),
        ("JAN.5,2021", "header"),
        ("USD907,292S", "header"),
        ("PRIORART", "remark"),
        ("(PRIORART)", "remark"),
    ],
)
def test_other_text(text: str, kind: str) -> None:
    assert meaning(text).kind == kind


def test_only_a_clean_word_is_exact() -> None:
    assert meaning("FIG.3").exact
    assert not meaning("EIG.3").exact


def test_spellings_of_one_number() -> None:
    assert canonical("3(a)") == canonical("3 (A)") == canonical("3a")
    assert canonical("1.1") != canonical("11")
    assert spelling("3(A)", ["2", "3(a)"]) == "3(a)"
    assert spelling("9", ["2"]) == "9"
    assert spelling(None, ["2"]) is None
    assert foreseen("3", ["3(a)"])
    assert not foreseen("4", ["3(a)"])
