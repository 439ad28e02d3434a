"""SVG drawings: drawn on white, without anything from elsewhere."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from patsearch.drawings import svg
from patsearch.drawings.document import Reading, needs_isolation, read_figures
from patsearch.drawings.opening import open_image, open_picture
from patsearch.drawings.svg import is_svg
from patsearch.errors import ImageError, ImageTooLarge

pytest.importorskip("resvg_py", reason="needs resvg_py: pip install 'patsearch[svg]'")

BOX = '<rect x="10" y="10" width="60" height="20" fill="none" stroke="black"/>'


def drawing(content: str, attributes: str = 'width="100" height="50"', before: str = "") -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {names} {attributes}>{content}</svg>".encode()


def red(folder: Path) -> Path:
    Image.new("RGB", (50, 50), (255, 0, 0)).save(folder / "red.png")
    return folder / "red.png"


def test_lines_are_drawn_on_white_at_a_good_size() -> None:
    image = open_image(drawing(BOX))
    assert image.size == (1600, 800)
    ink = np.asarray(image.convert("L")) < 128
    assert ink[154:166, 200:1100].mean() > 0.8  # the upper side of the box
    assert not ink[:100].any()
    (figure,) = read_figures(drawing(BOX), Reading(), name="a").figures
    assert figure.image.shape[1] / figure.image.shape[0] == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("attributes", ['viewBox="0 0 100 50"', 'width="5cm" height="25mm"', 'viewBox="0 0 1e5 5e4"'])
def test_any_size_is_fitted(attributes: str) -> None:
    width, height = open_image(drawing(BOX, attributes)).size
    assert width == 1600
    assert height == pytest.approx(800, abs=8)


@pytest.mark.parametrize(
    "before",
    [
        "\ufeff", "<?xml version='1.0' encoding='UTF-8'?>\n<!-- by hand -->", "\n\n",
        "<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd'"
        " [<!ENTITY ns_svg 'http://www.w3.org/2000/svg'>]>",
        "<!-- " + "x" * 3000 + " -->",
    ],
    ids=["bom", "declaration", "blank lines", "doctype", "long comment"],
)  # fmt: skip
def test_what_comes_before_the_drawing(before: str) -> None:
    data = drawing(BOX, before=before)
    assert is_svg(data.lstrip())
    assert needs_isolation(data.lstrip())
    assert open_image(data).size == (1600, 800)


def test_a_picture_within_the_file_is_drawn(tmp_path: Path) -> None:
    encoded = base64.b64encode(red(tmp_path).read_bytes()).decode()
    inside = f'<image xlink:href="data:image/png;base64,{encoded}" width="100" height="50"/>'
    image, remark = open_picture(drawing(inside), name="a")
    assert np.asarray(image.convert("RGB"))[400, 800].tolist() == [255, 0, 0]
    assert remark is None


@pytest.mark.parametrize("attribute", ["href", "xlink:href", "\n  xlink:href"])
def test_files_of_this_machine_are_not_read(tmp_path: Path, attribute: str) -> None:
    nested = base64.b64encode(drawing(f'<image href="{red(tmp_path)}" width="100" height="50"/>')).decode()
    for address in (
        str(red(tmp_path)),
        red(tmp_path).as_uri(),
        f" {red(tmp_path)}",
        f"data:image/svg+xml;base64,{nested}",
    ):
        for element in (
            f'<image {attribute}="{address}" width="100" height="50"/>',
            f'<filter id="f"><feImage {attribute}="{address}"/></filter><g filter="url(#f)">{BOX}</g>',
        ):
            image, remark = open_picture(drawing(BOX + element), name="a")
            colours = np.asarray(image.convert("RGB")).reshape(-1, 3)
            assert (colours.max(axis=1) - colours.min(axis=1)).max() < 30
            assert remark == "left out: 1 picture of other files"


def test_text_is_left_out_and_said() -> None:
    image, remark = open_picture(drawing(f'{BOX}<text x="10" y="40">FIG. 1</text>'), name="a")
    assert not (np.asarray(image.convert("L"))[560:] < 128).any()
    assert remark == "left out: 1 text"
    document = read_figures(drawing(f'{BOX}<text x="10" y="40">FIG. 1</text>'), Reading(), name="a")
    assert document.remarks == ("a: left out: 1 text",)


# ---------------------------------------------------------------------- bad files


def uses(levels: int) -> str:
    inner = f'<g id="a0">{BOX}</g>'
    for level in range(1, levels):
        inner += f'<g id="a{level}">' + f'<use href="#a{level - 1}" x="1"/>' * 10 + "</g>"
    return f'<defs>{inner}</defs><use href="#a{levels - 1}"/>'


@pytest.mark.parametrize(
    "data",
    [
        drawing(BOX)[:60],
        drawing("<g>" * 5000 + "</g>" * 5000),
        drawing(uses(12)),
        drawing("&nothing;"),
        b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'>"
        + b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
        + b"]><svg xmlns='http://www.w3.org/2000/svg'><g id='&j;'/></svg>",
        b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg xmlns='http://www.w3.org/2000/svg'>&x;</svg>",
        b"<svg",
        b"<?xml version='1.0' encoding='no-such'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
    ids=["cut", "deep", "copies of copies", "entity", "entities of entities", "file", "begun", "encoding"],
)
def test_bad_files_are_one_line(data: bytes) -> None:
    with pytest.raises(ImageError) as refused:
        open_image(data, name="a.svg")
    assert str(refused.value).startswith("a.svg is ")
    assert "\n" not in str(refused.value)


def test_more_elements_or_bytes_than_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "_MOST_ELEMENTS", 10)
    with pytest.raises(ImageTooLarge, match="a has more than 10 elements"):
        open_image(drawing(BOX * 20), name="a")
    monkeypatch.setattr(svg, "MAX_SVG", 100)
    with pytest.raises(ImageTooLarge, match="the limit of an SVG is 100"):
        open_image(drawing(BOX * 20), name="a")


def test_other_files_are_not_svg() -> None:
    for data in (b"", b"<html><svg></svg></html>", b"<?xml version='1.0'?><a/>", b"\x89PNG<svg>"):
        assert not is_svg(data)
