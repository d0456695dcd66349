"""Messages of strangers as HTML: what is kept, what is not, where links lead."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st

from appliance.base.limits import DISPLAY
from appliance.mail import display

PIXEL = "data:image/png;base64,AAAA"


def picture(content_id: str) -> str | None:
    return PIXEL if content_id == "a@b" else None


def shown(source: str, *, external: bool = False) -> display.Shown:
    return display.sanitized(source, external=external, picture=picture, limits=DISPLAY)


class Elements(HTMLParser):
    """Elements and attributes of what was written."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


KEPT = [
    ("<p>hi <b>you</b></p>", "<p>hi <b>you</b></p>"),
    ("a &lt; b & c", "a &lt; b &amp; c"),
    ("<font color=red size=2>x</font>", '<font color="red" size="2">x</font>'),
    ("<table bgcolor=#fff width=600><tr><td valign=top>x</table>",
     '<table bgcolor="#fff" width="600"><tbody><tr><td valign="top">x</td></tr></tbody></table>'),
    ('<p style="color: red; background: url(http://t.example/x)">x', '<p style="color: red">x</p>'),
    ('<img src="cid:a@b" alt=x>', f'<img src="{PIXEL}" alt="x">'),
    ('<img src="CID:a%40b">', f'<img src="{PIXEL}">'),
    ('<img src="cid:other">', "<img>"),
    (f'<img src="{PIXEL}">', f'<img src="{PIXEL}">'),
    ('<img src="http://t.example/x.gif" width=1>', '<img width="1">'),
    ('<img srcset="http://t.example/x.gif 2x">', "<img>"),
    ('<table background="http://t.example/x">', "<table></table>"),
    ("<script>alert(1)</script>x", "x"),
    ("<style>p { color: red }</style>x", "x"),
    ("<title>t</title>x", "x"),
    ("<form action=http://t.example/><input name=a value=b><button>Go</button></form>", "Go"),
    ("<iframe src=http://t.example/>x</iframe>y", "y"),
    ("<object data=x><embed src=x></object>y", "y"),
    ("<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>y", "y"),
    ("<math><mtext><script>x</script></mtext></math>y", "y"),
    ("<base href=http://t.example/><meta http-equiv=refresh content='0;url=http://t.example/'><link rel=stylesheet href=x>y", "y"),
    ("<video src=http://t.example/x></video>y", "y"),
    ("<!-- <b>x</b> -->y<![CDATA[z]]>", "y"),
    ("<p onclick=alert(1) onmouseover='alert(2)'>x", "<p>x</p>"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), KEPT)
def test_what_is_kept(source: str, expected: str) -> None:
    assert shown(source).body == expected


def anchor(href: str, inside: str, mark: str = "") -> str:
    behind = f' <span class="moxpy-target">[{mark}]</span>' if mark else ""
    return f'<a href="{href}" target="_blank" rel="noopener noreferrer" title="{href}">{inside}</a>{behind}'


LINKS = [
    ('<a href="http://a.example/x" title="nice">read</a>', anchor("http://a.example/x", "read")),
    ('<a href="//a.example/x">read</a>', anchor("https://a.example/x", "read")),
    ('<a href="www.a.example/x">read</a>', anchor("https://www.a.example/x", "read")),
    ('<a href="mailto:a@b.example">a@b.example</a>', anchor("mailto:a@b.example", "a@b.example")),
    ('<a href="http://evil.example/">www.bank.example</a>', anchor("http://evil.example/", "www.bank.example", "evil.example")),
    ('<a href="http://evil.example/">https://<b>bank</b>.example/login</a>',
     anchor("http://evil.example/", "https://<b>bank</b>.example/login", "evil.example")),
    ('<a href="http://bank.example.evil.example/">bank.example</a>',
     anchor("http://bank.example.evil.example/", "bank.example", "bank.example.evil.example")),
    ('<a href="http://bank.example@evil.example/">bank.example</a>',
     anchor("http://bank.example@evil.example/", "bank.example", "evil.example")),
    ('<a href="https://www.bank.example/a">bank.example/b</a>', anchor("https://www.bank.example/a", "bank.example/b")),
    ('<a href="https://login.bank.example/">bank.example</a>', anchor("https://login.bank.example/", "bank.example")),
    ('<a href="https://аррӏе.com/">Apple</a>', anchor("https://аррӏе.com/", "Apple", "xn--80ak6aa92e.com")),
    ('<a href="https://xn--80ak6aa92e.com/">Apple</a>', anchor("https://xn--80ak6aa92e.com/", "Apple", "xn--80ak6aa92e.com")),
    ('<a href="#below">below</a>', '<a href="#below">below</a>'),
    ('<a href="http://a.example/?a=1&amp;b=%22">x</a>', anchor("http://a.example/?a=1&amp;b=%22", "x")),
    *[(f'<a href="{one}">x</a>', '<a>x</a>') for one in (
        "javascript:alert(1)", " java&#9;script:alert(1)", "JAVASCRIPT:alert(1)", "&#1;javascript:alert(1)", "vbscript:x",
        "data:text/html,<script>x</script>", "blob:http://a.example/x", "file:///etc/passwd", "/admin/", "../x", "view-source:x",
        "java\nscript:alert(1)", "cid:a@b",
    )],
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), LINKS)
def test_links(source: str, expected: str) -> None:
    assert shown(source).body == expected


def test_what_is_elsewhere_is_fetched_only_if_asked_for() -> None:
    source = (
        '<style>p { background: url(http://t.example/a) }</style><body background="http://t.example/b">'
        '<img src="//t.example/c"><p style="background: url(http://t.example/d)">x</p><video src="http://t.example/e">'
    )
    quiet = shown(source)
    assert "t.example" not in quiet.styles + quiet.attributes + quiet.body
    loud = shown(source, external=True)
    written = loud.styles + loud.attributes + loud.body
    assert [one for one in "abcde" if f"t.example/{one}" in written] == list("abcde")
    assert 'src="https://t.example/c"' in written


def test_the_body_element_has_its_looks() -> None:
    found = shown('<html><head></head><body bgcolor="#eee" onload="x()" style="margin:0" class="a>b">x</body></html>')
    assert found.attributes == ' bgcolor="#eee" style="margin: 0" class="a&gt;b"'
    assert found.body == "x"


def test_styles_stand_together() -> None:
    found = shown(
        "<style>p{color:red}</style><!-- <style>b{color:red}</style> --><p>x<style><!-- i{color:red} --></style>"
    )
    assert found.styles == "p { color: red }\ni { color: red }"


def test_long_and_deep_ones_are_cut() -> None:
    assert shown("x" * (DISPLAY.html_characters + 1)).is_cut
    assert shown("<div>" * 5000 + "x").body.startswith("<pre")
    assert "<div>" in shown("<div>" * 100 + "x" + "</div>" * 100).body
    assert "<p>" in shown("<p>x" * 5000).body


_TAGS = st.sampled_from(
    "<script> </script> <img src= <a href= javascript: ' \" > < / <svg> <math> <style> </style> <!-- --> <table> <td> "
    "<template> <noscript> <iframe> onload= style= url( ) http://t.example/ cid:a@b &#x3c; \x00 <body <select> <plaintext>".split(
        " "
    )
)


@given(st.lists(_TAGS, max_size=30).map("".join), st.booleans())
def test_nothing_runs_whatever_it_is(source: str, external: bool) -> None:
    found = shown(source, external=external)
    for tag, attributes in Elements(f"<div{found.attributes}></div>{found.body}").found:
        assert tag not in {
            "script",
            "style",
            "svg",
            "math",
            "iframe",
            "object",
            "form",
            "input",
            "base",
            "meta",
            "link",
        }
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"srcdoc", "action", "formaction", "srcset"}
            if name in {"src", "background", "poster"} and not external:
                assert (value or "").startswith("data:image/")
            if name == "href":
                assert re.match(r"(?:https?|mailto|tel|sms|xmpp|matrix|geo):|#", value or "")
    assert "<" not in found.styles
    if not external:
        assert "url(" not in found.styles


PLAIN = [
    ("hello", '<div class="own">hello\n</div>'),
    ("<script>alert(1)</script> & \"x\"", '<div class="own">&lt;script&gt;alert(1)&lt;/script&gt; &amp; "x"\n</div>'),
    ("a\n> b\n>> c\n> > d\ne",
     '<div class="own">a\n</div><div class="quote1">&gt; b\n</div><div class="quote2">&gt; &gt; c\n&gt; &gt; d\n</div>'
     '<div class="own">e\n</div>'),
    ("see http://a.example/x.", f'<div class="own">see {anchor("http://a.example/x", "http://a.example/x")}.\n</div>'),
    ("(www.a.example/b_(c))", f'<div class="own">({anchor("https://www.a.example/b_(c)", "www.a.example/b_(c)")})\n</div>'),
    ("http://a.example/?a=1&b=\"x\"", f'<div class="own">{anchor("http://a.example/?a=1&amp;b=", "http://a.example/?a=1&amp;b=")}"x"\n</div>'),
    ("to a.b@c.example, now", f'<div class="own">to {anchor("mailto:a.b@c.example", "a.b@c.example")}, now\n</div>'),
    ("https://аррӏе.com/", f'<div class="own">{anchor("https://аррӏе.com/", "https://аррӏе.com/", "xn--80ak6aa92e.com")}\n</div>'),
    ("javascript:alert(1)", '<div class="own">javascript:alert(1)\n</div>'),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), PLAIN)
def test_plain(source: str, expected: str) -> None:
    assert display.plain(source, flowed=False, delsp=False, limits=DISPLAY).body == expected


@pytest.mark.parametrize(
    ("source", "delsp", "expected"),
    [
        ("one \ntwo\nthree", False, "one two\nthree\n"),
        ("one \ntwo", True, "onetwo\n"),
        (" >from \n  x", False, "&gt;from  x\n"),
        ("-- \nme", False, "-- \nme\n"),
    ],
)
def test_flowed(source: str, delsp: bool, expected: str) -> None:
    found = display.plain(source, flowed=True, delsp=delsp, limits=DISPLAY)
    assert found.body == f'<div class="own">{expected}</div>'


def test_flowed_quotes_end_where_depth_changes() -> None:
    found = display.plain("> a \n> b \nc", flowed=True, delsp=False, limits=DISPLAY)
    assert found.body == '<div class="quote1">&gt; a b \n</div><div class="own">c\n</div>'


@given(st.text(alphabet="ab.@:/ \n>()<&\"'www.http://\u0430", max_size=200), st.booleans())
def test_plain_text_is_never_markup(source: str, flowed: bool) -> None:
    found = display.plain(source, flowed=flowed, delsp=False, limits=DISPLAY)
    assert {tag for tag, _ in Elements(found.body).found} <= {"div", "a", "span"}
