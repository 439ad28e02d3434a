"""Stand-ins for what offices publish about designs, in the shapes of their files; the public example of the DPMA.

`DPMA` has the elements, names and order of a real record of the office (patent-dev/dpma-connect-plus,
testdata/design_info.xml, MIT). No other office's file is public: the rest follows the standards' schemas.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from makers import WRITTEN, draw_design

DESIGNS = "http://www.wipo.int/standards/XMLSchema/designs"
TRADE_MARKS = "http://www.wipo.int/standards/XMLSchema/trademarks"
EUIPO = "http://www.oami.europa.eu/schemas/design"


def picture(seed: int, view: int = 0) -> bytes:
    """A drawing as PNG, 600 x 800."""
    buffer = io.BytesIO()
    draw_design(seed, view, (600, 800)).save(buffer, "PNG")
    return buffer.getvalue()


def design(
    *,
    reference: str = "001",
    registration: str = "20211234",
    title: str = "Chaise",
    views: Sequence[tuple[str, str, str]] | None = (("1", "614463", "vue1.jpg"),),
    extra: str = "",
    status: str = "Registered",
    locarno: str = "06-01",
) -> str:
    """A `Design` of ST.86; a view is its sequence number, its view number and its file name."""
    shown = "".join(
        f"<View><ViewSequenceNumber>{order}</ViewSequenceNumber><ViewNumber>{number}</ViewNumber>"
        f"<ViewTitle>Vue {order}</ViewTitle><ViewFilename>{file}</ViewFilename>"
        "<ViewFileFormat>JPEG</ViewFileFormat></View>"
        for order, number, file in views or ()
    )
    sheets = (
        f"<DesignRepresentationSheetDetails><DesignRepresentationSheet><ViewDetails>{shown}</ViewDetails>"
        "</DesignRepresentationSheet></DesignRepresentationSheetDetails>"
    )
    return f"""<Design><DesignReference>{reference}</DesignReference>
<RegistrationNumber>{registration}</RegistrationNumber><RegistrationDate>2021-04-02</RegistrationDate>
<ExpiryDate>2026-02-01</ExpiryDate><DesignTitle>{escape(title)}</DesignTitle>
<DesignCurrentStatusCode>{status}</DesignCurrentStatusCode>{"" if views is None else sheets}
<IndicationProductDetails><IndicationProduct><ClassificationKindCode>Locarno</ClassificationKindCode>
<ClassificationVersion>13</ClassificationVersion><ClassDescriptionDetails><ClassDescription>
<ClassNumber>{locarno}</ClassNumber></ClassDescription></ClassDescriptionDetails></IndicationProduct>
</IndicationProductDetails><PublicationDetails><Publication><PublicationIdentifier>2021-14</PublicationIdentifier>
<PublicationDate>2021-04-09</PublicationDate></Publication></PublicationDetails>{extra}</Design>"""


def st86(
    *designs: str,
    number: str = "20211234",
    office: str = "FR",
    code: str = "",
    operation: str = "",
    namespace: str = DESIGNS,
    owner: str = "Chaises & Fils SARL",
) -> str:
    """A transaction of ST.86 with one application."""
    attribute = f' operationCode="{operation}"' if operation else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Transaction xmlns="{namespace}"><DesignTransactionBody><TransactionContentDetails>
<TransactionIdentifier>1</TransactionIdentifier><TransactionCode>{code}</TransactionCode><TransactionData>
<DesignApplicationDetails><DesignApplication{attribute}><RegistrationOfficeCode>{office}</RegistrationOfficeCode>
<DesignApplicationNumber>{number}</DesignApplicationNumber>
<DesignApplicationDate>2021-02-01</DesignApplicationDate><TotalDesign>{len(designs)}</TotalDesign>
<ApplicantDetails><Applicant><ApplicantAddressBook><FormattedNameAddress><Name><FormattedName>
<OrganizationName>{escape(owner)}</OrganizationName></FormattedName></Name><Address><FormattedAddress>
<FormattedAddressCountryCode>FR</FormattedAddressCountryCode></FormattedAddress></Address></FormattedNameAddress>
</ApplicantAddressBook></Applicant></ApplicantDetails>
<DesignerDetails><Designer><DesignerAddressBook><FormattedNameAddress><Name><FormattedName>
<FirstName>Ana</FirstName><LastName>Ruiz</LastName></FormattedName></Name></FormattedNameAddress>
</DesignerAddressBook></Designer></DesignerDetails>
<RepresentativeDetails><Representative><RepresentativeAddressBook><FormattedNameAddress><Name><FormattedName>
<OrganizationName>Cabinet Agent</OrganizationName></FormattedName></Name></FormattedNameAddress>
</RepresentativeAddressBook></Representative></RepresentativeDetails>
<DesignDetails>{"".join(designs)}</DesignDetails></DesignApplication></DesignApplicationDetails>
</TransactionData></TransactionContentDetails></DesignTransactionBody></Transaction>"""


def packed(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """A ZIP with these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, WRITTEN), data, zipfile.ZIP_DEFLATED)
    return path


def unpacked(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """A folder with these files."""
    for name, data in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def three_weeks(folder: Path) -> list[Path]:
    """A registration of two designs: new, then amended without its pictures and with one more, then one deleted."""
    views = [("1", "614463", "a.jpg"), ("2", "614464", "b.jpg")]
    new = st86(design(views=views), design(reference="002", views=[("1", "614470", "c.jpg")]), code="Design new")
    more = [("1", "614463", "a.jpg"), ("2", "614464", "b.jpg"), ("3", "614480", "d.jpg")]
    amended = st86(design(views=more, title="Fauteuil"), owner="Sièges SA")
    deleted = st86(design(reference="002", views=None))
    return [
        packed(
            folder / "FR_FRNEWST86_2021-14.zip",
            {
                "FR_FRNEWST86_2021-14_0001.xml": new,
                "614463.png": picture(1),
                "614464.png": picture(1, 1),
                "614470.png": picture(2),
            },
        ),
        packed(
            folder / "FR_FRAMDST86_2021-20.zip",
            {"FR_FRAMDST86_2021-20_0001.xml": amended, "614480.png": picture(1, 2)},
        ),
        packed(folder / "FR_FRDELST86_2021-30.zip", {"FR_FRDELST86_2021-30_0001.xml": deleted}),
    ]


DPMA = """<?xml version="1.0" encoding="UTF-8"?><Transaction xmlns="http://www.wipo.int/standards/XMLSchema/designs" \
xmlns:de="http://register.dpma.de/standards/XMLSchema/DE-Design-RegisterExt"><DesignTransactionBody>\
<TransactionContentDetails><TransactionIdentifier>String</TransactionIdentifier>\
<TransactionCode>Design E-Filing</TransactionCode><TransactionData><DesignApplicationDetails><DesignApplication>\
<RegistrationOfficeCode>DE</RegistrationOfficeCode><DesignApplicationNumber>M8800174.1</DesignApplicationNumber>\
<DesignApplicationDate>1988-07-07</DesignApplicationDate>\
<DesignApplicationReference>M8800174.1</DesignApplicationReference><TotalDesign>1</TotalDesign><DesignDetails><Design>\
<DesignIdentifier>M8800174-0001</DesignIdentifier><RegistrationNumber>M8800174</RegistrationNumber>\
<RegistrationDate>1988-09-15</RegistrationDate><DesignTitle>Stuhl</DesignTitle><TotalSpecimen>2</TotalSpecimen>\
<de:DE_ST86Extension><de:DesignInfo><de:RegisterNumber>M8800174</de:RegisterNumber>\
<de:DesignFileNumber>M8800174.1</de:DesignFileNumber><de:DesignNumber>M8800174-0001</de:DesignNumber></de:DesignInfo>\
<de:DesignStatus>Paper File Destroyed</de:DesignStatus><de:DateOfCaptureInSystem>1994-02-01</de:DateOfCaptureInSystem>\
<de:TypeOfDeposit>Representation</de:TypeOfDeposit><de:DefermentStatus>No Deferment</de:DefermentStatus>\
<de:TermProtectionObtained>5</de:TermProtectionObtained><de:PaymentDeadline>1994-01-31</de:PaymentDeadline>\
<de:DestructionPaperFile>1999-02-01</de:DestructionPaperFile><de:CancellationDate>1994-02-01</de:CancellationDate>\
<de:DesignPreferedRepresentation><ViewFilename>/old_bild/174/880017400101.jpg</ViewFilename>\
<ViewFileFormat>JPEG</ViewFileFormat><de:ViewNumber>1</de:ViewNumber></de:DesignPreferedRepresentation>\
</de:DE_ST86Extension><DesignRepresentationSheetDetails><DesignRepresentationSheet><ViewDetails><View>\
<ViewFilename>/old_bild/174/880017400101.jpg</ViewFilename><ViewFileFormat>JPEG</ViewFileFormat>\
<ViewRepresentationSize><Height>985</Height><Width>753</Width><Unit>Pixel</Unit></ViewRepresentationSize>\
<de:ViewNumber>1</de:ViewNumber></View></ViewDetails></DesignRepresentationSheet></DesignRepresentationSheetDetails>\
<IndicationProductDetails><IndicationProduct><ClassificationKindCode>Locarno</ClassificationKindCode>\
<ClassificationVersion>5</ClassificationVersion><ClassDescriptionDetails><ClassDescription>
  <ClassNumber>06 - 01</ClassNumber>
  <ProductDescription>Stuhl</ProductDescription>
</ClassDescription></ClassDescriptionDetails></IndicationProduct></IndicationProductDetails><PriorityDetails>
  <Priority><PriorityCountryCode>US</PriorityCountryCode><PriorityNumber>141 676</PriorityNumber>\
<PriorityDate>1988-01-07</PriorityDate></Priority></PriorityDetails><PublicationDetails><Publication>\
<PublicationIdentifier>1</PublicationIdentifier><PublicationDate>1988-11-10</PublicationDate></Publication>\
</PublicationDetails><ApplicantDetails><Applicant><ApplicantAddressBook><FormattedNameAddress><Name><FormattedName>\
<OrganizationName>MT Designs</OrganizationName></FormattedName></Name><Address><FormattedAddress>\
<AddressCity>Greensboro</AddressCity><AddressCounty>N.C.</AddressCounty><AddressState>US</AddressState>\
</FormattedAddress></Address></FormattedNameAddress></ApplicantAddressBook></Applicant></ApplicantDetails>\
<RepresentativeDetails><Representative><RepresentativeAddressBook><FormattedNameAddress><Name><FormattedName>\
<OrganizationName>VOSSIUS &amp; PARTNER Patentanwälte</OrganizationName></FormattedName></Name><Address>\
<FormattedAddress><AddressCity>München</AddressCity><AddressState>DE</AddressState></FormattedAddress></Address>\
</FormattedNameAddress></RepresentativeAddressBook></Representative></RepresentativeDetails></Design></DesignDetails>\
</DesignApplication></DesignApplicationDetails></TransactionData></TransactionContentDetails></DesignTransactionBody>\
</Transaction>"""


ST96 = 'xmlns="http://www.wipo.int/standards/XMLSchema/ST96/Design" \
xmlns:com="http://www.wipo.int/standards/XMLSchema/ST96/Common"'


def countries(*codes: str) -> str:
    """A bag of designated countries of ST.96."""
    inside = "".join(
        f"<DesignatedCountry><DesignatedCountryCode>{code}</DesignatedCountryCode></DesignatedCountry>"
        for code in codes
    )
    return f"<DesignatedCountryBag>{inside}</DesignatedCountryBag>"


def event(name: str, *codes: str, designs: Sequence[str] = (), office: str = "", **days: str) -> str:
    """An event of a registration in ST.96: of all designs, or of those named."""
    bag = "".join(f"<DesignIdentifier>{one}</DesignIdentifier>" for one in designs)
    affected = (
        f"<DesignIdentifierBag>{bag}</DesignIdentifierBag>"
        if designs
        else "<AllDesignsIndicator>true</AllDesignsIndicator>"
    )
    notifying = f"<com:RecordNotifyingOfficeCode>{office}</com:RecordNotifyingOfficeCode>" if office else ""
    dates = "".join(f"<{tag}>{day}</{tag}>" for tag, day in days.items())
    where = countries(*codes) if codes else ""
    return f"<{name}>{notifying}{dates}<AffectedDesign>{affected}</AffectedDesign>{where}</{name}>"


def hague_design(place: int, views: Sequence[str], title: str = "Chair") -> str:
    """A design of ST.96; a view is the name of its file."""
    shown = "".join(
        f"<View><ViewIdentifier>{place}.{rank}</ViewIdentifier><com:FileName>{file}</com:FileName>"
        f"<ViewTypeCategory>Perspective</ViewTypeCategory><ViewTypeTextBag>"
        f'<ViewTypeText com:languageCode="fr">vue {rank}</ViewTypeText>'
        f'<ViewTypeText com:languageCode="en">view {rank}</ViewTypeText></ViewTypeTextBag></View>'
        for rank, file in reversed(list(enumerate(views, start=1)))
    )
    return f"""<Design><DesignIdentifier>{place}</DesignIdentifier>
<DesignTitle com:languageCode="en">{title}</DesignTitle>
<LocarnoClassification><LocarnoClassCode>06-01</LocarnoClassCode></LocarnoClassification>
<ViewBag>{shown}</ViewBag></Design>"""


def hague(
    *designs: str,
    events: str = "",
    number: str = "DM/218234",
    published: str = "2022-01-07",
    expires: str = "2026-07-01",
) -> str:
    """A bulletin with one transaction: a stand-in by the schema, since no bulletin is public."""
    named = f"<com:InternationalRegistrationNumber>{number}</com:InternationalRegistrationNumber>"
    registration = f"""<HagueRegistration>{named}
<InternationalRegistrationDate>2021-07-01</InternationalRegistrationDate><com:ExpiryDate>{expires}</com:ExpiryDate>
<HolderBag><Holder><com:Contact><com:Name><com:OrganizationName><com:OrganizationStandardName>Stuhl AG
</com:OrganizationStandardName></com:OrganizationName></com:Name><com:PostalAddressBag><com:CountryCode>CH
</com:CountryCode></com:PostalAddressBag></com:Contact></Holder></HolderBag>
<DesignerBag><Designer><com:Contact><com:Name><com:PersonName><com:FirstName>Eva</com:FirstName><com:LastName>Frei
</com:LastName></com:PersonName></com:Name></com:Contact></Designer></DesignerBag>
{countries("EM", "US", "JP")}<DesignBag>{"".join(designs)}</DesignBag></HagueRegistration>"""
    history = f"<HagueHistory>{named}{events}</HagueHistory>"
    return f"""<?xml version="1.0" encoding="UTF-8"?><Transaction><HagueExpressTransaction {ST96}>
<HagueBulletinNumber>1/2022</HagueBulletinNumber><com:PublicationDate>{published}</com:PublicationDate>
{f"<HagueCurrent>{registration}</HagueCurrent>" if designs else ""}{history if events else ""}
</HagueExpressTransaction></Transaction>"""


def bulletins(folder: Path) -> list[Path]:
    """A registration of two designs, then refusals, then a grant of protection with a renewal and other ends."""
    new = hague(hague_design(1, ["1_1.png", "1_2.png"]), hague_design(2, ["2_1.png"], title="Table"))
    refused = hague(
        events=event("HagueRefusal", office="US", DecisionDate="2022-03-01")
        + event("HagueRefusal", office="JP", designs=["2"], DecisionDate="2022-03-02"),
        published="2022-04-01",
    )
    later = hague(
        events=event("HagueGrantProtection", office="US", InternationalRecordingDate="2022-09-01")
        + event("HagueRenewal", RenewalDate="2026-05-01", ExpiryDate="2031-07-01")
        + event("HagueRenunciation", "EM", designs=["1"], InternationalRecordingDate="2027-02-03"),
        published="2027-03-01",
        number="M/218234",
    )
    return [
        unpacked(
            folder / "2022-01",
            {"hague_20220107.xml": new, **{f: picture(n) for n, f in enumerate(("1_1.png", "1_2.png", "2_1.png"))}},
        ),
        unpacked(folder / "2022-14", {"hague_20220401.xml": refused}),
        unpacked(folder / "2027-09", {"hague_20270301.xml": later}),
    ]


EUIPO_DESIGN: dict[str, Any] = {
    "designNumber": "004247823-0007",
    "status": "REGISTERED_AND_FULLY_PUBLISHED",
    "applicationDate": "2017-08-29",
    "registrationDate": "2017-08-30",
    "expiryDate": "2027-08-29",
    "locarnoClasses": ["08.06", "08.00"],
    "productIndications": [{"language": "de", "terms": ["Griffe"]}, {"language": "en", "terms": ["Handles", "Knobs"]}],
    "applicants": [{"identifier": "1", "name": "Griff GmbH", "countryCode": "DE"}, {"identifier": "2"}],
    "designers": [{"name": "Eva Frei"}],
    "representatives": [{"name": "Kanzlei Ω"}],
    "priorities": [{"number": "29/1", "countryCode": "US", "date": "2017-03-01"}],
    "publications": [{"publicationDate": "2017-09-05"}],
    "views": [
        {"order": 2, "imageFormat": "JPG"},
        {"order": 1, "imageFormat": "JPG"},
        {"order": 3, "imageFormat": "MP4"},
    ],
}


def euipo(**changes: object) -> str:
    """An answer of the EUIPO's API with one design."""
    return json.dumps({"designs": [EUIPO_DESIGN | changes], "totalElements": 1})


IMPACT_SHEETS = ["USD0939806-20220104-D00002.TIF", "USD0939806-20220104-D00001.TIF"]
_IMPACT = {
    "title": "Shoe, for\nrunning",
    "id": "D0939806",
    "claim": "The ornamental design for a shoe, as shown.",
    "date": "20220104",
    "class": "D 2947,D 2902",
    "class_search": "D 2896",
    "inv_country": "US",
    "no_figs": "2",
    "sheets": "2",
    "file_names": str(IMPACT_SHEETS),
    "fig_desc": str(["FIG. 1 is a perspective view of a shoe;", "FIG. 2 is a front view thereof."]),
    "caption": str(["A shoe's view"]),
}
IMPACT_COLUMNS = list(_IMPACT)


def impact(*rows: Mapping[str, str]) -> str:
    """A table of the IMPACT dataset: rows with these changes, or one without."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, IMPACT_COLUMNS)
    writer.writeheader()
    writer.writerows({**_IMPACT, **row} for row in rows or ({},))
    return buffer.getvalue()
