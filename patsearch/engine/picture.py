"""The pictures of a question, however they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from patsearch.drawings.grey import to_grey
from patsearch.drawings.opening import count_pages
from patsearch.drawings.photo import query_image
from patsearch.drawings.thumbnail import thumbnail
from patsearch.errors import UsageError
from patsearch.files import printable

_SIDE = 600


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a question.

    Attributes:
        name: what records and errors call it.
        source: the picture, or an image file's bytes or path. Of a picture that a search has used, PNG is `png`.
    """

    name: str
    source: Image.Image | bytes | Path = field(repr=False, compare=False)

    def prepared(self, crop: tuple[int, int, int, int] | None, page: int | None = None) -> Image.Image:
        """What is searched: cropped, dark on white, the light of a photograph evened out.

        Raises:
            ImageError: the picture cannot be read, or the crop is not within it.
        """
        return query_image(self.source, name=self.name, page=page or 1, crop=crop)

    @property
    def pages(self) -> int:
        """Number of pages: of a TIFF, without thumbnails and masks; 1 for other pictures and what cannot be read."""
        if isinstance(self.source, Image.Image):
            return 1
        try:
            return count_pages(self.source.read_bytes() if isinstance(self.source, Path) else self.source)
        except OSError:  # whoever opens it says so
            return 1

    @property
    def png(self) -> bytes:
        """PNG of a picture that a search has used, at most 600 pixels a side."""
        if isinstance(self.source, Image.Image):
            return thumbnail(to_grey(self.source), side=_SIDE)
        return self.source.read_bytes() if isinstance(self.source, Path) else self.source


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
        return Picture(printable(Path(source).name), Path(source))
    if isinstance(source, Image.Image | bytes):
        return Picture(f"picture {place}", source)
    raise UsageError(
        f"Invalid picture {place}: {type(source).__name__}.",
        hint="Give a PIL image, an image file's bytes or its path.",
    )
