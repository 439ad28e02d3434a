"""The objects of a JSON file too large to be loaded: one at a time, and the place of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from patsearch.errors import SourceError
from patsearch.files import printable
from patsearch.ingest.sources.folders import readable
from patsearch.types import JsonDict

_CHUNK = 1 << 20
_LONGEST = 1 << 20  # bytes of one object
_BETWEEN = b" \t\r\n,"


@dataclass(frozen=True, slots=True)
class Span:
    """The place of an object in its file, in bytes."""

    start: int
    length: int


def objects(path: Path) -> Iterator[tuple[Span, JsonDict]]:
    """The objects of an array, or of a file with one object after another, in bounded memory.

    Text within them is as the bytes are in the file (each byte a character): `read_object` decodes it.

    Raises:
        SourceError: the file cannot be read, is not such a list, or an object of it is malformed or has more
            than 1 MB; what came before was yielded.
    """
    with readable(path), path.open("rb") as file:
        yield from _objects(path, file)


def read_object(file: BinaryIO, span: Span) -> JsonDict:
    """One object, its text in UTF-8.

    Raises:
        ValueError: the place does not hold an object in UTF-8.
    """
    file.seek(span.start)
    value: Any = json.loads(file.read(span.length).decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _objects(path: Path, file: BinaryIO) -> Iterator[tuple[Span, JsonDict]]:
    decoder = json.JSONDecoder()
    buffer, start, at = b"", 0, 0  # `start` is the file's offset of the buffer, `at` a place in the buffer
    begun = in_array = ended = False
    text = ""
    while True:
        while at < len(buffer) and buffer[at] in _BETWEEN:
            at += 1
        head = buffer[at : at + 1]
        if head == b"[" and not begun:
            begun = in_array = True
            at += 1
        elif head == b"]" and in_array and not ended:
            ended = True
            at += 1
        elif head == b"{" and not ended:
            begun = True
            try:
                # As Latin-1 every byte is a character, so that places in text and file agree.
                value, end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                more = file.read(_CHUNK) if len(buffer) - at <= _LONGEST else b""
                if not more:
                    raise SourceError(
                        f"{printable(path)}: malformed from byte {start + at} on ({error}).",
                        hint="What came before was read; check whether the file is complete.",
                    ) from error
                start, buffer, at = start + at, buffer[at:] + more, 0
                text = buffer.decode("latin-1")
                continue
            yield Span(start + at, end - at), value
            at = end
        elif head:
            raise SourceError(f"{printable(path)}: not a list of JSON objects (byte {start + at}).")
        else:
            more = file.read(_CHUNK)
            if not more:
                break
            start, buffer, at = start + at, more, 0
            text = buffer.decode("latin-1")
    if in_array and not ended:
        raise SourceError(f"{printable(path)}: ends within the list.", hint="What came before was read.")
