"""A value means the same however it is written, on every backend; no accepted value is one that nothing can have."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_qdrant import LocalBackend

from patsearch.backends.base import Backend
from patsearch.backends.faiss import FaissBackend
from patsearch.backends.qdrant.backend import QdrantBackend
from patsearch.bibliography import Bibliography, Citation, Party, Protection
from patsearch.classification import ClassCode, Scheme, parse_code, try_code
from patsearch.engine.warnings import excludes_nothing, filter_warnings
from patsearch.errors import FilterError
from patsearch.filters import CitedBy, DateIn, Filter, HasClass, HasWords, InForce, OneOf, Test, parse_filter
from patsearch.numbers import normal_number
from patsearch.text import plain, text_words
from patsearch.types import Drawing
from patsearch_contract.samples import SPEC, random_vectors

PATENTS = ["USD907292", "USD800001", "US6859910", "USRE49123", "USPP12345", "EP1234567", "USD1234"]
FOLDERS = ["chair, oak", "Café", "ｃｈａｉｒ 12", "101", "椅子", "salt and kind"]
WORDS = [
    "Café",
    "Ångström",
    "ＣＨＡＩＲ",
    "chair",
    "straße",
    "İstanbul",
    "ﬁne",
    "パイプ",
    "椅子",
    "2x4",
    "Ő",
    "naïve",
    "№",
]
CODES = [
    "uspc:D14/126",
    "uspc:D2/947",
    "uspc:345/173",
    "locarno:14-02",
    "locarno:06-01",
    "cpc:G06F3/01",
    "ipc:A47C7/00",
]
KINDS, FIGURES = ["S1", "B2", "Ｓ", ""], ["1", "2A", "01", "10", None]


def drawings(rng: np.random.Generator, count: int) -> list[Drawing]:
    def some(values: list[str], most: int) -> list[str]:
        return [str(value) for value in rng.choice(values, int(rng.integers(0, most + 1)))]

    def form(text: str) -> str:
        return unicodedata.normalize("NFC" if rng.random() < 0.5 else "NFD", text)

    return [
        Drawing(
            id=f"drawing-{number:03d}",
            patent=normal_number(form(str(rng.choice(PATENTS + FOLDERS)))),
            figure=FIGURES[int(rng.integers(len(FIGURES)))],
            view=form(" ".join(some(WORDS, 2))),
            title=form(" ".join(some(WORDS, 3))),
            kind=str(rng.choice(KINDS)),
            granted=date(2016, 12, 1) + timedelta(int(rng.integers(0, 400))) if rng.random() < 0.8 else None,
            classes=tuple(parse_code(*code.split(":")) for code in dict.fromkeys(some(CODES, 3))),
        )
        for number in range(count)
    ]


def in_any_letters(rng: np.random.Generator, text: str) -> str:
    """The same text in other letters: composed or not, wide or narrow, upper or lower, with other blanks."""
    change: list[Callable[[str], str]] = [
        lambda t: unicodedata.normalize("NFC", t),
        lambda t: unicodedata.normalize("NFD", t),
        str.upper,
        str.lower,
        str.casefold,
        lambda t: "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in t),
        lambda t: t.replace(" ", "\u3000"),
        lambda t: f" {t}\u00a0",
    ]
    for number in rng.integers(0, len(change), 2):
        text = change[int(number)](text)
    return text


def ways(key: str, value: str) -> list[str]:
    """How people write a value of a key that is in normal form."""
    if key == "patent" and normal_number(value).startswith("US") and value.isalnum():
        series, digits = value[2:].rstrip("0123456789"), value[2:].lstrip("DREP")
        grouped = f"{int(digits):,}"
        long = {"D": "Des. ", "RE": "Re. ", "PP": "PP ", "": ""}[series]
        found = [
            value,
            f"US {series}{grouped}",
            f"U.S. Pat. No. {long}{grouped}",
            f"{value}-20210105",
            f"US-{value[2:]}",
        ]
        found.append(f"US{series}{digits.zfill(7)} S1" if series == "D" else value)
        return found + ([f"{series}{grouped}"] if series or int(digits) >= 1_000_000 else [])
    if key == "patent" and "," in value:
        return [value, f'"{value}"', value.replace(", ", ",  ")]
    if key == "patent":
        return [value, f'"{value}"']
    if key == "granted":
        year, month, day = value.split("-")
        return [
            value,
            f"{year}{month}{day}",
            f"{year}/{month}/{day}",
            f"{year}.{int(month)}.{int(day)}",
            f"{value}T00:00:00",
        ]
    if key == "figure":
        return [value, f"FIG. {value}", f"Fig {value}", f"figure {value}", f"0{value}", f"FIGS. {value}"]
    if key == "uspc":
        return [
            value,
            value.replace("/", " / "),
            *([value.replace("D", "D0"), value.replace("/", "-")] if "D" in value else []),
        ]
    if key == "locarno":
        return [value, value.replace("-", "."), value.replace("-", ""), value.replace("-", "/")]
    if key in ("cpc", "ipc"):
        return [value, f"{value[:4]} {value[4:]}", f"{value[:4]} 00{value[4:]}"]
    return [value]


def condition(rng: np.random.Generator) -> tuple[str, str]:
    """A condition with values in normal form, and the same with its values in random ways of writing."""
    some = {
        "patent": PATENTS + FOLDERS,
        "title": ["Café", "chair", "Ångström", "straße", "istanbul", "fine", "パイプ", "ő", "no", "cafe"],
        "kind": ["S1", "B2", "S"],
        "figure": ["1", "2A", "10"],
        "granted": [str(date(2016, 12, 1) + timedelta(int(days))) for days in rng.integers(0, 400, 5)],
        "uspc": ["D14/126", "D2/947", "345/173"],
        "locarno": ["14-02", "06-01"],
        "cpc": ["G06F3/01"],
        "ipc": ["A47C7/00"],
    }
    key = str(rng.choice(list(some)))
    values = [str(value) for value in rng.choice(some[key], int(rng.integers(1, 3)))]
    operator = str(rng.choice(["~", "!~"] if key == "title" else ["=", "!="]))
    plainly = ",".join(f'"{value}"' for value in values)
    written = ",".join(in_any_letters(rng, str(rng.choice(ways(key, value)))) for value in values)
    return f"{key}{operator}{plainly}", f"{key.upper()} {operator} {written}"


@pytest.mark.parametrize("seed", range(8))
def test_a_value_means_the_same_however_it_is_written(quick_folder: Path, seed: int) -> None:
    rng = np.random.default_rng([seed, 31])
    stored = drawings(rng, 60)
    kinds: list[type[Backend]] = [FaissBackend, QdrantBackend]
    for kind in kinds:
        with kind.create(quick_folder / f"written-{seed}-{kind.name}", SPEC) as backend:
            backend.upsert(stored, random_vectors(len(stored), seed=seed))
            for number in range(60):
                normal, written = condition(rng)
                label = f"{kind.name}, seed {seed}, filter {number}: {written!r}, which is {normal!r}"
                expected = [d.id for d in stored if parse_filter(normal).matches(d)]
                assert [d.id for d in stored if parse_filter(written).matches(d)] == expected, label
                assert list(backend.ids(parse_filter(written))) == expected, label


def possible(test: Test, value: str) -> list[Drawing]:
    """Drawings with what the test asks for, as ingest would store them."""
    match test:
        case HasClass():
            return [
                Drawing("x", "x", classes=(code,)) for code in test.codes if try_code(code.scheme, code.code) == code
            ]
        case DateIn():
            return [Drawing("x", "x", granted=low or high, filed=low or high) for low, high in test.ranges]
        case HasWords():
            return [Drawing("x", "x", title=value, view=value)]
        case InForce(on):
            spans = tuple(Protection(min(countries, default="DE"), day, day) for day, countries in on)
            return [Drawing("x", "x", bibliography=Bibliography(protections=spans))]
        case CitedBy():
            return []
        case OneOf("office", codes):
            return [Drawing("x", f"{code.upper()}1234567") for code in codes]
        case OneOf():
            known = Bibliography(
                owners=(Party(value, plain(value).upper()),),
                inventors=(Party(value),),
                agents=(Party(value),),
                citations=(Citation(normal_number(value)),),
                status=plain(value),
            )
            return [
                Drawing("x", normal_number(value), kind=plain(value), figure=plain(value), bibliography=known),
            ]


keys = st.sampled_from(
    "uspc locarno cpc ipc class granted title kind patent figure owner country office status cites inforce".split()
)


@given(keys, st.one_of(st.text(max_size=12), st.text(alphabet="0123456789-./D aGFSY", max_size=10)))
def test_no_accepted_value_is_one_that_nothing_can_have(key: str, value: str) -> None:
    quoted = value.replace('"', "")
    with suppress(FilterError):
        where = parse_filter(f'{key}{"~" if key == "title" else "="}"{quoted}"')
        assert any(map(where.matches, possible(where.conditions[0].test, quoted))), where


IMPOSSIBLE = (
    "locarno=45 locarno=14-00 uspc=D35 uspc=B12 uspc=D14/0 cpc=G00 cpc=G06F0 ipc=Y02 cpc=D99Z patent=--- figure=FIG. "
    "kind=. kind=\udcff granted=.."
)


@pytest.mark.parametrize("text", IMPOSSIBLE.split())
def test_a_value_that_nothing_can_have_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "found", "left"),
    [
        ("patent=D800,001", ["USD800001"], ["USD800"]),
        ("patent!=D907,292", ["USD907293", "292"], ["USD907292"]),
        ("patent=D800,001,D907,292", ["USD800001", "USD907292"], ["001"]),
        ("patent=6,859,910", ["US6859910"], ["910"]),
        ("patent=6859910", ["US6859910", "6859910"], ["USD6859910"]),
        ("patent=101,102", ["101", "102", "US101102"], ["101102"]),
        ("patent=101,102,103", ["101", "103"], ["US101102103"]),
        ("patent=chair, oak", ["chair, oak", "chair", "oak"], ["chair oak"]),
        ('patent="chair, oak"', ["chair, oak"], ["chair", "oak"]),
        ('patent="chair and kind=S1"', ["chair and kind=S1"], ["chair"]),
    ],
)
def test_commas_between_and_within_numbers_and_names(text: str, found: list[str], left: list[str]) -> None:
    where = parse_filter(text)
    assert [p for p in found + left if where.matches(Drawing("x", p))] == found


def test_a_number_that_may_be_two_things_says_so() -> None:
    said = "patent=101,102: matched as US101102 and as 101, 102; a design's number begins with D."
    assert parse_filter("patent=101,102").notices == (said,)
    assert parse_filter("patent=D101,102").notices == ()


def test_the_symbol_of_a_main_group_includes_its_subgroups() -> None:
    lower = Drawing("x", "x", classes=(ClassCode("cpc", "G06F3/01"),))
    assert parse_filter("cpc=G06F3/00").matches(lower)
    assert not parse_filter("cpc=G06F3/02").matches(lower)


@pytest.mark.parametrize("scheme", ["cpc", "ipc"])
def test_sections_of_one_scheme_alone(scheme: Scheme) -> None:
    assert (try_code(scheme, "Y02E10/50") is None) == (scheme == "ipc")
    assert (try_code(scheme, "D99Z") is None) == (scheme == "cpc")


@pytest.mark.parametrize(
    ("title", "words"), [("Café", "cafe"), ("Cafe\u0301", "cafe"), ("Cafe\u0301", "CAFÉ"), ("ＣＡＦＥ", "cafe")]
)
def test_accents_count_where_they_are_written(title: str, words: str) -> None:
    assert parse_filter(f"title~{words}").matches(Drawing("x", "x", title=title))
    assert not parse_filter("title~café").matches(Drawing("x", "x", title="cafe"))
    assert text_words("plain words") == ["plain", "words"]


def test_limits_are_said_at_once() -> None:
    for text, what in [
        (" and ".join(["kind=a"] * 100_000), "characters"),
        (" and ".join(["kind=a"] * 101), "conditions"),
        ("title~" + ",".join(f"a{i}" for i in range(1001)), "values"),
        ("title~" + ",".join(f"a{i}" for i in range(201)), "words"),
    ]:
        for given_as in (text, [text]):
            with pytest.raises(FilterError, match=what) as caught:
                parse_filter(given_as)
            assert len(caught.value.message) < 200
            assert caught.value.hint
    assert len(parse_filter(" and ".join(["kind=a"] * 100)).conditions) == 100
    many = parse_filter("patent=" + ",".join(f"D{i}" for i in range(900_000, 901_000)))
    assert isinstance(many, Filter)


@pytest.mark.parametrize("seed", range(3))
def test_what_drawings_lack_is_counted_alike(quick_folder: Path, seed: int) -> None:
    stored = drawings(np.random.default_rng([seed, 32]), 60)
    vectors = random_vectors(len(stored), seed=seed)
    fields = ["granted", "filed", "title", "view", "kind", "figure", "patent", "uspc", "locarno", "cpc", "ipc"]
    for kind in (FaissBackend, QdrantBackend, LocalBackend):
        with kind.create(quick_folder / f"lacking-{seed}-{kind.__name__}", SPEC) as backend:
            backend.upsert(stored, vectors)
            backend.delete([d.id for d in stored[50:]])
            for chosen in [*([field] for field in fields), ["uspc", "locarno"], ["cpc", "ipc", "uspc"]]:
                expected = sum(not any(map(d.has, chosen)) for d in stored[:50])
                assert backend.lacking(chosen) == expected == Backend.lacking(backend, chosen), (kind, chosen)


def test_none_among_dates_is_no_date(quick_folder: Path) -> None:
    """Of each field of dates, also of the terms that follow from other data."""
    # What has no date has no term either, unless its bibliography has one.
    stored = [
        Drawing("early", "USD800001", granted=date(2010, 5, 4), filed=date(2009, 5, 4)),
        Drawing("late", "USD900001", granted=date(2020, 5, 5)),
        Drawing("own", "chair, oak"),
        Drawing("term", "lamp", bibliography=Bibliography(protections=(Protection("DE", None, date(2040, 1, 1)),))),
    ]
    for kind in (FaissBackend, QdrantBackend, LocalBackend):
        with kind.create(quick_folder / f"none-{kind.__name__}", SPEC) as backend:
            backend.upsert(stored, random_vectors(4))
            for text, ids in {
                "granted>=2015,none": ["late", "own", "term"],
                "granted>=2015,NONE": ["late", "own", "term"],
                "granted=none": ["own", "term"],
                "granted!=none": ["early", "late"],
                "granted!=2020,none": ["early"],
                "filed<2010,none": ["early", "late", "own", "term"],
                "expires>=2039,none": ["own", "term"],
                "expires=none": ["own"],
                "granted>=2015,none and title~lamp": [],
            }.items():
                where = parse_filter(text)
                assert [d.id for d in stored if where.matches(d)] == ids, text
                assert sorted(backend.ids(where)) == ids, (kind, text)


def test_what_a_filter_leaves_out_is_said(quick_folder: Path) -> None:
    codes = (parse_code("uspc", "D14"),)
    dated = [Drawing(f"d{i}", f"USD90000{i}", granted=date(2020, 1, 1), classes=codes) for i in range(3)]
    with FaissBackend.create(quick_folder / "said", SPEC) as backend:
        assert filter_warnings(backend, parse_filter("kind=S1")) == ()
        backend.upsert([*dated, Drawing("own", "chair, oak")], random_vectors(4))
        for text, said in {
            "uspc=D14": ["1 of 4 drawings have no US class: uspc=D14 leaves them out."],
            "granted!=2020": ["1 of 4 drawings have no date of grant: granted!=2020 includes them."],
            "granted>=2019": [
                "1 of 4 drawings have no date of grant: granted>=2019 leaves them out "
                "(granted>=2019,none includes them)."
            ],
            "granted>=2019,none": ["1 of 4 drawings have no date of grant: granted>=2019,none includes them."],
            "granted!=2019,none": [
                "No drawing of this index matches granted=2019.",
                "1 of 4 drawings have no date of grant: granted!=2019,none leaves them out.",
            ],
            "filed>2020,none": [
                "No drawing of this index matches filed>2020.",
                "4 of 4 drawings have no date of filing: filed>2020,none includes them.",
            ],
            "kind=S1": ["No drawing of this index has a kind: kind=S1 selects nothing."],
            "filed!=2020": ["No drawing of this index has a date of filing: filed!=2020 excludes nothing."],
            "class=14-02": ["No drawing of this index has a Locarno class: class=14-02 selects nothing."],
            "patent!=D999999": ["No drawing of this index matches patent=D999999: it excludes nothing."],
            "patent=D900,001,D999,999": ["No drawing of this index matches patent=D999,999."],
            "patent=chair, oak": [],
            "patent=D900001": [],
        }.items():
            assert list(filter_warnings(backend, parse_filter(text))) == said, text
        assert excludes_nothing(backend, parse_filter("patent!=D999999 and patent!=D900001")) == ["patent!=D999999"]
