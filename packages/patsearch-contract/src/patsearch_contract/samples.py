"""Seeded random drawings, vectors and filters, and the plain truth about them: for the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np

from patsearch.backends.base import Embeddings, IndexSpec
from patsearch.bibliography import CITERS, Bibliography, Citation, Hague, Party, Protection, Related
from patsearch.classification import parse_code
from patsearch.filters import Filter, parse_filter
from patsearch.types import Drawing

SPEC = IndexSpec(encoder="sample", encoder_sha256="5a" * 32, dim=32)

# Codes and words that raw comparison of characters confuses: D2 and D20, prefixes, letters without case.
_CODES = (
    "locarno:14-02 locarno:14-03 locarno:14 locarno:06-01 uspc:D2/947 uspc:D20/10 uspc:D14/126 uspc:D14/126.1 "
    "uspc:D14 uspc:345/173 cpc:G06F3/01 cpc:G06F3/017 cpc:G06F30/10 cpc:A47C cpc:D01F ipc:G06F3/01 ipc:H04N"
).split()
_CLASS_VALUES = {
    "locarno": "14 14-02 06 06-01 07".split(),
    "uspc": "D2 D20 D2/947 D14 D14/126 345 D99".split(),
    "cpc": "G G06 G06F G06F3 G06F3/01 A47C D14 D01 D1".split(),
    "ipc": "G06F H04N H".split(),
    "class": "D14 14-02 14 G06F D2".split(),
}
_WORDS = "Chair chairs STRASSE straße Table, folding phone-case éclair Éclair display 3D x_y İstanbul ﬁne".split()
_PREFIXES = "chair Cha table fold phone case strasse 3d éc x i̇s fine zzz".split()
_KINDS = ("S1", "S", "B2", "")
_NAMES = (
    "NIKE, Inc.|Nike Ltd.|Société Générale S.A.|societe generale|Wei Zhang|Wei Li|Min Zhang|Åse Ödegård|ＡＢＣ Corp.|"
    "O'Neill & Sons|von der Heide, Karl|阿里巴巴集团|X"
).split("|")
_NAME_WORDS = (
    "nike Nike,inc ltd soc générale generale wei,zhang zhang,wei min,li åse ase abc o neill 阿里 x zzz".split()
)
_COUNTRIES = ("US", "DE", "CN", "FR", "")
_STATES = ("granted", "Registered and fully published", "Design lapsed", "")
_NUMBERS = (
    "EM0012345670001 DE402020100 JPD1234567 US9000001 USPP30001 US20040040082 WODM218234 WODM218234-0002 EM4247823-0001"
).split()
_VIEWS = ("perspective view", "Front elevational view thereof", "exploded", "side", "")


def random_vectors(count: int, *, seed: int = 0, dim: int = SPEC.dim) -> Embeddings:
    """(count, dim) float32, rows of unit length, in loose clusters."""
    rng = np.random.default_rng([seed, 1])
    centres = rng.normal(size=(8, dim))
    x = centres[rng.integers(0, 8, count)] + rng.normal(size=(count, dim))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype=np.float32)


def random_drawings(count: int, *, seed: int = 0) -> list[Drawing]:
    """Drawings with every field in use, and every field missing somewhere."""
    rng = np.random.default_rng([seed, 2])

    def some(values: Sequence[str], most: int) -> list[str]:
        return [str(v) for v in rng.choice(values, int(rng.integers(0, most + 1)))]

    def day() -> date | None:
        return date(2000, 1, 1) + timedelta(days=int(rng.integers(0, 7000))) if rng.random() < 0.85 else None

    # Of another generator, so that older fields are as they were.
    described = np.random.default_rng([seed, 3])

    def numbered(design: str) -> str:
        other = str(described.choice(_NUMBERS))
        return other if described.random() < 0.05 else design

    def drawing(number: int) -> Drawing:
        codes = dict.fromkeys(some(_CODES, 4))
        return Drawing(
            id=f"USD{rng.integers(1000, 9999)}-D{number:05d}",
            patent=numbered(f"USD{900000 + int(rng.integers(0, max(2, count // 4)))}"),
            sheet=f"D{number % 9:05d}",
            figure=None if rng.random() < 0.2 else str(rng.choice(["1", "2", "2A", "10"])),
            view=None if rng.random() < 0.2 else " ".join([str(rng.choice(_VIEWS)), *some(_WORDS, 2)]),
            front_page=bool(rng.random() < 0.1),
            turned=int(rng.choice([0, 90, 180, 270])),
            box=None if rng.random() < 0.3 else (0, 1, int(rng.integers(2, 900)), 700),
            title=" ".join(some(_WORDS, 4)),
            kind=str(rng.choice(_KINDS)),
            granted=day(),
            filed=day(),
            classes=tuple(parse_code(*code.split(":")) for code in codes),
            source=str(rng.choice(["I20180102.tar", ""])),
            bibliography=random_bibliography(described, max(2, count // 4)),
        )

    return [drawing(number) for number in range(count)]


def random_bibliography(rng: np.random.Generator, patents: int) -> Bibliography | None:
    """One with any of its parts, or none; it cites some of the first `patents` patents of `random_drawings`."""
    if rng.random() < 0.15:
        return None

    def parties(most: int) -> tuple[Party, ...]:
        names = [str(name) for name in rng.choice(_NAMES, int(rng.integers(0, most + 1)), replace=False)]
        return tuple(Party(name, str(rng.choice(_COUNTRIES))) for name in names)

    def day() -> date | None:
        return date(2000, 1, 1) + timedelta(days=int(rng.integers(0, 12_000))) if rng.random() < 0.9 else None

    def cited() -> Citation:
        by = CITERS[int(rng.integers(len(CITERS)))]
        if rng.random() < 0.2:
            return Citation("", by, f"A catalogue, page {rng.integers(90)}")
        numbers = [f"USD{900000 + int(rng.integers(patents))}", str(rng.choice(_NUMBERS))]
        return Citation(numbers[int(rng.random() < 0.2)], by)

    def protection() -> Protection:
        countries = ("DE", "FR", "EM", "BX", "US")
        return Protection(str(rng.choice(countries)), day(), day(), str(rng.choice(_STATES)), "")

    return Bibliography(
        owners=parties(3),
        inventors=parties(4),
        agents=parties(1),
        citations=tuple(cited() for _ in range(int(rng.integers(0, 6)))),
        related=(Related("division", "29000001", day(), ""),) if rng.random() < 0.2 else (),
        hague=Hague("DM/218234", day(), day(), None) if rng.random() < 0.1 else None,
        years=[None, 14, 15][int(rng.integers(3))],
        extension=[None, 0, 62][int(rng.integers(3))],
        disclaimer=bool(rng.random() < 0.1),
        protections=tuple(protection() for _ in range(int(rng.integers(1, 4)))) if rng.random() < 0.3 else (),
        status=str(rng.choice(_STATES)),
    )


def random_filter(rng: np.random.Generator, drawings: Sequence[Drawing], *, lookups: bool = False) -> Filter:
    """One to three conditions over all keys and operators; about half of them match something.

    Args:
        lookups: also `citedby`, which has to be resolved before `Filter.matches`.
    """

    def pick(values: Sequence[str]) -> str:
        return ",".join(str(v) for v in rng.choice(values, int(rng.integers(1, 4)), replace=False))

    def when() -> str:
        year, month, day = rng.integers(1999, 2021), rng.integers(1, 13), rng.integers(1, 29)
        return [f"{year}", f"{year}-{month:02d}", f"{year}-{month:02d}-{day:02d}"][int(rng.integers(0, 3))]

    def or_none() -> str:
        return ",none" if rng.random() < 0.25 else ""

    def by_class() -> str:
        key = str(rng.choice(list(_CLASS_VALUES)))
        return f"{key}{rng.choice(['=', '!='])}{pick(_CLASS_VALUES[key])}"

    def by_date() -> str:
        key = str(rng.choice(["granted", "filed"]))
        if rng.random() < 0.4:
            first, last = sorted(int(y) for y in rng.integers(1999, 2021, 2))
            span = str(rng.choice([f"{first}..{last}", f"..{last}", f"{first}.."]))
            return f"{key}{rng.choice(['=', '!='])}{span}{or_none()}"
        return f"{key}{rng.choice(['=', '!=', '<', '>', '<=', '>='])}{when()}{or_none()}"

    def by_text() -> str:
        return f"{rng.choice(['title', 'view'])}{rng.choice(['~', '!~'])}{pick(_PREFIXES)}"

    def by_value() -> str:
        key = str(rng.choice(["kind", "figure", "patent"]))
        values = {"kind": ["s1", "B2", "P"], "figure": ["1", "2a", "7"]}.get(key) or [d.patent for d in drawings[:30]]
        return f"{key}{rng.choice(['=', '!='])}{pick(sorted(set(values)))}"

    def by_name() -> str:
        key = str(rng.choice(["owner", "inventor", "agent"]))
        if rng.random() < 0.4:
            chosen = ",".join(f'"{name}"' for name in rng.choice(_NAMES, int(rng.integers(1, 3))))
            return f"{key}{rng.choice(['=', '!='])}{chosen}"
        words = ",".join(f'"{words.replace(",", " ")}"' for words in pick(_NAME_WORDS).split(","))
        return f"{key}{rng.choice(['~', '!~'])}{words}"

    def by_code() -> str:
        key = str(rng.choice(["country", "office", "status"]))
        values = {"country": ["us", "DE", "AT"], "office": ["US", "EUIPO", "DE", "WIPO"]}
        return f"{key}{rng.choice(['=', '!='])}{pick(values.get(key, [state for state in _STATES if state]))}"

    def by_term() -> str:
        if rng.random() < 0.4:
            return f"expires{rng.choice(['=', '!=', '<', '>', '<=', '>='])}{int(rng.integers(2000, 2040))}{or_none()}"
        days = [f"{rng.integers(2000, 2040)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}" for _ in range(2)]
        places = ["", " DE", " us", " NL", " EUIPO"]
        values = [day + places[int(rng.integers(len(places)))] for day in days[: int(rng.integers(1, 3))]]
        return f"inforce{rng.choice(['=', '!='])}{','.join(values)}"

    def by_citation() -> str:
        key = str(rng.choice(["cites", "citedby"] if lookups else ["cites"]))
        values = [d.patent for d in drawings[:30]] + ["D1", "EM001234567-0001"]
        return f"{key}{rng.choice(['=', '!='])}{pick(sorted(set(values)))}"

    makers: list[Callable[[], str]] = [by_class, by_class, by_date, by_text, by_value]
    makers += [by_name, by_code, by_term, by_citation]
    count = int(rng.integers(1, 4))
    return parse_filter([makers[int(rng.integers(0, len(makers)))]() for _ in range(count)])


def nearest(query: Embeddings, drawings: Sequence[Drawing], vectors: Embeddings, where: Filter) -> dict[str, float]:
    """The exact cosine of every drawing that matches, by id."""
    scores = vectors.astype(np.float64) @ query.astype(np.float64)
    return {d.id: float(s) for d, s in zip(drawings, scores, strict=True) if where.matches(d)}
