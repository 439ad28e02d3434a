"""What a filter selects: how many patents of which classes, years and kinds."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from patsearch.classification import ClassCode, Scheme
from patsearch.deadline import check, in_time, steps
from patsearch.engine import Engine
from patsearch.filters import Filter
from patsearch.titles import title_of
from patsearch.types import Drawing, JsonDict

_SCHEMES: tuple[Scheme, ...] = ("locarno", "uspc")
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class _Table:
    """Every patent of one state of the index, represented by one of its drawings."""

    fingerprint: tuple[str, int]
    patents: tuple[Drawing, ...]
    drawings: int


class Facets:
    """Counts of one index; read once for each state of it, and counted once for each filter.

    Conditions on single drawings (`view`, `figure`) cannot be decided for a patent: the backend
    decides them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._table: _Table | None = None
        self._counted: OrderedDict[str, JsonDict] = OrderedDict()

    def count(self, where: Filter) -> JsonDict:
        """The facets of what matches, as the API answers them.

        Raises:
            TimedOut: the deadline of this context has passed.
        """
        # One thread counts and the others find its answer: the first count of a large index takes a while.
        with in_time(self._lock):
            table = self._current()
            key = str(where)
            if key not in self._counted:
                self._counted[key] = self._facets(table, where)
                while len(self._counted) > _REMEMBERED:
                    self._counted.popitem(last=False)
            self._counted.move_to_end(key)
            return self._counted[key]

    def _current(self) -> _Table:
        fingerprint = (self._engine.fingerprint(), self._engine.backend.count())
        if self._table is None or self._table.fingerprint != fingerprint:
            self._table = _read(self._engine, fingerprint)
            self._counted.clear()
        return self._table

    def _facets(self, table: _Table, where: Filter) -> JsonDict:
        if any(getattr(c.test, "field", None) in ("view", "figure") for c in where.conditions):
            found = {d.patent: d for drawings in self._engine.backend.payloads(where) for d in steps(drawings)}
            patents: Iterable[Drawing] = found.values()
        else:
            patents = [d for d in steps(table.patents) if where.matches(d)] if where else table.patents
        return _summary(patents, drawings=self._engine.backend.count(where) if where else table.drawings)


def _read(engine: Engine, fingerprint: tuple[str, int]) -> _Table:
    patents: dict[str, Drawing] = {}
    codes: dict[ClassCode, ClassCode] = {}
    drawings = 0
    for batch in engine.backend.payloads():
        check()
        drawings += len(batch)
        for drawing in batch:
            if drawing.patent not in patents:
                # Codes repeat from patent to patent: one object of each.
                same = tuple(codes.setdefault(code, code) for code in drawing.classes)
                patents[drawing.patent] = replace(drawing, classes=same)
    return _Table(fingerprint, tuple(patents.values()), drawings)


def _summary(patents: Iterable[Drawing], *, drawings: int) -> JsonDict:
    classes: dict[Scheme, Counter[str]] = {scheme: Counter() for scheme in _SCHEMES}
    years: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    count = 0
    for patent in steps(patents):
        count += 1
        # A patent counts once in a class, however many of its codes belong to it.
        for scheme, code in {(c.scheme, a) for c in patent.classes for a in c.ancestors if c.scheme in classes}:
            classes[scheme][code] += 1
        if patent.granted:
            years[patent.granted.year] += 1
        if patent.kind:
            kinds[patent.kind] += 1
    return {
        "patents": count,
        "drawings": drawings,
        "classes": {scheme: _tree(scheme, counted) for scheme, counted in classes.items()},
        "granted": [{"year": year, "count": years[year]} for year in sorted(years)],
        "kinds": [{"kind": kind, "count": kinds[kind]} for kind in sorted(kinds)],
    }


def _tree(scheme: Scheme, counts: dict[str, int]) -> list[JsonDict]:
    """Main classes and their subclasses, in the order of their numbers."""
    main: dict[str, JsonDict] = {}
    for code in sorted(counts, key=_by_number):
        top = ClassCode(scheme, code).ancestors[0]
        node: JsonDict = {"code": code, "title": None, "count": counts[code]}
        if code == top:
            main[code] = {**node, "title": title_of(ClassCode(scheme, code)), "children": []}
        else:
            main[top]["children"].append(node)
    return list(main.values())


def _by_number(code: str) -> tuple[object, ...]:
    """`D2` before `D14`, `D14/9` before `D14/126`; a class before its subclasses."""
    head, _, tail = code.replace("-", "/").partition("/")
    letters = "".join(c for c in head if not c.isdigit())
    digits = "".join(c for c in head if c.isdigit())
    number = tail.partition(".")[0]
    return letters, int(digits or 0), tail != "", (not number.isdigit(), int(number) if number.isdigit() else 0), tail
