"""The limits on the page about security are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from patsearch import client, filters
from patsearch.drawings import document, opening, pagesort
from patsearch.engine import picture, rerank
from patsearch.ingest import grant
from patsearch.ingest.sources import folders, unzip
from patsearch.record import saved
from patsearch.web import asking, connection, gate, routes, workers
from patsearch.web.settings import MAX_TOP, ServerSettings

ROOT = Path(__file__).parents[2]
SERVER = ServerSettings(Path("index"))


def rows() -> dict[str, str]:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    return {name.strip(): limit for name, limit in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)}


def mib(number: int) -> str:
    return f"{number >> 20} MiB" if number < 1 << 30 else f"{number >> 30} GiB"


@pytest.mark.parametrize(
    ("row", "limits"),
    [
        ("bytes", [mib(SERVER.max_bytes), f"text {mib(gate._TEXT_BYTES)}", f"{gate._OPEN_BYTES >> 10} KiB"]),
        ("one picture or PDF", [mib(SERVER.max_picture_bytes), f"{SERVER.max_pixels:,}", f"{SERVER.max_pictures} of",
                                f"{document.MOST_FIGURES} figures"]),
        ("pages of a PDF or TIFF", [f"{pagesort.MAX_PAGES:,};", f"{workers._READING * SERVER.work_seconds:g} s"]),
        ("PDF on the command line", [mib(opening.MAX_BYTES), f"{pagesort.MAX_PAGES:,}", f"{document.MOST_FIGURES} fig",
                                     f"{picture.SECONDS:g} s"]),
        ("results", [f"{MAX_TOP:,}", f"{asking.MAX_OFFSET:,}"]),
        ("filter", [f"{filters.MOST_TEXT:,} char", f"{filters.MOST_CONDITIONS} cond", f"{filters.MOST_VALUES:,} values",
                    f"{filters.MOST_WORDS} words"]),
        ("marks", [f"{asking._MOST_VALUES} relevant"]),
        ("re-ranking, expansion", [f"{rerank._MOST_NEIGHBOURS} neigh", f"{rerank._MOST_CANDIDATES:,} cand"]),
        ("saved search", [mib(routes._MOST_SAVED_BYTES), f"{routes._MOST_SAVED_VECTORS} vectors",
                          f"{MAX_TOP:,} results"]),
        ("time", [f"headers {connection.HEADER_SECONDS:g} s", f"body {SERVER.body_seconds:g} s",
                  f"{SERVER.request_seconds:g} s until"]),
        ("at the same time", [f"{SERVER.waiting} waiting"]),
        ("pictures, PDFs", [mib(workers._MOST_MEMORY)]),
        ("saved search of `patsearch watch`", [mib(saved._MAX_BYTES), f"{saved._MOST_VECTORS:,}",
                                               f"{saved._MOST_RESULTS:,} results", f"{saved._MOST_SHOWN:,} patents"]),
        ("answer to the client", [mib(client._MOST_BYTES)]),
        ("picture on the command line or in an ingest", [mib(opening.MAX_BYTES), f"{opening.MAX_PIXELS:,}",
                                                         f"{opening.MAX_PIXELS_BILEVEL:,}"]),
        ("grant", [f"XML {mib(grant.MAX_XML)}", f"ZIP {mib(unzip.MAX_ZIP)}", f"{unzip.MAX_MEMBERS:,} files",
                   f"{mib(unzip.MAX_MEMBER)} each", f"{mib(unzip.MAX_TOTAL)} in all", f"{unzip.MAX_RATIO} times"]),
        ("folders", [f"{folders._MAX_DEPTH} levels"]),
    ],
)  # fmt: skip
def test_a_row_of_limits(row: str, limits: list[str]) -> None:
    assert [limit for limit in limits if limit not in rows()[row]] == []
