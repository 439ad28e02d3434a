"""How a user names a dataset on the command line.

| text                                  | what                                                            |
|---------------------------------------|-----------------------------------------------------------------|
| `index:DIR`                           | the vectors of an index; same patent = relevant, leave-one-out  |
| `deeppatent:DIR[?split=val&lists=DIR]`| DeepPatent's queries and gallery; split `test` (default) or `val`|
| `trec:DIR`                            | `queries.txt`, `gallery.txt` and `qrels.txt` in DIR             |
| `sketches:DIR[?set=chairs]`           | sketches that should find the drawing they were made from        |
| a path, repeatable                    | anything that ingest reads; same patent = relevant, leave-one-out|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

from patsearch.errors import InputError, UsageError
from patsearch.files import at_home

Kind = Literal["index", "deeppatent", "trec", "sketches", "source"]
_PREFIXES: tuple[Kind, ...] = ("index", "deeppatent", "trec", "sketches")
_HINT = "Name index:DIR, deeppatent:DIR?split=test, trec:DIR, sketches:DIR, or what ingest reads."


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A dataset as it was named; nothing has been read yet.

    Attributes:
        kind: how it is built.
        paths: one folder, or the sources.
        split: of DeepPatent: `test` or `val`.
        lists: of DeepPatent: folder of the list files; None is to look in the dataset's own.
        chosen: of sketches: the set, where the folder has several.
    """

    kind: Kind
    paths: tuple[Path, ...]
    split: str = "test"
    lists: Path | None = None
    chosen: str | None = None

    @property
    def listed(self) -> bool:
        """Whether it is lists of images, each taken as it is, with judgements."""
        return self.kind in ("trec", "sketches")

    @property
    def name(self) -> str:
        """For tables and run files."""
        if self.kind == "source":
            return " + ".join(path.name or str(path) for path in self.paths)
        split = f"?split={self.split}" if self.kind == "deeppatent" else f"?set={self.chosen}" if self.chosen else ""
        return f"{self.kind}:{self.paths[0].name or self.paths[0]}{split}"


def parse_dataset(texts: Sequence[str]) -> DatasetSpec:
    """Read what `--dataset` was given, once or several times.

    Raises:
        UsageError: nothing, an unknown parameter, or a named dataset together with another one.
    """
    if not texts:
        raise UsageError("No dataset given.", hint=_HINT)
    specs = [_parse_one(text) for text in texts]
    if len(specs) == 1:
        return specs[0]
    if any(spec.kind != "source" for spec in specs):
        raise UsageError("Only sources can be joined into one dataset.", hint=_HINT)
    return DatasetSpec("source", tuple(path for spec in specs for path in spec.paths))


def _parse_one(text: str) -> DatasetSpec:
    prefix, colon, rest = text.partition(":")
    kind = next((k for k in _PREFIXES if colon and prefix == k), None)
    if kind is None:
        return DatasetSpec("source", (at_home(text),))
    folder, question, query = rest.partition("?") if kind in ("deeppatent", "sketches") else (rest, "", "")
    if not folder:
        raise UsageError(f"Invalid --dataset {text!r}: expected a folder after the colon.", hint=_HINT)
    path = (at_home(folder),)
    if not question:
        return DatasetSpec(kind, path)
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    if kind == "sketches":
        if parameters.keys() != {"set"} or not parameters["set"]:
            raise UsageError(f"Invalid --dataset {text!r}: unknown parameter.", hint="Known: set=NAME.")
        return DatasetSpec(kind, path, chosen=parameters["set"])
    split, lists = parameters.pop("split", "test"), parameters.pop("lists", None)
    if parameters or split not in ("test", "val"):
        wrong = next(iter(parameters), f"split={split}")
        raise UsageError(
            f"Invalid --dataset {text!r}: unknown parameter {wrong!r}.", hint="Known: split=test, split=val, lists=DIR."
        )
    return DatasetSpec(kind, path, split, at_home(lists) if lists else None)


def deeppatent_lists(spec: DatasetSpec) -> tuple[Path, Path]:
    """DeepPatent's list of queries and list of gallery drawings, of the split.

    Raises:
        InputError: one of them is not there.
    """
    names = (f"{spec.split}_query_patent.txt", f"{spec.split}_db_patent.txt")
    folders = [spec.lists] if spec.lists else [spec.paths[0], spec.paths[0] / "lists", spec.paths[0].parent]
    for folder in folders:
        queries, gallery = (folder / name for name in names)
        if queries.is_file() and gallery.is_file():
            return queries, gallery
    raise InputError(
        f"{names[0]} and {names[1]} are not in {folders[0]}.",
        hint="Name their folder: deeppatent:DIR?lists=FOLDER.",
    )
