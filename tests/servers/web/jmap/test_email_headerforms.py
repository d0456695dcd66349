"""Header fields in the forms of JMAP (RFC 8621 §4.1.2)."""

import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import placement
from appliance.servers.web.jmap.email import headerfields
from appliance.servers.web.jmap.email.headerforms import Form, HeaderProperty, parse_property, value_of
from appliance.servers.web.jmap.problem import SetError


def one(property: str, *values: bytes, lenient: bool = False):
    found = parse_property(property)
    assert found is not None
    return value_of(found, values, lenient=lenient)


@pytest.mark.parametrize(
    ("property", "outcome"),
    [
        pytest.param("header:Subject", HeaderProperty("header:Subject", "subject"), id="raw is the default"),
        pytest.param("header:X:asRaw", HeaderProperty("header:X:asRaw", "x"), id="raw by name"),
        pytest.param("header:X:all", HeaderProperty("header:X:all", "x", all=True), id="all"),
        pytest.param(
            "header:List-POST:asURLs:all",
            HeaderProperty("header:List-POST:asURLs:all", "list-post", Form.URLS, True),
            id="form and all",
        ),
        pytest.param("header:X:all:asText", None, id="in the wrong order"),
        pytest.param("header:X:astext", None, id="forms mind case"),
        pytest.param("header:X:asNumber", None, id="no form"),
        pytest.param("header:", None, id="no name"),
        pytest.param("header:a b", None, id="space"),
        pytest.param("header:ü", None, id="not ASCII"),
        pytest.param("subject", None, id="another property"),
    ],
)
def test_property(property, outcome):
    assert parse_property(property) == outcome


_ADDRESSES = "From Sender Reply-To To Cc Bcc Resent-From Resent-Sender Resent-Reply-To Resent-To Resent-Cc Resent-Bcc"
_ALLOWED = {
    "Text": "Subject Comments Keywords List-Id",
    "Addresses": _ADDRESSES,
    "GroupedAddresses": _ADDRESSES,
    "MessageIds": "Message-ID In-Reply-To References Resent-Message-ID",
    "Date": "Date Resent-Date",
    "URLs": "List-Help List-Unsubscribe List-Subscribe List-Post List-Owner List-Archive",
}


@pytest.mark.parametrize("form", [*_ALLOWED, "Raw"])
def test_which_forms_are_for_which_fields(form):
    every = {*" ".join(_ALLOWED.values()).split(), "Return-Path", "Received"}
    for name in every:
        property = f"header:{name}:as{form}"
        # List-Id is of another RFC than those that limit forms.
        if form == "Raw" or name in _ALLOWED[form].split() or name == "List-Id":
            assert parse_property(property) is not None
        else:
            with pytest.raises(ValueError, match=form):
                parse_property(property)
    assert parse_property(f"header:X-Own:as{form}") is not None


@pytest.mark.parametrize(
    ("property", "values", "outcome"),
    [
        pytest.param("header:X", [b" a\r\n\tb\r\n"], " a\r\n\tb", id="raw keeps folds"),
        pytest.param("header:X", [b" \xff\0a\r\n"], " \ufffda", id="raw octets that are no text"),
        pytest.param("header:X", [], None, id="no field"),
        pytest.param("header:X:all", [], [], id="none of all"),
        pytest.param("header:X", [b" a\r\n", b" b\r\n"], " b", id="the last one counts"),
        pytest.param("header:X:all", [b" a\r\n", b" b\r\n"], [" a", " b"], id="all of them"),
        pytest.param("header:Subject:asText", [b"  =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"], "grüße", id="text"),
        pytest.param("header:Subject:asText", [b" a\r\n b \r\n"], "a b ", id="text unfolded"),
        pytest.param("header:Subject:asText", [b" =?utf-8?q?a=00b=07?=\r\n"], "ab", id="control characters go"),
        pytest.param("header:Subject:asText", [b" =?utf-8?q?u=CC=88?=\r\n"], "ü", id="NFC"),
        pytest.param("header:Subject:asText", [b" =?x-none?q?=C3=BC?=\r\n"], "ü", id="unknown character set"),
        pytest.param(
            "header:To:asAddresses",
            [
                b' " James Smythe" <james@example.com>, Friends:\r\n jane@example.com,'
                b" =?UTF-8?Q?John_Sm=C3=AEth?=\r\n <john@example.com>;\r\n"
            ],
            [
                {"name": "James Smythe", "email": "james@example.com"},
                {"name": None, "email": "jane@example.com"},
                {"name": "John Smîth", "email": "john@example.com"},
            ],
            id="the RFC's addresses",
        ),
        pytest.param(
            "header:To:asGroupedAddresses",
            [
                b' " James Smythe" <james@example.com>, Friends:\r\n jane@example.com,'
                b" =?UTF-8?Q?John_Sm=C3=AEth?=\r\n <john@example.com>;\r\n"
            ],
            [
                {"name": None, "addresses": [{"name": "James Smythe", "email": "james@example.com"}]},
                {
                    "name": "Friends",
                    "addresses": [
                        {"name": None, "email": "jane@example.com"},
                        {"name": "John Smîth", "email": "john@example.com"},
                    ],
                },
            ],
            id="the RFC's groups",
        ),
        pytest.param(
            "header:To:asGroupedAddresses",
            [b"a@x.example, g:;, b@x.example\r\n"],
            [
                {"name": None, "addresses": [{"name": None, "email": "a@x.example"}]},
                {"name": "g", "addresses": []},
                {"name": None, "addresses": [{"name": None, "email": "b@x.example"}]},
            ],
            id="before and behind a group",
        ),
        pytest.param(
            "header:From:asAddresses",
            [b" a@x.example (Ann)\r\n"],
            [{"name": "Ann", "email": "a@x.example"}],
            id="comment",
        ),
        pytest.param("header:To:asAddresses", [b" <bob>\r\n"], [{"name": None, "email": "bob"}], id="half an address"),
        pytest.param("header:To:asAddresses", [b" \r\n"], [], id="no address"),
        pytest.param(
            "header:References:asMessageIds", [b" <a@x>\r\n (c) <B@y >\r\n"], ["a@x", "B@y"], id="ids, comments"
        ),
        pytest.param("header:Message-ID:asMessageIds", [b" a@x\r\n"], ["a@x"], id="an id without brackets"),
        pytest.param("header:In-Reply-To:asMessageIds", [b" Your mail of today\r\n"], None, id="no id"),
        pytest.param(
            "header:Date:asDate", [b" Thu, 30 Oct 2014 14:12:00 +0800\r\n"], "2014-10-30T14:12:00+08:00", id="date"
        ),
        pytest.param("header:Date:asDate", [b" 30 Oct 2014 06:12 GMT\r\n"], "2014-10-30T06:12:00Z", id="UTC"),
        pytest.param("header:Date:asDate", [b" yesterday\r\n"], None, id="no date"),
        pytest.param(
            "header:List-Help:asURLs",
            [b" (hi) <ftp://ftp.example/a\r\n b.txt> (FTP), <mailto:list@x.example?subject=help>\r\n"],
            ["ftp://ftp.example/ab.txt", "mailto:list@x.example?subject=help"],
            id="URLs",
        ),
        pytest.param("header:List-Post:asURLs", [b" NO (posting not allowed)\r\n"], None, id="no URL"),
    ],
)
def test_forms(property, values, outcome):
    assert one(property, *values) == outcome


_ANN = "=?utf-8?q?=C3=84nn?="
_MISPLACED = [
    # RFC 2047 §5 (1): between white space.
    pytest.param("Subject:asText", f"a {_ANN} b", "a Änn b", "a Änn b", id="text"),
    pytest.param("Subject:asText", f"{_ANN}\r\n {_ANN}", "ÄnnÄnn", "ÄnnÄnn", id="space between words vanishes"),
    pytest.param("Subject:asText", f"a{_ANN}", f"a{_ANN}", "aÄnn", id="touches text before"),
    pytest.param("Subject:asText", f"{_ANN}: b", f"{_ANN}: b", "Änn: b", id="touches text behind"),
    pytest.param("Subject:asText", f"{_ANN}{_ANN}", f"{_ANN}{_ANN}", "ÄnnÄnn", id="touches another"),
    pytest.param("Subject:asText", f"({_ANN})", f"({_ANN})", "(Änn)", id="no comment in a text"),
    pytest.param("Subject:asText", "=?utf-8?q?a b?=", "=?utf-8?q?a b?=", "a b", id="space within"),
    pytest.param("Subject:asText", "=?utf-8*de?q?a?=", "a", "a", id="with a language"),
    pytest.param("X-Any:asText", f'"{_ANN}"', f'"{_ANN}"', '"Änn"', id="quotes of a text touch it, too"),
    pytest.param("X-Any:asText", f'" {_ANN} "', '" Änn "', '" Änn "', id="no quoted string in a text"),
    # Structured fields that may be had as texts.
    pytest.param("Keywords:asText", f'{_ANN} , " {_ANN} "', f'Änn , " {_ANN} "', 'Änn , " Änn "', id="quoted string"),
    pytest.param("List-Id:asText", f"{_ANN} <{_ANN}.x>", f"Änn <{_ANN}.x>", "Änn <Änn.x>", id="list"),
    pytest.param("List-Id:asText", f"({_ANN}) <a.x>", "(Änn) <a.x>", "(Änn) <a.x>", id="a comment ends at a word"),
    pytest.param("Content-Type:asText", f"a/b; name={_ANN}", f"a/b; name={_ANN}", "a/b; name=Änn", id="parameter"),
    pytest.param("Content-Type:asText", f"a/b ({_ANN} a)", "a/b (Änn a)", "a/b (Änn a)", id="comment of a parameter"),
    pytest.param(
        "Content-Disposition:asText",
        f'a; filename=" {_ANN} "',
        f'a; filename=" {_ANN} "',
        'a; filename=" Änn "',
        id="quoted parameter",
    ),
    # Names.
    pytest.param("To:asAddresses", f"{_ANN} <a@x>", ["Änn", "a@x"], ["Änn", "a@x"], id="name"),
    pytest.param("To:asAddresses", f"{_ANN} B {_ANN} <a@x>", ["Änn B Änn", "a@x"], ["Änn B Änn", "a@x"], id="names"),
    pytest.param("To:asAddresses", f'"{_ANN}" <a@x>', [_ANN, "a@x"], ["Änn", "a@x"], id="name in quotes"),
    pytest.param("To:asAddresses", f'"B {_ANN} C" <a@x>', [f"B {_ANN} C", "a@x"], ["B Änn C", "a@x"], id="in quotes"),
    pytest.param("To:asAddresses", f"{_ANN}<a@x>", [_ANN, "a@x"], ["Änn", "a@x"], id="touches a special"),
    pytest.param("To:asAddresses", f"a@x ({_ANN})", ["Änn", "a@x"], ["Änn", "a@x"], id="name in a comment"),
    pytest.param("To:asAddresses", f"a@x (b{_ANN})", [f"b{_ANN}", "a@x"], ["bÄnn", "a@x"], id="touches in a comment"),
    pytest.param("To:asAddresses", f"<{_ANN}@x>", [None, f"{_ANN}@x"], [None, f"{_ANN}@x"], id="in an addr-spec"),
]


@pytest.mark.parametrize(("property", "value", "strict", "lenient"), _MISPLACED)
def test_where_encoded_words_may_stand(property, value, strict, lenient):
    """RFC 8621 §4.1.2.2: those that violate placement or white space rules MUST NOT be decoded."""

    def shown(found):
        return [found[0]["name"], found[0]["email"]] if isinstance(found, list) else found

    octets = f" {value}\r\n".encode()
    assert shown(one(f"header:{property}", octets)) == strict
    assert shown(one(f"header:{property}", octets, lenient=True)) == lenient


def test_a_group_is_read_as_it_was_written():
    group = [{"name": "Änn", "addresses": [{"name": "Ö, b", "email": "a@x.example"}]}]
    lines = made("header:To:asGroupedAddresses", group)
    assert one("header:To:asGroupedAddresses", lines.partition(b":")[2]) == group


def made(property: str, value) -> bytes:
    found = parse_property(property)
    assert found is not None
    return b"".join(headerfields.lines_of(found, value))


@pytest.mark.parametrize(
    ("property", "value", "lines"),
    [
        pytest.param("header:X-A", " as it is", b"X-A: as it is\r\n", id="raw"),
        pytest.param("header:X-A", " a\n\tb", b"X-A: a\r\n\tb\r\n", id="raw folded"),
        pytest.param("header:Subject:asText", "grüße", b"Subject: =?utf-8?b?Z3LDvMOfZQ==?=\r\n", id="text"),
        pytest.param("header:Subject:asText", "a\r\nBcc: b@c", b"Subject: a  Bcc: b@c\r\n", id="no second field"),
        pytest.param(
            "header:To:asAddresses",
            [{"name": "Jö, A", "email": "a@x.example"}, {"name": None, "email": "b@ü.example"}],
            b"To: =?utf-8?b?SsO2LCBB?= <a@x.example>, b@xn--tda.example\r\n",
            id="addresses",
        ),
        pytest.param(
            "header:To:asAddresses",
            [{"email": "bob"}, {"email": "a b>@"}],
            b"To: <bob>, <a b @>\r\n",
            id="half addresses",
        ),
        pytest.param("header:To:asAddresses", [], b"", id="no addresses"),
        pytest.param(
            "header:To:asGroupedAddresses",
            [
                {"name": "g", "addresses": [{"email": "a@x.example"}]},
                {"name": None, "addresses": [{"email": "b@x.example"}]},
            ],
            b"To: g: a@x.example;, b@x.example\r\n",
            id="groups",
        ),
        pytest.param("header:References:asMessageIds", ["a@x", "b@y"], b"References: <a@x> <b@y>\r\n", id="ids"),
        pytest.param(
            "header:Date:asDate", "2014-10-30T14:12:00+08:00", b"Date: Thu, 30 Oct 2014 14:12:00 +0800\r\n", id="date"
        ),
        pytest.param("header:List-Post:asURLs", ["mailto:a@b"], b"List-Post: <mailto:a@b>\r\n", id="URLs"),
        pytest.param("header:X-A:all", [" 1", " 2"], b"X-A: 1\r\nX-A: 2\r\n", id="all"),
        pytest.param("header:X-A", None, b"", id="null"),
    ],
)
def test_written(property, value, lines):
    assert made(property, value) == lines


@pytest.mark.parametrize(
    ("property", "value"),
    [
        pytest.param("header:X-A", " a\r\nBcc: b@c", id="a raw field within"),
        pytest.param("header:X-A", " a\r\n \r\nbody", id="a raw line of spaces"),
        pytest.param("header:X-A", " a\rb", id="a lone return"),
        pytest.param("header:X-A", " a\0", id="NUL"),
        pytest.param("header:X-A", "a" * 1000, id="a long line"),
        pytest.param("header:X-A", 5, id="a number"),
        pytest.param("header:X-A:all", " a", id="not all"),
        pytest.param("header:From:asAddresses", [{"name": "a"}], id="no address"),
        pytest.param("header:From:asAddresses", "a@b.example", id="a text for addresses"),
        pytest.param("header:References:asMessageIds", ["<a@x>"], id="brackets"),
        pytest.param("header:References:asMessageIds", [""], id="an empty id"),
        pytest.param("header:Date:asDate", "2014-10-30T14:12:00", id="a date without zone"),
        pytest.param("header:Date:asDate", "yesterday", id="no date"),
        pytest.param("header:List-Post:asURLs", ["mailto:a b"], id="a URL with space"),
    ],
)
def test_refused(property, value):
    with pytest.raises(SetError):
        made(property, value)


_PIECES = ("=?", "?=", "utf-8?q?", "=C3=84", "a", "(", ")", '"', "\\", "<", ">", "@", ",", " ", "\r\n ", ":", ";")


@given(st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
@settings(deadline=None)
def test_nothing_but_the_marks_comes_and_goes(value):
    for kind in placement.Kind:
        found = placement.guarded(value.encode(), kind).decode()
        assert placement.unguarded(found) == value
        assert value.count("=?") >= found.count(placement.MARK)


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@given(
    st.lists(st.fixed_dictionaries({"name": _TEXT, "email": st.sampled_from(["a@x.example", "bob", "ü@x.example"])}))
)
@settings(deadline=None)
def test_addresses_are_read_as_they_were_written(value):
    lines = made("header:To:asAddresses", value)
    names = [" ".join(one["name"].split()) for one in value]
    if not value:
        assert lines == b""
        return
    found = one_of(lines)
    assert [one["email"] for one in found] == [one["email"] for one in value]
    assert len(found) == len(names)


def one_of(lines: bytes):
    return one("header:To:asAddresses", lines.partition(b":")[2])


@given(_TEXT)
@settings(deadline=None)
def test_texts_are_read_as_they_were_written(value):
    lines = made("header:Subject:asText", value)
    assert lines.count(b"\r\n") == lines.count(b"\n")
    read = one("header:Subject:asText", lines.partition(b":")[2])
    assert read.strip() == unicodedata.normalize("NFC", value).strip()
