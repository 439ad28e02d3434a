"""3D models for the tests, written byte by byte: nothing is shared with the reader, and each can be made broken."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Shape = tuple[NDArray[np.float64], NDArray[np.int64]]
"""Vertices (V, 3) with z up, and triangles (F, 3)."""


def _y_up(shape: Shape) -> NDArray[np.float64]:
    """(V, 3) vertices as files have them in which y is up."""
    x, y, z = shape[0].T
    return np.stack([x, z, -y], axis=1)


def box(x: float, y: float, z: float, at: tuple[float, float, float] = (0, 0, 0)) -> Shape:
    """A box with one corner at a place."""
    corners = np.array([[i & 1, i >> 1 & 1, i >> 2] for i in range(8)], np.float64) * (x, y, z) + at
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    return corners, np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int64)


def joined(shapes: Sequence[Shape]) -> Shape:
    """Several shapes as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in shapes)])
    faces = [faces + start for (_, faces), start in zip(shapes, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in shapes]), np.concatenate(faces)


def stool() -> Shape:
    """A stool whose views differ: a long seat, a taller back at one end, four legs."""
    legs = [box(0.1, 0.1, 1.0, (x, y, 0)) for x in (0, 1.9) for y in (0, 0.7)]
    return joined([box(2.0, 0.8, 0.15, (0, 0, 1.0)), box(0.15, 0.8, 1.2, (0, 0, 1.15)), *legs])


def sphere(triangles: int) -> Shape:
    """A lumpy ball of about that number of triangles."""
    rows = max(3, int(np.sqrt(triangles / 4)))
    v, u = np.mgrid[0 : rows + 1, 0 : 2 * rows]
    polar, around = np.pi * v / rows, np.pi * u / rows
    radius = 1 + 0.1 * np.sin(5 * around) * np.sin(polar) ** 2
    points = np.stack(
        [radius * np.sin(polar) * np.cos(around), radius * np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1
    )
    a = (v[:-1] * 2 * rows + u[:-1]).ravel()
    b = (v[:-1] * 2 * rows + (u[:-1] + 1) % (2 * rows)).ravel()
    faces = np.concatenate([np.stack([a, b, a + 2 * rows], 1), np.stack([b, b + 2 * rows, a + 2 * rows], 1)])
    return points.reshape(-1, 3), faces.astype(np.int64)


def stl(shape: Shape, *, text: bool = False) -> bytes:
    """STL, z up."""
    corners = shape[0][shape[1]].astype(np.float32)
    if text:
        facets = (
            "facet normal 0 0 0\nouter loop\n"
            + "".join("vertex {:.6g} {:.6g} {:.6g}\n".format(*point) for point in triangle)
            + "endloop\nendfacet\n"
            for triangle in corners.tolist()
        )
        return ("solid made by hand\n" + "".join(facets) + "endsolid\n").encode()
    records = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("more", "<u2")])
    records["corners"] = corners
    return bytes(80) + struct.pack("<I", len(corners)) + records.tobytes()


def obj(shape: Shape) -> bytes:
    """OBJ, y up, with a material that is in no file."""
    vertices = _y_up(shape)
    lines = ["# by hand", "mtllib /etc/passwd", "o thing", "usemtl none"]
    lines += ["v {:.7g} {:.7g} {:.7g}".format(*point) for point in vertices.tolist()]
    lines += ["f {} {} {}".format(*(face + 1)) for face in shape[1]]
    return ("\n".join(lines) + "\n").encode()


def gltf(shape: Shape, *, copies: int = 1, uri: str | None = None) -> dict[str, object]:
    """The JSON of a glTF file, y up; its numbers are in the JSON, or at an address.

    Args:
        copies: nodes that show the same mesh.
    """
    vertices, faces = _y_up(shape).astype("<f4"), shape[1].astype("<u4")
    data = vertices.tobytes() + faces.tobytes()
    uri = uri or "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": list(range(copies))}],
        "nodes": [{"mesh": 0}] * copies,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3",
             "min": vertices.min(0).tolist(), "max": vertices.max(0).tolist()},
            {"bufferView": 1, "componentType": 5125, "count": faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": vertices.nbytes},
            {"buffer": 0, "byteOffset": vertices.nbytes, "byteLength": faces.nbytes},
        ],
        "buffers": [{"byteLength": len(data), "uri": uri}],
    }  # fmt: skip


def glb(shape: Shape, *, copies: int = 1) -> bytes:
    """GLB: the same with its numbers in a second chunk."""
    tree = gltf(shape, copies=copies)
    data = _y_up(shape).astype("<f4").tobytes() + shape[1].astype("<u4").tobytes()
    tree["buffers"] = [{"byteLength": len(data)}]
    text = json.dumps(tree).encode()
    chunks = [(b"JSON", text + b" " * (-len(text) % 4)), (b"BIN\0", data + bytes(-len(data) % 4))]
    body = b"".join(struct.pack("<I", len(chunk)) + kind + chunk for kind, chunk in chunks)
    return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body


def threemf(shape: Shape) -> bytes:
    """3MF, z up."""
    points = "".join('<vertex x="{:.7g}" y="{:.7g}" z="{:.7g}"/>'.format(*point) for point in shape[0].tolist())
    triangles = "".join('<triangle v1="{}" v2="{}" v3="{}"/>'.format(*face) for face in shape[1].tolist())
    model = (
        '<?xml version="1.0" encoding="UTF-8"?><model unit="millimeter" '
        'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02">'
        f'<resources><object id="1" type="model"><mesh><vertices>{points}</vertices>'
        f"<triangles>{triangles}</triangles></mesh></object></resources>"
        '<build><item objectid="1"/></build></model>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/3dmodel.model", model)
    return buffer.getvalue()


FORMATS = {
    "a.stl": stl,
    "text.stl": lambda shape: stl(shape, text=True),
    "a.obj": obj,
    "a.glb": glb,
    "a.gltf": lambda shape: json.dumps(gltf(shape)).encode(),
    "a.3mf": threemf,
}
