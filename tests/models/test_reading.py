"""3D models of every kind as views: the same object is the same whatever it is saved as, and bad files are one line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from model_makers import FORMATS, Shape, box, glb, gltf, joined, obj, sphere, stl, stool, threemf

from patsearch.drawings.document import Document, Reading, needs_isolation, read_figures
from patsearch.errors import ImageError, ImageTooLarge, PluginError
from patsearch.models import reading
from patsearch.models.reading import Kind, model_kind, read_model

VIEWS = ["perspective view", "front view", "back view", "left side view", "right side view", "top view", "bottom view"]


def views(data: bytes, how: Reading | None = None, name: str = "a") -> Document:
    return read_figures(data, how or Reading(), name=name)


def ink(document: Document) -> list[np.ndarray]:
    return [figure.image < 128 for figure in document.figures]


@pytest.mark.parametrize("name", FORMATS)
def test_each_kind_shows_the_same_views(name: str) -> None:
    data = FORMATS[name](stool())
    assert model_kind(data) == model_kind(data, name) is not None
    assert needs_isolation(data)
    document = views(data)
    assert [(figure.name, figure.page) for figure in document.figures] == list(zip(VIEWS, range(1, 8), strict=True))
    for mine, theirs in zip(ink(document), ink(views(stl(stool()))), strict=True):
        assert mine.shape == theirs.shape
        assert (mine != theirs).mean() < 0.02


def test_views_are_those_of_the_object() -> None:
    """The stool is 2 long, 0.8 deep and 2.35 high; its back is at the left."""
    sizes = {figure.name: figure.image.shape for figure in views(stl(stool())).figures}
    for name, (height, width) in {
        "front view": (2.35, 2.0),
        "left side view": (2.35, 0.8),
        "top view": (0.8, 2.0),
    }.items():
        assert sizes[name][0] / sizes[name][1] == pytest.approx(height / width, rel=0.06)
    front = ink(views(stl(stool()), Reading(page=2)))[0]
    upper = front[: len(front) // 3]
    assert upper[:, : upper.shape[1] // 2].sum() > 5 * upper[:, upper.shape[1] // 2 :].sum()
    back = ink(views(stl(stool()), Reading(page=3)))[0]
    assert (back[:, ::-1] != front).mean() < 0.02


def test_which_axis_is_up_can_be_said() -> None:
    as_is, lying = (views(stl(stool()), Reading(up=up)).figures for up in ("z", "y"))
    assert as_is[1].image.shape == views(stl(stool())).figures[1].image.shape
    # The front is then what was the top.
    assert lying[1].image.shape == as_is[5].image.shape


def test_one_view_a_turn_and_no_crop() -> None:
    (top,) = views(stl(stool()), Reading(page=6, turn=90)).figures
    assert (top.name, top.page) == ("top view", 6)
    assert top.image.shape[0] > 2 * top.image.shape[1]
    with pytest.raises(ImageError, match=r"a has no view 8. It has 7; views count from 1."):
        views(stl(stool()), Reading(page=8))
    with pytest.raises(ImageError, match="a is a 3D model, which cannot be cropped"):
        views(stl(stool()), Reading(crop=(0, 0, 10, 10)))


def test_a_further_view_comes_last() -> None:
    usual = views(stl(stool())).figures
    figures = views(stl(stool()), Reading(view=(30.0, 20.0))).figures
    assert [figure.page for figure in figures] == list(range(1, 9))
    assert figures[-1].name == "view from 30, 20"
    assert all(np.array_equal(a.image, b.image) for a, b in zip(usual, figures, strict=False))
    assert not any(np.array_equal(figures[-1].image, figure.image) for figure in usual)
    # The same place as the first view gives its drawing.
    assert np.array_equal(views(stl(stool()), Reading(view=(-50.0, 25.0), page=8)).figures[0].image, usual[0].image)
    with pytest.raises(ImageError, match=r"has no view 9\. It has 8"):
        views(stl(stool()), Reading(view=(0.0, 0.0), page=9))


def test_parts_are_placed_and_drawn_apart() -> None:
    tree = gltf(box(1, 1, 1))
    tree["scenes"] = [{"nodes": [0, 1]}]
    tree["nodes"] = [{"mesh": 0}, {"mesh": 0, "translation": [0, 1, 0]}]
    mesh = read_model(json.dumps(tree).encode(), "glTF").mesh
    assert (len(mesh.faces), mesh.part_count) == (24, 2)
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), [1, 1, 2], atol=1e-5)


# ---------------------------------------------------------------------- bad files


def changed(shape: Shape, value: float) -> Shape:
    vertices = shape[0].copy()
    vertices[0] = value
    return vertices, shape[1]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("kind", ["a.stl", "a.obj", "a.glb"])
def test_triangles_without_a_place_are_left_out(kind: str, value: float) -> None:
    document = views(FORMATS[kind](changed(joined([box(1, 1, 1), stool()]), value)))
    assert len(document.figures) == 7
    assert document.remarks in [(f"a: left out: {n} triangles without a place",) for n in (4, 5, 6)]


EMPTY = np.empty((0, 3), np.int64)
BAD: dict[str, Callable[[], bytes]] = {
    "cut short.stl": lambda: stl(stool())[:-30],
    "cut short text.stl": lambda: b"solid cut\nfacet normal 0 0 0\nouter loop\nvertex 1 2",
    "cut short.obj": lambda: obj(stool())[:300],
    "cut short.glb": lambda: glb(stool())[:-50],
    "cut in its tree.glb": lambda: glb(stool())[:200],
    "cut short.3mf": lambda: threemf(stool())[:-100],
    "no triangles.stl": lambda: stl((stool()[0], EMPTY)),
    "points alone.obj": lambda: obj((stool()[0], EMPTY)),
    "nothing.obj": lambda: b"# nothing\n",
    "no area.stl": lambda: stl(box(0, 1, 0)),
    "one point.stl": lambda: stl(box(0, 0, 0)),
    "nowhere.stl": lambda: stl((stool()[0] * np.nan, stool()[1])),
    "beyond its points.obj": lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "another file.gltf": lambda: json.dumps(gltf(stool(), uri="stool.bin")).encode(),
    "a file here.gltf": lambda: json.dumps(gltf(stool(), uri="file:///etc/passwd")).encode(),
    "a server.gltf": lambda: json.dumps(gltf(stool(), uri="http://127.0.0.1:9/a.bin")).encode(),
    "not one.glb": lambda: b"glTF" + bytes(100),
    "not one.stl": lambda: bytes(200),
    "not one.3mf": lambda: b"PK\x03\x04" + bytes(100),
    "deep.gltf": lambda: b'{"asset": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_models_are_one_line(name: str) -> None:
    data = BAD[name]()
    with pytest.raises(ImageError) as refused:
        views(data, name=name)
    assert str(refused.value).startswith(name)
    assert "\n" not in str(refused.value)


def test_more_triangles_than_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_TRIANGLES", 100)
    assert views(stl(stool())).figures
    for data in (stl(sphere(500)), glb(stool(), copies=2)):
        with pytest.raises(ImageTooLarge, match="a has more than 100 triangles"):
            views(data)


def test_an_archive_that_unpacks_to_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/3dmodel.model", b" " * 2_000_000)
    monkeypatch.setattr(reading, "_MOST_UNPACKED", 1_000_000)
    with pytest.raises(ImageTooLarge, match="a has 2,000,000 bytes unpacked; the limit is 1,000,000"):
        views(buffer.getvalue())


@pytest.mark.slow
def test_a_million_triangles() -> None:
    assert len(views(stl(sphere(1_000_000))).figures) == 7


def test_pictures_and_texts_are_not_models() -> None:
    for data in (
        b"",
        b"solid ground\n",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b'{"name": "asset"}',
        b"vase\nv\n",
        b"%PDF-1.7",
    ):
        assert model_kind(data, "a.png") is None


@pytest.mark.parametrize(
    ("missing", "kind", "extra"),
    [
        ("trimesh", "STL", "models"),
        ("numba", "STL", "models"),
        ("networkx", "3MF", "models"),
        ("cascadio", "STEP", "step"),
    ],
)
def test_a_missing_package_is_named(missing: str, kind: Kind, extra: str) -> None:
    data = {"STL": stl(stool()), "3MF": threemf(stool()), "STEP": b"ISO-10303-21;\nHEADER;\n"}[kind]
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from patsearch.drawings.document import Reading, read_figures\n"
        "from patsearch.errors import PluginError\n"
        "try: read_figures(sys.stdin.buffer.read(), Reading(), name='a')\n"
        "except PluginError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
    assert f"Run: pip install 'patsearch[{extra}]'" in done.stdout.decode()
    assert PluginError.exit_code == 7


def test_step() -> None:
    pytest.importorskip("cascadio", reason="needs cascadio: pip install 'patsearch[step]'")
    with pytest.raises(ImageError, match="is a damaged STEP file"):
        views(b"ISO-10303-21;\nHEADER;\n", name="a.step")
