"""The API answers what the command line does, page by page, and files it."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastapi.testclient import TestClient
from makers import draw_design, tiff_bytes, week
from model_makers import stl, stool
from pdf_makers import PdfPage, drawing_operators, pdf_bytes, scanned, text_at, text_page
from photo_makers import product, screenshot
from PIL import Image, ImageDraw
from web_makers import HOSTILE_TITLE, png

from patsearch import __version__
from patsearch.cli import main
from patsearch.engine import open_index
from patsearch.ingest import IngestOptions, ingest
from patsearch.web.app import create_app
from patsearch.web.settings import ServerSettings

API = "/api/v1"


def search(client: TestClient, drawing: bytes | None, **fields: Any) -> dict[str, Any]:
    files = [("image", ("sketch.png", drawing))] if drawing else None
    response = client.post(f"{API}/search", files=files, data=fields)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def patents(answer: dict[str, Any]) -> list[str]:
    return [hit["patent"] for hit in answer["hits"]]


def test_a_search_is_what_the_command_line_prints(
    client: TestClient, index: Path, drawing: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = search(client, drawing, filter=["cpc=D14", "granted=2021"], top=3, rotations="true", shape="true")
    (tmp_path / "sketch.png").write_bytes(drawing)
    arguments = [tmp_path / "sketch.png", "--index", index, "-f", "cpc=D14", "-f", "granted=2021", "-n", 3]
    with pytest.raises(SystemExit):
        main([str(a) for a in ["query", *arguments, "--rotations", "--shape", "--json"]])
    printed = json.loads(capsys.readouterr().out)
    assert answer["hits"] == printed["hits"]
    for record in (answer, printed):
        for name in ("time", "seconds", "index", "pictures"):
            del record["query"][name]
    assert answer["query"] == printed["query"]
    assert answer["hits"][0]["patent"] == "USD900001"


def test_pages_join_without_a_gap(client: TestClient, drawing: bytes) -> None:
    whole = search(client, drawing, top=12)
    assert whole["page"] == {"offset": 0, "count": 12, "more": False}
    pages = [search(client, drawing, top=5, offset=offset) for offset in (0, 5, 10)]
    assert [page["page"]["more"] for page in pages] == [True, True, False]
    assert [patent for page in pages for patent in patents(page)] == patents(whole)
    assert [hit["rank"] for page in pages for hit in page["hits"]] == list(range(1, 13))


def test_filters_narrow(client: TestClient, drawing: bytes) -> None:
    answer = search(client, drawing, filter="uspc=D2", top=50)
    assert answer["hits"]
    assert {tuple(hit["classes"]["uspc"]) for hit in answer["hits"]} == {("D2/947",)}


def test_what_a_filter_leaves_out_is_said(client: TestClient, drawing: bytes) -> None:
    assert search(client, drawing, filter="uspc=D2")["warnings"] == []
    answer = search(client, drawing, filter="uspc=D33")
    assert answer["warnings"] == ["No drawing of this index matches uspc=D33: it selects nothing."]


@pytest.mark.parametrize(
    "texts",
    [
        ["kind=a and " * 90_000 + "kind=a"],
        ["kind=a and " * 150 + "kind=a"] * 30,
        ["title~" + ",".join(f"a{i}" for i in range(1500))],
        ["kind=a"] * 150,
        ["title~" + ",".join(f"a{i}" for i in range(250))],
        ["patent=" + "\ufdfa" * 1990] * 10,  # one letter that is read as eighteen
    ],
)
def test_a_filter_that_nobody_writes_is_refused(client: TestClient, drawing: bytes, texts: list[str]) -> None:
    answer = client.post(f"{API}/search", files={"image": drawing}, data={"filter": texts})
    assert answer.status_code == 422
    assert len(answer.content) < 1000
    if len("".join(texts).encode()) < 20_000:
        answer = client.get(f"{API}/facets", params={"filter": texts})
        assert answer.status_code == 422


def test_several_pictures_are_one_query(client: TestClient) -> None:
    files = [("image", (f"{view}.png", png(draw_design(4, view)))) for view in (0, 1)]
    answer = client.post(f"{API}/search", files=files).json()
    assert answer["query"]["pictures"] == ["0.png", "1.png"]
    assert patents(answer)[0] == "USD900004"


def test_a_crop_and_a_turn_come_before_the_search(client: TestClient) -> None:
    design = draw_design(3, 0)
    sheet = Image.new("L", (1800, 1400), 255)
    sheet.paste(draw_design(9, 0), (0, 100))
    sheet.paste(design, (900, 100))
    turned = sheet.transpose(Image.Transpose.ROTATE_90)  # counter-clockwise: turned back by 90 degrees clockwise
    x, y, width, height = 900, 100, 900, 1200
    crop = f"{y},{turned.height - x - width},{height},{width}"
    answer = search(client, png(turned), crop=crop, turn="90")
    assert patents(answer)[0] == "USD900003"
    assert answer["hits"][0]["score"] > 0.99


def test_a_page_of_a_file_is_chosen(client: TestClient) -> None:
    buffer = io.BytesIO()
    draw_design(9, 0).save(buffer, "TIFF", save_all=True, append_images=[draw_design(3, 0)])
    assert set(patents(search(client, buffer.getvalue()))[:2]) == {"USD900003", "USD900009"}
    answer = search(client, buffer.getvalue(), page="2")
    assert (patents(answer)[0], answer["query"]["page"]) == ("USD900003", 2)
    refused = client.post(f"{API}/search", files={"image": ("a.tif", buffer.getvalue())}, data={"page": "3"})
    assert refused.status_code == 422
    assert "a.tif has no page 3" in refused.json()["error"]["message"]
    assert client.post(f"{API}/search", files={"image": ("a.tif", b"x")}, data={"page": "0"}).status_code == 422


def test_the_figures_of_a_document_are_shown_and_chosen(client: TestClient) -> None:
    both = drawing_operators(150, 480) + text_at(250, 440, 18, ["FIG. 1"], 18)
    both += drawing_operators(150, 120) + text_at(250, 80, 18, ["FIG. 2"], 18)
    pages = [text_page(), scanned(draw_design(9, 0)), PdfPage(both), scanned(draw_design(3, 0))]
    files = {"image": ("a.pdf", pdf_bytes(pages))}
    (shown,) = client.post(f"{API}/figures", files=files).json()["pictures"]
    assert [(f["number"], f["page"], f["name"]) for f in shown["figures"]] == [
        (1, 2, "page 2"), (2, 3, "page 3, FIG. 1"), (3, 3, "page 3, FIG. 2"), (4, 4, "page 4")
    ]  # fmt: skip
    assert all(base64.b64decode(figure["picture"]).startswith(b"\x89PNG") for figure in shown["figures"])
    assert shown["remarks"] == ["a.pdf: left out: 1 page of text (1)"]

    def ask(figures: str, **more: str) -> Any:
        return client.post(f"{API}/search", files=files, data={"figures": figures, **more})

    for figures, patent, name in (("1", "USD900009", "a.pdf, page 2"), ("4", "USD900003", "a.pdf, page 4")):
        answer = ask(figures).json()
        assert (patents(answer)[0], answer["query"]["pictures"]) == (patent, [name])
        found = {"drawing": answer["hits"][0]["drawing"]["id"], "figures": figures}
        why = client.post(f"{API}/explain", files=files, data=found).json()
        assert (why["score"], [one["name"] for one in why["query"]]) == (answer["hits"][0]["score"], ["a.pdf"])
    every, chosen = ask("").json(), ask("1,2,3,4").json()
    assert every["hits"] == chosen["hits"]
    assert every["warnings"] == shown["remarks"]
    refused = ask("5")
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "a.pdf has no figure 5.")
    for wrong in ("0", "1,", "x", "1000"):
        assert ask(wrong).status_code == 422
    assert client.post(f"{API}/figures").status_code == 400


def test_single_figures_are_cropped_and_turned(client: TestClient) -> None:
    pages = [scanned(draw_design(9, 0).rotate(90, expand=True)), scanned(draw_design(3, 0))]
    files = {"image": ("a.pdf", pdf_bytes(pages))}

    def found(edits: str) -> Any:
        return client.post(f"{API}/figures", files=files, data={"edits": edits}).json()["pictures"][0]

    first, second = found("")["figures"]
    assert (first["whole"], found("")["sheet"]) == (None, None)
    turned, same = found("1 turn 90")["figures"]
    assert (turned["width"], turned["height"], turned["whole"]) == (first["width"], first["height"], first["picture"])
    assert same == second
    size = Image.open(io.BytesIO(base64.b64decode(turned["picture"]))).size
    assert size[::-1] == Image.open(io.BytesIO(base64.b64decode(first["picture"]))).size

    def ask(edits: str) -> Any:
        return client.post(f"{API}/search", files=files, data={"figures": "1", "edits": edits}).json()

    lying, upright = ask(""), ask("1 turn 90; 2 crop 0,0,200,200")
    assert upright["hits"][0]["patent"] == "USD900009"
    assert upright["hits"][0]["score"] > {hit["patent"]: hit["score"] for hit in lying["hits"]}["USD900009"]
    drawing = {"drawing": upright["hits"][0]["drawing"]["id"], "figures": "1", "edits": "1 turn 90"}
    why = client.post(f"{API}/explain", files=files, data=drawing).json()
    assert why["score"] == upright["hits"][0]["score"]
    for wrong in ("1", "1 turn 45", "1 turn 90; 1 turn 180", "x", "1 crop 0,0,9"):
        assert client.post(f"{API}/figures", files=files, data={"edits": wrong}).status_code == 400
    outside = client.post(f"{API}/figures", files=files, data={"edits": f"1 crop 0,0,{first['width'] + 1},9"})
    assert (outside.status_code, "is not within figure 1 of a.pdf" in outside.text) == (422, True)
    none = client.post(f"{API}/figures", files=files, data={"edits": "3 turn 90"})
    assert (none.status_code, none.json()["error"]["message"]) == (400, "a.pdf has no figure 3.")


def test_what_a_browser_does_not_show_is_sent_whole(client: TestClient) -> None:
    design = draw_design(3, 0)
    for name, data, more in (
        ("a.tif", tiff_bytes(design), {}),
        ("b.tif", tiff_bytes(design), {"crop": "0,0,300,400"}),
        ("c.pdf", pdf_bytes([scanned(draw_design(1, 0)), scanned(design)]), {"page": "2"}),
    ):
        (shown,) = client.post(f"{API}/figures", files={"image": (name, data)}, data=more).json()["pictures"]
        picture = Image.open(io.BytesIO(base64.b64decode(shown["sheet"]["picture"])))
        width, height = shown["sheet"]["width"], shown["sheet"]["height"]
        assert picture.width / picture.height == pytest.approx(width / height, abs=0.01)
        assert max(picture.size) <= 1200
        if name != "c.pdf":
            assert (width, height) == design.size
    (shown,) = client.post(f"{API}/figures", files={"image": ("d.png", png(design))}).json()["pictures"]
    assert shown["sheet"] is None


def test_a_photograph_is_searched_with_its_lines(client: TestClient) -> None:
    buffer = io.BytesIO()
    product().save(buffer, "JPEG")
    files = {"image": ("cube.jpg", buffer.getvalue())}
    (shown,) = client.post(f"{API}/figures", files=files).json()["pictures"]
    assert [(figure["number"], figure["name"]) for figure in shown["figures"]] == [
        (1, "the photograph"),
        (2, "its lines"),
    ]
    assert shown["remarks"] == ["cube.jpg: a photograph, which is searched as it is and as the lines drawn from it"]
    both, photograph, lines = (
        client.post(f"{API}/search", files=files, data={"figures": chosen}).json() for chosen in ("", "1", "2")
    )
    assert both["warnings"] == shown["remarks"]
    assert both["query"]["pictures"] == ["cube.jpg, the photograph", "cube.jpg, its lines"]
    scores = [{hit["patent"]: hit["score"] for hit in answer["hits"]} for answer in (both, photograph, lines)]
    for patent, score in scores[0].items():  # the better of both
        assert score == max(part.get(patent, -1) for part in scores[1:])
    found = {"drawing": both["hits"][0]["drawing"]["id"]}
    assert client.post(f"{API}/explain", files=files, data=found).json()["score"] == both["hits"][0]["score"]


def test_a_screenshot_says_where_its_drawing_is(client: TestClient) -> None:
    buffer = io.BytesIO()
    screenshot(draw_design(3, 0, (900, 1000)))[0].save(buffer, "PNG")
    files = {"image": ("shot.png", buffer.getvalue())}
    (shown,) = client.post(f"{API}/figures", files=files).json()["pictures"]
    assert [int(number) > 0 for number in shown["crop"].split(",")] == [True] * 4
    (cropped,) = client.post(f"{API}/figures", files=files, data={"crop": shown["crop"]}).json()["pictures"]
    assert (cropped["crop"], cropped["remarks"]) == (None, [])
    answer = client.post(f"{API}/search", files=files, data={"crop": shown["crop"]}).json()
    assert patents(answer)[0] == "USD900003"


def test_a_model_is_its_views(client: TestClient) -> None:
    pytest.importorskip("trimesh", reason="needs trimesh: pip install 'patsearch[models]'")
    files = {"image": ("stool.stl", stl(stool()))}
    (shown,) = client.post(f"{API}/figures", files=files).json()["pictures"]
    assert (shown["kind"], shown["pages"], len(shown["figures"])) == ("model", 1, 7)
    assert (shown["figures"][5]["name"], shown["figures"][5]["page"]) == ("top view", 6)
    answer = client.post(f"{API}/search", files=files, data={"figures": "6"}).json()
    assert answer["query"]["pictures"] == ["stool.stl, top view"]
    found = {"drawing": answer["hits"][0]["drawing"]["id"], "figures": "1,6"}
    assert client.post(f"{API}/explain", files=files, data=found).json()["query"][0]["name"] == "stool.stl"
    lying = client.post(f"{API}/search", files=files, data={"figures": "6", "up": "y"}).json()
    assert lying["query"]["up"] == "y"
    assert lying["hits"][0]["score"] != answer["hits"][0]["score"]
    assert client.post(f"{API}/search", files=files, data={"up": "x"}).status_code == 422
    (turned,) = client.post(f"{API}/figures", files=files, data={"view": "390,99"}).json()["pictures"]
    assert [figure["name"] for figure in turned["figures"]][7:] == ["view from 30, 90"]
    answer = client.post(f"{API}/search", files=files, data={"view": "-20,25", "figures": "8"}).json()
    assert answer["query"]["pictures"] == ["stool.stl, view from -20, 25"]
    found = {"drawing": answer["hits"][0]["drawing"]["id"], "view": "-20,25", "figures": "8"}
    assert client.post(f"{API}/explain", files=files, data=found).json()["score"] == answer["hits"][0]["score"]
    for wrong in ("x", "1", "1000,0", "0,1e9"):
        assert client.post(f"{API}/search", files=files, data={"view": wrong}).status_code == 422
    refused = client.post(f"{API}/search", files={"image": ("stool.stl", stl(stool())[:-30])})
    assert (refused.status_code, refused.json()["error"]["kind"]) == (422, "ImageError")


def test_marks_move_the_query(client: TestClient, drawing: bytes) -> None:
    before = search(client, drawing, top=12)
    last = before["hits"][-1]
    after = search(
        client, drawing, top=12, relevant=last["drawing"]["id"], irrelevant=before["hits"][1]["drawing"]["id"]
    )
    assert patents(after).index(last["patent"]) < patents(before).index(last["patent"])
    alone = search(client, None, relevant=last["drawing"]["id"])
    assert patents(alone)[0] == last["patent"]


def test_like_leaves_the_patent_itself_out(client: TestClient) -> None:
    answer = search(client, None, like="D900,002")
    assert answer["query"]["like"] == "USD900002"
    assert "USD900002" not in patents(answer)


def test_facets_count_patents(client: TestClient) -> None:
    facets = client.get(f"{API}/facets").json()
    assert (facets["patents"], facets["granted"]) == (12, [{"year": 2021, "count": 6}, {"year": 2022, "count": 6}])
    (d14,) = [node for node in facets["classes"]["uspc"] if node["code"] == "D14"]
    assert d14["count"] == sum(child["count"] for child in d14["children"]) == 6
    # Of main classes there is a table; a subclass is called as most of its patents are.
    assert d14["title"] == "Recording, communication, or information retrieval equipment"
    assert {child["code"]: child["title"] for child in d14["children"]}["D14/486"] == "Display screen"
    assert d14["title"].startswith("Recording, communication")
    assert [node["code"] for node in facets["classes"]["uspc"]] == ["D2", "D6", "D14", "D28"]
    narrow = client.get(f"{API}/facets", params={"filter": ["uspc=D2", "granted=2021"]}).json()
    assert (narrow["patents"], narrow["kinds"]) == (1, [{"kind": "S1", "count": 1}])
    by_view = client.get(f"{API}/facets", params={"filter": "view~perspective"}).json()
    assert (by_view["patents"], by_view["drawings"]) == (12, 12)


def test_a_patent_has_all_its_drawings_and_their_pictures(client: TestClient) -> None:
    patent = client.get(f"{API}/patents/D900003").json()
    assert (patent["patent"], patent["filed"], len(patent["drawings"])) == ("USD900003", "2019-04-05", 2)
    for drawing in patent["drawings"]:
        assert client.get(f"{API}/drawings/{drawing['id']}").json() == {"patent": "USD900003", **drawing}
        picture = client.get(f"{API}/drawings/{drawing['id']}/thumbnail")
        assert picture.headers["content-type"] == "image/png"
        assert picture.content.startswith(b"\x89PNG")


def test_a_report_has_its_cover(client: TestClient, drawing: bytes) -> None:
    files = [("image", ("sketch.png", drawing))]
    fields = {"docket": "ACME-0123", "title": "椅子", "searcher": "A. Möller", "notes": "<b>The arms matter.</b>"}
    answer = client.post(f"{API}/report", files=files, data=fields)
    named = answer.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename=\"ACME-0123 -- [-\d]+\.html\"; filename\*=UTF-8''[\w%.-]+", named)
    assert unquote(named.partition("UTF-8''")[2]).startswith("ACME-0123 椅子 20")
    for text in ("ACME-0123", "<h1>椅子</h1>", "A. Möller", "&lt;b&gt;The arms matter.&lt;/b&gt;"):
        assert text in answer.text
    assert client.post(f"{API}/report", files=files, data={"docket": "x" * 101}).status_code == 422


def test_reports_are_files_with_marks_first(client: TestClient, drawing: bytes) -> None:
    last = search(client, drawing, top=12)["hits"][-1]
    fields = {"top": 12, "relevant": last["drawing"]["id"]}
    files = [("image", ("sketch.png", drawing))]
    page = client.post(f"{API}/report", files=files, data=fields)
    assert page.headers["content-disposition"].startswith('attachment; filename="patent search 20')
    assert page.text.index(last["patent"]) < page.text.index("USD900001")
    assert "Marked as relevant" in page.text
    assert "<script" not in page.text
    assert HOSTILE_TITLE not in page.text
    pdf = client.post(f"{API}/report", params={"format": "pdf"}, files=files, data=fields)
    assert pdf.content.startswith(b"%PDF-")


def test_a_saved_search_finds_what_is_new(tmp_path: Path, drawing: bytes) -> None:
    ingest([week(tmp_path / "w", range(1, 3))], tmp_path / "index", IngestOptions(workers=1))
    settings = ServerSettings(tmp_path / "index", workers=1)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        saved = client.post(f"{API}/records", params={"name": "pot"}, files=[("image", ("s.png", drawing))])
        again = client.post(f"{API}/records/rerun", files=[("record", saved.content)]).json()
        assert (again["name"], again["new"], len(again["hits"])) == ("pot", [], 2)
        # The server sees what an ingest in another process adds, without being told.
        ingest([week(tmp_path / "v", range(3, 5), date="20220104")], tmp_path / "index", IngestOptions(workers=1))
        news = client.post(f"{API}/records/rerun", files=[("record", saved.content)]).json()
        assert sorted(news["new"]) == ["USD900003", "USD900004"]
        kept = json.dumps(news["record"]).encode()
        assert client.post(f"{API}/records/rerun", files=[("record", kept)]).json()["new"] == []
        assert client.get(f"{API}/facets").json()["patents"] == 4
        assert client.get(f"{API}/drawings/USD900004-D00001-1/thumbnail").status_code == 200


def test_an_index_put_in_the_others_place_is_opened(
    tmp_path: Path, drawing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patsearch.web.live._LOOK_EVERY", -1.0)  # look at every request
    index, other = tmp_path / "index", tmp_path / "other"
    ingest([week(tmp_path / "w", range(1, 3))], index, IngestOptions(workers=1))
    ingest([week(tmp_path / "v", range(1, 6))], other, IngestOptions(workers=1))
    with TestClient(create_app(ServerSettings(index, workers=1)), base_url="http://localhost") as client:
        assert client.get(f"{API}/index").json()["patents"] == 2
        index.rename(tmp_path / "old")
        other.rename(index)
        assert client.get(f"{API}/index").json()["patents"] == 5
        assert len(search(client, drawing, top=10)["hits"]) == 5


def test_the_index_says_what_it_is_but_not_where(client: TestClient, index: Path, drawing: bytes) -> None:
    described = client.get(f"{API}/index").json()
    with open_index(index) as engine:
        assert described["encoder"]["sha256"] == engine.spec.encoder_sha256
        assert described["fingerprint"] == engine.fingerprint()
    assert described["limits"]["bytes"] == 8 << 20
    everything = [
        client.get(f"{API}/index").text,
        client.post(f"{API}/search", files=[("image", drawing)]).text,
        client.post(f"{API}/search", data={"like": "USD1"}).text,
        client.post(f"{API}/report", files=[("image", drawing)]).text,
    ]
    assert [text for text in everything if str(index.parent) in text] == []


def test_health_version_metrics_and_page(client: TestClient) -> None:
    assert client.get(f"{API}/health").json() == {"status": "ok", "version": __version__}
    assert client.get(f"{API}/version").json() == {"version": __version__, "api": 1}
    text = client.get("/metrics").text
    assert "patsearch_index_drawings 24.0" in text
    assert 'patsearch_requests_total{route="/health",status="200"}' in text or "/api/v1/health" in text
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "unsafe" not in page.headers["content-security-policy"]


def test_why_a_drawing_matched(client: TestClient, drawing: bytes) -> None:
    hit = search(client, drawing)["hits"][1]
    found = {"drawing": hit["drawing"]["id"]}
    why = client.post(f"{API}/explain", files=[("image", ("s.png", drawing))], data=found).json()
    assert (why["drawing"], why["method"], why["query"][0]["name"]) == (found["drawing"], "feature maps", "s.png")
    assert (why["score"], why["likeness"]) == (hit["score"], hit["likeness"])
    assert hit["likeness"] == hit["drawing"]["likeness"] in ("same drawing", "same shape", "alike", "far")
    for one in (*why["query"], why["found"]):
        assert base64.b64decode(one["picture"]).startswith(b"\x89PNG")
        assert base64.b64decode(one["heat"]).startswith(b"\x89PNG")
    by_shape = search(client, drawing, shape="true")["hits"][1]
    found_by_shape = {"drawing": by_shape["drawing"]["id"], "shape": "true"}
    why = client.post(f"{API}/explain", files=[("image", ("s.png", drawing))], data=found_by_shape).json()
    assert why["score"] == pytest.approx(by_shape["score"], abs=1e-6)
    liked = client.post(f"{API}/search", data={"like": "USD900001"}).json()["hits"][0]
    asked_like = {"like": "USD900001", "drawing": liked["drawing"]["id"]}
    assert client.post(f"{API}/explain", data=asked_like).json()["score"] == liked["score"]
    like = client.post(f"{API}/explain", data={"like": "USD900001", **found}).json()
    assert [one["name"] for one in like["query"]] == ["USD900001-D00001-1", "USD900001-D00002-1"]
    assert client.post(f"{API}/explain", files=[("image", drawing)], data={"drawing": "x"}).status_code == 404


def test_names_that_an_address_does_not_have_are_refused(client: TestClient, drawing: bytes) -> None:
    def refused(answer: Any) -> tuple[str, str | None]:
        assert answer.status_code == 422, answer.text
        return answer.json()["error"]["message"], answer.json()["error"]["hint"]

    picture = [("image", drawing)]
    assert refused(client.post(f"{API}/search", files=picture, data={"shpae": "true"})) == (
        "shpae: this address has no such field.",
        "Did you mean shape?",
    )
    assert refused(client.post(f"{API}/search?top=3", files=picture))[0] == "top: this address has no such parameter."
    assert refused(client.get(f"{API}/facets?filtre=kind=S1"))[1] == "Did you mean filter?"
    assert refused(client.get(f"{API}/health?deep=1"))[1] is None
    assert refused(client.post(f"{API}/report?fromat=pdf", data={"like": "USD900001"}))[1] == "Did you mean format?"
    assert client.post(f"{API}/search", files=picture, data={"drawing": "x"}).status_code == 422
    assert client.post(f"{API}/explain", files=picture, data={"drawing": "x"}).status_code == 404


def test_an_address_that_does_not_exist_or_is_called_otherwise(client: TestClient) -> None:
    missing = client.get(f"{API}/serach")
    assert (missing.status_code, missing.json()["error"]["hint"]) == (
        404,
        f"GET {API}/openapi.json lists the addresses.",
    )
    other = client.get(f"{API}/search")
    assert (other.status_code, other.json()["error"]["hint"]) == (405, "This address takes POST.")
    assert other.headers["allow"] == "POST"


def test_what_a_query_is_made_of_is_said(client: TestClient) -> None:
    def warnings(pictures: list[bytes], **data: str) -> list[str]:
        files = [("image", picture) for picture in pictures]
        found: list[str] = client.post(f"{API}/search", files=files, data=data).json()["warnings"]
        return found

    views = [png(draw_design(1, view)) for view in range(2)]
    assert warnings(views) == []
    assert warnings(views, like="USD900001") == [
        "The pictures and the drawings of USD900001 are one query: what resembles all of them comes first."
    ]
    (said,) = warnings([png(drawing) for drawing in _unlike_drawings()])
    assert said.startswith("Most of the 3 pictures look like none of the others.")


def _unlike_drawings() -> list[Image.Image]:
    """A grid, a bow, and a stool of few lines."""
    drawings = [Image.new("L", (900, 900), 255) for _ in range(3)]
    grid, bow, stool_ = map(ImageDraw.Draw, drawings)
    for place in range(50, 900, 80):
        grid.line([(place, 50), (place, 850)], fill=0, width=4)
        grid.line([(50, place), (850, place)], fill=0, width=4)
    bow.arc((100, 300, 800, 1400), 180, 360, fill=0, width=5)
    stool_.line([(200, 200), (700, 200)], fill=0, width=6)
    for x in (250, 650):
        stool_.line([(x, 200), (x, 800)], fill=0, width=6)
    return drawings
