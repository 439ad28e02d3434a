"""`patsearch encoder`."""

from __future__ import annotations

import json

import pytest

from patsearch.cli import build_app, main
from patsearch.encoder import load_encoder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    build_app()(args=list(arguments), standalone_mode=False)
    return capsys.readouterr().out


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "encoder", "list", "--json"))
    (default,) = [entry for entry in found["encoders"] if entry["default"]]
    assert default["name"] == "lite0-drawings"
    assert {"onnx", "timm", "checkpoint"} <= set(found["kinds"])
    text = run(capsys, "encoder", "list")
    assert "lite0-drawings" in text
    assert "timm:" in text


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    card = load_encoder(threads=1).card
    found = json.loads(run(capsys, "encoder", "info", "--json"))
    assert found["sha256"] == card.sha256
    assert found["dim"] == card.dim == 640
    assert found["preprocessing"]["size"] == 448
    assert card.sha256 in run(capsys, "encoder", "info").replace("\n", "")


def test_the_baseline_is_listed_as_untrained(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("patsearch_baseline", reason="the baseline is in the package patsearch-baseline")
    assert "lite0-imagenet" in run(capsys, "encoder", "list")
    assert "never trained on drawings" in run(capsys, "encoder", "info", "lite0-imagenet")


def test_unknown_encoder_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["encoder", "info", "nonsense"])
    captured = capsys.readouterr()
    assert stopped.value.code == 5
    assert captured.out == ""
    assert captured.err.startswith("patsearch: There is no encoder 'nonsense'")
    assert captured.err.count("\n") == 1
