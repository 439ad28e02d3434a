"""Photographs for the tests, of sketches on paper and of a product, and screenshots."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from patsearch.drawings.figure import Box
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


def paper_photo(
    drawing: Image.Image, *, table: float = 90, ruled: bool = False, shadow: bool = True, seed: int = 1
) -> tuple[bytes, np.ndarray]:
    """A JPEG photo of the drawing on a sheet that lies askew on a table of that shade, and the sheet's corners (4, 2).

    The phone is tilted: the sheet's far edge is shorter than its near one.
    """
    rng = np.random.default_rng(seed)
    width, height = drawing.size
    paper = np.full((height, width), 235, np.float32)
    if ruled:
        for line in range(30, height, 30):
            paper[line : line + 2] = 200
    ink = 1 - cv2.GaussianBlur(np.asarray(drawing, np.float32) / 255, (0, 0), 1.0)
    paper = paper * (1 - 0.85 * ink)
    askew = np.array([[330, 170], [980, 210], [1120, 960], [170, 900]]) + rng.uniform(-25, 25, (4, 2))
    corners = np.asarray(askew, np.float32)
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    towards = cv2.getPerspectiveTransform(flat, corners)
    cover = cv2.warpPerspective(np.ones_like(paper), towards, (1300, 1100))
    scene = cv2.warpPerspective(paper, towards, (1300, 1100), flags=cv2.INTER_AREA)
    noise = np.asarray(rng.normal(0, 1, scene.shape), np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 30, sigmaY=1.5)
    scene = scene * cover + (table + 6 * grain / grain.std()) * (1 - cover)
    y, x = np.mgrid[0:1100, 0:1300].astype(np.float32)
    light = 1.05 - 0.25 * x / 1300
    if shadow:
        light *= 1 - 0.4 / (1 + np.exp((500 + 0.4 * y - x) / 12))
    values = (scene * light)[..., None] * np.array([1, 0.97, 0.9]) + rng.normal(0, 4, (*scene.shape, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue(), corners


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


def screenshot(drawing: Image.Image, *, dark: bool = False, viewer: bool = False) -> tuple[Image.Image, Box]:
    """A browser with a drawing on its page, and where the drawing's ink is: left, top, right, bottom.

    Args:
        dark: the browser's colours.
        viewer: a PDF viewer with a page on a dark ground; else a page with text next to the drawing.
    """
    width, height = 1440, 900
    image = Image.new("RGB", (width, height), (82, 86, 89) if viewer else "white")
    pen = ImageDraw.Draw(image)
    bar, field, ink = ((60, 64, 67), (32, 33, 36), "white") if dark else ((222, 225, 230), (241, 243, 244), "black")
    pen.rectangle((0, 0, width, 82), fill=bar)
    pen.rounded_rectangle((80, 8, 320, 44), 8, fill=field)
    pen.text((110, 16), "USD939806S1 - Chair - Patents", font=ImageFont.load_default(13), fill=ink)
    pen.rounded_rectangle((130, 46, width - 200, 76), 14, fill=field)
    pen.text((160, 52), "patents.example.org/patent/USD939806S1/en", font=ImageFont.load_default(14), fill=ink)
    pen.line((0, 82, width, 82), fill=(200, 200, 200))
    shown = drawing.convert("L")
    shown.thumbnail((560, 620))
    x, y = (440, 160) if viewer else (60, 170)
    if viewer:
        pen.rectangle((x - 30, y - 30, x + shown.width + 30, height), fill="white")
        pen.text(
            (30, 92),
            "document.pdf     2 / 9     100 %     Rotate     Print",
            font=ImageFont.load_default(14),
            fill="white",
        )
    else:
        pen.text((60, 110), "Ornamental design for a chair", font=ImageFont.load_default(26), fill="black")
        for row in range(22):
            words = "the ornamental design for a chair as shown and described in the drawings"[row % 9 :]
            pen.text((760, 150 + 22 * row), words, font=ImageFont.load_default(14), fill=(30, 30, 30))
    image.paste(shown.convert("RGB"), (x, y))
    rows, columns = (np.flatnonzero((np.asarray(shown) < 200).any(axis=axis)) for axis in (1, 0))
    return image, (x + int(columns[0]), y + int(rows[0]), x + int(columns[-1]) + 1, y + int(rows[-1]) + 1)
