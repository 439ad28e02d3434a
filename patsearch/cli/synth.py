"""`patsearch synth`: draw a corpus of synthetic designs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.cli.output import notice, print_json, progress, stdout

if TYPE_CHECKING:
    from patsearch.synth.corpus import CorpusReport


def register(app: typer.Typer) -> None:
    """Add the command to the app."""

    @app.command("synth")
    def command(
        out: Path | None = typer.Option(None, "--out", "-o", help="Folder to write to, new or empty."),
        designs: int = typer.Option(100, "--designs", "-n", min=1, max=900_000, help="How many designs."),
        seed: int = typer.Option(0, "--seed", min=0, help="The same seed draws the same bytes."),
        layout: str = typer.Option("uspto", "--layout", help="uspto, deeppatent or images."),
        processes: int | None = typer.Option(None, "--processes", min=1, help="Workers. [default: one per core]"),
        size: int | None = typer.Option(
            None, "--size", help="Longer side of a drawing, pixels. [default: 1500 on sheets, 512 for single figures]"
        ),
        family: list[str] | None = typer.Option(None, "--family", help="Draw only this family; repeatable."),
        near_duplicates: float = typer.Option(0.1, "--near-duplicates", help="Share of slightly changed repetitions."),
        weekly: int = typer.Option(50, "--weekly", min=1, help="Designs granted in one week."),
        list_families: bool = typer.Option(False, "--families", help="List the families and stop."),
        as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
        quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress."),
    ) -> None:
        """Draw multi-view line drawings of made-up objects, with all the data of a design grant.

        OUT/designs.jsonl describes each design: its family, whether it repeats another one, and where its
        figures are on the sheets. The numbers begin at USD9000001, far above real ones.
        """
        from patsearch.errors import UsageError

        if list_families:
            _print_families(as_json=as_json)
            return
        if out is None:
            raise UsageError("No --out given.", hint="patsearch synth --out FOLDER")
        from patsearch.synth.corpus import write_corpus

        with progress(quiet=quiet) as bar:
            task = bar.add_task("Drawing", total=designs, rate="")

            def show(done: int, _total: int) -> None:
                elapsed = bar.tasks[task].elapsed or 0.0
                bar.update(task, completed=done, rate=f"{done / elapsed:.1f} designs/s" if elapsed > 0.5 else "")

            report = write_corpus(
                out,
                designs=designs,
                seed=seed,
                layout=layout,
                processes=processes or os.cpu_count() or 1,
                size=size,
                families=family or None,
                near_duplicates=near_duplicates,
                weekly=weekly,
                on_progress=show,
            )
        if as_json:
            print_json(report.to_json())
        else:
            _summarise(report)


def _summarise(report: CorpusReport) -> None:
    notice(
        f"{report.designs} designs of {len(report.families)} families, {report.drawings} figures on {report.sheets} "
        f"sheets, {report.near_duplicates} near duplicates: {report.out} "
        f"(layout {report.layout}, seed {report.seed})."
    )


def _print_families(*, as_json: bool) -> None:
    from rich.table import Table

    from patsearch.synth import FAMILIES

    if as_json:
        print_json({name: {"titles": f.titles, "uspc": f.uspc, "locarno": f.locarno} for name, f in FAMILIES.items()})
        return
    table = Table("family", "titles", "USPC", "Locarno", box=None)
    for name, family in FAMILIES.items():
        table.add_row(name, "; ".join(family.titles), ", ".join(family.uspc), family.locarno)
    stdout().print(table)
