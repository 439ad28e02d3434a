"""Which sources read a path: recognised by looking, several together where a folder holds several kinds."""

from __future__ import annotations

from pathlib import Path

from patsearch import plugins
from patsearch.drawings.opening import SNIFFED, describe
from patsearch.errors import PluginError, SourceError, UsageError
from patsearch.files import printable
from patsearch.ingest.sources.base import Source, SourceOptions
from patsearch.ingest.sources.folders import Folder, walk
from patsearch.ingest.sources.together import Together


def open_source(path: Path | str, *, kind: str | None = None, options: SourceOptions | None = None) -> Source:
    """The source at a path, recognised by looking unless its kind is named.

    A folder is read by all kinds that recognise something in it; what none of them takes is a Problem.

    Raises:
        SourceError: nothing there, or nothing that any kind recognises.
        UsageError: an option that this kind of source does not take.
        PluginError: no kind of that name.
    """
    path, options = Path(path), options or SourceOptions()
    try:
        path.stat()
    except (OSError, ValueError) as error:
        reason = "does not exist" if not path.is_symlink() else "is a link that leads nowhere"
        if not isinstance(error, FileNotFoundError):
            reason = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise SourceError(f"{path} {reason}.", hint="Name a file or folder that exists.") from error
    kinds = [_load(kind)] if kind else _recognise(path)
    # A pattern and lists say which files are meant: sources that cannot follow them read none.
    kinds = [k for k in kinds if options.given() - {"metadata"} <= k.takes] or kinds[:1]
    unknown = sorted(options.given() - frozenset().union(*(k.takes for k in kinds)))
    if unknown:
        takes = ", ".join(sorted(kinds[0].takes)) or "no options"
        raise UsageError(
            f"{path} is read as {kinds[0].name!r}, which does not take {', '.join(unknown)}.",
            hint=f"It takes {takes}; if it was recognised wrongly, name the kind with --source.",
        )
    sources = [k(path, options) for k in kinds]
    return Together(path, options, sources) if sources[0].shares and path.is_dir() else sources[0]


def _recognise(path: Path) -> list[type[Source]]:
    """The kinds that read a path, the first to choose first."""
    kinds: list[type[Source]] = []
    broken: list[str] = []
    for name in plugins.names("source"):
        try:
            kinds.append(_load(name))
        except PluginError as error:
            broken.append(error.message)  # another package's fault; it must not stop our own sources
    kinds.sort(key=lambda k: (k.precedence, k.name))
    fitting = [kind for kind in kinds if kind.recognises(path)]
    if fitting:
        return [k for k in fitting if k.shares] if fitting[0].shares and path.is_dir() else fitting[:1]
    looked = "; ".join([*(f"{k.name}: {k.looks_for}" for k in kinds), *broken])
    raise SourceError(f"{path} holds nothing that can be ingested{_example(path)}.", hint=f"Looked for {looked}.")


def _example(path: Path) -> str:
    """What a file is instead, or the first one of a folder."""
    folders = walk(path) if path.is_dir() else [Folder(path.parent, (path,))]
    file = next((folder.files[0] for folder in folders if isinstance(folder, Folder) and folder.files), None)
    if file is None:
        return ""
    try:
        with file.open("rb") as opened:
            what = describe(opened.read(SNIFFED))
    except OSError:
        return ""
    return f": {what}" if file == path else f" ({printable(file.relative_to(path))}: {what})"


def _load(name: str) -> type[Source]:
    loaded: type[Source] = plugins.load("source", name)
    return loaded
