"""Class codes: one normal form for each, ancestors by hierarchy, the fixed-width field of grants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patsearch.classification import SCHEMES, ClassCode, Scheme, is_design_class, parse_code, try_code, uspc_from_grant
from patsearch.errors import FilterError

uspc_codes = st.builds(
    lambda c, s, d: f"D{c}/{s}" + (f".{d}" if d else ""),
    st.integers(1, 34),
    st.integers(1, 999),
    st.sampled_from(["", "1", "2", "15"]),
)


def symbols(sections: str) -> st.SearchStrategy[str]:
    return st.builds(
        lambda s, c, sub, g, n: f"{s}{c:02d}{sub}{g}/{n:02d}",
        st.sampled_from(sections),
        st.integers(1, 99),
        st.sampled_from("ABCDEFGHZ"),
        st.integers(1, 9999),
        st.integers(0, 99999),
    )


locarno_codes = st.builds(lambda c, s: f"{c:02d}-{s:02d}", st.integers(1, 32), st.integers(1, 99))
codes = st.one_of(
    *(
        st.builds(ClassCode, st.just(scheme), texts)
        for scheme, texts in (
            ("locarno", locarno_codes),
            ("uspc", uspc_codes),
            ("cpc", symbols("ABCEFGHY")),
            ("ipc", symbols("ABCEFGH")),
        )
    )
)


@pytest.mark.parametrize(
    ("scheme", "texts", "normal"),
    [
        ("locarno", ["14-02", "1402", "14.02", "14/02", " 14 02 ", "14\u201102", "14–02"], "14-02"),
        ("locarno", ["06-01", "0601", "6-01", "601"], "06-01"),
        ("locarno", ["2", "02"], "02"),
        ("locarno", ["31-00", "3100"], "31-00"),  # of an undivided class
        ("uspc", ["D14/126", "d14/126", "D14 / 126", "D014/126", "D14-126", " D14/0126"], "D14/126"),
        ("uspc", ["D2", "D02", "d 2"], "D2"),
        ("uspc", ["D7/401.2", "D7-401.2"], "D7/401.2"),
        ("uspc", ["345/173"], "345/173"),
        ("uspc", ["PLT/263"], "PLT/263"),
        ("uspc", ["227/27R"], "227/27R"),
        ("cpc", ["G06F3/01", "G06F 3/01", "g06f 3 / 01", "G06F 03/01", "G06F0003/01"], "G06F3/01"),
        ("cpc", ["D06"], "D06"),
        ("ipc", ["A47C 7/00", "A47C 7/00 (2006.01)", "A47C7∕00"], "A47C7/00"),
    ],
)
def test_ways_of_writing(scheme: Scheme, texts: list[str], normal: str) -> None:
    assert {parse_code(scheme, text).code for text in texts} == {normal}


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("locarno", "D14"),
        ("locarno", "00-01"),
        ("locarno", "14-00"),
        ("locarno", "2014-02"),
        ("locarno", "14-2"),
        ("uspc", "D50/1"),
        ("uspc", "D0"),
        ("uspc", "345-173"),
        ("uspc", "chair"),
        ("uspc", "D14/"),
        ("cpc", "D14/126"),
        ("cpc", "D14"),
        ("cpc", "I06F"),
        ("cpc", "G6F"),
        ("cpc", ""),
        ("epc", "A1"),
    ],
)
def test_what_is_no_code(scheme: str, text: str) -> None:
    with pytest.raises(FilterError):
        parse_code(scheme, text)


@pytest.mark.parametrize(
    ("code", "ancestors"),
    [
        (ClassCode("locarno", "14-02"), ["14", "14-02"]),
        (ClassCode("uspc", "D2/947"), ["D2", "D2/947"]),
        (ClassCode("uspc", "D7/401.2"), ["D7", "D7/401.2"]),
        (ClassCode("cpc", "G06F3/01"), ["G", "G06", "G06F", "G06F3", "G06F3/01"]),
        (ClassCode("cpc", "G06F"), ["G", "G06", "G06F"]),
    ],
)
def test_ancestors(code: ClassCode, ancestors: list[str]) -> None:
    assert list(code.ancestors) == ancestors


@given(codes)
def test_the_normal_form_is_a_fixed_point_and_so_is_each_ancestor(code: ClassCode) -> None:
    assert try_code(code.scheme, code.code) == code
    assert code.ancestors[-1] == code.code
    for ancestor in code.ancestors:
        assert try_code(code.scheme, ancestor) == ClassCode(code.scheme, ancestor)
        assert set(ClassCode(code.scheme, ancestor).ancestors) <= set(code.ancestors)


@given(st.sampled_from(SCHEMES), st.text(max_size=20))
def test_any_text_is_a_code_or_none(scheme: Scheme, text: str) -> None:
    code = try_code(scheme, text)
    assert code is None or try_code(scheme, code.code) == code


# As they stand in real grants, with what the office prints for them.
FIXED_WIDTH = {
    "D14126": "D14/126",
    "D 2947": "D2/947",
    " D2947": "D2/947",
    "D14  3": "D14/3",
    "D28 47": "D28/47",
    "D99 43": "D99/43",
    "D 9 99": "D9/99",
    "D28  81": "D28/8.1",
    "D18  46": "D18/4.6",
    "D28 442": "D28/44.2",
    " D74012": "D7/401.2",
    "D241104": "D24/110.4",
    "D 32031": "D3/203.1",
    "D34": "D34",
    "345173": "345/173",
    "123 9011": "123/90.11",
    "257E21001": "257/E21.001",
    "227 27R": "227/27R",
    "  4DIG 12": "4/DIG12",
    "PLT263": "PLT/263",
    "G9B  5": "G9B/5",
}


@pytest.mark.parametrize(("text", "code"), FIXED_WIDTH.items())
def test_the_fixed_width_field_of_grants(text: str, code: str) -> None:
    assert uspc_from_grant(text) == ClassCode("uspc", code)


@pytest.mark.parametrize("text", ["", "      ", "XXX", "D50 12", "chair", "D14   5", "???126"])
def test_a_field_of_which_nothing_can_be_made(text: str) -> None:
    assert uspc_from_grant(text) is None


@given(
    st.integers(1, 34),
    st.integers(1, 999),
    st.sampled_from(["", "1", "12"]),
    st.sampled_from(["D{:>2}", "{:>3}"]),
)
def test_the_field_is_read_back_as_it_was_written(cls: int, subclass: int, decimals: str, layout: str) -> None:
    head = layout.format(cls if layout.startswith("D") else f"D{cls}")
    code = uspc_from_grant(f"{head}{subclass:>3}{decimals}")
    assert code is not None
    assert code.code == f"D{cls}/{subclass}" + (f".{decimals}" if decimals else "")
    assert try_code("uspc", code.code) == code


@given(st.text(alphabet="D0123456789 EFGIORLTPXB.", max_size=10))
def test_what_is_read_from_a_grant_can_be_asked_for(text: str) -> None:
    code = uspc_from_grant(text)
    assert code is None or try_code("uspc", code.code) == code


def test_design_classes() -> None:
    assert [c for c in ("D1", "D34", "D99", "D14/126") if is_design_class(c)] == ["D1", "D34", "D99", "D14/126"]
    assert not any(is_design_class(c) for c in ("D0", "D35", "345", "D", "PLT", "D141"))
