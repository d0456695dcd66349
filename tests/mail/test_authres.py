import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import authres, header
from appliance.mail.authres import AuthResults, AuthResultsError, Method, Property

SPF = Method("spf", "pass", properties=(Property("smtp", "mailfrom", "a@b.example"),))


@pytest.mark.parametrize(
    ("value", "results"),
    [
        pytest.param(b"mx.example; none", AuthResults("mx.example"), id="none"),
        pytest.param(b"mx.example 1; none", AuthResults("mx.example", version=1), id="version"),
        pytest.param(b"mx.example; spf=pass smtp.mailfrom=a@b.example", AuthResults("mx.example", (SPF,)), id="one"),
        pytest.param(
            b'mx.example;\r\n\tSPF/1 = Pass (good (x)) reason = "it is" smtp . mailfrom = b.example;'
            b"dkim=fail header.d=b.example (2048 bit) header.s=s",
            AuthResults(
                "mx.example",
                (
                    Method("spf", "pass", "good (x)", "it is", (Property("smtp", "mailfrom", "b.example"),), 1),
                    Method(
                        "dkim", "fail", "", "", (Property("header", "d", "b.example"), Property("header", "s", "s"))
                    ),
                ),
            ),
            id="everything",
        ),
        pytest.param(b'(c) "mx.example" (d); none (e)', AuthResults("mx.example"), id="comments, quoted"),
        pytest.param(
            b'x; auth=pass smtp.auth="a\\"b"',
            AuthResults("x", (Method("auth", "pass", properties=(Property("smtp", "auth", 'a"b'),)),)),
            id="quoted pair",
        ),
        pytest.param(
            b'x; auth=pass smtp.mailfrom="a b"@c.example',
            AuthResults("x", (Method("auth", "pass", properties=(Property("smtp", "mailfrom", "a b@c.example"),)),)),
            id="quoted localpart",
        ),
    ],
)
def test_parse(value, results):
    assert authres.parse(value) == authres.parse(value, pedantic=True) == results


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"mx.example; spf=pass;", id="semicolon behind"),
        pytest.param(b"mx.example; spf=pass policy.a_b=1", id="underscore"),
        pytest.param(b"mx.example; iprev=pass policy.iprev=2001:db8::1", id="IPv6 without quotes"),
        pytest.param(b"mx.example; dkim=pass header.b=ab/c+d=", id="base64 without quotes"),
    ],
)
def test_lenient(value):
    assert authres.parse(value).methods[0].result == "pass"
    with pytest.raises(AuthResultsError):
        authres.parse(value, pedantic=True)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"mx.example",
        b"mx.example;",
        b"mx.example; none; spf=pass",
        b"mx.example; spf",
        b"mx.example; spf=",
        b"mx.example spf=pass",
        b"mx.example; spf=pass smtp=x",
        b"mx.example; spf=pass smtp.x",
        b"mx.example; spf=pass (x",
        b'mx.example; spf=pass reason="x',
        b"mx.example; =pass",
        b"mx.example x; none",
        b"mx.example; s\0pf=pass",
        b"mx.example; spf/x=pass",
    ],
)
def test_refused(value):
    with pytest.raises(AuthResultsError):
        authres.parse(value)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"MX.example; none", "mx.example"),
        (b' (c)\r\n "mx.example"litter', "mx.example"),
        (b"mx.example spf==;;", "mx.example"),
        (b"(never closed mx.example", None),
        (b"", None),
        (b"; spf=pass", None),
    ],
)
def test_authserv_id(value, name):
    assert authres.authserv_id(value) == name


def test_compose():
    octets = authres.compose(
        AuthResults(
            "mx.example", (SPF, Method("dkim", "pass", "x(y)", 'it "is"', (Property("header", "b", "a/b=", "c"),)))
        )
    )
    assert octets == (
        b"Authentication-Results: mx.example; spf=pass smtp.mailfrom=a@b.example;\r\n"
        b'\tdkim=pass (x\\(y\\)) reason="it \\"is\\"" header.b="a/b=" (c)\r\n'
    )
    assert authres.compose(AuthResults("mx.example")) == b"Authentication-Results: mx.example; none\r\n"


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), max_size=20)
keywords = st.sampled_from(["spf", "dkim", "x-a1", "d", "mailfrom"])
properties = st.builds(Property, keywords, keywords, printable)
methods = st.builds(
    Method,
    keywords,
    keywords,
    printable,
    printable,
    st.lists(properties, max_size=3).map(tuple),
    st.none() | st.integers(0, 9),
)


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        AuthResults, st.just("mx.example"), st.lists(methods, max_size=3).map(tuple), st.none() | st.integers(0, 9)
    )
)
def test_round_trip(results):
    octets = authres.compose(results, utf8=True)
    (found,) = header.fields(octets, limits=header.HeaderLimits(fields=9, octets=10_000))
    assert authres.parse(header.content(octets, found)) == results
    assert authres.compose(results).isascii()


def test_no_line_gets_through():
    octets = authres.compose(AuthResults("x", (Method("spf", "fail", "a\r\nEvil: b", "c\r\nEvil: d"),)))
    assert len(header.fields(octets, limits=header.HeaderLimits(fields=9, octets=10_000))) == 1


PIECES = [b";", b"=", b"/", b'"', b"\\", b"(", b")", b".", b"a", b" ", b"none", b"reason", b"1", b"\xff", b"\0", b":"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join) | st.binary(max_size=60))
def test_any_octets(value):
    authres.authserv_id(value)
    for pedantic in (False, True):
        for prefix in (b"", b"x; spf=pass "):
            try:
                authres.parse(prefix + value, pedantic=pedantic)
            except AuthResultsError:
                continue


@pytest.mark.parametrize("piece", [b"a=b ", b"(", b"()", b"(x) ", b"a.b=c ", b";spf=pass", b"a ", b"=", b'"', b'"a"'])
def test_linear(piece, growth):
    def work(size):
        try:
            authres.parse(b"x; spf=pass " + piece * size)
        except AuthResultsError:
            pass

    growth(work)
