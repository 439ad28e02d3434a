"""Grants of earlier years: SGML and XML of 2001 to 2004, the IPC of 2005, characters by their names."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from makers import draw_design, grant_xml, tiff_bytes

from patsearch.bibliography import MOST_CITATIONS, Bibliography, Citation, Party, Related
from patsearch.errors import SourceError
from patsearch.ingest import IngestOptions, ingest
from patsearch.ingest.grant import parse_grant
from patsearch.types import Caption

GRANT = grant_xml(
    "D0900001", title="Chair with arms", date="20201027", locarno="0601", uspc="D 6334", sheets=1
).decode()
STEM = "USD0453001-20020129"
# As the office wrote it: elements without content have no end, and characters have names.
SGML = f"""<!DOCTYPE PATDOC PUBLIC "-//USPTO//DTD ST.32 US PATENT GRANT V2.4 2000-09-20//EN" [
<!ENTITY USD0453001-20020129-D00001.TIF SYSTEM "{STEM}-D00001.TIF" NDATA TIF>
<!ENTITY second SYSTEM "{STEM}-D00002.TIF" NDATA TIF>
]>
<PATDOC DTD="2.4" STATUS="BUILD 20010518">
<SDOBI>
<B100>
<B110><DNUM><PDAT>D0453001</PDAT></DNUM></B110>
<B130><PDAT>S1</PDAT></B130>
<B140><DATE><PDAT>20020129</PDAT></DATE></B140>
<B190><PDAT>US</PDAT></B190>
</B100>
<B200><B210><DNUM><PDAT>29124000</PDAT></DNUM></B210><B220><DATE><PDAT>20000613</PDAT></DATE></B220><B221US></B200>
<B500>
<B510><B511><PDAT>0201</PDAT></B511><B516><PDAT>7</PDAT></B516></B510>
<B520><B521><PDAT>D 2703</PDAT></B521><B522><PDAT> D2700</PDAT></B522></B520>
<B540><STEXT><PDAT>Caf&eacute; chair &mdash; </PDAT><HIL><ITALIC><PDAT>folding</PDAT></ITALIC></HIL></STEXT></B540>
<B560><B561><PCIT><DOC><DNUM><PDAT>2131457</PDAT></DNUM><DATE><PDAT>19380900</PDAT></DATE></DOC>
<PNC><PDAT>450 41</PDAT></PNC></PCIT><CITED-BY-EXAMINER></B561>
<B562><NCIT><STEXT><PDAT>A catalogue; p. 37&mdash;FIG. 9 is a lamp.</PDAT></STEXT></NCIT><CITED-BY-OTHER></B562></B560>
<B580><B582><PDAT>D 2738</PDAT></B582></B580>
<B590><B595><PDAT>2</PDAT></B595><B596><PDAT>3</PDAT></B596><B597US></B590>
</B500>
</SDOBI>
<SDODE><DRWDESC><BTEXT>
<PARA ID="P-00001" LVL="7"><PTEXT><PDAT>FIG. 1 is a perspective view of a chair;</PDAT></PTEXT></PARA>
<PARA ID="P-00002" LVL="7"><PTEXT><PDAT>FIGS. </PDAT><HIL><BOLD><PDAT>2</PDAT></BOLD></HIL><PDAT> and 3 are side
views thereof.</PDAT></PTEXT></PARA>
</BTEXT></DRWDESC></SDODE>
<SDOCL><CL><CLM><PARA><PTEXT><PDAT>FIG. 8 is not a caption.</PDAT></PTEXT></PARA></CLM></CL></SDOCL>
<SDODR ID="DRAWINGS">
<EMI ID="EMI-D00001" FILE="{STEM}-D00001.TIF">
<EMI ID="EMI-D00002" FILE="second">
</SDODR>
</PATDOC>
"""


def changed(old: str, new: str) -> bytes:
    assert old in GRANT
    return GRANT.replace(old, new).encode()


def xml(sgml: str) -> str:
    """The same as XML, as these years have it too."""
    for name in ("B221US", "B597US", "CITED-BY-EXAMINER", "CITED-BY-OTHER"):
        sgml = sgml.replace(f"<{name}>", f"<{name}/>")
    lines = (f"{line[:-1]}/>" if line.startswith("<EMI ") else line for line in sgml.splitlines())
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + "\n".join(lines)


@pytest.mark.parametrize("text", [SGML, xml(SGML)], ids=["sgml", "xml"])
def test_a_grant_of_2002(text: str) -> None:
    grant = parse_grant(text.encode())
    patent = grant.patent
    assert (patent.number, patent.kind, patent.title) == ("USD453001", "S1", "Café chair — folding")
    assert (patent.granted, patent.filed) == (date(2002, 1, 29), date(2000, 6, 13))
    assert [str(code) for code in patent.classes] == ["locarno:02-01", "uspc:D2/703", "uspc:D2/700"]
    assert patent.captions == (
        Caption("1", "a perspective view of a chair"),
        Caption("2", "side views thereof"),
        Caption("3", "side views thereof"),
    )
    assert patent.figure_count == 3
    assert grant.images == (f"{STEM}-D00001.TIF", f"{STEM}-D00002.TIF")
    assert patent.problems == ()


def test_a_utility_grant_of_2002_has_the_ipc() -> None:
    text = SGML.replace("D0453001</PDAT>", "06340001</PDAT>").replace("<PDAT>0201<", "<PDAT>A47C007/02<")
    text = text.replace("</B511>", "</B511><B512><PDAT>A47B 1300</PDAT></B512>", 1)
    patent = parse_grant(text.encode("cp1252", errors="xmlcharrefreplace")).patent
    assert patent.number == "US6340001"
    assert [str(code) for code in patent.classes if code.scheme == "ipc"] == ["ipc:A47C7/02", "ipc:A47B13/00"]


@pytest.mark.parametrize("suffix", ["XML", "SGM"])
def test_its_drawings_are_ingested(tmp_path: Path, suffix: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{STEM}/{STEM}.{suffix}", SGML if suffix == "SGM" else xml(SGML))
        for page in (1, 2):
            archive.writestr(f"{STEM}/{STEM}-D{page:05d}.TIF", tiff_bytes(draw_design(page, 0)))
    folder = tmp_path / "grants"
    folder.mkdir()
    (folder / f"{STEM}.ZIP").write_bytes(buffer.getvalue())
    with zipfile.ZipFile(buffer) as archive:
        archive.extractall(tmp_path / "unpacked")
    for source in (folder, tmp_path / "unpacked"):
        report = ingest([source], tmp_path / f"index-{source.name}", IngestOptions(workers=1))
        assert (report.patents, report.drawings, report.failed) == (1, 2, [])


@pytest.mark.parametrize(
    "text",
    [
        SGML.replace('SYSTEM "USD', '"&second;" "USD'),
        SGML.replace("[\n", '[\n<!ENTITY a "b">\n<!ENTITY lol "' + "&a;" * 1000 + '">\n').replace("Caf", "&lol;Caf"),
        SGML.replace("[\n", '[\n<!ENTITY host SYSTEM "file:///etc/hostname">\n').replace("Caf", "&host;Caf"),
    ],
)
def test_nothing_that_it_declares_is_resolved(text: str) -> None:
    title = parse_grant(text.encode()).patent.title
    assert title.removeprefix("&lol;").removeprefix("&host;") == "Café chair — folding"


def test_hostile_old_grants_cost_little() -> None:
    for text in ("<PATDOC><SDOBI>" + "<B" * 10**6, "<PATDOC><SDOBI>" + "<B100>" * 10**5, "<PATDOC" + " <" * 10**6):
        with pytest.raises(SourceError):
            parse_grant(text.encode())
    with pytest.raises(SourceError, match="more than one grant"):
        parse_grant((SGML + SGML).encode())


def test_the_ipc_of_2005() -> None:
    grant = changed(
        "<classification-national><country>US",
        "<classification-ipc><edition>7</edition><main-classification>G06F015/00</main-classification>"
        "<further-classification>H04N007/167</further-classification></classification-ipc>"
        "<classification-national><country>US",
    )
    patent = parse_grant(grant).patent
    assert [str(code) for code in patent.classes if code.scheme == "ipc"] == ["ipc:G06F15/00", "ipc:H04N7/167"]
    bad = parse_grant(grant.replace(b"G06F015/00", b"nonsense")).patent
    assert bad.problems == ("'nonsense' is not a IPC class",)


@pytest.mark.parametrize("doctype", [True, False])
def test_characters_by_their_names(doctype: bool) -> None:
    text = GRANT.replace("Chair with", "Chair&nbsp;&ldquo;A&rdquo;&mdash;with &Auml;&amp;").replace(
        "</us-patent-grant>", "<claims>A lamp</claims></us-patent-grant>"
    )
    if not doctype:
        text = text.replace(text.splitlines()[1], "")
    text = text.replace("A lamp", "A &hellip; lamp")  # in what is passed over
    patent = parse_grant(text.encode()).patent
    assert patent.title == "Chair “A”—with Ä& arms"
    assert patent.captions[0].view == "a perspective view thereof"


def test_pictures_may_be_declared_and_nothing_else() -> None:
    picture = '[ <!NOTATION TIF SYSTEM "tif"><!ENTITY p SYSTEM "p.TIF" NDATA TIF> ]'
    assert parse_grant(changed("[ ]", picture)).patent.number == "USD900001"
    for bad in ('[ <!ENTITY a "b"> ]', '[ <!ENTITY a SYSTEM "file:///etc/hostname"> ]', '[ <!ENTITY % a "b"> ]'):
        with pytest.raises(SourceError, match="not safe"):
            parse_grant(changed("[ ]", bad))


def test_the_bibliography_of_2002() -> None:
    added = """<B600><B630><B632><PARENT-US><CDOC><DOC><DNUM><PDAT>29/124868</PDAT></DNUM></DOC></CDOC><PDOC><DOC>
<DNUM><PDAT>29/107998</PDAT></DNUM><DATE><PDAT>19990720</PDAT></DATE><CTRY><PDAT>US</PDAT></CTRY></DOC></PDOC>
<PSTA><PDAT>03</PDAT></PSTA><PPUB><DOC><DNUM><PDAT>D0440000</PDAT></DNUM></DOC></PPUB></PARENT-US></B632></B630></B600>
<B700><B720><B721><PARTY-US><NAM><FNM><PDAT>Park</PDAT></FNM><SNM><STEXT><PDAT>Kim</PDAT></STEXT></SNM></NAM>
<ADR><CITY><PDAT>Seoul</PDAT></CITY><CTRY><PDAT>KR</PDAT></CTRY></ADR></PARTY-US></B721>
<B721><PARTY-US><NAM><SNM><STEXT><PDAT>Lee</PDAT></STEXT></SNM></NAM><ADR><CITY><PDAT>Ames</PDAT></CITY>
<STATE><PDAT>IA</PDAT></STATE></ADR></PARTY-US></B721></B720>
<B740><B741><PARTY-US><NAM><ONM><STEXT><PDAT>Readers, PLLC</PDAT></STEXT></ONM></NAM></PARTY-US></B741></B740></B700>"""
    sgml = SGML.replace("</SDOBI>", f"{added}</SDOBI>").replace(
        "<B500>", "<B400><B472><B473US><B474><PDAT>14</PDAT></B474></B472></B400>\n<B500>", 1
    )
    name = "<NAM><ONM><STEXT><PDAT>Made Up</PDAT></STEXT></ONM></NAM>"
    assigned = f"<B730><B731><PARTY-US>{name}</PARTY-US></B731></B730>"
    for text in (sgml, xml(sgml).replace("<B473US>", "<B473US/>")):
        found = parse_grant(text.encode()).patent.bibliography
        inventors = (Party("Park Kim", "KR"), Party("Lee", "US"))
        assert found == Bibliography(
            owners=inventors,
            inventors=inventors,
            agents=(Party("Readers, PLLC"),),
            citations=(
                Citation("US2131457", "examiner"),
                Citation("", "other", "A catalogue; p. 37—FIG. 9 is a lamp."),
            ),
            related=(Related("continuation-in-part", "29/107998", date(1999, 7, 20), "USD440000"),),
            years=14,
            disclaimer=True,
            status="granted",
        )
        found = parse_grant(text.replace("</B720>", f"</B720>{assigned}").encode()).patent.bibliography
        assert found is not None
        assert (found.owners, found.inventors) == ((Party("Made Up"),), inventors)


def test_a_hundred_thousand_old_citations_are_bounded() -> None:
    one = "<B561><PCIT><DOC><DNUM><PDAT>{}</PDAT></DNUM></DOC></PCIT><CITED-BY-EXAMINER></B561>"
    many = "".join(one.format(2_000_000 + number) for number in range(100_000))
    patent = parse_grant(SGML.replace("<B560>", f"<B560>{many}", 1).encode()).patent
    assert patent.bibliography is not None
    assert len(patent.bibliography.citations) == MOST_CITATIONS
    assert patent.remarks == ("more than 5,000 citations; the first 5,000 are read",)
    assert patent.figure_count == 3  # which comes behind them


def test_comments_and_characters_of_a_text() -> None:
    for written, read in (
        ("<!-- a <PDAT> of old -->A", "A"),
        ("A <?page 3?>B", "A B"),
        ("<![CDATA[A < B & C]]>", "A < B & C"),
        ("A <!-- open", "A !-- open"),
    ):
        text = SGML.replace("<PDAT>folding</PDAT>", f"<PDAT>{written}</PDAT>")
        assert parse_grant(text.encode()).patent.title.endswith(f"— {read}")
    many = SGML.replace("<PDAT>folding</PDAT>", "<PDAT>" + "<!--" * 100_000 + "</PDAT>")
    with suppress(SourceError):
        parse_grant(many.encode())


def test_a_grant_in_utf_16() -> None:
    text = GRANT.replace("UTF-8", "UTF-16").replace("Chair with arms", "Café chair")
    assert parse_grant(text.encode("utf-16")).patent.title == "Café chair"
