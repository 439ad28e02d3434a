"""Photographs for the tests: of sketches on paper, and of a product."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageDraw

from patsearch.drawings.opening import open_image


def sketch(seed: int = 0, size: tuple[int, int] = (900, 700)) -> Image.Image:
    """A chair-like thing of black strokes on white, other strokes for another seed."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    left, top = rng.integers(80, 200, 2)
    draw.rectangle((left, top, 800 - left, 350), outline=0, width=5)
    draw.line([(left, 350), (left - 30, 620)], fill=0, width=5)
    draw.line([(800 - left, 350), (830 - left, 620)], fill=0, width=5)
    for x in rng.integers(left + 20, 780 - left, 4):
        draw.line([(int(x), int(top)), (int(x) + 20, 350)], fill=0, width=3)
    draw.ellipse((300, 400, 300 + int(rng.integers(100, 250)), 560), outline=0, width=4)
    return image


def photo(drawing: Image.Image, *, table: bool = False, shadow: bool = True, seed: int = 1) -> Image.Image:
    """A JPEG picture of the drawing in pen on yellowish paper, lit from the upper left, with noise."""
    rng = np.random.default_rng(seed)
    reflectance: np.ndarray = 0.25 + 0.75 * cv2.GaussianBlur(np.asarray(drawing, np.float32) / 255, (0, 0), 1.0)
    if table:
        reflectance = cv2.copyMakeBorder(reflectance, 90, 90, 90, 90, cv2.BORDER_CONSTANT, value=0.2)
    height, width = reflectance.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1.0 - 0.5 * (0.8 * x / width + 0.4 * y / height)
    if shadow:
        light *= 1.0 - 0.35 / (1.0 + np.exp((0.5 * width + 0.3 * y - x) / 15))
    colour = np.array([235, 225, 200], np.float32)
    values = (reflectance * light)[..., None] * colour + rng.normal(0, 5, (height, width, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return open_image(buffer.getvalue())


def product(background: str = "slope", *, seed: int = 1) -> Image.Image:
    """A JPEG picture of a red cube with a dark disc on one side, its shadow below it."""
    rng = np.random.default_rng(seed)
    height, width = 600, 800
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scene = np.full((height, width, 3), 255, np.float32)
    if background != "white":
        scene[:] = (190, 200, 210)
        scene *= (1.1 - 0.3 * x / width - 0.2 * y / height)[..., None]
    if background == "table":
        scene[330:] = np.array([150, 120, 90]) + rng.normal(0, 6, (1, width, 1)) + rng.normal(0, 4, (270, width, 3))
    shadow = np.exp(-(((x - 400) / 190) ** 2 + ((y - 470) / 40) ** 2))
    scene *= (1 - 0.4 * shadow)[..., None]
    for corners, light in (
        ([[250, 220], [400, 270], [400, 480], [250, 420]], 0.9),
        ([[400, 270], [560, 210], [560, 410], [400, 480]], 0.55),
        ([[250, 220], [410, 165], [560, 210], [400, 270]], 1.15),
    ):
        cv2.fillPoly(scene, [np.array(corners)], (190 * light, 60 * light, 50 * light))
    cv2.ellipse(scene, (325, 345), (45, 60), 0, 0, 360, (40, 45, 60), -1)
    noisy = cv2.GaussianBlur(scene, (0, 0), 1.0) + rng.normal(0, 3, scene.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return open_image(buffer.getvalue())
