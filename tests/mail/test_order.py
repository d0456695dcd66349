"""What messages are sorted by: RFC 5256 §2 and §3, RFC 5957 §3, RFC 5051."""

import pytest

from appliance.base import limits
from appliance.mail import envelope, header, order, thread
from appliance.mail.collate import casemap


def keys_of(octets: bytes) -> order.Keys:
    fields = header.fields(octets, limits=limits.ENVELOPE.header)
    shown = envelope.envelope_of(octets, fields, limits.ENVELOPE.address)
    return order.keys(octets, fields, shown, thread.subject_base(shown.subject or b""))


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("Hello", "HELLO"),
        ("", ""),
        ("\u00c4nne", "A\u0308NNE"),
        ("a\u0308nne", "A\u0308NNE"),
        ("\u01c6", "Dz\u030c"),  # A digraph's title case.
        ("\u00df", "\u00df"),  # No single character is its title case.
        ("\ufb01", "fi"),
        ("\u2460", "1"),
        ("\ud55c", "\ud55c"),
        ("\u0130", "I\u0307"),
        ("\ud800x", "?X"),
    ],
)
def test_casemap(text, mapped):
    assert casemap(text) == mapped


@pytest.mark.parametrize(
    ("subject", "base", "is_response"),
    [
        (b"hello", "hello", False),
        (b"Re: hello", "hello", True),
        (b"RE[2]: hello", "hello", True),
        (b"re :hello", "hello", True),
        (b"Fw: FWD: re: hello", "hello", True),
        (b"[list] Re: [list] hello", "hello", True),
        (b"[a] [b] hello", "hello", False),
        (b"[a]", "[a]", False),
        (b"[a] [b]", "[b]", False),
        (b"hello (fwd)", "hello", True),
        (b"hello (fwd) (FWD)  ", "hello", True),
        (b"[fwd: hello]", "hello", True),
        (b"[Fwd: Re: hello (fwd)]", "hello", True),
        (b"[fwd: [fwd: hello]]", "hello", True),
        (b"Re: [fwd: hello] (fwd)", "hello", True),
        (b"  a \t b\r\n c ", "a b c", False),
        (b"Re:", "", True),
        (b"(fwd)", "", True),
        (b"", "", False),
        (b"Re: hello re: you", "hello re: you", True),
        (b"re hello", "re hello", False),
        (b"AW: hello", "aw: hello", False),  # RFC 5256 §7: translations are not known.
        (b"=?utf-8?q?Re:_h=C3=A9?=", "h\u00e9", True),
        (b"[a[b] hello", "[a[b] hello", False),
    ],
)
def test_base_subject(subject, base, is_response):
    """RFC 5256 §2.1."""
    assert thread.subject_base(subject) == (base, is_response)


@pytest.mark.parametrize(
    ("date", "utc"),
    [
        (b"31 Dec 2000 16:01:33 -0800", 978307293),  # The example of RFC 5256 §2.2.
        (b"Mon, 1 Jan 2001 00:01:33 +0000", 978307293),
        (b"Mon, 1 Jan 2001 00:01:33 +9999", 978307293),  # "If the time zone is invalid, UTC."
        (b"Mon, 1 Jan 2001 00:01:33", 978307293),
        (b"yesterday", None),
        (b"", None),
    ],
)
def test_sent(date, utc):
    assert keys_of(b"Date: " + date + b"\r\n\r\n").sent == utc


@pytest.mark.parametrize(
    ("value", "mailbox", "display"),
    [
        (b"bob@x.example", "BOB", "BOB@X.EXAMPLE"),
        (b"Bob B <b@x.example>, A <a@x.example>", "B", "BOB B"),
        (b'"" <b@x.example>', "B", "B@X.EXAMPLE"),
        (b'"Bob \\"B\\"" <b@x.example>', "B", 'BOB "B"'),
        (b"=?utf-8?q?=C3=84nne?= <b@x.example>", "B", "A\u0308NNE"),
        (b"team: a@x.example, b@x.example;", "TEAM", "TEAM"),
        (b"undisclosed-recipients:;", "UNDISCLOSED-RECIPIENTS", "UNDISCLOSED-RECIPIENTS"),
        (b"bob", "", ""),  # ENVELOPE has no address in it either.
        (b"", "", ""),
    ],
)
def test_addresses(value, mailbox, display):
    found = keys_of(b"From: %b\r\nTo: %b\r\nCc: %b\r\n\r\n" % (value, value, value))
    assert (found.from_, found.to, found.cc) == (mailbox, mailbox, mailbox)
    assert (found.display_from, found.display_to) == (display, display)


@pytest.mark.parametrize(
    ("fields", "like"),
    [
        (b"References: <a@x> <b@x>", [b"a@x", b"b@x"]),
        (b"References: <a@x>\r\nIn-Reply-To: <b@x>", [b"a@x"]),
        (b"References: nothing\r\nIn-Reply-To: <b@x> <c@x>", [b"b@x"]),
        (b"In-Reply-To: Your message <b@x>", [b"b@x"]),
        (b'References: <"a"@x>', [b"a@x"]),
        (b"Subject: x", []),
    ],
)
def test_references(fields, like):
    ids = [keys_of(b"Message-ID: <%b>\r\n\r\n" % one).message_id for one in like]
    assert keys_of(fields + b"\r\n\r\n").references == b"".join(ids)
    assert all(len(one) == order.DIGEST_OCTETS for one in ids)


def test_nothing():
    assert keys_of(b"\r\n") == order.Keys()


def test_keys_are_bounded():
    long = keys_of(b"Subject: %b\r\nFrom: %b <%b@x>\r\n\r\n" % (b"s" * 9000, b"n" * 9000, b"l" * 9000))
    assert max(map(len, (long.subject, long.from_, long.display_from))) == order.KEY_CHARACTERS
