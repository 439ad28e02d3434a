"""The limits on the page about security are those of the code."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path

import pytest

from patsearch import client, filters
from patsearch.assistants import sheet, tools
from patsearch.drawings import document, opening, pagesort
from patsearch.engine import expansion, picture, rerank, snapshot
from patsearch.ingest import grant
from patsearch.ingest.sources import folders, unzip
from patsearch.models import reading
from patsearch.record import saved
from patsearch.web import asking, connection, gate, routes, serve, workers
from patsearch.web.settings import MAX_TOP, ServerSettings

ROOT = Path(__file__).parents[2]
SERVER = ServerSettings(Path("index"))


def rows() -> dict[str, str]:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    return {name.strip(): limit for name, limit in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)}


def mib(number: int) -> str:
    return f"{number >> 20} MiB" if number < 1 << 30 else f"{number >> 30} GiB"


LIMITS = {
    "bytes": [
        f"{mib(SERVER.max_bytes)} (`--max-upload`)",
        f"a form of text {mib(SERVER.max_text_bytes)}, {gate._MOST_FIELDS:,} fields",
        f"before a token is shown {gate._OPEN_BYTES >> 10} KiB",
        f"headers {serve._HEADER_BYTES >> 10} KiB",
    ],
    "texts of a form": [],
    "bodies of all requests together": [mib(SERVER.max_bytes_together)],
    "one picture or PDF": [
        mib(SERVER.max_picture_bytes),
        f"{SERVER.max_pixels:,} pixels",
        f"up to {SERVER.max_pictures} of them",
        f"{document.MOST_FIGURES} figures",
    ],
    "pages of a PDF or TIFF": [f"{pagesort.MAX_PAGES:,};", f"{workers._READING * SERVER.work_seconds:g} s"],
    "results": [f"{MAX_TOP:,} from", f"place {asking.MAX_OFFSET:,} on"],
    "filter": [
        f"{filters.MOST_TEXT:,} characters",
        f"{filters.MOST_CONDITIONS} conditions",
        f"{filters.MOST_VALUES:,} values",
        f"{filters.MOST_WORDS} words",
    ],
    "marks": [f"{asking._MOST_VALUES} relevant", f"{asking._MOST_VALUES} irrelevant"],
    "re-ranking, expansion": [
        f"{rerank._MOST_NEIGHBOURS} neighbours",
        f"{rerank._MOST_CANDIDATES:,} candidates",
        f"{expansion._MOST_DRAWINGS:,} drawings",
    ],
    "saved search": [
        mib(routes._MOST_SAVED_BYTES),
        f"{routes._MOST_SAVED_VECTORS} vectors",
        f"{MAX_TOP:,} results",
    ],
    "call of `patsearch mcp`": [
        f"{mib(tools.MOST_PICTURE)} of a picture",
        f"{tools.MOST_RESULTS} results",
        f"answer {tools.MOST_ANSWER // 1_000_000} MB",
        f"{4 * sheet.MOST_BYTES // 3:,} characters",
        "base64",
    ],
    "time": [
        f"headers {connection.HEADER_SECONDS:g} s",
        f"body {SERVER.body_seconds:g} s",
        f"{SERVER.request_seconds:g} s until",
    ],
    "at the same time": [f"{SERVER.waiting} waiting", f"{serve._MOST_CONNECTIONS:,} connections"],
    "saved search of `patsearch watch`": [
        mib(saved._MAX_BYTES),
        f"{saved._MOST_VECTORS:,} vectors",
        f"{saved._MOST_RESULTS:,} results",
        f"{saved._MOST_SHOWN:,} patents",
    ],
    "answer to the client": [
        mib(client._MOST_BYTES),
        f"{signature(client.connect).parameters['timeout'].default:g} s",
    ],
    "picture on the command line or in an ingest": [
        mib(opening.MAX_BYTES),
        f"{opening.MAX_PIXELS:,} pixels",
        f"{opening.MAX_PIXELS_BILEVEL:,} in black and white",
    ],
    "3D model": [
        f"{reading.MOST_TRIANGLES:,} triangles",
        f"3MF {mib(reading._MOST_UNPACKED)} unpacked",
        f"{(picture.SECONDS + picture._GRACE) / 60:g} minutes",
    ],
    "PDF on the command line": [
        mib(opening.MAX_BYTES),
        f"{pagesort.MAX_PAGES:,} pages",
        f"{document.MOST_FIGURES} figures",
        f"{picture.SECONDS:g} s",
    ],
    "grant": [
        f"XML {mib(grant.MAX_XML)}",
        f"ZIP {mib(unzip.MAX_ZIP)}",
        f"{unzip.MAX_MEMBERS:,} files",
        f"{mib(unzip.MAX_MEMBER)} each",
        f"{mib(unzip.MAX_TOTAL)} in all",
        f"{unzip.MAX_RATIO} times",
    ],
    "snapshot": [f"{snapshot._MOST_MEMBERS:,} files"],
    "folders": [f"{folders._MAX_DEPTH} levels"],
}


@pytest.mark.parametrize("row", LIMITS)
def test_a_row_of_limits(row: str) -> None:
    """Each number of it is that of the code."""
    left = rows()[row].replace("UTF-8", "").replace("then 503", "")
    for limit in LIMITS[row]:
        assert limit in left
        left = left.replace(limit, "", 1)
    assert not re.search(r"\d", left), left


def test_every_row_is_compared() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    limits = text.partition("## Limits")[2].partition("## Report")[0]
    named = re.findall(r"^\| ([^|]+?) \|", limits, re.MULTILINE)
    assert {*named} - {"of one request to a server", "elsewhere"} == {*LIMITS}


def test_the_memory_of_a_decoder() -> None:
    assert mib(workers._MOST_MEMORY) in rows()["pictures, PDFs, 3D models"]
