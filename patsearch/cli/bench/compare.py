"""`patsearch bench compare`: two run files side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patsearch.cli.options import AsJson
from patsearch.cli.output import print_json

First = Annotated[Path, typer.Argument(metavar="RUN1", help="A JSON file that bench run --out wrote.")]
Second = Annotated[Path, typer.Argument(metavar="RUN2", help="Another one.")]


def command(run1: First, run2: Second, as_json: AsJson = False) -> None:
    """Compare two runs, query by query, with intervals and p-values by patent. Measures nothing."""
    from patsearch.cli.bench.tables import print_comparison
    from patsearch.evaluation.compare import compare
    from patsearch.evaluation.runfile import read_run
    from patsearch.types import finite

    first, second = read_run(run1), read_run(run2)
    comparison = compare(first, second)
    if as_json:
        files = [{"file": str(r.path), "dataset": r.dataset, "encoder": r.encoder} for r in (first, second)]
        print_json(finite({"runs": files, **comparison.to_json()}))
    else:
        print_comparison(comparison, [str(r.encoder.get("name")) for r in (first, second)])
