"""The server says whether it can search, replaces what died, and answers in time."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import hostile_uploads
import pytest
from fastapi.testclient import TestClient
from makers import draw_design
from waiting import wait_until
from web_makers import png

from patsearch import deadline
from patsearch.web.app import create_app
from patsearch.web.settings import ServerSettings
from patsearch.web.workers import encode_uploads

API = "/api/v1"


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_worker_that_dies_idle_is_replaced(index: Path) -> None:
    others = set(multiprocessing.active_children())
    with TestClient(create_app(ServerSettings(index, workers=2)), base_url="http://localhost") as client:
        for attempt in range(2):
            victim = next(process for process in multiprocessing.active_children() if process not in others)
            assert victim.pid
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()
            time.sleep(0.3 * attempt)  # with and without the time to notice
            drawing = png(draw_design(attempt, 0))  # another one each time: the vectors of the last are remembered
            answer = client.post(f"{API}/search", files=[("image", drawing)])
            assert answer.status_code == 200, answer.text
            assert answer.json()["hits"][0]["patent"] == f"USD90000{attempt}"
            assert client.get(f"{API}/health").status_code == 200


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_worker_that_hangs_before_it_takes_a_task_is_replaced(
    index: Path, drawing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patsearch.web.probe._EVERY", 0.05)
    others = set(multiprocessing.active_children())
    settings = ServerSettings(index, workers=1, request_seconds=2.0)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        (worker,) = set(multiprocessing.active_children()) - others
        assert worker.pid
        os.kill(worker.pid, signal.SIGSTOP)
        assert client.post(f"{API}/search", files=[("image", drawing)]).status_code == 503
        wait_until(lambda: client.post(f"{API}/search", files=[("image", drawing)]).status_code == 200)
        wait_until(lambda: client.get(f"{API}/health").status_code == 200)
        wait_until(lambda: not worker.is_alive())


def test_workers_that_are_only_busy_are_not_replaced(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patsearch.web.probe._EVERY", 0.01)
    replaced: list[str] = []
    monkeypatch.setattr("patsearch.web.workers.Workers.replace", lambda _, reason: replaced.append(reason))
    settings = ServerSettings(index, workers=1)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        monkeypatch.setattr("patsearch.web.probe.encode_uploads", hostile_uploads.refuse_uploads)
        wait_until(lambda: client.get(f"{API}/health").status_code == 503)
        time.sleep(0.5)
    assert not replaced


def test_health_is_whether_a_search_finds_an_answer(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patsearch.web.probe._EVERY", 0.01)
    with TestClient(create_app(ServerSettings(index, workers=1)), base_url="http://localhost") as client:
        assert client.get(f"{API}/health").json()["status"] == "ok"
        monkeypatch.setattr("patsearch.web.probe.encode_uploads", hostile_uploads.refuse_uploads)
        wait_until(lambda: client.get(f"{API}/health").status_code == 503)
        error = client.get(f"{API}/health").json()["error"]
        assert error["kind"] == "NotReady"
        assert str(index.parent) not in error["message"]
        monkeypatch.setattr("patsearch.web.probe.encode_uploads", encode_uploads)
        wait_until(lambda: client.get(f"{API}/health").status_code == 200)


def test_a_search_without_an_end_is_answered_at_the_deadline(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One thread searches: it must be free again afterwards.
    settings = ServerSettings(index, workers=1, request_seconds=1.0)
    question = {"like": "USD900001"}
    free, ended = threading.Event(), threading.Event()

    def looks(*_: object) -> None:
        try:
            while True:
                deadline.check()
                time.sleep(0.01)
        finally:
            ended.set()

    with TestClient(create_app(settings), base_url="http://localhost") as client:
        for endless in (looks, lambda *_: free.wait()):
            with monkeypatch.context() as patch:
                patch.setattr("patsearch.web.asking.search", endless)
                answer = client.post(f"{API}/search", data=question)
                assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "TimedOut")
                assert client.get(f"{API}/health").status_code == 200
            if endless is looks:
                assert ended.wait(300)
        free.set()
        wait_until(lambda: client.post(f"{API}/search", data=question).status_code == 200)


@pytest.mark.skipif(os.name == "nt", reason="a folder with open files cannot be renamed")
def test_a_folder_that_is_moved_away_is_still_searched(index: Path, drawing: bytes, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr("patsearch.web.live._LOOK_EVERY", 0.0)
    monkeypatch.setattr("patsearch.web.probe._EVERY", 0.01)
    here, away = tmp_path / "here", tmp_path / "away"
    shutil.copytree(index, here)
    like = {"like": "USD900001"}
    with TestClient(create_app(ServerSettings(here, workers=1)), base_url="http://localhost") as client:

        def statuses() -> set[int]:
            return {
                client.post(f"{API}/search", files=[("image", drawing)]).status_code,
                *(client.post(f"{API}/{path}", data=like).status_code for path in ("search", "report", "records")),
                *(client.get(f"{API}/{path}").status_code for path in
                  ("health", "index", "facets", "facets?filter=uspc=D14", "patents/USD900001",
                   "drawings/USD900001-D00001-1/thumbnail")),
                client.get("/metrics").status_code,
            }  # fmt: skip

        here.rename(away)
        assert statuses() == {200}
        here.mkdir()
        assert statuses() == {200}
        here.rmdir()
        away.rename(here)
        assert statuses() == {200}


def test_files_that_fail_are_not_a_bug(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error", "/secret/path")

    monkeypatch.setattr("patsearch.web.asking.search", fail)
    answer = client.post(f"{API}/search", data={"like": "USD900001"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "StorageError")
    assert "secret" not in answer.text
