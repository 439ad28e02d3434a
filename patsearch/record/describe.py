"""A search record in words, for every form it is printed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from patsearch.bibliography import Party
from patsearch.engine import Question
from patsearch.record.record import SearchRecord
from patsearch.types import Drawing, PatentHit

_PARTIES_SHOWN = 5
_SPANS_SHOWN = 8


def details(record: SearchRecord) -> list[tuple[str, str]]:
    """What was searched for, where and when: names and values, without empty ones."""
    question, index, encoder = record.question, record.index, record.encoder
    answered = "" if record.seconds is None else f"; answered in {record.seconds * 1000:.0f} ms"
    rows = [
        ("Like patent", question.like or ""),
        ("Filter", str(question.where) or "none"),
        *(("Note", notice) for notice in (*question.where.notices, *record.warnings)),
        ("Options", ", ".join(question.words())),
        ("Date and time", record.asked),
        ("Index", f"{index['path']}: {index['drawings']:,} drawings, fingerprint {index['fingerprint']}"),
        ("Backend", index["backend"]),
        ("Encoder", f"{encoder['name']}, sha256 {encoder['sha256']}"),
        ("Program", f"patsearch {record.version}{answered}"),
    ]
    return [(name, str(value)) for name, value in rows if value]


def heading(record: SearchRecord) -> str:
    """Above the results."""
    return f"{len(record.hits)} {'drawings' if record.question.drawings else 'patents'} found, most similar first"


def caption(drawing: Drawing) -> str:
    """Figure and view, where known."""
    figure = f"FIG. {drawing.figure}" if drawing.figure else drawing.sheet
    return f"{figure}: {drawing.view}" if drawing.view else figure


def class_codes(drawing: Drawing) -> str:
    """All codes, by scheme."""
    return "; ".join(
        f"{scheme.upper()} {', '.join(codes)}" for scheme, codes in drawing.classes_json().items() if codes
    )


def class_titles(drawing: Drawing) -> str:
    """Titles of the main classes, each once."""
    return "; ".join(drawing.class_titles())


def dates(drawing: Drawing) -> str:
    """Date of grant and kind."""
    return ", ".join(part for part in (f"granted {drawing.granted}" if drawing.granted else "", drawing.kind) if part)


def owners(drawing: Drawing) -> str:
    """Owners with their countries, and inventors who are not owners too."""
    known = drawing.bibliography
    if known is None:
        return ""
    names = {party.name for party in known.owners}
    inventors = [party for party in known.inventors if party.name not in names]
    parts = [("owner", "owners", list(known.owners)), ("inventor", "inventors", inventors)]
    named = [(one if len(found) == 1 else several, found) for one, several, found in parts if found]
    return "; ".join(f"{name}: {_parties(found)}" for name, found in named)


def _parties(parties: Sequence[Party]) -> str:
    shown = [f"{party.name} ({party.country})" if party.country else party.name for party in parties[:_PARTIES_SHOWN]]
    more = len(parties) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def term(drawing: Drawing) -> str:
    """From when to when and where it is in force, with what was assumed; and its status, where that says more."""
    spans = [one for one in drawing.protections if one.first or one.last]
    said = [f"{one.country} {one.first or '?'} to {one.last or '?'}" for one in spans[:_SPANS_SHOWN]]
    more = len(spans) - len(said)
    known = [f"in force: {', '.join(said)}{f' and {more} more' if more else ''}"] if said else []
    status = drawing.bibliography.status if drawing.bibliography else ""
    known += [f"status: {status}"] * (status not in ("", "granted"))
    return "; ".join([*known, *dict.fromkeys(one.assumed for one in spans if one.assumed)])


def citations(drawing: Drawing) -> str:
    """How many patents it cites, and who named them."""
    cited = [one for one in drawing.bibliography.citations if one.patent] if drawing.bibliography else []
    named = {"examiner": "the examiner", "applicant": "the applicant"}
    counts = Counter(named.get(one.by, "others") for one in cited)
    said = ", ".join(f"{count} by {by}" for by, count in counts.items())
    return f"cites {len(cited)} patents ({said})" if cited else ""


def mark(hit: PatentHit, question: Question) -> str:
    """ "relevant", "not relevant" or "": how one of the hit's drawings was marked."""
    ids = {found.drawing.id for found in hit.drawings}
    if ids & set(question.relevant):
        return "relevant"
    return "not relevant" if ids & set(question.irrelevant) else ""


def marked_first(record: SearchRecord) -> list[PatentHit]:
    """The hits as a record shows them: those marked as relevant, the rest by rank, those marked as not relevant."""
    place = {"relevant": 0, "": 1, "not relevant": 2}
    return sorted(record.hits, key=lambda hit: place[mark(hit, record.question)])
