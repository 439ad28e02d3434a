"""The pages of PDFs of every kind as pictures, and as figures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from makers import draw_design
from numpy.typing import NDArray
from pdf_makers import (
    Coding,
    PdfPage,
    as_scan,
    correction_page,
    drawing_operators,
    encrypted,
    front_page,
    pdf_bytes,
    prose,
    references_page,
    scan,
    scanned,
    text_at,
    text_page,
)
from PIL import Image

from patsearch.drawings.document import Document, Reading, read_figures
from patsearch.drawings.pagetext import page_text
from patsearch.drawings.pdf import PdfFile
from patsearch.errors import ImageError, ImageTooLarge


def sheet(seed: int = 1, size: tuple[int, int] = (900, 1200)) -> Image.Image:
    return draw_design(seed, 0, size).point(lambda grey: 255 * (grey > 128)).convert("1")


def ink(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("L"))


def picture(page: PdfPage, **options: int) -> NDArray[np.uint8]:
    with PdfFile(pdf_bytes([page]), name="test.pdf") as pdf:
        return pdf.picture(1, **options)


def figures(*pages: PdfPage, how: Reading | None = None) -> Document:
    return read_figures(pdf_bytes(pages), how or Reading(), name="test.pdf")


def where(document: Document) -> list[int | None]:
    return [figure.page for figure in document.figures]


# ---------------------------------------------------------------------- scans


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("coding", ["g4", "jbig2", "flate", "stencil"])
def test_a_scan_of_one_bit_keeps_its_own_pixels(coding: Coding, rotate: int) -> None:
    for size in ((900, 1200), (1333, 777)):
        image = sheet(size=size)
        expected = np.rot90(ink(image), -rotate // 90)
        np.testing.assert_array_equal(picture(scanned(image, coding, rotate=rotate)), expected)


def test_a_scan_is_read_at_its_own_resolution() -> None:
    image = sheet()
    for dpi in (200, 300, 600):
        np.testing.assert_array_equal(picture(scanned(image, dpi=dpi)), ink(image))


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ("-216 0 0 288 216 0", lambda a: a[:, ::-1]),
        ("216 0 0 -288 0 288", lambda a: a[::-1]),
        ("-216 0 0 -288 216 288", lambda a: a[::-1, ::-1]),
    ],
)
def test_a_scan_that_the_page_mirrors(matrix: str, turned: object) -> None:
    page = PdfPage(f"q {matrix} cm /I Do Q", {"I": scan(sheet())}, (216, 288))
    assert callable(turned)
    np.testing.assert_array_equal(picture(page), turned(ink(sheet())))


def test_a_scan_that_the_page_lays_on_its_side() -> None:
    page = PdfPage("q 0 216 -288 0 288 0 cm /I Do Q", {"I": scan(sheet())}, (288, 216))
    np.testing.assert_array_equal(picture(page), np.rot90(ink(sheet()), 1))


def test_a_fax_gets_square_pixels() -> None:
    image = sheet().resize((900, 600))
    page = PdfPage("q 324 0 0 432 0 0 cm /I Do Q", {"I": scan(image)}, (324, 432))
    read = picture(page)
    assert read.shape == (1200, 900)
    np.testing.assert_array_equal(read[::2], ink(image))


def test_a_grey_scan_keeps_its_own_pixels() -> None:
    read = picture(scanned(sheet(), "jpeg", dpi=200))
    assert read.shape == (1200, 900)
    assert np.abs(read.astype(int) - ink(sheet())).mean() < 3


def test_what_lies_over_a_scan_is_seen() -> None:
    bare, labelled = picture(scanned(sheet())), picture(scanned(sheet(), more=text_at(90, 6, 10, ["FIG. 1"], 10)))
    assert labelled.shape == bare.shape
    strip = np.s_[-80:, 350:600]
    assert (bare[strip] < 128).sum() == 0
    assert (labelled[strip] < 128).sum() > 200


def test_text_of_a_scanner_that_is_not_shown_changes_nothing() -> None:
    hidden = text_at(10, 50, 10, ["U.S. Patent"], 10).replace("BT", "BT 3 Tr")
    np.testing.assert_array_equal(picture(scanned(sheet(), more=hidden)), ink(sheet()))


def test_a_scan_in_strips_is_drawn_at_its_own_resolution() -> None:
    image = sheet()
    upper, lower = image.crop((0, 0, 900, 600)), image.crop((0, 600, 900, 1200))
    content = "q 216 0 0 144 0 144 cm /A Do Q q 216 0 0 144 0 0 cm /B Do Q"
    read = picture(PdfPage(content, {"A": scan(upper), "B": scan(lower)}, (216, 288)))
    assert read.shape == (1200, 900)
    assert ((read < 128) != (ink(image) < 128)).mean() < 0.01


def test_a_scan_that_is_cut_off_by_the_page_is_shown_as_the_page_shows_it() -> None:
    page = PdfPage("q 216 0 0 288 0 -144 cm /I Do Q", {"I": scan(sheet())}, (216, 144))
    read = picture(page)
    assert read.shape == (600, 900)
    assert ((read < 128) != (ink(sheet())[:600] < 128)).mean() < 0.01


# ---------------------------------------------------------------------- drawn pages


def test_lines_are_drawn_at_300_dpi_and_turned_as_the_page_says() -> None:
    page = PdfPage(drawing_operators(150, 300))
    upright = picture(page)
    assert upright.shape == (3300, 2550)
    turned = picture(PdfPage(page.content, rotate=90))
    assert turned.shape == (2550, 3300)
    assert np.abs(np.rot90(turned, 1).astype(int) - upright).mean() < 1


def test_a_page_as_large_as_a_wall_is_drawn_within_the_bound() -> None:
    wall = PdfPage(drawing_operators(150, 300), size=(14000, 14000))
    assert picture(wall).size <= 40_000_000
    assert picture(wall, max_pixels=1_000_000).size <= 1_000_000


# ---------------------------------------------------------------------- which pages are drawings


@pytest.mark.parametrize("scanner", [False, True])
def test_front_page_and_text_are_left_out(scanner: bool) -> None:
    pages = [front_page(), scanned(sheet(1)), scanned(sheet(2)), text_page(), text_page(2, columns=2), PdfPage()]
    document = figures(*(as_scan(page) if scanner and not page.images else page for page in pages))
    assert where(document) == [2, 3]
    said = "left out: the front page (1), 2 pages of text (4-5), 1 blank page (6)"
    assert document.remarks == (f"test.pdf: {said}",)


def test_text_on_its_side_is_text() -> None:
    page = as_scan(text_page())
    document = figures(scanned(sheet()), PdfPage(page.content, page.images, page.size, rotate=90))
    assert where(document) == [1]


def test_the_only_drawing_may_be_on_the_front_page() -> None:
    document = figures(front_page(), text_page())
    assert where(document) == [1]
    # Its text is not part of the figure.
    assert document.figures[0].image.shape[0] < 1.2 * document.figures[0].image.shape[1]


def test_a_drawing_among_text_is_kept_without_the_text() -> None:
    mixed = PdfPage(text_at(72, 740, 11, prose(3, 88, 20), 14) + drawing_operators(150, 120))
    document = figures(scanned(sheet()), mixed)
    assert where(document) == [1, 2]
    height, width = document.figures[1].image.shape
    assert 0.6 < height / width < 0.95


def test_a_page_can_be_chosen_whatever_it_shows() -> None:
    pages = [front_page(), scanned(sheet(1)), text_page()]
    assert where(figures(*pages, how=Reading(page=2))) == [2]
    assert where(figures(*pages, how=Reading(page=3))) == [3]
    with pytest.raises(ImageError, match=r"test.pdf has no page 4. It has 3"):
        figures(*pages, how=Reading(page=4))


def test_labels_and_several_figures_of_a_page() -> None:
    both = drawing_operators(150, 480) + text_at(250, 440, 18, ["FIG. 1"], 18)
    both += drawing_operators(150, 120) + text_at(250, 80, 18, ["FIG. 2"], 18)
    document = figures(PdfPage(both))
    assert [(figure.page, figure.label) for figure in document.figures] == [(1, "1"), (1, "2")]
    assert len(figures(PdfPage(both), how=Reading(split=False)).figures) == 1


def test_crop_and_turn_apply_to_the_page() -> None:
    whole = figures(scanned(sheet())).figures[0].image
    assert figures(scanned(sheet()), how=Reading(turn=90)).figures[0].image.shape == whole.shape[::-1]
    with pytest.raises(ImageError, match=r"The crop 0,0,2000,10 is not within test.pdf, page 1"):
        figures(scanned(sheet()), how=Reading(crop=(0, 0, 2000, 10)))


def test_two_hundred_pages() -> None:
    document = figures(*[text_page()] * 190, *[scanned(sheet(seed)) for seed in range(10)])
    assert where(document) == list(range(191, 201))
    assert document.remarks == ("test.pdf: left out: 190 pages of text (1-190)",)


def test_more_figures_than_a_query_has() -> None:
    document = figures(*[scanned(sheet(1, (300, 400)))] * 120)
    assert len(document.figures) == 100
    assert "only the first 100 figures" in document.remarks[0]


def test_rows_of_equal_things_are_not_text() -> None:
    page = np.full((3300, 2550), 255, np.uint8)
    for y in range(300, 3000, 60):
        for x in range(200, 2300, 40):
            page[y : y + 30, x : x + 22] = 0  # a grille
    assert page_text(page).lines == ()


def test_a_mesh_is_not_text() -> None:
    page = np.full((3300, 2550), 255, np.uint8)
    rng = np.random.default_rng(1)
    for y in range(400, 2900, 24):  # slats, here and there some have run together
        x = 300
        while x < 2200:
            wide, high = 18 * int(rng.choice([1, 1, 1, 2, 3])), 17 + int(rng.integers(-2, 4))
            corners = [[x, y], [x + wide, y], [x + wide + 8, y + high], [x + 8, y + high]]
            cv2.fillPoly(page, [np.array(corners)], 0)
            x += wide + 10
    assert page_text(page).lines == ()


@pytest.mark.parametrize("scanner", [False, True])
def test_references_and_a_certificate_of_correction_are_text(scanner: bool) -> None:
    pages = [front_page(), references_page(), scanned(sheet()), text_page(columns=2), correction_page()]
    document = figures(*(as_scan(page) if scanner and not page.images else page for page in pages))
    assert where(document) == [3]
    assert document.remarks == ("test.pdf: left out: the front page (1), 3 pages of text (2, 4-5)",)


def test_a_blank_scan_with_specks_is_blank() -> None:
    speckled = np.full((3300, 2550), 255, np.uint8)
    rng = np.random.default_rng(1)
    for y, x in zip(rng.integers(0, 3290, 80), rng.integers(0, 2540, 80), strict=True):
        speckled[y : y + 1, x : x + 2] = 0
    document = figures(scanned(Image.fromarray(speckled)), scanned(sheet()))
    assert where(document) == [2]
    assert document.remarks == ("test.pdf: left out: 1 blank page (1)",)


# ---------------------------------------------------------------------- bad files


def test_a_password_is_said() -> None:
    with pytest.raises(ImageError, match=r"^secret.pdf is encrypted with a password. Save a copy without a password.$"):
        read_figures(encrypted(pdf_bytes([scanned(sheet())])), Reading(), name="secret.pdf")


@pytest.mark.parametrize("data", [b"%PDF-1.7", b"%PDF-1.7\n" + b"\0" * 3000, pdf_bytes([])])
def test_what_is_no_pdf_is_said(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^bad.pdf is a damaged PDF file. Open it in a viewer and save it again.$"):
        read_figures(data, Reading(), name="bad.pdf")


def test_cut_and_changed_files_end_in_figures_or_one_line() -> None:
    whole = pdf_bytes([scanned(sheet(1)), scanned(sheet(2)), text_page()])
    rng = np.random.default_rng(1)
    damaged = [whole[:cut] for cut in np.linspace(100, len(whole) - 1, 12).astype(int).tolist()]
    for _ in range(12):
        broken = bytearray(whole)
        for place in rng.integers(10, len(whole), 30).tolist():
            broken[place] = int(rng.integers(256))
        damaged.append(bytes(broken))
    for data in damaged:
        try:
            said = "".join(read_figures(data, Reading(), name="cut.pdf").remarks)
        except ImageError as error:
            said = str(error)
        assert "\n" not in said


def test_a_bomb_of_a_picture_is_refused_unopened() -> None:
    dictionary, data = scan(sheet())
    huge = dictionary.replace("/Width 900", "/Width 90000").replace("/Height 1200", "/Height 90000")
    page = PdfPage("q 216 0 0 288 0 0 cm /I Do Q", {"I": (huge, data)}, (216, 288))
    with pytest.raises(ImageTooLarge, match=r"page 1: a picture has 90,000 x 90,000 pixels; the limit is 175,000,000"):
        picture(page)
    # The other pages are kept.
    document = figures(page, scanned(sheet()))
    assert where(document) == [2]
    assert "90,000 x 90,000" in document.remarks[0]


def test_nothing_but_text_is_said() -> None:
    said = (
        r"^No drawings found in test.pdf \(left out: 2 pages of text \(1-2\)\). Choose a page by its number: --page N.$"
    )
    with pytest.raises(ImageError, match=said):
        figures(text_page(), text_page(2))
