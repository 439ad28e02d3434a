"""Filters: what is understood, what is refused, and the meaning against a naive evaluation."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.classification import ClassCode, parse_code
from patsearch.errors import FilterError
from patsearch.filters import Filter, parse_filter
from patsearch.types import Drawing

CODES = [
    ClassCode("uspc", code) for code in ("D2/947", "D20/10", "D14/126", "D14/341", "D7/401.2", "D7/401", "345/173")
] + [
    *(ClassCode("locarno", code) for code in ("14-02", "14-04", "02-04", "06-01")),
    *(ClassCode("cpc", code) for code in ("G06F3/01", "G06F3/0488", "G06F30/10", "D06F39/00", "B65D83/04")),
    ClassCode("ipc", "G06F3/01"),
]
WORDS = ["chair", "Chairlift", "armchair", "display", "screen", "and", "portion", "thereof", "2x4", "Café"]

dates = st.one_of(st.none(), st.dates(date(2014, 12, 1), date(2016, 3, 31)), st.just(date.max), st.just(date.min))
drawings = st.builds(
    Drawing,
    id=st.just("x"),
    patent=st.sampled_from(["USD907292", "USD907293", "US12448135", "own Design"]),
    figure=st.sampled_from([None, "1", "2A"]),
    view=st.one_of(st.none(), st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)),
    title=st.lists(st.sampled_from(WORDS), max_size=4).map("-".join),
    kind=st.sampled_from(["S1", "B2", ""]),
    granted=dates,
    filed=dates,
    classes=st.lists(st.sampled_from(CODES), max_size=4).map(tuple),
)


def drawing(**fields: object) -> Drawing:
    return Drawing(**{"id": "x", "patent": "USD907292", **fields})  # type: ignore[arg-type]


def under(scheme: str, value: str, code: ClassCode) -> bool:
    """Whether the code lies at or under the value: by the separators of the text, without ancestors()."""
    if code.scheme != scheme:
        return False
    if scheme in ("cpc", "ipc"):
        parts = re.compile(r"([A-Z])(\d{2})?([A-Z])?(\d+)?(?:/(\d+))?")
        wanted = [p for p in parts.fullmatch(value).groups() if p]  # type: ignore[union-attr]
        return list(parts.fullmatch(code.code).groups())[: len(wanted)] == wanted  # type: ignore[union-attr]
    return code.code == value or code.code.startswith(value + ("/" if scheme == "uspc" else "-"))


values_of = {
    "uspc": ["D2", "D20", "D14", "D14/126", "D7/401", "D7/401.2", "D1", "345"],
    "locarno": ["14", "14-02", "02", "1"],
    "cpc": ["G", "G06", "G06F", "G06F3", "G06F30", "G06F3/01", "G06F3/04", "B65D83/04"],
    "ipc": ["G06F3", "A47C"],
}
spans = st.one_of(
    st.sampled_from(["2014", "2015", "2016"]),
    st.sampled_from(["2014-12", "2015-01", "2015-12", "2016-02"]),
    st.dates(date(2014, 12, 1), date(2016, 3, 31)).map(date.isoformat),
)
negations = st.sampled_from(["", "!"])


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, object]:
    """The text of one condition and a naive test of it, written without the package."""
    key = draw(
        st.sampled_from(
            ["uspc", "locarno", "cpc", "ipc", "granted", "filed", "range", "title", "view", "kind", "patent"]
        )
    )
    no = draw(negations)
    if key in values_of:
        values = draw(st.lists(st.sampled_from(values_of[key]), min_size=1, max_size=3))
        wanted = [f"{v.zfill(2)}" if key == "locarno" and "-" not in v else v for v in values]

        def has_class(d: Drawing) -> bool:
            return any(under(key, w, c) for w in wanted for c in d.classes)

        return f"{key}{no}={', '.join(values)}", (no, has_class)
    if key in ("granted", "filed"):
        operator = draw(st.sampled_from(["=", ">=", "<=", ">", "<"]))
        values = draw(st.lists(spans, min_size=1, max_size=2))

        def in_time(d: Drawing) -> bool:
            day = getattr(d, key)
            # A shorter date stands for its span, so comparing as many characters is the same thing.
            compare = {"=": str.__eq__, ">=": str.__ge__, "<=": str.__le__, ">": str.__gt__, "<": str.__lt__}[operator]
            return day is not None and any(compare(day.isoformat()[: len(v)], v) for v in values)

        no = no if operator == "=" else ""
        return f"{key}{no}{operator}{','.join(values)}", (no, in_time)
    if key == "range":
        low, high = sorted((draw(spans), draw(spans)), key=lambda s: s[:4] + s[4:7] + s[7:])
        if low[: len(high)] > high[: len(low)] or high.startswith(low) or low.startswith(high):
            low = high
        ends = draw(st.sampled_from(["both", "low", "high"]))

        def in_range(d: Drawing) -> bool:
            day = d.granted.isoformat() if d.granted else None
            return (
                day is not None
                and (ends == "high" or day[: len(low)] >= low)
                and (ends == "low" or day[: len(high)] <= high)
            )

        text = f"{'' if ends == 'high' else low}..{'' if ends == 'low' else high}"
        return f"granted{no}={text}", (no, in_range)
    if key in ("title", "view"):
        alternatives = draw(
            st.lists(
                st.lists(
                    st.sampled_from(["chair", "CHAIR", "arm", "disp", "port", "2x", "café"]), min_size=1, max_size=2
                ),
                min_size=1,
                max_size=2,
            )
        )

        def has_words(d: Drawing) -> bool:
            words = re.split(r"[\s-]+", (getattr(d, key) or "").lower())
            return any(all(any(w.startswith(p.lower()) for w in words) for p in alt) for alt in alternatives)

        return f"{key}{no}~{','.join(' '.join(alt) for alt in alternatives)}", (no, has_words)
    if key == "kind":
        values = draw(st.lists(st.sampled_from(["S1", "s1", "B2", "P3"]), min_size=1, max_size=2))
        return f"kind{no}={','.join(values)}", (no, lambda d: d.kind.upper() in [v.upper() for v in values])
    value, stored = draw(
        st.sampled_from([("USD0907292", "USD907292"), ("D907292 S1", "USD907292"), ("OWN design", "own Design")])
    )
    return f"patent{no}={value}", (no, lambda d: d.patent == stored)


@given(st.lists(conditions(), min_size=1, max_size=3), st.lists(drawings, min_size=1, max_size=8), st.booleans())
def test_the_meaning_against_a_naive_evaluation(
    parts: list[tuple[str, tuple[str, object]]], candidates: list[Drawing], joined: bool
) -> None:
    texts = [text for text, _ in parts]
    parsed = parse_filter(" and ".join(texts) if joined else texts)
    for candidate in candidates:
        expected = all(bool(test(candidate)) != (no == "!") for _, (no, test) in parts)  # type: ignore[operator]
        assert parsed.matches(candidate) == expected, (texts, candidate)


@given(st.lists(conditions(), min_size=1, max_size=3))
def test_the_text_of_a_filter_reads_back_as_itself(parts: list[tuple[str, object]]) -> None:
    parsed = parse_filter([text for text, _ in parts])
    assert parse_filter(str(parsed)) == parsed


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_an_error_of_ours(text: str) -> None:
    try:
        parsed = parse_filter(text)
    except FilterError:
        return
    assert parsed.conditions
    parsed.matches(drawing())


@given(
    st.sampled_from(["granted", "cpc", "uspc", "title", "kind", "class"]),
    st.sampled_from(["=", "!=", ">=", "~", "<", "!~", "=="]),
    st.text(alphabet="0123456789-.,D/ aG", max_size=14),
)
def test_values_that_nearly_fit(key: str, operator: str, value: str) -> None:
    with suppress(FilterError):
        parse_filter(key + operator + value).matches(drawing(granted=date.max, title="a"))


def test_classes_are_matched_by_hierarchy_and_never_by_characters() -> None:
    d2, d20 = drawing(classes=(ClassCode("uspc", "D2/947"),)), drawing(classes=(ClassCode("uspc", "D20/10"),))
    assert parse_filter("uspc=D2").matches(d2)
    assert not parse_filter("uspc=D2").matches(d20)
    assert not parse_filter("uspc=D2/94").matches(d2)
    assert not parse_filter("cpc=G06F3").matches(drawing(classes=(parse_code("cpc", "G06F30/10"),)))


def test_cpc_with_a_design_class_asks_for_the_us_class_and_says_so() -> None:
    design = drawing(classes=(ClassCode("uspc", "D14/126"), ClassCode("locarno", "14-02")))
    asked = parse_filter("cpc=D14")
    assert asked.matches(design)
    assert asked.notices == ("cpc=D14: designs have no CPC codes; matched as US design class D14.",)
    assert parse_filter("uspc=D14").notices == ()
    both = parse_filter("cpc=D06")
    assert both.matches(drawing(classes=(ClassCode("cpc", "D06F39/00"),)))
    assert both.matches(drawing(classes=(ClassCode("uspc", "D6/334"),)))
    assert "as well as CPC" in both.notices[0]
    assert len(parse_filter(["cpc=D14", "cpc=D14"]).notices) == 1


def test_class_asks_any_scheme() -> None:
    asked = parse_filter("class=D14,14-02")
    assert asked.matches(drawing(classes=(ClassCode("uspc", "D14/1"),)))
    assert asked.matches(drawing(classes=(ClassCode("locarno", "14-02"),)))
    assert not asked.matches(drawing(classes=(ClassCode("locarno", "14-04"), ClassCode("uspc", "14/2"))))


def test_a_drawing_without_a_date_passes_only_what_is_negated() -> None:
    assert not any(parse_filter(f).matches(drawing()) for f in ("granted=2015", "granted<2100", "granted=1900..2100"))
    assert parse_filter("granted!=2015").matches(drawing())


def test_the_ends_of_time() -> None:
    """No date lies after the last day that there is, nor before the first."""
    assert not parse_filter("granted>9999").matches(drawing(granted=date.max))
    assert not parse_filter("granted<0001").matches(drawing(granted=date.min))
    assert parse_filter("granted<9999-12-31").matches(drawing(granted=date.max - timedelta(days=1)))


def test_a_title_may_hold_the_word_and() -> None:
    assert len(parse_filter("title~salt and pepper").conditions) == 1
    assert len(parse_filter("title~salt and granted=2015").conditions) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Cannot read"),
        ("chair", "Cannot read"),
        ("colour=red", "Unknown filter key 'colour'"),
        ("granted=", "has no value"),
        ("granted=2015-13", "is not a date"),
        ("granted=2015-02-29", "is not a date"),
        ("granted=14-02", "is not a date"),
        ("granted=2018..2015", "ends before it begins"),
        ("granted>2015..2016", "A range needs"),
        ("granted~2015", "does not go with"),
        ("title=chair", "does not go with"),
        ("title~...", "no word to look for"),
        ("uspc=chair", "is not a uspc code"),
        ("locarno=D14", "is not a locarno code"),
        ("cpc=D50", "is not a cpc code"),
        ("kind>S1", "does not go with"),
    ],
)
def test_what_cannot_be_understood_is_said_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(FilterError, match=re.escape(says)) as caught:
        parse_filter(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("locarno=28‑03", {"classes": (ClassCode("locarno", "28-03"),)}),
        ("locarno=28–03", {"classes": (ClassCode("locarno", "28-03"),)}),
        ("uspc=D28∕47", {"classes": (ClassCode("uspc", "D28/47"),)}),
        ("granted=2017‑01−10", {"granted": date(2017, 1, 10)}),
        ("granted=２０１７－０１－１０", {"granted": date(2017, 1, 10)}),
        ("patent=“chair, oak”", {"patent": "chair, oak"}),
        ("patent=«chair, oak», D907,293", {"patent": "chair, oak"}),
        ("patent=\u200bD907,292", {}),
        ("kind=s 1", {"kind": "S1"}),
        ("figure=1(a)", {"figure": "1A"}),
        ("figure=FIG. 1 A", {"figure": "1A"}),
        ("figure=1A", {"figure": "1-a"}),
        ("figure=Figure 01.", {"figure": "1"}),
        ("title~कुर्सी", {"title": "कुर्सी और मेज़"}),
        ("title~كرسي", {"title": "كُرْسِيّ"}),
        ("title~เก้าอี้", {"title": "เก้าอี้สำนักงาน"}),
        ("title~chair", {"title": "arm\u00adchair cha\u00adir"}),
        ("title~smorrebrod", {"title": "Smørrebrød"}),
        ("title~ISIK", {"title": "Işık"}),
        ("title~oeuvre", {"title": "Œuvre"}),
    ],
)
def test_a_value_may_be_written_in_other_signs(text: str, fields: dict[str, object]) -> None:
    assert parse_filter(text).matches(drawing(**fields))


def test_marks_do_not_divide_a_word() -> None:
    """The vowels of these scripts are signs behind letters: a word is not the list of its consonants."""
    assert not parse_filter("title~क").matches(drawing(title="रकस"))
    assert not parse_filter("title~कमल").matches(drawing(title="कुर्सी मेज़ लैंप"))
    assert not parse_filter("figure=1-2").matches(drawing(figure="12"))


def test_filters_join() -> None:
    joined = parse_filter("uspc=D14") & parse_filter("granted=2015")
    assert str(joined) == "uspc=D14 and granted=2015"
    assert joined == parse_filter(["uspc=D14", "granted=2015"])
    assert not Filter()
    assert Filter().matches(drawing())
