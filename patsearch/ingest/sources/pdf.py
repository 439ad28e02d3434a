"""PDFs of patents and applications: pages of drawings are sheets, the front page gives the data."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from patsearch.drawings.pagesort import Page, left_out, page_image, sort_pages
from patsearch.drawings.pdf import PdfFile
from patsearch.errors import ImageError, SourceError
from patsearch.files import printable
from patsearch.ingest.frontpage import read_front_page
from patsearch.ingest.sources.base import Unit
from patsearch.ingest.sources.documents import DocumentSource
from patsearch.ingest.sources.folders import read_file
from patsearch.ingest.sources.imagefiles import sheet_names
from patsearch.numbers import is_number
from patsearch.types import Patent, Sheet

MAX_PDF = 256 << 20
_TEXT_PAGES = 6  # that may continue the front page


@dataclass(frozen=True, kw_only=True)
class PdfFiles(Unit):
    """A patent whose sheets are pages of PDFs.

    Attributes:
        patent: the number or name, with the data of the table.
        files: in page order.
    """

    patent: Patent
    files: tuple[Path, ...]

    def load(self) -> Patent:
        stems = sheet_names([printable(file.stem) for file in self.files])
        sheets: list[Sheet] = []
        problems: list[str] = []
        remarks: list[str] = []
        texts: list[str] = []
        for file, stem in zip(self.files, stems, strict=True):
            where = f"{printable(file.name)}: " if len(self.files) > 1 else ""
            try:
                with PdfFile(read_file(file, MAX_PDF), name=printable(file.name)) as pdf:
                    others: list[Page] = []
                    for page in sort_pages(pdf):
                        if page.image is not None:
                            name = f"page{page.number}"
                            sheets.append(Sheet(f"{stem}-{name}" if where else name, _png(page)))
                        elif page.kind == "damaged":
                            problems.append(f"{where}page {page.number}: {page.reason}")
                        else:
                            others.append(page)
                    texts += _texts(pdf, others)
                    remarks += (where + remark for remark in left_out(others, pdf.pages))
            except (ImageError, SourceError) as error:
                problems.append(str(error))
        if not sheets:
            raise SourceError("; ".join([*problems, f"no drawings found{''.join(f' ({text})' for text in remarks)}."]))
        return self._patent(read_front_page("\n".join(texts)), tuple(sheets), tuple(problems), tuple(remarks))

    def _patent(
        self, front: Patent, sheets: tuple[Sheet, ...], problems: tuple[str, ...], remarks: tuple[str, ...]
    ) -> Patent:
        """The data of the table, and what it lacks from the front page."""
        named = self.patent
        if is_number(named.number) and front.number not in ("", named.number):
            remarks += (f"the front page has another number, {front.number}: it is not read",)
            front = Patent(number="")
        return Patent(
            number=named.number if is_number(named.number) else front.number or named.number,
            title=named.title or front.title,
            kind=named.kind or front.kind,
            granted=named.granted or front.granted,
            filed=named.filed or front.filed,
            classes=named.classes or front.classes,
            captions=front.captions,
            sheets=sheets,
            problems=problems,
            remarks=(*named.remarks, *remarks, *front.remarks),
            bibliography=named.bibliography or front.bibliography,
        )


class PdfSource(DocumentSource):
    """PDFs in folders, or one PDF; the number of a patent may be on its front page."""

    name = "pdf"
    looks_for = "PDFs (pdf) in a folder"
    precedence: ClassVar[int] = 85
    suffixes: ClassVar[frozenset[str]] = frozenset({".pdf"})

    @classmethod
    def unit(
        cls, patent: Patent, files: tuple[Path, ...], *, key: str, fingerprint: str, origin: str, size: int
    ) -> PdfFiles:
        return PdfFiles(key=key, fingerprint=fingerprint, origin=origin, size=size, patent=patent, files=files)


def _png(page: Page) -> bytes:
    assert page.image is not None
    buffer = io.BytesIO()
    page_image(page.image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _texts(pdf: PdfFile, pages: list[Page]) -> Iterator[str]:
    """The text of the front page and of the pages that continue it."""
    front = next((page.number for page in pages if page.kind == "front page"), 1)
    yield pdf.text(front)
    number = front + 1
    texts = {page.number for page in pages if page.kind == "text"}
    while number in texts and number < front + _TEXT_PAGES:
        yield pdf.text(number)
        number += 1
