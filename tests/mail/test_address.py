import ipaddress
import unicodedata
from email.utils import formataddr, getaddresses

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import address
from appliance.mail.address import (
    NULL_PATH,
    USUAL,
    Address,
    AddressError,
    AddressLimits,
    Group,
    Mailbox,
    Path,
    canonical_localpart,
    parse_address,
    parse_list,
    parse_path,
    sole_from,
    split_path,
)
from appliance.mail.domain import IPLiteral, parse_domain

LIMITS = AddressLimits(addresses=100, octets=100_000)
DOMAIN = parse_domain("b.example")


@pytest.mark.parametrize(
    ("octets", "path", "spelled"),
    [
        pytest.param(b"<>", NULL_PATH, "", id="null"),
        pytest.param(b"<a@b.example>", Path("a", DOMAIN), "a@b.example", id="plain"),
        pytest.param(b"<A@B.Example>", Path("A", DOMAIN), "A@b.example", id="case"),
        pytest.param(b"<a.b+c=d@b.example>", Path("a.b+c=d", DOMAIN), "a.b+c=d@b.example", id="atext"),
        pytest.param(b"<@x.example,@y.example:a@b.example>", Path("a", DOMAIN), "a@b.example", id="route"),
        pytest.param(b"<PostMaster>", Path("PostMaster", None), "PostMaster", id="postmaster"),
        pytest.param(b'<"a b"@b.example>', Path("a b", DOMAIN), '"a b"@b.example', id="quoted"),
        pytest.param(b'<""@b.example>', Path("", DOMAIN), '""@b.example', id="empty localpart"),
        pytest.param(b'<"a"@b.example>', Path("a", DOMAIN), "a@b.example", id="quoted in vain"),
        pytest.param(b'<"a\\"\\\\>@"@b.example>', Path('a"\\>@', DOMAIN), '"a\\"\\\\>@"@b.example', id="quoted pairs"),
        pytest.param(b"<a..b.@b.example>", Path("a..b.", DOMAIN), '"a..b."@b.example', id="dots"),
        pytest.param(b"<a@my_pc.example>", Path("a", parse_domain("my_pc.example", lax=True)), None, id="underscore"),
        pytest.param(
            b"<a@[192.0.2.1]>", Path("a", IPLiteral(ipaddress.ip_address("192.0.2.1"))), "a@[192.0.2.1]", id="IPv4"
        ),
        pytest.param(b"<a@[IPv6:::1]>", Path("a", IPLiteral(ipaddress.ip_address("::1"))), "a@[IPv6:::1]", id="IPv6"),
        pytest.param("<e\u0301@b.example>".encode(), Path("é", DOMAIN), "é@b.example", id="NFC"),
        pytest.param("<a@ü.example>".encode(), Path("a", parse_domain("ü.example")), "a@ü.example", id="U-label"),
        pytest.param(b"<" + b"a" * 128 + b"@b.example>", Path("a" * 128, DOMAIN), None, id="long localpart"),
    ],
)
def test_path(octets, path, spelled):
    parsed = parse_path(octets, smtputf8=True)
    assert parsed == path
    assert parsed.is_null == (octets == b"<>")
    assert parsed.needs_smtputf8 == (not path.localpart.isascii())
    if spelled is not None:
        assert parsed.unicode == str(parsed) == spelled
        assert parse_path(f"<{parsed.unicode}>".encode(), smtputf8=True) == path
        assert parse_path(f"<{parsed.ascii}>".encode(), smtputf8=True) == path


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"a@b.example", id="no brackets"),
        pytest.param(b"<a>", id="no domain"),
        pytest.param(b"<@b.example>", id="no localpart"),
        pytest.param(b"<a@>", id="empty domain"),
        pytest.param(b"<a@b@c.example>", id="two signs"),
        pytest.param(b"<a b@c.example>", id="space"),
        pytest.param(b"< a@c.example>", id="space in front"),
        pytest.param(b"<a@b.example.>", id="final dot"),
        pytest.param(b"<a@192.0.2.1>", id="address without brackets"),
        pytest.param(b'<"a@b.example>', id="unclosed quote"),
        pytest.param(b'<"a\r\n"@b.example>', id="line end"),
        pytest.param(b"<a\0@b.example>", id="NUL"),
        pytest.param(b"<\xff@b.example>", id="not UTF-8"),
        pytest.param("<a\u0085@b.example>".encode(), id="C1 control"),
        pytest.param(b"<" + b"a" * 129 + b"@b.example>", id="long localpart"),
        pytest.param(b"<" + b"a" * 100_000 + b"@b.example>", id="far too long"),
    ],
)
def test_path_refused(octets):
    with pytest.raises(AddressError) as caught:
        parse_path(octets, smtputf8=True)
    assert not caught.value.lacks_smtputf8


@pytest.mark.parametrize("octets", ["<é@b.example>".encode(), "<a@ü.example>".encode()])
def test_path_lacks_smtputf8(octets):
    with pytest.raises(AddressError) as caught:
        parse_path(octets, smtputf8=False)
    assert caught.value.lacks_smtputf8


@pytest.mark.parametrize("octets", [b"<a..b@b.example>", b"<" + b"a" * 65 + b"@b.example>", b"<a@my_pc.example>"])
def test_path_strict(octets):
    parse_path(octets, smtputf8=False)
    with pytest.raises(AddressError):
        parse_path(octets, smtputf8=False, strict=True)


@pytest.mark.parametrize(
    ("argument", "path", "rest"),
    [
        (b"<a@b> SIZE=1", b"<a@b>", b" SIZE=1"),
        (b'<"a>b"@c>x', b'<"a>b"@c>', b"x"),
        (b'<"a\\">"@c>', b'<"a\\">"@c>', b""),
        (b"<>", b"<>", b""),
    ],
)
def test_split_path(argument, path, rest):
    assert split_path(argument) == (path, rest)


@pytest.mark.parametrize("argument", [b"", b"a@b", b"<a@b", b'<"a@b>', b" <a@b>"])
def test_split_path_refused(argument):
    with pytest.raises(AddressError):
        split_path(argument)


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("a@b.example", "a@b.example"),
        ("e\u0301@BÜCHER.example", "é@bücher.example"),
        ('"a@c"@b.example', '"a@c"@b.example'),
        ("a@xn--bcher-kva.example", "a@bücher.example"),
    ],
)
def test_parse_address(text, spelled):
    parsed = parse_address(text)
    assert str(parsed) == parsed.unicode == spelled
    assert parse_address(parsed.ascii) == parse_address(parsed.unicode) == parsed


@pytest.mark.parametrize(
    "text", ["", "a", "@b.example", "a@", " a@b.example", "<a@b.example>", "a@[192.0.2.1]", "a@_b.c"]
)
def test_parse_address_refused(text):
    with pytest.raises(AddressError):
        parse_address(text)


@pytest.mark.parametrize(
    ("localpart", "case_sensitive", "separators", "canonical"),
    [
        pytest.param("Me", False, [], "me", id="case"),
        pytest.param("Me", True, [], "Me", id="case kept"),
        pytest.param("me+x+y", False, ["+"], "me", id="first occurrence"),
        pytest.param("me-a+x", False, ["+", "-"], "me", id="two separators"),
        pytest.param("+me", False, ["+"], "+me", id="nothing would be left"),
        pytest.param("me+", False, ["+"], "me", id="at the end"),
        pytest.param("me--x", False, ["--"], "me", id="long separator"),
        pytest.param("\u2126", False, [], "\u03c9", id="ohm sign"),
        pytest.param("\u03a9", False, [], "\u03c9", id="capital omega"),
        pytest.param("E\u0301", False, [], "é", id="NFC"),
        pytest.param("\u0430", False, [], "\u0430", id="homograph stays"),
    ],
)
def test_canonical_localpart(localpart, case_sensitive, separators, canonical):
    assert canonical_localpart(localpart, case_sensitive=case_sensitive, separators=separators) == canonical


@settings(max_examples=200, deadline=None)
@given(st.text('ab.@"\\ <>é\u0301\u2126', max_size=12))
def test_any_localpart(text):
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for written in (text, quoted):
        try:
            path = parse_path(f"<{written}@b.example>".encode(), smtputf8=True)
        except AddressError:
            continue
        assert path.localpart == unicodedata.normalize("NFC", path.localpart)
        assert parse_path(f"<{path}>".encode(), smtputf8=True) == path
        assert parse_address(str(path)) == path.address


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=40) | st.lists(st.sampled_from([b"<", b">", b'"', b"\\", b"@", b":", b"a", b"."])).map(b"".join)
)
def test_any_path(octets):
    for strict in (False, True):
        try:
            split_path(octets)
            parse_path(octets, smtputf8=True, strict=strict)
        except AddressError:
            continue


def box(localpart, domain, name="", raw_name=None):
    return Mailbox(name, localpart, domain, name.encode() if raw_name is None else raw_name)


A, C = box("a", "b.example"), box("c", "d.example")


@pytest.mark.parametrize(
    ("value", "entries"),
    [
        pytest.param(b"a@b.example", [A], id="bare"),
        pytest.param(b" <a@b.example> ", [A], id="angle"),
        pytest.param(b"A B <a@b.example>", [box("a", "b.example", "A B")], id="phrase"),
        pytest.param(b'"A \\"B\\", C" <a@b.example>', [box("a", "b.example", 'A "B", C')], id="quoted name"),
        pytest.param(b'"A\r\n B" <a@b.example>', [box("a", "b.example", "A B")], id="folded quoted name"),
        pytest.param(b"John Q. Public <a@b.example>", [box("a", "b.example", "John Q. Public")], id="dot in name"),
        pytest.param(b"[L] x <a@b.example>", [box("a", "b.example", "[L] x")], id="brackets in name"),
        pytest.param(b"x@y <a@b.example>", [box("a", "b.example", "x@y")], id="address as name"),
        pytest.param(b"a@b.example (A (B) \\))", [box("a", "b.example", "A (B) )")], id="comment as name"),
        pytest.param(b"(x)a(y)@(z)b.example", [box("a", "b.example", "z")], id="comments everywhere"),
        pytest.param(b"a@b.example, c@d.example", [A, C], id="two"),
        pytest.param(b",, a@b.example,\r\n ,c@d.example,", [A, C], id="empty entries"),
        pytest.param(b"a@b.example; c@d.example", [A, C], id="semicolon"),
        pytest.param(b"<a@b.example> <c@d.example>", [A, C], id="comma missing"),
        pytest.param(b"<a@b.example, c@d.example", [A, C], id="angles never closed"),
        pytest.param(b"<<a@b.example>>", [A], id="double angles"),
        pytest.param(b"<@x.example,@y.example:a@b.example>", [A], id="route"),
        pytest.param(b"a @ b . example", [A], id="obsolete spaces"),
        pytest.param(b"A a@b.example", [box("a", "b.example", "A")], id="name without angles"),
        pytest.param(b'"a b"@b.example', [box("a b", "b.example")], id="quoted localpart"),
        pytest.param(b"a@[192.0.2.1]", [box("a", "[192.0.2.1]")], id="literal"),
        pytest.param(b"<root>", [box("root", "")], id="no domain"),
        pytest.param("é <e\u0301@ü.example>".encode(), [box("é", "ü.example", "é")], id="UTF-8"),
        pytest.param(
            b"=?utf-8?q?=C3=A9?= =?utf-8?q?x?= <a@b.example>",
            [box("a", "b.example", "éx", b"=?utf-8?q?=C3=A9?= =?utf-8?q?x?=")],
            id="encoded words",
        ),
        pytest.param(b"\xff <a@b.example>", [box("a", "b.example", "\ufffd", b"\xff")], id="not UTF-8"),
        pytest.param(
            b"undisclosed-recipients:;",
            [Group("undisclosed-recipients", b"undisclosed-recipients", ())],
            id="empty group",
        ),
        pytest.param(b"A B: a@b.example, c@d.example;, a@b.example", [Group("A B", b"A B", (A, C)), A], id="group"),
        pytest.param(b"g: a@b.example", [Group("g", b"g", (A,))], id="group never closed"),
        pytest.param(b"g: h: a@b.example;", [Group("g", b"g", (A,))], id="group in group"),
        pytest.param(b'"x <a@b.example>', [box("a", "b.example", "x")], id="quote never closed"),
        pytest.param(b"(x <a@b.example>", [box("a", "b.example", "x")], id="comment never closed"),
        pytest.param(b"", [], id="empty"),
        pytest.param(b"nobody here", [], id="words"),
        pytest.param(b"x <>", [], id="empty angle"),
        pytest.param(b"@", [], id="sign alone"),
        pytest.param(b"a@b@c", [], id="two signs"),
        pytest.param(b"\x00\x01\\", [], id="garbage"),
    ],
)
def test_parse_list(value, entries):
    assert list(parse_list(value, LIMITS)) == entries


def test_list_limits():
    assert len(parse_list(b"a@b.example," * 50, AddressLimits(addresses=7, octets=10_000))) == 7
    assert len(parse_list(b"g:;" * 50, AddressLimits(addresses=7, octets=10_000))) == 7
    (group,) = parse_list(b"g:" + b"a@b.example," * 50, AddressLimits(addresses=7, octets=10_000))
    assert len(group.members) == 7
    assert len(parse_list(b"a@b.example," * 50, AddressLimits(addresses=100, octets=24))) == 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text("abc .,\"'()\\", max_size=12), st.from_regex(r"[a-z]{1,5}@[a-z]{1,5}\.example", fullmatch=True)
        ),
        max_size=5,
    )
)
def test_like_stdlib(pairs):
    """On well-formed lists the standard library is the oracle."""
    pairs = [(" ".join(name.split()), spec) for name, spec in pairs]
    value = ", ".join(map(formataddr, pairs))
    ours = [(box.name, box.addr_spec) for box in address.mailboxes(parse_list(value.encode(), LIMITS))]
    assert ours == pairs
    assert ours == [pair for pair in getaddresses([value]) if pair[1]]


TOKENS = [
    b"<",
    b">",
    b"(",
    b")",
    b'"',
    b"\\",
    b"@",
    b":",
    b";",
    b",",
    b".",
    b"[",
    b"]",
    b" ",
    b"a",
    b"\xc3\xa9",
    b"\xff",
    b"\r\n ",
    b"\0",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join) | st.binary(max_size=60))
def test_any_list(value):
    for mailbox in address.mailboxes(parse_list(value, LIMITS)):
        assert mailbox.localpart
    try:
        assert isinstance(sole_from([value]), Address)
    except AddressError:
        pass


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from([b'"', b"a", b" ", b"<", b">", b"a@b.example", b"\0", b"\n", b"\f", b":"]), max_size=8),
    st.sampled_from([b"", b"<a@b.example>", b'" <a@b.example>']),
)
def test_the_short_way_and_the_grammar_agree(tokens, end):
    value = b"".join(tokens) + end
    if USUAL.fullmatch(value):
        assert sole_from([value]) == sole_from([b"()" + value])  # Only the grammar knows comments.
    several = value + b", c@d.example"
    assert parse_list(several, LIMITS) == parse_list(b"()" + several, LIMITS)


@pytest.mark.parametrize(
    "piece",
    [b"<", b"<a", b"<@", b"(", b"()", b'"', b'"\\', b"[", b"a ", b"a@", b",", b":", b"@a,", b"a@b ", b"<a@b>", b"\\"],
)
def test_linear(piece, growth):
    growth(lambda size: parse_list(piece * size, AddressLimits(addresses=10**9, octets=10**9)))


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (b"a@b.example", "a@b.example"),
        (b"A, Blow <a@b.example>", "a@b.example"),
        (b"g: a@b.example;", "a@b.example"),
        (b"x@y.example <a@b.example>", "a@b.example"),
        ("É <e\u0301@BÜCHER.example>".encode(), "é@bücher.example"),
        (b"<a@my_pc.example>", "a@my_pc.example"),
    ],
)
def test_sole_from(value, spelled):
    assert str(sole_from([value])) == spelled


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="no field"),
        pytest.param([b"a@b.example", b"a@b.example"], id="two fields"),
        pytest.param([b""], id="empty"),
        pytest.param([b"a@b.example, c@d.example"], id="two addresses"),
        pytest.param([b"<a@b.example> <c@d.example>"], id="two addresses, no comma"),
        pytest.param([b"g:;"], id="empty group"),
        pytest.param([b"<root>"], id="no domain"),
        pytest.param([b"<a@[192.0.2.1]>"], id="literal"),
        pytest.param([b'"x <a@b.example>'], id="quote never closed"),
        pytest.param([b"(x <a@b.example>"], id="comment never closed"),
        pytest.param([b"<a@b.example"], id="angle never closed"),
        pytest.param([b"x a@b.example"], id="name without angles"),
        pytest.param([b"<a@b.example> c@d.example"], id="address behind"),
        pytest.param([b"<a@b@c.example>, <d@e.example>"], id="address left out"),
        pytest.param([b"<\xff@b.example>"], id="not UTF-8"),
        pytest.param([b"<" + b"a" * 200 + b"@b.example>"], id="long localpart"),
    ],
)
def test_sole_from_refused(values):
    with pytest.raises(AddressError):
        sole_from(values)


@pytest.mark.parametrize(
    ("value", "is_sound"),
    [
        (b"a@b.example, Ann <c@d.example>", True),
        (b'"A, B" <a@b.example>, team: x@y.example, z@y.example;', True),
        (b"undisclosed-recipients:;", True),
        (b"a@b.example, , c@d.example,", True),
        (b"carl", False),
        (b"carl, a@b.example", False),
        (b"team: carl;", False),
        (b"<a@b.example", False),
        (b"a@b.example c@d.example", False),
    ],
)
def test_sound_lists(value, is_sound):
    assert address.is_sound_list(value, LIMITS) is is_sound
