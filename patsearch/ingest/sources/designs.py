"""The unit of a design in an office's register: its latest notice, and those of its pictures that are at hand."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from PIL import Image

from patsearch.drawings.document import Reading, read_figures
from patsearch.errors import ImageError, SourceError
from patsearch.files import printable
from patsearch.ingest.events import Base, Event
from patsearch.ingest.notices import View
from patsearch.ingest.sources.base import Unit
from patsearch.ingest.sources.grants import FRONT_PAGE
from patsearch.ingest.sources.stored import Stored
from patsearch.ingest.sources.unzip import MAX_MEMBER
from patsearch.models.reading import SUFFIXES as MODELS
from patsearch.types import Patent, Sheet

_OF_MODEL = "--"  # between the name of a view and that of a picture drawn from its model
_PAGE = "-page"  # behind the name of a sheet, for further pages of its file


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is at hand.

    Attributes:
        view: the name of its view.
        version: of the notice that it came with.
        crc: of its content, eight hex digits.
    """

    view: str
    file: Stored
    version: str
    crc: str


@dataclass(frozen=True, kw_only=True)
class DesignUnit(Unit):
    """A design as its latest notice has it.

    Attributes:
        dated: the notice's version (`notices.version`). What an index holds from a later one stays as it is.
        deleted: the office has deleted the design.
        patent: its number and data.
        views: its pictures; None where no notice at hand speaks of them.
        views_dated: version of the notice that does, "" for none.
        pictures: those of them that are at hand; the index may have others.
        base: of an international registration, its protection before any event.
    """

    dated: str
    deleted: bool
    patent: Patent
    views: tuple[View, ...] | None
    views_dated: str
    pictures: tuple[Picture, ...]
    base: Base | None = None

    def known(self) -> Patent:
        return self.patent

    def load(self) -> Patent:
        sheets: list[Sheet] = []
        problems: list[str] = []
        views = {view.name: view for view in self.views or ()}
        for picture in self.pictures:
            try:
                sheets += self._sheets(picture, views[picture.view])
            except (ImageError, SourceError) as error:
                problems.append(f"{picture.view}: {error.message}")
        return replace(self.patent, sheets=tuple(sheets), problems=self.patent.problems + tuple(problems))

    def _sheets(self, picture: Picture, view: View) -> Iterator[Sheet]:
        data = picture.file.read(MAX_MEMBER)
        path = picture.file.path
        origin = printable(path.name if picture.file.member else path.parent.name)
        name = picture.file.name
        if name.suffix.lower() not in MODELS:
            front = view.name == FRONT_PAGE
            yield Sheet(view.name, data, front_page=front, figure=view.figure, view=view.title, origin=origin)
            return
        for figure in read_figures(data, Reading(lines=False), name=name.name).figures:
            buffer = io.BytesIO()
            Image.fromarray(figure.image).save(buffer, "PNG", compress_level=1)
            sheet = f"{view.name}{_OF_MODEL}{figure.name.replace(' ', '-') or 'view'}"
            yield Sheet(sheet, buffer.getvalue(), view=figure.name, origin=origin)


@dataclass(frozen=True, kw_only=True)
class RegistrationUnit(Unit):
    """Events of an international registration. It has no drawings; those of its designs are described again."""

    events: tuple[Event, ...]

    def load(self) -> Patent:
        return Patent(number=self.key)


def view_of(sheet: str, names: Iterable[str]) -> str | None:
    """The view that a sheet is from; several are, where its file has pages or is a model."""
    owners = [n for n in names if sheet == n or sheet.startswith((f"{n}{_OF_MODEL}", f"{n}{_PAGE}"))]
    return max(owners, key=len, default=None)
