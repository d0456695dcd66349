import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail.parameters import MAX_PARAMETERS, parse_content_type, parse_disposition


@pytest.mark.parametrize(
    ("value", "kind", "parameters"),
    [
        pytest.param(b"text/plain", "text/plain", {}, id="bare"),
        pytest.param(b"TEXT/Html; Charset=UTF-8", "text/html", {"charset": "UTF-8"}, id="case"),
        pytest.param(b'text/plain;charset="utf-8";', "text/plain", {"charset": "utf-8"}, id="quoted, semicolon behind"),
        pytest.param(b"text/plain;\r\n\tcharset=utf-8", "text/plain", {"charset": "utf-8"}, id="folded"),
        pytest.param(b"text/plain; charset = utf-8", "text/plain", {"charset": "utf-8"}, id="spaces"),
        pytest.param(b"text/plain (x); charset=us-ascii (Plain)", "text/plain", {"charset": "us-ascii"}, id="comments"),
        pytest.param(b'a/b; x="q\\"\\\\"', "a/b", {"x": 'q"\\'}, id="quoted pairs"),
        pytest.param(b'a/b; name="C:\\dir\\x"', "a/b", {"name": "C:\\dir\\x"}, id="Windows path"),
        pytest.param(b"a/b; name=x y(1).pdf", "a/b", {"name": "x y(1).pdf"}, id="not quoted"),
        pytest.param(b'a/b; name="x; y=z', "a/b", {"name": "x; y=z"}, id="quote never closed"),
        pytest.param(b"a/b; x=1; x=2", "a/b", {"x": "1"}, id="twice"),
        pytest.param(b"a/b; litter; ;; x=1", "a/b", {"x": "1"}, id="litter between"),
        pytest.param(b"text/plain litter; x=1", "text/plain", {}, id="litter behind subtype"),
        pytest.param(b"multipart/mixed litter; boundary=x", "application/octet-stream", {}, id="litter in multipart"),
        pytest.param(b"text", "application/octet-stream", {}, id="no subtype"),
        pytest.param(b"", "application/octet-stream", {}, id="empty"),
        pytest.param(b"a b/c", "application/octet-stream", {}, id="space in type"),
        pytest.param(b"a/b; x*=utf-8'en'%C3%A9; x=e", "a/b", {"x": "é"}, id="RFC 2231 preferred"),
        pytest.param(b"a/b; x*=iso-8859-1''%E9", "a/b", {"x": "é"}, id="character set"),
        pytest.param(b"a/b; x*1=b; x*0=a; x*2=c", "a/b", {"x": "abc"}, id="sections in any order"),
        pytest.param(
            b"a/b; x*0*=utf-8''%C3; x*1*=%A9; x*2=%41", "a/b", {"x": "é%41"}, id="extended and plain sections"
        ),
        pytest.param(b"a/b; x*0=a; x*2=c", "a/b", {"x": "a"}, id="section missing"),
        pytest.param(b"a/b; x*=%C3%A9", "a/b", {"x": "é"}, id="no character set"),
        pytest.param(b'a/b; x="=?utf-8?q?=C3=A9?="', "a/b", {"x": "é"}, id="RFC 2047"),
        pytest.param('a/b; x="é"'.encode(), "a/b", {"x": "é"}, id="UTF-8"),
        pytest.param(b"a/b; x=\xff", "a/b", {"x": "\ufffd"}, id="not UTF-8"),
        pytest.param(
            b'multipart/mixed; boundary="a b=_?\'"', "multipart/mixed", {"boundary": "a b=_?'"}, id="boundary"
        ),
    ],
)
def test_content_type(value, kind, parameters):
    parsed = parse_content_type(value)
    assert (str(parsed), dict(parsed.parameters)) == (kind, parameters)
    assert parsed.parameter("nothing") is None
    assert all(parsed.parameter(name) == text for name, text in parameters.items())


@pytest.mark.parametrize(
    ("value", "disposition", "parameters"),
    [
        (b"inline", "inline", {}),
        (b'ATTACHMENT; FileName="x y"', "attachment", {"filename": "x y"}),
        (b"", "attachment", {}),
        (b"filename=x", "attachment", {"filename": "x"}),
    ],
)
def test_disposition(value, disposition, parameters):
    found, pairs = parse_disposition(value)
    assert (found, dict(pairs)) == (disposition, parameters)


def test_bounded():
    assert len(parse_content_type(b"a/b" + b"".join(b"; p%d=x" % n for n in range(1000))).parameters) == MAX_PARAMETERS


PIECES = [
    b";",
    b"=",
    b'"',
    b"\\",
    b"*",
    b"0",
    b"'",
    b"%",
    b"a",
    b" ",
    b"/",
    b"(",
    b")",
    b"\r\n ",
    b"\xff",
    b"=?utf-8?q?",
    b"?=",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join) | st.binary(max_size=60))
def test_any_octets(value):
    for prefix in (b"", b"a/b;", b"multipart/x; boundary="):
        names = [name for name, _ in parse_content_type(prefix + value).parameters]
        assert len(names) == len(set(names))
    parse_disposition(value)


@pytest.mark.parametrize("piece", [b";", b'"', b"a", b"a=", b"; a=b", b"a*0=x;", b"(", b"\\", b'="', b" ("])
def test_linear(piece, growth):
    growth(lambda size: parse_content_type(b"a/b;" + piece * size))


def test_linear_in_white_space(growth):
    growth(lambda size: parse_content_type(b"a/b;" + b" " * size))
    growth(lambda size: parse_content_type(b"a/b; x=(" + b" (" * size + b")"))
