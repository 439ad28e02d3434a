"""`patsearch bench`: measure retrieval quality and backends, compare runs, train and measure a suite of encoders."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from patsearch.cli.bench import compare, run, suite


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(
        cls=_WithDefault,
        help="Measure retrieval quality and backends. Without a command, the options are those of run.",
    )
    for name, module in (("run", run), ("compare", compare), ("suite", suite)):
        group.command(name)(module.command)
    app.add_typer(group, name="bench")


class _WithDefault(TyperGroup):
    """Runs `run` where no command is named, and accepts `--compare` and `--suite`, which were options once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and (not args[0].startswith("-") or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else _with_command(args))


def _with_command(args: list[str]) -> list[str]:
    words = [word for arg in args for word in (arg.split("=", 1) if arg.startswith("--suite=") else [arg])]
    for option in ("--compare", "--suite"):
        if option in words:
            place = words.index(option)
            values = words[place + 1 :]
            return [option.removeprefix("--"), *values, *words[:place]]
    return ["run", *words]
