"""`patsearch index`: what an index holds, whether it is intact, and its upkeep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from patsearch.cli.options import AsJson, Filters, IndexArgument, Quiet
from patsearch.cli.output import notice, print_json, print_long, print_pairs, progress, tell
from patsearch.errors import IndexDamaged, UsageError
from patsearch.text import counted, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patsearch.engine import Engine
    from patsearch.filters import Filter

_DELETED_AT_ONCE = 1000
_MISSING_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(help="What an index holds, whether it is intact, and its upkeep.", no_args_is_help=True)
    for command in (info, verify, compact, delete, export, copy, reencode, snapshot, restore, relocate, publish):
        group.command(command.__name__)(command)
    app.add_typer(group, name="index")


def info(index: IndexArgument, as_json: AsJson = False) -> None:
    """Counts, sizes, encoder and backend of an index."""
    from patsearch.engine import open_index

    with open_index(index) as engine:
        facts = engine.info()
    if as_json:
        print_json(facts)
        return
    print_pairs((key.replace("_", " "), _shown(key, value)) for key, value in facts.items())


def verify(index: IndexArgument, as_json: AsJson = False) -> None:
    """Look for damage: checksums, counts, duplicates, vectors, journal, thumbnails. Exit code 4 if any is found."""
    from patsearch.engine import open_index

    with open_index(index) as engine:
        problems, unfinished = engine.verify(), sorted(engine.journal.begun())
    if as_json:
        print_json({"ok": not problems, "problems": problems, "unfinished": unfinished})
    else:
        if unfinished:
            left = counted(len(unfinished), "patent")
            notice(f"{left} unfinished: what stores or deletes them is running, or was cut off")
        print_long("".join(f"{visible(problem)}\n" for problem in problems))
        notice(f"{index} is intact" if not problems else f"problems found in {index}: {len(problems)}")
    if problems:
        raise typer.Exit(IndexDamaged.exit_code)


def compact(index: IndexArgument, as_json: AsJson = False) -> None:
    """Free the space of deleted drawings, and bring the search structure up to date."""
    from rich.filesize import decimal

    from patsearch.engine import open_index

    with open_index(index, read_only=False) as engine:
        report = engine.compact()
    freed = decimal(max(0, report.get("bytes_before", 0) - report.get("bytes_after", 0)))
    tell(as_json, report, f"{report['reclaimed']} deleted or replaced drawings removed, {freed} freed")


def delete(
    index: IndexArgument,
    ids: Annotated[list[str] | None, typer.Option("--id", help="Id of a drawing; repeatable.")] = None,
    patents: Annotated[
        list[str] | None, typer.Option("--patent", help="Number of a patent, however it is written; repeatable.")
    ] = None,
    filters: Filters = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many drawings would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete drawings by id, by patent, or by filter.

    On a terminal you are asked to confirm, unless --yes or --json is given. Elsewhere a condition with != that excludes
    nothing is an error without --yes. A patent that has lost all its drawings is not ingested again with its archive,
    unless --again is given.
    """
    from patsearch.engine import open_index
    from patsearch.engine.warnings import excludes_nothing
    from patsearch.filters import only_patent, parse_filter

    if not ids and not patents and not filters:
        raise UsageError("No drawing to delete is named.", hint="Use --id, --patent or --filter.")
    where = [only_patent(number) for number in patents or ()]
    if filters:
        where.append(parse_filter(filters))
        for text in where[-1].notices:
            notice(text)
    with open_index(index) as engine:  # no writer waits for the answer
        warnings = _warned(engine, where[-1]) if filters else ()
        if certain := dry_run or yes:
            hollow, count = [], 0
        else:
            hollow = [text for one in where for text in excludes_nothing(engine.backend, one)]
            count = len(set(_named(engine, ids or [], where)))
    if not certain:
        if sys.stdin.isatty() and not as_json:
            if not click.confirm(f"Delete {counted(count, 'drawing')} from {index}?", err=True):
                notice("nothing deleted")
                raise typer.Exit(1)
        elif hollow:
            raise UsageError(
                f"{hollow[0]!r} excludes nothing in {index}: {count} drawings would be deleted.",
                hint="Check the value with --dry-run; --yes deletes them.",
            )
    with open_index(index, read_only=dry_run) as engine:
        wanted = list(dict.fromkeys(_named(engine, ids or [], where)))
        if not dry_run:
            for start in range(0, len(wanted), _DELETED_AT_ONCE):
                engine.delete(wanted[start : start + _DELETED_AT_ONCE])
    done = {"deleted": 0 if dry_run else len(wanted), "matched": len(wanted), "ids": wanted, "warnings": warnings}
    tell(as_json, done, f"{counted(len(wanted), 'drawing')} {'would be deleted' if dry_run else 'deleted'}")


def export(
    index: IndexArgument,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="A new folder for drawings.jsonl, vectors.npy and index.json.")
    ],
    filters: Filters = None,
    as_json: AsJson = False,
) -> None:
    """Write drawings and vectors to files that any program can read."""
    from patsearch.backends.export import export as write
    from patsearch.engine import open_index
    from patsearch.filters import as_filter

    where = as_filter(filters)
    for text in where.notices:
        notice(text)
    with open_index(index) as engine:
        warnings = _warned(engine, where)
        count = write(engine.backend, out, where)
    tell(as_json, {"drawings": count, "folder": str(out), "warnings": warnings}, f"{count} drawings written to {out}")


def copy(
    source: Annotated[str, typer.Option("--from", help="faiss:DIR, qdrant:DIR or qdrant:http://HOST:6333#COLLECTION.")],
    target: Annotated[str, typer.Option("--to", help="The same; created if it does not exist.")],
    index: Annotated[
        Path | None,
        typer.Option("--index", "-i", help="With a target on a server: its index folder, for journal and thumbnails."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Copy an index to another backend, or join several into one; nothing is encoded again.

    Drawings that the target already has are not written again, so an interrupted command resumes when it is repeated.
    """
    from patsearch.backends.copy import CopyReport
    from patsearch.engine.copy import copy_index, parse_place

    with progress(quiet=quiet) as bar:
        task = bar.add_task("Copying", total=None, rate="")

        def show(report: CopyReport) -> None:
            done = report.copied + report.already
            rate = f"{done / report.seconds:,.0f} drawings/s" if report.seconds else ""
            bar.update(task, completed=done, total=report.total, rate=rate)

        report = copy_index(parse_place(source), parse_place(target), folder=index, on_progress=show)
    if as_json:
        print_json(report.to_json())
        return
    notice(f"{report.copied:,} drawings copied, {report.already:,} already in the target, in {report.seconds:.1f} s")
    if report.others:
        notice(f"the target has {report.others:,} drawings that are not in the source; they are unchanged")
    if "://" in target and index is None:
        notice("journal and thumbnails were not copied: name the index folder of the copy with --index to have them")


def reencode(
    index: IndexArgument,
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Where the patents came from.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new index.")],
    encoder: Annotated[
        str | None, typer.Option("--encoder", help="The new encoder. [default: the shipped one]")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Worker processes.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a new index of the same patents with the vectors of another encoder.

    The sources are read again. What the index knows of a patent is taken over; patents that it does not have are left
    out. The same command resumes a stopped run. Exit code 9: files could not be read, or no source has some of the
    patents.
    """
    from patsearch.cli.ingest import shown_on
    from patsearch.ingest import IngestOptions
    from patsearch.ingest.reencode import reencode as run

    with progress(quiet=quiet) as bar:
        show = shown_on(bar, "Encoding")
        report = run(index, sources, out, encoder=encoder, options=IngestOptions(workers=workers), on_progress=show)
    tell(as_json, report.to_json(), f"{report.patents:,} patents, {report.drawings:,} drawings, in {out}")
    if report.missing and not as_json:
        named = ", ".join(report.missing[:_MISSING_SHOWN]) + " ..." * (len(report.missing) > _MISSING_SHOWN)
        notice(f"no source has {len(report.missing):,} of the patents: {named}")
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def snapshot(
    index: IndexArgument,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="A new file: a tar archive of the whole index.")],
    as_json: AsJson = False,
) -> None:
    """Back up an index, with journal and thumbnails, to one file, which any backend can restore."""
    from rich.filesize import decimal

    from patsearch.engine.snapshot import save_snapshot

    count = save_snapshot(index, out)
    size = out.stat().st_size
    result = {"file": str(out), "bytes": size, "drawings": count}
    tell(as_json, result, f"{count:,} drawings ({decimal(size)}) written to {out}")


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A file that index snapshot wrote.")
    ],
    index: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the index.")],
    backend: Annotated[
        str | None, typer.Option("--backend", help="faiss, qdrant or a plug-in. [default: the one that it came from]")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="Restore a server's index to this server. [default: its own, if you have named it before]"
        ),
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Restore what can be read of a snapshot that differs from its checksums.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an index from a snapshot."""
    from patsearch.engine.snapshot import restore_snapshot

    count = restore_snapshot(file, index, backend=backend, url=url, damaged=damaged)
    tell(as_json, {"index": str(index), "drawings": count}, f"restored {index}: {count:,} drawings")


def relocate(
    index: IndexArgument,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="http://HOST:6333, or nodes of one cluster: http://A:6333,B:6333.")
    ],
    as_json: AsJson = False,
) -> None:
    """Change the address of the server that an index is on. Nothing is moved; the new server must hold the same index.

    Options of the address (?timeout=60) are given again, the collection's name only where it changes.
    """
    from patsearch.engine.relocate import relocate_index

    manifest, count = relocate_index(index, url)
    result = {"index": str(index), "location": manifest.location, "drawings": count}
    tell(as_json, result, f"{index} keeps its vectors at {manifest.location}: {count:,} drawings")


def publish(
    index: IndexArgument,
    alias: Annotated[str, typer.Argument(metavar="NAME", help="Name behind # in the addresses that searches use.")],
    as_json: AsJson = False,
) -> None:
    """Make a name on the server point to this index, so that searches change to it without downtime."""
    from patsearch.backends import as_server
    from patsearch.engine import open_index

    with open_index(index, read_only=False) as engine:
        before = as_server(engine.backend).publish(alias)
    earlier = f"; it pointed to {before}, which still exists" if before else ""
    tell(as_json, {"alias": alias, "before": before}, f"{alias} points to this index{earlier}")


def _warned(engine: Engine, where: Filter) -> tuple[str, ...]:
    """What the filter leaves out without being asked; also said."""
    from patsearch.engine.warnings import filter_warnings

    warnings = filter_warnings(engine.backend, where)
    for text in warnings:
        notice(text)
    return warnings


def _named(engine: Engine, ids: list[str], where: list[Filter]) -> Iterator[str]:
    """Ids of the index: those named, and those of drawings that match one of the filters."""
    there = engine.backend.get(ids)
    yield from (id_ for id_ in ids if id_ in there)
    for filter_ in where:
        yield from engine.backend.ids(filter_)


def _shown(key: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
    if key in ("bytes", "memory") and isinstance(value, int):
        from rich.filesize import decimal

        return decimal(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
