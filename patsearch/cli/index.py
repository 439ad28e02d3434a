"""`patsearch index`: what an index holds, whether it is sound, and its upkeep."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.errors import IndexDamaged, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patsearch.engine import Engine
    from patsearch.filters import Filter

_DELETED_AT_ONCE = 1000
_INDEX = typer.Argument(..., metavar="DIR", envvar="PATSEARCH_INDEX", help="Folder of the index.")
_JSON = typer.Option(False, "--json", help="Print JSON.")
_FILTER = typer.Option([], "--filter", "-f", help="cpc=D14, granted=2015..2018, title~chair ...; all must hold.")


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    group = typer.Typer(help="What an index holds, whether it is sound, and its upkeep.", no_args_is_help=True)
    for command in (info, verify, compact, delete, export, copy, snapshot, restore, publish):
        group.command(command.__name__)(command)
    app.add_typer(group, name="index")


def info(index: Path = _INDEX, as_json: bool = _JSON) -> None:
    """Counts, sizes, encoder and engine of an index."""
    from patsearch.cli.output import print_json, stdout
    from patsearch.engine import open_index

    with open_index(index) as engine:
        facts = engine.info()
    if as_json:
        print_json(facts)
        return
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(key.replace("_", " "), _shown(key, value))
    stdout().print(table)


def verify(index: Path = _INDEX, as_json: bool = _JSON) -> None:
    """Look for damage: checksums, counts, doubles, vectors, journal, thumbnails. Exit code 4 where there is any."""
    from patsearch.cli.output import notice, print_json
    from patsearch.engine import open_index

    with open_index(index) as engine:
        problems = engine.verify()
    if as_json:
        print_json({"ok": not problems, "problems": problems})
    else:
        for problem in problems:
            typer.echo(problem)
        notice(f"{index} is sound" if not problems else f"problems found in {index}: {len(problems)}")
    if problems:
        raise typer.Exit(IndexDamaged.exit_code)


def compact(index: Path = _INDEX, as_json: bool = _JSON) -> None:
    """Give back the space of deleted drawings, and bring the search structure up to date."""
    from patsearch.cli.output import notice, print_json
    from patsearch.engine import open_index

    with open_index(index, read_only=False) as engine:
        report = engine.backend.compact()
    if as_json:
        print_json(report)
        return
    freed = report.get("bytes_before", 0) - report.get("bytes_after", 0)
    notice(f"{report['reclaimed']} deleted or replaced drawings removed, {_bytes(max(0, freed))} freed")


def delete(
    index: Path = _INDEX,
    ids: list[str] = typer.Option([], "--id", help="A drawing, by its id; may be repeated."),
    patents: list[str] = typer.Option([], "--patent", help="A patent, in any way of writing; may be repeated."),
    filters: list[str] = _FILTER,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say how many drawings it would be."),
    as_json: bool = _JSON,
) -> None:
    """Remove drawings: those named, those of the patents named, and those that match the filter.

    A patent that has lost all its drawings stays away when its archive is ingested again.
    """
    from patsearch.cli.output import notice, print_json
    from patsearch.engine import open_index
    from patsearch.filters import only_patent, parse_filter

    if not ids and not patents and not filters:
        raise UsageError("Nothing was named to delete.", hint="Use --id, --patent or --filter.")
    where = [only_patent(number) for number in patents]
    if filters:
        where.append(parse_filter(filters))
        for text in where[-1].notices:
            notice(text)
    with open_index(index, read_only=dry_run) as engine:
        wanted = list(dict.fromkeys(_named(engine, ids, where)))
        if not dry_run:
            for start in range(0, len(wanted), _DELETED_AT_ONCE):
                engine.delete(wanted[start : start + _DELETED_AT_ONCE])
    if as_json:
        print_json({"deleted": 0 if dry_run else len(wanted), "matched": len(wanted), "ids": wanted})
    else:
        notice(f"{len(wanted)} drawings {'would be deleted' if dry_run else 'deleted'}")


def export(
    index: Path = _INDEX,
    out: Path = typer.Argument(..., metavar="OUT", help="A new folder for drawings.jsonl, vectors.npy and index.json."),
    filters: list[str] = _FILTER,
    as_json: bool = _JSON,
) -> None:
    """Write drawings and vectors into files that any program reads."""
    from patsearch.backends.export import export as write
    from patsearch.cli.output import notice, print_json
    from patsearch.engine import open_index
    from patsearch.filters import parse_filter

    where = parse_filter(filters)
    for text in where.notices:
        notice(text)
    with open_index(index) as engine:
        count = write(engine.backend, out, where)
    if as_json:
        print_json({"drawings": count, "folder": str(out)})
    else:
        notice(f"{count} drawings written to {out}")


def copy(
    source: str = typer.Option(..., "--from", help="faiss:DIR, qdrant:DIR or qdrant:http://HOST:6333#COLLECTION."),
    target: str = typer.Option(..., "--to", help="The same; made where there is none."),
    index: Path | None = typer.Option(
        None, "--index", "-i", help="Of a target on a server: the index folder for it, with journal and thumbnails."
    ),
    as_json: bool = _JSON,
    quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress."),
) -> None:
    """Move an index to another backend, or gather several: nothing is encoded again.

    What the target has already, the same, is not written again: the same command goes on where it was stopped.
    """
    from patsearch.backends.copy import CopyReport
    from patsearch.cli.output import notice, print_json, progress
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
    notice(f"{report.copied:,} drawings copied, {report.already:,} were there already, in {report.seconds:.1f} s")
    if report.others:
        notice(f"the target holds {report.others:,} drawings that the source has not; they were left alone")
    if "://" in target and index is None:
        notice("journal and thumbnails were left out: name the index folder of the copy with --index to have them")


def snapshot(
    index: Path = _INDEX,
    out: Path = typer.Argument(..., metavar="FILE", help="A new file: a tar archive of the whole index."),
    as_json: bool = _JSON,
) -> None:
    """Back up an index into one file, with journal and thumbnails; a server's index by the server's own snapshot."""
    from patsearch.cli.output import notice, print_json
    from patsearch.engine.snapshot import save_snapshot

    size = save_snapshot(index, out)
    if as_json:
        print_json({"file": str(out), "bytes": size})
    else:
        notice(f"{_bytes(size)} written to {out}")


def restore(
    file: Path = typer.Argument(..., metavar="FILE", exists=True, dir_okay=False, help="Of index snapshot."),
    index: Path = typer.Argument(..., metavar="DIR", help="A new folder for the index."),
    url: str | None = typer.Option(
        None, "--url", help="Restore a server's index into this server. [default: where it was]"
    ),
    as_json: bool = _JSON,
) -> None:
    """Make an index from a snapshot."""
    from patsearch.cli.output import notice, print_json
    from patsearch.engine import open_index
    from patsearch.engine.snapshot import restore_snapshot

    restore_snapshot(file, index, url=url)
    with open_index(index) as engine:
        count = engine.backend.count()
    if as_json:
        print_json({"index": str(index), "drawings": count})
    else:
        notice(f"{index} holds {count:,} drawings again")


def publish(
    index: Path = _INDEX,
    alias: str = typer.Argument(..., metavar="NAME", help="Name behind # in the addresses of those who search."),
    as_json: bool = _JSON,
) -> None:
    """Let a name on the server stand for this index from now on: how a new encoder comes without downtime."""
    from patsearch.backends import as_server
    from patsearch.cli.output import notice, print_json
    from patsearch.engine import open_index

    with open_index(index, read_only=False) as engine:
        before = as_server(engine.backend).publish(alias)
    if as_json:
        print_json({"alias": alias, "before": before})
    else:
        notice(f"{alias} names this index now" + (f"; before, {before}, which is still there" if before else ""))


def _named(engine: Engine, ids: list[str], where: list[Filter]) -> Iterator[str]:
    """The ids that are there, of drawings named and of drawings that match one of the filters."""
    there = engine.backend.get(ids)
    yield from (id_ for id_ in ids if id_ in there)
    for filter_ in where:
        yield from engine.backend.ids(filter_)


def _shown(key: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
    if key == "bytes" and isinstance(value, int):
        return _bytes(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
