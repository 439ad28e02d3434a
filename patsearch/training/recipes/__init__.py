"""Recipes as TOML files: by name those of this folder, by path anybody's.

    extends = "fast"             # by name, or by a path from the file's own folder

    [schedule]
    epochs = 20

What a recipe says replaces what the extended one says, key by key. Two things go together: a recipe that
names another loss starts with empty options, and one that gives a budget drops the other's, of any unit.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from patsearch.errors import SettingsError
from patsearch.files import at_home
from patsearch.training.config import BUDGETS, Recipe

_FOLDER = Path(str(files(__name__)))
_MAX_BYTES = 1 << 20
Table = dict[str, Any]


def recipe_names() -> list[str]:
    """The recipes that come with patsearch."""
    return sorted(path.stem for path in _FOLDER.glob("[!_]*.toml"))


def load_recipe(name: str | Path, *, changes: Iterable[str] = ()) -> Recipe:
    """A recipe with all that it extends.

    Args:
        name: of a recipe that comes with patsearch, or the path of a TOML file.
        changes: "schedule.steps=100", values as in TOML; a bare word is a string.

    Raises:
        SettingsError: no such recipe, not TOML, an unknown key, or a value that makes no sense.
    """
    path = _find(str(name), None)
    table = _read(path, ())
    changes = list(changes)
    for change in changes:
        table = _merged(table, _change(change))
    where = f"{path}" + (f" with {' '.join(changes)}" if changes else "")
    return check_recipe(table, where=where)


def check_recipe(table: Table, *, where: str) -> Recipe:
    """The recipe for a table.

    Raises:
        SettingsError: an unknown key, or a value that makes no sense; `where` names the file.
    """
    try:
        recipe = Recipe.model_validate(table)
    except ValidationError as error:
        # A misspelt key explains what else is missing: it is reported first.
        first = min(error.errors(include_url=False), key=lambda entry: entry["type"] != "extra_forbidden")
        place = [str(part) for part in first["loc"]]
        key = ".".join(place)
        if first["type"] == "extra_forbidden":
            known = _keys(place[:-1])
            close = get_close_matches(place[-1], known, n=3, cutoff=0.5)
            hint = f"Close: {', '.join(close)}." if close else f"Known there: {', '.join(known)}."
            raise SettingsError(f"Recipe {where}: unknown key {key}.", hint=hint) from error
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(
            f"Recipe {where}: {key + ': ' if key else ''}{reason}.", hint="See docs/research/training.md."
        ) from error
    recipe.augmentation()
    return recipe


def to_toml(recipe: Recipe) -> str:
    """The recipe with every value that decides, as TOML; `load_recipe` gives the same again."""
    table = recipe.model_dump(exclude_none=True)
    lines = [f"{key} = {_value(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for name, section in table.items():
        if isinstance(section, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in section.items())]
    return "\n".join(lines).lstrip("\n") + "\n"


def _find(name: str, folder: Path | None) -> Path:
    if (_FOLDER / f"{name}.toml").is_file():
        return _FOLDER / f"{name}.toml"
    path = (folder or Path()) / at_home(name)
    if path.is_dir():
        path /= "recipe.toml"
    if not path.is_file():
        close = get_close_matches(name, recipe_names(), n=3)
        known = f"Close: {', '.join(close)}." if close else f"Known: {', '.join(recipe_names())}, or a path."
        raise SettingsError(f"Unknown recipe {name!r}.", hint=known)
    return path


def _read(path: Path, seen: Sequence[Path]) -> Table:
    if path.resolve() in seen:
        raise SettingsError(f"The recipe {path} extends itself.", hint="Remove one of the lines `extends = ...`.")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SettingsError(f"{path} is too large for a recipe.", hint="A recipe is a few lines of TOML.")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The recipe {path} is not TOML: {error}.", hint="Correct that line.") from error
    base = table.pop("extends", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise SettingsError(f"Recipe {path}: extends must be a name or a path.", hint='For example: extends = "fast".')
    return _merged(_read(_find(base, path.parent), (*seen, path.resolve())), table)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """`over` on top of `base`, tables key by key."""
    result = dict(base)
    for key, value in over.items():
        under = result.get(key)
        if not isinstance(value, dict) or not isinstance(under, dict):
            result[key] = value
            continue
        if key in ("loss", "loss2") and value.get("name", under.get("name")) != under.get("name"):
            under = {name: kept for name, kept in under.items() if name != "options"}
        if key == "schedule" and value.keys() & set(BUDGETS):
            under = {name: kept for name, kept in under.items() if name not in BUDGETS}
        result[key] = _merged(under, value)
    return result


def _change(text: str) -> Table:
    """The table that "a.b=c" means."""
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        raise SettingsError(f"Invalid --set {text!r}: expected KEY=VALUE.", hint="Example: --set schedule.steps=100")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    for part in reversed(parts):
        parsed = {part: parsed}
    return dict(parsed)


def _keys(place: Sequence[str]) -> list[str]:
    """The keys that a place in a recipe knows."""
    model: type[BaseModel] = Recipe
    for part in place:
        field = model.model_fields.get(part)
        kinds = [] if field is None else [field.annotation, *getattr(field.annotation, "__args__", ())]
        below = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if below:
            model = below[0]
    return sorted(model.model_fields)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    # JSON's strings and numbers are TOML's; floats keep a point, or they would come back as integers.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
