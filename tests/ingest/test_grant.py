"""Grant XML -> Patent: every field of the real grants by an independent reading, and what must not pass."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from real_grants import independent, real_grants

from patsearch.errors import SourceError
from patsearch.ingest.grant import MAX_XML, parse_grant
from patsearch.types import Caption


@pytest.mark.data
def test_every_field_of_every_real_grant(data_dir: Path) -> None:
    seen = {"S1": 0, "B2": 0}
    with_cpc = decimals = 0
    for name, data in real_grants(data_dir):
        grant, expected = parse_grant(data), independent(data)
        patent = grant.patent
        codes = {s: [c.code for c in patent.classes if c.scheme == s] for s in ("locarno", "uspc", "cpc", "ipc")}
        read = {
            "number": patent.number,
            "kind": patent.kind,
            "title": patent.title,
            "granted": patent.granted,
            "filed": patent.filed,
            **codes,
            "figures": patent.figure_count,
            "images": list(grant.images),
        }
        assert read == {**expected, **{s: list(dict.fromkeys(expected[s])) for s in codes}}, name  # type: ignore[call-overload]
        assert patent.problems == (), name
        seen[patent.kind] += 1
        with_cpc += bool(codes["cpc"])
        decimals += any("." in code for code in codes["uspc"])
    assert seen == {"S1": 499, "B2": 9}
    assert with_cpc == 14  # five of 499 designs have a CPC; the search field, which all have, must not count
    assert decimals == 17


@pytest.mark.data
def test_every_figure_of_the_real_grants_has_its_caption(data_dir: Path) -> None:
    """But for three grants with typing errors: a figure there twice, `FIG. B` for 8, `FIG. lA` for 1A."""
    differing = {}
    for _, data in real_grants(data_dir):
        patent = parse_grant(data).patent
        if len(patent.captions) != patent.figure_count:
            differing[patent.number] = (patent.figure_count, len(patent.captions))
        assert all(len(caption.view) >= 3 for caption in patent.captions)
    assert differing == {"USD984824": (7, 6), "USD985113": (8, 7), "USD985134": (21, 20)}


GRANT = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE us-patent-grant SYSTEM "us-patent-grant-v45-2014-04-03.dtd" [ ]>
<us-patent-grant country="US">
<us-bibliographic-data-grant>
<publication-reference><document-id><country>US</country><doc-number>D0900001</doc-number><kind>S1</kind>
<date>20201027</date></document-id></publication-reference>
<application-reference appl-type="design"><document-id><date>20190405</date></document-id></application-reference>
<classification-locarno><edition>12</edition><main-classification>0601</main-classification>
<further-classification>1402</further-classification></classification-locarno>
<classification-national><country>US</country><main-classification>D 6334</main-classification>
<further-classification> D74012</further-classification></classification-national>
<invention-title id="a">Chair with <i>CO<sub>2</sub></i>
 sensor</invention-title>
<us-references-cited><us-citation><patcit><document-id><country>US</country><doc-number>4621424</doc-number>
<date>19861100</date></document-id></patcit>
<classification-national><main-classification>D99999</main-classification></classification-national>
</us-citation></us-references-cited>
<us-field-of-classification-search>
<classification-national><main-classification>D14126</main-classification></classification-national>
<classification-cpc-text>A47C 7/00</classification-cpc-text></us-field-of-classification-search>
<figures><number-of-figures>2</number-of-figures></figures>
</us-bibliographic-data-grant>
<drawings><figure><img file="USD0900001-20201027-D00000.TIF"/></figure>
<figure><img file="../../USD0900001-20201027-D00001.TIF"/></figure></drawings>
<description>
<p><img file="USD0900001-20201027-C00001.TIF"/></p>
<description-of-drawings><p>FIG. <b>1</b> is a front view of a chair; and</p><p>FIG. <b>2</b> is a rear view.</p>
</description-of-drawings></description>
<claims><claim>FIG. 3 is not a caption.</claim></claims>
</us-patent-grant>"""


def changed(old: str, new: str) -> bytes:
    assert old in GRANT
    return GRANT.replace(old, new).encode()


def test_paths_are_anchored() -> None:
    """Citations and the examiner's search bear the same tags; none of them is the patent's own."""
    grant = parse_grant(GRANT.encode())
    patent = grant.patent
    assert (patent.number, patent.kind, patent.title) == ("USD900001", "S1", "Chair with CO2 sensor")
    assert (patent.granted, patent.filed) == (date(2020, 10, 27), date(2019, 4, 5))
    assert [str(c) for c in patent.classes] == ["locarno:06-01", "locarno:14-02", "uspc:D6/334", "uspc:D7/401.2"]
    assert patent.captions == (Caption("1", "a front view of a chair"), Caption("2", "a rear view"))
    assert grant.images == ("USD0900001-20201027-D00000.TIF", "USD0900001-20201027-D00001.TIF")
    assert patent.problems == ()


@pytest.mark.parametrize(
    ("doc_number", "number"),
    [
        ("D0900001", "USD900001"),
        ("12448135", "US12448135"),
        ("07654321", "US7654321"),
        ("RE049000", "USRE49000"),
        ("PP033000", "USPP33000"),
        ("H0002300", "USH2300"),
    ],
)
def test_numbers_of_every_kind_of_grant(doc_number: str, number: str) -> None:
    assert parse_grant(changed("D0900001<", doc_number + "<")).patent.number == number


def test_what_is_missing_is_said() -> None:
    patent = parse_grant(changed("<date>20201027</date>", "<date>20201300</date>")).patent
    assert (patent.granted, patent.problems) == (None, ("'20201300' is not a grant date",))
    patent = parse_grant(re.sub(rb"<invention-title.*?</invention-title>", b"", GRANT.encode(), flags=re.DOTALL)).patent
    assert (patent.title, patent.problems) == ("", ("the grant has no title",))
    patent = parse_grant(changed("0601", "06o1")).patent
    assert patent.problems == ("'06o1' is not a Locarno class",)
    assert next(str(c) for c in patent.classes) == "locarno:14-02"
    patent = parse_grant(changed("<number-of-figures>2", "<number-of-figures>two")).patent
    assert patent.figure_count is None


ENTITIES = (
    '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
)
SECRET = '<!ENTITY x SYSTEM "file:///etc/passwd">'
PARAMETER = '<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;'


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (changed("[ ]", f"[{ENTITIES}]").replace(b"sensor", b"&c;"), "not safe"),
        (changed("[ ]", f"[{SECRET}]").replace(b"sensor", b"&x;"), "not safe"),
        (changed("[ ]", f"[{PARAMETER}]"), "not safe"),
        (changed("sensor", "&undeclared;"), "damaged"),
        (GRANT[: len(GRANT) // 2].encode(), "damaged"),
        (b"", "damaged"),
        (b"\x00\xff\xfe nothing of the kind", "damaged"),
        (b"II*\0" + bytes(range(256)), "damaged"),
        (GRANT.replace("UTF-8", "klingon").encode(), "encoding"),
        (b"<html><body/></html>", "<html>, not a <us-patent-grant>"),
        (changed("us-patent-grant", "us-patent-application"), "<us-patent-application>"),
        (GRANT.encode() + GRANT.partition("\n")[2].encode(), "more than one document"),
        (b"<us-patent-grant/>", "no bibliographic data"),
        (changed("D0900001<", "../../x<"), "no patent number (it says 'US../../x')"),
        (changed("<doc-number>D0900001</doc-number>", ""), "no patent number"),
        (b"<us-patent-grant>" + b"<a>" * 100_000, "nested too deeply"),
        (b"<us-patent-grant><drawings>" + b"<a/>" * 300_001, "more elements than"),
        (b"<us-patent-grant>" + b" " * MAX_XML, "larger than the 64 MB"),
    ],
)
def test_what_is_no_sound_grant_is_refused_in_one_line(data: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=re.escape(says)) as caught:
        parse_grant(data)
    assert "\n" not in str(caught.value)


def test_the_dtd_is_not_fetched(tmp_path: Path) -> None:
    """Every real file names one. Were it read, this one would make the grant invalid."""
    dtd = tmp_path / "x.dtd"
    dtd.write_text("<!ENTITY % broken '<'> %broken;")
    assert parse_grant(changed("us-patent-grant-v45-2014-04-03.dtd", dtd.as_uri())).patent.number == "USD900001"


@pytest.mark.parametrize("inside", ["<us-references-cited>", "<claims>"])
def test_what_is_passed_over_is_checked_all_the_same(inside: str) -> None:
    for bad, says in (("&undeclared;", "undefined entity"), ("<b></i>", "mismatched"), ("<a>" * 300, "too deeply")):
        with pytest.raises(SourceError, match=says):
            parse_grant(changed(inside, inside + bad))
    twin = "<description><description-of-drawings><p>FIG. 9 is not a view.</p></description-of-drawings></description>"
    assert parse_grant(changed(inside, inside + twin)).patent.captions == parse_grant(GRANT.encode()).patent.captions


def test_a_long_description_is_not_kept() -> None:
    """A utility grant's text is dropped as it is read; what follows it is still found."""
    text = "<p>" + "<b>x</b>" * 50_000 + "</p>"
    assert parse_grant(changed("<description>", "<description>" + text)).patent.captions[1].view == "a rear view"
