"""Plug-ins are found by their entry points; the example package works once installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from patsearch import plugins
from patsearch.errors import PluginError

EXAMPLE = Path(__file__).parents[1] / "examples" / "patsearch-encoder-hog"


def test_every_own_plugin_is_registered_and_loads() -> None:
    assert "faiss" in plugins.names("backend")
    assert {"uspto", "deeppatent", "images"} <= set(plugins.names("source"))
    assert {"onnx", "timm", "checkpoint"} <= set(plugins.names("encoder"))
    assert {"info-nce", "triplet"} <= set(plugins.names("loss"))
    for name in plugins.names("source"):
        assert plugins.load("source", name).name == name


def test_unknown_name_says_what_is_installed() -> None:
    with pytest.raises(PluginError, match=r"no backend named 'oracle'.*faiss"):
        plugins.load("backend", "oracle")


@pytest.fixture(scope="module")
def installed_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, built and installed into a separate folder."""
    target = tmp_path_factory.mktemp("site")
    # Its one build requirement is installed already where the development extra is.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-build-isolation", "--target", str(target), str(EXAMPLE)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_example_encoder_is_found_by_name_and_encodes(installed_example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image, ImageDraw

    import patsearch

    monkeypatch.syspath_prepend(str(installed_example))
    assert "hog" in plugins.names("encoder")
    encoder = patsearch.load_encoder("hog:8")
    assert encoder.card.dim == 8 * 8 * 9
    pictures = [Image.new("L", (300, 200), 255) for _ in range(3)]
    ImageDraw.Draw(pictures[0]).rectangle((40, 40, 250, 160), outline=0, width=3)
    ImageDraw.Draw(pictures[1]).rectangle((60, 40, 270, 160), outline=0, width=4)
    ImageDraw.Draw(pictures[2]).ellipse((40, 40, 160, 160), outline=0, width=3)
    vectors = encoder.encode_batch(pictures)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
