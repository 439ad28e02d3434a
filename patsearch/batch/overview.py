"""The overview of a batch: a table, and contact sheets as pages that need nothing but the records next to them."""

from __future__ import annotations

import csv
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from patsearch import pages
from patsearch.files import write_text
from patsearch.text import spreadsheet_text
from patsearch.titles import link_of
from patsearch.types import JsonDict

ON_A_PAGE = 200  # queries
_BEST = 6  # results of a query
_COLUMNS = ("query", "files", "filter", "results", "best", "score", "likeness", "title", "granted", "owners", "next",
            "warnings", "record", "problem")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One query of the overview.

    Attributes:
        files: number of its files.
        where: its own filter.
        page: its record.
        problem: why it could not be searched, "" where it was.
        record: what its JSON file holds; None where it could not be searched.
    """

    name: str
    files: int
    where: str
    page: Path
    problem: str
    record: JsonDict | None

    @property
    def hits(self) -> list[JsonDict]:
        found: list[JsonDict] = self.record["hits"] if self.record else []
        return found

    @property
    def best(self) -> list[JsonDict]:
        """What the contact sheet shows."""
        return self.hits[:_BEST]

    @property
    def warnings(self) -> list[str]:
        said: list[str] = self.record["warnings"] if self.record else []
        return said

    @property
    def pictures(self) -> list[bytes]:
        own: list[str] = self.record["batch"]["pictures"] if self.record else []
        return [b64decode(text) for text in own]

    @property
    def link(self) -> str:
        """The record, as a page next to the folder of records links to it."""
        return f"{self.page.parent.name}/{quote(self.page.name.encode(errors='surrogateescape'))}"


def write_overview(
    reports: Path,
    facts: Sequence[tuple[str, str]],
    rows: Callable[[], Iterator[Row]],
    thumbnail: Callable[[str], bytes | None],
) -> list[Path]:
    """Write `overview.csv`, and `overview.html` with up to 200 queries a page; the paths.

    Args:
        facts: names and values for the head of the page.
        rows: the queries, from the first one each time.
        thumbnail: PNG of an indexed drawing.

    Raises:
        StorageError: a file cannot be written.
    """
    table = reports / "overview.csv"
    write_text(table, _csv(rows()))
    count = sum(1 for _ in rows())
    names = [f"overview{f'-{place + 1}' if place else ''}.html" for place in range(max(1, -(-count // ON_A_PAGE)))]
    left = rows()
    for place, name in enumerate(names):
        text = pages.render(
            "overview.html",
            title="Batch of patent drawing searches",
            facts_of_all=facts,
            names=names,
            place=place,
            rows=list(islice(left, ON_A_PAGE)),
            thumbnail=thumbnail,
            link_of=link_of,
        )
        write_text(reports / name, text)
    for old in reports.glob("overview-*.html"):  # of an earlier run with more queries
        if old.name not in names:
            old.unlink()
    return [table, *(reports / name for name in names)]


def _csv(rows: Iterator[Row]) -> str:
    table = StringIO()
    writer = csv.writer(table)
    writer.writerow(_COLUMNS)
    for row in rows:
        first: dict[str, Any] = row.hits[0] if row.hits else {}
        cells = (
            row.name, row.files, row.where, len(row.hits) if row.record else "", first.get("patent", ""),
            _score(first), first.get("likeness") or "", first.get("title", ""),
            first.get("granted") or "", "; ".join(owner["name"] for owner in first.get("owners", ())),
            "; ".join(hit["patent"] for hit in row.hits[1:_BEST]), "; ".join(row.warnings),
            row.link if row.record else "", row.problem,
        )  # fmt: skip
        writer.writerow([spreadsheet_text(cell) if isinstance(cell, str) else cell for cell in cells])
    return table.getvalue()


def _score(hit: JsonDict) -> str:
    return f"{hit['score']:.6f}" if hit else ""  # as text: a negative one must not become a formula
