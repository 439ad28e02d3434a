"""One reading of text, for everything that is compared: filters, titles, captions, numbers, codes.

Two texts that look the same are the same: full-width letters and digits, letters composed with their accents or not,
blanks of any kind, upper and lower case, with characters that are not seen (soft hyphens, byte order marks) or without.
"""

from __future__ import annotations

import re
import unicodedata

# Of Latin, Greek and Cyrillic letters, and the vowels of Hebrew and Arabic, which are mostly not written.
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u0655\u0670]+")
# Letters that Unicode does not take apart, as they are written where a keyboard does not have them.
_OTHER_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"}
)
_WORD = re.compile(r"[^\W_]+")
# Soft hyphens, what joins letters or keeps them apart, what chooses their looks, and marks of byte order.
_INVISIBLE = re.compile("[\u00ad\u034f\u180b-\u180f\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]")
_SIGNS = str.maketrans(
    {**dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"), "\u2044": "/", "\u2215": "/"}
)
_COMMA = re.compile(",")
# A value between quotation marks as books have them.
_MARKS = "\u201c-\u201f\u00ab\u00bb"
_CURLY = re.compile(f'(?<=[=~,])( ?)[{_MARKS}]([^{_MARKS}"]*)[{_MARKS}](?= ?,| and |$)')
# A value between quotation marks, in a text of the form of `plain`.
_QUOTED = re.compile(r'(?:(?<=[=~,])|^) ?"[^"]*"(?= ?,| and |$)', re.IGNORECASE)
# What moves a terminal's cursor, names links, or turns the direction of what follows; and lone surrogates.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]")
# How a formula begins, also in full-width letters.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_OTHER_DIGIT = re.compile(r"[^\D0-9]")


def counted(count: int, noun: str) -> str:
    """ "1 patent", "2,000 patents": a number with a noun that takes an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def plain(text: str) -> str:
    """The text in the letters that a keyboard has: NFKC, ASCII digits, single blanks and none at the ends."""
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
        text = _OTHER_DIGIT.sub(lambda digit: str(int(digit[0])), unicodedata.normalize("NFKC", text))
    return " ".join(text.split())


def typed(text: str) -> str:
    """`plain`, with any dash as - and any slash as /: what numbers, dates and codes are read from."""
    return plain(text).translate(_SIGNS)


def quoted(text: str) -> str:
    """A text of the form of `plain` with its values in straight quotation marks."""
    return text if text.isascii() else _CURLY.sub(r'\1"\2"', text)


def folded(text: str) -> str:
    """What is compared: `plain`, without regard to case."""
    return unicodedata.normalize("NFKC", plain(text).casefold())


def query_words(text: str) -> list[str]:
    """The words to look for, folded."""
    text = folded(text)
    if text.isascii():
        return _WORD.findall(text)
    # Marks belong to the letters before them: vowels in Hindi and Thai, accents that no letter is composed with.
    parts = "".join(sign if sign.isalnum() or unicodedata.category(sign)[0] == "M" else " " for sign in text).split()
    return [part for part in parts if any(map(str.isalnum, part))]


def text_words(text: str) -> list[str]:
    """The words of a title or caption, folded; those with accents without them too, so that `cafe` finds `Café`."""
    words = query_words(text)
    if text.isascii():
        return words
    return words + [bare for bare in map(_bare, words) if bare not in words]


def _bare(word: str) -> str:
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word))).translate(_OTHER_LETTERS)


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

    The bytes of a name that is not UTF-8 are shown as `files.printable` shows them: `caf\\xe9.png`.

    Args:
        keep: characters that are left as they are, such as the ends of lines of a text with several.
    """
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def visible_json(document: str) -> str:
    """A JSON document with the same characters in JSON's own escapes; its ends of lines are left as they are."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] in "\n\r\t" else f"\\u{ord(found[0]):04x}", document)


def spreadsheet_text(value: str) -> str:
    """A cell of CSV that spreadsheets take as text, not as a formula; control characters as `visible` shows them."""
    shown = visible(value)
    return f"'{shown}" if value.lstrip().startswith(_FORMULA) or value.startswith(("\t", "\r")) else shown


def _escape(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name of a file
        code -= 0xDC00
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter) or (
        f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
    )
