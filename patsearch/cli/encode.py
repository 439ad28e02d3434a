"""`patsearch encode`: the drawings of sources with their vectors, in Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patsearch.cli.ingest import parse_shard, show_added, show_details, shown_on
from patsearch.cli.options import Quiet
from patsearch.cli.output import print_json, progress, stderr
from patsearch.text import counted


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("encode")(command)


def command(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="What ingest takes.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the Parquet files; shards share it.")],
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help="A name, timm:MODEL, a checkpoint folder. [default: the shipped one]"),
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only every N-th partition, from the I-th on.")
    ] = None,
    partition: Annotated[
        int, typer.Option("--partition", min=1, help="Patents in a file: what a killed run repeats at most.")
    ] = 1000,
    whole_sheets: Annotated[
        bool, typer.Option("--whole-sheets", help="Encode whole sheets instead of the figures on them.")
    ] = False,
    front_pages: Annotated[
        bool, typer.Option("--front-pages", help="Encode the front-page copies (D00000) too.")
    ] = False,
    on: Annotated[
        str | None, typer.Option("--on", metavar="ray", help="Encode on a Ray cluster: that of RAY_ADDRESS, or here.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Make finished files again.")] = False,
    source: Annotated[str | None, typer.Option("--source", help="Kind of source, if it is not recognised.")] = None,
    metadata: Annotated[Path | None, typer.Option("--metadata", help="CSV, TSV or JSONL with a row a patent.")] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", help="How file names give patent and figure: '{patent}_{figure}.png'.")
    ] = None,
    lists: Annotated[list[Path] | None, typer.Option("--list", help="DeepPatent list file; may be repeated.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Worker processes. [default: one a core; on Ray 1 a file]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Quiet = False,
) -> None:
    """Encode patents without an index, on one machine or many: Parquet files for patsearch load.

    A file holds a partition of the patents. The same command again makes the files
    that are missing, with the same bytes. Exit code 9 means that some files of the
    sources could not be read: they are listed, and written to OUT/_reports.
    """
    from patsearch.ingest.sources import SourceOptions
    from patsearch.ingest.vectors import EncodeOptions, encode_sources

    options = EncodeOptions(
        encoder=encoder,
        shard=parse_shard(shard),
        whole_sheets=whole_sheets,
        front_pages=front_pages,
        again=again,
        patents=partition,
        workers=workers,
        kind=source,
        on=on,
        source=SourceOptions(metadata=metadata, pattern=pattern, lists=tuple(lists or ())),
    )
    with progress(quiet=quiet) as bar:
        report = encode_sources(sources, out, options, on_progress=shown_on(bar, "Encoding"))
    if as_json:
        print_json(report.to_json())
    else:
        show_added("Encoded", report.ingest)
        finished = f", {report.finished:,} were finished" if report.finished else ""
        stderr().print(f"Wrote {counted(report.made, 'file')}{finished}.")
        show_details(report.ingest, out / "_reports")
    raise typer.Exit(report.exit_code)
