"""What the commands share when they print: consoles, JSON, paging, progress with rate and time left."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any, TextIO

import click

from patsearch.text import visible, visible_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text


def stdout() -> Console:
    """For results. Honours NO_COLOR and a pipe."""
    return _console(sys.stdout)


def stderr() -> Console:
    """For progress, notices and summaries."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    """A console that shows control characters of a text, and obeys only its own."""
    from rich.console import Console

    class Visible(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(visible(text, keep="\n\t"), **options)

    return Visible(file=file, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on stdout, stable names, UTF-8."""
    print_utf8(visible_json(json.dumps(value, ensure_ascii=False, indent=2)) + "\n")


def print_utf8(text: str) -> None:
    """Data on stdout, in UTF-8 whatever the terminal's encoding is."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    buffer.write(text.encode("utf-8", "backslashreplace"))
    buffer.flush()


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values on stdout, in two columns, the names in bold."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in pairs:
        table.add_row(name, text)
    stdout().print(table)


def print_long(text: str) -> None:
    """Text on stdout; on a terminal that it does not fit on, page by page."""
    if sys.stdout.isatty() and text.count("\n") >= shutil.get_terminal_size().lines:
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)


def notice(text: str) -> None:
    """One plain line on stderr."""
    print(f"patsearch: {visible(text)}", file=sys.stderr)


def tell(as_json: bool, done: Any, text: str) -> None:
    """What a command has done: as JSON on stdout, or in words on stderr."""
    if as_json:
        print_json(done)
    else:
        notice(text)


def progress(*, quiet: bool = False) -> Progress:
    """A progress display on stderr with count, rate, elapsed time and time left; nothing in a pipe."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = stderr()
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
