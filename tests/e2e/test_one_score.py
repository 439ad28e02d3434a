"""Fifty pairs of a picture and a drawing: each has one score, whichever way leads to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run_here
from makers import draw_design

from patsearch import open_index
from patsearch.ingest import IngestOptions, ingest

pytest.importorskip("fastapi", reason="needs patsearch[web]")

QUERIES, FOUND = 5, 10
NUMBERS = [f"USD9000{seed:02}" for seed in range(1, 13)]
# Scores are rounded to six places where they are printed.
ABOUT = 2e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "in").mkdir()
    for seed, number in enumerate(NUMBERS):
        draw_design(seed + 20, seed % 3).save(folder / "in" / f"{number}.png")
    assert ingest([folder / "in"], folder / "index", IngestOptions(workers=1)).exit_code == 0
    return folder


@pytest.mark.parametrize("style", [0, 1])
def test_a_pair_has_one_score_on_every_way(folder: Path, style: int) -> None:
    from fastapi.testclient import TestClient

    from patsearch.web.app import create_app
    from patsearch.web.settings import ServerSettings

    pairs = 0
    server = create_app(ServerSettings(folder / "index", workers=1))
    with open_index(folder / "index") as index, TestClient(server, base_url="http://127.0.0.1:8765") as client:
        for number in NUMBERS[:QUERIES]:
            picture = folder / "in" / f"{number}.png"
            form, files = {"style": str(style), "top": "50"}, [("image", (picture.name, picture.read_bytes()))]
            id_ = index.drawings_of(number)[0][0].id

            def of(hits: list[dict[str, object]]) -> dict[str, float]:
                return {str(hit["patent"]): float(str(hit["score"])) for hit in hits}

            def command(*words: object) -> dict[str, float]:
                done = run_here(["query", *words, "--index", folder / "index", "--style", style, "--top", 50, "--json"])
                assert done.returncode == 0, done.stderr
                return of(json.loads(done.stdout)["hits"])

            wanted = {hit.patent: hit.score for hit in index.search(picture, k=50, style=style)}
            ways = {
                "by number in Python": {hit.patent: hit.score for hit in index.search(like=number, k=50, style=style)},
                "re-ranked": {
                    hit.patent: hit.score for hit in index.search(picture, k=50, style=style, rerank="3,2,0.3")
                },
                "by mark": {hit.patent: hit.score for hit in index.search(relevant=[id_], k=50, style=style)},
                "on the command line": command(picture),
                "by number on the command line": command("--like", number),
                "by the API": of(client.post("/api/v1/search", files=files, data=form).json()["hits"]),
                "by number by the API": of(client.post("/api/v1/search", data={**form, "like": number}).json()["hits"]),
            }
            others = [found for found in wanted if found != number][:FOUND]
            for found in others:
                drawing = index.drawings_of(found)[0][0].id
                asked = {**form, "drawing": drawing}
                why = client.post("/api/v1/explain", files=files, data=asked).json()["score"]
                assert why == pytest.approx(wanted[found], abs=ABOUT), (number, found)
                for way, scores in ways.items():
                    assert scores[found] == pytest.approx(wanted[found], abs=ABOUT), (way, number, found)
                pairs += 1
            assert wanted[number] == pytest.approx(1, abs=ABOUT)
    assert pairs == QUERIES * FOUND
