"""The text of a patent's front page -> number, kind, title, dates, classes, captions and bibliography.

Front pages name their fields by the codes of WIPO ST.9, as in `(54) CHAIR`: the text of a field reaches to the next
code. Text that a scanner recognised has slips; what cannot be read is left empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patsearch.classification import ClassCode, try_code
from patsearch.ingest.captions import parse_captions
from patsearch.ingest.printed import printed_day, read_printed
from patsearch.numbers import is_number, normal_number
from patsearch.text import plain
from patsearch.types import Patent

# (13) in `LOC (13) Cl.` is the edition of the classification; (**) is the term.
_CODE = re.compile(r"(?<!LOC )[(\[](?P<code>\d\d)[)\]]|[(\[] ?\*+ ?[)\]]")
_NUMBER = r"(?P<number>(?:[A-Z]{2} ?)?(?:Des\.|D|RE|PP|H)? ?\d[\d,/ ]{3,}\d(?: ?[A-Z]\d?\b)?)"
_NAMED = re.compile(rf"(?:Patent|Publication|Pub\.|Pat\.) ?(?:No|Number)s?\.? ?: ?{_NUMBER}", re.IGNORECASE)
_ALONE = re.compile(rf"\b(?=[A-Z]{{2}} ?\w*\d){_NUMBER}")
_KIND = re.compile(r"\d ?(?P<kind>[A-Z]\d?)$")
_LOCARNO = re.compile(r"\b(\d{1,2}) ?[-–.] ?(\d\d)\b")
_USPC = re.compile(r"\b((?:D ?)?\d{1,3} ?/ ?[\w.]+)")
_CPC = re.compile(r"\b([A-HY]\d\d[A-Z]) ?(\d{1,4}/\d{2,6})")
_TITLE_ENDS = re.compile(r"\n\s*\n|\n(?=\s*(?:Applicants?|Inventors?|Assignee)\b)")
_LEADERS = re.compile(r"(?:\s?\.){3,}")
_LONGEST_TITLE = 500


def read_front_page(text: str) -> Patent:
    """What the text of a front page says, and that of the pages that continue it; the number may be empty."""
    text = text.replace("\r", "")
    fields = dict(_fields(text))
    known, remarks = read_printed(text, fields)
    number, kind = _number(fields.get("10") or fields.get("11") or "", text)
    return Patent(
        number=number,
        kind=kind,
        title=_title(fields.get("54", "")),
        granted=printed_day(fields.get("45", "")) or printed_day(fields.get("43", "")),
        filed=printed_day(fields.get("22", "")),
        classes=tuple(dict.fromkeys(_classes(fields))),
        captions=parse_captions(_sentences(text)),
        remarks=remarks,
        bibliography=known,
    )


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Code and text of each field; of a code that occurs twice, the first that has text counts."""
    codes = list(_CODE.finditer(text))
    ends = [code.start() for code in codes[1:]] + [len(text)] * bool(codes)
    seen = set()
    for code, end in zip(codes, ends, strict=True):
        content = text[code.end() : end].strip()
        if code["code"] and content and code["code"] not in seen:
            seen.add(code["code"])
            yield code["code"], content


def _number(field: str, text: str) -> tuple[str, str]:
    for pattern, where in ((_NAMED, field), (_ALONE, field), (_NAMED, text)):
        for found in pattern.finditer(plain(where)):
            written = found["number"].strip(" ,.")
            number = normal_number(written)
            if not is_number(number) and (again := normal_number(f"Patent No. {written}")) and is_number(again):
                number = again
            if is_number(number):
                kind = _KIND.search(written)
                # Designs are S on their front page and S1 in the office's data.
                return number, {"S": "S1"}.get(kind["kind"], kind["kind"]) if kind else ""
    return "", ""


def _title(field: str) -> str:
    title = plain(_TITLE_ENDS.split(field, maxsplit=1)[0])[:_LONGEST_TITLE]
    return title.capitalize() if title.isupper() else title


def _classes(fields: dict[str, str]) -> Iterator[ClassCode]:
    """Field 51 holds Locarno (`LOC (13) Cl. 28-03`) or the IPC, 52 the US class and the CPC."""
    international, national = (plain(_LEADERS.sub(" ", fields.get(code, ""))) for code in ("51", "52"))
    designs = international.upper().startswith("LOC")
    codes = [try_code("locarno", f"{a}-{b}") for a, b in _LOCARNO.findall(international)] if designs else []
    codes += [try_code("ipc", "".join(found)) for found in _CPC.findall(international)]
    codes += [try_code("cpc", "".join(found)) for found in _CPC.findall(national)]
    codes += [try_code("uspc", found.replace(" ", "")) for found in _USPC.findall(_CPC.sub(" ", national))]
    yield from (code for code in codes if code is not None)


def _sentences(text: str) -> Iterator[str]:
    """The description of the figures, which is broken into lines, by its sentences."""
    start = re.search(r"\bDESCRIPTION\b", text)
    if start:
        yield from re.split(r"(?<=[;.])\s*\n\s*(?=FIGS?\.|The\b)", text[start.end() :])
