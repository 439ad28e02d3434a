"""The promises of every backend as tests: inherit `BackendContract` and supply one fixture.

    class TestMyBackend(BackendContract):
        @pytest.fixture
        def store(self, tmp_path):
            return Store(MyBackend, tmp_path / "index")

        @pytest.fixture(scope="class")  # not required: tests that only read then share one index
        @classmethod
        def shared_store(cls, tmp_path_factory):
            return Store(MyBackend, tmp_path_factory.mktemp("shared") / "index")

Random data and filters are seeded; a failure names the filter and the seed. Scores may differ from
the exact cosine by `TOLERANCE`, so that backends which keep half precision pass.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from patsearch.backends.base import Backend, Embeddings, IndexSpec, Location
from patsearch.errors import EncoderMismatch, IndexNotFound, UsageError
from patsearch.filters import Filter, not_patent, only_patent, parse_filter
from patsearch.types import Drawing, Patent
from patsearch_contract.samples import SPEC, nearest, random_drawings, random_filter, random_vectors

Filled = tuple[Backend, list[Drawing], Embeddings]

TOLERANCE = 2e-3
_KILLED = """
import os, signal, sys
from importlib import import_module
from patsearch_contract.samples import SPEC, nearest, random_drawings, random_filter, random_vectors
module, name, location = sys.argv[1:]
backend = getattr(import_module(module), name).open(location, read_only=False)
backend.upsert(random_drawings(60, seed=5)[:50], random_vectors(60, seed=5)[:50])
backend.delete([d.id for d in random_drawings(60, seed=5)[:7]])
os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows, SIGTERM ends a process as abruptly
"""


@dataclass
class Store:
    """How to make and open a backend: its class, a fresh location, and keyword options for both.

    The class must be importable by its module and name: one test opens it in another process.
    """

    kind: type[Backend]
    location: Location
    options: dict[str, Any] = field(default_factory=dict)

    def create(self, spec: IndexSpec = SPEC) -> Backend:
        return self.kind.create(self.location, spec, **self.options)

    def open(self, *, read_only: bool = True) -> Backend:
        return self.kind.open(self.location, read_only=read_only, **self.options)


class BackendContract:
    """Inherit and supply the fixture `store`."""

    @pytest.fixture
    def store(self) -> Store:
        """A `Store` with a location that holds no index yet."""
        pytest.fail("supply the fixture `store`")

    @pytest.fixture(scope="class")
    @classmethod
    def shared_store(cls) -> Store | None:
        """A second such `Store`, filled once a class, for the tests that only read. None: each test fills its own."""
        return None

    @pytest.fixture
    def backend(self, store: Store) -> Iterator[Backend]:
        with store.create() as backend:
            yield backend

    @classmethod
    def fill(cls, backend: Backend) -> tuple[list[Drawing], Embeddings]:
        """Store 300 random drawings, some of them twice (the later data count), delete some; give what is left."""
        drawings, vectors = random_drawings(340, seed=1), random_vectors(390, seed=1)
        backend.upsert(drawings[:200], vectors[:200])
        renewed = [replace(d, title=d.title + " renewed", granted=None) for d in drawings[150:200]]
        backend.upsert(renewed, vectors[340:])
        backend.upsert(drawings[200:], vectors[200:340])
        assert backend.delete([d.id for d in drawings[300:]]) == 40
        kept = np.concatenate([vectors[:150], vectors[340:], vectors[200:300]])
        return drawings[:150] + renewed + drawings[200:300], kept

    @pytest.fixture
    def filled(self, backend: Backend) -> Filled:
        """A backend that `fill` filled for this test alone."""
        return backend, *self.fill(backend)

    @pytest.fixture(scope="class")
    @classmethod
    def filled_once(cls, shared_store: Store | None) -> Iterator[Filled | None]:
        if shared_store is None:
            yield None
            return
        with shared_store.create() as backend:
            yield backend, *cls.fill(backend)

    @pytest.fixture
    def stored(self, filled_once: Filled | None, request: pytest.FixtureRequest) -> Filled:
        """What `filled` holds, for tests that only read."""
        found: Filled = filled_once or request.getfixturevalue("filled")
        return found

    # ------------------------------------------------------------------ storing

    def test_an_empty_index_answers_with_nothing(self, backend: Backend) -> None:
        assert backend.search(random_vectors(2), k=5) == [[], []]
        assert backend.search(random_vectors(1), where=parse_filter("uspc=D14")) == [[]]
        assert backend.count() == backend.count(parse_filter("title~chair")) == backend.patents() == 0
        assert backend.get(["x"]) == {}
        assert list(backend.scan()) == []
        assert backend.delete(["x"]) == 0
        assert backend.verify() == []

    def test_what_was_stored_comes_back(self, stored: Filled) -> None:
        backend, drawings, vectors = stored
        found = backend.get([d.id for d in drawings] + ["not there"])
        assert found.keys() == {d.id for d in drawings}
        for drawing, vector in zip(drawings, vectors, strict=True):
            assert found[drawing.id][0] == drawing
            np.testing.assert_allclose(found[drawing.id][1], vector, atol=TOLERANCE)

    def test_storing_twice_changes_nothing(self, backend: Backend) -> None:
        drawings, vectors = random_drawings(30), random_vectors(30)
        backend.upsert(drawings, vectors)
        before = backend.search(vectors[:3], k=5)
        backend.upsert(drawings, vectors)
        assert backend.count() == 30
        assert backend.search(vectors[:3], k=5) == before

    def test_an_empty_upsert_is_fine(self, backend: Backend) -> None:
        backend.upsert([], np.empty((0, SPEC.dim), dtype=np.float32))
        assert backend.count() == 0

    def test_a_new_version_replaces_vector_and_data(self, backend: Backend) -> None:
        (drawing,), vectors = random_drawings(1), random_vectors(2)
        backend.upsert([drawing], vectors[:1])
        changed = replace(drawing, title="Quite another name")
        backend.upsert([changed], vectors[1:])
        (hits,) = backend.search(vectors[1], k=5)
        assert [hit.drawing for hit in hits] == [changed]
        assert hits[0].score == pytest.approx(1.0, abs=TOLERANCE)
        assert backend.count(parse_filter("title~quite")) == 1

    def test_inputs_are_not_changed(self, backend: Backend) -> None:
        drawings, vectors = random_drawings(20), random_vectors(20)
        kept_drawings, kept_vectors, ids = list(drawings), vectors.copy(), [d.id for d in drawings]
        backend.upsert(drawings, vectors)
        backend.search(vectors, k=3)
        backend.delete(ids)
        assert drawings == kept_drawings
        assert ids == [d.id for d in drawings]
        np.testing.assert_array_equal(vectors, kept_vectors)

    def test_deleted_drawings_are_gone(self, filled: Filled) -> None:
        backend, drawings, vectors = filled
        gone = [d.id for d in drawings[:10]]
        assert backend.delete([*gone, gone[0], "never there"]) == 10
        assert backend.delete(gone) == 0
        assert backend.get(gone) == {}
        assert backend.count() == len(drawings) - 10
        hits = backend.search(vectors[:10], k=20)
        assert not {hit.drawing.id for line in hits for hit in line} & set(gone)

    def test_deleting_by_filter(self, filled: Filled) -> None:
        backend, drawings, _ = filled
        where = parse_filter("granted=2005..2012")
        wanted = sum(where.matches(d) for d in drawings)
        assert backend.delete_where(where) == wanted > 0
        assert backend.count(where) == 0
        assert backend.count() == len(drawings) - wanted
        with pytest.raises(UsageError):
            backend.delete_where(Filter())

    # ------------------------------------------------------------------ searching

    @pytest.mark.parametrize("k", [1, 10, 1000])
    def test_the_closest_come_first(self, stored: Filled, k: int) -> None:
        backend, drawings, vectors = stored
        for exact in (False, True):
            self._check_hits(backend, drawings, vectors, k=k, where=Filter(), exact=exact, label=f"exact={exact}")

    def test_ties_are_ordered_by_id(self, backend: Backend) -> None:
        drawings, vector = random_drawings(40), random_vectors(1)
        order = np.random.default_rng(3).permutation(40)
        for part in np.array_split(order, 3):
            backend.upsert([drawings[i] for i in part], np.repeat(vector, len(part), axis=0))
        (hits,) = backend.search(vector, k=7)
        assert [hit.drawing.id for hit in hits] == sorted(d.id for d in drawings)[:7]
        assert len({hit.score for hit in hits}) == 1
        (hits,) = backend.search(vector, k=100)
        assert [hit.drawing.id for hit in hits] == sorted(d.id for d in drawings)

    def test_many_queries_are_as_one_by_one(self, stored: Filled) -> None:
        backend, _, _ = stored
        queries = random_vectors(80, seed=9)
        together = backend.search(queries, k=5)
        for query, hits in zip(queries, together, strict=True):
            (alone,) = backend.search(query, k=5)
            assert [h.drawing.id for h in alone] == [h.drawing.id for h in hits]
            np.testing.assert_allclose([h.score for h in alone], [h.score for h in hits], atol=1e-5)

    def test_no_query_no_answer(self, stored: Filled) -> None:
        assert stored[0].search(np.empty((0, SPEC.dim), dtype=np.float32)) == []

    @pytest.mark.parametrize("seed", range(40))
    def test_filters_mean_what_matches_says(self, stored: Filled, seed: int) -> None:
        backend, drawings, vectors = stored
        for step in range(3):
            given = random_filter(np.random.default_rng([seed, step]), drawings, lookups=True)
            where = given.among(drawings)
            label = f"filter {str(where)!r}, seed {seed}, step {step}"
            wanted = sorted(d.id for d in drawings if where.matches(d))
            assert backend.count(given) == len(wanted), label
            assert list(backend.ids(given)) == wanted, label
            assert [d.id for part, _ in backend.scan(given, batch=17) for d in part] == wanted, label
            assert sorted(d.id for part in backend.payloads(given) for d in part) == wanted, label
            assert backend.patents(given) == len({d.patent for d in drawings if where.matches(d)}), label
            self._check_hits(backend, drawings, vectors, k=10, where=where, exact=False, label=label)
            hits = [[hit.drawing.id for hit in line] for line in backend.search(vectors[:2], k=10, where=given)]
            assert hits == [[h.drawing.id for h in line] for line in backend.search(vectors[:2], k=10, where=where)]

    def test_data_are_added_to_what_is_stored(self, backend: Backend) -> None:
        drawings, vectors = random_drawings(80, seed=6), random_vectors(80, seed=6)
        bare = [replace(d, bibliography=None, filed=None) for d in drawings[:40]] + drawings[40:]
        backend.upsert(bare, vectors)
        assert backend.delete([bare[0].id]) == 1
        known: dict[str, Patent] = {}
        for d in drawings[:30]:
            known.setdefault(d.patent, Patent(d.patent, title="Added", filed=d.filed, bibliography=d.bibliography))
        kept = bare[1:]
        stored = known.keys() & {d.patent for d in kept}
        assert backend.amend([*known.values(), Patent("USD1", title="unknown")]) == stored
        wanted = {d.id: d.amended(known[d.patent]) if d.patent in known else d for d in kept}
        found = backend.get(list(wanted))
        assert {id_: drawing for id_, (drawing, _) in found.items()} == wanted
        for d, vector in zip(kept, vectors[1:], strict=True):
            np.testing.assert_allclose(found[d.id][1], vector, atol=TOLERANCE)
        for seed in range(30):
            where = random_filter(np.random.default_rng([seed, 9]), list(wanted.values()))
            assert list(backend.ids(where)) == sorted(i for i, d in wanted.items() if where.matches(d)), str(where)
        assert backend.amend(list(known.values())) == stored
        assert backend.verify() == []
        backend.compact()
        assert {i: d for i, (d, _) in backend.get(list(wanted)).items()} == wanted

    @pytest.mark.parametrize("text", ["title~" + "a" * 5000, "figure=1'; --"])
    def test_odd_filters_match_nothing(self, stored: Filled, text: str) -> None:
        backend, drawings, vectors = stored
        assert backend.count(parse_filter(text)) == 0
        assert backend.search(vectors[0], where=parse_filter(text)) == [[]]
        assert backend.count(parse_filter(text.replace("=", "!=", 1).replace("~", "!~", 1))) == len(drawings)

    def test_a_number_that_nothing_can_store(self, stored: Filled) -> None:
        backend, drawings, _ = stored
        assert backend.count(only_patent("\udcff")) == 0
        assert backend.count(not_patent("\udcff")) == len(drawings)

    def test_scan_goes_by_id_in_batches(self, stored: Filled) -> None:
        backend, drawings, vectors = stored
        by_id = {d.id: v for d, v in zip(drawings, vectors, strict=True)}
        seen: list[str] = []
        for part, found in backend.scan(batch=64):
            assert 0 < len(part) <= 64
            assert found.shape == (len(part), SPEC.dim)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, [by_id[d.id] for d in part], atol=TOLERANCE)
            seen += [d.id for d in part]
        assert seen == sorted(by_id)

    # ------------------------------------------------------------------ refusing

    def test_vectors_that_do_not_belong_are_refused(self, backend: Backend) -> None:
        drawings, vectors = random_drawings(2), random_vectors(2)
        with pytest.raises(EncoderMismatch):
            backend.upsert(drawings, np.ones((2, SPEC.dim + 1), dtype=np.float32))
        with pytest.raises(EncoderMismatch):
            backend.search(np.ones((1, SPEC.dim - 1), dtype=np.float32))
        for bad in (np.full_like(vectors, np.nan), vectors * 2, vectors * 0):
            with pytest.raises(UsageError):
                backend.upsert(drawings, bad)
            with pytest.raises(UsageError):
                backend.search(bad)
        with pytest.raises(UsageError):
            backend.upsert(drawings, vectors[:1])
        with pytest.raises(UsageError):
            backend.upsert([drawings[0], drawings[0]], vectors)
        with pytest.raises(UsageError):
            backend.search(vectors, k=0)
        assert backend.count() == 0

    def test_opening_what_is_not_there(self, store: Store) -> None:
        with pytest.raises(IndexNotFound):
            store.open()
        with pytest.raises(IndexNotFound):
            store.open(read_only=False)

    def test_making_an_index_twice(self, store: Store) -> None:
        store.create().close()
        with pytest.raises(UsageError):
            store.create()

    # ------------------------------------------------------------------ lasting

    def test_everything_survives_reopening(self, store: Store) -> None:
        drawings, vectors = random_drawings(50), random_vectors(50)
        with store.create() as backend:
            backend.upsert(drawings, vectors)
            backend.delete([drawings[0].id])
            before = backend.search(vectors[:4], k=6)
        for read_only in (True, False):
            with store.open(read_only=read_only) as backend:
                assert backend.spec == SPEC
                assert backend.read_only is read_only
                assert backend.count() == 49
                assert backend.search(vectors[:4], k=6) == before
                assert backend.verify() == []

    def test_a_reader_does_not_write(self, store: Store) -> None:
        store.create().close()
        with store.open() as backend:
            for write in (
                lambda: backend.upsert(random_drawings(1), random_vectors(1)),
                lambda: backend.delete(["x"]),
                backend.compact,
            ):
                with pytest.raises(UsageError):
                    write()

    def test_closing_twice(self, store: Store) -> None:
        backend = store.create()
        backend.close()
        backend.close()

    def test_what_was_acknowledged_survives_kill_9(self, store: Store) -> None:
        drawings, vectors = random_drawings(60, seed=5), random_vectors(60, seed=5)
        with store.create() as backend:
            backend.upsert(drawings[50:], vectors[50:])
        command = [sys.executable, "-c", _KILLED, store.kind.__module__, store.kind.__name__, str(store.location)]
        # The other process finds what this one does, a backend in a folder of tests too.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        ended = subprocess.run(command, check=False, env=environment).returncode  # noqa: S603  our own code
        assert ended == (signal.SIGTERM if sys.platform == "win32" else -signal.SIGKILL)
        with store.open(read_only=False) as backend:
            assert list(backend.ids()) == sorted(d.id for d in drawings[7:])
            assert backend.verify() == []
            self._check_hits(backend, drawings[7:], vectors[7:], k=10, where=Filter(), exact=False, label="killed")

    # ------------------------------------------------------------------ upkeep

    def test_info_has_the_names_that_scripts_rely_on(self, stored: Filled) -> None:
        backend, drawings, _ = stored
        info = backend.info()
        assert info["drawings"] == len(drawings)
        assert info["patents"] == len({d.patent for d in drawings}) == backend.patents()
        assert info["bytes"] > 0
        assert info["engine"]

    def test_compacting_changes_no_answer(self, filled: Filled) -> None:
        backend, drawings, vectors = filled
        queries, where = random_vectors(5, seed=8), parse_filter("granted>=2005")
        before = backend.search(queries, k=9), backend.search(queries, k=9, where=where), list(backend.ids(where))
        backend.compact()
        assert (
            backend.search(queries, k=9),
            backend.search(queries, k=9, where=where),
            list(backend.ids(where)),
        ) == before
        assert backend.verify() == []
        self._check_hits(backend, drawings, vectors, k=10, where=where, exact=False, label="compacted")

    @staticmethod
    def _check_hits(
        backend: Backend,
        drawings: list[Drawing],
        vectors: Embeddings,
        *,
        k: int,
        where: Filter,
        exact: bool,
        label: str,
    ) -> None:
        queries = random_vectors(3, seed=77)
        for query, hits in zip(queries, backend.search(queries, k=k, where=where, exact=exact), strict=True):
            wanted = nearest(query, drawings, vectors, where)
            scores = [hit.score for hit in hits]
            assert len(hits) == min(k, len(wanted)), label
            assert len({hit.drawing.id for hit in hits}) == len(hits), label
            assert all(where.matches(hit.drawing) for hit in hits), label
            assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.drawing.id)), label
            assert all(-1.0 <= score <= 1.0 for score in scores), label
            np.testing.assert_allclose(scores, [wanted[h.drawing.id] for h in hits], atol=TOLERANCE, err_msg=label)
            best = sorted(wanted.values(), reverse=True)[: len(hits)]
            np.testing.assert_allclose(scores, best, atol=TOLERANCE, err_msg=label)
