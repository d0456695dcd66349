"""Tokens in the subject: whose, until when, and nobody else's."""

import base64

import pytest
from hypothesis import given, strategies as st

from appliance.mail.address import Address
from appliance.mail.domain import parse_domain
from appliance.msgauth.subjectpass import Outcome, generate, verify

KEY, NOW, PERIOD = b"0123456789abcdef", 1_700_000_000, 12 * 3600
BOB = Address("bob", parse_domain("example.org"))
TOKEN = generate(KEY, BOB, NOW)


def test_form() -> None:
    octets = base64.urlsafe_b64decode(TOKEN.removeprefix("(pass:").removesuffix(")") + "==")
    assert len(octets) == 16
    assert int.from_bytes(octets[:4], "big") == NOW >> 8


@pytest.mark.parametrize(
    ("subject", "sender", "key", "later", "outcome"),
    [
        pytest.param(f"Hello {TOKEN}", BOB, KEY, 60, Outcome.VALID, id="valid"),
        pytest.param(f"Re: {TOKEN} Hello (pass:x)", BOB, KEY, 60, Outcome.VALID, id="among other words"),
        pytest.param("Hello", BOB, KEY, 60, Outcome.ABSENT, id="absent"),
        pytest.param("(pass:)", BOB, KEY, 60, Outcome.ABSENT, id="empty"),
        pytest.param("(pass:abc)", BOB, KEY, 60, Outcome.MALFORMED, id="short"),
        pytest.param(f"{TOKEN[:-1]}AA)", BOB, KEY, 60, Outcome.MALFORMED, id="long"),
        pytest.param("(pass:" + "EAAAAAAAAAAAAAAAAAAAAA" + ")", BOB, KEY, 60, Outcome.MALFORMED, id="version 1"),
        pytest.param(TOKEN, Address("eve", BOB.domain), KEY, 60, Outcome.WRONG, id="another sender"),
        pytest.param(TOKEN, BOB, b"another key 1234", 60, Outcome.WRONG, id="another key"),
        pytest.param(TOKEN, BOB, KEY, PERIOD, Outcome.VALID, id="at its end"),
        pytest.param(TOKEN, BOB, KEY, PERIOD + 600, Outcome.EXPIRED, id="expired"),
        pytest.param(TOKEN, BOB, KEY, -200, Outcome.VALID, id="a clock a bit behind"),
        pytest.param(TOKEN, BOB, KEY, -3600, Outcome.EXPIRED, id="from the future"),
    ],
)
def test_verify(subject: str, sender: Address, key: bytes, later: int, outcome: Outcome) -> None:
    assert verify(key, sender, subject, NOW + later, PERIOD) is outcome


def test_spelling_of_the_domain_does_not_matter() -> None:
    token = generate(KEY, Address("bob", parse_domain("bücher.example")), NOW)
    assert verify(KEY, Address("bob", parse_domain("xn--bcher-kva.example")), token, NOW, PERIOD) is Outcome.VALID


@given(st.text(alphabet="(pas:)ABZaz09_-", max_size=300))
def test_any_subject(subject: str) -> None:
    assert verify(KEY, BOB, f"(pass:{subject}", NOW, PERIOD) is not Outcome.VALID
