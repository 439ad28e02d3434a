"""PDFs of patents and applications: each file is a patent, or all files of a folder that is named like one.

USD0907292.pdf                      patent USD907292
USD907293/front.pdf  .../side.pdf   patent USD907293
exhibits/A.pdf                      patent exhibits-A, or the number that its front page has
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar

from patsearch.drawings.pagesort import Page, left_out, page_image, sort_pages
from patsearch.drawings.pdf import PdfFile
from patsearch.errors import ImageError, SourceError
from patsearch.files import printable
from patsearch.ingest.frontpage import read_front_page
from patsearch.ingest.sources.base import Problem, Source, Unit
from patsearch.ingest.sources.folders import fingerprint, folders_of, holds, natural_key, read_file
from patsearch.ingest.sources.imagefiles import sheet_names
from patsearch.ingest.sources.metadata import Metadata, read_metadata
from patsearch.numbers import is_number, normal_number
from patsearch.types import Patent, Sheet

SUFFIX = ".pdf"
MAX_PDF = 256 << 20
_LOOK_AT = 20_000  # files that `recognises` looks at
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
            remarks=remarks,
        )


class PdfSource(Source):
    """PDFs in folders, or one PDF, with a table of metadata where there is one."""

    name = "pdf"
    looks_for = "PDFs (pdf) in a folder"
    takes: ClassVar[frozenset[str]] = frozenset({"metadata"})
    precedence: ClassVar[int] = 85
    shares: ClassVar[bool] = True

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return holds(path, _is_pdf, most=_LOOK_AT)

    def units(self) -> Iterator[Unit | Problem]:
        metadata = read_metadata(self.options.metadata) if self.options.metadata else Metadata()
        yield from metadata.problems
        for found in self._patents():
            if isinstance(found, Problem):
                yield found
                continue
            name, files = found
            patent = metadata.patents.get(name, Patent(number=name))
            try:
                content, size = fingerprint(files)
            except SourceError as error:
                yield Problem(name, error.message)
                continue
            digest = blake2b(f"{content} {patent.described()}".encode(), digest_size=16).hexdigest()
            origin = printable(files[0].parent.name if len(files) > 1 else files[0].name)
            yield PdfFiles(key=name, fingerprint=digest, origin=origin, size=size, patent=patent, files=tuple(files))

    def total(self) -> int | None:
        return sum(not isinstance(found, Problem) for found in self._patents())

    def _patents(self) -> Iterator[tuple[str, list[Path]] | Problem]:
        patents: dict[str, list[Path]] = {}
        for folder in folders_of(self):
            if isinstance(folder, Problem):
                yield folder
                continue
            doubled = []
            here: set[str] = set()
            for file in filter(_is_pdf, folder.files):
                self.taken.add(file)
                name = self._name(file)
                if name in patents and name not in here:
                    doubled.append(file)
                    continue
                here.add(name)
                patents.setdefault(name, []).append(file)
            if doubled:
                yield self.leave_out(
                    doubled, printable(folder.path), "another folder has PDFs of the same patent; left out"
                )
        for name in sorted(patents, key=natural_key):
            yield name, sorted(patents[name], key=natural_key)

    def _name(self, file: Path) -> str:
        """The number in the name of the file or of its folder, else the path below the source."""
        for name in (file.stem, file.parent.name):
            number = normal_number(printable(name))
            if is_number(number):
                return number
        root = self.path if self.path.is_dir() else self.path.parent
        return "-".join(map(printable, file.relative_to(root).with_suffix("").parts))


def _is_pdf(file: Path) -> bool:
    return file.suffix.lower() == SUFFIX


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
