"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from patsearch.errors import UsageError

IndexFolder = Annotated[Path, typer.Option("--index", "-i", envvar="PATSEARCH_INDEX", help="Folder of the index.")]
IndexArgument = Annotated[Path, typer.Argument(metavar="DIR", envvar="PATSEARCH_INDEX", help="Folder of the index.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", help="cpc=D14, granted=2015..2018, title~chair ...; repeatable, all must hold."),
]
Rotations = Annotated[bool, typer.Option("--rotations", help="Also try copies turned by 90, 180, 270 degrees.")]
Mirror = Annotated[bool, typer.Option("--mirror", help="Also try mirrored copies.")]
Style = Annotated[
    float | None,
    typer.Option(
        "--style",
        metavar="0..1",
        help="How much the drawing style counts: 0 (default) the shape alone; 1 finds the same hand or patent first.",
    ),
]
Shape = Annotated[bool, typer.Option("--shape", hidden=True, help="The same as --style 0, which is the default.")]


def style_option(style: float | None, shape: bool) -> dict[str, float]:
    """The style as a question takes it, left out where it is not given.

    Raises:
        UsageError: --shape contradicts --style.
    """
    if shape and style:
        raise UsageError(f"--shape and --style {style:g} contradict each other.", hint="Leave --shape out.")
    return {} if style is None else {"style": style}


RerankText = Annotated[
    str | None,
    typer.Option("--rerank", metavar="K1,K2,LAMBDA", help="Re-rank the best by mutual neighbours, as in 7,2,0.5."),
]
ExpandText = Annotated[
    str | None,
    typer.Option("--expand", metavar="N,ALPHA", help="Repeat the search with the first N results, as in 3,3."),
]
