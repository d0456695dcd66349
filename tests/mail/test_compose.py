import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import compose
from appliance.mail.address import Address, AddressError, AddressLimits, parse_address, parse_list
from appliance.mail.domain import parse_domain

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def value_of(entity, name):
    return next(field for field in entity.fields if field.lower().startswith(name.lower() + b":"))[
        len(name) + 1 :
    ].strip()


@pytest.mark.parametrize(
    ("text", "eight_bit", "encoding", "charset", "body"),
    [
        pytest.param("a\nb\r\nc\rd\n", False, b"7bit", b"us-ascii", b"a\r\nb\r\nc\r\nd\r\n", id="7bit"),
        pytest.param("é\n", True, b"8bit", b"utf-8", "é\r\n".encode(), id="8bit"),
        pytest.param("é=\n", False, b"quoted-printable", b"utf-8", b"=C3=A9=3D\r\n", id="quoted-printable"),
        pytest.param("a\0", True, b"quoted-printable", b"us-ascii", b"a=00", id="NUL"),
        pytest.param("x" * 998 + "\n", True, b"7bit", b"us-ascii", b"x" * 998 + b"\r\n", id="longest line"),
        pytest.param("", False, b"7bit", b"us-ascii", b"", id="empty"),
    ],
)
def test_text(text, eight_bit, encoding, charset, body):
    entity = compose.text(text, eight_bit=eight_bit)
    assert value_of(entity, b"Content-Transfer-Encoding") == encoding
    assert value_of(entity, b"Content-Type") == b"text/plain; charset=" + charset
    assert entity.body == body


@pytest.mark.parametrize("tail", ["", "\n", "\nb"])
def test_long_line(tail):
    entity = compose.text("x" * 999 + tail, eight_bit=True)
    assert value_of(entity, b"Content-Transfer-Encoding") == b"quoted-printable"
    assert max(map(len, entity.body.splitlines())) <= 76


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "\n", "\r\n", "\r", " ", "é", "=", "x" * 30, "x" * 1100, "😀" * 20]), max_size=30)
)
def test_slices_change_nothing(words):
    text = "".join(words)
    whole = compose.text(text, eight_bit=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "_SLICE_CHARACTERS", 50)
        # Lines that are cut must be so long that they are encoded.
        patch.setattr(compose, "_LONG_LINE", compose.re.compile(rb"[^\r\n]{50}"))
        sliced = compose.text(text, eight_bit=True)
    for entity in (whole, sliced):
        lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
        assert email.message_from_bytes(entity.octets).get_payload(decode=True) == lines
        assert all(len(line) <= 998 for line in entity.body.split(b"\r\n"))


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("a é=.\t\n\r\0😀") | st.characters(codec="utf-8"), max_size=200), st.booleans())
def test_text_round_trip(text, eight_bit):
    entity = compose.text(text, eight_bit=eight_bit)
    parsed = email.message_from_bytes(entity.octets)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
    assert parsed.get_payload(decode=True) == lines
    # CR and LF stand together or not at all.
    assert entity.body.count(b"\r") == entity.body.count(b"\n") == entity.body.count(b"\r\n")
    assert eight_bit or entity.body.isascii()


@pytest.mark.parametrize(
    ("name", "utf8", "octets"),
    [
        pytest.param("", False, b"a@xn--tda.example", id="no name"),
        pytest.param("A B", False, b"A B <a@xn--tda.example>", id="atoms"),
        pytest.param("A. B", False, b'"A. B" <a@xn--tda.example>', id="quoted"),
        pytest.param('"\\', False, b'"\\"\\\\" <a@xn--tda.example>', id="quoted pairs"),
        pytest.param("J\u00e9", False, b"=?utf-8?b?SsOp?= <a@xn--tda.example>", id="encoded"),
        pytest.param("J\u00e9", True, '"Jé" <a@ü.example>'.encode(), id="UTF-8"),
        pytest.param("a\r\nBcc: x", False, b'"a Bcc: x" <a@xn--tda.example>', id="line end"),
    ],
)
def test_format_address(name, utf8, octets):
    assert compose.format_address(name, parse_address("a@ü.example"), utf8=utf8) == octets


def test_localpart_needs_utf8():
    eai = Address("é", parse_domain("b.example"))
    assert compose.address_field(b"To", [("", eai)], utf8=True) == "To: é@b.example\r\n".encode()
    with pytest.raises(AddressError) as caught:
        compose.address_field(b"To", [("", eai)])
    assert caught.value.lacks_smtputf8


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]) | st.just(" "), max_size=40
).map(str.strip)
addresses = st.sampled_from(["a@b.example", '"x y"@b.example', "a.b+c@d.example"]).map(parse_address)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(names, addresses), min_size=1, max_size=6), st.booleans())
def test_address_round_trip(pairs, utf8):
    field = compose.address_field(b"To", pairs, utf8=utf8)
    assert all(len(line) <= 76 or line.count(b" ") <= 1 or b'"' in line for line in field.splitlines())
    entries = parse_list(field[3:], AddressLimits(addresses=99, octets=10_000))
    found = [(entry.name, f"{entry.addr_spec}") for entry in entries]
    assert found == [(name if "=?" in name else " ".join(name.split(" ")), address.ascii) for name, address in pairs]


def test_message_id():
    domain = parse_domain("ü.example")
    assert compose.message_id(bytes(16), domain) == "<" + "A" * 22 + "@xn--tda.example>"
    assert compose.message_id(b"\xff" * 16, domain, utf8=True) == "<" + "_" * 21 + "w@ü.example>"


def whole(max_octets=100_000):
    parts = [
        compose.text("héllo\n"),
        compose.attachment(
            bytes(range(256)) * 2, "application/pdf", filename="Über 100% \u2713 of it; really, a long one.pdf"
        ),
        compose.with_field(compose.embedded(b"Subject: x\n\ny\n", "message/rfc822"), b"Content-Description: y\r\n"),
    ]
    body = compose.multipart("mixed", parts, boundary="b0", parameters=(("x", "y z"),))
    fields = [
        compose.address_field(b"From", [("Jörg, x", parse_address("a@b.example"))]),
        compose.text_field(b"Subject", "hé  " * 40 + "."),
        compose.date_field(WHEN),
    ]
    return compose.message(fields, body, max_octets=max_octets)


def test_message():
    octets = whole()
    assert octets.isascii()
    assert max(map(len, octets.splitlines())) <= 76
    assert octets.count(b"\n") == octets.count(b"\r\n")
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    assert not parsed.defects
    assert str(parsed["subject"]) == "hé  " * 40 + "."
    assert parsed["from"].addresses[0].display_name == "Jörg, x"
    assert parsed["date"].datetime == WHEN
    text, attachment, embedded = parsed.iter_parts()
    assert text.get_content() == "héllo\r\n"
    assert attachment.get_content() == bytes(range(256)) * 2
    assert attachment.get_filename() == "Über 100% \u2713 of it; really, a long one.pdf"
    assert embedded.get_content()["subject"] == "x"


def test_too_large():
    size = len(whole())
    assert len(whole(size)) == size
    with pytest.raises(compose.TooLarge):
        whole(size - 1)


def test_boundary_in_part():
    with pytest.raises(ValueError):
        compose.multipart("mixed", [compose.text("--b0\n")], boundary="b0")


def test_multipart_of_eight_bits():
    entity = compose.multipart("mixed", [compose.text("é", eight_bit=True)], boundary="b0")
    assert value_of(entity, b"Content-Transfer-Encoding") == b"8bit"
