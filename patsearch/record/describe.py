"""A search record in words, for every form it is printed in."""

from __future__ import annotations

from patsearch.record.record import SearchOptions, SearchRecord
from patsearch.types import Drawing, PatentHit


def details(record: SearchRecord) -> list[tuple[str, str]]:
    """What was asked, of what and when: names and values, those that are there."""
    index, encoder = record.index, record.encoder
    rows = [
        ("Asked with patent", record.like or ""),
        ("Filter", str(record.where) or "none"),
        *(("Note", notice) for notice in record.where.notices),
        ("Options", _asked_for(record.options)),
        ("Date and time", record.asked),
        ("Index", f"{index['path']}: {index['drawings']:,} drawings, fingerprint {index['fingerprint']}"),
        ("Backend", index["backend"]),
        ("Encoder", f"{encoder['name']}, sha256 {encoder['sha256']}"),
        ("Program", f"patsearch {record.version}; answered in {record.seconds * 1000:.0f} ms"),
    ]
    return [(name, str(value)) for name, value in rows if value]


def heading(record: SearchRecord) -> str:
    """Above the results."""
    return f"{len(record.hits)} {'drawings' if record.options.drawings else 'patents'} found, most similar first"


def caption(drawing: Drawing) -> str:
    """Figure and view, as far as they are known."""
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


def _asked_for(options: SearchOptions) -> str:
    given = [f"at most {options.top} results"]
    copies = [name for name, tried in (("turned", options.rotations), ("mirrored", options.mirror)) if tried]
    if copies:
        given.append(f"{' and '.join(copies)} copies tried")
    if options.shape:
        given.append("by shape alone")
    if options.expansion:
        given.append(f"expanded by {options.expansion.count} drawings, alpha {options.expansion.alpha:g}")
    if method := options.rerank:
        given.append(f"re-ranked by mutual neighbours, k1 {method.k1}, k2 {method.k2}, lambda {method.weight:g}")
    for kind, ids in (("relevant", options.relevant), ("irrelevant", options.irrelevant)):
        if ids:
            given.append(f"marked as {kind}: {', '.join(ids)}")
    if options.crop:
        given.append("cropped to x {}, y {}, width {}, height {}".format(*options.crop))
    if options.min_score is not None:
        given.append(f"score at least {options.min_score}")
    if options.exact:
        given.append("exact")
    return ", ".join(given)


def mark(hit: PatentHit, options: SearchOptions) -> str:
    """ "relevant", "not relevant" or "": what was said of one of the hit's drawings."""
    ids = {found.drawing.id for found in hit.drawings}
    if ids & set(options.relevant):
        return "relevant"
    return "not relevant" if ids & set(options.irrelevant) else ""


def marked_first(record: SearchRecord) -> list[PatentHit]:
    """The hits as a record shows them: what was marked as relevant, the rest by rank, what was marked as not."""
    place = {"relevant": 0, "": 1, "not relevant": 2}
    return sorted(record.hits, key=lambda hit: place[mark(hit, record.options)])
