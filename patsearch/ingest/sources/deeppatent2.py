"""The DeepPatent2 layout (Ajayi et al., Scientific Data 2023): sheets and what their captions say, by year.

    2019/segmentation_2019.json              an object a figure: patentID, figid, object, aspect, figure_file ...
    2019/Original/USD0836880-20190101-D00001.png         sheets
    2019/Segmented/USD0836880-20190101-D00001_1.png      figures that were cut from them

The original sheets are read and cut as any other sheet, so that drawings come out as those of a query do;
the figures of `Segmented` replace a missing sheet. Object and viewpoint become the view of a
figure, "front elevational view of pet treat", the patent's title its title.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem, Source, Unit
from patsearch.ingest.sources.deeppatent import FRONT_PAGE, sheet_key
from patsearch.ingest.sources.folders import Folder, folders_of, natural_key, parse_day
from patsearch.ingest.sources.imagefiles import SUFFIXES, SheetFile, patent_files, sheet_names
from patsearch.ingest.sources.jsonstream import Span, objects, read_object
from patsearch.ingest.sources.metadata import Metadata, one_line, read_metadata
from patsearch.numbers import normal_number
from patsearch.types import Caption, JsonDict, Patent

_LIST = "segmentation_*.json"
_SHEETS, _FIGURES = "Original", "Segmented"
_LONGEST_TEXT = 300  # characters of an object, a view or a title
_MOST_FIGURES = 5000  # of one patent


class DeepPatent2Source(Source):
    """A year of DeepPatent2, or a folder of years."""

    name = "deeppatent2"
    looks_for = f"{_LIST} next to folders {_SHEETS} and {_FIGURES}"
    takes: ClassVar[frozenset[str]] = frozenset({"metadata"})
    shares: ClassVar[bool] = True
    precedence: ClassVar[int] = 15  # before DeepPatent, whose names the sheets have

    _found: list[_Year] | None = None

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return bool(_lists(path))

    def units(self) -> Iterator[Unit | Problem]:
        table = read_metadata(self.options.metadata) if self.options.metadata else Metadata()
        yield from table.problems
        years = self._years()
        if not any(year.figures for year in years):
            yield Problem(printable(self.path), f"no {self.looks_for}")
        for year in years:
            yield from year.problems
            missing: list[str] = []
            for key in sorted(year.figures, key=natural_key):
                number = normal_number(key.partition("-")[0])
                found = _patent(year, key, missing)
                if isinstance(found, Problem):
                    yield found
                    continue
                patent, files = found
                known = table.patents.get(number)
                if known is not None:
                    patent = replace(known, captions=patent.captions, granted=known.granted or patent.granted)
                if files:
                    self.taken.update(file.path for file in files)
                    yield patent_files(key, patent, files, printable(year.path.parent.name))
            if missing:
                yield Problem(
                    printable(year.path), f"{len(missing)} listed files are missing, for example {missing[0]}"
                )
        yield from self._unlisted()

    def total(self) -> int | None:
        return sum(len(year.figures) for year in self._years())

    def covers(self, file: Path) -> bool:
        """Also the images of all patents that a list names, of which `units` has the missing and the unlisted ones."""
        return any(file == year.path or self._images(year, file, _SHEETS, _FIGURES) for year in self._years())

    @staticmethod
    def _images(year: _Year, file: Path, *folders: str) -> bool:
        """Whether a file is an image of a listed patent in one of the folders of a year."""
        listed = "-".join(file.name.upper().split("-")[:2]) in year.figures and file.suffix.lower() in SUFFIXES
        return listed and any(file.is_relative_to(year.path.parent / folder) for folder in folders)

    def _unlisted(self) -> Iterator[Problem]:
        """Sheets of listed patents that no figure names."""
        sheets = [
            file
            for folder in folders_of(self)
            if isinstance(folder, Folder)
            for file in folder.files
            if file not in self.taken and any(self._images(year, file, _SHEETS) for year in self._years())
        ]
        if sheets:
            reason = f"{len(sheets)} sheets are in no list and are left out"
            yield self.leave_out(sheets, printable(sheets[0]), reason)

    def _years(self) -> list[_Year]:
        """The places of each patent's figures in the lists. Only offsets are kept, not the figures."""
        if self._found is None:
            self._found = [_read(path) for path in _lists(self.path)]
        return self._found


@dataclass(frozen=True, slots=True)
class _Year:
    """One list: by patent (`USD0836880-20190101`) the places of its figures, start and length in turn."""

    path: Path
    figures: dict[str, array[int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def _lists(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path] if path.match(_LIST) else []
        return sorted([*path.glob(_LIST), *path.glob(f"*/{_LIST}")], key=natural_key)
    except OSError:
        return []


def _read(path: Path) -> _Year:
    year = _Year(path)
    nameless = 0
    try:
        for span, figure in objects(path):
            key = _key(figure.get("patentID"))
            if key is None:
                nameless += 1
                continue
            # Plain numbers: all years together have millions of figures.
            places = year.figures.setdefault(key, array("q"))
            if len(places) < 2 * _MOST_FIGURES:
                places.extend((span.start, span.length))
    except SourceError as error:
        year.problems.append(Problem(printable(path), error.message.removeprefix(f"{printable(path)}: ")))
    if nameless:
        year.problems.append(Problem(printable(path), f"{nameless} figures name no patent; left out"))
    return year


def _patent(year: _Year, key: str, missing: list[str]) -> tuple[Patent, list[SheetFile]] | Problem:
    """The data and files of a patent; missing files are added to `missing`."""
    try:
        with year.path.open("rb") as file:
            places = year.figures[key]
            spans = [Span(*place) for place in zip(places[::2], places[1::2], strict=True)]
            figures = [read_object(file, span) for span in spans]
    except (OSError, ValueError) as error:
        return Problem(f"{printable(year.path)}: {key}", f"cannot be read ({error})")
    captions: dict[str, Caption] = {}
    titles = []
    for figure in figures:
        label = _text(figure.get("figid")).removesuffix(".")
        view = _view(figure)
        titles.append(_text(figure.get("object_title")))
        if label and view:
            captions.setdefault(label, Caption(label, view))
    problems: list[str] = []
    files = _files(year.path.parent, key, figures, missing, problems)
    if not files and problems:
        return Problem(f"{printable(year.path)}: {key}", problems[0])
    day = parse_day(_text(figures[0].get("patentdate"))) or parse_day(key.partition("-")[2])
    patent = Patent(
        number=normal_number(key.partition("-")[0]),
        title=next(filter(None, titles), ""),
        granted=day,
        captions=tuple(captions.values()),
        problems=tuple(problems),
    )
    return patent, files


def _files(folder: Path, key: str, figures: list[JsonDict], missing: list[str], problems: list[str]) -> list[SheetFile]:
    """The sheets of a patent, each once, in page order; its figures where a sheet is missing."""
    by_sheet: dict[str, list[str]] = {}
    for figure in figures:
        by_sheet.setdefault(_text(figure.get("figure_file")), []).append(_text(figure.get("subfigure_file")))
    found: list[Path] = []
    for sheet in sorted(by_sheet, key=natural_key):
        wanted = [(_SHEETS, sheet)] if sheet else []
        stand_ins = [(_FIGURES, name) for name in dict.fromkeys(by_sheet[sheet]) if name]
        unsafe = [name for _, name in wanted + stand_ins if not _is_safe(name, key)]
        problems += [f"{name!r} is not an image of this patent; left out" for name in unsafe]
        paths = [_existing(folder / kind, name, key) for kind, name in wanted if name not in unsafe]
        if not any(paths):
            paths = [_existing(folder / kind, name, key) for kind, name in stand_ins if name not in unsafe]
        there = [path for path in paths if path is not None]
        if not there and not unsafe:
            missing.append(sheet or "a figure without a file name")
        found += there
    names = sheet_names([path.stem.removeprefix(f"{key}-") for path in found])
    return [SheetFile(path, name, front_page=name == FRONT_PAGE) for path, name in zip(found, names, strict=True)]


def _is_safe(name: str, key: str) -> bool:
    """Whether a file name of the list leads nowhere else and is that of an image of this patent."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and "\\" not in name and name.isprintable()
    return plain and path.suffix.lower() in SUFFIXES and path.stem.upper().startswith(key)


def _existing(folder: Path, name: str, key: str) -> Path | None:
    """The file in one of the ways in which copies are arranged: flat, by patent, by week and patent."""
    for place in (folder, folder / key, folder / f"I{key.partition('-')[2]}" / key):
        try:
            if (place / name).is_file():
                return place / name
        except (OSError, ValueError):
            return None
    return None


def _key(value: object) -> str | None:
    """`USD0836880-20190101`, as the sheets are named; None for other values."""
    text = _text(value)
    return text.upper() if sheet_key(f"{text}-D00001.png") == text.upper() else None


def _view(figure: JsonDict) -> str:
    aspect, thing = _text(figure.get("aspect")), _text(figure.get("object"))
    if aspect and thing:
        return f"{aspect} of {thing}"
    return aspect or _text(figure.get("caption")) or thing


def _text(value: object) -> str:
    return one_line(value)[:_LONGEST_TEXT]
