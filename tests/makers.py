"""Small real inputs for the tests: drawings, grants and weekly archives in the USPTO's layout."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = [("1402", "D14345"), ("1404", "D14486"), ("0204", "D 2947"), ("0601", "D 6334"), ("2803", "D28 47")]
TITLES = ["Chair with arm rest", "Display screen", "Shoe", "Lamp", "Razor cartridge"]

# Of every file in an archive: the same bytes whenever they are made.
WRITTEN = (2024, 1, 2, 0, 0, 0)


def draw_design(seed: int, view: int, size: tuple[int, int] = (900, 1200)) -> Image.Image:
    """A line drawing; the views of one seed share most of their shapes."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", size, 255)
    pen = ImageDraw.Draw(image)
    squeeze = 1 - 0.12 * view
    for _ in range(7):
        x0, y0 = rng.uniform(80, 500, 2)
        width, height = rng.uniform(80, 330, 2)
        box = (x0 * squeeze, y0, (x0 + width) * squeeze, y0 + height)
        if rng.random() < 0.5:
            pen.ellipse(box, outline=0, width=5)
        else:
            pen.rectangle(box, outline=0, width=5)
    points = [(float(x) * squeeze, float(y)) for x, y in rng.uniform(60, 800, (5, 2))]
    pen.line(points, fill=0, width=5)
    return image


def tiff_bytes(image: Image.Image) -> bytes:
    """As the office stores sheets: 1 bit, CCITT Group 4, 300 dpi."""
    buffer = io.BytesIO()
    image.convert("1", dither=Image.Dither.NONE).save(buffer, "TIFF", compression="group4", dpi=(300, 300))
    return buffer.getvalue()


def grant_xml(number: str, *, title: str, date: str, locarno: str, uspc: str, sheets: int) -> bytes:
    """The fields of a design grant that patsearch reads, in the office's shape."""
    paragraphs = "".join(
        f"<p>FIG. {n} is a {'perspective' if n == 1 else 'front'} view thereof;</p>" for n in range(1, sheets + 1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE us-patent-grant SYSTEM "us-patent-grant-v45-2014-04-03.dtd" [ ]>
<us-patent-grant lang="EN" dtd-version="v4.5 2014-04-03" country="US" date-publ="{date}">
<us-bibliographic-data-grant>
<publication-reference><document-id><country>US</country><doc-number>{number}</doc-number><kind>S1</kind>
<date>{date}</date></document-id></publication-reference>
<application-reference appl-type="design"><document-id><country>US</country><doc-number>29000001</doc-number>
<date>20190405</date></document-id></application-reference>
<classification-locarno><edition>12</edition><main-classification>{locarno}</main-classification>
</classification-locarno>
<classification-national><country>US</country><main-classification>{uspc}</main-classification>
</classification-national>
<invention-title id="d2e43">{title}</invention-title>
<figures><number-of-drawing-sheets>{sheets}</number-of-drawing-sheets>
<number-of-figures>{sheets}</number-of-figures></figures>
</us-bibliographic-data-grant>
<description><description-of-drawings>{paragraphs}</description-of-drawings></description>
</us-patent-grant>""".encode()


def grant_zip(seed: int, *, date: str = "20210105", sheets: int = 2, title: str | None = None) -> tuple[str, bytes]:
    """File name and bytes of one grant's ZIP: XML, front page and sheets."""
    number = f"D{900000 + seed:07d}"
    stem = f"US{number}-{date}"
    locarno, uspc = CLASSES[seed % len(CLASSES)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        xml = grant_xml(
            number, title=title or TITLES[seed % len(TITLES)], date=date, locarno=locarno, uspc=uspc, sheets=sheets
        )
        archive.writestr(zipfile.ZipInfo(f"{stem}/{stem}.XML", WRITTEN), xml)
        for page in range(sheets + 1):
            archive.writestr(
                zipfile.ZipInfo(f"{stem}/{stem}-D{page:05d}.TIF", WRITTEN),
                tiff_bytes(draw_design(seed, max(0, page - 1))),
            )
    return f"{stem}.ZIP", buffer.getvalue()


def week(folder: Path, seeds: range, *, date: str = "20210105", sheets: int = 2) -> Path:
    """A weekly archive `I<date>.tar` with one grant a seed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"I{date}.tar"
    with tarfile.open(path, "w") as archive:
        for seed in seeds:
            name, data = grant_zip(seed, date=date, sheets=sheets)
            add_member(archive, f"I{date}/DESIGN/{name}", data)
    return path


def add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append one file to a tar."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
