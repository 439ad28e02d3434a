"""The bibliography as the front page of a US patent prints it: parties, citations, earlier documents, term.

    (72) Inventors: Ada Möller, Ames, IA (US); Min Li, Wuxi (CN)     given name, family name, city, state, country
    (73) Assignee: Made Up, Inc., Ames, IA (US)
    (**) Term: 15 Years
    (62) Division of application No. 29/736,593, filed on May 29, 2020, now Pat. No. D886,311.
    (56) D235,908 S * 7/1975 Rosenwach ........ D6/335               the star: cited by the examiner

What is not printed in this way is left empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from patsearch.bibliography import Bibliography, Citation, Citer, Party, Related, bounded
from patsearch.numbers import OFFICES, is_number, normal_number
from patsearch.text import plain

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAY = re.compile(
    r"(?P<month>[A-Z][a-z]{2})[a-z]*\.? ?(?P<day>\d{1,2}) ?, ?(?P<year>(?:18|19|20)\d\d)"
    r"|(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>(?:18|19|20)\d\d)"
)
_LABEL = re.compile(
    r"^\s*(?:Applicants?|Inventors?|Assignees?|Attorneys?, Agents?,? or Firms?)\s*"
    r"(?:[:—–-]|\(s\)\s*:?)\s*(?P<names>.*)",
    re.DOTALL | re.IGNORECASE,
)
_COUNTRY = re.compile(r"^(?P<rest>.+?),?\s*\((?P<country>[A-Z]{2})\)$")
_STATE = re.compile(r"[A-Z]{2}")
_ENDS = re.compile(r"\n\s*\n|(?:Primary|Assistant) Examiner|\(Continued\)|\*")
_TERM = re.compile(r"\bTerm:? ?(\d{1,2}) ?Years?\b", re.IGNORECASE)
_CITED = re.compile(r"[(\[]56[)\]](?P<text>.*?)(?=[(\[](?:5[0-57-9]|[1-4678]\d)[)\]]|\Z)", re.DOTALL)
_REFERENCE = re.compile(
    r"(?:\b(?P<office>[A-Z]{2})\s+)?(?P<number>\b(?:Des\. ?|D\.? ?|RE|PP|H)?\d[\d,/.-]{3,17}\d|\b\d{5,13})\s*"
    r"(?P<kind>\b[A-Z]\d?\b)?\s*(?P<mark>[*†]?)\s*\d{1,2}/(?:18|19|20)\d\d\b"
)
_EARLIER = re.compile(
    r"\b(?P<relation>Continuation-in-part|Continuation|Division) of (?:application|app\.|appl\.) No\. "
    r"(?P<number>(?:PCT/\w+/\d+|[\d/,]+\d))(?:, ?filed (?:on|as application No\. \S+ on) (?P<filed>\w+\.? \d+, \d{4}))?"
    r"(?:, ?now (?:U\.S\. )?Pat\. No\. (?P<patent>(?:Des\. |D|RE)?[\d,]*\d))?",
    re.IGNORECASE,
)
_EXAMINERS = "cited by examiner"
_LONGEST_FIELD = 20_000  # characters


def read_printed(text: str, fields: dict[str, str]) -> tuple[Bibliography | None, tuple[str, ...]]:
    """What a front page says of parties, citations and term, within bounds; and remarks on what was left out.

    Args:
        text: of the front page and the pages that continue it.
        fields: code of WIPO ST.9 -> text.
    """
    inventors = _parties(fields.get("72") or fields.get("75") or "")
    owners = _parties(fields.get("73", "")) or _parties(fields.get("71", ""))
    agents = _parties(fields.get("74", ""), addresses=False)
    term = _TERM.search(plain(text[:_LONGEST_FIELD]))
    earlier = plain(" ".join(fields.get(code, "") for code in ("60", "62", "63"))[:_LONGEST_FIELD])
    return bounded(
        Bibliography(
            owners=tuple(owners),
            inventors=tuple(inventors),
            agents=tuple(agents),
            citations=tuple(_citations(text)),
            related=tuple(_related(earlier)),
            years=int(term[1]) if term else None,
        )
    )


def printed_day(field: str) -> date | None:
    """The first day in a text, written `Jan. 5, 2021` or `5.1.2021`."""
    found = _DAY.search(plain(field))
    if not found:
        return None
    try:
        if found["year"]:
            return date(int(found["year"]), _MONTHS.index(found["month"].lower()) + 1, int(found["day"]))
        return date(int(found["y"]), int(found["m"]), int(found["d"]))
    except ValueError:
        return None


def _parties(field: str, *, addresses: bool = True) -> list[Party]:
    """The names of a field that begins with its label, `Inventors:`."""
    label = _LABEL.match(field[:_LONGEST_FIELD])
    if label is None:
        return []
    names = plain(_ENDS.split(label["names"], maxsplit=1)[0])
    if not addresses:
        return [Party(name) for name in [names.strip(" ;—–-")] if name]
    return [party for part in names.split(";") if (party := _party(part.strip(" ."))) is not None]


def _party(text: str) -> Party | None:
    """`Made Up, Inc., Ames, IA (US)`: the city is the last part of the name, or the last but one before a state."""
    found = _COUNTRY.match(text)
    if found is None:
        return Party(text) if text else None
    parts = found["rest"].split(", ")
    places = 2 if len(parts) > 2 and _STATE.fullmatch(parts[-1]) else 1
    return Party(", ".join(parts[:-places]) if len(parts) > places else parts[0], found["country"])


def _citations(text: str) -> Iterator[Citation]:
    starred = _EXAMINERS in " ".join(text.split())
    for part in _CITED.finditer(text):
        for found in _REFERENCE.finditer(part["text"]):
            office = found["office"] if found["office"] in OFFICES else "US"
            number = normal_number(f"{office} {found['number']}")
            if is_number(number):
                yield Citation(number, _citer(found["mark"], starred=starred))


def _citer(mark: str, *, starred: bool) -> Citer:
    if not starred:
        return ""
    return {"*": "examiner", "†": "third party"}.get(mark, "applicant")  # type: ignore[return-value]


def _related(text: str) -> Iterator[Related]:
    for found in _EARLIER.finditer(text):
        patent = normal_number(f"Patent No. {found['patent']}") if found["patent"] else ""
        yield Related(
            found["relation"].lower(),
            found["number"],
            printed_day(found["filed"]) if found["filed"] else None,
            patent if is_number(patent) else "",
        )
