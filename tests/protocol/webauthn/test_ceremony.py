"""The test vectors of Web Authentication Level 3, section 16, and what must not pass.

That of RS256 is without its attestation.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from appliance.protocol.webauthn import ceremony
from appliance.protocol.webauthn.ceremony import EDDSA, ES256, RS256, WebAuthnError
from support import authenticator

ORIGIN, HOST = "https://example.org", "example.org"


@dataclass(frozen=True)
class Vector:
    name: str
    challenge: bytes
    client_data: bytes
    attestation: bytes
    credential: bytes
    asked: bytes
    answered: bytes
    data: bytes
    signature: bytes


def _vectors() -> list[Vector]:
    found = json.loads((Path(__file__).parent / "vectors.json").read_text())
    return [
        Vector(**{key: text if key == "name" else bytes.fromhex(text) for key, text in one.items()}) for one in found
    ]


VECTORS = _vectors()
KINDS = {"none.ES256": ES256, "packed.RS256": RS256, "packed.EdDSA": EDDSA}


def verify(vector: Vector, **change: bytes) -> ceremony.Presence:
    new = ceremony.registration(vector.attestation, HOST)
    parts = {"data": vector.data, "client_data": vector.answered, "signature": vector.signature, **change}
    return ceremony.assertion(new.public_key, new.algorithm, relying_party=HOST, **parts)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one.name)
def test_vectors(vector):
    assert ceremony.challenge_of(vector.client_data, "webauthn.create", ORIGIN) == vector.challenge
    new = ceremony.registration(vector.attestation, HOST)
    assert (new.id, new.algorithm) == (vector.credential, KINDS[vector.name])
    assert ceremony.challenge_of(vector.answered, "webauthn.get", ORIGIN) == vector.asked
    presence = verify(vector)
    assert (presence.count, presence.verified) == (0, False)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one.name)
@pytest.mark.parametrize("part", ["data", "client_data", "signature"])
def test_any_octet_matters(vector, part):
    whole = {"data": vector.data, "client_data": vector.answered, "signature": vector.signature}[part]
    for at in {0, len(whole) // 2, len(whole) - 1}:
        wrong = bytearray(whole)
        wrong[at] ^= 0x20
        with pytest.raises(WebAuthnError):
            verify(vector, **{part: bytes(wrong)})


def test_a_key_is_of_its_algorithm():
    new = ceremony.registration(VECTORS[0].attestation, HOST)
    for algorithm in (EDDSA, RS256, 0):
        with pytest.raises(WebAuthnError, match="algorithm"):
            ceremony.assertion(
                new.public_key, algorithm, data=VECTORS[0].data, client_data=b"", signature=b"", relying_party=HOST
            )


P256 = {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (P256, "is not one"),
        ({**P256, -1: 2}, "not asked for"),
        ({**P256, -2: bytes(31)}, "another length"),
        ({**P256, -3: True}, "missing"),
        ({1: 1, 3: -8, -1: 6, -2: bytes(33)}, "another length"),
        ({1: 3, 3: -257, -1: b"\xff" * 128, -2: b"\1\0\1"}, "too short"),
        ({1: 3, 3: -257, -1: b"\xff" * 513, -2: b"\1\0\1"}, "too long"),
        ({1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\xff" * 255}, "too long"),
        ({1: 2, 3: -47}, "not asked for"),
        ([], "malformed"),
    ],
)
def test_keys_that_are_none(key, message):
    data = VECTORS[0].data[:32] + b"\x41" + bytes(4 + 16) + b"\0\1x" + authenticator.cbor(key)
    whole = authenticator.cbor({"fmt": "none", "attStmt": {}, "authData": data})
    with pytest.raises(WebAuthnError, match=message):
        ceremony.registration(whole, HOST)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[" * 4000,
        b"{}",
        b'{"type":1}',
        b'{"type":"webauthn.get","challenge":"","origin":"null"}',
        b"\xff",
        b"null",
    ],
)
def test_client_data_that_are_none(octets):
    with pytest.raises(WebAuthnError):
        ceremony.challenge_of(octets, "webauthn.get", ORIGIN)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_octets(octets, at):
    """Whatever comes is an error or a credential."""
    vector = VECTORS[0]
    spoiled = vector.attestation[: min(at, len(vector.attestation))] + octets
    for attempt in (octets, spoiled):
        try:
            ceremony.registration(attempt, HOST)
        except WebAuthnError:
            continue
        assert attempt.startswith(vector.attestation[:100])
    with pytest.raises(WebAuthnError):
        verify(replace(vector, data=vector.data[:37] + octets, signature=octets))
