"""Results that show themselves in a notebook."""

from __future__ import annotations

import pickle
from datetime import date

import pytest

from patsearch.engine import Results
from patsearch.errors import IndexDamaged
from patsearch.types import Drawing, Hit, PatentHit

TITLE = "<script>alert(1)</script>"


def hit(rank: int) -> PatentHit:
    drawing = Drawing(f"USD90000{rank}-D00001-1", f"USD90000{rank}", "D00001", "1", "a front view", title=TITLE,
                      granted=date(2021, 1, 5))  # fmt: skip
    return PatentHit(rank, drawing.patent, 1 / rank, (Hit(drawing, 1 / rank, "far"),))


def test_results_are_a_list_that_shows_drawings() -> None:
    results = Results([hit(1), hit(2)], {hit(1).drawing.id: b"\x89PNG"}.get)
    assert results == [hit(1), hit(2)]
    shown = results._repr_html_()
    assert shown.count("<tr>") == 3
    assert shown.count("data:image/png;base64,") == 1
    assert "<script" not in shown
    assert "0.500, far" in shown
    assert "FIG. 1: a front view" in shown
    part = results[:1]
    assert part == [hit(1)]
    assert part._repr_html_().count("data:image/png") == 1
    assert results[1] == hit(2)


def test_a_hit_shows_itself_without_drawing() -> None:
    shown = hit(1)._repr_html_()
    assert "USD900001" in shown
    assert "<img" not in shown
    assert "<script" not in shown


def test_many_results_are_shown_in_part_and_a_closed_index_shows_no_pictures() -> None:
    def closed(_: str) -> bytes:
        raise IndexDamaged("Cannot operate on a closed database.")

    shown = Results([hit(1)] * 60, closed)._repr_html_()
    assert shown.count("<tr>") == 51
    assert "and 10 more" in shown
    assert "<img" not in shown
    assert "Granted" in Results()._repr_html_()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_results_are_a_plain_list(protocol: int) -> None:
    loaded = pickle.loads(pickle.dumps(Results([hit(1)], lambda _: None), protocol))
    assert type(loaded) is list
    assert loaded == [hit(1)]
