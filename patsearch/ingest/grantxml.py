"""The parts of a grant's XML that are read, as a tree; claims and description are passed over.

Those make up nine tenths of a utility grant, and a tree of them would cost most of the time. Of citations, as many
are read as a bibliography may have, and one more, which shows that there are more. The DOCTYPE with which every real
file begins is accepted and its DTD never fetched. A file that declares entities with content is refused, since grants
have none and entity bombs are made of them; those with a notation name pictures and are passed over. Characters by
their names in HTML (`&ldquo;`), which nothing declares, are read.
"""

from __future__ import annotations

import codecs
import re
from html.entities import html5
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from patsearch.bibliography import MOST_CITATIONS
from patsearch.errors import SourceError

ROOT = "us-patent-grant"
BIBLIOGRAPHY = "us-bibliographic-data-grant"
_DESCRIPTION, _OF_DRAWINGS = "description", "description-of-drawings"
_READ = frozenset({BIBLIOGRAPHY, "drawings", _DESCRIPTION})  # of the elements below the root
CITATIONS = ("us-references-cited", "references-cited")  # since 2013, and before
_SEARCHED = "us-field-of-classification-search"
_DEEPEST = 200
_MOST_READ = 300_000  # elements; a grant of 5,000 figures has about 40,000
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>)?")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HEAD = 4096  # bytes in which the DOCTYPE is
_CONCATENATED = "junk after document element"


def read_tree(data: bytes) -> Element:
    """The root of a grant, with only bibliography, drawings and their description below it.

    Raises:
        SourceError: not XML, not a grant, unsafe or beyond the bounds; one line without the file's name.
    """
    return _Reader().read(data)


class _Reader:
    """Feeds a tree from expat; within an element that is passed over it counts the depth alone."""

    def __init__(self) -> None:
        self._tree = TreeBuilder()
        self._path: list[str] = []  # of the elements that are open and read
        self._passed = 0  # open elements from the one on that is passed over
        self._read = 0
        self._citations = 0
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._reference
        # What no other handler takes, among it references to entities that nobody declared.
        parser.DefaultHandlerExpand = self._other
        parser.CommentHandler = parser.ProcessingInstructionHandler = _nothing
        self._parser = parser
        self._listen()

    def read(self, data: bytes) -> Element:
        try:
            declaration = _DECLARATION.match(data)
            if b"<!DOCTYPE" not in data[:_HEAD] and declaration and not data.startswith(_UTF16):
                # With a DTD that is not read, undeclared entities are nothing that ends the parser.
                end = declaration.end()
                data = data[:end] + f'<!DOCTYPE {ROOT} SYSTEM "grant.dtd">'.encode() + data[end:]
            self._parser.Parse(data, True)
            return self._tree.close()
        except expat.ExpatError as error:
            if _CONCATENATED in str(error):
                raise SourceError(
                    "the XML holds more than one document, as the full-text files without drawings do"
                ) from None
            raise SourceError(f"the XML is damaged ({error})") from error
        except (ValueError, LookupError) as error:
            raise SourceError(f"the XML is in no readable encoding ({error})") from error
        finally:
            del self._parser  # it holds this object by its handlers: memory would wait for the collector

    def _listen(self) -> None:
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._tree.data

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        path = self._path
        depth = len(path)
        if depth == 0 and name != ROOT:
            raise SourceError(f"the XML is a <{name}>, not a <{ROOT}>")
        if self._is_passed_over(depth, name):
            self._passed = 1
            self._parser.StartElementHandler = self._start_passed
            self._parser.EndElementHandler = self._end_passed
            self._parser.CharacterDataHandler = len  # anything that takes a text, and takes no time
            return
        self._read += 1
        if self._read > _MOST_READ:
            raise SourceError("the XML has more elements than a grant can have")
        self._check_depth(depth)
        path.append(name)
        self._tree.start(name, attributes)

    def _is_passed_over(self, depth: int, name: str) -> bool:
        path = self._path
        if depth == 1:
            return name not in _READ
        if depth == 2:
            return name != _OF_DRAWINGS if path[1] == _DESCRIPTION else name == _SEARCHED
        if depth == 3 and path[2] in CITATIONS:
            self._citations += 1
            return self._citations > MOST_CITATIONS + 1
        return depth == 4 and path[2] in CITATIONS and name.startswith("classification-")

    def _end(self, name: str) -> None:
        self._path.pop()
        self._tree.end(name)

    def _start_passed(self, _name: str, _attributes: dict[str, str]) -> None:
        self._passed += 1
        self._check_depth(self._passed)

    def _end_passed(self, _name: str) -> None:
        self._passed -= 1
        if not self._passed:
            self._listen()

    def _check_depth(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise SourceError("the XML is nested too deeply for a grant")

    def _entity(self, *declared: object) -> None:
        if not declared[-1]:  # the notation
            raise SourceError("the XML is not safe to read (it declares entities with content)")

    def _reference(self, *_entity: object) -> int:
        raise SourceError("the XML is not safe to read (it refers to another file)")

    def _other(self, text: str) -> None:
        if text.startswith("&"):
            if character := html5.get(text[1:]):
                if not self._passed:
                    self._tree.data(character)
                return
            line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber
            raise SourceError(f"the XML is damaged (undefined entity {text}: line {line}, column {column})")


def _nothing(*_said: object) -> None:
    pass
