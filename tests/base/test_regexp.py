"""The search that cannot be made to hang, beside the library's."""

import re

import pytest
from hypothesis import assume, given, settings, strategies as st

from appliance.base.regexp import Budget, RegexpError, TooMuchWork, compile

ATOMS = [
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    r"\d",
    r"\W",
    "^",
    "$",
    r"\b",
    r"\B",
    "(?i:A)",
    "(?s:.)",
    "",
    r"\A",
    "-",
    r"[\w-]",
]


def grow(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(parts, max_size=4).map("".join),
        st.lists(parts, min_size=1, max_size=3).map(lambda some: f"({'|'.join(some)})"),
        st.tuples(parts, st.sampled_from(["*", "+", "?", "*?", "{0,2}", "{2}", "{1,}", "{3,}?"])).map(
            lambda both: f"(?:{both[0]}){both[1]}"
        ),
    )


EXPRESSIONS = st.recursive(st.sampled_from(ATOMS), grow, max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS, st.text("aAb1-_ \té", max_size=12))
def test_like_the_library(expression: str, text: str) -> None:
    # In nothing, Python before 3.14 finds no \\B, where RE2 does.
    assume(text or r"\B" not in expression)
    expected = re.search(expression, text, re.ASCII) is not None
    assert compile(expression).search(text, Budget()) is expected


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        pytest.param("", "", True, id="nothing in nothing"),
        pytest.param("^$", "", True, id="both ends at once"),
        pytest.param("^$", "a", False, id="not empty"),
        pytest.param(r"^list-id$", "list-id", True, id="whole"),
        pytest.param(r"^list-id$", "x-list-id", False, id="more before"),
        pytest.param(r"^list-id$", "list-ids", False, id="more after"),
        pytest.param("a$", "a\n", False, id="the very end, unlike Python"),
        pytest.param("a.b", "a\nb", False, id="dot is no newline"),
        pytest.param("(?s)a.b", "a\nb", True, id="but with s"),
        pytest.param(r"<[^>]+\.example\.org>", "news <n.example.org>", True, id="list id"),
        pytest.param("(?i)LUNCH", "lunch", True, id="any case"),
        pytest.param("(?i)[^a]", "A", False, id="any case, not in set"),
        pytest.param("grüße", "viele grüße", True, id="beyond ASCII"),
        pytest.param(r"\bs1\b", "s1-s2", True, id="word"),
        pytest.param(r"\bs\b", "s1-s2", False, id="part of a word"),
        pytest.param("[😀-😎]", "x😃", True, id="range beyond the BMP"),
        pytest.param("(?x) a b # both", "ab", True, id="verbose"),
    ],
)
def test_search(expression: str, text: str, expected: bool) -> None:
    assert compile(expression).search(text, Budget()) is expected


@pytest.mark.parametrize(
    "expression", ["(a*)*b", "(a|a)*b", "(a|aa)+$", "a.*a.*a.*a.*a.*b", "(.*)*(.*)*(.*)*b", "(a?){30}a{30}b"]
)
def test_work_is_in_proportion(expression: str) -> None:
    """Each of these takes the library longer than anybody waits."""
    budget = Budget(500_000)
    assert not compile(expression).search("a" * 100_000 + "c", budget)


def test_budget() -> None:
    """An automaton of very many states: it ends by the budget, whatever comes."""
    text = "".join("ab"[number * number % 7 % 2] for number in range(5000)) * 40
    searching = compile("(a|b)*a(a|b){300}c")
    budget = Budget()
    with pytest.raises(TooMuchWork):
        searching.search(text, budget)
    with pytest.raises(TooMuchWork):
        compile("a").search("b", budget)
    assert not searching.search("abc", Budget())


def test_what_is_remembered_is_bounded() -> None:
    searching = compile("(a|b)*a(a|b){20}c")
    for number in range(300):
        assert not searching.search(f"{number:b}".replace("1", "a").replace("0", "b") * 5, Budget())
        assert searching._held < 10_000
    assert not compile("[^x]*y").search("".join(map(chr, range(0x100, 0xD000))), Budget())


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        pytest.param("(", "not a valid", id="broken"),
        pytest.param("(" * 3000 + ")" * 3000, "not a valid", id="deep"),
        pytest.param(r"(a)\1", "not supported", id="back-reference"),
        pytest.param("a(?=b)", "not supported", id="look-ahead"),
        pytest.param("(?<!a)b", "not supported", id="look-behind"),
        pytest.param("(?>a)b", "not supported", id="atomic"),
        pytest.param("a++", "not supported", id="possessive"),
        pytest.param("(a)(?(1)b|c)", "not supported", id="conditional"),
        pytest.param("(?m)^a", "flag", id="lines"),
        pytest.param("(?a)a", "flag", id="ASCII"),
        pytest.param("(a{1000}){1000}", "too large", id="large"),
        pytest.param("a{0,100000}", "too large", id="long"),
        pytest.param("((){1000}){1000}", "too many", id="much of nothing"),
        pytest.param("(){1000000000}", "too many", id="very much of nothing"),
    ],
)
def test_refused(expression: str, fault: str) -> None:
    with pytest.raises(RegexpError, match=fault):
        compile(expression)


#: Without repeats of what may be empty, where `re` goes round once more.
PLAIN = st.lists(
    st.sampled_from(
        r"a b (a) (b|ab) (a|b)* a+ b*? (ab?) [ab] (?:a|ab)(b?) \bb (a+?)(b*) a{1,2} (a){2} . ^ $ (?P<n>a)?".split()
    ),
    max_size=4,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(PLAIN, st.text("ab/", max_size=8), st.integers(0, 3))
def test_find_like_the_library(expression: str, text: str, start: int) -> None:
    assume(expression.count("?P<n>") < 2)
    assume("^" not in expression or start == 0)
    assume(start <= len(text))
    expected = re.compile(expression, re.ASCII).search(text, start)
    found = compile(expression, groups=True).find(text, Budget(), start)
    if expected is None:
        assert found is None
        return
    assert found is not None
    spans = [place for number in range(expected.re.groups + 1) for place in expected.span(number)]
    assert list(found.marks) == spans
    for name in expected.groupdict():
        assert found.group(name) == (expected[name] or "")


@pytest.mark.parametrize("expression", ["(a*)*(b)", "(a|a)*(b)", "((a*)*)*$", "(a?){20}(a){20}"])
def test_finding_is_in_proportion(expression: str) -> None:
    budget = Budget(3_000_000)
    compile(expression, groups=True).find("a" * 5000 + "c", budget)
    with pytest.raises(TooMuchWork):
        compile(expression, groups=True).find("a" * 5000 + "c", Budget(1000))


def test_groups() -> None:
    found = compile("(a)(?P<x>b)?(c)", groups=True).find("xac", Budget())
    assert found is not None
    assert (found.begin, found.end) == (1, 3)
    assert [found.group(name) for name in ("0", "1", "2", "x", "3")] == ["ac", "a", "", "", "c"]
    with pytest.raises(KeyError):
        found.group("4")
    found = compile("(a)b").find("xab", Budget())
    assert found is not None
    assert found.marks == (1, 3)
