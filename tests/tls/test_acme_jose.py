"""Signed requests of ACME and the keys that make them."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from appliance.tls.acme import jose
from support.acmeserver import decode, encode, verify

#: RFC 7515 appendix A.3.
EC_PRIVATE = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
EC_JWK = {
    "crv": "P-256",
    "kty": "EC",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
EC_KEY = ec.derive_private_key(int.from_bytes(decode(EC_PRIVATE), "big"), ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


def test_public_key():
    assert jose.public_jwk(EC_KEY) == EC_JWK
    assert list(jose.public_jwk(EC_KEY)) == sorted(EC_JWK)  # RFC 7638 §3.3: the digest is of this order.
    jwk = jose.public_jwk(RSA_KEY)
    assert (list(jwk), jwk["e"], len(decode(jwk["n"]))) == (["e", "kty", "n"], "AQAB", 256)


@pytest.mark.parametrize("octets", [b"", b"\0", b"\xff\xfe\xfd", b"\x14\xfb\x9c\x03\xd9\x7e"])
def test_base64url(octets):
    assert jose.encode(octets) == encode(octets)
    assert not set(jose.encode(octets)) & set("+/=")


@pytest.mark.parametrize("key", [EC_KEY, RSA_KEY], ids=["ES256", "RS256"])
@pytest.mark.parametrize("account", ["", "https://acme.test/account/1"])
def test_request(key, account):
    message = json.loads(jose.signed(key, {"a": "\u00e4"}, url="https://acme.test/x", nonce="n", account=account))
    header = json.loads(decode(message["protected"]))
    algorithm = header.pop("alg")
    who = {"kid": account} if account else {"jwk": jose.public_jwk(key)}
    assert header == {**who, "nonce": "n", "url": "https://acme.test/x"}
    assert json.loads(decode(message["payload"])) == {"a": "\u00e4"}
    octets = f"{message['protected']}.{message['payload']}".encode()
    verify(jose.public_jwk(key), algorithm, octets, decode(message["signature"]))


def test_post_as_get_has_an_empty_payload():
    assert json.loads(jose.signed(EC_KEY, None, url="https://a.test/", nonce="n", account="x"))["payload"] == ""


@pytest.mark.parametrize(("key", "fit"), [
    pytest.param(EC_KEY, True, id="P-256"),
    pytest.param(RSA_KEY, True, id="RSA 2048"),
    pytest.param(ec.generate_private_key(ec.SECP384R1()), False, id="P-384"),
    pytest.param(rsa.generate_private_key(65537, 1024), False, id="RSA 1024"),
    pytest.param(None, False, id="none"),
])  # fmt: skip
def test_fit_for_accounts(key, fit):
    assert jose.is_fit(key) is fit
