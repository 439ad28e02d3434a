"""patsearch.toml: defaults for options; unknown keys stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from patsearch.errors import SettingsError
from patsearch.settings import load_defaults


def test_no_file_no_defaults(tmp_path: Path) -> None:
    assert load_defaults(tmp_path) == {}


def test_a_setting_reaches_every_command_that_takes_it(tmp_path: Path) -> None:
    (tmp_path / "patsearch.toml").write_text('index = "here"\ntop = 50\n')
    here = {"index": "here"}
    assert load_defaults(tmp_path) == {"ingest": here, "query": {**here, "top": 50}, "watch": here, "serve": here}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpo = 5\n", "tpo"),
        ("top = 0\n", "greater than or equal"),
        ('top = "ten"\n', "valid integer"),
        ("top = = 5\n", "is not TOML"),
        ("top = " + "[" * 10_000, "nested too deeply"),
    ],
)
def test_a_bad_file_is_one_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "patsearch.toml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_defaults(tmp_path)


def test_the_file_named_in_the_environment_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATSEARCH_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="does not exist"):
        load_defaults(tmp_path)
