"""`patsearch query --url`: the same question, answered by a server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from patsearch.cli.output import notice
from patsearch.client import connect, patent_hit
from patsearch.record import SearchOptions
from patsearch.types import JsonDict, PatentHit


@dataclass(frozen=True, slots=True)
class Answered:
    """A search record as JSON, and its hits."""

    json: JsonDict
    hits: list[PatentHit]


def ask(
    url: str,
    token: str | None,
    images: Sequence[str],
    like: str | None,
    filters: Sequence[str],
    options: SearchOptions,
    *,
    html: Path | None,
    pdf: Path | None,
    save: Path | None,
) -> Answered:
    """Ask a server, and write what is to be filed.

    Args:
        images: names of files; `-` reads standard input.
    """
    pictures = [sys.stdin.buffer.read() if name == "-" else Path(name) for name in images]
    form = _form(options, len(pictures)) | {"k": options.top, "where": list(filters), "like": like}
    with connect(url, token=token) as server:
        record = server.record(pictures, **form)
        if html is not None:
            html.write_bytes(server.report(pictures, kind="html", **form))
        if pdf is not None:
            pdf.write_bytes(server.report(pictures, kind="pdf", **form))
        if save is not None:
            save.write_bytes(server.save(pictures, name=save.stem, **form))
    for path in (html, pdf, save):
        if path is not None:
            notice(f"wrote {path}")
    return Answered(record, [patent_hit(hit) for hit in record["hits"]])


def _form(options: SearchOptions, pictures: int) -> JsonDict:
    """The options as fields of the server's form; those that were not asked for are left out."""
    fields: JsonDict = {
        "rotations": options.rotations or None,
        "mirror": options.mirror or None,
        "shape": options.shape or None,
        "drawings": options.drawings or None,
        "exact": options.exact or None,
        "min_score": options.min_score,
        "relevant": list(options.relevant) or None,
        "irrelevant": list(options.irrelevant) or None,
        "rerank": str(options.rerank) if options.rerank else None,
        "expand": str(options.expansion) if options.expansion else None,
    }
    if options.crop:
        fields["crop"] = [",".join(str(value) for value in options.crop)] * pictures
    return fields
