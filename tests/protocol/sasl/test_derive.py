import base64
import hashlib
import hmac
import math

import pytest
from hypothesis import given, settings, strategies as st

from appliance.protocol.sasl import derive


def test_constants_are_those_of_rfc_1321():
    assert tuple(int(2**32 * abs(math.sin(n))) for n in range(1, 65)) == derive._CONSTANTS


@settings(max_examples=40, deadline=None)
@given(password=st.binary(max_size=130), challenge=st.binary(max_size=200))
def test_cram_md5_is_hmac_md5(password, challenge):
    inner, outer = derive.cram_md5(password)
    expected = hmac.new(password, challenge, "md5").digest()
    assert derive.cram_md5_digest(inner, outer, challenge) == expected


def test_cram_md5_example_of_rfc_2195():
    inner, outer = derive.cram_md5(b"tanstaaftanstaaf")
    digest = derive.cram_md5_digest(inner, outer, b"<1896.697170952@postoffice.reston.mci.net>")
    assert digest.hex() == "b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize(
    ("algorithm", "salt", "client_nonce", "server_nonce", "proof"),
    [
        pytest.param(
            "sha1",
            "QSXCR+Q6sek8bf92",
            "fyko+d2lbbFgONRv9qkxdawL",
            "fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            id="RFC 5802 §5",
        ),
        pytest.param(
            "sha256",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "rOprNGfwEbeRWgbNEkqO",
            "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            id="RFC 7677 §3",
        ),
    ],
)
def test_scram(algorithm, salt, client_nonce, server_nonce, proof):
    stored_key, _ = derive.scram(algorithm, b"pencil", base64.b64decode(salt), 4096)
    message = f"n=user,r={client_nonce},r={server_nonce},s={salt},i=4096,c=biws,r={server_nonce}"
    signature = hmac.digest(stored_key, message.encode(), algorithm)
    client_key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
    assert hashlib.new(algorithm, client_key).digest() == stored_key
