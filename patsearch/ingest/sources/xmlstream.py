"""The records of an XML file of any length, one tree after the other, in bounded memory.

Offices write the same elements in different namespaces, so names are local: `{http://...}Design` is `Design`. A file
that declares entities with content is refused, since registers have none and entity bombs are made of them; a DTD is
not fetched. What comes before damage is yielded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from patsearch.errors import SourceError

_DEEPEST = 100
_MOST_ELEMENTS = 200_000  # of a record; a registration of 100 designs with 10 views each has about 20,000
_MOST_TEXT = 8 << 20  # characters of a record
_LEAF = 200  # characters that are read of an element of the file's head


def records(chunks: Iterable[bytes], names: frozenset[str], head: frozenset[str]) -> Iterator[Element | str]:
    """The outermost elements of these names; of the elements named in `head` outside them, name and text.

    Args:
        chunks: the bytes of the file.

    Yields:
        A record; an element of the head; or why a record is left out, one line without the file's name.

    Raises:
        SourceError: damaged from somewhere on, unsafe, or in no readable encoding; without the file's name.
    """
    reader = _Reader(names, head)
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.feed(b"", end=True)


class _Reader:
    def __init__(self, names: frozenset[str], head: frozenset[str]) -> None:
        self._names, self._head = names, head
        self._done: list[Element | str] = []
        self._builder: TreeBuilder | None = None
        self._depth = 0
        self._begun = 0  # depth at which the record began
        self._elements = self._text = 0
        self._too_much = ""
        self._leaf: list[str] | None = None
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._reference
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        self._parser = parser

    def feed(self, chunk: bytes, *, end: bool = False) -> Iterator[Element | str]:
        failed: SourceError | None = None
        try:
            self._parser.Parse(chunk, end)
        except expat.ExpatError as error:
            failed = SourceError(f"the XML is damaged ({error}); what came before was read")
        except (ValueError, LookupError) as error:
            failed = SourceError(f"the XML is in no readable encoding ({error})")
        except SourceError as error:
            failed = error
        done, self._done = self._done, []
        yield from done
        if failed is not None or end:
            del self._parser  # it holds this object by its handlers: memory would wait for the collector
        if failed is not None:
            raise failed

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition("}")[2]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SourceError("the XML is nested too deeply for a register; what came before was read")
        if self._builder is None:
            self._leaf = [] if name in self._head else None
            if name not in self._names:
                return
            self._builder, self._begun = TreeBuilder(), self._depth
            self._elements = self._text = 0
            self._too_much = ""
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            self._too_much = f"a record has more than {_MOST_ELEMENTS:,} elements; left out"
        if not self._too_much:
            self._builder.start(name, {key.rpartition("}")[2]: value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        name = name.rpartition("}")[2]
        if self._builder is not None:
            if not self._too_much:
                self._builder.end(name)
            if self._depth == self._begun:
                self._done.append(self._too_much or self._builder.close())
                self._builder = None
        elif self._leaf is not None:
            found = Element(name)
            found.text = "".join(self._leaf)[:_LEAF]
            self._done.append(found)
            self._leaf = None
        self._depth -= 1

    def _data(self, text: str) -> None:
        if self._builder is not None:
            self._text += len(text)
            if self._text > _MOST_TEXT:
                self._too_much = f"a record has more than {_MOST_TEXT >> 20} million characters; left out"
            if not self._too_much:
                self._builder.data(text)
        elif self._leaf is not None and len(self._leaf) < _LEAF:
            self._leaf.append(text)

    def _entity(self, *declared: object) -> None:
        if not declared[-1]:  # the notation
            raise SourceError("the XML is not safe to read (it declares entities with content)")

    def _reference(self, *_entity: object) -> int:
        raise SourceError("the XML is not safe to read (it refers to another file)")


# ---------------------------------------------------------------------- reading a record


def child_text(node: Element | None, path: str) -> str:
    """All text below the first element at a path, blanks collapsed; "" where there is none."""
    found = None if node is None else node.find(path)
    return "" if found is None else text_in(found)


def first_text(node: Element | None, *paths: str) -> str:
    """The first text at one of the paths that is not empty."""
    return next(filter(None, (child_text(node, path) for path in paths)), "")


def text_in(node: Element) -> str:
    """All text of an element, blanks collapsed."""
    return " ".join("".join(node.itertext()).split())


def in_english(nodes: Iterable[Element]) -> str:
    """The text that is marked as English, else the first one."""
    texts = [(node.get("languageCode", node.get("lang", "")).lower(), text_in(node)) for node in nodes]
    texts = [(language, text) for language, text in texts if text]
    return next((text for language, text in texts if language[:2] == "en"), texts[0][1] if texts else "")
