"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
Shape = Annotated[
    bool, typer.Option("--shape", help="Compare by shape alone, not by drawing style too: for sketches and photos.")
]
RerankText = Annotated[
    str | None,
    typer.Option("--rerank", metavar="K1,K2,LAMBDA", help="Re-rank the best by mutual neighbours, as in 7,2,0.5."),
]
ExpandText = Annotated[
    str | None,
    typer.Option("--expand", metavar="N,ALPHA", help="Repeat the search with the first N results, as in 3,3."),
]
