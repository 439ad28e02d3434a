"""Plates as data, PDF, page and picture, from an index and from files."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run_here
from makers import draw_design, week
from PIL import Image
from pypdf import PdfReader

from patsearch.engine import Engine, open_index
from patsearch.errors import ImageError, InputError, UsageError
from patsearch.ingest import IngestOptions, ingest
from patsearch.plate import Plate, make_plate, render_page, render_pdf, render_png
from patsearch.plate.plate import FIRST_COLOUR, SECOND_COLOUR

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of four designs with two views each, and the views of one as files."""
    folder = tmp_path_factory.mktemp("plate")
    ingest([week(folder / "w", range(4))], folder / "index", IngestOptions(workers=1))
    (folder / "accused").mkdir()
    draw_design(1, 1).save(folder / "accused" / "front.png")
    draw_design(1, 0).save(folder / "accused" / "perspective.png")
    draw_design(1, 0).save(folder / "one.png")
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return open_index(folder / "index")


@pytest.fixture(scope="module")
def three(engine: Engine, folder: Path) -> Plate:
    return make_plate(engine, folder / "accused", "D900001", "USD900003")


def colours(png: bytes) -> set[tuple[int, ...]]:
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    return {tuple(int(part) for part in pixel) for pixel in np.unique(pixels, axis=0)}


def test_a_plate_has_what_an_exhibit_names(three: Plate) -> None:
    assert [column.name for column in three.columns] == ["accused", "USD900001", "USD900003"]
    assert [column.role for column in three.columns] == ["Claimed or accused design", "Patent", "Earlier design"]
    facts = dict(three.columns[2].facts)
    assert (facts["Title"], facts["Granted"], facts["Filed"]) == ("Lamp", "2021-01-05", "2019-04-05")
    assert facts["Classes"] == "LOCARNO 06-01; USPC D6/334"
    assert [[cell.caption if cell else None for cell in row.cells] for row in three.rows] == [
        ["perspective", "FIG. 1: a perspective view thereof", "FIG. 1: a perspective view thereof"],
        ["front", "FIG. 2: a front view thereof", "FIG. 2: a front view thereof"],
    ]
    assert [said.partition(":")[0] for said in three.rows[0].scores] == ["1 and 2", "2 and 3", "1 and 3"]
    assert re.fullmatch(r"1 and 2: (1\.000|0\.99\d), same drawing, 100% in common", three.rows[0].scores[0])


def test_differences_have_the_colour_of_their_side(three: Plate, engine: Engine) -> None:
    same = [cell.png for cell in three.rows[0].cells[:2] if cell]
    other = three.rows[0].cells[2]
    assert other
    assert all(not {FIRST_COLOUR, SECOND_COLOUR} & colours(png) for png in same)
    assert FIRST_COLOUR in colours(other.png)
    two = make_plate(engine, "USD900000", "USD900002")
    first, second = two.rows[0].cells
    assert first
    assert second
    assert (FIRST_COLOUR in colours(first.png), SECOND_COLOUR in colours(first.png)) == (True, False)
    assert (FIRST_COLOUR in colours(second.png), SECOND_COLOUR in colours(second.png)) == (False, True)


def test_views_without_a_counterpart_have_their_row(engine: Engine, folder: Path) -> None:
    plate = make_plate(engine, folder / "one.png", "USD900001")
    assert [[cell is not None for cell in row.cells] for row in plate.rows] == [[True, True], [False, True]]
    assert plate.rows[0].cells[1]
    assert plate.rows[0].cells[1].caption == "FIG. 1: a perspective view thereof"  # by looks: the name says nothing
    assert plate.rows[1].scores == ()


def test_the_pdf_has_the_text_and_the_picture_the_pages(three: Plate) -> None:
    pdf = render_pdf(three)
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    for said in ("USD900003", "Granted: 2021-01-05", "FIG. 2: a front view thereof", "1 and 2: ", "Blue: lines"):
        assert said in text
    images = [image for page in PdfReader(io.BytesIO(pdf)).pages for image in page.images]
    assert len(images) == 6
    picture = Image.open(io.BytesIO(render_png(three)))
    assert picture.width > 1000
    assert picture.height % len(PdfReader(io.BytesIO(pdf)).pages) == 0


def test_many_pages_are_not_a_picture(three: Plate) -> None:
    long = replace(three, rows=three.rows * 70)
    assert len(PdfReader(io.BytesIO(render_pdf(long))).pages) > 40
    with pytest.raises(UsageError, match=r"The plate has \d+ pages; a picture takes up to 40\. Write it as PDF"):
        render_png(long)


def test_the_page_needs_nothing_else_and_escapes_everything(engine: Engine, folder: Path, tmp_path: Path) -> None:
    draw_design(1, 0).save(tmp_path / "a&b.png")
    page = render_page(make_plate(engine, tmp_path / "a&b.png", "USD900001"))
    assert "<h2>a&amp;b.png</h2>" in page
    assert page.count("data:image/png;base64,") == 3
    assert "no such view" in page
    assert "<script" not in page
    assert "http://" not in page


def test_the_command_writes_all_three_kinds(folder: Path, tmp_path: Path) -> None:
    words = ["plate", folder / "accused", "D900001", "D900002", "--index", folder / "index"]
    for kind, start in (("pdf", b"%PDF"), ("html", b"<!doctype html>"), ("png", b"\x89PNG")):
        done = run_here([*words, "--out", tmp_path / f"plate.{kind}"])
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"plate.{kind}").read_bytes().startswith(start)
    said = json.loads(run_here([*words, "--out", tmp_path / "plate.html", "--json"]).stdout)
    assert [column["name"] for column in said["columns"]] == ["accused", "USD900001", "USD900002"]
    assert said["rows"][0]["views"][0] == "perspective"


def test_what_is_wrong_is_one_line(engine: Engine, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="USD1234567 is not in the index"):
        make_plate(engine, "USD900001", "D1234567")
    with pytest.raises(InputError, match="is not in the index"):
        make_plate(engine, "no-such-file.png", "USD900001")
    with pytest.raises(InputError, match="holds no file"):
        make_plate(engine, tmp_path, "USD900001")
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"a\.png"):
        make_plate(engine, tmp_path, "USD900001")
    done = run_here(["plate", "D1", "D2", "--index", folder / "index", "--out", tmp_path / "plate.doc"])
    assert done.returncode == 2
    assert "expected a name that ends in .pdf, .html, .png" in done.stderr
