"""A search record in words, for every form it is printed in."""

from __future__ import annotations

from patsearch.engine import Question
from patsearch.record.record import SearchRecord
from patsearch.types import Drawing, PatentHit


def details(record: SearchRecord) -> list[tuple[str, str]]:
    """What was searched for, where and when: names and values, without empty ones."""
    question, index, encoder = record.question, record.index, record.encoder
    rows = [
        ("Like patent", question.like or ""),
        ("Filter", str(question.where) or "none"),
        *(("Note", notice) for notice in (*question.where.notices, *record.warnings)),
        ("Options", ", ".join(question.words())),
        ("Date and time", record.asked),
        ("Index", f"{index['path']}: {index['drawings']:,} drawings, fingerprint {index['fingerprint']}"),
        ("Backend", index["backend"]),
        ("Encoder", f"{encoder['name']}, sha256 {encoder['sha256']}"),
        ("Program", f"patsearch {record.version}; answered in {record.seconds * 1000:.0f} ms"),
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
