"""Figure numbers made consistent over a patent."""

from __future__ import annotations

import numpy as np
import pytest

from patsearch.drawings import Figure, SplitSheet, name_figures
from patsearch.types import Caption


def sheets(*labels: str) -> list[SplitSheet]:
    """One sheet an argument; labels separated by blanks, `?` for one that was not read."""
    image = np.zeros((2, 2), np.uint8)
    return [
        SplitSheet(tuple(Figure(image, (0, 0, 2, 2), None if x == "?" else x) for x in sheet.split()), 0)
        for sheet in labels
    ]


def captions(numbers: str) -> list[Caption]:
    return [Caption(number, "a view") for number in numbers.split()]


def named(given: list[SplitSheet], numbers: str, count: int | None = None) -> list[str]:
    return [
        " ".join(figure.label or "?" for figure in sheet.figures)
        for sheet in name_figures(given, captions(numbers), count)
    ]


@pytest.mark.parametrize(
    ("read", "expected", "answer"),
    [
        (["1", "?", "3"], "1 2 3", ["1", "2", "3"]),  # a gap of one
        (["1", "? ?", "4"], "1 2 3 4", ["1", "2 3", "4"]),  # a gap of one sheet
        (["1", "?", "?", "5"], "1 2 3 4 5", ["1", "?", "?", "5"]),  # one short: nothing is invented
        (
            ["7", "8", "9", "80", "8", "82"],
            "7 8 9 80 81 82",
            ["7", "8", "9", "80", "81", "82"],
        ),  # misread as an earlier one
        (["1", "Z", "3"], "1 2 3", ["1", "2", "3"]),  # no number of this grant
        (["1", "2 4", "3", "5"], "1 2 3 4 5", ["1", "2 4", "3", "5"]),  # out of page order, but read
        (["2 1", "3"], "1 2 3", ["2 1", "3"]),  # any order on one sheet
        (["3(A)", "?"], "3(a) 3(b)", ["3(a)", "3(b)"]),  # spelt as the grant does
        (["?"], "1", ["1"]),  # the only figure
        (["1 1", "2", "?"], "1 2 3", ["1 ?", "2", "3"]),  # read twice, no number is free
    ],
)
def test_numbers_by_captions(read: list[str], expected: str, answer: list[str]) -> None:
    assert named(sheets(*read), expected) == answer


def test_without_captions_the_count_serves() -> None:
    assert named(sheets("1", "?", "3"), "", 3) == ["1", "2", "3"]
    assert named(sheets("1", "?", "3"), "", 4) == ["1", "?", "3"]
    assert named(sheets("1A", "?", "3"), "", 3) == ["1A", "?", "3"]
    assert named(sheets("1", "?"), "") == ["1", "?"]


def test_images_and_boxes_stay() -> None:
    given = sheets("1", "?")
    answer = name_figures(given, captions("1 2"), 2)
    assert [s.figures[0].image is g.figures[0].image for s, g in zip(answer, given, strict=True)] == [True, True]
    assert given[1].figures[0].label is None


def test_no_sheets() -> None:
    assert name_figures([], captions("1"), 1) == []
