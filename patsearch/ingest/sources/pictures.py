"""Finds the pictures that notices name, among the files that were delivered with them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from patsearch.ingest.notices import View
from patsearch.ingest.sources.imagefiles import SUFFIXES as IMAGES
from patsearch.ingest.sources.stored import Stored
from patsearch.models.reading import SUFFIXES as MODELS

SUFFIXES = frozenset({*IMAGES, *MODELS})
_MOST_ALIKE = 100  # files of one name that are looked at
_Index = defaultdict[str, list[tuple[str, Stored]]]


def is_picture(name: str) -> bool:
    """Whether a file is an image or a 3D model, by its suffix."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


class Pictures:
    """Images and models by name, each with the delivery that it belongs to.

    Nothing but the files that were added is ever found, so a name in a notice cannot lead elsewhere.
    """

    def __init__(self) -> None:
        self._by_stem: _Index = defaultdict(list)
        self._by_number: _Index = defaultdict(list)
        self._by_place: _Index = defaultdict(list)  # folder and stem: many designs have a `1.jpg`
        self._used: set[tuple[Path, str]] = set()

    def add(self, delivery: str, file: Stored) -> None:
        """A file of a delivery."""
        stem, folder = file.name.stem.casefold(), file.name.parent.name.casefold()
        self._by_stem[stem].append((delivery, file))
        self._by_place[f"{folder}/{stem}"].append((delivery, file))
        if stem.isdecimal():
            self._by_number[stem.lstrip("0")].append((delivery, file))

    def find(self, view: View, delivery: str | None, *, near: PurePosixPath, number: str) -> Stored | None:
        """The picture of a view; None where none has its name, or several that nothing distinguishes.

        Args:
            delivery: in which it is looked for; None for all.
            near: the folder of the notice.
            number: of the design; of several pictures, the one in the folder of the notice, or in one that is called
                by the number, is meant.
        """
        for written in view.files:
            path = PurePosixPath(written.replace("\\", "/").casefold())
            found = [f for d, f in self._named(path, near, exact=view.exact) if delivery is None or d == delivery]
            closest = _closest(found, path, exact=view.exact)
            if len(closest) > 1:
                best = max(_likely(file, near, number) for file in closest)
                closest = [file for file in closest if _likely(file, near, number) == best]
            # Copies of one picture are the same picture.
            if closest and len({(file.crc, file.size) if file.member else file.path for file in closest}) == 1:
                return closest[0]
        return None

    def _named(self, path: PurePosixPath, near: PurePosixPath, *, exact: bool) -> list[tuple[str, Stored]]:
        """The files that may be meant by a written path, in small letters."""
        folder = path.parent.name
        if folder and (found := self._by_place.get(f"{folder}/{path.stem}", [])):
            return found
        if folder and exact:
            return []
        found = self._by_stem.get(path.stem, [])
        if not found and path.suffix not in SUFFIXES:  # a number such as `12.345`
            found = self._by_stem.get(path.name, [])
        if not found and path.name.isdecimal():  # numbers with and without zeros in front
            found = self._by_number.get(path.name.lstrip("0"), [])
        if len(found) > _MOST_ALIKE:
            return self._by_place.get(f"{near.name.casefold()}/{path.stem}", [])
        return found

    def use(self, file: Stored) -> None:
        """Take note that a picture belongs to a design, whether it is read or not."""
        self._used.add((file.path, file.member))

    def unused(self) -> list[Stored]:
        """The files that no notice names."""
        files = (f for found in self._by_stem.values() for _, f in found)
        return [f for f in files if (f.path, f.member) not in self._used]


def _likely(file: Stored, near: PurePosixPath, number: str) -> tuple[bool, bool]:
    """Whether a file is in the notice's folder, and whether its folders are called by the number of the design."""
    parent = file.name.parent
    return parent == near, _digits(number) in _digits("".join(parent.parts[-2:]))


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text)) or "-"


def _closest(files: list[Stored], written: PurePosixPath, *, exact: bool) -> list[Stored]:
    """Those that share most of the written path from its end, or with `exact` all of it, in a stable order."""
    wanted = [part for part in written.parts if part not in ("/", ".", "..")]
    if written.suffix not in SUFFIXES:
        wanted[-1:] = []

    def shared(file: Stored) -> int:
        parts = [part.casefold() for part in file.name.parts]
        if written.suffix not in SUFFIXES:
            parts.pop()
        count = 0
        while count < min(len(parts), len(wanted)) and parts[-1 - count] == wanted[-1 - count]:
            count += 1
        return count

    best = len(wanted) if exact else max(map(shared, files), default=0)
    return sorted((f for f in files if shared(f) == best), key=lambda f: f.where)
