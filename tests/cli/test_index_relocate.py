"""`patsearch index relocate`: another address for the server that an index is on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_qdrant import FakeServer

from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.cli import main
from patsearch.engine.engine import create_from_spec
from patsearch.lock import WriterLock
from patsearch.servers import origins, require_known
from patsearch_contract.samples import SPEC, random_drawings, random_vectors


def run(*arguments: object) -> int:
    """Exit code of the command line, in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    return int(stop.value.code or 0)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture
def index(tmp_path: Path, server: FakeServer) -> Path:
    """An index on a server that has since changed its address."""
    with create_from_spec(tmp_path / "index", SPEC, backend="qdrant", url=server.url) as engine:
        engine.backend.upsert(random_drawings(9), random_vectors(9))
    path = tmp_path / "index" / "index.json"
    path.write_text(path.read_text().replace(server.url, "http://127.0.0.1:9"))
    return tmp_path / "index"


def location(index: Path) -> str:
    return str(json.loads((index / "index.json").read_text())["location"])


def test_relocating(index: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((index / "index.json").read_text())
    url = f"http://127.0.0.1:9,{server.url.removeprefix('http://')}?attempts=1"
    assert run("index", "relocate", index, url, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "index": str(index),
        "location": f"{url}#index",  # the collection's name stays
        "drawings": 9,
    }
    assert json.loads((index / "index.json").read_text()) == before | {"location": f"{url}#index"}
    assert run("index", "info", index) == 0  # both servers are named by the user now
    assert run("index", "relocate", index, server.url) == 0
    assert f"keeps its vectors at {server.url}#index: 9 drawings" in capsys.readouterr().err


def test_what_is_not_the_same_index_is_refused(
    index: Path, tmp_path: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    old = location(index)
    QdrantBackend.create(f"{server.url}#other", type(SPEC)("other", "7b" * 32, SPEC.dim)).close()
    create_from_spec(tmp_path / "folder", SPEC, backend="faiss").close()
    for arguments, code, words in [
        ((index, f"{server.url}#other"), 4, "holds vectors of 'other'"),
        ((index, f"{server.url}#nothing"), 4, "No collection 'nothing'"),
        ((index, "http://127.0.0.1:9?attempts=1"), 6, "No server answers"),
        ((index, "ftp://x"), 2, "is not the address"),
        ((tmp_path / "folder", server.url), 2, "keeps its vectors in the folder"),
        ((tmp_path / "missing", server.url), 4, "There is no index"),
    ]:
        assert run("index", "relocate", *arguments) == code
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert words in line
    assert location(index) == old


def test_not_while_somebody_writes(index: Path, server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    lock = WriterLock(index / "writer.lock")
    assert run("index", "relocate", index, server.url) == 4
    lock.release()
    assert "is writing to the index" in capsys.readouterr().err
    assert run("index", "relocate", index, server.url) == 0


def test_every_server_of_an_address_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from patsearch.errors import VectorIndexError

    monkeypatch.setenv("PATSEARCH_SERVERS", "http://a.test:6333,b.test:6333 http://c.test")
    require_known("http://a.test,b.test,c.test:6333#x", tmp_path)
    with pytest.raises(VectorIndexError, match=r"names the server http://evil\.test:6333, which you have not named"):
        require_known("http://a.test,evil.test#x", tmp_path)
    for address in ("http://a.test,#x", "nothing", "http://me@a.test#x"):
        with pytest.raises(VectorIndexError, match="which you have not named"):
            require_known(address, tmp_path)
        with pytest.raises(ValueError, match=r"host|scheme|password"):
            origins(address)
