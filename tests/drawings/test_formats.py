"""Formats and habits of scanners, fax machines and mail."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from makers import draw_design
from PIL import Image, features

from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import open_image
from patsearch.drawings.photo import open_sheet
from patsearch.errors import ImageError, PluginError

DRAWN = draw_design(3, 0, (400, 500))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.skipif(not features.check("jpg_2000"), reason="a Pillow without JPEG 2000")
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_2000(mode: str, bare: bool) -> None:
    data = encoded(DRAWN.convert(mode), "JPEG2000", no_jp2=bare)
    grey, remark = open_sheet(data)
    np.testing.assert_array_equal(grey, np.asarray(DRAWN))
    assert remark is None
    with pytest.raises(ImageError, match="a damaged JPEG 2000 file"):
        open_sheet(data[: len(data) // 3], name="a.jp2")
    with pytest.raises(ImageError, match="limit"):
        open_image(data, max_pixels=100)


@pytest.mark.skipif(not features.check("avif"), reason="a Pillow without AVIF")
def test_avif() -> None:
    check_photo(encoded(DRAWN, "AVIF", quality=90), "AVIF")


def test_heic() -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs pillow_heif: pip install 'patsearch[heic]'")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(DRAWN).save(buffer, quality=90)
    check_photo(buffer.getvalue(), "HEIC")
    turned = DRAWN.getexif()
    turned[274] = 6
    pillow_heif.from_pillow(DRAWN).save(buffer := io.BytesIO(), quality=90, exif=turned.tobytes())
    assert open_image(buffer.getvalue()).size in (DRAWN.size, DRAWN.size[::-1])


def check_photo(data: bytes, kind: str) -> None:
    """Read nearly as it was; damage, size and cuts are one line."""
    grey, remark = open_sheet(data)
    assert grey.shape == (500, 400)
    assert np.abs(grey.astype(int) - np.asarray(DRAWN)).mean() < 6
    assert remark is None
    with pytest.raises(ImageError, match=rf"^a is a damaged {kind} file"):
        open_sheet(data[: len(data) // 3], name="a")
    with pytest.raises(ImageError, match="a has 400 x 500 pixels; the limit is 100"):
        open_image(data, name="a", max_pixels=100)


@pytest.mark.parametrize(
    ("missing", "data", "extra"),
    [("pillow_heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic"), ("resvg_py", b"<svg></svg>", "svg")],
)
def test_a_missing_package_is_named(missing: str, data: bytes, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PluginError, match=rf"pip install 'patsearch\[{extra}\]'"):
        open_sheet(data, name="a")


@pytest.mark.parametrize(("compression", "big"), [("raw", False), ("tiff_lzw", False), ("raw", True)])
def test_tiff_of_both_sizes(compression: str, big: bool) -> None:
    data = encoded(DRAWN, "TIFF", compression=compression, big_tiff=big)
    assert data[2:4] == (b"+\0" if big else b"*\0")
    np.testing.assert_array_equal(open_sheet(data)[0], np.asarray(DRAWN))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP"])
def test_a_line_feed_before_a_picture(kind: str) -> None:
    data = encoded(DRAWN, kind)
    for before in (b"\n", b"\r\n", b" \t\n\n"):
        np.testing.assert_array_equal(open_sheet(before + data)[0], open_sheet(data)[0])
        assert open_image(before + data).size == DRAWN.size
    with pytest.raises(ImageError, match="not an image"):
        open_sheet(b"\n" * 10)


def test_a_wrong_checksum_of_a_png_is_damage() -> None:
    """Pillow does not look at it, and may return a picture of something else."""
    data = encoded(DRAWN, "PNG", compress_level=0)
    at = data.index(b"IDAT") + 2000
    with pytest.raises(ImageError, match=r"a\.png is a damaged PNG file: a checksum is wrong"):
        open_sheet(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], name="a.png")
    assert open_sheet(data[:-12])[1] is None  # the mark at the end is not a part of the picture


@pytest.mark.parametrize(("compression", "mode"), [("group4", "1"), ("group3", "1"), ("tiff_lzw", "L"), ("raw", "RGB")])
@pytest.mark.parametrize("dpi", [(204, 98), (204, 196), (100, 200)])
def test_faxes_get_square_pixels(compression: str, mode: str, dpi: tuple[int, int]) -> None:
    longer = max(dpi)
    scanned = DRAWN.resize((400 * dpi[0] // longer, 500 * dpi[1] // longer), Image.Resampling.NEAREST)
    data = encoded(scanned.convert(mode), "TIFF", compression=compression, dpi=dpi)
    grey, _ = open_sheet(data)
    assert abs(grey.shape[0] - 500) <= 2
    assert abs(grey.shape[1] - 400) <= 2
    np.testing.assert_array_equal(grey, to_grey(open_image(data)))
    if mode == "1":
        assert open_image(data).mode == "1"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
@pytest.mark.parametrize("turned", [False, True])
def test_faxes_in_other_formats_get_square_pixels(kind: str, turned: bool) -> None:
    exif = Image.Exif()
    exif[274] = 6
    options: dict[str, object] = {"exif": exif} if turned and kind != "BMP" else {}
    scanned = DRAWN.resize((400, 250), Image.Resampling.NEAREST)
    stored = scanned.transpose(Image.Transpose.ROTATE_90) if options else scanned
    data = encoded(stored, kind, dpi=(100, 200) if options else (200, 100), **options)
    assert open_sheet(data)[0].shape == (500, 400)
    assert open_image(data).size == (400, 500)


def test_a_ratio_without_a_unit() -> None:
    data = encoded(DRAWN.resize((400, 250)), "JPEG")
    at = data.index(b"JFIF") + 7
    assert open_sheet(data)[0].shape == (250, 400)
    changed = data[:at] + b"\0\0\x02\0\x01" + data[at + 5 :]
    assert open_sheet(changed)[0].shape == (500, 400)
    assert open_sheet(data[:at] + b"\0\0\0\0\0" + data[at + 5 :])[0].shape == (250, 400)


def test_a_turned_fax_gets_square_pixels() -> None:
    scanned = DRAWN.resize((400, 250), Image.Resampling.NEAREST).transpose(Image.Transpose.ROTATE_90)
    # Turned by its tag: the resolutions are of the picture as it is stored.
    data = encoded(scanned.convert("1"), "TIFF", compression="group4", dpi=(100, 200), tiffinfo={274: 6})
    assert open_sheet(data)[0].shape == (500, 400)


@pytest.mark.parametrize("dpi", [(300, 300), (300, 299), (1, 300), (0, 0)])
def test_other_resolutions_change_nothing(dpi: tuple[int, int]) -> None:
    data = encoded(DRAWN.convert("1"), "TIFF", compression="group4", dpi=dpi)
    assert open_sheet(data)[0].shape == (500, 400)
