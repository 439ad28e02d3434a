"""Pictures as drawings, for ingest and query: dark lines on white, also from a phone picture of a sketch.

    open -> crop (a query) -> dark on light -> even out the light where the picture is a photo of paper

A file that is indexed and then queried with becomes the same drawing both times.

A photo of paper differs from a drawing in its ground: the paper is grey and uneven, brightest where the
lamp is. The ground is estimated by a morphological closing, which removes everything thinner than its
kernel, and the picture is divided by it (Gonzalez and Woods, Digital Image Processing, section 9.6,
"shading correction"). A soft threshold then makes the paper white and keeps the strokes' edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.grey import WHITE, Grey, to_grey
from patsearch.drawings.opening import open_grey, open_image
from patsearch.errors import ImageError, UsageError

# The share of dark pixels along the border, and of nearly black or white pixels in all, from which a
# drawing counts as white on black.
_DARK, _LIGHT = 80, 175
_DARK_BORDER = 0.9
_TWO_TONES = 0.9
_MAX_LIGHT = 0.4
# A scanner's white edge around such a drawing is narrower than this share of the shorter side; pixels at its inner side
# are between the two.
_WHITE_EDGE, _BETWEEN = 1 / 25, 2
# Light lines on another dark ground, such as green on black or white on blue: of one shade, with nothing darker.
_GROUND, _EVEN, _LIGHTER, _MAX_DARKER = 128, 20, 40, 0.01
_LEAST_INK, _LEAST_PAPER = 0.65, 0.35  # of the way from ground to ink
_THICK, _MAX_THICK = 1 / 40, 0.25  # of the shorter side; the share of ink that is thicker, which is not a line
# A picture whose shades differ by less, or that has none lighter than this, shows nothing.
_LEAST_CONTRAST = 16
_BLACK = 64

# The longer side at which light is estimated, and the kernel there: wider than any stroke of a
# sketch that fills its picture, narrower than a shadow.
_SMALL = 400
_KERNEL = 25
# A picture whose margin, or half of it, is as white as this is a scan or a rendering, not a photo.
_PAPER_WHITE = 240
_WHITE_MARGIN = 0.9
_WHITE_HALF = 0.5
# What lines on paper look like once the light is evened out: mostly paper, some ink.
_MIN_PAPER = 0.7
_MIN_INK, _MAX_INK = 0.0005, 0.25
_MIN_LIGHT = 50
# Ground darker than this share of the lightest ground nearby is not a shadow but a dark thing: the table
# next to the sheet, or, where there is more of it than this within the picture, a photo of an object.
_DARK_GROUND = 0.5
_MAX_DARK = 0.1
# A step of the ground by this share within a pixel is an edge, not a slope of the light.
_STEP = 0.06
# More of the paper within such edges, all round: there is a thing on it. The edge of a shadow leads to the border.
MAX_ENCLOSED = 0.004


Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Lighting:
    """A picture and the light on its paper, both (H, W) float32 with white = 255."""

    grey: Floats
    ground: Floats


def query_image(
    source: bytes | Path | Image.Image,
    *,
    name: str = "",
    page: int = 1,
    crop: tuple[int, int, int, int] | None = None,
    clean: bool = True,
) -> Image.Image:
    """A query picture as dark lines on white.

    Args:
        source: a file's bytes, its path, or an image that is open already.
        name: what errors call it.
        page: page of a multi-page TIFF, from 1.
        crop: x, y, width and height in pixels of the upright picture.
        clean: whether to even out the light of a photo.

    Raises:
        ImageError: the picture cannot be read, or the crop is outside of it.
    """
    called = name or str(source if isinstance(source, Path) else "The image")
    image = source if isinstance(source, Image.Image) else open_image(source, name=name, page=page)
    if crop is not None:
        image = cropped(image, crop, called)
    grey = to_grey(image)
    _refuse_flat(grey, called)
    turned = _dark_on_light(grey)
    cleaned = _cleaned(turned) if clean and image.mode != "1" else turned
    return image if cleaned is grey else Image.fromarray(cleaned)


def open_sheet(data: bytes, *, name: str = "", page: int = 1) -> tuple[Grey, str | None]:
    """The picture in a file as the drawing that `query_image` makes of it, and a remark on what of it is damaged.

    Returns:
        (H, W) uint8, dark on white.

    Raises:
        ImageError: as `query_image` does.
    """
    grey, bilevel, remark = open_grey(data, name=name, page=page)
    _refuse_flat(grey, name)
    grey = _dark_on_light(grey)
    return grey if bilevel else _cleaned(grey), remark


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """A crop from `x,y,width,height`, in pixels of the upright picture.

    Raises:
        UsageError: the text is not a crop.
    """
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"{text[:60]!r} is not a crop.", hint="Write x,y,width,height in pixels, as in 10,20,300,400."
        ) from error
    if x < 0 or y < 0 or width < 1 or height < 1:
        raise UsageError(f"The crop {text[:60]} is empty or begins outside.", hint="x, y >= 0; width, height >= 1.")
    return x, y, width, height


def normalise_polarity(image: Image.Image) -> tuple[Image.Image, bool]:
    """The drawing as dark on light, and whether it was inverted for that.

    Only a clear case is inverted: a border that is dark all round, nearly all pixels close to black or
    to white, and the light ones a minority; or light lines on a dark ground of one shade.
    """
    grey = to_grey(image)
    turned = _dark_on_light(grey)
    return (image, False) if turned is grey else (Image.fromarray(turned), True)


def clean_photo(image: Image.Image) -> Image.Image:
    """Dark lines on white for a photo or uneven scan of a sketch; every other image unchanged.

    Left alone are drawings and renderings on a white ground, 1-bit images, and photographs of things
    (their picture, divided by its light, does not look like paper with lines).
    """
    if image.mode == "1":
        return image
    grey = to_grey(image)
    cleaned = _cleaned(grey)
    return image if cleaned is grey else Image.fromarray(cleaned)


def is_lined_paper(grey: Grey) -> bool:
    """Whether a picture, (H, W) uint8, is a photo of paper with lines on it, whose light is evened out."""
    return not _is_white(grey) and _lighting(grey) is not None


def evened(grey: Grey) -> Floats | None:
    """(H, W) 0 to 1, the paper in a picture by its light, where the paper is 1; None where it is not lined paper."""
    lighting = _lighting(grey)
    return None if lighting is None else _even(lighting)


def _cleaned(grey: Grey) -> Grey:
    """`clean_photo` of an array; the same array where nothing is to do."""
    if _is_white(grey):
        return grey
    lighting = _lighting(grey)
    return grey if lighting is None else drawn(_even(lighting))


def _dark_on_light(grey: Grey) -> Grey:
    """The same array, or the picture turned."""
    if _is_inverted(grey):
        return 255 - grey
    turned = _within_white_edge(grey)
    return _light_lines(grey) if turned is None else turned


def _within_white_edge(grey: Grey) -> Grey | None:
    """A white-on-black drawing with a white edge around it, turned; None for another picture."""
    most = int(min(grey.shape) * _WHITE_EDGE)
    if most < 1:
        return None
    # Most drawings are white there.
    if any(np.count_nonzero(line < _DARK) < _DARK_BORDER * line.size for line in (grey[most], grey[-1 - most])):
        return None
    widths = []
    for side in (grey[:most], grey[::-1][:most], grey.T[:most], grey.T[::-1][:most]):
        light = np.count_nonzero(side > _LIGHT, axis=1) >= _DARK_BORDER * side.shape[1]
        widths.append(int(np.flatnonzero(light)[-1]) + 1 + _BETWEEN if light.any() else 0)
    top, bottom, left, right = widths
    inner = (slice(top, grey.shape[0] - bottom), slice(left, grey.shape[1] - right))
    if not any(widths) or not _is_inverted(grey[inner]):
        return None
    turned = np.full_like(grey, WHITE)
    turned[inner] = 255 - grey[inner]
    return turned


def _light_lines(grey: Grey) -> Grey:
    """Lines that are lighter than a dark ground of one shade as black on white; the same array for another picture."""
    edge = max(1, min(grey.shape) // 50)
    if 2 * np.count_nonzero(grey[:edge] < _GROUND) < grey[:edge].size:  # most drawings
        return grey
    border = np.concatenate([part.ravel() for part in (grey[:edge], grey[-edge:], grey[:, :edge], grey[:, -edge:])])
    ground = float(np.median(border))
    lighter = grey > ground + _LIGHTER
    share = float(np.mean(lighter))
    if (
        ground >= _GROUND
        or np.mean(np.abs(border - ground) <= _EVEN) < _DARK_BORDER
        or np.mean(grey < ground - _EVEN) > _MAX_DARKER
        or not 0 < share <= _MAX_LIGHT
    ):
        return grey
    ink = float(np.percentile(grey[lighter], 75))
    way = (grey - ground) / (ink - ground)
    side = max(3, int(min(grey.shape) * _THICK))
    thick = cv2.erode(lighter.astype(np.uint8), np.ones((side, side), np.uint8))
    thick = cv2.dilate(thick, np.ones((side, side), np.uint8))
    if np.mean((way >= _LEAST_INK) | (way <= _LEAST_PAPER)) < _TWO_TONES or np.count_nonzero(
        thick
    ) > _MAX_THICK * np.count_nonzero(lighter):
        return grey
    return np.asarray(np.rint(WHITE * (1 - np.clip(way, 0, 1))), np.uint8)


def _is_inverted(grey: Grey) -> bool:
    edge = max(1, min(grey.shape) // 50)
    border = grey[:edge], grey[-edge:], grey[:, :edge], grey[:, -edge:]
    least = _DARK_BORDER * sum(side.size for side in border)
    left = sum(side.size for side in border)
    for side in border:  # the upper edge of a sheet is enough to see that it is not dark
        left -= int(np.count_nonzero(side >= _DARK))
        if left < least:
            return False
    dark, light = np.count_nonzero(grey < _DARK) / grey.size, np.count_nonzero(grey > _LIGHT) / grey.size
    return bool(dark + light >= _TWO_TONES and 0 < light <= _MAX_LIGHT)


def _refuse_flat(grey: Grey, name: str) -> None:
    """Raises ImageError for a picture that is all black or all of one grey; white ones are blank sheets."""
    part = grey[:: max(1, grey.shape[0] // 64), :: max(1, grey.shape[1] // 64)]
    if part.max() >= WHITE - _LEAST_CONTRAST and part.min() < _BLACK:
        return  # most drawings, at no cost
    lightest, darkest = int(grey.max()), int(grey.min())
    if lightest < _BLACK or (lightest - darkest < _LEAST_CONTRAST and darkest < _PAPER_WHITE):
        shade = "black" if lightest < _BLACK else "of one grey"
        raise ImageError(
            f"{name or 'The image'} shows nothing: it is all {shade}.", hint="Check the file, or the crop."
        )


def cropped(image: Image.Image, crop: tuple[int, int, int, int], name: str) -> Image.Image:
    """The part of x, y, width and height in pixels; raises ImageError where it is not within the picture."""
    x, y, width, height = crop
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > image.width or y + height > image.height:
        raise ImageError(
            f"The crop {x},{y},{width},{height} is not within {name}.",
            hint=f"It has {image.width} x {image.height} pixels; a crop is x,y,width,height.",
        )
    return image.crop((x, y, x + width, y + height))


def _is_white(grey: Grey) -> bool:
    edge = max(1, min(grey.shape) // 30)
    margin = np.concatenate(
        [grey[:edge].ravel(), grey[-edge:].ravel(), grey[:, :edge].ravel(), grey[:, -edge:].ravel()]
    )
    return bool(
        np.count_nonzero(margin >= _PAPER_WHITE) >= _WHITE_MARGIN * margin.size
        or np.count_nonzero(grey >= _PAPER_WHITE) >= _WHITE_HALF * grey.size
    )


def _lighting(grey: Grey) -> _Lighting | None:
    """The light on the paper, or None where the picture does not show paper with lines on it."""
    scale = min(1.0, _SMALL / max(grey.shape))
    small_size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = np.asarray(cv2.resize(grey, small_size, interpolation=cv2.INTER_AREA), np.uint8)
    ground = _ground(small)
    table = _table(ground)
    if not _is_lined_paper(small, ground, ~table) or enclosed(_steps(ground), table) > MAX_ENCLOSED:
        return None
    size = (grey.shape[1], grey.shape[0])
    full = cv2.resize(np.maximum(ground, 1).astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    # The rim of the sheet goes with the table, or its edge would be drawn as a frame.
    rim = cv2.dilate(table.astype(np.uint8), np.ones((9, 9), np.uint8))
    beside = cv2.resize(rim, size, interpolation=cv2.INTER_NEAREST)
    values = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.float32)
    values[beside != 0] = 255.0
    return _Lighting(values, np.asarray(full, dtype=np.float32))


def _is_lined_paper(small: Grey, ground: Grey, sheet: NDArray[np.bool_]) -> bool:
    """Whether the sheet is light, without large dark things, and mostly paper with some ink."""
    if not sheet.any():
        return False
    lightest = _lightest_nearby(np.where(sheet, ground, 0).astype(np.uint8))[sheet]
    light, even = ground[sheet], small[sheet] / np.maximum(ground[sheet], 1)
    dark, paper, ink = (float(np.mean(mask)) for mask in (light < _DARK_GROUND * lightest, even > 0.9, even < 0.75))
    return (
        float(np.percentile(light, 90)) >= _MIN_LIGHT
        and dark <= _MAX_DARK
        and paper >= _MIN_PAPER
        and _MIN_INK <= ink <= _MAX_INK
    )


def _ground(small: Grey) -> Grey:
    """The picture without its lines."""
    # A median first, or the closing would follow the brightest grains of the noise; a median after it
    # and no blur, which would smear the light of the sheet over the table and the edge of a shadow.
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_KERNEL, _KERNEL))
    closed = cv2.morphologyEx(cv2.medianBlur(small, 3), cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.medianBlur(closed, 9), np.uint8)


def _lightest_nearby(ground: Grey) -> Grey:
    reach = 4 * _KERNEL + 1
    return np.asarray(cv2.dilate(ground, np.ones((reach, reach), np.uint8)), np.uint8)


def _table(ground: Grey) -> NDArray[np.bool_]:
    """The surroundings of the sheet: dark regions with a sharp edge that reach the border of the picture."""
    thick = np.ones((3, 3), np.uint8)
    count, at = cv2.connectedComponents((~_steps(ground)).astype(np.uint8), connectivity=4)
    border = np.unique(np.concatenate([at[0], at[-1], at[:, 0], at[:, -1]]))
    lightness = {number: float(np.median(ground[at == number])) for number in range(1, count)}
    lightest = max(lightness.values(), default=0.0)
    dark = [number for number in border if number and lightness[number] < _DARK_GROUND * lightest]
    table = np.isin(at, dark).astype(np.uint8)
    # The edge itself belongs to neither side.
    return np.asarray(cv2.dilate(table, thick, iterations=2) != 0)


def _steps(ground: Grey) -> NDArray[np.bool_]:
    """(H, W) where the ground has an edge."""
    change = cv2.morphologyEx(ground, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return np.asarray(change > 2 * _STEP * np.maximum(ground, 1))


def enclosed(steps: NDArray[np.bool_], table: NDArray[np.bool_]) -> float:
    """Share of the picture in regions between edges that reach neither its border nor the table next to the sheet."""
    _, at, stats, _ = cv2.connectedComponentsWithStats((~steps).astype(np.uint8), connectivity=4)
    beside = cv2.dilate(table.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[np.unique(np.concatenate([at[0], at[-1], at[:, 0], at[:, -1], at[beside]]))] = 0
    area[0] = 0  # the edges
    return float(area.sum() / steps.size)


def _even(lighting: _Lighting) -> Floats:
    return np.asarray(np.minimum(lighting.grey / np.maximum(lighting.ground, 1.0), 1.0), np.float32)


def paler_than(even: Floats) -> float:
    """What is darker is a stroke, not the noise of the paper."""
    below = 1.0 - even[even < 1.0]
    # Half of the paper is darker than its ground by noise alone: the median is its spread.
    noise = float(np.median(below)) if below.size else 0.0
    return 1.0 - min(0.25, max(0.08, 4.0 * noise))


def drawn(even: Floats, palest: float = 1.0) -> Grey:
    """(H, W) uint8: paper white, strokes dark, a ramp between them.

    Args:
        even: (H, W) as `evened` gives it.
        palest: what is paler is paper, whatever its noise.
    """
    pale = min(palest, paler_than(even))
    strokes = even[even < pale]
    dark = float(np.percentile(strokes, 25)) if strokes.size else 0.0
    ramp = (even - dark) / max(1e-3, pale - dark)
    cleaned: Grey = np.rint(255.0 * np.clip(ramp, 0.0, 1.0)).astype(np.uint8)
    return cleaned
