"""A file that is indexed and then queried with is the same drawing both times, whatever its tones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from makers import draw_design
from PIL import Image, ImageOps

from patsearch.drawings.photo import normalise_polarity, open_sheet
from patsearch.engine import open_index
from patsearch.errors import ImageError
from patsearch.ingest import IngestOptions, ingest

ONE = IngestOptions(workers=1)
OTHERS = 12


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def lit(image: Image.Image) -> Image.Image:
    """As if photographed: grey paper, darker to one side."""
    light = np.linspace(120, 210, image.width)[np.newaxis]
    return Image.fromarray(np.rint(np.asarray(image) / 255 * light + 15).astype(np.uint8))


NEGATIVE = ImageOps.invert(draw_design(100, 0))
FILES = {
    "negative.png": encoded(NEGATIVE, "PNG"),
    "negative1.png": encoded(NEGATIVE.convert("1"), "PNG"),
    "negative.jpg": encoded(NEGATIVE, "JPEG", quality=60),
    "palette.gif": encoded(NEGATIVE.convert("P"), "GIF"),
    "wrong_tag.tif": encoded(NEGATIVE.convert("1"), "TIFF", compression="group4"),
    "no_tag.tif": encoded(draw_design(100, 0).convert("1"), "TIFF", compression="group4").replace(
        b"\x06\x01\x03\x00\x01\x00\x00\x00", b"\xfe\xfe\x03\x00\x01\x00\x00\x00"
    ),
    "photo.png": encoded(lit(draw_design(100, 0)), "PNG"),
    "sound.png": encoded(draw_design(100, 0), "PNG"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_finds_itself(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "drawings"
    folder.mkdir()
    (folder / name).write_bytes(FILES[name])
    for seed in range(OTHERS):
        draw_design(seed, 0).save(folder / f"other{seed}.png")
    assert ingest([folder], tmp_path / "index", ONE).exit_code == 0
    with open_index(tmp_path / "index") as engine:
        best = engine.search(folder / name, k=1)[0]
    assert best.patent == Path(name).stem
    assert best.score > (0.7 if name == "photo.png" else 0.999)  # its style is unclear: by shape alone


def coloured(ground: tuple[int, int, int], ink: tuple[int, int, int]) -> Image.Image:
    share = np.asarray(NEGATIVE)[..., np.newaxis] / 255
    return Image.fromarray(
        np.rint(np.asarray(ground) + share * (np.asarray(ink) - np.asarray(ground))).astype(np.uint8)
    )


SOFT = ImageOps.expand(ImageOps.expand(NEGATIVE, 1, fill=140), 10, fill=255)  # a scanner's edge


@pytest.mark.parametrize(
    ("picture", "at"),
    [
        (coloured((0, 0, 0), (0, 255, 0)), 0),
        (coloured((0, 0, 0), (255, 0, 0)), 0),
        (coloured((32, 96, 192), (255, 255, 255)), 0),
        (coloured((96, 96, 96), (250, 250, 240)), 0),
        (ImageOps.expand(NEGATIVE, 4, fill=255), 4),
        (SOFT, 11),
        (SOFT.crop((0, 5, SOFT.width - 12, SOFT.height)), 11),
    ],
    ids=["green on black", "red on black", "white on blue", "chalk", "edge", "soft edge", "edge at three sides"],
)
def test_light_lines_on_any_dark_ground_are_turned(picture: Image.Image, at: int) -> None:
    drawing = np.asarray(draw_design(100, 0)) < 128
    seen, _ = open_sheet(encoded(picture, "PNG"))
    top = picture.height - drawing.shape[0] - at
    shown = seen[top:, at:][: drawing.shape[0], : drawing.shape[1]] < 128
    assert np.mean(shown == drawing[: shown.shape[0], : shown.shape[1]]) > 0.995
    outside = np.ones(seen.shape, bool)
    outside[top:, at:][: drawing.shape[0], : drawing.shape[1]] = False
    assert (seen[outside] > 200).all()


def test_what_is_not_lines_is_left_as_it_is() -> None:
    """Paper on a dark table, a light thing in front of black, a black thing on a sheet, a drawing on grey."""
    table = Image.new("L", (900, 1200), 90)
    table.paste(draw_design(1, 0).resize((500, 600)), (200, 300))
    thing = Image.new("L", (900, 1200), 20)
    thing.paste(120, (300, 400, 600, 900))
    front = Image.new("L", (900, 1200), 255)
    front.paste(NEGATIVE.resize((600, 800)), (150, 200))
    grey = Image.fromarray((np.asarray(draw_design(1, 0)) * (100 / 255)).astype(np.uint8))
    for picture in (table, thing, front, grey, draw_design(1, 0)):
        assert normalise_polarity(picture) == (picture, False)


@pytest.mark.parametrize("shade", [0, 20, 128, 200, 231])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_that_shows_nothing_is_refused_by_name(tmp_path: Path, shade: int, mode: str) -> None:
    rng = np.random.default_rng(shade)
    noisy = Image.fromarray(rng.integers(shade, shade + 8, (300, 200), dtype=np.uint8)).convert(mode)
    folder = tmp_path / "drawings"
    folder.mkdir()
    noisy.save(folder / "nothing.png")
    draw_design(1, 0).save(folder / "other.png")
    report = ingest([folder], tmp_path / "index", ONE)
    assert (report.drawings, report.exit_code) == (1, 9)
    assert "nothing shows nothing: it is all" in str(report.failed[0])
    with open_index(tmp_path / "index") as engine, pytest.raises(ImageError, match=r"nothing\.png shows nothing"):
        engine.search(folder / "nothing.png")
