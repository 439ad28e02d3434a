"""Opening images: formats, modes, bounds, damage."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from patsearch.drawings.opening import open_image
from patsearch.drawings.photo import normalise_polarity
from patsearch.errors import ImageError


def drawing(mode: str = "L", size: tuple[int, int] = (120, 80)) -> Image.Image:
    """A black L-shaped stroke, not symmetric under any turn."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).line([(20, 10), (20, 60), (100, 60)], fill=0, width=3)
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def ink(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L")) < 128


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "1", {}),
        ("PNG", "L", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("PNG", "LA", {}),
        ("JPEG", "L", {"quality": 95}),
        ("JPEG", "RGB", {"quality": 95}),
        ("JPEG", "CMYK", {"quality": 95}),
        ("TIFF", "1", {"compression": "group4"}),
        ("TIFF", "1", {}),
        ("TIFF", "L", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {"compression": "tiff_deflate"}),
        ("TIFF", "CMYK", {}),
        ("GIF", "P", {}),
        ("BMP", "1", {}),
        ("BMP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"lossless": True}),
    ],
)
def test_reads_every_format_and_mode(kind: str, mode: str, options: dict[str, object]) -> None:
    opened = open_image(encoded(drawing(mode), kind, **options))
    assert opened.mode in {"1", "L", "RGB"}
    assert opened.size == (120, 80)
    np.testing.assert_array_equal(ink(opened), ink(drawing()))


def test_group4_sheet_stays_one_bit() -> None:
    assert open_image(encoded(drawing("1"), "TIFF", compression="group4")).mode == "1"


def test_sixteen_bit() -> None:
    wide = np.asarray(drawing(), dtype=np.uint16) * 257
    for kind in ("PNG", "TIFF"):
        opened = open_image(encoded(Image.fromarray(wide), kind))
        assert opened.mode == "L"
        np.testing.assert_array_equal(ink(opened), ink(drawing()))


def test_transparent_is_white() -> None:
    rgba = np.zeros((80, 120, 4), np.uint8)  # transparent black everywhere
    rgba[..., 3] = ink(drawing()) * 255
    np.testing.assert_array_equal(ink(open_image(encoded(Image.fromarray(rgba), "PNG"))), ink(drawing()))


def test_white_strokes_on_transparency_become_dark() -> None:
    rgba = np.full((80, 120, 4), 255, np.uint8)
    rgba[..., 3] = ink(drawing()) * 255
    np.testing.assert_array_equal(ink(open_image(encoded(Image.fromarray(rgba), "PNG"))), ink(drawing()))


def test_transparent_palette_entry_is_white() -> None:
    palette = drawing("P")
    opened = open_image(encoded(palette, "GIF", transparency=palette.getpixel((0, 0))))
    np.testing.assert_array_equal(ink(opened), ink(drawing()))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_camera_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = drawing().transpose(undo[orientation]) if orientation > 1 else drawing()
    for kind, options in (("JPEG", {"quality": 95}), ("PNG", {}), ("TIFF", {})):
        opened = open_image(encoded(stored, kind, exif=exif, **options))
        np.testing.assert_array_equal(ink(opened), ink(drawing()), err_msg=kind)


def test_pages_of_a_tiff() -> None:
    second = drawing().transpose(Image.Transpose.ROTATE_180)
    data = encoded(drawing("1"), "TIFF", save_all=True, append_images=[second.convert("1")], compression="group4")
    np.testing.assert_array_equal(ink(open_image(data)), ink(drawing()))
    np.testing.assert_array_equal(ink(open_image(data, page=2)), ink(second))
    with pytest.raises(ImageError, match=r"has no page 3\. It has 2"):
        open_image(data, page=3)
    with pytest.raises(ImageError, match="has no page 0"):
        open_image(data, page=0)


def huge_png(side: int, bits: int) -> bytes:
    """A PNG whose header promises side x side pixels; the data is short, which must not matter."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def huge_tiff(side: int) -> bytes:
    """A 1-bit TIFF header of side x side pixels with one short strip."""
    tags = [
        (256, 4, side),
        (257, 4, side),
        (258, 3, 1),
        (259, 3, 1),
        (262, 3, 0),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, side),
    ]
    tags.append((279, 4, 4))
    directory = struct.pack("<H", len(tags))
    for tag, kind, value in tags:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    return b"II*\0" + struct.pack("<I", 12) + b"\0\0\0\0" + directory + b"\0\0\0\0"


@pytest.mark.parametrize("data", [huge_tiff(20_000), huge_png(20_000, 1), huge_png(20_000, 8), huge_png(60_000, 16)])
def test_too_many_pixels_are_refused_by_the_header(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"big has \d\d,000 x \d\d,000 pixels; the limit is (100|175),000,000"):
        open_image(data, name="big")


def test_a_large_sheet_within_the_bounds_is_read() -> None:
    # Beyond the size at which PIL itself would warn.
    side = 13_000
    opened = open_image(encoded(Image.new("1", (side, side), 1), "TIFF", compression="group4"))
    assert opened.size == (side, side)


def test_bounds_can_be_set(tmp_path: Path) -> None:
    data = encoded(drawing(), "PNG")
    with pytest.raises(ImageError, match="the limit is 100"):
        open_image(data, max_pixels=100)
    path = tmp_path / "drawing.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=rf"drawing\.png has {len(data)} bytes; the limit is 10\."):
        open_image(path, max_bytes=10)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP"])
def test_damage_is_an_image_error(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(7)
    # Noise, so that the pixels make up most of the file.
    whole = encoded(Image.fromarray(rng.integers(0, 256, (90, 90), dtype=np.uint8)), kind)
    for cut in (9, 16, 30, len(whole) // 2):
        with pytest.raises(ImageError) as caught:
            open_image(whole[:cut], name="cut.img")
        assert "\n" not in str(caught.value)
    for _ in range(150):
        broken = bytearray(whole)
        for position in rng.integers(0, min(len(broken), 400), 4):
            broken[position] = rng.integers(0, 256)
        with contextlib.suppress(ImageError):  # and nothing but ImageError comes out
            open_image(bytes(broken), max_pixels=10**6)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "is PostScript"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "is a JPEG XL image"),
        (b"hello", "is not an image of a known format"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_image_says_what_it_is(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        open_image(data)


def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "drawing.tif"
    path.write_bytes(encoded(drawing("1"), "TIFF", compression="group4"))
    np.testing.assert_array_equal(ink(open_image(path)), ink(drawing()))
    with pytest.raises(ImageError, match=r"nothing\.png does not exist"):
        open_image(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="is a folder"):
        open_image(tmp_path)


class TestPolarity:
    def test_white_on_black_is_inverted(self) -> None:
        for mode in ("1", "L", "RGB"):
            negative = Image.fromarray(255 - np.asarray(drawing())).convert(mode)
            turned, inverted = normalise_polarity(negative)
            assert inverted
            np.testing.assert_array_equal(ink(turned), ink(drawing()))

    def test_black_on_white_stays(self) -> None:
        image = drawing("1")
        assert normalise_polarity(image) == (image, False)

    def test_a_scanner_border_is_not_a_black_ground(self) -> None:
        framed = np.asarray(drawing()).copy()
        framed[:5] = framed[-5:] = 0
        framed[:, :5] = framed[:, -5:] = 0
        assert not normalise_polarity(Image.fromarray(framed))[1]

    def test_a_rendering_on_black_and_an_all_black_image_stay(self) -> None:
        ramp = np.zeros((100, 100), np.uint8)
        ramp[20:80, 20:80] = np.linspace(60, 200, 60).astype(np.uint8)
        assert not normalise_polarity(Image.fromarray(ramp))[1]
        assert not normalise_polarity(Image.new("L", (50, 50), 0))[1]
