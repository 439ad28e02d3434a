"""Opening images that anybody may have sent: bounded, quiet, and in one of three modes.

`open_image` decides by the first bytes which of ten formats a file has, reads its header, refuses what
is too large before a pixel is decoded, and answers damage with one `ImageError`. `open_grey` does so
for the many sheets of an ingest, of which nothing but the pixels is needed.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    ImageOps,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from patsearch.drawings.fax import read_fax
from patsearch.drawings.faxlines import damaged_lines
from patsearch.drawings.grey import to_grey
from patsearch.drawings.libtiff import listening
from patsearch.drawings.svg import draw_svg, is_svg
from patsearch.drawings.tiff import X_RESOLUTION, Y_RESOLUTION, taller, tiff_pages
from patsearch.errors import ImageError, ImageTooLarge, PluginError, UnknownFormat

MAX_BYTES = 256 << 20
MAX_PIXELS = 100_000_000
# Twice the bound at which PIL warns is where some of its readers refuse on their own.
MAX_PIXELS_BILEVEL = 175_000_000

# The readers are called directly and not through Image.open: no other format can be reached that way
# (PostScript would start a program), and PIL's own bound, which warns, is not in the way of ours.
_READERS: tuple[tuple[bytes, int, str, Callable[..., ImageFile.ImageFile]], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "PNG", PngImagePlugin.PngImageFile),
    (b"\xff\xd8\xff", 0, "JPEG", JpegImagePlugin.jpeg_factory),
    (b"II*\0", 0, "TIFF", TiffImagePlugin.TiffImageFile),
    (b"MM\0*", 0, "TIFF", TiffImagePlugin.TiffImageFile),
    (b"II+\0", 0, "TIFF", TiffImagePlugin.TiffImageFile),
    (b"MM\0+", 0, "TIFF", TiffImagePlugin.TiffImageFile),
    (b"\0\0\0\x0cjP  \r\n\x87\n", 0, "JPEG 2000", Jpeg2KImagePlugin.Jpeg2KImageFile),
    (b"\xff\x4f\xff\x51", 0, "JPEG 2000", Jpeg2KImagePlugin.Jpeg2KImageFile),
    (b"GIF8", 0, "GIF", GifImagePlugin.GifImageFile),
    (b"BM", 0, "BMP", BmpImagePlugin.BmpImageFile),
    (b"WEBP", 8, "WebP", WebPImagePlugin.WebPImageFile),
)
_OF_BROWSERS = frozenset({"PNG", "JPEG", "GIF", "BMP", "WebP", "AVIF"})
_ORIENTATION, _LYING = 274, (5, 6, 7, 8)
_BLANK = b" \t\r\n"
SNIFFED = 1024  # bytes of a file that show what it is
_READABLE = "PNG, JPEG, JPEG 2000, TIFF, GIF, BMP, WebP, AVIF, HEIC, SVG and PDF are read"
# Kinds of the container that AVIF and HEIC share: their names are within the first box.
_BOX = b"ftyp"
_AVIF, _HEIC = (b"avif", b"avis"), (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")

# Files that are often sent and cannot be read, by a mark among the first bytes, and what to do about them.
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF", "Give it a name that ends with .pdf."),
    (b"%!PS", "PostScript", "Convert it to PNG first."),
    (b"\x1f\x8b", "a gzip file", "Unpack it first; an SVGZ drawing must be converted to PNG."),
    (b"JXL ", "a JPEG XL image", "Export it as PNG or JPEG first."),
    (b"8BPS", "a Photoshop file", "Export it as PNG first."),
)

# Of a damaged sheet's lines; with more gone it is no longer the drawing that it was.
_MOST_GONE = 0.1
_FAX_LINE = re.compile(r"^Fax\w*: .*\bline (\d+) of (\S+ \d+)")


def open_image(
    source: bytes | Path,
    *,
    name: str = "",
    page: int = 1,
    max_bytes: int = MAX_BYTES,
    max_pixels: int | None = None,
) -> Image.Image:
    """The picture in a file, upright, in mode "1", "L" or "RGB"; transparent becomes white.

    Args:
        source: the file's bytes, or its path.
        name: what errors call it; the path by default.
        page: page of a multi-page TIFF (or frame of a GIF), from 1.
        max_bytes: larger files are refused unread.
        max_pixels: larger pictures are refused undecoded; None means 175 million pixels for 1-bit and
            100 million for all others, and 175 million is the upper limit.

    Raises:
        UnknownFormat, ImageTooLarge: what they say; both are ImageErrors.
        ImageError: damaged, or without that page.
    """
    name = name or (str(source) if isinstance(source, Path) else "The image")
    return open_picture(read_bytes(source, name, max_bytes), name=name, page=page, max_pixels=max_pixels)[0]


def open_picture(
    data: bytes, *, name: str, page: int = 1, max_pixels: int | None = None
) -> tuple[Image.Image, str | None]:
    """As `open_image` of a file's bytes, with the remark on what of it is damaged."""
    # Two threads that enter and leave this at the same time can at worst leave the narrow filter behind.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\..*")
        limit = MAX_PIXELS_BILEVEL if max_pixels is None else min(max_pixels, MAX_PIXELS_BILEVEL)
        if is_svg(data):
            data, told = draw_svg(data, name=name)
            return _decode(data, name, page, max_pixels)[0], told
        fax = _read_fax(data, name, limit, page)
        if fax is not None:
            return Image.fromarray(fax[0]).convert("1", dither=Image.Dither.NONE), fax[1]
        return _decode(data, name, page, max_pixels)


def count_pages(data: bytes) -> int:
    """The number of pages of a TIFF, without thumbnails and masks; 1 for other files."""
    return max(1, len(tiff_pages(data)))


def has_frames(data: bytes) -> bool:
    """Whether a file is an animation: GIF, WebP or PNG with several pictures, of which the first is read."""
    try:
        kind, reader = _recognise(data, "")
        return kind in ("GIF", "WebP", "PNG", "AVIF") and bool(getattr(reader(io.BytesIO(data)), "is_animated", False))
    except Exception:  # as when it is opened, which says why
        return False


def open_grey(data: bytes, *, name: str = "", page: int = 1) -> tuple[NDArray[np.uint8], bool, str | None]:
    """What `to_grey` makes of `open_image`, sooner, and a remark on what of it is damaged.

    Returns:
        (H, W) uint8 grey; whether the picture has two tones alone; the remark. Damaged lines of a fax-coded sheet are
        white, and the remark has their number.

    Raises:
        ImageError: as `open_image` does.
    """
    name = name or "The image"
    data = read_bytes(data, name, MAX_BYTES)
    if is_svg(data):
        image, remark = open_picture(data, name=name, page=page)
        return to_grey(image), False, remark
    fax = _read_fax(data, name, MAX_PIXELS_BILEVEL, page)
    if fax is not None:
        return fax[0], True, fax[1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\..*")
        image, remark = _decode(data, name, page, None)
    return to_grey(image), image.mode == "1", remark


def _read_fax(data: bytes, name: str, max_pixels: int, page: int) -> tuple[NDArray[np.uint8], str | None] | None:
    fax = read_fax(data, max_pixels, page=page)
    if fax is None:
        return None
    remark = _damage(fax.gone, len(fax.grey), name)
    if fax.taller != 1.0:
        return np.asarray(_square(Image.fromarray(fax.grey), fax.taller)), remark
    return fax.grey, remark


def _damage(gone: int, lines: int, name: str) -> str | None:
    """The remark on lines that are damaged, None for none."""
    if gone > _MOST_GONE * lines:
        raise ImageError(
            f"{name} is a damaged TIFF file: {gone} of {lines} lines cannot be read.", hint="Find a copy that is whole."
        )
    return f"the file is damaged: {gone} of {lines} lines cannot be read" if gone else None


def read_bytes(source: bytes | Path, name: str, max_bytes: int) -> bytes:
    """The bytes of a file, without blanks before them.

    Raises:
        ImageTooLarge: it has more than `max_bytes`.
        ImageError: it cannot be read, or is empty.
    """
    if isinstance(source, bytes):
        size, data = len(source), source
    else:
        try:
            if not source.is_file():
                problem = "is a folder" if source.is_dir() else "does not exist"
                raise ImageError(f"{name} {problem}.", hint="Give the path of an image file.")
            size = source.stat().st_size
            data = source.read_bytes() if size <= max_bytes else b""
        except OSError as error:
            raise ImageError(f"{name} cannot be read: {error.strerror}.") from error
    if size > max_bytes:
        raise ImageTooLarge(
            f"{name} has {size:,} bytes; the limit is {max_bytes:,}.", hint="Save a smaller copy of the drawing."
        )
    if not data:
        raise ImageError(f"{name} is empty.")
    # A line feed before the picture, as some programs and mail leave it.
    return data.lstrip(_BLANK) if data[0] in _BLANK else data


def _decode(data: bytes, name: str, page: int, max_pixels: int | None) -> tuple[Image.Image, str | None]:
    kind, reader = _recognise(data, name)
    try:
        if kind == "PNG":
            _check_png(data)
        image = reader(io.BytesIO(data))
        _turn_to(image, data, page, name)
        _check_size(image, name, max_pixels)
        ratio = _ratio(image)
        with listening() as messages:
            image.load()
        # Fax codings other than that of `read_fax`: a line that is not coded properly is not the line that was scanned.
        said = {found.groups() for text in messages or () if (found := _FAX_LINE.match(text))}
        lines = damaged_lines(data, page, image) or ()
        remark = _damage(max(len(said), len(lines)), image.height, name)
        for line in lines:
            image.paste(255, (0, line, image.width, line + 1))
        return _square(_plain(image), ratio), remark
    except ImageError:
        raise
    except Exception as error:  # PIL's readers raise two dozen kinds on damaged files, down to IndexError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(
            f"{name} is a damaged {kind} file: {reason.rstrip('.')}.", hint="Open it in a viewer and save it again."
        ) from error


def _check_png(data: bytes) -> None:
    """Raises ValueError where a part of the picture is not what its checksum is of, which Pillow does not look at."""
    view, at = memoryview(data), len(_READERS[0][0])
    while at + 12 <= len(view):
        length, kind = struct.unpack_from(">I4s", view, at)
        end = at + 8 + length
        if end + 4 > len(view):
            return  # cut short, which the decoder finds
        if kind[:1].isupper() and zlib.crc32(view[at + 4 : end]) != struct.unpack_from(">I", view, end)[0]:
            raise ValueError("a checksum is wrong")
        at = end + 4


def is_picture(data: bytes) -> bool:
    """Whether a file begins as a picture of a known format does."""
    return _boxed(data) is not None or any(data.startswith(magic, offset) for magic, offset, _, _ in _READERS)


def is_shown_by_browsers(data: bytes) -> bool:
    """Whether a file is a picture of a format that browsers show, as far as its first bytes say."""
    return is_svg(data) or (is_picture(data) and not is_heic(data) and _recognise(data, "")[0] in _OF_BROWSERS)


def is_heic(data: bytes) -> bool:
    """Whether a file is a HEIC photo."""
    return _boxed(data) == "HEIC"


def _boxed(data: bytes) -> Literal["AVIF", "HEIC"] | None:
    """Which of the two kinds of a common container a file is."""
    if data[4:8] != _BOX:
        return None
    end = min(int.from_bytes(data[:4], "big"), SNIFFED)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end, 4))]
    return "AVIF" if any(b in _AVIF for b in brands) else "HEIC" if any(b in _HEIC for b in brands) else None


def _boxed_reader(kind: Literal["AVIF", "HEIC"], name: str) -> Callable[..., ImageFile.ImageFile]:
    if kind == "AVIF":
        if not AvifImagePlugin.SUPPORTED:
            raise UnknownFormat(f"{name} is an AVIF image, which this Pillow does not read.", hint="Save it as PNG.")
        return AvifImagePlugin.AvifImageFile
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise PluginError(
            "Reading HEIC needs a package that is not installed: pillow-heif.",
            hint="Run: pip install 'patsearch[heic]'; or save the photo as JPEG.",
        ) from error
    reader: Callable[..., ImageFile.ImageFile] = HeifImageFile
    return reader


def _recognise(data: bytes, name: str) -> tuple[str, Callable[..., ImageFile.ImageFile]]:
    for magic, offset, kind, reader in _READERS:
        if data.startswith(magic, offset):
            return kind, reader
    if (boxed := _boxed(data)) is not None:
        return boxed, _boxed_reader(boxed, name)
    head = data[:SNIFFED]
    for mark, what, hint in _FOREIGN:
        if mark in head:
            raise UnknownFormat(f"{name} is {what}, which is not read ({_READABLE}).", hint=hint)
    raise UnknownFormat(f"{name} is not an image of a known format.", hint=f"{_READABLE}.")


def describe(head: bytes) -> str:
    """What a file that is not read as a drawing is, in words, from its first kilobyte."""
    if is_picture(head):
        return "images whose names do not end as an image's"
    for mark, what, hint in _FOREIGN:
        if mark in head:
            return f"{what}, which is not read; {hint[0].lower()}{hint[1:].rstrip('.')}"
    return "not images of a known format"


def _turn_to(image: ImageFile.ImageFile, data: bytes, page: int, name: str) -> None:
    frames = _frames(image, data)
    if not 1 <= page <= len(frames):
        raise ImageError(f"{name} has no page {page}.", hint=f"It has {len(frames)}; pages count from 1.")
    if frames[page - 1]:
        image.seek(frames[page - 1])


def _frames(image: ImageFile.ImageFile, data: bytes) -> list[int]:
    """The numbers that Pillow gives to the pages of a file."""
    frames = [frame for frame, _ in tiff_pages(data)]
    return frames or list(range(getattr(image, "n_frames", 1)))  # only some formats have the attribute


def _check_size(image: Image.Image, name: str, max_pixels: int | None) -> None:
    default = MAX_PIXELS_BILEVEL if image.mode == "1" else MAX_PIXELS
    limit = default if max_pixels is None else min(max_pixels, MAX_PIXELS_BILEVEL)
    width, height = image.size
    if width * height > limit:
        raise ImageTooLarge(
            f"{name} has {width:,} x {height:,} pixels; the limit is {limit:,}.",
            hint="Save a smaller copy of the drawing.",
        )


def _plain(image: Image.Image) -> Image.Image:
    """Upright, without transparency, in mode "1", "L" or "RGB"."""
    if image.mode == "1" and image.format == "TIFF" and "transparency" not in image.info:
        # The sheets of the patent office; PIL has turned a TIFF by its orientation tag already.
        return image
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        return _flatten(np.asarray(image.convert("RGBA")))
    if image.mode in ("1", "L", "RGB"):
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(to_grey(image))
    return image.convert("RGB")


def _ratio(image: Image.Image) -> float:
    """Height of a pixel in widths, 1 where the file does not say it; read it before the picture is turned upright."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        across, down = ([float(v)] if (v := image.tag_v2.get(tag)) else [] for tag in (X_RESOLUTION, Y_RESOLUTION))
        orientation = image.tag_v2.get(_ORIENTATION, 1)
    else:
        # Dots per inch, or numbers without a unit, whose ratio alone counts.
        said = next((v for key in ("dpi", "aspect", "jfif_density") if (v := image.info.get(key))), (1, 1))
        across, down = ([float(value)] for value in said)
        orientation = image.getexif().get(_ORIENTATION, 1)
    ratio = taller(across, down)
    return 1 / ratio if orientation in _LYING else ratio


def _square(image: Image.Image, ratio: float) -> Image.Image:
    """With square pixels, where they are this many times as high as wide: more of them in the coarser direction."""
    width, height = round(image.width * max(1.0, 1 / ratio)), round(image.height * max(1.0, ratio))
    if ratio == 1.0 or width * height > MAX_PIXELS:
        return image
    # The nearest pixel, so that two tones stay two.
    return image.resize((width, height), Image.Resampling.NEAREST)


def _flatten(rgba: NDArray[Any]) -> Image.Image:
    """(H, W, 4) over white; over black and inverted where the ink itself is white."""
    alpha = rgba[:, :, 3:].astype(np.float32) / 255
    colour = rgba[:, :, :3].astype(np.float32)
    visible = alpha[:, :, 0] > 0.5
    white_ink = bool(visible.any()) and not visible.all() and float(colour[visible].min()) > 200
    over_white = colour * alpha + (0 if white_ink else 255) * (1 - alpha)
    flat = np.rint(255 - over_white if white_ink else over_white).astype(np.uint8)
    return Image.fromarray(flat)
