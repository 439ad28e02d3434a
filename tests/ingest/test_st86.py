"""Designs in ST.86 are read to their exact values, with every trap that offices have put into it."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path
from xml.dom import minidom

import pytest
from register_makers import DPMA, EUIPO, TRADE_MARKS, design, packed, picture, st86, three_weeks, unpacked

from patsearch.bibliography import Party, Protection, Related, from_text, public, to_text
from patsearch.ingest.notices import day_in_name
from patsearch.ingest.sources import Problem, open_source
from patsearch.ingest.sources.designs import DesignUnit
from patsearch.ingest.sources.stored import members
from patsearch.terms import RENEWALS


def units(path: Path) -> tuple[list[DesignUnit], list[Problem]]:
    """The designs of a source, and what it could not read."""
    found = list(open_source(path).units())
    problems = [one for one in found if isinstance(one, Problem)]
    designs = [one for one in found if isinstance(one, DesignUnit)]
    assert len(designs) + len(problems) == len(found)
    return designs, problems


def texts(document: str, name: str) -> list[str]:
    """The texts of elements, read by other means than the source's."""
    nodes = minidom.parseString(document).getElementsByTagNameNS("*", name)
    return ["".join(part.data for part in node.childNodes if part.nodeType == part.TEXT_NODE) for node in nodes]


def test_the_public_record_of_the_dpma(tmp_path: Path) -> None:
    unpacked(tmp_path, {"gsm_bib_eing_xml_198845/M8800174.xml": DPMA, "bild/old_bild/174/880017400101.png": picture(3)})
    (unit,), problems = units(tmp_path)
    assert problems == []
    patent = unit.load()
    assert patent.number == f"DE{texts(DPMA, 'DesignIdentifier')[0]}" == "DEM8800174-0001"
    assert patent.title == texts(DPMA, "DesignTitle")[0] == "Stuhl"
    assert [str(patent.filed), str(patent.granted)] == [
        texts(DPMA, "DesignApplicationDate")[0],
        texts(DPMA, "RegistrationDate")[0],
    ]
    assert [code.code for code in patent.classes] == [texts(DPMA, "ClassNumber")[0].replace(" ", "")] == ["06-01"]
    known = patent.bibliography
    assert known
    assert known.owners == (Party(texts(DPMA, "OrganizationName")[0], texts(DPMA, "AddressState")[0]),)
    assert known.agents == (Party("VOSSIUS & PARTNER Patentanwälte", "DE"),)
    assert known.related == (Related("priority", "US 141 676", date(1988, 1, 7)),)
    assert known.status == texts(DPMA, "DesignStatus")[0]
    assert from_text(to_text(known)) == known
    assert public(known)["published"] == str(known.published) == texts(DPMA, "PublicationDate")[-1] == "1988-11-10"
    # Five years from filing; the cancellation came later.
    assert known.protections == (Protection("DE", date(1988, 9, 15), date(1993, 7, 7), "Paper File Destroyed"),)
    # The preferred representation repeats a view and is not another one.
    assert [(sheet.name, sheet.figure) for sheet in patent.sheets] == [("880017400101", "1")]
    assert patent.sheets[0].data == picture(3)


def test_a_french_registration_of_two_designs(tmp_path: Path) -> None:
    """The picture's file is called by the view's number, whatever the file name says."""
    new = three_weeks(tmp_path)[0]
    found, problems = units(new)
    assert problems == []
    assert [unit.key for unit in found] == ["FR20211234-0001", "FR20211234-0002"]
    patent = found[0].load()
    assert [(s.name, s.figure, s.view) for s in patent.sheets] == [("614463", "1", "Vue 1"), ("614464", "2", "Vue 2")]
    assert [sheet.data for sheet in patent.sheets] == [picture(1), picture(1, 1)]
    known = patent.bibliography
    assert known
    assert (known.owners, known.inventors, known.agents) == (
        (Party("Chaises & Fils SARL", "FR"),),
        (Party("Ana Ruiz"),),
        (Party("Cabinet Agent"),),
    )
    assert known.protections == (Protection("FR", date(2021, 4, 2), date(2026, 2, 1), "Registered"),)
    assert (patent.filed, patent.granted) == (date(2021, 2, 1), date(2021, 4, 2))


@pytest.mark.parametrize("namespace", [TRADE_MARKS, EUIPO, "http://www.inpi.fr/schemas/frst86/v1"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_any_namespace_and_encoding(namespace: str, encoding: str, tmp_path: Path) -> None:
    text = st86(design(title="Siège"), namespace=namespace).replace('encoding="UTF-8"', f'encoding="{encoding}"')
    (tmp_path / "a.xml").write_bytes(text.encode(encoding))
    (tmp_path / "614463.png").write_bytes(picture(1))
    (unit,), problems = units(tmp_path)
    assert (unit.patent.number, unit.patent.title, problems) == ("FR20211234-0001", "Siège", [])
    assert len(unit.pictures) == 1


def test_a_prefix_and_the_trade_marks_namespace_around_designs(tmp_path: Path) -> None:
    text = st86(design()).replace("<Design>", '<d:Design xmlns:d="urn:office">').replace("</Design>", "</d:Design>")
    unpacked(tmp_path, {"a.xml": text, "614463.png": picture(1)})
    (unit,), _ = units(tmp_path)
    assert unit.key == "FR20211234-0001"


@pytest.mark.parametrize(
    ("identifier", "number"),
    [
        ("<DesignIdentifier>004247823-0007</DesignIdentifier>", "EM4247823-0007"),
        ("<DesignURI>https://euipo.europa.eu/designs/004247823-0012</DesignURI>", "EM4247823-0012"),
    ],
)
def test_numbers_of_the_euipo(identifier: str, number: str, tmp_path: Path) -> None:
    one = design(reference="", registration="004247823", extra=identifier, views=[("1", "", "004247823_0007_1.png")])
    unpacked(tmp_path, {"a.xml": st86(one, number="004247823", office="EM"), "004247823_0007_1.png": picture(1)})
    (unit,), problems = units(tmp_path)
    assert (unit.key, problems) == (number, [])
    assert [sheet.name for sheet in unit.load().sheets] == ["004247823_0007_1"]


def test_a_design_without_an_application_around_it(tmp_path: Path) -> None:
    """The office is known by the form of its numbers."""
    one = design(
        registration="", reference="", views=[("1", "", "1.png")],
        extra="<DesignIdentifier>004247823-0007</DesignIdentifier><DesignApplicationDate>2017-08-29</DesignApplicationDate>",
    )  # fmt: skip
    body = f"<DesignTransactionBody><TransactionData><DesignDetails>{one}</DesignDetails></TransactionData>"
    text = f'<Transaction xmlns="{EUIPO}">{body}</DesignTransactionBody></Transaction>'
    unpacked(tmp_path, {"a.xml": text, "1.png": picture(1)})
    (unit,), problems = units(tmp_path)
    assert (unit.key, unit.patent.filed, len(unit.pictures), problems) == (
        "EM4247823-0007", date(2017, 8, 29), 1, [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "expires", "last"),
    [
        ("Registered and fully published", "2031-02-01", date(2031, 2, 1)),
        ("Registered and subject to deferment", "2031-02-01", date(2031, 2, 1)),
        ("Invalidity procedure pending", "2031-02-01", date(2031, 2, 1)),
        ("Expiring", "2031-02-01", date(2031, 2, 1)),
        ("Design lapsed", "2026-02-01", date(2026, 2, 1)),
        ("Registration expired", "2026-02-01", date(2026, 2, 1)),
        ("Design declared invalid", "2031-02-01", None),
        ("Design surrendered", "2031-02-01", None),
        ("Registration cancelled", "2031-02-01", None),
        ("Lack of effects", "2031-02-01", None),
        ("Ended", "2031-02-01", None),
        ("Application published", "", None),
        ("Application refused", "", None),
        ("Filed", "", None),
        ("Registered", "", date(2026, 2, 1)),
        ("Enregistré", "", date(2026, 2, 1)),
        ("Radié", "2031-02-01", None),
    ],
)
def test_statuses(status: str, expires: str, last: date | None, tmp_path: Path) -> None:
    text = st86(design(status=status), office="EM").replace("2026-02-01", expires)
    unpacked(tmp_path, {"a.xml": text, "vue1.png": picture(1)})
    (unit,), _ = units(tmp_path)
    assert unit.patent.bibliography
    (protection,) = unit.patent.bibliography.protections
    assert (protection.country, protection.last, protection.status) == ("EM", last, status)
    assert protection.assumed == (RENEWALS if last and not expires else "")


@pytest.mark.parametrize(
    ("file", "operation", "code", "deleted"),
    [
        ("FR_FRDELST86_2021-30_0001.xml", "", "", True),
        ("FR_FRAMDST86_2021-30_0001.xml", "", "", False),
        ("DiffDesigns.xml", "Delete", "", True),
        ("DiffDesigns.xml", "Update", "", False),
        ("a.xml", "", "Design Delete", True),
        ("a.xml", "Insert", "Design Delete", False),
    ],
)
def test_what_a_notice_does(file: str, operation: str, code: str, deleted: bool, tmp_path: Path) -> None:
    unpacked(tmp_path, {file: st86(design(), operation=operation, code=code), "614463.png": picture(1)})
    (unit,), _ = units(tmp_path)
    assert unit.deleted is deleted
    assert (unit.views is None) is deleted


@pytest.mark.parametrize(("number", "file"), [("00614463", "614463.png"), ("614463", "00614463.png")])
def test_zeros_in_front_of_a_views_number(number: str, file: str, tmp_path: Path) -> None:
    unpacked(tmp_path, {"a.xml": st86(design(views=[("1", number, "vue.jpg")])), file: picture(1)})
    (unit,), problems = units(tmp_path)
    assert ([sheet.name for sheet in unit.load().sheets], problems) == (["614463"], [])


@pytest.mark.parametrize("folders", ["{}", "{}/views", "d{}"])
def test_pictures_of_one_name_in_folders_of_the_designs(folders: str, tmp_path: Path) -> None:
    """Those in the folder of the notice, or in one with the number of the design; else none rather than a wrong one."""
    files: dict[str, str | bytes] = {}
    for n in (1, 2, 3):
        number = f"00424782{n}"
        one = design(
            registration=number, reference="", views=[("1", "", "1.png")],
            extra=f"<DesignIdentifier>{number}-0007</DesignIdentifier>",
        )  # fmt: skip
        files[f"{number}.xml"] = st86(one, number=number, office="EM")
        name = f"{number}-0007" if folders != "d{}" else str(n)
        files[f"{folders.format(name)}/1.png"] = picture(n)
    found, _ = units(unpacked(tmp_path, files))
    pictures = {unit.key: [sheet.data for sheet in unit.load().sheets] for unit in found}
    expected = {f"EM42478{2}{n}-0007": [picture(n)] for n in (1, 2, 3)}
    assert pictures == (expected if folders != "d{}" else {key: [] for key in expected})


def test_views_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """At the DPMA, the view's number is in the office's namespace, and the order of the elements says nothing."""
    first, second = ("", "10", "/b/10.png"), ("", "9", "/b/9.png")
    text = st86(design(views=[first, second]), office="DE").replace("<ViewSequenceNumber></ViewSequenceNumber>", "")
    text = text.replace("<ViewNumber>", '<de:ViewNumber xmlns:de="urn:de">').replace(
        "</ViewNumber>", "</de:ViewNumber>"
    )
    unpacked(tmp_path, {"a.xml": text, "b/10.png": picture(1), "b/9.png": picture(2)})
    (unit,), _ = units(tmp_path)
    assert [(sheet.name, sheet.figure) for sheet in unit.load().sheets] == [("9", "9"), ("10", "10")]


def test_texts_and_pictures_of_a_week_in_two_zips(tmp_path: Path) -> None:
    """The DPMA packs them apart; the path in the record chooses between pictures of one name."""
    packed(tmp_path / "gsm_bib_eing_xml_198845.zip", {"M8800174.xml": DPMA})
    packed(
        tmp_path / "gsm_bib_eing_198845.zip",
        {"old_bild/174/880017400101.png": picture(3), "old_bild/999/880017400101.png": picture(4)},
    )
    (unit,), problems = units(tmp_path)
    assert unit.load().sheets[0].data == picture(3)
    assert [p.reason for p in problems] == [
        "1 pictures in this ZIP belong to no design in these files, for example 880017400101.png"
    ]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("FR_FRNEWST86_2016-11_0001.xml", date(2016, 3, 14)),
        ("gsm_bib_eing_xml_202627.zip", date(2026, 6, 29)),
        ("DiffDesigns_20260703.zip", date(2026, 7, 3)),
        ("2026-07-03.xml", date(2026, 7, 3)),
        ("20261399.xml", None),
        ("M8800174.xml", None),
        ("402019100123.xml", None),
    ],
)
def test_the_day_in_a_name(name: str, day: date | None) -> None:
    assert day_in_name(name) == day


@pytest.mark.parametrize(
    ("file", "day"),
    [
        ("20211230.xml", "2021-04-09"),  # the design's number, not a day: the last day in the record
        ("2026-27/20211230.xml", "2026-06-29"),
        ("20220131.xml", "2022-01-31"),
    ],
)
def test_the_number_of_a_design_is_not_taken_for_a_day(file: str, day: str, tmp_path: Path) -> None:
    unpacked(tmp_path / "r", {file: st86(design(registration="20211230")), "614463.png": picture(1)})
    (unit,), _ = units(tmp_path / "r")
    assert unit.dated.startswith(f"{day} ")


def test_two_designs_without_a_number_of_their_own_are_counted(tmp_path: Path) -> None:
    text = st86(design(reference=""), design(reference="", views=[]))
    unpacked(tmp_path, {"a.xml": text, "614463.png": picture(1)})
    assert [unit.key for unit in units(tmp_path)[0]] == ["FR20211234-0001", "FR20211234-0002"]


# ---------------------------------------------------------------------- what must not be read, or cannot


def test_a_path_that_leaves_the_folder_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture(9))
    text = st86(design(views=[("1", "", "../secret.png")]), office="DE")
    folder = unpacked(tmp_path / "week", {"a.xml": text})
    (unit,), _ = units(folder)
    assert unit.pictures == ()


def test_a_cut_off_file_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    whole = st86(design())
    second = whole[whole.index("<DesignApplication>") : whole.index("</DesignApplicationDetails>")]
    text = whole.replace("</DesignApplicationDetails>", second.replace("20211234", "20215678") + "<Design")
    unpacked(tmp_path, {"a.xml": text[: text.rindex("<Design") + 7], "614463.png": picture(1)})
    found, problems = units(tmp_path)
    assert [unit.key for unit in found] == ["FR20211234-0001", "FR20215678-0001"]
    (problem,) = problems
    assert problem.where == str(tmp_path / "a.xml")
    assert problem.reason.startswith("the XML is damaged (unclosed token: line ")
    assert problem.reason.endswith("); what came before was read")


BOMB = '<?xml version="1.0"?><!DOCTYPE Transaction [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE Transaction [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: BOMB + text.split("?>", 1)[1].replace("Chaise<", "&b;<"), "not safe to read (it declares"),
        (lambda text: OUTSIDE + text.split("?>", 1)[1].replace("Chaise<", "&a;<"), "not safe to read (it declares"),
        (lambda text: text.replace("Chaise<", "<x>" * 500 + "</x>" * 500 + "<"), "nested too deeply"),
        (lambda text: text.replace("Chaise<", "x" * (9 << 20) + "<"), "more than 8 million characters; left out"),
        (lambda text: text.replace("Chaise<", "<x/>" * 200_001 + "<"), "more than 200,000 elements; left out"),
        (lambda text: text.replace("UTF-8", "klingon-1"), "in no readable encoding (unknown encoding: klingon-1)"),
        (lambda text: text.replace("Chaise<", "\udcff<"), "damaged (not well-formed (invalid token)"),
        (lambda text: text.replace(">FR</Reg", "></Reg"), "does not say of which office it is; left out"),
        (lambda text: text.replace("20211234", "none"), "has no number; left out"),
    ],
)
def test_bad_xml_is_one_line(change: object, reason: str, tmp_path: Path) -> None:
    """And a sound file next to it is read."""
    assert callable(change)
    text: str = change(st86(design()))
    unpacked(tmp_path, {"b.xml": st86(design(registration="20215678")), "614463.png": picture(1)})
    (tmp_path / "a.xml").write_bytes(text.encode("utf-8", "surrogateescape"))
    found, problems = units(tmp_path)
    assert [unit.key for unit in found] == ["FR20215678-0001"]
    (problem,) = problems
    assert reason in problem.reason
    assert "\n" not in problem.reason
    assert problem.where == str(tmp_path / "a.xml")


def test_a_long_title_is_cut(tmp_path: Path) -> None:
    unpacked(tmp_path, {"a.xml": st86(design(title="x" * 100_000)), "614463.png": picture(1)})
    (unit,), _ = units(tmp_path)
    assert len(unit.patent.title) == 1000


def test_a_damaged_zip_and_a_damaged_member(tmp_path: Path) -> None:
    whole = three_weeks(tmp_path)[0]
    data = bytearray(whole.read_bytes())
    (tmp_path / "FR_FRAMDST86_2021-20.zip").write_bytes(bytes(data[: len(data) // 2]))
    (tmp_path / "FR_FRDELST86_2021-30.zip").unlink()
    with zipfile.ZipFile(whole) as archive:
        info = archive.getinfo("614464.png")
    data[info.header_offset + 30 + len(info.filename) + 100] ^= 0xFF
    whole.write_bytes(bytes(data))
    found, problems = units(tmp_path)
    assert len(problems) >= 1
    assert any("not a readable ZIP" in problem.reason for problem in problems)
    patent = found[0].load()
    assert [sheet.name for sheet in patent.sheets] == ["614463"]
    (problem,) = patent.problems
    assert problem.startswith("614464: ")
    assert "damaged" in problem


def test_what_must_not_be_unpacked_is_left_out(tmp_path: Path) -> None:
    text = st86(design(views=[("1", "614463", ""), ("2", "614464", "")]))
    packed(
        tmp_path / "FR_FRNEWST86_2021-14.zip",
        {
            "a.xml": text,
            "../614463.png": picture(1),
            "inner.zip": b"PK",
            "614464.png": picture(2),
            "bomb.xml": b"<DesignApplication>" + b" " * (32 << 20),
        },
    )
    (unit,), problems = units(tmp_path)
    assert [one.view for one in unit.pictures] == ["614464"]
    (problem,) = problems
    assert problem.reason.startswith("3 files in this ZIP are left out: '../614463.png' (a name that leads out of the")
    assert all(text in problem.reason for text in ("an archive within the archive", "times its size"))


def test_a_zip_with_too_long_a_table_of_contents(tmp_path: Path) -> None:
    path = three_weeks(tmp_path)[0]
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = (300 << 20).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    found = list(members(path, most=1 << 20))
    assert [str(one) for one in found] == [f"{path}: its table of contents takes 300 MB, more than 256"]


def test_a_picture_that_is_gone_or_changed_while_it_is_read(tmp_path: Path) -> None:
    path = three_weeks(tmp_path)[0]
    found, _ = units(path)
    path.write_bytes(b"PK" + b"\0" * 5000)
    assert all("the ZIP does not have it where it says" in text for text in found[0].load().problems)
    path.unlink()
    assert all("cannot be read" in text for text in found[0].load().problems)
