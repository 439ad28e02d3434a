"""The real designs printed as PDF: the same figures as from the office's TIFF sheets, and each finds itself."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pdf_makers import Coding, front_page, pdf_bytes, scanned, sheet_page, text_page
from PIL import Image

from patsearch.drawings import split_sheet
from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.photo import open_sheet
from patsearch.engine import open_index
from patsearch.ingest import ingest
from patsearch.ingest.sources import Unit, open_source
from patsearch.types import Patent

pytestmark = pytest.mark.data

Grey = NDArray[np.uint8]
CODINGS: tuple[Coding, ...] = ("g4", "jbig2", "flate", "stencil", "jpeg")


def printed(patent: Patent, place: int) -> bytes:
    """A patent as offices publish it: front page, sheets below a running head, text; each third one turned."""
    pages = [front_page()]
    sheets = [sheet for sheet in patent.sheets if not sheet.front_page]
    for number, sheet in enumerate(sheets, start=1):
        head = ("Jan. 5, 2021", f"Sheet {number} of {len(sheets)}", f"US {patent.number}")
        with Image.open(io.BytesIO(sheet.data)) as image:
            page = sheet_page(image, head)
        rotate = 90 * (place // 5 % 4) if place % 3 == 0 else 0
        pages.append(scanned(page, CODINGS[place % len(CODINGS)], rotate=rotate))
    return pdf_bytes([*pages, text_page(place, columns=2)])


def figures_of_sheets(patent: Patent) -> list[Grey]:
    """What the TIFF sheets have."""
    sheets = (open_sheet(sheet.data)[0] for sheet in patent.sheets if not sheet.front_page)
    return [figure.image for sheet in sheets for figure in split_sheet(sheet, longest=None).figures]


def blurred(figure: Grey, side: int = 200) -> NDArray[np.float64]:
    """A small copy, (side * side,), ink positive, of unit length."""
    scale = side / max(figure.shape)
    height, width = (max(1, round(length * scale)) for length in figure.shape)
    small = np.full((side, side), 255, np.uint8)
    small[:height, :width] = cv2.resize(figure, (width, height), interpolation=cv2.INTER_AREA)
    ink = cv2.GaussianBlur(255 - small, (0, 0), 1.5).astype(np.float64).ravel()
    return np.asarray(ink / (np.linalg.norm(ink) + 1e-9))


def is_same(one: Grey, other: Grey) -> bool:
    """Whether two figures are of one drawing, whatever their sizes; sheets that do not fit on a page are turned."""
    return any(
        0.9 < (one.shape[0] * turned.shape[1]) / (one.shape[1] * turned.shape[0]) < 1.1
        and float(blurred(one) @ blurred(turned)) > 0.9
        for turned in (np.rot90(other, quarter) for quarter in range(4))
    )


@pytest.mark.slow
def test_designs_printed_as_pdf(data_dir: Path, tmp_path: Path) -> None:
    ingest([data_dir / "uspto-weekly"], tmp_path / "index")
    patents = (unit.load() for unit in open_source(data_dir / "uspto-weekly").units() if isinstance(unit, Unit))
    designs = [patent for patent in patents if patent.kind == "S1"]
    assert len(designs) == 50
    wanted = same = extra = 0
    with open_index(tmp_path / "index") as engine:
        for place, patent in enumerate(designs):
            data = printed(patent, place)
            expected = figures_of_sheets(patent)
            left = [figure.image for figure in read_figures(data, Reading(longest=None)).figures]
            for figure in expected:
                match = next((k for k, other in enumerate(left) if is_same(figure, other)), None)
                if match is not None:
                    same += 1
                    del left[match]
            wanted += len(expected)
            extra += len(left)
            assert engine.search(data, k=1)[0].patent == patent.number
    print(f"{same} of {wanted} figures, {extra} others")
    assert same >= 0.95 * wanted
    assert extra <= 0.05 * wanted
