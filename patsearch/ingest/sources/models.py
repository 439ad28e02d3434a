"""3D models of designs: each file is a patent, whose sheets are the views of a design patent, drawn from the model."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from PIL import Image

from patsearch.drawings.document import Reading, read_figures
from patsearch.drawings.grey import Grey
from patsearch.errors import ImageError, SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Unit
from patsearch.ingest.sources.documents import DocumentSource
from patsearch.ingest.sources.folders import read_file
from patsearch.ingest.sources.imagefiles import sheet_names
from patsearch.models.reading import SUFFIXES
from patsearch.types import Caption, Patent, Sheet

MAX_MODEL = 256 << 20


@dataclass(frozen=True, kw_only=True)
class ModelFiles(Unit):
    """A patent whose sheets are views of 3D models.

    Attributes:
        patent: the number or name, with the data of the table.
        files: several where the folder is named like a patent.
    """

    patent: Patent
    files: tuple[Path, ...]

    def load(self) -> Patent:
        stems = sheet_names([printable(file.stem) for file in self.files])
        sheets: list[Sheet] = []
        captions: list[Caption] = []
        problems: list[str] = []
        remarks: list[str] = []
        for file, stem in zip(self.files, stems, strict=True):
            try:
                data = read_file(file, MAX_MODEL)
                document = read_figures(data, Reading(), name=printable(file.name))
            except (ImageError, SourceError) as error:
                problems.append(str(error))
                continue
            remarks += document.remarks
            for figure in document.figures:
                name = figure.name.replace(" ", "-") or "view"
                sheets.append(Sheet(f"{stem}-{name}" if len(self.files) > 1 else name, _png(figure.image)))
                captions.append(Caption(str(len(sheets)), figure.name))
        if not sheets:
            raise SourceError("; ".join(problems))
        return replace(
            self.patent,
            captions=tuple(captions),
            figure_count=len(sheets),
            sheets=tuple(sheets),
            problems=tuple(problems),
            remarks=tuple(remarks),
        )


class ModelSource(DocumentSource):
    """3D models in folders, or one."""

    name = "models"
    looks_for = f"3D models ({', '.join(suffix.removeprefix('.') for suffix in SUFFIXES)}) in a folder"
    precedence: ClassVar[int] = 88
    suffixes: ClassVar[frozenset[str]] = frozenset(SUFFIXES)

    @classmethod
    def unit(
        cls, patent: Patent, files: tuple[Path, ...], *, key: str, fingerprint: str, origin: str, size: int
    ) -> ModelFiles:
        return ModelFiles(key=key, fingerprint=fingerprint, origin=origin, size=size, patent=patent, files=files)


def _png(image: Grey) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
