"""Write docs/reference/cli.md from the live commands: `python tools/document_cli.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from patsearch.cli import build_app

TARGET = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
# In the order of use; then the others by name.
_FIRST = ("ingest", "query", "serve", "watch", "index")
_HEAD = """# The command line

This page is generated from the commands themselves (`python tools/document_cli.py`).

Results go to stdout, progress and notices to stderr. Exit codes: 0 done; 2 a wrong option, filter or
setting; 3 a file that cannot be used; 4 the index refuses; 5 the encoder; 6 the backend; 7 a plug-in;
8 the disk; 9 done, but some files could not be read; 130 stopped.

`patsearch.toml` in the current folder (or the file that PATSEARCH_CONFIG names) sets defaults:
`index`, `top`, `rotations`, `encoder`, `backend`, `workers`, `front_pages`, `whole_sheets`. An option
on the command line goes before an environment variable, and that before the file.
"""


def render() -> str:
    """The page as Markdown."""
    root: Any = typer.main.get_command(build_app())
    names = [*_FIRST, *sorted(root.commands.keys() - set(_FIRST))]
    return _HEAD + "".join(_command(f"patsearch {name}", root.commands[name]) for name in names)


def _command(path: str, command: Any) -> str:
    if hasattr(command, "commands"):
        lines = [f"\n## {path}\n\n{_text(command.help)}\n"]
        lines += [_command(f"{path} {name}", child) for name, child in sorted(command.commands.items())]
        return "".join(lines)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    usage = " ".join([path, *(_argument(p) for p in arguments), "[OPTIONS]" if options else ""]).strip()
    lines = [f"\n## {path}\n\n```text\n{usage}\n```\n\n{_text(command.help)}\n"]
    rows = [f"| `{_argument(p)}` | {_cell(p.help)} | |" for p in arguments]
    rows += [f"| {_names(p)} | {_cell(p.help)} | {_default(p)} |" for p in options]
    if rows:
        lines.append("\n| option | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(lines)


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper().strip("[].")
    many = "..." if parameter.nargs == -1 else ""
    return f"{name}{many}" if parameter.required else f"[{name}]{many}"


def _names(parameter: Any) -> str:
    return " ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if default in (None, False, (), []) or callable(default):
        return ""
    return f"`{default}`"


def _cell(text: str | None) -> str:
    return _text(text).replace("|", "\\|").replace("\n", " ")


def _text(text: str | None) -> str:
    return re.sub(r"[ \t]+", " ", (text or "").strip())


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
    print(f"wrote {TARGET}")
