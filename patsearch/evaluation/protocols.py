"""From materials to datasets: each kind of dataset's own protocol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from patsearch.errors import UsageError
from patsearch.evaluation.cited import DEFAULT_SHARED
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.datasets import Protocol, Relevant, RetrievalDataset, from_lists, leave_one_out
from patsearch.evaluation.materials import Material
from patsearch.evaluation.specs import DatasetSpec, deeppatent_lists
from patsearch.filters import Filter
from patsearch.ingest.sources.deeppatent import read_list
from patsearch.numbers import normal_number


def build_dataset(
    spec: DatasetSpec,
    material: Material,
    protocol: Protocol,
    where: Filter,
    relevant: Relevant = "patent",
    *,
    shared: int = DEFAULT_SHARED,
) -> RetrievalDataset:
    """The dataset of one protocol.

    Args:
        shared: see `leave_one_out`.
        where: chooses queries and gallery among the dataset's own drawings, never among distractors.
        relevant: see `leave_one_out`; lists have their own judgements.

    Raises:
        UsageError: no query or no relevant drawing is left, or `relevant` does not go with lists.
        InputError: a list cannot be read.
    """
    notes = material.notes
    if relevant != "patent" and (spec.kind == "deeppatent" or spec.listed):
        raise UsageError(f"{spec.name} has its own judgements.", hint="Use --relevance with a source or an index.")
    if spec.kind == "deeppatent":
        return _deeppatent(spec, material, protocol, where)
    if spec.listed:
        return _listed_images(spec, material, protocol, where)
    if protocol.front_pages and not any(d.front_page for d in material.collection.drawings):
        notes = (*notes, "it has no front pages")
    return leave_one_out(
        spec.name, material.collection, protocol=protocol, where=where, distractors=material.distractors,
        relevant=relevant, shared=shared, notes=notes,
    )  # fmt: skip


def _listed_images(spec: DatasetSpec, material: Material, protocol: Protocol, where: Filter) -> RetrievalDataset:
    assert material.lists is not None
    known = _kept(material.collection, where, protocol)
    queries = [i.id for i in material.lists.queries if i.id in known]
    gallery = [i.id for i in material.lists.gallery if i.id in known]
    judgements = material.lists.judgements
    notes = [*material.notes, "each listed image is one drawing, taken as it is"]
    if unknown := len(judgements.keys() - set(queries)):
        notes.append(f"{unknown} judged queries are not in the list of queries")
    return from_lists(
        spec.name, material.collection, queries, gallery, protocol=protocol, judgements=judgements,
        distractors=_usable(material.distractors, protocol), notes=notes,
    )  # fmt: skip


def _deeppatent(spec: DatasetSpec, material: Material, protocol: Protocol, where: Filter) -> RetrievalDataset:
    """DeepPatent (Kucer et al., WACV 2022): queries and gallery disjoint, same label = relevant.

    The lists' label decides, not the patent's number; a label means nothing beyond its two lists.
    The published protocol is whole sheets with front pages and photographs, no filter and no distractors.
    """
    known = _kept(material.collection, where, protocol)
    by_sheet: dict[tuple[str, str], list[str]] = defaultdict(list)
    for drawing in material.collection.drawings:
        if drawing.id in known:
            by_sheet[drawing.patent, drawing.sheet].append(drawing.id)
    labels: dict[str, str] = {}
    lists = [_listed(path, by_sheet, labels) for path in deeppatent_lists(spec)]
    if not all(lists):
        raise UsageError(f"No drawing in the lists of {spec.name} was found.", hint="Check the folder.")
    exact = protocol.whole_sheets and protocol.front_pages and not where and not material.distractors
    note = (
        "the published protocol" if exact else "not the published protocol, which takes whole sheets with front pages"
    )
    return from_lists(
        spec.name, material.collection, lists[0], lists[1], protocol=protocol, labels=labels,
        distractors=_usable(material.distractors, protocol), notes=[*material.notes, note],
    )  # fmt: skip


def _listed(path: Path, by_sheet: Mapping[tuple[str, str], Sequence[str]], labels: dict[str, str]) -> list[str]:
    """Ids of the drawings that a list names; their labels go into `labels`."""
    found: list[str] = []
    for name, label in read_list(path):
        for drawing in by_sheet.get(sheet_of(name), ()):
            found.append(drawing)
            labels[drawing] = str(label)
    return found


def sheet_of(name: str) -> tuple[str, str]:
    """Patent and sheet of a listed file.

    `I20181127/USD0834581-20181127/USD0834581-20181127-D00002.png` is USD834581, D00002.
    """
    number, _, rest = PurePosixPath(name).stem.partition("-")
    return normal_number(number), rest.partition("-")[2].upper()


def _kept(collection: Collection, where: Filter, protocol: Protocol) -> set[str]:
    where = where.among(collection.drawings)
    return {d.id for d in collection.drawings if (protocol.front_pages or not d.front_page) and where.matches(d)}


def _usable(distractors: Collection | None, protocol: Protocol) -> Collection | None:
    if distractors is None or protocol.front_pages:
        return distractors
    return distractors.kept([not d.front_page for d in distractors.drawings])
