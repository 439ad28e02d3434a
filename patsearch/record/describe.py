"""A search record in words, for every form it is printed in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from patsearch.bibliography import Party
from patsearch.engine import Question
from patsearch.record.record import Marked, SearchRecord
from patsearch.types import Drawing, PatentHit

_PARTIES_SHOWN = 5
_NOT_SAID = (
    "A score is not a probability, and says nothing about infringement, novelty or similarity in the legal sense."
)
_SPANS_SHOWN = 8


def title(record: SearchRecord) -> str:
    """Of the whole record."""
    return record.cover.title or "Patent drawing search"


def cover(record: SearchRecord) -> list[tuple[str, str]]:
    """What the searcher said, and the day: names and values, without empty ones."""
    rows = [("Docket", record.cover.docket), ("Searcher", record.cover.searcher), ("Date and time", record.asked)]
    return [(name, value) for name, value in rows if value]


def query_names(record: SearchRecord) -> list[str]:
    """What each picture of the query is called, without folders."""
    return [_without_folder(picture.name) for picture in record.pictures]


def details(record: SearchRecord) -> list[tuple[str, str]]:
    """What was searched for and where: names and values, without empty ones and without folders of a computer."""
    question, index, encoder = record.question, record.index, record.encoder
    notes = [_without_folders(text, record) for text in (*question.where.notices, *record.warnings)]
    known = record.collection.words() if record.collection else []
    answered = "" if record.seconds is None else f"; answered in {record.seconds * 1000:.0f} ms"
    rows = [
        ("Pictures", ", ".join(query_names(record))),
        ("Like patent", question.like or ""),
        ("Filter", str(question.where) or "none"),
        *(("Note", text) for text in notes),
        ("Options", ", ".join(question.words())),
        *known,
        (
            "Index",
            f"{_without_folder(index['path'])}: {index['drawings']:,} drawings, fingerprint {index['fingerprint']}",
        ),
        ("Backend", index["backend"]),
        ("Encoder", f"{_without_folder(encoder['name'])}, sha256 {encoder['sha256']}"),
        ("Program", f"patsearch {record.version}{answered}"),
    ]
    return [(name, str(value)) for name, value in rows if value]


def _without_folder(name: str) -> str:
    name = name.rstrip("/\\")
    last = name.rpartition("/")[2]
    # Bytes that are not UTF-8 are written as \xe9: such a name alone has no folders of Windows.
    escaped = re.fullmatch(r"(?:[^:\\]|\\x[0-9a-f]{2})+", last)
    return (last if escaped else last.rpartition("\\")[2]) or name


def _without_folders(text: str, record: SearchRecord) -> str:
    """A remark without the folders that its pictures' names begin with."""
    names = [picture.name for picture in (*record.pictures, *record.question.pictures)]
    folders = {name.removesuffix(_without_folder(name)) for name in names}
    for folder in sorted(folders - {""}, key=len, reverse=True):
        text = text.replace(folder, "")
    return text


def scores(record: SearchRecord) -> list[str]:
    """What the numbers and the words next to the results mean, and what they do not."""
    question, likeness = record.question, record.likeness
    weighed = "" if question.shape else f"; the drawing style counts too here (weight {question.style:g})"
    said = [
        "The number is the similarity of a drawing to the closest picture of the query: 1 is the identical drawing"
        f"{weighed}. The score of a patent is that of its best drawing."
    ]
    if likeness is not None:
        bands = [
            (likeness.same_drawing, "as close as copies of one drawing are"),
            (likeness.same_shape, "as close as one view drawn in two styles"),
            (likeness.alike, "as close as two figures of one patent often are"),
        ]
        said += [f"{likeness.word(least)} (from {least:.2f}): {words}." for least, words in bands]
        said.append(f"far (below {bands[-1][0]:.2f}): drawings that have nothing in common score as much.")
    if question.relevant or question.irrelevant or question.rerank or question.expansion:
        said.append(
            "The order also follows marks, re-ranking or expansion: scores need not fall from result to result."
        )
    return [*said, _NOT_SAID]


def heading(record: SearchRecord) -> str:
    """Above the results."""
    return f"{len(record.hits)} {'drawings' if record.question.drawings else 'patents'} found, most similar first"


def place(marked: Marked, record: SearchRecord) -> str:
    """Where a marked drawing's patent is among the results."""
    return f"result {marked.rank}" if marked.rank else f"not among the {len(record.hits)} results shown"


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
