"""The pictures of a question, however they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from patsearch.drawings.document import Document, Reading, needs_isolation, read_figures
from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import MAX_BYTES, read_bytes
from patsearch.drawings.thumbnail import thumbnail
from patsearch.errors import ImageError, UsageError
from patsearch.files import at_home, printable
from patsearch.processes import ProcessEnded, isolated

# Pages of a document that are not reached by then are left out.
SECONDS = 120.0
_SIDE = 600
# After that time, a file has these for the page that it is at.
_GRACE = 60.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture or document of a question.

    Attributes:
        name: what records and errors call it.
        source: the picture, or a file's bytes or path. Of a picture that a search has used, PNG is `png`.
    """

    name: str
    source: Image.Image | bytes | Path = field(repr=False, compare=False)

    def read(self, how: Reading) -> Document:
        """Its figures. PDFs and 3D models are read in a separate process, which they cannot hold up or take down.

        Raises:
            ImageError: it cannot be read, shows nothing, or the crop is not within it.
        """
        if isinstance(self.source, Image.Image):
            return read_figures(self.source, how, name=self.name)
        data = read_bytes(self.source, self.name, MAX_BYTES)
        if not needs_isolation(data, self.name):
            return read_figures(data, how, name=self.name)
        try:
            return isolated(_read, data, how, self.name, seconds=(how.seconds or 0) + _GRACE)
        except TimeoutError as error:
            raise ImageError(
                f"{self.name} took too long to read.", hint="Choose one page: --page N, or export it as PNG."
            ) from error
        except (ProcessEnded, MemoryError) as error:
            raise ImageError(
                f"{self.name} cannot be read: it ended the process that tried.", hint="Export its drawings as PNG."
            ) from error

    def figure(self, name: str, image: Image.Image | bytes) -> Picture:
        """One of its figures as records show it."""
        return Picture(", ".join(filter(None, (self.name, name))), image)

    @property
    def png(self) -> bytes:
        """PNG of a picture that a search has used, at most 600 pixels a side."""
        if isinstance(self.source, Image.Image):
            return thumbnail(to_grey(self.source), side=_SIDE)
        return self.source.read_bytes() if isinstance(self.source, Path) else self.source


def _read(data: bytes, how: Reading, name: str) -> Document:
    return read_figures(data, how, name=name)


PictureSource = Picture | Image.Image | bytes | Path | str


def pictures_of(given: PictureSource | Sequence[PictureSource]) -> tuple[Picture, ...]:
    """One picture or several.

    Raises:
        UsageError: something else.
    """
    sources = given if isinstance(given, list | tuple) else (given,)
    return tuple(_picture(source, place) for place, source in enumerate(sources, start=1))


def _picture(source: PictureSource, place: int) -> Picture:
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | Path):
        return Picture(printable(Path(source).name), at_home(source))
    if isinstance(source, Image.Image | bytes):
        return Picture(f"picture {place}", source)
    raise UsageError(
        f"Invalid picture {place}: {type(source).__name__}.",
        hint="Give a PIL image, an image file's bytes or its path.",
    )
