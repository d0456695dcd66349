"""CBOR as authenticators write it, and all that is none."""

import pytest
from hypothesis import given, strategies as st

from appliance.protocol.webauthn import cbor
from appliance.protocol.webauthn.cbor import CBORError
from support import authenticator

_KEYS = st.integers(-(2**63), 2**63) | st.text(max_size=5)
_LEAVES = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=40) | st.booleans() | st.none()
_INNER = _LEAVES | st.lists(_LEAVES, max_size=5)
VALUES = _INNER | st.lists(_INNER, max_size=5) | st.dictionaries(_KEYS, _INNER, max_size=5)


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1bffffffffffffffff", 18446744073709551615),
        ("20", -1),
        ("3903e7", -1000),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("40", b""),
        ("4401020304", b"\1\2\3\4"),
        ("60", ""),
        ("62c3bc", "\u00fc"),
        ("80", []),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a201020304", {1: 2, 3: 4}),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ],
)
def test_vectors(octets, value):
    """RFC 8949 appendix A."""
    assert cbor.decode(bytes.fromhex(octets)) == value
    assert authenticator.cbor(value) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    "octets",
    [
        *("", "18", "41", "62c3", "62ffff", "1c", "1f", "5f41004100ff", "9f00ff", "bf0000ff", "c000", "f7", "f93c00"),
        *("0000", "a1f400", "a18000", "a2010201ff", "a201020103", "5bffffffffffffffff", "9bffffffffffffffff", "ff"),
        "81" * 7 + "00",
        "98ff" + "00" * 255,
        "8a" + ("98" + "0f" + "00" * 15) * 10,
    ],
)
def test_what_is_none(octets):
    with pytest.raises(CBORError):
        cbor.decode(bytes.fromhex(octets))


@given(VALUES)
def test_what_is_written_is_read(value):
    assert cbor.decode(authenticator.cbor(value)) == value


@given(st.binary(max_size=200))
def test_any_octets(octets):
    try:
        value, end = cbor.decode_first(octets)
    except CBORError:
        return
    assert end <= len(octets), value
