"""What a filter leaves out without being asked: fields that drawings do not have, values that none has."""

from __future__ import annotations

from dataclasses import replace

from patsearch.backends.base import Backend
from patsearch.filters import UNDATED, CitedBy, Condition, DateIn, Filter, HasClass, InForce, OneOf, Test, each_value

# Fields that an index of an earlier version lacks, and how they come to it.
_ADDED = frozenset({"owner", "inventor", "agent", "country", "status", "cites"})
_HOW = " (patsearch ingest --bibliography-only SOURCE adds what a source has)"
# Values of one condition that are looked at one by one: each costs a count.
_MOST_VALUES = 10
_LONGEST = 80  # characters of a condition
_NAMES = {
    "granted": "date of grant",
    "filed": "date of filing",
    "title": "title",
    "view": "caption",
    "kind": "kind",
    "patent": "number",
    "figure": "figure number",
    "locarno": "Locarno class",
    "uspc": "US class",
    "cpc": "CPC class",
    "ipc": "IPC class",
    "owner": "named owner",
    "inventor": "named inventor",
    "agent": "named agent",
    "country": "country of an owner",
    "office": "number of an office",
    "status": "status",
    "cites": "list of citations",
    "expires": "known term",
    "inforce": "known term",
}


def filter_warnings(backend: Backend, where: Filter) -> tuple[str, ...]:
    """One sentence for each thing that a filter does to this index without a word."""
    total = backend.count() if where else 0
    said = (sentence for condition in where.conditions for sentence in _of(condition, backend, total)) if total else ()
    return tuple(dict.fromkeys(said))


def excludes_nothing(backend: Backend, where: Filter) -> list[str]:
    """The negated conditions that are true for every drawing: a delete by them takes everything else."""
    return [c.text for c in where.conditions if c.negated and not backend.count(_plain(c))]


def _of(condition: Condition, backend: Backend, total: int) -> list[str]:
    test, text = condition.test, condition.text
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    if isinstance(test, CitedBy):
        return _of_citing(condition, test, backend, text)
    fields = _fields(test)
    lacking = backend.lacking(fields)
    named = " or ".join(_NAMES[field] for field in fields)
    how = _HOW if _ADDED.intersection(fields) else ""
    undated = isinstance(test, DateIn) and test.undated
    if lacking == total and not undated:
        return [f"No drawing of this index has a {named}: {text} {_selects(condition)} nothing{how}."]
    if not backend.count(_plain(condition)):
        return [f"No drawing of this index matches {text.replace('!', '', 1)}: it {_selects(condition)} nothing."]
    values = each_value(condition) if "," in condition.text else []
    said = [
        f"No drawing of this index matches {value}."
        for value in (values if len(values) <= _MOST_VALUES else ())
        if not backend.count(value)
    ]
    if lacking:
        deed = "includes them" if condition.negated != undated else "leaves them out"
        # Of a negated condition, the value `none` is what leaves them out; a shortened one cannot be completed.
        offered = isinstance(test, DateIn) and not undated and not condition.negated and text == condition.text
        way = f" ({text},{UNDATED} includes them)" if offered else how
        said.append(f"{lacking:,} of {total:,} drawings have no {named}: {text} {deed}{way}.")
    return said


def _fields(test: Test) -> list[str]:
    match test:
        case HasClass(codes):
            return sorted({code.scheme for code in codes})
        case InForce():
            return ["inforce"]
        case CitedBy():
            return ["patent"]
    return [test.field]


def _of_citing(condition: Condition, test: CitedBy, backend: Backend, text: str) -> list[str]:
    citing = Filter((Condition(OneOf("patent", test.numbers)),))
    if not backend.count(citing):
        return [f"The patent of {text} is not in this index: it {_selects(condition)} nothing."]
    if not backend.count(_plain(condition)):
        return [f"No drawing of this index is cited as {text.replace('!', '', 1)}: it {_selects(condition)} nothing."]
    return []


def _selects(condition: Condition) -> str:
    return "excludes" if condition.negated else "selects"


def _plain(condition: Condition) -> Filter:
    return Filter((replace(condition, negated=False),))
