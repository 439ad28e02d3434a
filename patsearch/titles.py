"""What class codes are called, and where an office shows a patent.

Titles of the classes of the Locarno Classification (WIPO) and of the design classes of the
United States Patent Classification (USPTO). Subclasses bear the title of their class.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from patsearch.classification import ClassCode
from patsearch.numbers import normal_number

_NUMBER = re.compile(r"^(?P<office>[A-Z]{2})(?P<rest>(?:[A-Z]{0,2})\d{4,12})$", re.ASCII)

LOCARNO = {
    "01": "Foodstuffs",
    "02": "Articles of clothing and haberdashery",
    "03": "Travel goods, cases, parasols and personal belongings, not elsewhere specified",
    "04": "Brushware",
    "05": "Textile piece goods, artificial and natural sheet material",
    "06": "Furnishing",
    "07": "Household goods, not elsewhere specified",
    "08": "Tools and hardware",
    "09": "Packaging and containers for the transport or handling of goods",
    "10": "Clocks and watches and other measuring instruments, checking and signalling instruments",
    "11": "Articles of adornment",
    "12": "Means of transport or hoisting",
    "13": "Equipment for production, distribution or transformation of electricity",
    "14": "Recording, telecommunication or data processing equipment",
    "15": "Machines, not elsewhere specified",
    "16": "Photographic, cinematographic and optical apparatus",
    "17": "Musical instruments",
    "18": "Printing and office machinery",
    "19": "Stationery and office equipment, artists' and teaching materials",
    "20": "Sales and advertising equipment, signs",
    "21": "Games, toys, tents and sports goods",
    "22": "Arms, pyrotechnic articles, articles for hunting, fishing and pest killing",
    "23": "Fluid distribution equipment, sanitary, heating, ventilation and air-conditioning equipment, solid fuel",
    "24": "Medical and laboratory equipment",
    "25": "Building units and construction elements",
    "26": "Lighting apparatus",
    "27": "Tobacco and smokers' supplies",
    "28": "Pharmaceutical and cosmetic products, toilet articles and apparatus",
    "29": "Devices and equipment against fire hazards, for accident prevention and for rescue",
    "30": "Articles for the care and handling of animals",
    "31": "Machines and appliances for preparing food or drink, not elsewhere specified",
    "32": "Graphic symbols and logos, surface patterns, ornamentation, arrangement of interiors and exteriors",
}
US_DESIGN = {
    "D1": "Edible products",
    "D2": "Apparel and haberdashery",
    "D3": "Travel goods, personal belongings, and storage or carrying articles",
    "D4": "Brushware",
    "D5": "Textile or paper yard goods; sheet material",
    "D6": "Furnishings",
    "D7": "Equipment for preparing or serving food or drink not elsewhere specified",
    "D8": "Tools and hardware",
    "D9": "Packages and containers for goods",
    "D10": "Measuring, testing or signaling instruments",
    "D11": "Jewelry, symbolic insignia, and ornaments",
    "D12": "Transportation",
    "D13": "Equipment for production, distribution, or transformation of energy",
    "D14": "Recording, communication, or information retrieval equipment",
    "D15": "Machines not elsewhere specified",
    "D16": "Photography and optical equipment",
    "D17": "Musical instruments",
    "D18": "Printing and office machinery",
    "D19": "Office supplies; artists' and teachers' materials",
    "D20": "Sales and advertising equipment",
    "D21": "Games, toys, and sports goods",
    "D22": "Arms, pyrotechnics, hunting and fishing equipment",
    "D23": "Environmental heating and cooling; fluid handling and sanitary equipment",
    "D24": "Medical and laboratory equipment",
    "D25": "Building units and construction elements",
    "D26": "Lighting",
    "D27": "Tobacco and smokers' supplies",
    "D28": "Cosmetic products and toilet articles",
    "D29": "Equipment for safety, protection, and rescue",
    "D30": "Animal husbandry",
    "D32": "Washing, cleaning, or drying machine",
    "D34": "Material or article handling equipment",
    "D99": "Miscellaneous",
}
_TITLES = {"locarno": LOCARNO, "uspc": US_DESIGN}


def title_of(code: ClassCode) -> str | None:
    """The title of the code's main class; None for schemes and classes without one here."""
    return _TITLES.get(code.scheme, {}).get(code.ancestors[0])


def link_of(number: str) -> str | None:
    """An office's page of a patent: the USPTO's public search for its own, Espacenet for others.

    Args:
        number: in any way of writing; None is returned for a name that is no patent number.
    """
    match = _NUMBER.match(normal_number(number))
    if match is None:
        return None
    if match["office"] == "US":
        return "https://ppubs.uspto.gov/pubwebapp/external.html?q=" + quote(f"({match['rest']}).pn.", safe="().")
    return "https://worldwide.espacenet.com/patent/search?q=" + quote(f"pn={match[0]}", safe="")
