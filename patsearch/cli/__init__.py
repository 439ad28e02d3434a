"""The command line: one file per command, and the one place where errors become text.

Results go to stdout, progress and summaries to stderr. A command is a function in its own module, which has a
`register(app)`; heavy modules are imported inside the functions, so that `patsearch --help` loads none of them.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click
import typer

from patsearch.errors import PatsearchError, StorageError, UsageError
from patsearch.files import at_home, printable
from patsearch.interrupts import end_at_next, stoppable, stopped_by
from patsearch.settings import load_defaults
from patsearch.text import visible

COMMANDS = (
    "ingest",
    "encode",
    "load",
    "query",
    "batch",
    "plate",
    "watch",
    "serve",
    "mcp",
    "bench",
    "index",
    "encoder",
    "train",
    "synth",
    "demo",
)
_LEAST_MEMORY = 1 << 30  # bytes of address space


def build_app() -> typer.Typer:
    """The whole command tree."""
    app = typer.Typer(
        name="patsearch",
        help="Search patent drawings by picture: ingest patents, search with a drawing, measure retrieval.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
        if version:
            from patsearch import __version__

            typer.echo(f"patsearch {__version__}")
            raise typer.Exit

    for name in COMMANDS:
        import_module(f"patsearch.cli.{name}").register(app)
    return app


# A shell leaves ~ as it is within --out=~/folder; so does a program that starts this one without a shell.
_HOME = re.compile(r"^(--[\w-]+=|-\w)?(~(?:/.*)?)$", re.DOTALL)


def _at_home(argument: str) -> str:
    match = _HOME.match(argument)
    return f"{match[1] or ''}{at_home(match[2])}" if match else argument


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit. `PatsearchError` becomes one line and its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with stoppable():
            _run(given)
    finally:
        if stopped_by() and arguments is None:
            end_at_next()


def _streams() -> None:
    """Streams that always take text: what a terminal cannot show is replaced, and a closed one takes everything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end
        elif stream.errors == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _run(arguments: list[str]) -> None:
    _streams()
    try:
        _call([_at_home(argument) for argument in arguments])
    except PatsearchError as error:
        fail(error)
    except BrokenPipeError:
        _close_stdout()
        sys.exit(0)
    except UnicodeEncodeError as error:
        # A name that is not text gets as far as a database or a format that takes text alone.
        if not any("\udc80" <= letter <= "\udcff" for letter in error.object):
            raise
        fail(UsageError(f"A name is not in UTF-8: {printable(error.object)[:200]}.", hint="Rename the file or folder."))
    except (KeyboardInterrupt, click.Abort):  # typer has its own copy of click, and does not know this Abort
        print("Stopped. Finished work is kept; the same command resumes from there.", file=sys.stderr)
        sys.exit(128 + (stopped_by() or signal.SIGINT))
    except MemoryError:
        fail(PatsearchError("There is not enough memory.", hint="Use fewer workers, or a machine with more."))
    except OSError as error:
        if error.errno is None:
            raise
        _close_stdout()
        where = f" ({error.filename})" if error.filename else ""
        fail(StorageError(f"{error.strerror}{where}.", hint="Check the path, its permissions and the free space."))


def _call(arguments: list[str]) -> None:
    """Raises SystemExit, and what goes wrong with standard output: its last part is written at the end."""
    _require_memory()
    try:
        build_app()(args=arguments, default_map=load_defaults())
    except Exception as error:
        if stopped_by() and _from_a_stop(error):
            raise KeyboardInterrupt from error
        raise
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer's code for that is 1
            raise end.__context__ from None
        sys.stdout.flush()
        raise


def _from_a_stop(error: BaseException | None) -> bool:
    """A library that is stopped while it is being loaded says that it could not be loaded."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _require_memory() -> None:
    """Libraries that cannot have their memory end the process without a word: say it before they are loaded."""
    with suppress(ImportError):  # Windows has no such limits
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if 0 < limit < _LEAST_MEMORY:
            raise PatsearchError(
                f"This process may use {limit >> 20} MB of address space; patsearch needs {_LEAST_MEMORY >> 20} MB.",
                hint="Raise the limit (ulimit -v).",
            )


def _close_stdout() -> None:
    """Nobody reads it, or the disk is full: keep Python from trying again, and complaining, at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(error: PatsearchError) -> None:
    """Print one line on stderr and exit with the error's code."""
    text = " ".join(str(error).split())
    print(f"patsearch: {visible(text)}", file=sys.stderr)
    sys.exit(error.exit_code)
