"""Several sources over one folder: each file belongs to one of them, or is named in the report."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from patsearch.drawings.opening import SNIFFED, describe
from patsearch.engine.journal import FILE as JOURNAL
from patsearch.engine.manifest import FILE as MANIFEST
from patsearch.files import printable
from patsearch.ingest.sources.base import Problem, Source, SourceOptions, Unit, patent_of
from patsearch.ingest.sources.folders import count_files, walk
from patsearch.ingest.sources.imagefiles import SUFFIXES

# What is found next to drawings by rule and holds none.
_EXPECTED = (
    (re.compile(r"-SUPP\.(?:zip|tar|tgz|tar\.gz)$|^DTDS\.zip$|\.(?:dtd|ent)$", re.I), "the office's supplements"),
    (re.compile(r"^(?:Thumbs\.db|desktop\.ini|ehthumbs\.db)$", re.I), "files of the system"),
    (re.compile(r"^(?:designs\.jsonl|metadata\.csv|(?:train|val|test)_\w*patent\w*\.txt)$"), "tables of a corpus"),
)
_MOST_LINES = 50


class Together(Source):
    """What all kinds of source in a folder hold, one kind after the other, and what none of them takes."""

    def __init__(self, path: Path, options: SourceOptions, sources: Sequence[Source]) -> None:
        super().__init__(path, options)
        self.name, self.looks_for = sources[0].name, sources[0].looks_for  # type: ignore[misc]
        self._sources = sources
        self._given: set[Source] = set()  # those that have given a patent
        for place, source in enumerate(sources):
            source.before = tuple(sources[:place])

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir()

    def total(self) -> int | None:
        totals = [source.total() for source in self._sources]
        return None if None in totals else sum(total for total in totals if total is not None)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(source.name for source in self._sources if source in self._given) or (self.name,)

    def units(self) -> Iterator[Unit | Problem]:
        owners: dict[str, Source] = {}
        said: set[Problem] = set()
        for source in self._sources:
            source.owned = owners
            for found in source.units():
                if isinstance(found, Problem):
                    if found not in said:
                        yield found
                    said.add(found)
                elif (owner := owners.setdefault(patent_of(found.key), source)) is not source:
                    # The later one would replace the drawings of the first.
                    reason = f"this patent is in the folder as {owner.name!r} too; left out"
                    yield Problem(f"{found.origin}: {found.key}", reason)
                else:
                    self._given.add(source)
                    yield found
        if not self.options.lists:  # they say what is wanted
            yield from self._left_out()

    def _left_out(self) -> Iterator[Problem]:
        """A line for each suffix and reason of the files that no source covers."""
        found: defaultdict[tuple[str, str, bool], list[Path]] = defaultdict(list)
        hidden = 0
        for folder in walk(self.path):
            if isinstance(folder, Problem):
                continue
            hidden += sum(map(count_files, folder.hidden))
            for file in folder.files:
                if any(file in source.left for source in self._sources):
                    continue
                if file == self.options.metadata or any(source.covers(file) for source in self._sources):
                    self.taken.add(file)
                else:
                    found[self._kind(file)].append(file)
        where = printable(self.path)
        lines = sorted(found.items(), key=lambda line: -len(line[1]))
        for (suffix, reason, expected), files in lines[:_MOST_LINES]:
            example = printable(files[0].relative_to(self.path))
            text = f"{len(files)} files left out ({suffix}): {reason}; for example {example}"
            yield Problem(where, text, left_out=len(files), expected=expected)
        if rest := sum(len(files) for _, files in lines[_MOST_LINES:]):
            yield Problem(where, f"{rest} files of {len(lines) - _MOST_LINES} more kinds left out", left_out=rest)
        if hidden:
            yield Problem(where, f"{hidden} hidden files left out", left_out=hidden, expected=True)

    def _kind(self, file: Path) -> tuple[str, str, bool]:
        """Suffix of a file that nothing covers, why it is left out, and whether that is by rule."""
        suffix = file.suffix.lower() or "no suffix"
        for pattern, what in _EXPECTED:
            if pattern.search(file.name):
                return suffix, what, True
        if any((parent / MANIFEST).is_file() and (parent / JOURNAL).is_file() for parent in self._parents(file)):
            return "all", "files of an index", True
        if suffix in SUFFIXES:
            return suffix, f"not of a source of the kind {self.name!r}", False
        try:
            with file.open("rb") as opened:
                return suffix, describe(opened.read(SNIFFED)), False
        except OSError as error:
            return suffix, f"cannot be read ({error.strerror or error})", False

    def _parents(self, file: Path) -> list[Path]:
        return [self.path / parent for parent in file.relative_to(self.path).parents]
