"""One reading of text, for everything that is compared: filters, titles, captions, numbers, codes.

Two texts that look the same are the same: full-width letters and digits, letters composed with their accents or not,
blanks of any kind, upper and lower case.
"""

from __future__ import annotations

import re
import unicodedata

_ACCENTS = re.compile("[\u0300-\u036f]+")
# An accent that no letter is composed with (the dot that is left of a small Turkish I) belongs to its word.
_WORD = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")
_COMMA = re.compile(",")
# A value between quotation marks, in a text of the form of `plain`.
_QUOTED = re.compile(r'(?:(?<=[=~,])|^) ?"[^"]*"(?= ?,| and |$)', re.IGNORECASE)
# What moves a terminal's cursor, names links, or turns the direction of what follows; and lone surrogates.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]")
_OTHER_DIGIT = re.compile(r"[^\D0-9]")


def plain(text: str) -> str:
    """The text in the letters that a keyboard has: NFKC, ASCII digits, single blanks and none at the ends."""
    if not text.isascii():
        text = _OTHER_DIGIT.sub(lambda digit: str(int(digit[0])), unicodedata.normalize("NFKC", text))
    return " ".join(text.split())


def folded(text: str) -> str:
    """What is compared: `plain`, without regard to case."""
    return unicodedata.normalize("NFKC", plain(text).casefold())


def query_words(text: str) -> list[str]:
    """The words to look for, folded."""
    return _WORD.findall(folded(text))


def text_words(text: str) -> list[str]:
    """The words of a title or caption, folded; those with accents without them too, so that `cafe` finds `Café`."""
    words = query_words(text)
    if text.isascii():
        return words
    bare = (unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word))) for word in words)
    return words + [word for word in bare if word not in words]


def parts(text: str, separator: re.Pattern[str], whole: re.Pattern[str] = _QUOTED) -> list[str]:
    """What is between the separators; those within quotation marks, or within `whole`, do not count."""
    hidden = text
    for pattern in {_QUOTED, whole}:
        hidden = pattern.sub(lambda found: "x" * len(found[0]), hidden)
    found = list(separator.finditer(hidden))
    starts, ends = [0, *(one.end() for one in found)], [*(one.start() for one in found), len(text)]
    return [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def listed(text: str, whole: re.Pattern[str] = _QUOTED) -> list[str]:
    """The values between commas, each once, as they are written; empty ones are left out."""
    return [part for part in dict.fromkeys(parts(text, _COMMA, whole)) if part.strip('" ')]


def unquoted(value: str) -> str:
    """A value without its quotation marks."""
    return value[1:-1].strip() if len(value) > 1 and value[0] == value[-1] == '"' else value


def is_storable(text: str) -> bool:
    """False for bytes of a command line that are not UTF-8: they arrive as lone surrogates, which nothing stores."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def visible(text: str, *, keep: str = "") -> str:
    """The text with control characters as their escapes (`\\x1b`, `\\u202e`): what a stranger wrote, for a terminal.

    Args:
        keep: characters that are left as they are, such as the ends of lines of a text with several.
    """
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def visible_json(document: str) -> str:
    """A JSON document with the same characters in JSON's own escapes; its ends of lines are left as they are."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] in "\n\r\t" else f"\\u{ord(found[0]):04x}", document)


def _escape(letter: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter) or (
        f"\\x{ord(letter):02x}" if letter <= "\x9f" else f"\\u{ord(letter):04x}"
    )
