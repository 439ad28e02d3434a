"""Synthetic text lines as on drawing sheets, to train the label reader on.

Each sample is a tight 1-bit-like crop with the string it reads. Strokes, hatching, dashes and text
that is upside down or on its side are negatives: they read as nothing.
"""

from __future__ import annotations

import math
import random
import subprocess
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from patsearch.drawings.reader import ALPHABET

Grey = NDArray[np.uint8]

_HERSHEY = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
)
_PREFIXES = (
    ["FIG. "] * 10 + ["Fig. "] * 5 + ["FIG "] * 3 + ["FIG."] * 4 + ["Fig."] * 3 + ["Fig "] * 2 + ["FIGURE "] * 2
    + ["Figure "] * 2 + ["FIG-", "FIG - ", "Fig-", "FIG. - ", "FIG.  ", "F I G. "]
    + ["fig. ", "figure ", "Figs. ", "FIGS. "]
)  # fmt: skip
_HEADERS = (
    "U.S. Patent", "US Patent", "United States Patent", "Sheet {a} of {b}", "Jan. {a}, 20{b}", "Dec. {a}, 19{b}",
    "Aug. {a}, 20{b}", "US D{n} S", "US {m} B2", "Des. {n}", "D{n}", "{a}/{b}", "Patent Application Publication",
    "Prior Art", "PRIOR ART", "(PRIOR ART)", "{a} of {b}", "Page {a}", "Replacement Sheet",
)  # fmt: skip
_WORDS = (
    "start end yes no control position unit search home settings battery volume menu play next front top view left "
    "right section detail light power on off time limit message drive motor sensor input output data user network "
    "system cancel save open close preview template number figure image display screen date monday weather map route"
).split()


def fonts() -> list[str]:
    """Files of the installed fonts that hold Latin letters and digits."""
    listing = subprocess.run(["fc-list", ":lang=en", "file"], capture_output=True, text=True, check=True).stdout
    names = sorted(line.rstrip(": ") for line in listing.splitlines())
    names = [n for n in names if n.lower().rstrip(": ").endswith((".ttf", ".otf", ".pfb", ".t1"))]
    return [n for n in names if _usable(n)]


def _usable(name: str) -> bool:
    """Whether the font draws letters, each different, where it says it does."""
    if any(
        word in name.lower() for word in ("emoji", "symbol", "dingbat", "d050000l", "barcode", "math", "lmmi", "lmsy")
    ):
        return False
    try:
        font = ImageFont.truetype(name, 32)
        masks = [bytes(font.getmask(char)) for char in "FIGURE1234567890.ig"]
    except OSError:
        return False
    return all(any(mask) for mask in masks) and len(set(masks)) >= 17


def target(text: str) -> str:
    """What the reader is to answer: upper case, no spaces, known characters alone."""
    return "".join(char for char in text.upper() if char in ALPHABET)


def random_number(rng: random.Random) -> str:
    """A figure number: mostly small, sometimes lettered, in brackets or dotted."""
    kind = rng.random()
    number = str(rng.randint(1, 12) if kind < 0.45 else rng.randint(10, 99) if kind < 0.9 else rng.randint(100, 199))
    kind = rng.random()
    if kind < 0.60:
        return number
    if kind < 0.80:
        return number + rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if kind < 0.84:
        return number + rng.choice("abcdefghi")
    if kind < 0.90:
        return number + rng.choice(["", " "]) + f"({rng.choice('abcdefghABCD')})"
    if kind < 0.95:
        return f"{number}.{rng.randint(1, 15)}"
    return number + rng.choice(["'", "-1", "-2", "A1", "AA", "."])


def random_text(rng: random.Random) -> str:
    """A line of sheet text; half of them figure labels."""
    kind = rng.random()
    if kind < 0.55:
        text = rng.choice(_PREFIXES) + random_number(rng)
        if rng.random() < 0.04:
            text += f" of {rng.randint(1, 40)}"
        if rng.random() < 0.04:
            text += rng.choice(["."] * 3 + [" (PRIOR ART)", " Prior Art"])
        return text
    if kind < 0.60:
        return rng.choice(["FIG.", "Fig.", "FIG", "Fig", "FIGURE", "Figure"])
    if kind < 0.70:
        return f"{rng.randint(1, 30)}.{rng.randint(1, 20)}"
    if kind < 0.82:
        prefix = rng.choice(["", "", "", "", "", "S", "P", "L", "X", "d"])
        return prefix + str(rng.randint(1, 999)) + rng.choice(["", "", "", "", "", "a", "A", "b", "B", "'"])
    if kind < 0.90:
        numbers = {
            "a": rng.randint(1, 30),
            "b": rng.randint(1, 40),
            "n": f"{rng.randint(100, 999)},{rng.randint(0, 999):03d}",
            "m": f"{rng.randint(4, 12)},{rng.randint(0, 999):03d},{rng.randint(0, 999):03d}",
        }
        return rng.choice(_HEADERS).format(**numbers)
    words = " ".join(rng.choice(_WORDS) for _ in range(rng.choice([1, 1, 1, 2])))
    return rng.choice([words, words.upper(), words.title()])


@lru_cache(maxsize=4000)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, size)


def _typeset(text: str, names: list[str], rng: random.Random) -> Grey:
    """White paper, black text, set in one of the fonts."""
    size = rng.choice((32, 44, 60))
    font = _font(rng.choice(names), size)
    spacing = rng.uniform(0.05, 0.45) * size if rng.random() < 0.15 else 0.0
    stroke = rng.choice((0, 0, 0, 1, 2)) if size > 32 else 0
    outline = stroke > 0 and rng.random() < 0.25
    width = int(font.getlength(text) + spacing * len(text)) + 2 * size
    image = Image.new("L", (width, 3 * size), 255)
    draw = ImageDraw.Draw(image)
    x = float(size)
    for part in text if spacing else [text]:
        fill = 255 if outline else 0
        draw.text((x, size), part, font=font, fill=fill, stroke_width=stroke, stroke_fill=0)
        x += font.getlength(part) + spacing
    return np.asarray(image)


def _hershey(text: str, rng: random.Random) -> Grey:
    """Text drawn with single strokes, as CAD programs do."""
    face = rng.choice(_HERSHEY) | (cv2.FONT_ITALIC if rng.random() < 0.3 else 0)
    scale, thick = rng.uniform(1.0, 2.2), rng.randint(1, 5)
    (width, height), base = cv2.getTextSize(text, face, scale, thick)
    spacing = rng.randint(3, 24) if rng.random() < 0.4 else 0
    paper = np.full((height + base + 40, width + spacing * len(text) + 60), 255, np.uint8)
    x = 20
    for part in text if spacing else [text]:
        cv2.putText(paper, part, (x, height + 20), face, scale, 0, thick, cv2.LINE_AA)
        x += cv2.getTextSize(part, face, scale, thick)[0][0] + spacing
    return paper


# Strokes on a grid of 4 by 6, the lettering of plotters and of drawing templates.
_STROKES = {
    "F": ["06 00 40", "03 33"], "I": ["10 30", "20 26", "16 36"], "G": ["41 30 10 01 05 16 46 43 33"],
    "U": ["00 05 16 36 45 40"], "R": ["06 00 30 41 42 33 03", "23 46"], "E": ["40 00 06 46", "03 33"],
    "0": ["10 30 41 45 36 16 05 01 10"], "1": ["11 20 26"], "2": ["01 10 30 41 42 33 13 04 06 46"],
    "3": ["01 10 30 41 42 33 44 45 36 16 05", "13 33"], "4": ["36 30 04 44"], "5": ["05 16 36 45 43 32 02 00 40"],
    "6": ["30 20 02 05 16 36 45 44 33 03"], "7": ["00 40 16"],
    "8": ["13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33"], "9": ["16 26 44 41 30 10 01 02 13 43"],
    "A": ["06 02 20 42 46", "04 44"], "B": ["00 06 36 45 44 33 42 41 30 00", "03 33"],
    "C": ["41 30 10 01 05 16 36 45"], "D": ["00 06 36 45 41 30 00"], "-": ["13 33"], ".": ["25 26"], " ": [],
}  # fmt: skip


def _plotted(rng: random.Random) -> tuple[Grey, str]:
    """A label in strokes, straight as plotted or jittered and rounded as lettered by hand."""
    number = str(rng.randint(1, 30)) + rng.choice(["", "", "", "A", "B", "C", "D"])
    text = rng.choice(["FIG. ", "FIG. ", "FIG.", "FIG ", "FIG - ", "FIG-", "FIGURE "]) + number
    unit = rng.uniform(6, 12)
    jitter, rounded = rng.choice((0.0, 0.0, 0.15, 0.35)), rng.random() < 0.4
    advance, wide, thick = rng.uniform(5, 7.5), rng.uniform(0.6, 1.3), rng.randint(1, 6)
    paper = np.full((int(unit * 10), int(unit * wide * advance * (len(text) + 2))), 255, np.uint8)
    for k, char in enumerate(text):
        for stroke in _STROKES[char]:
            points = np.array([[int(p[0]), int(p[1])] for p in stroke.split()], float)
            points += np.array([[rng.gauss(0, jitter), rng.gauss(0, jitter)] for _ in points])
            if rounded:  # corner cutting, after Chaikin
                for _ in range(2):
                    cut = np.stack([0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]], 1)
                    points = np.concatenate([points[:1], cut.reshape(-1, 2), points[-1:]])
            points = (points + np.array([1 + k * advance, 2])) * np.array([unit * wide, unit])
            cv2.polylines(paper, [points.astype(np.int32)], False, 0, thick, cv2.LINE_AA)
    return paper, text


def _warp(paper: Grey, rng: random.Random) -> Grey:
    """Slant, stretch, a little turn, and now and then the wobble of a hand."""
    height, width = paper.shape
    shear = rng.choice((0.0, 0.0, rng.uniform(-0.05, 0.35)))
    stretch = rng.uniform(0.62, 1.5) if rng.random() < 0.6 else 1.0
    angle = math.radians(rng.gauss(0, 1.0 if rng.random() < 0.8 else 3.0))
    matrix = np.array([[stretch, -shear - math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0]])
    corners = matrix[:, :2] @ np.array([[0, width, 0, width], [0, 0, height, height]])
    matrix[:, 2] = -corners.min(axis=1)
    size = np.ceil(np.ptp(corners, axis=1)).astype(int) + 1
    bounds = (int(size[0]), int(size[1]))
    paper = cv2.warpAffine(paper, matrix, bounds, borderValue=255, flags=cv2.INTER_AREA).astype(np.uint8)
    if rng.random() < 0.2:
        y, x = np.mgrid[: paper.shape[0], : paper.shape[1]].astype(np.float32)
        period, strength = rng.uniform(20, 90), rng.uniform(0.5, 3.0)
        phase = [rng.uniform(0, 6.28) for _ in range(4)]
        x2 = x + strength * np.sin(y / period * 3 + phase[0]) + strength * np.sin(x / period * 2 + phase[1])
        y2 = y + strength * np.sin(x / period * 3 + phase[2]) + strength * np.sin(y / period + phase[3])
        paper = cv2.remap(paper, x2, y2, cv2.INTER_LINEAR, borderValue=255).astype(np.uint8)
    return paper


def _scan(paper: Grey, rng: random.Random) -> Grey:
    """One-bit scan of the paper: resolution, threshold, specks, worn strokes."""
    if rng.random() < 0.6:
        scale = rng.uniform(0.4, 1.0)
        paper = cv2.resize(paper, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if rng.random() < 0.3:
        paper = cv2.GaussianBlur(paper, (3, 3), 0).astype(np.uint8)
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.choice((0, 0, 6, 14)), paper.shape)
    paper = np.where(paper + noise < rng.uniform(120, 205), 0, 255).astype(np.uint8)
    for _ in range(rng.choice((0, 0, 0, 2, 6))):  # specks, mostly close to the text
        left, top, width, height = cv2.boundingRect((paper < 128).astype(np.uint8))
        if width and height:
            x, y = rng.randrange(left, left + width), rng.randrange(top, top + height)
            paper[y : y + rng.randint(1, 2), x : x + rng.randint(1, 2)] = rng.choice((0, 255))
    if rng.random() < 0.1:
        paper = cv2.erode(paper, np.ones((2, 2), np.uint8)).astype(np.uint8)  # bleeding ink
    return paper


def _underline(paper: Grey, rng: random.Random) -> Grey:
    left, top, width, height = cv2.boundingRect((paper < 128).astype(np.uint8))
    paper = cv2.copyMakeBorder(paper, 0, height, 0, 0, cv2.BORDER_CONSTANT, value=255).astype(np.uint8)
    y = top + height + max(2, int(height * rng.uniform(0.04, 0.25)))
    cv2.line(paper, (left, y), (left + width, y), 0, rng.randint(1, 4))
    return paper


def negative(rng: random.Random) -> Grey:  # noqa: PLR0912 - one branch a kind of drawing
    """A piece of a drawing: strokes, hatching, arcs, dashes, outlines."""
    height = rng.randint(24, 70)
    width = int(height * rng.uniform(0.5, 9))
    paper = np.full((height, width), 255, np.uint8)
    thick = rng.randint(1, 4)
    kind = rng.choice((0, 0, 0, 1, 2, 3, 4, 4, 5, 6))
    count = rng.randint(1, 9)

    def point() -> tuple[int, int]:
        return rng.randint(0, width), rng.randint(0, height)

    if kind == 0:  # hatching, upright or slanted
        step, slant = rng.randint(4, 24), rng.randint(-height, height)
        for x in range(0, width, step):
            jitter = rng.randint(-2, 2)
            cv2.line(paper, (x + jitter, rng.randint(0, height // 4)), (x + slant, height), 0, thick, cv2.LINE_AA)
    elif kind == 1:  # a row of like shapes: holes, keys, teeth, studs
        step = max(6, int(height * rng.uniform(0.4, 1.3)))
        shape, filled = rng.randrange(4), rng.random() < 0.3
        for x in range(step // 2, width, step):
            radius = max(2, int(step * rng.uniform(0.3, 0.45)))
            if shape == 0:
                cv2.ellipse(paper, (x, height // 2), (radius, height // 3), 0, 0, 360, 0, -1 if filled else thick)
            elif shape == 1:
                cv2.rectangle(paper, (x - radius, 3), (x + radius, height - 4), 0, -1 if filled else thick)
            elif shape == 2:
                cv2.line(paper, (x, 2), (x, height - 2), 0, thick)
            else:
                cv2.polylines(paper, [np.array([[x - radius, height], [x, 3], [x + radius, height]])], False, 0, thick)
    elif kind == 2:  # free strokes
        for _ in range(count):
            points = np.array([point() for _ in range(rng.randint(2, 5))], np.int32)
            cv2.polylines(paper, [points], rng.random() < 0.3, 0, thick, cv2.LINE_AA)
    elif kind == 3:  # arcs
        for _ in range(count):
            axes = (rng.randint(3, width), rng.randint(3, height))
            start = rng.randint(0, 360)
            cv2.ellipse(paper, point(), axes, rng.randint(0, 180), start, start + rng.randint(30, 360), 0, thick)
    elif kind == 4:  # broken line
        dash, (x1, y1), (x2, y2) = rng.randint(4, 30), point(), point()
        parts = max(1, int(math.hypot(x2 - x1, y2 - y1) / dash))
        for i in range(0, parts, 2):
            a, b = i / parts, (i + 1) / parts
            first, last = (
                (int(x1 + a * (x2 - x1)), int(y1 + a * (y2 - y1))),
                (int(x1 + b * (x2 - x1)), int(y1 + b * (y2 - y1))),
            )
            cv2.line(paper, first, last, 0, thick)
    elif kind == 6:  # a few slanted strokes of like length side by side: shading
        x, slant, length = 3, rng.randint(-15, 15), rng.uniform(0.4, 1.0) * height
        while x < width:
            top = rng.randint(0, max(1, height - int(length)))
            cv2.line(paper, (x, top), (x + slant, top + int(length * rng.uniform(0.6, 1))), 0, thick, cv2.LINE_AA)
            x += rng.randint(5, 30)
    else:  # blobs and specks
        for _ in range(count * 3):
            cv2.circle(paper, point(), rng.randint(1, height // 4), 0, -1 if rng.random() < 0.7 else thick)
    return paper


def tight(paper: Grey) -> Grey | None:
    """The paper trimmed to its ink; None if there is none."""
    left, top, width, height = cv2.boundingRect((paper < 128).astype(np.uint8))
    if width < 3 or height < 6:
        return None
    return paper[top : top + height, left : left + width]


def sample(names: list[str], rng: random.Random) -> tuple[Grey, str]:
    """One crop, tight, and what it reads; the empty string if it is not upright text."""
    while True:
        kind = rng.random()
        if kind < 0.28:
            paper, text = _scan(negative(rng), rng), ""
        else:
            if kind < 0.34:
                paper, text = _plotted(rng)
            else:
                text = random_text(rng)
                paper = _hershey(text, rng) if rng.random() < 0.12 else _typeset(text, names, rng)
            paper = _scan(_warp(paper, rng), rng)
            if rng.random() < 0.06:
                paper = _underline(paper, rng)
            turnable = sum(char.isalpha() for char in text) >= 3
            if turnable and rng.random() < 0.12:
                paper, text = np.ascontiguousarray(np.rot90(paper, rng.choice((1, 2, 2, 3)))), ""
        crop = tight(paper)
        if crop is not None:
            return crop, target(text)
