"""Reading the files of a dataset in TREC's form: lists of images and relevance judgements.

    queries.txt, gallery.txt    one drawing a line: an image's path, or an id, a tab and the path;
                                paths are relative to the list's folder; without an id the path is it
    qrels.txt                   `query-id 0 drawing-id degree`, degrees above 0 are relevant

Empty lines and lines that begin with # are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from patsearch.errors import InputError

_MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One line of a list."""

    id: str
    path: Path


@dataclass(frozen=True, slots=True)
class ImageLists:
    """Queries and gallery of listed images, and which are right: query id -> image id -> degree of relevance."""

    queries: list[ListedImage]
    gallery: list[ListedImage]
    judgements: dict[str, dict[str, float]]


def read_lists(folder: Path) -> ImageLists:
    """A dataset in TREC's form.

    Raises:
        InputError: see `read_images` and `read_qrels`.
    """
    queries, gallery = (read_images(folder / f"{name}.txt") for name in ("queries", "gallery"))
    return ImageLists(queries, gallery, read_qrels(folder / "qrels.txt"))


def read_images(path: Path) -> list[ListedImage]:
    """The images that a list names, in its order.

    Raises:
        InputError: unreadable, empty, or an id occurs twice. The images themselves are not opened.
    """
    images: dict[str, ListedImage] = {}
    for number, line in _lines(path):
        name, tab, file = line.partition("\t")
        name, file = name.strip(), (file if tab else name).strip()
        if not name or not file:
            raise InputError(f"{path}, line {number} has no path.", hint="Write a path, or an id, a tab and a path.")
        if name in images:
            raise InputError(f"{path}, line {number}: {name} occurs twice.", hint="Leave one of them out.")
        images[name] = ListedImage(name, path.parent / file)
    if not images:
        raise InputError(f"{path} names no image.", hint="Write one path a line.")
    return list(images.values())


def read_qrels(path: Path) -> dict[str, dict[str, float]]:
    """TREC judgements: query id -> drawing id -> degree of relevance.

    Raises:
        InputError: unreadable, or a line that is not `query-id 0 drawing-id degree`.
    """
    judgements: dict[str, dict[str, float]] = {}
    for number, line in _lines(path):
        fields = line.split()
        try:
            query, _, drawing, degree = fields
            value = float(degree)
            if not math.isfinite(value):
                raise ValueError(degree)
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: {line[:60]!r} is not a judgement.",
                hint="Write query-id 0 drawing-id degree, with blanks between and none inside.",
            ) from error
        judgements.setdefault(query, {})[drawing] = value
    return judgements


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is larger than {_MAX_BYTES:,} bytes.", hint="Is it a list?")
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                text = line.rstrip("\r\n")
                if text.strip() and not text.startswith("#"):
                    yield number, text
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist.", hint="A TREC dataset has queries.txt, gallery.txt and qrels.txt."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text.", hint="Is it a list?") from error
