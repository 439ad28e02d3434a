"""Opening a source by looking, and what is said where nothing is to be found."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import draw_design, grant_zip, week

from patsearch import plugins
from patsearch.errors import PluginError, SourceError, UsageError
from patsearch.ingest.sources import Problem, Source, SourceOptions, open_source


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["I20210105.tar"], "uspto"),
        (["I20210105.tgz"], "uspto"),
        (["a/b/USD0900000-20210105.ZIP"], "uspto"),
        (["a/USD0900000-20210105.XML", "a/USD0900000-20210105-D00001.TIF"], "uspto"),
        (["I20210105/USD0900000-20210105/USD0900000-20210105-D00001.png"], "deeppatent"),
        (["USD0900000-20210105-P00001-77.png", "list.txt"], "deeppatent"),
        (["chair/1.png", "notes.xml"], "images"),
        (["a.TIF"], "images"),
        (["photos.tar", "photos.zip", "a.webp"], "images"),
    ],
)
def test_kinds_are_told_by_looking(tmp_path: Path, files: list[str], kind: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"PK\3\4photos/1.png")
    assert open_source(tmp_path).name == kind
    assert open_source(str(tmp_path)).name == kind


def test_archives_of_other_names_are_told_by_their_content(tmp_path: Path) -> None:
    renamed = week(tmp_path, range(1)).rename(tmp_path / "download.tar")
    assert open_source(renamed).name == "uspto"
    (tmp_path / "one.zip").write_bytes(grant_zip(0)[1])
    assert open_source(tmp_path / "one.zip").name == "uspto"


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_source(tmp_path / "gone")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(SourceError, match="leads nowhere"):
        open_source(tmp_path / "link")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="cannot be read"):
        open_source(tmp_path / "file" / "below")
    with pytest.raises(SourceError, match="cannot be read"):
        open_source("a\0b")


@pytest.mark.parametrize("name", [None, "notes.txt", "unreadable.tar"])
def test_nothing_to_ingest_says_what_was_looked_for(tmp_path: Path, name: str | None) -> None:
    path = tmp_path
    if name:
        path = tmp_path / name
        path.write_text("words")
    with pytest.raises(SourceError) as caught:
        open_source(path)
    text = str(caught.value)
    assert "holds nothing that can be ingested" in text
    assert all(word in text for word in ("uspto: weekly archives", "deeppatent: images named", "images: images"))


def test_what_is_there_instead_is_named(tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "1.jxl"
    photo.parent.mkdir()
    photo.write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n")
    with pytest.raises(
        SourceError, match=r"1\.jxl holds nothing that can be ingested: a JPEG XL image, which is not read"
    ):
        open_source(photo)
    with pytest.raises(SourceError, match=r"ingested \(1\.jxl: a JPEG XL image, which is not read; export it as PNG"):
        open_source(photo.parent)


@pytest.mark.parametrize("kind", ["deeppatent", "images"])
def test_a_kind_that_was_named_and_finds_nothing_says_so(tmp_path: Path, kind: str) -> None:
    (problem,) = open_source(tmp_path, kind=kind).units()
    assert isinstance(problem, Problem)
    assert "no images" in problem.reason


def test_an_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no source named 'epo'"):
        open_source(tmp_path, kind="epo")


def test_options_that_mean_nothing_to_the_source_are_refused(tmp_path: Path) -> None:
    path = week(tmp_path, range(1))
    with pytest.raises(UsageError, match="read as 'uspto', which does not take lists, pattern"):
        open_source(path, options=SourceOptions(pattern="{patent}.png", lists=(tmp_path / "a.txt",)))


def test_a_broken_plug_in_does_not_stop_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = plugins.load

    def load(kind: plugins.Kind, name: str) -> type[Source]:
        if name == "broken":
            raise PluginError("The source 'broken' does not load.")
        return real(kind, name)  # type: ignore[no-any-return]

    monkeypatch.setattr(plugins, "names", lambda _: ["broken", "deeppatent", "images", "uspto"])
    monkeypatch.setattr(plugins, "load", load)
    draw_design(0, 0, (90, 120)).save(tmp_path / "a.png")
    assert open_source(tmp_path).name == "images"
    (tmp_path / "a.png").unlink()
    with pytest.raises(SourceError, match="The source 'broken' does not load"):
        open_source(tmp_path)
