"""The brief description of the drawings as grants word it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.ingest.captions import expand_figures, parse_captions


def read(*paragraphs: str) -> dict[str, str]:
    return {c.figure: c.view for c in parse_captions(paragraphs)}


@pytest.mark.parametrize(
    ("text", "captions"),
    [
        ("FIG. 1 is a perspective view of a chair;", {"1": "a perspective view of a chair"}),
        ("\n   FIG. 2\n is a top\n view; and,\n", {"2": "a top view"}),
        ("FIGS. 2 and 3 are side views.", {"2": "side views", "3": "side views"}),
        ("FIGS. 3-5 show wings, and", {"3": "wings", "4": "wings", "5": "wings"}),
        ("FIGS. 4, 5A and 5B are drawings of wings,", dict.fromkeys(["4", "5A", "5B"], "drawings of wings")),
        ("FIG. 7(a) to FIG. 7(c) are views.", dict.fromkeys(["7(a)", "7(b)", "7(c)"], "views")),
        ("FIG. 3(a) is a view and FIG. 3(b) is a plan.", {"3(a)": "a view", "3(b)": "a plan"}),
        ("4 drawings. FIG. 1A is a top view. FIG. 1B is a front view.", {"1A": "a top view", "1B": "a front view"}),
        ("1.1 : Perspective", {"1.1": "Perspective"}),
        (
            "1.7 and 1.8 are two perspective views thereof.",
            dict.fromkeys(["1.7", "1.8"], "two perspective views thereof"),
        ),
        ("1.1 is a view of a door; 1.2 is a front view", {"1.1": "a view of a door", "1.2": "a front view"}),
        (
            "FIG. 1.9 is an enlarged portion labeled, “Fig. 1.9” in Fig. 1.2.",
            {"1.9": "an enlarged portion labeled, “Fig. 1.9” in Fig. 1.2"},
        ),
        ("Figure 1.1 of a first embodiment of a valve;", {"1.1": "a first embodiment of a valve"}),
        ("FIG. 7. is an elevational view.", {"7": "an elevational view"}),
        ("FIG. 1. Dose response in mice. It was large.", {"1": "Dose response in mice"}),
        ("FIG. 2 top view", {"2": "top view"}),
        ("FIG. 4 schematically illustrates a pump", {"4": "a pump"}),
        ("The sole FIGURE is a face view of a type font.", {"1": "a face view of a type font"}),
        ("The FIGURE is a front view", {"1": "a front view"}),
        ("taken with FIGURE which shows a section.", {"1": "a section"}),
        ("FIG. 1 is a view taken along line A-A of FIG. 3.", {"1": "a view taken along line A-A of FIG. 3"}),
        ("FIG. 1 is a view of No. 5. The broken lines show nothing.", {"1": "a view of No. 5"}),
    ],
)
def test_wordings(text: str, captions: dict[str, str]) -> None:
    assert read(text) == captions


@pytest.mark.parametrize(
    "text",
    [
        "The broken lines in FIG. 2 show parts that form no part of the claimed design.",
        "The outermost broken lines in the FIGURE show a display screen.",
        "The back view is a mirror image of the front view shown in FIG. 2.",
        "1. Couch",
        "Couch having a back portion formed by two cylindrical cushions.",
        "",
    ],
)
def test_a_mention_is_no_caption(text: str) -> None:
    assert read(text) == {}


def test_the_first_that_introduces_a_figure_counts() -> None:
    assert read("FIG. 1 is a view;", "FIG. 1 shows, in broken lines, its surroundings.") == {"1": "a view"}


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("1", "1"),
        ("1, 3A-3C and 5", "1 3A 3B 3C 5"),
        ("1A-C", "1A 1B 1C"),
        ("3(a)-(c)", "3(a) 3(b) 3(c)"),
        ("1.1 through 1.4", "1.1 1.2 1.3 1.4"),
        ("1A-2B", "1A 2B"),  # nobody can tell how many lie between
        ("8-5", "8 5"),
        ("1-9999", "1 9999"),  # no list of ten thousand from a slip
        ("2, 2 and 2", "2"),
    ],
)
def test_ranges_expand(text: str, figures: str) -> None:
    assert expand_figures(text) == figures.split()


@given(st.text(alphabet="FIGSfigure.0123ABab()-–,;: \nandisshowte", max_size=400))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for caption in parse_captions([text]):
        assert caption.figure[0].isdigit()
        assert caption.view == caption.view.strip()
        assert 0 < len(caption.view) <= 300


def test_hostile_text_ends() -> None:
    """Lists without end are read in bounded time; this would take hours if each start saw the whole."""
    assert read("1.1, " * 200_000) == {}
    assert len(parse_captions(["FIGS. 1-500 are views.", "FIGS. 501-1000 are views."])) == 1000
