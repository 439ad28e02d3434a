"""Files with 3D models as triangles: STL, OBJ, GLB, glTF, 3MF, and STEP where its kernel is installed.

trimesh reads them. A model is a program that anybody may have written: `patsearch.processes.isolated` gives it a
process with bounds, and what it says of its size is believed only as far as these allow.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from patsearch.errors import ImageError, ImageTooLarge, PluginError
from patsearch.models.mesh import Mesh

Kind = Literal["STL", "OBJ", "GLB", "glTF", "3MF", "STEP"]
Up = Literal["y", "z"]

SUFFIXES: dict[str, Kind] = {
    ".stl": "STL",
    ".obj": "OBJ",
    ".glb": "GLB",
    ".gltf": "glTF",
    ".3mf": "3MF",
    ".step": "STEP",
    ".stp": "STEP",
}
MOST_TRIANGLES = 2_000_000
_MOST_UNPACKED = 1 << 30  # bytes of a 3MF file
_HEAD = 1 << 16
# Which axis points up: glTF says so, most programs write OBJ like that; files for machines and printers have z.
_UP: dict[Kind, Up] = {"GLB": "y", "glTF": "y", "OBJ": "y", "STL": "z", "3MF": "z", "STEP": "z"}
_OBJ = re.compile(rb"^(?:v|vn|vt)[ \t]+[-+.\d]", re.MULTILINE)
_STL_RECORD = 50  # bytes of a triangle
_STL_HEAD = 84
# What trimesh reads them with.
_BEHIND: dict[Kind, tuple[str, ...]] = {"3MF": ("lxml", "networkx"), "STEP": ("cascadio",)}
_PLACES = (1 << 20) - 1  # that are distinguished along the longest side
_FARTHEST = 1e12  # of a place that is one, in units of the file


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was read; z is up. `remarks` say what was left out."""

    mesh: Mesh
    remarks: tuple[str, ...] = ()


def model_kind(data: bytes, name: str = "") -> Kind | None:
    """What kind of model a file is, by its first bytes, or by its name where these leave it open; None for none."""
    head = data[:_HEAD]
    text = head.lstrip()
    if head.startswith(b"glTF"):
        return "GLB"
    if text.startswith(b"ISO-10303-21"):
        return "STEP"
    if head.startswith(b"PK\x03\x04") and b"3dmodel.model" in data[-_HEAD:]:
        return "3MF"
    if text.startswith(b"{") and b'"asset"' in data and b'"version"' in data:
        return "glTF"
    if text.startswith(b"solid") and b"facet" in head:
        return "STL"
    if len(data) >= _STL_HEAD and len(data) == _STL_HEAD + _STL_RECORD * int.from_bytes(data[80:84], "little"):
        return "STL"
    if b"\0" not in head and _OBJ.search(head):
        return "OBJ"
    return next((kind for suffix, kind in SUFFIXES.items() if name.lower().endswith(suffix)), None)


def read_model(data: bytes, kind: Kind, *, name: str = "", up: Up | None = None) -> Model:
    """The model in a file.

    Args:
        name: what errors call it.
        up: the axis that points up; None for what files of that kind have.

    Raises:
        ImageError: it is damaged, or has no surface.
        ImageTooLarge: it has more triangles than are drawn.
        PluginError: a package that it needs is not installed.
    """
    name = name or "The model"
    if kind == "3MF":
        _check_archive(data, name)
    pieces = list(_pieces(_scene(data, kind, name), name))
    if not pieces:
        raise ImageError(
            f"{name} is a damaged {kind} file, or has no surface.",
            hint="Open it in a viewer and save it as GLB or STL.",
        )
    counts = [len(vertices) for vertices, _ in pieces]
    starts = np.cumsum([0, *counts[:-1]])
    vertices = np.concatenate([vertices for vertices, _ in pieces])
    faces = np.concatenate([faces + start for (_, faces), start in zip(pieces, starts, strict=True)])
    parts = np.repeat(np.arange(len(pieces)), [len(faces) for _, faces in pieces]).astype(np.int32)
    placed = (np.abs(vertices) < _FARTHEST).all(axis=1)  # not so for NaN either
    sound = placed[faces].all(axis=1)
    remarks: tuple[str, ...] = ()
    if not sound.all():
        remarks = (f"{name}: left out: {np.count_nonzero(~sound):,} triangles without a place",)
    vertices[~placed] = 0.0
    if (up or _UP[kind]) == "y":
        vertices = vertices[:, [0, 2, 1]] * (1.0, -1.0, 1.0)
    vertices, faces = _welded(vertices, faces)
    try:
        return Model(Mesh.of(vertices, faces[sound], parts[sound]), remarks)
    except (ValueError, IndexError) as error:
        raise ImageError(f"{name} has no surface with an area.", hint="Check the model in a viewer.") from error


def _welded(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """With one vertex for those at one place: STL has three for each triangle, and drawing takes as much longer."""
    low = vertices.min(axis=0)
    step = float((vertices.max(axis=0) - low).max()) / _PLACES or 1.0
    grid = np.round((vertices - low) / step).astype(np.int64)
    _, first, place = np.unique(grid @ np.array([1, 1 << 21, 1 << 42]), return_index=True, return_inverse=True)
    return np.ascontiguousarray(vertices[first]), place[faces]


def _check_archive(data: bytes, name: str) -> None:
    """Raises ImageTooLarge where a 3MF file says that it becomes too large; what lies is stopped by its process."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise _damaged(name, "3MF") from error
    if unpacked > _MOST_UNPACKED:
        raise ImageTooLarge(f"{name} has {unpacked:,} bytes unpacked; the limit is {_MOST_UNPACKED:,}.")


def _scene(data: bytes, kind: Kind, name: str) -> Any:
    """What trimesh makes of a file, without its textures and the files that it names."""
    try:
        import trimesh

        for package in _BEHIND.get(kind, ()):
            import_module(package)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        raise PluginError(
            f"Reading {kind} needs a package that is not installed: {missing}.",
            hint=f"Run: pip install 'patsearch[{'step' if missing == 'cascadio' else 'models'}]'.",
        ) from error
    try:
        return trimesh.load_scene(
            io.BytesIO(data),
            file_type=kind.lower(),
            resolver=_NoFiles(),
            process=False,
            skip_materials=True,
            maintain_order=True,
        )
    except MemoryError:
        raise
    except Exception as error:  # trimesh's readers raise a dozen kinds on damaged files, down to AttributeError
        raise _damaged(name, kind) from error


class _NoFiles(dict[str, bytes]):
    """Files next to a model: none. A model from a stranger names files of this machine in vain."""


def _damaged(name: str, kind: str) -> ImageError:
    return ImageError(
        f"{name} is a damaged {kind} file, or names other files.", hint="Open it in a viewer and save it as GLB or STL."
    )


def _pieces(scene: Any, name: str) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Vertices and triangles of each part, at its place."""
    total = 0
    placed = []
    for node in scene.graph.nodes_geometry:
        matrix, geometry = scene.graph[node]
        mesh = scene.geometry[geometry]
        count = len(getattr(mesh, "faces", ()))
        total += count
        if total > MOST_TRIANGLES:
            raise ImageTooLarge(
                f"{name} has more than {MOST_TRIANGLES:,} triangles.", hint="Save it with fewer triangles."
            )
        if count:
            placed.append((np.asarray(matrix, np.float64), mesh))
    for matrix, mesh in placed:
        vertices = np.asarray(mesh.vertices, np.float64)
        faces = np.asarray(mesh.faces, np.int64)
        if vertices.ndim == 2 and len(vertices) and faces.min() >= 0 and faces.max() < len(vertices):
            with np.errstate(invalid="ignore", over="ignore"):  # what has no place is left out later
                yield vertices @ matrix[:3, :3].T + matrix[:3, 3], faces
