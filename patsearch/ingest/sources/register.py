"""What sources of design registers share: notices in files, pictures next to them, one unit for each design.

Large files are read twice: first to learn which notice of each design is the latest, then to make the units. So
memory grows with the number of designs and not with what is said about them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar, NamedTuple

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.events import Event, events_json
from patsearch.ingest.notices import Deed, Happened, Notice, View, day_in_name, version
from patsearch.ingest.sources.base import Problem, Source, SourceOptions, Unit
from patsearch.ingest.sources.designs import DesignUnit, Picture, RegistrationUnit
from patsearch.ingest.sources.folders import Folder, folders_of
from patsearch.ingest.sources.grants import GRANT_NAME
from patsearch.ingest.sources.pictures import Pictures, is_picture
from patsearch.ingest.sources.stored import Stored, members
from patsearch.ingest.sources.unzip import MAX_MEMBER

MAX_TEXT = 4 << 30  # bytes of an XML or JSON file: a register as one file
LOOK_AT = 20_000  # entries of a folder that `recognises` looks at
HEAD = 1 << 16  # bytes at the beginning of a file that show what it is
_TEXTS = (".xml", ".sgm", ".sgml", ".json", ".csv")
_MOST_KEPT = 5000  # notices that are kept, not read again
_MOST_IN_ZIP = 20  # members of a ZIP whose heads are looked at


class _Known(NamedTuple):
    """A notice that was seen: which delivery it came with, and what it does."""

    version: str
    delivery: str
    deed: Deed
    has_views: bool


@dataclass(frozen=True, slots=True)
class _Text:
    """A file of notices."""

    file: Stored
    delivery: str
    delivered: date | None  # the day in its name, or else that of its ZIP or folder
    around: date | None  # the day in the name of its ZIP or folder


_Found = tuple[_Text, tuple[str, Notice] | Happened | Problem]


class RegisterSource(Source):
    """Notices about designs in files, loose or in ZIPs, with pictures next to them."""

    shares: ClassVar[bool] = True
    suffix: ClassVar[str]  # of the files with notices

    def __init__(self, path: Path, options: SourceOptions) -> None:
        super().__init__(path, options)
        self._total: int | None = None
        self._pictures = Pictures()

    @classmethod
    @abstractmethod
    def is_of_kind(cls, head: bytes) -> bool:
        """Whether a file that begins so has notices of this kind."""

    @abstractmethod
    def notices(self, file: Stored) -> Iterator[Notice | Happened | str]:
        """The notices and events of a file, or why one of them is left out.

        Raises:
            SourceError: it cannot be read from somewhere on; without the file's name.
        """

    @classmethod
    def recognises(cls, path: Path) -> bool:
        seen = 0
        for folder in folders_of(cls(path, SourceOptions())):
            if isinstance(folder, Folder):
                if any(cls._holds_notices(file) for file in folder.files):
                    return True
                seen += 1 + len(folder.files)
                if seen > LOOK_AT:
                    break
        return False

    def units(self) -> Iterator[Unit | Problem]:
        self._pictures = Pictures()
        texts: list[_Text] = []
        for found in self._files():
            if isinstance(found, Problem):
                yield found
            else:
                texts.append(found)
        known: defaultdict[str, list[_Known]] = defaultdict(list)
        events: defaultdict[str, set[Event]] = defaultdict(set)
        origins: dict[str, str] = {}
        kept: list[_Found] | None = []
        for text, one in self._all(texts):
            if isinstance(one, Problem):
                yield one
            elif isinstance(one, Happened):
                events[one.registration].update(one.events)
                origins.setdefault(one.registration, printable(text.file.path.name))
            else:
                known[one[1].patent.number].append(_known(text, *one))
                if kept is not None:
                    kept.append((text, one))
                    kept = kept if len(kept) <= _MOST_KEPT else None
        for seen in known.values():
            seen.sort(reverse=True)
        self._total = len(known) + len(events)
        for registration, happened in events.items():  # first, so that designs are described once
            yield _events(registration, happened, origins[registration])
        few = kept
        yield from self._latest(lambda: few or self._all(texts), known)
        yield from self._unused()

    def total(self) -> int | None:
        return self._total

    # ------------------------------------------------------------------ the files

    @classmethod
    def _holds_notices(cls, file: Path) -> bool:
        suffix = file.suffix.lower()
        if suffix == ".zip" and not GRANT_NAME.match(file.stem):
            listed = [m for m in members(file, most=MAX_TEXT) if isinstance(m, Stored)]
            texts = [m for m in listed if m.name.suffix.lower() == cls.suffix]
            return any(cls._is_text(member) for member in texts[:_MOST_IN_ZIP])
        return suffix == cls.suffix and cls._is_text(Stored(file))

    @classmethod
    def _is_text(cls, file: Stored) -> bool:
        return cls.is_of_kind(file.head(HEAD))

    def _files(self) -> Iterator[_Text | Problem]:
        """The files with notices; images and models that may belong to them are added to the pictures."""
        loose: defaultdict[str, list[Path]] = defaultdict(list)
        texts: defaultdict[str, list[Path]] = defaultdict(list)
        zips: list[Path] = []
        for folder in folders_of(self):
            if isinstance(folder, Problem):
                yield folder
                continue
            top = self._top(folder.path)
            for file in folder.files:
                suffix = file.suffix.lower()
                if suffix == ".zip" and not GRANT_NAME.match(file.stem):  # of those, a folder may have thousands
                    zips.append(file)
                elif suffix == self.suffix and self._is_text(Stored(file)):
                    texts[top].append(file)
                elif is_picture(file.name):
                    loose[top].append(file)
        for top, files in texts.items():
            delivery = top if top in loose else ""
            for file in files:
                self.taken.add(file)
                yield _Text(
                    Stored(file),
                    f"{delivery}/",
                    day_in_name(file.name, file.parent.name),
                    day_in_name(file.parent.name),
                )
        for top, files in loose.items():
            for file in files:
                self._pictures.add(f"{top if top in texts else ''}/", Stored(file))
        yield from self._in_zips(zips)

    def _in_zips(self, zips: list[Path]) -> Iterator[_Text | Problem]:
        """The same of ZIPs. Those of a day belong together: offices pack texts and pictures apart."""
        for path in zips:
            day = day_in_name(path.name)
            delivery = f"zip {day or path.name}"
            listed = list(members(path, most=MAX_TEXT))
            files = [m for m in listed if isinstance(m, Stored)]
            texts = [m for m in files if m.name.suffix.lower() == self.suffix and self._is_text(m)]
            images = [m for m in files if is_picture(m.name.name) and m.size <= MAX_MEMBER]
            damaged = not files and bool(listed)
            if not damaged and not texts and (not images or any(m.name.suffix.lower() in _TEXTS for m in files)):
                continue  # of another kind, such as a grant
            self.taken.add(path)
            yield from (problem for problem in listed if isinstance(problem, Problem))
            for member in texts:
                yield _Text(member, delivery, day_in_name(member.name.name, path.name), day_in_name(path.name))
            for member in images:
                self._pictures.add(delivery, member)

    def _top(self, folder: Path) -> str:
        """The folder below the source that a folder is in: what was unpacked there was delivered together."""
        parts = folder.relative_to(self.path).parts if self.path.is_dir() else ()
        return parts[0] if parts else ""

    # ------------------------------------------------------------------ the notices

    def _read(self, text: _Text) -> Iterator[tuple[str, Notice] | Happened | Problem]:
        """The notices of a file, each with its version, and events; what cannot be read of it."""
        try:
            for place, notice in enumerate(self.notices(text.file)):
                if isinstance(notice, str):
                    yield Problem(text.file.where, notice)
                elif isinstance(notice, Happened):
                    yield notice
                else:
                    # A file may be called by the number of its design, which can look like a day.
                    own = _digits(text.file.name.stem) in _digits(notice.patent.number)
                    day = text.around if own else text.delivered
                    yield version(notice, text.file.name.name, day, place), notice
        except SourceError as error:
            yield Problem(text.file.where, error.message.removeprefix(f"{text.file.where}: "))

    def _all(self, texts: list[_Text]) -> Iterator[_Found]:
        """What all files say, each with its file."""
        for text in texts:
            for one in self._read(text):
                yield text, one

    def _latest(
        self, everything: Callable[[], Iterable[_Found]], known: dict[str, list[_Known]]
    ) -> Iterator[Unit | Problem]:
        """The unit of each design, from its latest notice.

        Args:
            everything: gives what all files say, as often as it is called.
        """
        earlier = self._earlier_views(everything, known)
        for text, found in everything():
            if not isinstance(found, tuple):
                continue  # said before
            dated, notice = found
            number = notice.patent.number
            if dated != known[number][0].version:
                self._note(text, notice, known[number])
                continue
            spoken = dated, notice.views
            if notice.views is None:
                spoken = earlier.get(number, ("", None)) if notice.deed != "deleted" else spoken
            yield self._unit(text, dated, notice, spoken, known[number])

    def _earlier_views(
        self, everything: Callable[[], Iterable[_Found]], known: dict[str, list[_Known]]
    ) -> dict[str, tuple[str, tuple[View, ...] | None]]:
        """Of designs whose latest notice does not speak of views: version and views of the latest that does."""
        wanted = {
            number: next((one.version for one in seen if one.has_views), "")
            for number, seen in known.items()
            if not seen[0].has_views and len(seen) > 1
        }
        views: dict[str, tuple[str, tuple[View, ...] | None]] = {}
        for _, found in everything() if wanted else ():
            if isinstance(found, tuple) and found[0] == wanted.get(found[1].patent.number):
                views[found[1].patent.number] = found[0], found[1].views
        return views

    def _note(self, text: _Text, notice: Notice, seen: list[_Known]) -> None:
        """The pictures of a notice that another one replaces are not left over."""
        for view in notice.views or ():
            for delivery in {one.delivery for one in seen}:
                if file := self._find(view, delivery, text, notice):
                    self._pictures.use(file)
                    self._take(file)

    def _unit(
        self,
        text: _Text,
        dated: str,
        notice: Notice,
        spoken: tuple[str, tuple[View, ...] | None],
        seen: list[_Known],
    ) -> DesignUnit | Problem:
        """The unit of a notice; `spoken` are the views, and the version of the notice that speaks of them."""
        found: list[Picture] = []
        views_dated, views = spoken
        for view in views or ():
            try:
                if picture := self._picture(view, text, notice, seen):
                    found.append(picture)
            except SourceError as error:
                return Problem(f"{text.file.where}: {notice.patent.number}", error.message)
        described = f"{notice.patent.described()} {notice.views!r} {notice.deed} {notice.base!r}"
        return DesignUnit(
            key=notice.patent.number,
            fingerprint=blake2b(described.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(),
            origin=printable(text.file.path.name),
            size=sum(picture.file.size for picture in found),
            dated=dated,
            deleted=notice.deed == "deleted",
            patent=notice.patent,
            views=views,
            views_dated=views_dated,
            pictures=tuple(found),
            base=notice.base,
        )

    def _picture(self, view: View, text: _Text, notice: Notice, seen: list[_Known]) -> Picture | None:
        """From the latest notice that came with it; else from whatever file alone has its name."""
        for one in seen:
            if file := self._find(view, one.delivery, text, notice):
                break
        else:
            one, file = seen[0], self._find(view, None, text, notice)
        if file is None:
            return None
        self._pictures.use(file)
        self._take(file)
        return Picture(view.name, file, one.version, file.checksum(MAX_MEMBER))

    def _find(self, view: View, delivery: str | None, text: _Text, notice: Notice) -> Stored | None:
        return self._pictures.find(view, delivery, near=text.file.name.parent, number=notice.patent.number)

    def _take(self, file: Stored) -> None:
        if not file.member:
            self.taken.add(file.path)

    def _unused(self) -> Iterator[Problem]:
        """Pictures that no notice names: in folders with notices, and in ZIPs."""
        loose: list[Path] = []
        packed: defaultdict[Path, list[str]] = defaultdict(list)
        for file in self._pictures.unused():
            if file.member:
                packed[file.path].append(file.name.name)
            elif self.covers_folder(file.path):
                loose.append(file.path)
        if loose:
            yield self.leave_out(
                sorted(loose), printable(self.path),
                f"{len(loose)} pictures belong to no design in these files; left out, for example {loose[0].name}",
            )  # fmt: skip
        for path, names in packed.items():
            reason = f"{len(names)} pictures in this ZIP belong to no design in these files, for example {min(names)}"
            yield Problem(printable(path), reason)

    def covers_folder(self, file: Path) -> bool:
        """Whether a picture is in a folder with files of this kind, or below one."""
        return any(taken.parent in file.parents for taken in self.taken if taken.suffix.lower() == self.suffix)


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text)) or text


def _known(text: _Text, dated: str, notice: Notice) -> _Known:
    return _Known(dated, text.delivery, notice.deed, notice.views is not None)


def _events(registration: str, events: set[Event], origin: str) -> RegistrationUnit:
    digest = blake2b(repr(events_json(events)).encode(), digest_size=16).hexdigest()
    return RegistrationUnit(key=registration, fingerprint=digest, origin=origin, size=0, events=tuple(sorted(events)))
