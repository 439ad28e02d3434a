"""Looking into the bytes of an ONNX model without the `onnx` package, which a search does not need.

Two things: the nodes of the graph, and a copy of the model that also gives tensors from its inside. ONNX Runtime
returns declared outputs only. A model is a protocol buffer, and of those a parser joins what is in a message
twice: "for embedded message fields, the parser merges multiple instances of the same field", repeated fields are
concatenated (https://protobuf.dev/programming-guides/encoding/#last-one-wins). So behind the model's bytes go
those of a ModelProto with nothing in it but a graph with some outputs. What was there before stays as it is, byte
by byte; ONNX Runtime finds out the types itself.

Numbers of fields are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_GRAPH = 7  # of ModelProto
_NODE, _OUTPUT = 1, 12  # of GraphProto
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND = 1, 2, 4  # of NodeProto
_NAME = 1  # of ValueInfoProto
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph: the kind of its operation and the names of the tensors it takes and gives."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_nodes(model: bytes) -> list[Node]:
    """The nodes of a model's graph, in order.

    Raises:
        ValueError: the bytes are not a protocol buffer.
    """
    view = memoryview(model)
    return [
        _node(node)
        for number, graph in _fields(view)
        if number == _GRAPH
        for kind, node in _fields(graph)
        if kind == _NODE
    ]


def with_outputs(model: bytes, names: Sequence[str]) -> bytes:
    """The model with more tensors declared as outputs, behind those it has. Weights may be named too."""
    outputs = b"".join(_message(_OUTPUT, _message(_NAME, name.encode())) for name in names)
    return model + _message(_GRAPH, outputs)


def _node(data: memoryview) -> Node:
    texts: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: [], _NODE_KIND: []}
    for number, value in _fields(data):
        if number in texts:
            texts[number].append(bytes(value).decode())
    return Node("".join(texts[_NODE_KIND]), tuple(texts[_NODE_INPUT]), tuple(texts[_NODE_OUTPUT]))


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of every field of a message that holds bytes; numbers are skipped."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"Unknown wire type {kind}.")
        if at + length > len(data):
            raise ValueError("A field reaches beyond the end.")
        if kind == _BYTES:
            yield key >> 3, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number that begins there and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("A number has no end.")
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _message(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
