"""`patsearch demo`: ingest and search a small corpus that is drawn on the spot."""

from __future__ import annotations

from pathlib import Path

import typer

from patsearch.cli.output import notice
from patsearch.files import write_output


def register(app: typer.Typer) -> None:
    """Add the command to the app."""

    @app.command("demo")
    def command(
        out: Path = typer.Option(Path("demo-out"), "--out", help="Folder for corpus, index, query and page."),
        designs: int = typer.Option(60, "--designs", min=10, max=5_000, help="Designs in the corpus."),
        seed: int = typer.Option(7, "--seed", help="Seed of the random designs."),
        design: int = typer.Option(1, "--design", min=0, help="Number of the design that is sketched, from 0."),
    ) -> None:
        """Draw a small corpus in the USPTO layout, ingest it, and search it with a sketch.

        Writes OUT/corpus, OUT/index, OUT/sketch.png and OUT/result.html. A second run uses the same corpus and index.
        """
        from patsearch.cli import build_app

        corpus, index, sketch, page = out / "corpus", out / "index", out / "sketch.png", out / "result.html"
        app = build_app()

        def run(*arguments: str | Path) -> None:
            words = [str(argument) for argument in arguments]
            print("$ patsearch " + " ".join(words), flush=True)
            code = app(args=words, standalone_mode=False)
            if code:
                raise typer.Exit(code)

        if not (corpus / "designs.jsonl").exists():
            # Left by an interrupted run: the list of designs is written last.
            for leftover in corpus.glob("I*.tar*"):
                leftover.unlink()
            run("synth", "--designs", str(designs), "--seed", str(seed), "--out", corpus)
        run("ingest", corpus, "--index", index)
        drawn = _draw_sketch(corpus, design, sketch)
        notice(f"drew {sketch}: {drawn}, sketched by an unsteady hand")
        run("query", sketch, "--index", index, "--top", "8", "--html", page)
        notice(f"page with the pictures: {page.resolve().as_uri()}")


def _draw_sketch(corpus: Path, design: int, path: Path) -> str:
    """Sketch one design of the corpus as if from memory; returns its number."""
    import json

    import numpy as np

    from patsearch.synth import rebuild
    from patsearch.synth.sheets import png_bytes
    from patsearch.synth.sketch import sketch

    records = (corpus / "designs.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(records[design % len(records)])
    drawn = rebuild(record)
    # A random stream that the corpus does not use: the sketch is not one of its drawings.
    rng = np.random.default_rng([0x5CE7C4, drawn.plan.seed, drawn.index])
    write_output(path, png_bytes(sketch(drawn.mesh, drawn.views[0], rng)))
    return str(record["patent"])
