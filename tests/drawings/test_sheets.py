"""Cutting sheets into figures, on sheets drawn here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from patsearch.drawings import Figure, SplitSheet, split_sheet, whole_sheet
from patsearch.drawings.sheets import LONGEST_SIDE

Box = tuple[int, int, int, int]


def paper(width: int = 1700, height: int = 2200) -> Image.Image:
    return Image.new("L", (width, height), 255)


def write(image: Image.Image, text: str, at: tuple[int, int], size: int = 56) -> Box:
    """Set text with its upper left corner at a point; the box of its ink."""
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    pen.text(at, text, font=font, fill=0)
    left, top, right, bottom = pen.textbbox(at, text, font=font)
    return int(left), int(top), int(right), int(bottom)


def chair(image: Image.Image, at: tuple[int, int], size: int = 500) -> Box:
    """A chair of strokes, in pieces, not symmetric under any turn or mirror."""
    pen, (x, y) = ImageDraw.Draw(image), at
    pen.rectangle((x, y, x + size // 8, y + size), outline=0, width=5)
    pen.polygon([(x, y + size // 2), (x + size, y + size // 2 - 40), (x + size, y + size // 2)], outline=0, width=5)
    pen.line((x + size - 10, y + size // 2, x + size - 30, y + size), fill=0, width=5)
    pen.ellipse((x + size // 2, y + size // 4, x + size // 2 + 90, y + size // 4 + 90), outline=0, width=4)
    for step in range(0, size // 3, 30):  # hatching, not joined to anything
        pen.line((x + 120 + step, y + size - 60, x + 150 + step, y + size - 110), fill=0, width=3)
    return x, y, x + size + 1, y + size + 1


def ink(image: Image.Image, box: Box) -> int:
    return int((np.asarray(image.convert("L").crop(box)) < 128).sum())


def share_kept(figure: Figure, image: Image.Image) -> float:
    """Dark area of a figure, at the sheet's scale, by that of its true box on the sheet."""
    scale = (figure.box[2] - figure.box[0]) / figure.image.shape[1]
    return float((255.0 - figure.image).sum() / 255 * scale**2) / ink(image, figure.box)


def close(box: Box, other: Box, by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(box, other, strict=True))


def by_label(split: SplitSheet) -> dict[str | None, Figure]:
    return {figure.label: figure for figure in split.figures}


def test_one_figure_without_its_label() -> None:
    sheet = paper()
    box = chair(sheet, (300, 400), 900)
    write(sheet, "FIG. 3", (700, 1500))
    split = split_sheet(sheet)
    assert split.turned == 0
    (figure,) = split.figures
    assert figure.label == "3"
    assert close(figure.box, box)
    assert share_kept(figure, sheet) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_modes_give_the_same_split(mode: str) -> None:
    sheet = paper()
    box = chair(sheet, (300, 400), 900)
    write(sheet, "FIG. 3", (700, 1500))
    (figure,) = split_sheet(sheet.convert(mode)).figures
    assert figure.label == "3"
    assert close(figure.box, box)


def test_transparent_paper_is_white() -> None:
    sheet = Image.new("RGBA", (1700, 2200), (0, 0, 0, 0))
    drawn = paper()
    box = chair(drawn, (300, 400), 900)
    sheet.paste((0, 0, 0, 255), mask=drawn.point(lambda v: 255 - v))
    (figure,) = split_sheet(sheet).figures
    assert close(figure.box, box)


PLACES = {
    "stacked, labels below": ([(400, 100), (400, 1150)], [(550, 680), (550, 1730)]),
    "stacked, labels above": ([(400, 250), (400, 1300)], [(550, 120), (550, 1170)]),
    "side by side": ([(100, 300), (1000, 300)], [(250, 900), (1150, 900)]),
    "label at the side": ([(100, 100), (100, 1200)], [(700, 400), (700, 1500)]),
    "diagonal, boxes overlap": ([(100, 380), (540, 60)], [(250, 960), (750, 640)]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_two_figures_go_to_their_labels_however_the_sheet_lies(place: str, turn: int) -> None:
    sheet = paper()
    figures, labels = PLACES[place]
    boxes = [chair(sheet, at) for at in figures]
    for number, at in zip(("4", "5B"), labels, strict=True):
        write(sheet, f"FIG. {number}", at)
    lying = sheet.rotate(turn, expand=True)  # counter-clockwise
    split = split_sheet(lying)
    assert split.turned == turn
    found = by_label(split)
    assert set(found) == {"4", "5B"}
    for number, box in zip(("4", "5B"), boxes, strict=True):
        assert close(found[number].box, box), number
        assert found[number].image.shape[0] == pytest.approx(found[number].image.shape[1], abs=8)


def test_ink_of_a_neighbour_in_the_box_is_left_out() -> None:
    sheet = paper()
    pen = ImageDraw.Draw(sheet)
    # An L around a square: the box of the one holds the other.
    pen.line([(100, 100), (100, 1400), (1500, 1400)], fill=0, width=6)
    write(sheet, "FIG. 1", (600, 1480))
    pen.rectangle((700, 200, 1200, 700), outline=0, width=6)
    write(sheet, "FIG. 2", (850, 780))
    found = by_label(split_sheet(sheet, expected=["1", "2"]))
    assert set(found) == {"1", "2"}
    assert close(found["1"].box, (97, 100, 1501, 1404))
    scale = (found["1"].box[2] - found["1"].box[0]) / found["1"].image.shape[1]
    assert (255.0 - found["1"].image).sum() / 255 * scale**2 == pytest.approx(6 * 2700, rel=0.05)


def test_without_a_label_a_sheet_is_one_figure() -> None:
    sheet = paper()
    chair(sheet, (100, 100))
    chair(sheet, (1000, 1500))
    (figure,) = split_sheet(sheet).figures
    assert figure.label is None
    assert close(figure.box, (100, 100, 1501, 2001))
    assert share_kept(figure, sheet) == pytest.approx(1.0, abs=0.02)


def test_text_inside_a_drawing_is_part_of_it() -> None:
    sheet = paper()
    ImageDraw.Draw(sheet).rounded_rectangle((300, 200, 1300, 1900), 60, outline=0, width=6)
    inner = [
        write(sheet, text, (400, 300 + 150 * i))
        for i, text in enumerate(("Settings", "10:42", "Search", "12", "Cancel"))
    ]
    (figure,) = split_sheet(sheet, expected=["1"]).figures
    left, top = figure.box[:2]
    scale = (figure.box[2] - left) / figure.image.shape[1]
    for box in inner:
        crop = figure.image[
            int((box[1] - top) / scale) : int((box[3] - top) / scale),
            int((box[0] - left) / scale) : int((box[2] - left) / scale),
        ]
        assert crop.min() < 128


def test_running_head_and_page_number_are_dropped() -> None:
    sheet = paper(2550, 3300)
    write(sheet, "U.S. Patent", (200, 120), 60)
    write(sheet, "Jan. 5, 2021", (900, 120), 60)
    write(sheet, "Sheet 1 of 8", (1400, 120), 60)
    write(sheet, "US D907,292 S", (1900, 120), 60)
    box = chair(sheet, (700, 900), 1200)
    write(sheet, "FIG. 1", (1200, 2400), 80)
    (figure,) = split_sheet(sheet).figures
    assert figure.label == "1"
    assert close(figure.box, box)


def test_expected_numbers_spell_the_label() -> None:
    sheet = paper()
    chair(sheet, (300, 400), 900)
    write(sheet, "Fig. 3(a)", (700, 1500))
    (figure,) = split_sheet(sheet, expected=["3(a)", "3(b)"]).figures
    assert figure.label == "3(a)"


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 1), (20_000, 3), (3, 20_000), (64, 64)])
@pytest.mark.parametrize("fill", [0, 255])
def test_degenerate_sheets_come_back_whole(size: tuple[int, int], fill: int) -> None:
    split = split_sheet(Image.new("L", size, fill))
    assert len(split.figures) == 1
    assert split.turned == 0
    figure = split.figures[0]
    assert figure.box == (0, 0, *size)
    assert figure.image.dtype == np.uint8
    assert min(figure.image.shape) >= 1
    assert abs(int(figure.image.mean()) - fill) < 100


def test_noise_is_one_figure() -> None:
    noise = np.random.default_rng(0).integers(0, 2, (900, 700), dtype=np.uint8) * 255
    split = split_sheet(Image.fromarray(noise))
    assert len(split.figures) == 1


def test_figures_come_at_a_bounded_scale() -> None:
    sheet = paper(3400, 4400)
    box = chair(sheet, (200, 200), 2900)
    (figure,) = split_sheet(sheet).figures
    assert max(figure.image.shape) <= LONGEST_SIDE
    assert close(figure.box, box)


def test_whole_sheet_keeps_everything_but_the_margins() -> None:
    sheet = paper()
    chair(sheet, (300, 400), 900)
    write(sheet, "FIG. 3", (700, 1500))
    split = whole_sheet(sheet)
    (figure,) = split.figures
    assert figure.label is None
    assert split.turned == 0
    assert figure.box[3] > 1520
    assert share_kept(figure, sheet) == pytest.approx(1.0, abs=0.02)


def test_the_image_is_left_alone() -> None:
    sheet = paper()
    chair(sheet, (300, 400), 900)
    write(sheet, "FIG. 3", (700, 1500))
    before = sheet.tobytes()
    split_sheet(sheet)
    assert sheet.tobytes() == before


@pytest.mark.parametrize("turns", range(4))
def test_a_number_without_a_word_is_a_label_on_a_sheet_turned_any_way(turns: int) -> None:
    sheet = paper()
    chair(sheet, (300, 400), 900)
    write(sheet, "1.2", (700, 150), 70)
    lying = Image.fromarray(np.rot90(np.asarray(sheet), turns))
    (upright,) = split_sheet(sheet, longest=None).figures
    (figure,) = split_sheet(lying, longest=None).figures
    assert figure.label == upright.label == "1.2"
    assert np.abs(np.subtract(figure.image.shape, upright.image.shape)).max() <= 4
