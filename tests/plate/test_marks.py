"""Line drawings put on top of each other, and what differs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from plate_makers import drawn, lines_of, without

from patsearch.drawings.grey import Grey
from patsearch.models.render import render
from patsearch.plate.marks import SIDE, TOLERANCE, aligned, differences, inked
from patsearch.synth.design import Design, make_design, plan_design
from patsearch.synth.style import Style, ink


def shapes(*, extra: bool, size: int = 400) -> Grey:
    """A cup with or without a handle."""
    paper = np.full((size, size), 255, np.uint8)
    cv2.rectangle(paper, (100, 120), (250, 330), 0, 3)
    cv2.ellipse(paper, (175, 120), (75, 20), 0, 0, 360, 0, 3)
    if extra:
        cv2.ellipse(paper, (250, 220), (50, 60), 0, -90, 90, 0, 3)
    return paper


def changed(drawing: Grey, scale: float, shift: int) -> Grey:
    """Larger paper, another scale, another place, wider lines."""
    wide = cv2.erode(drawing, np.ones((3, 3), np.uint8))
    matrix = np.array([[scale, 0, shift], [0, scale, shift / 2]])
    return np.asarray(cv2.warpAffine(wide, matrix, (900, 700), borderValue=255, flags=cv2.INTER_AREA), np.uint8)


def distance(lines: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.asarray(cv2.distanceTransform((~lines).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0), (1.4, 150), (0.6, 300)])
def test_the_same_at_another_place_and_size_has_no_marks(scale: float, shift: int) -> None:
    frames = aligned(shapes(extra=True), [changed(shapes(extra=True), scale, shift)])
    found = differences(frames[0], frames[1])
    assert all(frame.shape == (SIDE, SIDE) for frame in frames)
    assert found.common > 0.995
    assert not found.only_first.any()


def test_what_one_lacks_is_marked_and_nothing_else() -> None:
    first, second = aligned(shapes(extra=False), [changed(shapes(extra=True), 1.3, 100)])
    found = differences(first, second)
    assert not found.only_first.any()
    left, _, width, _ = cv2.boundingRect(inked(first).astype(np.uint8))
    columns = np.flatnonzero(found.only_second.any(axis=0))
    assert columns.min() >= left + width  # right of the cup
    handle = np.s_[:, left + width + round(TOLERANCE) + 6 :]
    assert found.only_second[handle].sum() > 0.9 * inked(second)[handle].sum() > 100
    assert np.array_equal(differences(second, first).only_first, found.only_second)


def test_blank_and_tiny_pictures_do_not_fail() -> None:
    blank, dot = np.full((30, 50), 255, np.uint8), np.full((1, 1), 0, np.uint8)
    for one in (blank, dot, shapes(extra=True)):
        for other in (blank, dot, shapes(extra=False)):
            first, second = aligned(one, [other])
            assert 0 <= differences(first, second).common <= 1
    first, second = aligned(blank, [shapes(extra=True)])
    assert differences(first, second).only_second.any()


def designs(count: int) -> list[tuple[Design, int]]:
    """Designs with a part whose lines are a fair share of one view."""
    found: list[tuple[Design, int]] = []
    index = 0
    while len(found) < count:
        design = make_design(plan_design(21, index, near_duplicates=0))
        index += 1
        if 3 <= design.mesh.part_count <= 40:
            lines = render(design.mesh, design.views[0], size=400)
            lengths = np.bincount(lines.parts, np.diff(lines.offsets), minlength=design.mesh.part_count)
            share = lengths / max(lengths.sum(), 1)
            if (good := np.flatnonzero((share > 0.08) & (share < 0.3))).size:
                found.append((design, int(good[0])))
    return found


@pytest.mark.slow
def test_marks_are_where_a_part_was_taken_away() -> None:
    size, margin = 480, 0.06
    inside, complete = [], []
    for design, part in designs(12):
        camera = design.views[0]
        rng = np.random.default_rng(design.index)
        whole = ink(render(design.mesh, camera, size=3 * size), Style(), size, rng, margin=margin)
        lacking = drawn(without(design, part), camera, rng)
        truth = lines_of(design.mesh, camera, part, size, margin)
        frame, other = aligned(whole, [lacking])
        # The truth is placed as the whole drawing was.
        box, shown = (cv2.boundingRect(inked(one).astype(np.uint8)) for one in (whole, frame))
        scale = max(shown[2:]) / max(box[2:])
        matrix = np.array([[scale, 0, shown[0] - scale * box[0]], [0, scale, shown[1] - scale * box[1]]])
        placed = cv2.warpAffine((truth * 255).astype(np.uint8), matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR) > 60
        marked = differences(frame, other).only_first
        inside.append(float((marked & (distance(placed) < 8)).sum() / max(marked.sum(), 1)))
        # Lines of the part that others take the place of have a counterpart.
        free = placed & (distance(inked(other)) > TOLERANCE + 2)
        complete.append(float((free & (distance(marked) < 4)).sum() / max(free.sum(), 1)))
    assert np.median(inside) >= 0.9, inside
    assert np.mean(inside) >= 0.8, inside
    assert np.mean(complete) >= 0.9, complete
