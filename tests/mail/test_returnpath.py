"""Sender addresses of forwarded mail: short, stable for a day, in any case, and nothing else is taken for one."""

import re

import pytest
from hypothesis import given, strategies as st

from appliance.mail import returnpath
from appliance.mail.address import MAX_LOCALPART_OCTETS, Path, parse_path
from appliance.mail.domain import parse_domain

SECRET = b"s" * 32
A, B = "alice@a.example", "b" * 64 + "@" + "x." * 90 + "example"
NOON = 20_000 * returnpath.DAY_SECONDS + 43_200


@given(st.binary(min_size=1), st.text(), st.text(), st.integers(0, 2**40))
def test_fits_and_is_read_back(secret, domain, returns_to, now):
    made = returnpath.localpart(secret, domain, returns_to, now)
    assert len(made.encode()) <= MAX_LOCALPART_OCTETS
    assert returnpath.read(made) == made == returnpath.read(made.upper())
    path = parse_path(b"<" + Path(made, parse_domain("a.example")).ascii.encode() + b">", smtputf8=False)
    assert returnpath.read(path.localpart) == made
    # Nothing needs quoting, not even in the addresses that other forwarders make of it.
    assert re.fullmatch(r"srs=[a-z2-7]{32}", made)


@given(st.text())
def test_whatever_is_read_is_one(text):
    found = returnpath.read(text)
    assert found in {"", text.lower()}
    assert not found or re.fullmatch(r"srs=[a-z2-7]{32}", found)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param((SECRET, "x.example", A, NOON), True, id="again"),
        pytest.param((SECRET, "x.example", A, NOON + 43_199), True, id="later that day"),
        pytest.param((SECRET, "x.example", A, NOON + 43_200), False, id="the next day"),
        pytest.param((SECRET, "y.example", A, NOON), False, id="other domain"),
        pytest.param((SECRET, "x.example", B, NOON), False, id="other sender"),
        pytest.param((b"t" * 32, "x.example", A, NOON), False, id="other house"),
    ],
)
def test_what_it_depends_on(other, same):
    assert (returnpath.localpart(SECRET, "x.example", A, NOON) == returnpath.localpart(*other)) is same


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("srs=" + "a" * 31, id="short"),
        pytest.param("srs=" + "a" * 33, id="long"),
        pytest.param("srs=" + "a" * 31 + "1", id="not base32"),
        pytest.param("srs=" + "a" * 31 + "ſ", id="folds to ASCII"),
        pytest.param("xsrs=" + "a" * 32, id="something before"),
        pytest.param("srs=" + "a" * 32 + "\n", id="line end"),
        pytest.param("SRS0=HHH=TT=b.example=bob", id="of others"),
    ],
)
def test_others(text):
    assert returnpath.read(text) == ""
