"""The picture of docs/research/sheets.md: labelled sheets at left, the figures cut from them at right.

python bench/contact_sheet.py DATA [--out docs/images/sheets.png]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from sheets import LABELLED, patents

from patsearch.drawings import SplitSheet, name_figures, split_sheet
from patsearch.drawings.opening import open_image

# Each shows something else: neighbours, turned sheets, labels above, at the side and within, Hague
# numbers, a reference to another figure, exploded views, screens, utility patents.
SHOWN = (
    ("USD919445", "D00002"), ("USD930094", "D00002"), ("USD930095", "D00007"), ("USD909824", "D00003"),
    ("USD907293", "D00004"), ("USD919623", "D00003"), ("USD939222", "D00003"), ("USD930529", "D00006"),
    ("USD925765", "D00002"), ("USD913174", "D00006"), ("USD913312", "D00001"), ("USD913942", "D00001"),
    ("US12448249", "D00001"), ("US12448895", "D00001"), ("US12448135", "D00005"), ("US12448254", "D00002"),
)  # fmt: skip
CELL, GAP, COLUMNS = 300, 10, 2


def thumbnail(image: Image.Image, size: int) -> Image.Image:
    """Shrunk to a square's bounds with thin lines kept visible."""
    small = image.convert("L")
    small.thumbnail((size, size), Image.Resampling.BOX)
    return small.point([max(0, min(255, int(1.5 * v - 127))) for v in range(256)]).convert("RGB")


def row(page: Image.Image, split: SplitSheet, truth: dict[str, Any]) -> Image.Image:
    """One sheet: the upright page with the true boxes, and its figures with the labels read."""
    font = ImageFont.load_default(15)
    canvas = Image.new("RGB", (3 * CELL + 4 * GAP, CELL + 34), "white")
    pen = ImageDraw.Draw(canvas)
    upright = page.convert("L").rotate(-split.turned, expand=True)
    small = thumbnail(upright, CELL)
    canvas.paste(small, (GAP, 26))
    scale = small.width / upright.width
    for entries, colour in ((truth["figures"], "#c02020"), (truth["text"], "#108030")):
        for entry in entries:
            left, top, right, bottom = (v * scale for v in entry["box"])
            pen.rectangle((GAP + left - 1, 25 + top, GAP + right + 1, 27 + bottom), outline=colour)
    turned = f", turned by {split.turned} degrees" if split.turned else ""
    pen.text((GAP, 4), f"{truth['patent']} {truth['sheet']}{turned}", font=font, fill="black")
    columns = 1 if len(split.figures) == 1 else 2
    lines = -(-len(split.figures) // columns)
    width, height = 2 * CELL // columns - GAP, CELL // lines - 22
    for k, figure in enumerate(split.figures):
        x, y = CELL + 3 * GAP + (k % columns) * (width + GAP), 26 + (k // columns) * (height + 22)
        drawn = Image.fromarray(figure.image)
        drawn.thumbnail((width, height), Image.Resampling.BOX)
        canvas.paste(thumbnail(drawn, max(width, height)), (x, y + 18))
        pen.text((x, y - 1), f"{figure.label or 'no label'}", font=font, fill="#2040c0")
    return canvas


def main() -> None:
    """Split the sheets shown and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "images" / "sheets.png")
    options = parser.parse_args()
    truth = {(entry["patent"], entry["sheet"]): entry for entry in json.loads(LABELLED.read_text())}
    rows: dict[tuple[str, str], Image.Image] = {}
    for patent in patents(options.data):
        if not any(number == patent.number for number, _ in SHOWN):
            continue
        sheets = [sheet for sheet in patent.sheets if not sheet.front_page]
        pages = [open_image(sheet.data) for sheet in sheets]
        splits = [split_sheet(page, expected=[c.figure for c in patent.captions]) for page in pages]
        splits = name_figures(splits, patent.captions, patent.figure_count)
        for sheet, page, split in zip(sheets, pages, splits, strict=True):
            if (key := (patent.number, sheet.name)) in SHOWN:
                rows[key] = row(page, split, truth[key])
    images = [rows[key] for key in SHOWN]
    width, height = images[0].size
    picture = Image.new("RGB", (COLUMNS * width, -(-len(images) // COLUMNS) * height), "white")
    for k, image in enumerate(images):
        picture.paste(image, ((k % COLUMNS) * width, (k // COLUMNS) * height))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(64).save(options.out, optimize=True)
    print(f"{options.out}: {picture.size}, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
