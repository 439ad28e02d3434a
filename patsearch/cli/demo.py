"""`patsearch demo`: the whole way on a small corpus that is drawn on the spot."""

from __future__ import annotations

from pathlib import Path

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""

    @app.command("demo")
    def command(
        out: Path = typer.Option(Path("demo-out"), "--out", help="Folder for corpus, index, query and page."),
        designs: int = typer.Option(60, "--designs", min=20, max=5_000, help="Designs in the corpus."),
        seed: int = typer.Option(7, "--seed", help="Another seed draws other designs."),
    ) -> None:
        """Draw a small corpus in the USPTO layout, ingest it, ask it with a hand-drawn-like sketch.

        Leaves OUT/corpus, OUT/index, OUT/sketch.png and OUT/result.html. A second run uses what is there.
        """
        from patsearch.cli import build_app
        from patsearch.cli.output import notice

        corpus, index, sketch, page = out / "corpus", out / "index", out / "sketch.png", out / "result.html"
        app = build_app()

        def run(*arguments: str | Path) -> None:
            words = [str(argument) for argument in arguments]
            notice("$ patsearch " + " ".join(words))
            app(args=words, standalone_mode=False)

        if not (corpus / "designs.jsonl").exists():
            run("synth", "--designs", str(designs), "--seed", str(seed), "--out", corpus, "--layout", "uspto")
        run("ingest", corpus, "--index", index)
        _draw_sketch(corpus, seed, sketch)
        run("query", sketch, "--index", index, "--top", "8", "--html", page)
        notice(f"The sketch is {sketch}; the designs that look alike: {page.resolve().as_uri()}")


def _draw_sketch(corpus: Path, seed: int, path: Path) -> None:
    raise NotImplementedError
