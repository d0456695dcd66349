"""Hints about HTML that is being developed."""

import pytest
from hypothesis import given, strategies as st

from appliance.mail import htmlcheck
from appliance.mail.htmlcheck import Severity

GOOD = (
    '<!doctype html><html lang="en"><head><title>Welcome</title></head><body><table role="presentation"><tr><td>'
    '<p style="color: #333">Hello, and welcome to the best of newsletters.</p>'
    '<img src="https://example.org/a.png" alt="A boat" width="600"><a href="https://example.org/">Read</a></td></tr></table>'
)


def ids(source: str, octets: int = 1000, has_text: bool = True) -> set[str]:
    return {hint.id for hint in htmlcheck.check(source, octets=octets, has_text=has_text)}


def test_nothing_is_said_of_what_is_good() -> None:
    assert ids(GOOD) == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("<script>1</script>", "element-script"),
        ("<form action=https://example.org/></form>", "element-form"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "element-link"),
        ("<video src=https://example.org/x></video>", "element-video"),
        ("<svg></svg>", "element-svg"),
        ("<p onclick=x()>x</p>", "handler"),
        ('<a href="">x</a>', "link-empty"),
        ('<a href="#">x</a>', "link-empty"),
        ('<a href="/x">x</a>', "link-relative"),
        ('<a href="javascript:x()">x</a>', "link-script"),
        ('<a href="http://localhost:3000/x">x</a>', "link-local"),
        ('<a href="http://example.org/x">x</a>', "link-http"),
        ("<table><tr><td>x</table>", "table-role"),
        ('<img src="https://example.org/a.png" width=1>', "img-without-alt"),
        ('<img src="https://example.org/a.png" alt="">', "img-without-width"),
        ('<img src="data:image/png;base64,AA" alt="" width=1>', "img-data"),
        ('<img src="http://example.org/a.png" alt="" width=1>', "img-http"),
        ('<img src="http://192.168.1.1/a.png" alt="" width=1>', "img-local"),
        ('<img src="https://example.org/a.svg" alt="" width=1>', "img-svg"),
        ('<img src="a.png" alt="" width=1>', "img-relative"),
        ('<div style="display:flex">x</div>', "style-display-flex"),
        ('<div style="display: grid">x</div>', "style-display-grid"),
        ('<div style="position: absolute">x</div>', "style-position"),
        ('<div style="background: url(https://example.org/a)">x</div>', "style-background-image"),
        ('<div style="margin: 0 auto">x</div>', "style-margin-auto"),
        ('<div style="margin-top: -4px">x</div>', "style-negative-margin"),
        ('<div style="width: calc(100% - 1px)">x</div>', "style-calc"),
        ('<div style="color: var(--x)">x</div>', "style-var"),
        ('<div style="font-size: 1.5rem">x</div>', "style-rem"),
        ('<div style="height: 50vh">x</div>', "style-vh-or-vw"),
        ('<div style="color: rgba(0, 0, 0, .5)">x</div>', "style-rgba-or-hsl"),
        ("<style>@import 'x';</style>", "rule-import"),
        ("<style>@font-face { font-family: x; src: url(x) }</style>", "rule-font-face"),
        ("<style>@media screen { p { color: red } }</style>", "rule-media"),
        ("<style>@media screen { p { display: flex } }</style>", "style-display-flex"),
        ("<style>@-webkit-keyframes x { from { top: 0 } }</style>", "rule-keyframes"),
        ("<style>a:hover { color: red }</style>", "selectors"),
        ("<meta http-equiv=refresh content=0>", "refresh"),
    ],
)
def test_hints(change: str, expected: str) -> None:
    assert expected in ids(GOOD + change)


def test_of_the_whole() -> None:
    assert "no-text" in ids(GOOD, has_text=False)
    assert "size" in ids(GOOD, octets=200_000)
    assert {"doctype", "lang", "title"} <= ids("<p>x</p>")
    assert "only-pictures" in ids('<img src="https://example.org/a.png" alt="x" width="1">')
    assert "element-link" not in ids(GOOD + '<link rel="icon" href="x">')


def test_what_matters_most_comes_first() -> None:
    hints = htmlcheck.check("<p style='float:left;display:flex'>x<script></script>", octets=10, has_text=False)
    order = list(Severity)
    assert [order.index(hint.severity) for hint in hints] == sorted(order.index(hint.severity) for hint in hints)
    assert hints[0].severity is Severity.ERROR
    assert all(hint.advice and hint.text and hint.count for hint in hints)


@given(st.text(alphabet="<>/!-abscriptyle ={}:;\"'@[]&#x\n", max_size=200))
def test_anything_is_read(source: str) -> None:
    htmlcheck.check(source, octets=len(source), has_text=True)
