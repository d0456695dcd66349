from collections.abc import Callable

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import html


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("a &amp; <b>b</b>", "a & b", id="inline"),
        pytest.param("<p>a<p>b", "\na\nb", id="blocks"),
        pytest.param('<a title="x>y">z</a>', "z", id="bracket in quotes"),
        pytest.param("<style>p{}</STYLE>a<!-- b -->c", "ac", id="hidden"),
        pytest.param("<img alt='hi'>", " hi ", id="image"),
        pytest.param("1 < 2 <3", "1 < 2 <3", id="no tags"),
        pytest.param("a<script>b", "a", id="never closed"),
        pytest.param("&#" + "9" * 6000 + ";", "\ufffd", id="absurd reference"),
        pytest.param("\u0130" * 50 + "<script>x</script>b", "\u0130" * 50 + "b", id="letters that grow in lower case"),
    ],
)
def test_to_text(source: str, expected: str) -> None:
    assert html.to_text(source) == expected


@pytest.mark.parametrize(
    "piece", ["<a", '<a ="', "<a ='\"", "<!--", "<style>", "&", "&#1", "<", "<p>", "= ", "<img alt='"]
)
def test_growth(piece: str, growth: Callable[[Callable[[int], object]], None]) -> None:
    growth(lambda size: html.to_text(piece * size))
    growth(lambda size: html.searched(piece * size))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("a &amp; <b>b</b>o<i>ld</i>\r\n  line&nbsp;two", "a & bold line two", id="inline"),
        pytest.param("<p>a<P>b<br/>c<td>d</TD>e", "a b c d e", id="blocks"),
        pytest.param('<a href="https://x.example/find" class=find>z</a>', "z", id="attributes"),
        pytest.param('a<img src=x alt="one &amp; two" title=three>b', "a one & two three b", id="images"),
        pytest.param('<abbr title="long">s</abbr><td title=\'t\' alt="no">', "long s t", id="titles"),
        pytest.param("<head><title>no</title><meta name=find></head>yes", "yes", id="head"),
        pytest.param("<style>p{}</STYLE>a<!-- b --><!-->c-->d", "ad", id="hidden"),
        pytest.param("<script>x = '</style>find'</script>yes", "yes", id="the end of another element"),
        pytest.param("<svg><style>a</style>find</svg>yes", "yes", id="an element within"),
        pytest.param("1 < 2 <3 &lt;b&gt;", "1 < 2 <3 <b>", id="no tags"),
        pytest.param("a<script>b", "a", id="never closed"),
        pytest.param("a<b b", "a", id="a tag that is never closed"),
    ],
)
def test_searched(source: str, expected: str) -> None:
    assert html.searched(source) == expected
    long = source + "<!-- " + "x" * html._AT_ONCE + " -->"
    assert html.searched(long) == html.searched(source)


_PIECES = [
    "<",
    ">",
    "<p>",
    "</P>",
    "<b",
    "<img c=",
    "'",
    '"',
    "a",
    " ",
    "=",
    "<!--",
    "-->",
    "<style>",
    "</style",
    "/",
]


@given(st.lists(st.sampled_from([*_PIECES, "<script", "&amp;", "-", "<svg>", "</svg>"]), max_size=25).map("".join))
@settings(deadline=None)
def test_searched_is_the_text_of_the_page(source: str) -> None:
    """The quick way sees the same tags as the plain one; what is between them, aside from white space."""

    def letters(text: str) -> str:
        return "".join(text.split())

    assert letters(html.searched(source)) == letters(html.to_text(source))
    assert " ".join(html._resolved("".join(html._searched_pieces(source))).split()) == html.searched(source)
