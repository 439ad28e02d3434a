"""How often a phone photo of a sketch on paper finds its drawing: as it is, flattened, and next to the sketch itself.

    python bench/paper.py SKETCHES [--set chairs] [--ruled 0.4] [--save FOLDER] [--json FILE]

SKETCHES is a folder as `patsearch bench --dataset sketches` takes it. There are no free photos of sketches whose
drawing is known, so photos are made: the sketch in pen or pencil on a sheet of plain, ruled or squared paper, in
perspective, on a table of wood, stone, cloth or one shade, with shadows, the lens's blur, noise and JPEG. The gallery
is the set's drawings. The query is read as `patsearch query` reads it, and shapes alone are compared.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.grey import Grey, to_grey
from patsearch.encoder import load_encoder
from patsearch.encoder.shape import shape_part
from patsearch.engine.query import encode_figures
from patsearch.evaluation.sketches import read_sketches

Floats = NDArray[np.float32]
SHAPES = (2**0.5, 11 / 8.5, 1.0, 1.25)  # length of a sheet by its width
WIDE = 1100  # pixels of a sheet's shorter side before it is photographed


def photo(sketch: Grey, rng: np.random.Generator, *, ruled: bool) -> tuple[bytes, Floats]:
    """A JPEG photo of a sketch, (H, W) dark on white, and the corners of its sheet, (4, 2) in pixels."""
    sheet = _sheet(sketch, rng, ruled=ruled)
    size = tuple(int(v) for v in (rng.choice([1200, 1500, 2000]) * np.array([1, 0.75])))
    wide, high = size if rng.random() < 0.5 else size[::-1]
    corners = _corners(sheet.shape[:2], wide, high, rng)
    height, width = sheet.shape[:2]
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    towards = cv2.getPerspectiveTransform(flat, corners)
    seen = cv2.warpPerspective(sheet, towards, (wide, high), flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.ones((height, width), np.float32), towards, (wide, high), flags=cv2.INTER_LINEAR)
    cover = cover[..., None]
    cast = cv2.GaussianBlur(np.roll(cover[..., 0], (6, 6), (0, 1)), (0, 0), 8)[..., None]
    scene = seen * cover + _table(high, wide, rng) * (1 - 0.4 * cast) * (1 - cover)
    lit = scene * _light(high, wide, rng)[..., None] * rng.uniform(0.92, 1.06, 3)
    soft = np.asarray(cv2.GaussianBlur(lit, (0, 0), float(rng.uniform(0.5, 1.4))), np.float64)
    noisy = soft + rng.normal(0, rng.uniform(1.5, 6), soft.shape)
    buffer = io.BytesIO()
    picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    picture.save(buffer, "JPEG", quality=int(rng.integers(70, 93)))
    return buffer.getvalue(), corners


def _sheet(sketch: Grey, rng: np.random.Generator, *, ruled: bool) -> Floats:
    """(H, W, 3) 0 to 255: a sheet of paper with the sketch on it."""
    long = round(WIDE * float(rng.choice(SHAPES)))
    height, width = (long, WIDE) if rng.random() < 0.6 else (WIDE, long)
    side = round(min(height, width) * float(rng.uniform(0.55, 0.85)))
    rows, columns = np.flatnonzero((sketch < 128).any(axis=1)), np.flatnonzero((sketch < 128).any(axis=0))
    cut = 1 - sketch[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32) / 255
    scale = side / max(cut.shape)
    larger = (max(2, round(cut.shape[1] * scale)), max(2, round(cut.shape[0] * scale)))
    ink = cv2.resize(cut, larger, interpolation=cv2.INTER_CUBIC)
    ink = np.clip((cv2.GaussianBlur(ink, (0, 0), scale / 2) - 0.25) * 4, 0, 1)
    at = np.zeros((height, width), np.float32)
    top = round(float(rng.uniform(0.3, 0.7)) * (height - ink.shape[0]))
    left = round(float(rng.uniform(0.3, 0.7)) * (width - ink.shape[1]))
    at[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    paper = np.full(3, rng.uniform(225, 250), np.float32) * np.array(
        [1, rng.uniform(0.97, 1), rng.uniform(0.9, 1)], np.float32
    )
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 1.5)
    sheet = paper[None, None] * (1 + 0.01 * grain[..., None] / grain.std())
    if ruled:
        _rule(sheet, rng)
    pencil = rng.random() < 0.3
    strength = at * float(rng.uniform(0.55, 0.75) if pencil else rng.uniform(0.8, 0.95))
    pens = np.array([[30, 30, 35], [25, 35, 120], [70, 70, 72]], np.float32)
    pen = pens[2] if pencil else pens[int(rng.integers(2))]
    return np.asarray(sheet * (1 - strength[..., None]) + pen * strength[..., None], np.float32)


def _rule(sheet: Floats, rng: np.random.Generator) -> None:
    """Lines of ruled or squared paper, in place."""
    squared = rng.random() < 0.5
    step = rng.uniform(22, 30) if squared else rng.uniform(34, 46)
    colour = np.array([[150, 185, 220], [175, 175, 185], [190, 170, 200]], np.float32)[int(rng.integers(3))]
    thick = int(rng.integers(1, 3))
    for line in np.arange(step, sheet.shape[0], step):
        sheet[round(line) : round(line) + thick] = colour
    if squared:
        for line in np.arange(step, sheet.shape[1], step):
            sheet[:, round(line) : round(line) + thick] = colour
    elif rng.random() < 0.5:
        edge = round(0.12 * sheet.shape[1])
        sheet[:, edge : edge + 2] = (220, 150, 150)


def _corners(shape: tuple[int, ...], wide: int, high: int, rng: np.random.Generator) -> Floats:
    """Where the corners of a sheet are in a photo: turned a little, tilted, through a phone's lens."""
    height, width = shape[0] / max(shape), shape[1] / max(shape)
    flat = np.array([[-width, -height, 0], [width, -height, 0], [width, height, 0], [-width, height, 0]]) / 2
    roll, pitch, yaw = np.radians([rng.normal(0, 7), rng.uniform(-35, 35), rng.normal(0, 12)])
    turn = cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0] @ cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
    turn = turn @ cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0]
    points = flat @ turn.T + [0, 0, float(rng.uniform(1.6, 2.4))]
    seen = points[:, :2] / points[:, 2:]
    low, top = seen.min(axis=0), seen.max(axis=0)
    scale = float(rng.uniform(0.62, 0.93)) * min(wide / (top - low)[0], high / (top - low)[1])
    room = np.array([wide, high]) - (top - low) * scale
    return np.asarray((seen - low) * scale + room * rng.uniform(0.3, 0.7, 2), np.float32)


def _table(high: int, wide: int, rng: np.random.Generator) -> Floats:
    """(H, W, 3) of wood, stone, cloth or one shade."""
    kind = int(rng.integers(4))
    noise = rng.normal(0, 1, (high, wide)).astype(np.float32)
    if kind == 0:  # wood
        colour = np.array([[120, 80, 50], [165, 120, 80], [90, 60, 45]], np.float32)[int(rng.integers(3))]
        grain = cv2.GaussianBlur(noise, (0, 0), 60, sigmaY=2)
        texture = 1 + 0.18 * grain / grain.std()
        for board in np.arange(rng.uniform(80, 200), high, rng.uniform(150, 320)):
            texture[round(board) : round(board) + 3] *= 0.6
    elif kind == 1:  # stone
        colour = np.array([[110, 110, 112], [70, 72, 78], [150, 148, 140]], np.float32)[int(rng.integers(3))]
        spots = cv2.GaussianBlur(noise, (0, 0), 2) * 6 + cv2.GaussianBlur(noise, (0, 0), 25) * 60
        texture = 1 + 0.12 * spots / spots.std()
    elif kind == 2:  # cloth
        colour = rng.uniform(30, 130, 3).astype(np.float32)
        y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
        texture = 1 + 0.15 * np.sin(x / 2.7) * np.sin(y / 2.7) + 0.05 * noise
    else:
        colour = np.full(3, rng.uniform(20, 170), np.float32) + rng.uniform(-12, 12, 3).astype(np.float32)
        texture = 1 + 0.01 * noise
    return np.asarray(colour[None, None] * np.clip(texture, 0.2, 1.6)[..., None], np.float32)


def _light(high: int, wide: int, rng: np.random.Generator) -> Floats:
    """(H, W) of a lamp on one side, the lens's darker corners, and the shadow of a hand or a phone."""
    y, x = np.mgrid[-1 : 1 : high * 1j, -1 : 1 : wide * 1j].astype(np.float32)
    towards = rng.uniform(0, 2 * np.pi)
    light = 1 + float(rng.uniform(0.05, 0.25)) * (np.cos(towards) * x + np.sin(towards) * y)
    light *= 1 - float(rng.uniform(0.05, 0.2)) * (x * x + y * y) / 2
    if rng.random() < 0.7:
        mask = np.zeros((high, wide), np.float32)
        middle = rng.uniform(0.1, 0.9, 2) * [wide, high]
        angles = np.sort(rng.uniform(0, 2 * np.pi, 6))
        reach = rng.uniform(0.15, 0.5, 6) * max(wide, high)
        edge = middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach[:, None]
        cv2.fillPoly(mask, [edge.astype(np.int32)], 1.0)
        soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(8, 50)))
        light *= 1 - float(rng.uniform(0.15, 0.5)) * soft
    return np.asarray(light * rng.uniform(0.75, 1.05), np.float32)


def rank(query: Floats, gallery: Floats, own: int) -> int:
    """The rank of a drawing by the closest of the query's figures."""
    scores = (gallery @ query.T).max(axis=1)
    return int((scores > scores[own]).sum()) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sketches", type=Path)
    parser.add_argument("--set", default=None)
    parser.add_argument("--ruled", type=float, default=0.4, help="share of ruled and squared paper")
    parser.add_argument("--most", type=int, default=None, help="of the sketches")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, help="write the photos and what is made of them here")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    encoder = load_encoder()
    with tempfile.TemporaryDirectory() as work:
        lists = read_sketches(options.sketches, options.set, Path(work))
        drawings = [to_grey(Image.open(image.path)) for image in lists.gallery]
        places = {image.id: place for place, image in enumerate(lists.gallery)}
        own = [places[next(iter(lists.judgements[image.id]))] for image in lists.queries]
        sketches = [to_grey(Image.open(image.path)) for image in lists.queries]

    def encode(figures: list[Grey]) -> Floats:
        return np.asarray(shape_part(encode_figures(encoder, [figures]).vectors, encoder.card.shape_dim), np.float32)

    def of_file(data: bytes, how: Reading) -> tuple[list[Grey], bool]:
        document = read_figures(data, how, name="photo")
        return [figure.image for figure in document.figures], document.flat

    gallery = encode(drawings)
    ranks: dict[str, list[int]] = {"photo": [], "flattened": [], "sketch": []}
    count, flat, seconds = min(options.most or len(own), len(own)), 0, 0.0
    for place in range(count):
        rng = np.random.default_rng([options.seed, place])
        data, _ = photo(sketches[place], rng, ruled=bool(rng.random() < options.ruled))
        start = time.perf_counter()
        figures, found = of_file(data, Reading())
        seconds += time.perf_counter() - start
        flat += found
        for name, pictures in (
            ("photo", of_file(data, Reading(flatten=False))[0]), ("flattened", figures), ("sketch", [sketches[place]])
        ):  # fmt: skip
            ranks[name].append(rank(encode(pictures), gallery, own[place]))
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            (options.save / f"{place}.jpg").write_bytes(data)
            Image.fromarray(figures[0]).save(options.save / f"{place}.png")
    print(f"{count} photos, {len(gallery)} drawings; flattened {flat / count:.3f}, read in {seconds / count:.2f} s")
    results: dict[str, Any] = {"flattened": flat / count}
    for name, found_at in ranks.items():
        hits = {f"hit@{k}": round(float(np.mean(np.array(found_at) <= k)), 3) for k in (1, 10)}
        results[name] = hits
        print(f"{name}: {hits}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
