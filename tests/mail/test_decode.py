import base64
import quopri

import pytest
from hypothesis import given, settings, strategies as st

from appliance.base.limits import SCAN
from appliance.mail import decode
from appliance.mail.scan import scan


@pytest.mark.parametrize(
    ("encoding", "encoded", "expected"),
    [
        pytest.param("7bit", b"a=41\r\n", b"a=41\r\n", id="as it is"),
        pytest.param("binary", b"\0\xff", b"\0\xff", id="binary"),
        pytest.param("base64", b"SGVsbG8=", b"Hello", id="base64"),
        pytest.param("base64", b"SGVs\r\nbG8=\r\n", b"Hello", id="lines"),
        pytest.param("base64", b"SGVsbG8", b"Hello", id="no padding"),
        pytest.param("base64", b"SGVs*!bG8=", b"Hello", id="stray octets"),
        pytest.param("base64", b"SGVsb", b"Hel", id="cut within an octet"),
        pytest.param("base64", b"", b"", id="empty base64"),
        pytest.param("base64", b"====", b"", id="padding alone"),
        pytest.param("quoted-printable", b"a=3Db=C3=BC", b"a=b\xc3\xbc", id="quoted-printable"),
        pytest.param("quoted-printable", b"a=c3=bc", b"a\xc3\xbc", id="lower case"),
        pytest.param("quoted-printable", b"long=\r\ner=\nst", b"longerst", id="soft line ends"),
        pytest.param("quoted-printable", b"a=zz=4", b"a=zz=4", id="no escapes"),
    ],
)
def test_decode_transfer(encoding: str, encoded: bytes, expected: bytes) -> None:
    assert decode.decode_transfer(encoded, encoding) == expected


def test_unknown_encoding() -> None:
    with pytest.raises(decode.UnknownEncoding):
        decode.decode_transfer(b"x", "x-zip")


@given(st.binary(max_size=400))
@settings(max_examples=60)
def test_round_trip(octets: bytes) -> None:
    assert decode.decode_transfer(base64.encodebytes(octets).replace(b"\n", b"\r\n"), "base64") == octets
    text = octets.replace(b"\r", b"").replace(b"\n", b"")
    assert decode.decode_transfer(quopri.encodestring(text, quotetabs=True), "quoted-printable") == text


@given(st.binary(max_size=200), st.sampled_from(["base64", "quoted-printable"]))
@settings(max_examples=100)
def test_anything(octets: bytes, encoding: str) -> None:
    assert len(decode.decode_transfer(octets, encoding)) <= len(octets)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"\r\nplain", "plain", id="plain"),
        pytest.param(b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xfc", "ü", id="charset"),
        pytest.param(b"Content-Type: text/plain; charset=klingon\r\n\r\na\xff", "a\ufffd", id="unknown charset"),
        pytest.param(b"Content-Transfer-Encoding: x-zip\r\n\r\nraw", "raw", id="unknown encoding"),
        pytest.param(b"\r\n\xc3\xbc", "ü", id="UTF-8 undeclared"),
    ],
)
def test_part_text(octets: bytes, expected: str) -> None:
    root = scan(octets, SCAN).root
    assert decode.part_text(root, octets[root.body : root.end]) == expected
