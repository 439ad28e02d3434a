"""`patsearch train`: train an encoder on drawings as a recipe says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from patsearch.cli.output import notice, print_json, print_pairs, progress, stderr, stdout
from patsearch.errors import UsageError
from patsearch.files import at_home

if TYPE_CHECKING:
    from patsearch.training.config import Recipe
    from patsearch.training.data.build import BuildOptions
    from patsearch.training.data.cache import DrawingCache
    from patsearch.training.run import Progress, RunResult


STOPPED = 130
_EXAMPLE = "patsearch train fast --data CORPUS --out RUN"


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("train")(train)


def train(
    recipe: str | None = typer.Argument(
        None, help="A recipe's name or TOML file. Can be left out to resume the run in --out."
    ),
    data: list[str] = typer.Option(
        [], "--data", "-d", help="A cache of drawings, or anything that ingest reads; repeatable."
    ),
    out: Path | None = typer.Option(None, "--out", "-o", help="Folder of the run. An interrupted run resumes there."),
    changes: list[str] = typer.Option(
        [], "--set", "-s", help="Change the recipe, as in schedule.epochs=20; repeatable."
    ),
    whole_sheets: bool = typer.Option(False, "--whole-sheets", help="Train on sheets, not on the figures on them."),
    front_pages: bool = typer.Option(False, "--front-pages", help="Train on the front-page copies (D00000) too."),
    source: str | None = typer.Option(None, "--source", help="Kind of source, where it is not recognised."),
    metadata: Path | None = typer.Option(None, "--metadata", help="CSV, TSV or JSONL with one row per patent."),
    lists: list[Path] = typer.Option([], "--list", help="DeepPatent list file; repeatable."),
    workers: int | None = typer.Option(
        None, "--workers", min=1, help="Processes that read drawings. [default: one per core]"
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

    The same command resumes a run that was stopped or killed. Search with the result by
    `--encoder RUN/best`. Several GPUs: `torchrun --nproc-per-node 4 -m patsearch train ...`. Docs:
    docs/research/training.md.
    """
    if listing:
        _list(as_json)
        return
    chosen = _choose(recipe, out, changes)
    if resolved:
        _show_recipe(chosen, as_json)
        return
    if not data or (out is None and show_batch is None):
        raise UsageError("Training needs --data and --out.", hint=_EXAMPLE)
    if chosen.encoder:
        raise UsageError(
            f"The encoder {chosen.encoder} needs no training.",
            hint=f"patsearch ingest ... --encoder {chosen.encoder}",
        )
    from patsearch.ingest.sources import SourceOptions
    from patsearch.training.data.build import BuildOptions

    options = BuildOptions(
        whole_sheets, front_pages, workers, source, SourceOptions(metadata=metadata, lists=tuple(lists))
    )
    if show_batch is not None:
        _show_batch(chosen, _open(data, chosen, out, options, quiet), show_batch)
        return
    assert out is not None
    result = _run(chosen, data, out, options, device=device, threads=threads, tensorboard=tensorboard, quiet=quiet)
    if int(os.environ.get("RANK", "0")):
        return  # one of several processes prints for all
    _print(result, as_json)
    if not result.finished:
        raise typer.Exit(STOPPED)


def _run(
    recipe: Recipe,
    data: list[str],
    out: Path,
    options: BuildOptions,
    *,
    device: str | None,
    threads: int | None,
    tensorboard: bool,
    quiet: bool,
) -> RunResult:
    import cv2

    from patsearch.training.distributed import leave
    from patsearch.training.memory import keep_memory
    from patsearch.training.run import train as train_network
    from patsearch.training.start import build

    # Batches are made by our own threads, or next to torch's.
    cv2.setNumThreads(1)
    # Weights that are missing should be noticed now, not after hours of reading drawings.
    network = build(recipe)
    cache = _open(data, recipe, out, options, quiet)
    keep_memory()
    with _watch(quiet) as (watch, watch_teachers):
        result = train_network(
            recipe,
            cache,
            out,
            network=network,
            device=device,
            threads=threads,
            tensorboard=tensorboard,
            watch=watch,
            watch_teachers=watch_teachers,
        )
    leave()
    return result


def _show_recipe(recipe: Recipe, as_json: bool) -> None:
    from patsearch.training.recipes import to_toml

    if as_json:
        print_json(recipe.model_dump(mode="json"))
    else:
        typer.echo(to_toml(recipe), nl=False)


def _choose(recipe: str | None, out: Path | None, changes: list[str]) -> Recipe:
    """The recipe given, or that of the run in the folder."""
    from patsearch.training.recipes import load_recipe
    from patsearch.training.run import RECIPE

    if recipe is not None:
        return load_recipe(recipe, changes=changes)
    if out is None or not (out / RECIPE).is_file():
        raise UsageError("No recipe given.", hint="patsearch train --list prints their names.")
    return load_recipe(out / RECIPE, changes=changes)


def _open(data: list[str], recipe: Recipe, out: Path | None, options: BuildOptions, quiet: bool) -> DrawingCache:
    """The caches given, or one built from the sources given, in the run's folder."""
    from patsearch.encoder.preprocess import Preprocessing
    from patsearch.ingest import Progress as Ingested
    from patsearch.training.data.build import is_cache, open_data

    cached = all(is_cache(at_home(text)) for text in data)
    if out is None and not cached:
        raise UsageError("--show-batch needs --out with these sources.", hint="Their cache is built there, once.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not cached:
        raise UsageError(
            "Several processes would all build the cache.", hint="Run once without torchrun: one process builds it."
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


def _show_batch(recipe: Recipe, cache: DrawingCache, path: Path) -> None:
    from patsearch.training.data.sampler import sampler_kind
    from patsearch.training.data.show import show_batch
    from patsearch.training.data.splits import split_designs

    split = split_designs(cache.records, families=recipe.data.held_out_families, share=recipe.data.held_out_share)
    batch, seed = recipe.batch, recipe.schedule.seed
    sampler = sampler_kind(batch.sampler)(
        cache.records, split.train, designs=batch.designs, drawings=batch.drawings, seed=seed, least=batch.least
    )
    show_batch(cache, sampler, recipe.augmentation(), path, seed=seed, size=recipe.stages[0][0])
    notice(f"wrote {path}")


def _list(as_json: bool) -> None:
    from patsearch.training.recipes import load_recipe, recipe_names

    recipes = {name: load_recipe(name) for name in recipe_names()}
    if as_json:
        print_json({"recipes": [{"name": name, "title": recipe.title} for name, recipe in recipes.items()]})
        return
    print_pairs((name, recipe.title) for name, recipe in recipes.items())


@contextmanager
def _watch(quiet: bool) -> Iterator[tuple[Callable[[Progress], None], Callable[[int, int], None]]]:
    """A progress bar on a terminal; elsewhere a line for every row of the log. For the steps, and for the teachers."""
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
            # For a budget in seconds: the steps that it allows at the speed so far.
            bar.update(task, completed=now.step, total=max(now.step, round(now.step / now.share)), rate=text)

        def watch_teachers(done: int, count: int) -> None:
            bar.update(task, description="asking teachers", completed=done, total=count, rate=f"{done:,} drawings")
            if done == count:
                bar.reset(task, description="training", total=None, rate="")

        yield watch, watch_teachers


_SHOWN = ("map_groups", "map_families")


def _print(result: RunResult, as_json: bool) -> None:
    if as_json:
        print_json(result.to_json())
        return
    if result.unreadable:
        notice(f"{result.unreadable} drawings could not be read and were replaced by others")
    if result.left_out:
        notice(f"{result.left_out} designs with too few drawings were left out")
    state = "finished" if result.finished else "stopped; the same command resumes the run"
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
