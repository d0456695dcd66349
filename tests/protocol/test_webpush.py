"""Encrypted messages for push services (RFC 8291)."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from appliance.protocol import webpush

KEY = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_vector():
    """RFC 8291 §5"""
    private = ec.derive_private_key(int.from_bytes(octets(PRIVATE), "big"), ec.SECP256R1())
    salt = octets(SEALED)[:16]
    plain = b"When I grow up, I want to be a watermelon"
    sealed = webpush.encrypt(
        plain, key=webpush.parse_key(KEY), auth=webpush.parse_auth(AUTH), salt=salt, private=private
    )
    assert sealed == octets(SEALED)
    with pytest.raises(ValueError, match="at most"):
        webpush.encrypt(
            bytes(5000), key=webpush.parse_key(KEY), auth=webpush.parse_auth(AUTH), salt=salt, private=private
        )


def test_what_every_push_service_takes():
    """RFC 8030 §7.2: 4096 octets; RFC 8291 §4: of them 3993 are the message's own."""
    assert webpush.MOST_OCTETS == 3993
    sealed = webpush.encrypt(
        bytes(webpush.MOST_OCTETS),
        key=webpush.parse_key(KEY),
        auth=webpush.parse_auth(AUTH),
        salt=bytes(16),
        private=webpush.application_key(bytes(48)),
    )
    assert len(sealed) == 4096


@pytest.mark.parametrize("text", ["", "x", KEY[:-1], KEY + "AAAA", "B" + "A" * 86, KEY.replace("_", "/"), "é" * 87])
def test_bad_keys(text):
    with pytest.raises(ValueError, match=r".*"):
        webpush.parse_key(text)


@pytest.mark.parametrize("text", ["", AUTH[:-2], AUTH + "AA", "!" * 22])
def test_bad_auth(text):
    with pytest.raises(ValueError, match=r".*"):
        webpush.parse_auth(text)


def test_who_sends():
    """RFC 8292 §2, §3: a token that the key beside it has signed."""
    key = webpush.application_key(bytes(range(48)))
    field = webpush.authorization(
        key, origin="https://push.example", contact="mailto:a@b.example", expires=1_800_000_000
    )
    scheme, token, public = field.replace(",", " ").split(" ")
    header, claims, signature = token.removeprefix("t=").split(".")
    assert scheme == "vapid"
    assert json.loads(octets(header)) == {"typ": "JWT", "alg": "ES256"}
    assert json.loads(octets(claims)) == {
        "aud": "https://push.example",
        "exp": 1_800_000_000,
        "sub": "mailto:a@b.example",
    }
    assert public == f"k={webpush.public_text(key)}"
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), octets(public.removeprefix("k=")))
    both = octets(signature)
    assert len(both) == 64
    whole = encode_dss_signature(int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big"))
    point.verify(whole, f"{header}.{claims}".encode(), ec.ECDSA(SHA256()))


@pytest.mark.parametrize("secret", [bytes(48), b"\xff" * 48, (webpush._ORDER - 1).to_bytes(48, "big"), b"\x01" * 48])
def test_any_secret_is_a_key(secret):
    assert webpush.parse_key(webpush.public_text(webpush.application_key(secret)))
