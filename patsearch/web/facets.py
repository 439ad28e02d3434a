"""What a filter selects: how many patents of which classes, years, kinds, owners and countries."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from patsearch.bibliography import Bibliography, Party
from patsearch.classification import ClassCode, Scheme
from patsearch.deadline import check, in_time, steps
from patsearch.engine import Engine
from patsearch.filters import CitedBy, Filter, comparable
from patsearch.titles import title_of
from patsearch.types import Drawing, JsonDict

_SCHEMES: tuple[Scheme, ...] = ("locarno", "uspc")
_REMEMBERED = 64
_OWNERS = 100  # those with the most patents
# Fields that the table does not hold, or that are of single drawings.
_NOT_HELD = frozenset({"view", "figure", "inventor", "agent", "cites"})


@dataclass(frozen=True, slots=True)
class _Table:
    """Every patent of one state of the index, represented by one of its drawings."""

    fingerprint: tuple[str, int]
    patents: tuple[Drawing, ...]
    drawings: int


class Facets:
    """Counts of one index; read once for each state of it, and counted once for each filter.

    Conditions on single drawings (`view`, `figure`) cannot be decided for a patent, and inventors, agents and citations
    would take too much memory: the backend decides them.
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
            today = datetime.now(UTC).date()
            key = f"{today} {where}"
            if key not in self._counted:
                self._counted[key] = self._facets(table, where, today)
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

    def _facets(self, table: _Table, where: Filter, today: date) -> JsonDict:
        if any(isinstance(c.test, CitedBy) or getattr(c.test, "field", None) in _NOT_HELD for c in where.conditions):
            found = {d.patent: d for drawings in self._engine.backend.payloads(where) for d in steps(drawings)}
            patents: Iterable[Drawing] = found.values()
        else:
            patents = [d for d in steps(table.patents) if where.matches(d)] if where else table.patents
        drawings = self._engine.backend.count(where) if where else table.drawings
        return _summary(patents, drawings=drawings, today=today)


def _read(engine: Engine, fingerprint: tuple[str, int]) -> _Table:
    patents: dict[str, Drawing] = {}
    codes: dict[ClassCode, ClassCode] = {}
    parties: dict[Party, Party] = {}
    drawings = 0
    for batch in engine.backend.payloads():
        check()
        drawings += len(batch)
        for drawing in batch:
            if drawing.patent not in patents:
                # Codes repeat from patent to patent: one object of each.
                same = tuple(codes.setdefault(code, code) for code in drawing.classes)
                known = _held(drawing.bibliography, parties)
                patents[drawing.patent] = replace(drawing, classes=same, bibliography=known)
    return _Table(fingerprint, tuple(patents.values()), drawings)


def _held(known: Bibliography | None, parties: dict[Party, Party]) -> Bibliography | None:
    """What the counts need of a bibliography, with one object of each party."""
    if known is None:
        return None
    owners = tuple(parties.setdefault(party, party) for party in known.owners)
    # Where no owner's country is known, those of the inventors count.
    inventors = () if any(party.country for party in owners) else known.inventors
    return replace(known, owners=owners, inventors=inventors, agents=(), citations=())


def _summary(patents: Iterable[Drawing], *, drawings: int, today: date) -> JsonDict:
    classes = {scheme: _Classes(scheme) for scheme in _SCHEMES}
    years: Counter[int] = Counter()
    kinds: Counter[str] = Counter()
    others: dict[str, Counter[str]] = {field: Counter() for field in ("country", "office", "status")}
    owners = _Owners()
    count = in_force = 0
    for patent in steps(patents):
        count += 1
        for counted in classes.values():
            counted.add(patent)
        if patent.granted:
            years[patent.granted.year] += 1
        if patent.kind:
            kinds[patent.kind] += 1
        for field, counter in others.items():
            counter.update(set(patent.values(field)))
        owners.add(patent)
        in_force += any(one.on(today) for one in patent.protections)
    return {
        "patents": count,
        "drawings": drawings,
        "classes": {scheme: counted.tree() for scheme, counted in classes.items()},
        "granted": [{"year": year, "count": years[year]} for year in sorted(years)],
        "kinds": [{"kind": kind, "count": kinds[kind]} for kind in sorted(kinds)],
        "owners": owners.most(_OWNERS),
        "owners_total": len(owners.counts),
        "countries": [{"country": name, "count": n} for name, n in others["country"].most_common()],
        "offices": [{"office": name, "count": n} for name, n in others["office"].most_common()],
        "statuses": [{"status": name, "count": n} for name, n in others["status"].most_common()],
        "in_force": {"day": today.isoformat(), "count": in_force},
    }


class _Owners:
    """Patents by owner. Names that `owner=` takes for the same are one owner, called as most patents call it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._names: dict[str, Counter[str]] = {}

    def add(self, patent: Drawing) -> None:
        keys = {comparable("owner", name): name for name in patent.values("owner")}
        for key, name in keys.items():
            self.counts[key] += 1
            self._names.setdefault(key, Counter())[name] += 1

    def most(self, number: int) -> list[JsonDict]:
        """Those with the most patents, then by name."""
        best = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:number]
        return [{"owner": self._names[key].most_common(1)[0][0], "count": count} for key, count in best]


class _Classes:
    """Patents by class of one scheme.

    Main classes are called as the office calls them. Subclasses have no table here, and are called as most of their
    patents are: D6/335 "Chair".
    """

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._counts: Counter[str] = Counter()
        self._titles: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, patent: Drawing) -> None:
        # A patent counts once in a class, however many of its codes belong to it.
        for code in {code for one in patent.classes if one.scheme == self._scheme for code in one.ancestors}:
            self._counts[code] += 1
            if patent.title:
                self._titles[code][patent.title] += 1

    def tree(self) -> list[JsonDict]:
        """Main classes and their subclasses, in the order of their numbers."""
        main: dict[str, JsonDict] = {}
        for code in sorted(self._counts, key=_by_number):
            top = ClassCode(self._scheme, code).ancestors[0]
            node: JsonDict = {"code": code, "title": self._title(code, code == top), "count": self._counts[code]}
            if code == top:
                main[code] = {**node, "children": []}
            else:
                main[top]["children"].append(node)
        return list(main.values())

    def _title(self, code: str, is_main: bool) -> str | None:
        if is_main:
            return title_of(ClassCode(self._scheme, code))
        titles = self._titles[code]
        return min(titles, key=lambda title: (-titles[title], title)) if titles else None


def _by_number(code: str) -> tuple[object, ...]:
    """`D2` before `D14`, `D14/9` before `D14/126`; a class before its subclasses."""
    head, _, tail = code.replace("-", "/").partition("/")
    letters = "".join(c for c in head if not c.isdigit())
    digits = "".join(c for c in head if c.isdigit())
    number = tail.partition(".")[0]
    return letters, int(digits or 0), tail != "", (not number.isdigit(), int(number) if number.isdigit() else 0), tail
