"""Settings that save typing: command-line option > environment > patsearch.toml > default.

    # patsearch.toml, in the folder where the command is run
    index = "my-index"
    top = 50

Unknown keys are errors: a misspelt setting that is silently ignored costs more than one that stops.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from patsearch.errors import SettingsError
from patsearch.files import at_home

FILE = "patsearch.toml"
ENVIRONMENT = "PATSEARCH_CONFIG"
_MAX_BYTES = 1 << 20

# Which command takes which setting, by the name of its parameter.
_COMMANDS = {
    "index": ("ingest", "query", "watch", "serve"),
    "top": ("query",),
    "rotations": ("query",),
    "encoder": ("ingest", "bench run"),
    "backend": ("ingest",),
    "workers": ("ingest", "bench run", "serve"),
    "front_pages": ("ingest",),
    "whole_sheets": ("ingest",),
}


def load_defaults(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The defaults that patsearch.toml sets, by command and parameter; empty where there is no file.

    The file is the one that PATSEARCH_CONFIG names, else `patsearch.toml` in the folder.

    Raises:
        SettingsError: not TOML, an unknown key, a value of the wrong type, or a missing file.
    """
    named = os.environ.get(ENVIRONMENT)
    path = at_home(named) if named else (folder or Path.cwd()) / FILE
    if not path.is_file():
        if named:
            raise SettingsError(f"{path} does not exist.", hint=f"{ENVIRONMENT} names it; unset it or make the file.")
        return {}
    settings = _read(path)
    defaults: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        for command in _COMMANDS[key]:
            place = defaults
            for name in command.split():
                place = place.setdefault(name, {})
            place[key] = value
    return defaults


def _read(path: Path) -> dict[str, Any]:
    # pydantic costs a tenth of a second to import: only where there is a file to check.
    from pydantic import BaseModel, ConfigDict, Field, ValidationError

    class Settings(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)

        index: str | None = None
        top: int | None = Field(None, ge=1, le=10_000)
        rotations: bool | None = None
        encoder: str | None = None
        backend: str | None = None
        workers: int | None = Field(None, ge=1)
        front_pages: bool | None = None
        whole_sheets: bool | None = None

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SettingsError(f"{path} is too large for a settings file.", hint="Write a few lines of TOML.")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return Settings.model_validate(data).model_dump(exclude_none=True)
    except RecursionError as error:
        raise SettingsError(f"{path} is nested too deeply.", hint="Write a few lines of TOML.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}.", hint="Correct that line.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path}: {key}: {first['msg']}.", hint="Known settings: " + ", ".join(sorted(_COMMANDS)) + "."
        ) from error
