"""PDFs for the tests, written byte by byte: nothing is shared with the reader, and each kind can be made broken."""

from __future__ import annotations

import io
import random
import struct
import textwrap
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Coding = Literal["g4", "jbig2", "flate", "stencil", "jpeg"]

_WORDS = (
    "the ornamental design for a chair as shown and described wherein said first member is coupled to second portion "
    "of housing having an upper surface and lower edge of it comprising plurality elongated slots disposed along "
    "outer perimeter handle assembly further includes resilient element configured to retain cover position when "
    "closed embodiments may be combined without departing from scope of appended claims"
).split()

FRONT = (
    "(12) United States Design Patent    (10) Patent No.:  US D939,806 S",
    "      Smith et al.                   (45) Date of Patent: ** Jan. 4, 2022",
    "(54) SHAVING BLADE CARTRIDGE",
    "(71) Applicant: The Razor Company LLC, Boston,",
    "        MA (US)",
    "(72) Inventors: Jane Smith, Boston, MA (US);",
    "        John Doe, Reading (GB)",
    "(**) Term:  15 Years",
    "(21) Appl. No.: 29/747,374",
    "(22) Filed:  Aug. 21, 2020",
    "(51) LOC (13) Cl. ........................ 28-03",
    "(52) U.S. Cl.",
    "        USPC ......................... D28/47; D28/46",
    "(58) Field of Classification Search",
    "        USPC ............ D28/44.1, 45, 46, 47, 48",
    "        See application file for complete search history.",
    "(56)            References Cited",
    "   D456,562 S *   4/2002 Pennella ............ D28/47",
    "Primary Examiner - Jennifer L. Watkins",
    "(57)                CLAIM",
    "The ornamental design for a shaving blade cartridge, as",
    "shown and described.",
    "                DESCRIPTION",
    "FIG. 1 is a top perspective view of a shaving blade",
    "cartridge showing our new design;",
    "FIG. 2 is a front view of it; and,",
    "FIG. 3 is a rear view of it.",
    "The broken lines in the drawings illustrate portions of the",
    "shaving blade cartridge that form no part of the claimed",
    "design.",
)


_ESCAPED = {ord(letter): "\\" + letter for letter in "()\\"}


@dataclass(frozen=True)
class PdfPage:
    """A page: its content, and the pictures that it names, as dictionary and bytes."""

    content: str = ""
    images: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    size: tuple[float, float] = (612.0, 792.0)
    rotate: int = 0


def pdf_bytes(pages: Sequence[PdfPage], *, trailer: str = "", objects: Sequence[bytes] = ()) -> bytes:
    """A PDF; `objects` come last, and `trailer` is added to its trailer."""
    bodies = [b"<</Type/Catalog/Pages 2 0 R>>", b""]

    def add(body: bytes) -> int:
        bodies.append(body)
        return len(bodies)

    kids = []
    for page in pages:
        names = "".join(f"/{name} {add(_stream(*image))} 0 R" for name, image in page.images.items())
        content = add(_stream("", page.content.encode("latin-1")))
        font = "<</Type/Font/Subtype/Type1/BaseFont/Times-Roman>>"
        box = f"0 0 {page.size[0]} {page.size[1]}"
        kids.append(
            add(
                f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Rotate {page.rotate}/Contents {content} 0 R"
                f"/Resources<</Font<</F {font}>>/XObject<<{names}>>>>>>".encode()
            )
        )
    bodies[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(f'{kid} 0 R' for kid in kids)}]>>".encode()
    for body in objects:
        add(body)
    out = bytearray(b"%PDF-1.5\n")
    places = []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1) + table
    out += f"trailer<</Size {len(bodies) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)


def _stream(dictionary: str, data: bytes) -> bytes:
    return f"<<{dictionary}/Length {len(data)}>>stream\n".encode() + data + b"\nendstream"


def scan(image: Image.Image, coding: Coding = "g4") -> tuple[str, bytes]:
    """A picture as it is embedded in a page, in 1 bit but for JPEG."""
    width, height = image.size
    head = f"/Type/XObject/Subtype/Image/Width {width}/Height {height}"
    if coding == "jpeg":
        buffer = io.BytesIO()
        image.convert("L").save(buffer, "JPEG", quality=90)
        return f"{head}/BitsPerComponent 8/ColorSpace/DeviceGray/Filter/DCTDecode", buffer.getvalue()
    black = np.asarray(image.convert("1", dither=Image.Dither.NONE)) == 0
    colour = "/ImageMask true" if coding == "stencil" else "/ColorSpace/DeviceGray"
    if coding == "flate":
        return f"{head}/BitsPerComponent 1{colour}/Filter/FlateDecode", zlib.compress(
            np.packbits(~black, axis=1).tobytes()
        )
    if coding == "jbig2":
        return f"{head}/BitsPerComponent 1{colour}/Filter/JBIG2Decode", _jbig2(black)
    parameters = f"/DecodeParms<</K -1/Columns {width}/Rows {height}>>"
    return f"{head}/BitsPerComponent 1{colour}/Filter/CCITTFaxDecode{parameters}", _g4(black)


def _g4(black: np.ndarray) -> bytes:
    """CCITT Group 4, taken out of a TIFF of one strip."""
    buffer = io.BytesIO()
    # Pillow writes black as 0; in fax codings black is 1.
    Image.fromarray(~black).save(buffer, "TIFF", compression="group4", tiffinfo={278: 1 << 30, 262: 0})
    data = buffer.getvalue()
    with Image.open(io.BytesIO(data)) as tiff:
        start, length = tiff.tag_v2[273][0], tiff.tag_v2[279][0]  # type: ignore[attr-defined]
        assert tiff.tag_v2[262] == 0  # type: ignore[attr-defined]
    return data[start : start + length]


def _jbig2(black: np.ndarray) -> bytes:
    """JBIG2 (ISO/IEC 14492): one generic region, coded by the standard's own variant of Group 4 (MMR)."""
    height, width = black.shape

    def segment(number: int, kind: int, data: bytes) -> bytes:
        return struct.pack(">IBBBI", number, kind, 0, 1, len(data)) + data

    page = struct.pack(">IIIIBH", width, height, 0, 0, 0, 0)
    region = struct.pack(">IIIIB", width, height, 0, 0, 0) + b"\x01" + _g4(black)
    return segment(0, 48, page) + segment(1, 38, region)


def scanned(image: Image.Image, coding: Coding = "g4", *, dpi: float = 300, rotate: int = 0, more: str = "") -> PdfPage:
    """A page that one scan fills; `more` is drawn over it."""
    width, height = (side * 72 / dpi for side in image.size)
    content = f"q {width} 0 0 {height} 0 0 cm /I Do Q {more}"
    return PdfPage(content, {"I": scan(image, coding)}, (width, height), rotate)


def text_at(x: float, y: float, size: float, lines: Sequence[str], leading: float) -> str:
    """Operators that print lines."""
    shown = " ".join(f"({line.translate(_ESCAPED)}) Tj T*" for line in lines)
    return f"\nBT /F {size} Tf {leading} TL {x} {y} Td {shown} ET\n"


def prose(seed: int, letters: int, lines: int) -> list[str]:
    """Lines of text."""
    rng = random.Random(seed)
    return textwrap.wrap(" ".join(rng.choice(_WORDS) for _ in range(lines * letters // 4)), letters)[:lines]


def text_page(seed: int = 1, *, columns: int = 1) -> PdfPage:
    """A page of a specification, in one column or in the two of a printed grant."""
    if columns == 1:
        return PdfPage(text_at(72, 720, 12, prose(seed, 82, 26), 24))
    left, right = prose(seed, 58, 60), prose(seed + 1, 58, 60)
    return PdfPage(text_at(60, 720, 9, left, 10.5) + text_at(320, 720, 9, right, 10.5))


def front_page(lines: Sequence[str] = FRONT, *, figure: bool = True) -> PdfPage:
    """The front page of a design grant, with its figure."""
    left, right = lines[2:17], lines[17:]
    content = text_at(60, 730, 13, lines[:2], 18) + text_at(60, 680, 9, left, 11) + text_at(320, 680, 9, right, 11)
    return PdfPage(content + (drawing_operators(150, 120) if figure else ""))


def drawing_operators(x: float, y: float) -> str:
    """A line drawing of 260 by 200 points."""
    return (
        f"1.2 w {x} {y} 260 200 re S {x} {y} m {x + 260} {y + 200} l S {x + 40} {y + 60} 80 90 re S "
        f"{x + 125} {y + 140} m {x + 150} {y + 180} {x + 200} {y + 180} {x + 230} {y + 100} c S"
    )


def as_scan(page: PdfPage) -> PdfPage:
    """A page as a scanner leaves it: 1 bit, without a text layer."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf_bytes([page]))
    shown = document[0].render(scale=300 / 72, grayscale=True).to_pil().copy()
    document.close()
    return scanned(shown.point(lambda grey: 255 * (grey > 128)))


def sheet_page(sheet: Image.Image, head: Sequence[str], size: tuple[int, int] = (2560, 3300)) -> Image.Image:
    """A sheet as it is printed in a grant: on a page of letter size, below a running head."""
    sheet = sheet.convert("1", dither=Image.Dither.NONE)
    if sheet.width > 2300:
        sheet = sheet.transpose(Image.Transpose.ROTATE_90)
    fitting = min(1.0, 2300 / sheet.width, 2950 / sheet.height)
    if fitting < 1:
        smaller = (int(sheet.width * fitting), int(sheet.height * fitting))
        sheet = sheet.convert("L").resize(smaller, Image.Resampling.LANCZOS).convert("1", dither=Image.Dither.NONE)
    page = Image.new("1", size, 1)
    page.paste(sheet, ((size[0] - sheet.width) // 2, 240 + (2950 - sheet.height) // 2))
    pen = ImageDraw.Draw(page)
    for x, text in zip((180, 1000, 1480, 1950), ("U.S. Patent", *head), strict=True):
        pen.text((x, 118), text, font=ImageFont.load_default(48), fill=0)
    return page


def encrypted(data: bytes) -> bytes:
    """The same PDF, which says that it is encrypted with a password that nobody knows (RC4, 40 bits)."""
    junk = "<" + "41" * 32 + ">"
    entry = f"/Encrypt<</Filter/Standard/V 1/R 2/O{junk}/U{junk}/P -44>>/ID[{junk}{junk}]"
    return data.replace(b"trailer<<", b"trailer<<" + entry.encode())


def references_page() -> PdfPage:
    """A page of references, with dots that lead to their classes."""
    many = [
        f"D{400 + i},{100 + 7 * i} S * {1 + i % 12}/20{i % 10:02d} Pennella et al. .......... D28/{i % 50}"
        for i in range(60)
    ]
    return PdfPage(text_at(60, 720, 9, many, 10.5) + text_at(320, 720, 9, many[::-1][:40], 10.5))


def correction_page() -> PdfPage:
    """A certificate of correction: a few lines far apart."""
    head = ["UNITED STATES PATENT AND TRADEMARK OFFICE", "     CERTIFICATE OF CORRECTION"]
    lines = [
        "PATENT NO.      : D939,806 S",
        "APPLICATION NO. : 29/747374",
        "DATED           : January 4, 2022",
        "INVENTOR(S)     : Smith et al.",
        "",
        "It is certified that error appears in the above-identified patent and that said Letters Patent is hereby",
        "corrected as shown below:",
        "",
        "On the Title Page",
        "Item (72), Inventors: 'Jane Smit' should read --Jane Smith--.",
        "",
        "",
        "                                     Signed and Sealed this",
        "                                Fifth Day of April, 2022",
        "",
        "                                Director of the Office",
    ]
    return PdfPage(text_at(150, 740, 16, head, 22) + text_at(60, 660, 11, lines, 15))
