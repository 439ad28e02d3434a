"""Query pictures: photos of sketches are cleaned, drawings and renderings are not touched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from photo_makers import photo, sketch
from PIL import Image

from patsearch.drawings.opening import open_image
from patsearch.drawings.photo import clean_photo, query_image
from patsearch.encoder import load_encoder
from patsearch.encoder.shape import shape_part
from patsearch.errors import ImageError


def rendering() -> NDArray[np.uint8]:
    """A shaded ball on white with a soft shadow under it."""
    y, x = np.mgrid[0:400, 0:400].astype(np.float32)
    distance = np.hypot(x - 200, y - 180)
    shade = 90 + 120 * np.clip((x + y) / 700, 0, 1)
    floor = 255 - 80 * np.exp(-(((x - 200) / 90) ** 2 + ((y - 320) / 20) ** 2))
    picture: np.ndarray = np.where(distance < 120, shade, floor)
    return picture.astype(np.uint8)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("shadow", [False, True])
def test_cleaning_brings_the_embedding_of_a_photo_back_to_the_drawing(table: bool, shadow: bool) -> None:
    drawings = [sketch(seed) for seed in range(3)]
    photos = [photo(drawing, table=table, shadow=shadow) for drawing in drawings]
    encoder = load_encoder(threads=1)
    wanted, raw_vectors, cleaned_vectors = (
        # A camera leaves the shape alone, and nothing of the pen.
        shape_part(encoder.encode_batch(pictures), encoder.card.shape_dim)
        for pictures in (drawings, photos, [clean_photo(p) for p in photos])
    )
    raw, cleaned = np.sum(wanted * raw_vectors, axis=1), np.sum(wanted * cleaned_vectors, axis=1)
    assert (cleaned > 0.85).all(), cleaned
    assert (cleaned > raw + 0.1).all(), (raw, cleaned)


def test_paper_becomes_white_and_strokes_dark() -> None:
    drawing = sketch()
    cleaned = np.asarray(clean_photo(photo(drawing)))
    ink = np.asarray(drawing) < 128
    far = cv2.dilate(ink.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert np.mean(cleaned[far] == 255) > 0.98
    assert np.mean(cleaned[cv2.erode(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) != 0] < 100) > 0.95


def test_cleaning_twice_changes_nothing_more() -> None:
    cleaned = clean_photo(photo(sketch()))
    assert clean_photo(cleaned) is cleaned


@pytest.mark.parametrize(
    "image",
    [
        sketch(),
        sketch().convert("1"),
        sketch().convert("RGB"),
        Image.fromarray(rendering()),
        Image.new("L", (300, 200), 255),
        Image.new("L", (300, 200), 130),
        Image.new("L", (300, 200), 0),
        Image.new("L", (1, 1), 90),
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)),
    ],
    ids=["drawing", "1-bit", "rgb", "rendering", "white", "grey", "black", "pixel", "noise"],
)
def test_what_is_no_photo_of_paper_is_returned_as_it_is(image: Image.Image) -> None:
    assert clean_photo(image) is image
    assert clean_photo(image) is image


def test_a_photograph_of_a_dark_thing_is_left_alone() -> None:
    scene = np.full((300, 400), 170, np.float32) + np.linspace(0, 40, 400)
    scene[80:220, 120:280] = 50
    scene += np.random.default_rng(0).normal(0, 4, scene.shape)
    image = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    assert clean_photo(image) is image


class TestQueryImage:
    def test_from_bytes_path_and_image(self, tmp_path: Path) -> None:
        path = tmp_path / "sketch.png"
        sketch().save(path)
        for source in (path, path.read_bytes(), sketch()):
            np.testing.assert_array_equal(np.asarray(query_image(source)), np.asarray(sketch()))

    def test_dark_ground_is_inverted(self) -> None:
        negative = Image.fromarray(255 - np.asarray(sketch()))
        np.testing.assert_array_equal(np.asarray(query_image(negative)), np.asarray(sketch()))

    def test_photo_is_cleaned_unless_told_not_to(self) -> None:
        picture = photo(sketch())
        assert query_image(picture).mode == "L"
        assert query_image(picture, clean=False) is picture

    def test_crop(self) -> None:
        cropped = query_image(sketch(), crop=(250, 380, 300, 200))
        np.testing.assert_array_equal(np.asarray(cropped), np.asarray(sketch())[380:580, 250:550])

    @pytest.mark.parametrize("crop", [(0, 0, 901, 10), (-1, 0, 5, 5), (0, 0, 0, 5), (890, 690, 20, 5)])
    def test_a_crop_outside_is_refused(self, crop: tuple[int, int, int, int]) -> None:
        with pytest.raises(ImageError, match=r"is not within The image\. It has 900 x 700"):
            query_image(sketch(), crop=crop)


@pytest.mark.data
def test_published_figures_are_not_taken_for_photos(data_dir: Path) -> None:
    paths = sorted((data_dir / "single-figures-2007").glob("*.png"))[::12]
    assert len(paths) > 20
    for path in paths:
        image = open_image(path)
        assert query_image(image) is image, path.name
