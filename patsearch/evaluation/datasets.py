"""Retrieval datasets: the queries, the drawings that are searched, and the right answers.

Two ways to make one from a collection of drawings:

- `leave_one_out`: every drawing is a query for the other drawings of its patent, or for other patents of its kind;
- `from_lists`: lists of queries and gallery, with judgements (TREC) or labels (DeepPatent).

A query that is also in the gallery is always left out of its own ranking.

A front page (`D00000`) repeats another sheet of its patent in about half of the patents. With front
pages in the gallery, the best hit of such a sheet is its own copy and every metric rises; without
them, the task is to find another view. Both can be reported, never mixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from patsearch.errors import UsageError
from patsearch.evaluation.cited import DEFAULT_SHARED, cited_relevance, examined
from patsearch.evaluation.collection import Collection
from patsearch.evaluation.ranking import Vectors
from patsearch.evaluation.relevance import NotEarlier, Positions, Relevance
from patsearch.filters import Filter
from patsearch.titles import head_noun
from patsearch.types import Drawing

# Judgements: query id -> drawing id -> degree of relevance.
Judgements = Mapping[str, Mapping[str, float]]
# What makes a drawing right for a query.
Relevant = Literal["patent", "class", "title", "cited"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """What counts as a drawing: figures or whole sheets, front pages in or out."""

    whole_sheets: bool
    front_pages: bool

    def __str__(self) -> str:
        kind = "whole sheets" if self.whole_sheets else "figures"
        return f"{kind}, {'with' if self.front_pages else 'without'} front pages"

    @property
    def slug(self) -> str:
        """The same for file names: `figures`, `sheets-front-pages`."""
        return ("sheets" if self.whole_sheets else "figures") + ("-front-pages" if self.front_pages else "")


@dataclass(frozen=True, slots=True)
class RetrievalDataset:
    """Queries, gallery and judgements over one collection.

    Attributes:
        name: as the user named it.
        collection: all drawings concerned, with their vectors.
        queries: (Q,) int64, rows of the collection.
        gallery: (G,) int64, rows of the collection, ascending, so that ties break by id.
        relevance: for each query the relevant gallery positions (not rows).
        own: (Q,) int64, the query's own gallery position, -1 where it is not in the gallery.
        protocol: what counts as a drawing.
        distractors: number of gallery drawings that are right for no query.
        notes: what to know when reading the figures.
        ignored: gallery positions that are left out of each query's ranking, neither right nor wrong.
    """

    name: str
    collection: Collection
    queries: Positions
    gallery: Positions
    relevance: Relevance
    own: Positions
    protocol: Protocol
    distractors: int = 0
    notes: tuple[str, ...] = ()
    ignored: Relevance | NotEarlier | None = None

    @property
    def leave_one_out(self) -> bool:
        """Whether queries come from the gallery."""
        return bool((self.own >= 0).any())

    @property
    def judged(self) -> int:
        """Number of queries with a relevant drawing: those that the metrics are means over."""
        return int(np.count_nonzero(self.relevance.counts))

    def query(self, number: int) -> Drawing:
        return self.collection.drawings[int(self.queries[number])]

    def at(self, position: int) -> Drawing:
        """The drawing at a gallery position."""
        return self.collection.drawings[int(self.gallery[position])]

    def query_vectors(self) -> Vectors:
        """(Q, dim) float32."""
        return self.collection.vectors[self.queries]

    def gallery_vectors(self) -> Vectors:
        """(G, dim) float32; no copy where the whole collection is the gallery."""
        if len(self.gallery) == len(self.collection):
            return self.collection.vectors
        return self.collection.vectors[self.gallery]

    def fingerprint(self) -> str:
        """Sixteen hex digits that identify queries, gallery and judgements, not the vectors.

        Two runs with the same fingerprint can be compared query by query.
        """
        digest = hashlib.blake2b(digest_size=8)
        for rows in (self.queries, self.gallery):
            digest.update("\0".join(self.collection.drawings[r].id for r in rows).encode() + b"\1")
        ignored = () if self.ignored is None else self.ignored.arrays
        for array in (self.own, *self.relevance.arrays, *ignored):
            digest.update(array.tobytes())
        return digest.hexdigest()

    def sampled(self, count: int, seed: int = 0) -> RetrievalDataset:
        """Up to `count` of the queries that have something to find, drawn at random; same gallery."""
        able = np.flatnonzero(self.relevance.counts)
        if len(able) <= count:
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(able, size=count, replace=False))
        note = f"{count} of {len(able)} queries, drawn at random (seed {seed})"
        return replace(
            self,
            queries=self.queries[chosen],
            relevance=self.relevance.of(chosen),
            own=self.own[chosen],
            notes=(*self.notes, note),
            ignored=self.ignored and self.ignored.of(chosen),
        )


def leave_one_out(
    name: str,
    collection: Collection,
    *,
    protocol: Protocol,
    where: Filter | None = None,
    distractors: Collection | None = None,
    relevant: Relevant = "patent",
    shared: int = DEFAULT_SHARED,
    notes: Sequence[str] = (),
) -> RetrievalDataset:
    """Every drawing is a query for the other drawings of its patent, or for other patents' of its kind.

    Args:
        relevant: what makes a drawing right: the same patent; or, of another patent, the same class or main class and
            head noun of the title (`group_of`), or that the examiner cited it (`patsearch.evaluation.cited`). The
            drawings of the query's own patent are then left out.
        shared: with "cited", references of the examiner that make two patents close.
        collection: queries and right answers.
        protocol: without front pages, `D00000` is not a query, an answer or a distractor.
        where: only matching drawings of `collection`; distractors are not filtered.
        distractors: drawings added to the gallery. Those of a patent that is in `collection` too
            are left out: they would be right answers counted as wrong.

    Raises:
        UsageError: no drawing is left, or none has what is compared.
    """
    where = (where or Filter()).among(collection.drawings)
    noted = list(notes)
    own = collection.kept([_wanted(d, protocol) and where.matches(d) for d in collection.drawings])
    if not len(own):
        raise UsageError(
            f"{name} has no drawing to search with ({protocol}{f', {where}' if where else ''}).",
            hint="Check the filter, and whether the drawings were ingested.",
        )
    everything, added = own, 0
    if distractors is not None:
        patents = {d.patent for d in collection.drawings}
        usable = [_wanted(d, protocol) for d in distractors.drawings]
        foreign = distractors.kept(
            [u and d.patent not in patents for u, d in zip(usable, distractors.drawings, strict=True)]
        )
        if dropped := sum(usable) - len(foreign):
            noted.append(f"{dropped} distractors left out: their patents are in the dataset")
        everything, added = own.joined(foreign), len(foreign)
    ids = {d.id for d in own.drawings}
    queries = np.array([row for row, d in enumerate(everything.drawings) if d.id in ids], dtype=np.int64)
    gallery = np.arange(len(everything), dtype=np.int64)
    if relevant == "cited":
        return _by_citations(
            RetrievalDataset(
                name, everything, queries, gallery, Relevance.from_rows([]), queries, protocol, added, tuple(noted)
            ),
            shared,
        )
    patents_of = [d.patent for d in everything.drawings]
    same_patent = Relevance.same_group([patents_of[q] for q in queries], patents_of, queries)
    if relevant == "patent":
        noted.append("every drawing is a query for the others of its patent; it is left out of its own ranking")
        return RetrievalDataset(
            name, everything, queries, gallery, same_patent, queries, protocol, added, tuple(noted)
        )  # fmt: skip
    groups = [group_of(d, relevant) for d in everything.drawings]
    if not any(groups):
        raise UsageError(
            f"No drawing of {name} has a {'class and a title' if relevant == 'title' else 'class'}.",
            hint="Add them by --metadata, or use --relevance patent.",
        )
    # A drawing without a group is right for no query and has nothing to find.
    named = [group or f"\0{row}" for row, group in enumerate(groups)]
    relevance = Relevance.same_group([named[q] for q in queries], named, queries).without(same_patent)
    what = "class" if relevant == "class" else "main class whose title has the same head noun"
    noted.append(f"relevant is another patent of the same {what}; the query's own patent is left out of its ranking")
    return RetrievalDataset(
        name, everything, queries, gallery, relevance, queries, protocol, added, tuple(noted), same_patent
    )  # fmt: skip


def _by_citations(dataset: RetrievalDataset, shared: int) -> RetrievalDataset:
    """The dataset with relevance by citations."""
    if shared < 1:
        raise UsageError(f"Invalid --shared {shared}: expected a number of at least 1.")
    drawings = dataset.collection.drawings
    if not any(examined(d) for d in drawings):
        raise UsageError(
            f"No patent of {dataset.name} has citations by an examiner.",
            hint="Ingest grants of the office, or add them: patsearch ingest --bibliography-only SOURCE --index DIR.",
        )
    relevance, ignored = cited_relevance(drawings, dataset.queries, shared=shared)
    nothing = int((relevance.counts == 0).sum())
    notes = (
        f"relevant is an earlier patent that the examiner cited, or that shares {shared} of the examiner's references; "
        "the query's own patent and what is not earlier are left out of its ranking",
        f"{nothing} of {len(relevance)} queries have nothing to find: the gallery has nothing that is close to them",
    )
    return replace(dataset, relevance=relevance, ignored=ignored, notes=(*dataset.notes, *notes))


def group_of(drawing: Drawing, relevant: Relevant) -> str:
    """What a drawing has in common with those that are right for it; empty where it is not known.

    "class" is its first US design class, or Locarno class, or any other: the whole code. "title" is the main class of
    that and the head noun of the title.
    """
    if relevant == "patent":
        return drawing.patent
    of_scheme = {code.scheme: code for code in reversed(drawing.classes)}
    code = of_scheme.get("uspc") or of_scheme.get("locarno") or next(iter(drawing.classes), None)
    if code is None:
        return ""
    if relevant == "class":
        return f"{code.scheme} {code.code}"
    noun = head_noun(drawing.title)
    return f"{code.scheme} {code.ancestors[0]} {noun}" if noun else ""


def from_lists(
    name: str,
    collection: Collection,
    query_ids: Sequence[str],
    gallery_ids: Sequence[str],
    *,
    protocol: Protocol,
    judgements: Judgements | None = None,
    labels: Mapping[str, str] | None = None,
    distractors: Collection | None = None,
    notes: Sequence[str] = (),
) -> RetrievalDataset:
    """Queries and gallery by drawing id.

    Args:
        query_ids, gallery_ids: drawings of the collection.
        judgements: which drawings are right for which query.
        labels: group of each drawing id, instead of judgements: the same group is right.
        distractors: drawings added to the gallery.

    Raises:
        UsageError: neither or both of judgements and labels; an id is not in the collection; a list is empty.
    """
    if (judgements is None) == (labels is None):
        raise UsageError("A dataset of lists needs either judgements or labels.")
    if not query_ids or not gallery_ids:
        raise UsageError(f"{name} has an empty list of {'gallery drawings' if query_ids else 'queries'}.")
    everything = collection if distractors is None else collection.joined(distractors)
    row_of = {d.id: row for row, d in enumerate(everything.drawings)}
    added = [] if distractors is None else [d.id for d in distractors.drawings]
    gallery = np.unique(_rows(row_of, [*gallery_ids, *added]))
    queries = np.unique(_rows(row_of, query_ids))
    position_of = {int(row): position for position, row in enumerate(gallery)}
    own = np.array([position_of.get(int(row), -1) for row in queries], dtype=np.int64)
    query_ids = [everything.drawings[row].id for row in queries]
    searched = [everything.drawings[row].id for row in gallery]
    if labels is not None:
        # A distractor has no label; its id makes it a group by itself.
        groups = [labels.get(i, f"\0{i}") for i in searched]
        relevance = Relevance.same_group([labels[i] for i in query_ids], groups, own)
    else:
        relevance = Relevance.from_qrels(query_ids, searched, judgements or {}, own)
    return RetrievalDataset(
        name, everything, queries, gallery, relevance, own, protocol, len(added), tuple(notes)
    )  # fmt: skip


def _wanted(drawing: Drawing, protocol: Protocol) -> bool:
    return protocol.front_pages or not drawing.front_page


def _rows(row_of: Mapping[str, int], ids: Sequence[str]) -> Positions:
    missing = [i for i in ids if i not in row_of]
    if missing:
        raise UsageError(f"{len(missing)} listed drawings were not found, such as {missing[0]}.")
    return np.array([row_of[i] for i in ids], dtype=np.int64)
