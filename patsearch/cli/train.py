"""`patsearch train`: train an encoder on drawings as a recipe says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.errors import UsageError

if TYPE_CHECKING:
    from patsearch.training.config import Recipe
    from patsearch.training.data.build import BuildOptions
    from patsearch.training.data.cache import DrawingCache
    from patsearch.training.run import Progress, RunResult


STOPPED = 130


def register(app: typer.Typer) -> None:
    """Add the command to the app."""

    @app.command("train")
    def command(
        recipe: str | None = typer.Argument(
            None, help="A recipe's name or TOML file; of a run that was begun, its own if left out."
        ),
        data: list[str] = typer.Option(
            [], "--data", "-d", help="A cache of drawings, or what ingest reads; repeatable."
        ),
        out: Path | None = typer.Option(
            None, "--out", "-o", help="Folder of the run; where it goes on, if it was begun."
        ),
        changes: list[str] = typer.Option(
            [], "--set", "-s", help="Change the recipe, as in schedule.epochs=20; repeatable."
        ),
        whole_sheets: bool = typer.Option(False, "--whole-sheets", help="Train on sheets, not on the figures on them."),
        front_pages: bool = typer.Option(False, "--front-pages", help="Train on the front-page copies (D00000) too."),
        source: str | None = typer.Option(None, "--source", help="Kind of source, where looking is not enough."),
        metadata: Path | None = typer.Option(None, "--metadata", help="CSV, TSV or JSONL with a row a patent."),
        lists: list[Path] = typer.Option([], "--list", help="DeepPatent list file; repeatable."),
        workers: int | None = typer.Option(
            None, "--workers", min=1, help="Processes that read drawings. [default: one a core]"
        ),
        show_batch: Path | None = typer.Option(
            None, "--show-batch", help="Write the first batch as a picture, as the network sees it, and stop."
        ),
        listing: bool = typer.Option(False, "--list", help="List the recipes and stop."),
        resolved: bool = typer.Option(False, "--show-recipe", help="Print the recipe with every value and stop."),
        device: str | None = typer.Option(None, "--device", help="cpu, cuda, cuda:1. [default: a GPU if there is one]"),
        threads: int | None = typer.Option(None, "--threads", min=1, help="CPU threads of torch. [default: all cores]"),
        tensorboard: bool = typer.Option(False, "--tensorboard", help="Write TensorBoard's files too."),
        as_json: bool = typer.Option(False, "--json", help="Print JSON."),
        quiet: bool = typer.Option(False, "--quiet", "-q", help="No progress."),
    ) -> None:
        """Train an encoder: `patsearch train fast --data CORPUS --out RUN`.

        The same command goes on where a run was stopped or killed. What it makes is asked with
        `--encoder RUN/best`. Several GPUs: `torchrun --nproc-per-node 4 -m patsearch train ...`. Docs:
        docs/research/training.md.
        """
        if listing:
            _list(as_json)
            return
        import cv2

        from patsearch.cli.output import notice, print_json
        from patsearch.ingest.sources import SourceOptions
        from patsearch.training.data.build import BuildOptions
        from patsearch.training.recipes import to_toml

        chosen = _choose(recipe, out, changes)
        if resolved:
            if as_json:
                print_json(chosen.model_dump(mode="json"))
            else:
                typer.echo(to_toml(chosen), nl=False)
            return
        if not data or (out is None and show_batch is None):
            raise UsageError("Training needs --data and --out.", hint="patsearch train fast --data CORPUS --out RUN")
        if chosen.encoder:
            raise UsageError(
                f"The encoder {chosen.encoder} needs no training.",
                hint=f"patsearch ingest ... --encoder {chosen.encoder}",
            )
        # Batches are made by threads of our own, or beside torch's.
        cv2.setNumThreads(1)
        options = BuildOptions(
            whole_sheets=whole_sheets,
            front_pages=front_pages,
            processes=workers,
            kind=source,
            source=SourceOptions(metadata=metadata, lists=tuple(lists)),
        )
        from patsearch.training.start import build

        # Weights that cannot be had are better missed now than after hours of reading drawings.
        network = None if show_batch else build(chosen)
        cache = _open(data, chosen, out, options, quiet)
        if show_batch is not None:
            _show(chosen, cache, show_batch)
            notice(f"wrote {show_batch}")
            return
        assert out is not None
        from patsearch.training.distributed import leave
        from patsearch.training.memory import keep_memory
        from patsearch.training.run import train

        keep_memory()

        with _watch(quiet) as watch:
            result = train(
                chosen,
                cache,
                out,
                network=network,
                device=device,
                threads=threads,
                tensorboard=tensorboard,
                watch=watch,
            )
        leave()
        if int(os.environ.get("RANK", "0")):
            return  # one of several processes speaks for all
        if as_json:
            print_json(result.to_json())
        else:
            _print(result)
        if not result.finished:
            raise typer.Exit(STOPPED)


def _choose(recipe: str | None, out: Path | None, changes: list[str]) -> Recipe:
    """The recipe named, or that of a run that was begun."""
    from patsearch.training.recipes import load_recipe
    from patsearch.training.run import RECIPE

    if recipe is not None:
        return load_recipe(recipe, changes=changes)
    if out is None or not (out / RECIPE).is_file():
        raise UsageError("Which recipe?", hint="patsearch train --list names them.")
    return load_recipe(out / RECIPE, changes=changes)


def _open(data: list[str], recipe: Recipe, out: Path | None, options: BuildOptions, quiet: bool) -> DrawingCache:
    """The caches named, or one built of the sources named, in the run's folder."""
    from patsearch.cli.output import notice, progress
    from patsearch.encoder.preprocess import Preprocessing
    from patsearch.ingest import Progress as Ingested
    from patsearch.training.data.build import is_cache, open_data

    cached = all(is_cache(Path(text).expanduser()) for text in data)
    if out is None and not cached:
        raise UsageError("A cache of these drawings needs a place.", hint="Give --out too: it is built there once.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not cached:
        raise UsageError(
            "Several processes would all build the cache.", hint="Build it with one first: run without torchrun."
        )
    size = max(recipe.search_size, *(size for size, _ in recipe.stages))
    with progress(quiet=quiet) as bar:
        task = bar.add_task("reading drawings", total=None, rate="")

        def watch(now: Ingested) -> None:
            bar.update(task, completed=now.done, total=now.total, rate=f"{now.drawings:,} drawings")

        store = (out or Path()) / "drawings"
        cache, report = open_data(list(data), store, Preprocessing(size=size), options, on_progress=watch)
    if report is not None and report.failed:
        notice(f"{len(report.failed)} files could not be read and were left out: see {store / 'report.json'}")
    if report is not None and report.interrupted:
        raise KeyboardInterrupt
    return cache


def _show(recipe: Recipe, cache: DrawingCache, path: Path) -> None:
    from patsearch.training.data.sampler import make_sampler
    from patsearch.training.data.show import show_batch
    from patsearch.training.data.splits import split_designs

    split = split_designs(cache.records, families=recipe.data.held_out_families, share=recipe.data.held_out_share)
    batch, seed = recipe.batch, recipe.schedule.seed
    sampler = make_sampler(
        batch.sampler,
        cache.records,
        split.train,
        designs=batch.designs,
        drawings=batch.drawings,
        seed=seed,
        least=batch.least,
    )
    show_batch(cache, sampler, recipe.augmentation(), path, seed=seed, size=recipe.stages[0][0])


def _list(as_json: bool) -> None:
    from rich.table import Table

    from patsearch.cli.output import print_json, stdout
    from patsearch.training.recipes import load_recipe, recipe_names

    recipes = {name: load_recipe(name) for name in recipe_names()}
    if as_json:
        print_json({"recipes": [{"name": name, "title": recipe.title} for name, recipe in recipes.items()]})
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, recipe in recipes.items():
        table.add_row(name, recipe.title)
    stdout().print(table)


@contextmanager
def _watch(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar of the budget on a terminal; elsewhere a line for every row of the log."""
    from patsearch.cli.output import progress, stderr

    console = stderr()
    with progress(quiet=quiet) as bar:
        task = bar.add_task("training", total=None, rate="")

        def watch(now: Progress) -> None:
            scores = " ".join(f"{name} {now.scores[name]:.3f}" for name in _SHOWN if name in now.scores)
            if not quiet and not console.is_terminal and now.logged:
                console.print(
                    f"step {now.step} ({now.share:.1%}) loss {now.loss:.4f} {scores} "
                    f"{now.drawings_per_second:.0f} drawings a second",
                    markup=False,
                    soft_wrap=True,
                )
            text = f"loss {now.loss:.3f} {scores} {now.drawings_per_second:,.0f}/s"
            # Of a budget in seconds, as many steps as there will be if they go on as fast.
            bar.update(task, completed=now.step, total=max(now.step, round(now.step / now.share)), rate=text)

        yield watch


_SHOWN = ("map_groups", "map_families")


def _print(result: RunResult) -> None:
    from patsearch.cli.output import notice, stdout

    if result.unreadable:
        notice(f"{result.unreadable} drawings could not be read; others stood in for them")
    if result.left_out:
        notice(f"{result.left_out} designs with too few drawings were left out")
    state = "finished" if result.finished else "stopped; the same command goes on"
    console = stdout()
    console.print(
        f"{state}: {result.steps:,} steps, {result.samples:,} drawings, loss {result.loss:.4f}, "
        f"{result.drawings_per_second:,.0f} drawings a second",
        soft_wrap=True,
    )
    if result.best:
        scores = ", ".join(f"{name} {value:.4f}" for name, value in result.best.items())
        console.print(f"best at step {result.best_step}: {scores}", soft_wrap=True)
    console.print(f"encoder: {result.folder / 'best'}", soft_wrap=True)
