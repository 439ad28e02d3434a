"""The card: round trip, checks, fingerprint."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from patsearch.encoder import (
    DEFAULT_ENCODER,
    EncoderCard,
    Preprocessing,
    Score,
    encoder_card,
    fingerprint,
    shipped_cards,
)
from patsearch.encoder.card import Likeness
from patsearch.errors import EncoderError

CARD = EncoderCard(
    name="test",
    title="A test",
    dim=8,
    preprocessing=Preprocessing(size=64),
    sha256="ab" * 32,
    scores=(Score("sheets", "map", 0.5, "patsearch bench"),),
    likeness=Likeness(0.9, 0.8, 0.5, "by hand"),
)


def test_words() -> None:
    assert CARD.likeness is not None
    words = [CARD.likeness.word(cosine) for cosine in (1.0, 0.9, 0.899, 0.8, 0.5, 0.499, -1.0)]
    assert words == ["same drawing", "same drawing", "same shape", "same shape", "alike", "far", "far"]


def test_the_shipped_default_has_words() -> None:
    (card,) = [card for card in shipped_cards() if card.name == DEFAULT_ENCODER]
    assert card.likeness is not None
    assert "bench/likeness.py" in card.likeness.measured
    assert encoder_card(DEFAULT_ENCODER) == card


def test_round_trip(tmp_path: Path) -> None:
    CARD.save(tmp_path / "card.json")
    assert EncoderCard.load(tmp_path / "card.json") == CARD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "colour: Unexpected keyword argument.*newer patsearch"),
        ({"dim": "8"}, "dim: Input should be a valid integer"),
        ({"dim": True}, "dim: Input should be a valid integer"),
        ({"baseline": 1}, "baseline: Input should be a valid boolean"),
        ({"preprocessing": []}, "preprocessing: Input should be an object"),
        ({"preprocessing": {"size": 64, "blur": 2}}, r"preprocessing\.blur: Unexpected keyword"),
        ({"preprocessing": {"size": 5}}, "Preprocessing out of range"),
        ({"likeness": {"same_drawing": 0.5, "same_shape": 0.8, "alike": 0.1}}, "not in order"),
        ({"likeness": {"same_drawing": 0.5}}, r"likeness\.same_shape: Field required"),
        ({"scores": {}}, "scores: Input should be a valid array"),
        (
            {"scores": [{"dataset": "x", "metric": "m", "value": "no"}]},
            r"scores\.0\.value: Input should be a valid num",
        ),
        ({"scores": [{"dataset": "x"}]}, r"scores\.0\.metric: Field required; scores\.0\.value: Field required"),
    ],
)
def test_malformed_cards_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps(CARD.to_json() | change))
    with pytest.raises(EncoderError, match=message):
        EncoderCard.load(path)


def test_unreadable_cards_are_named(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    with pytest.raises(EncoderError, match=r"card\.json cannot be read"):
        EncoderCard.load(path)
    path.write_text("{")
    with pytest.raises(EncoderError, match="is not valid: Invalid JSON"):
        EncoderCard.load(path)
    path.write_text("[]")
    with pytest.raises(EncoderError, match="Input should be an object"):
        EncoderCard.load(path)
    path.write_text(json.dumps({"name": "x"}))
    with pytest.raises(EncoderError, match=r"title: Field required; dim: .* preprocessing: .* sha256: Field required"):
        EncoderCard.load(path)
    path.write_text(" " * (1 << 21))
    with pytest.raises(EncoderError, match="is larger than"):
        EncoderCard.load(path)


def test_fingerprint_covers_weights_and_preprocessing() -> None:
    spec = Preprocessing()
    seen = {
        fingerprint([b"weights"], spec),
        fingerprint([b"weightt"], spec),
        fingerprint([b"weights"], replace(spec, size=224)),
        fingerprint([b"weights"], replace(spec, thicken=0.0)),
        fingerprint([b"weights"], replace(spec, version=spec.version + 1)),
    }
    assert len(seen) == 5
    assert fingerprint([b"wei", b"ghts"], spec) == fingerprint([b"weights"], spec)


def test_the_baselines_card_says_that_it_is_untrained() -> None:
    pytest.importorskip("patsearch_baseline", reason="the baseline is in the package patsearch-baseline")
    (card,) = [card for card in shipped_cards() if card.name == "lite0-imagenet"]
    assert card.baseline
    assert "untrained baseline" in card.title
    assert "Never trained on drawings" in card.trained_on
