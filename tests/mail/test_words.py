import codecs
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings, strategies as st

from appliance.mail import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(b"plain", "plain", id="plain"),
        pytest.param(b"=?utf-8?q?a_b=C3=A9?=", "a bé", id="Q"),
        pytest.param(b"=?UTF-8?B?w6k=?=", "é", id="B"),
        pytest.param(b"=?utf-8?b?w6k?=", "é", id="padding missing"),
        pytest.param(b"=?utf-8?b?w6k=w?=", "é", id="litter behind padding"),
        pytest.param(b"=?utf-8?b?w6k=w6k=?=", "éé", id="two pieces"),
        pytest.param(b"=?utf-8?b?w?=", "", id="one digit"),
        pytest.param(b"=?utf-8?b?!?=", "", id="no digits"),
        pytest.param(b"=?utf-8?q?=zz=?=", "=zz=", id="bad hex"),
        pytest.param(b"=?utf-8*en?q?x?=", "x", id="language"),
        pytest.param(b"=?utf-8?q?a b?=", "a b", id="space within"),
        pytest.param(b"=?utf-8?q?a?= =?utf-8?q?b?= c", "ab c", id="adjacent"),
        pytest.param(b"=?utf-8?q?a?=\r\n\t=?iso-8859-1?q?=E9?=", "aé", id="adjacent, folded, other set"),
        pytest.param(b"=?utf-8?q?=E2=9C?= =?utf-8?q?=93?=", "✓", id="character cut in two"),
        pytest.param(b"=?utf-8?q?=E2=9C?= x =?utf-8?q?=93?=", "\ufffd x \ufffd", id="text between"),
        pytest.param(b"x=?utf-8?q?y?=z", "xyz", id="touching"),
        pytest.param(b"=?gb2312?B?xOO6ww==?=", "你好", id="GB"),
        pytest.param(b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本", id="JIS"),
        pytest.param(b"=?windows-1252?q?=80?=", "€", id="windows"),
        pytest.param(b"=?iso-8859-1?q?=80?=", "€", id="latin1 is windows"),
        pytest.param(b"=?x-nothing?q?=FF?=", "\ufffd", id="unknown set"),
        pytest.param(b"=?zip?q?x?=", "x", id="codec that is no set"),
        pytest.param("é".encode(), "é", id="raw UTF-8"),
        pytest.param(b"\xe9", "\ufffd", id="raw latin1"),
        pytest.param(b"=?utf-8?x?y?=", "=?utf-8?x?y?=", id="no such encoding"),
        pytest.param(b"=?utf-8?q?y", "=?utf-8?q?y", id="never closed"),
        pytest.param(b"a\r\n b", "a b", id="unfolded"),
    ],
)
def test_decode(value, text):
    assert words.decode(value) == text


def test_codecs_exist():
    for codec in set(words._CHARSETS.values()):
        assert codecs.lookup(codec)._is_text_encoding
        b"a\xff\x00\x1b$".decode(codec, "replace")


@pytest.mark.parametrize(
    "charset",
    [
        "zip",
        "zlib",
        "base64",
        "hex",
        "rot13",
        "idna",
        "punycode",
        "unicode_escape",
        "raw-unicode-escape",
        "quopri",
        "uu",
        "bz2",
        "undefined",
        "mbcs",
        "oem",
        "os",
        "",
        "x" * 1000,
    ],
)
def test_no_charset(charset):
    assert words.codec_of(charset) is None
    assert words.charset_decode(b"e\xc3\xa9\xff", charset) == "eé\ufffd"


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("UTF-8", "utf_8"),
        ("utf8", "utf_8"),
        ("US-ASCII", "utf_8"),
        ("ANSI_X3.4-1968", "utf_8"),
        ("ISO_8859-1:1987", "cp1252"),
        ("latin1", "cp1252"),
        ("iso-8859-15", "iso8859_15"),
        ("ISO8859-2", "iso8859_2"),
        ("windows-1251", "cp1251"),
        ("cp-1250", "cp1250"),
        ("x-sjis", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("big5", "big5hkscs"),
        ("koi8-r", "koi8_r"),
        ('"utf-8"', "utf_8"),
    ],
)
def test_charset(charset, codec):
    assert words.codec_of(charset) == codec


@pytest.mark.parametrize(
    ("text", "utf8", "octets"),
    [
        ("plain text", False, b"plain text"),
        ("", False, b""),
        ("é", True, "é".encode()),
        ("naïve text", False, b"=?utf-8?q?na=C3=AFve_text?="),
        ("a=?b", False, b"=?utf-8?q?a=3D=3Fb?="),
        ("a=?b", True, b"=?utf-8?q?a=3D=3Fb?="),
        ("a\r\nBcc: x", False, b"a Bcc: x"),
        ("日本", False, b"=?utf-8?b?5pel5pys?="),
    ],
)
def test_encode(text, utf8, octets):
    assert words.encode(text, utf8=utf8) == octets


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x7f", exclude_categories=["Cc"]), max_size=200),
    st.booleans(),
)
def test_round_trip(text, utf8):
    encoded = words.encode(text, utf8=utf8)
    assert words.decode(encoded) == text
    if not utf8:
        assert encoded.isascii()
        assert str(make_header(decode_header(encoded.decode()))) == text
    if encoded.startswith(b"=?"):
        assert all(len(word) <= words.MAX_WORD_OCTETS for word in encoded.split(b" "))


def test_long_run_is_cut():
    encoded = words.encode("x" * 2000)
    assert max(map(len, encoded.split(b" "))) <= 75
    assert words.decode(encoded) == "x" * 2000


PIECES = [
    b"=?",
    b"?=",
    b"?q?",
    b"?b?",
    b"utf-8",
    b"iso-2022-jp",
    b"utf-7",
    b"=",
    b"*",
    b" ",
    b"\r\n",
    b"\xff",
    b"w6k",
    b"+AD",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join) | st.binary(max_size=60))
def test_any_octets(value):
    words.decode(value).encode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(sorted(set(words._CHARSETS))))
def test_any_charset(octets, charset):
    words.charset_decode(octets, charset)


@pytest.mark.parametrize(
    "piece", [b"=?", b"=?a?q?", b"=?utf-8?q?a?= ", b"=?utf-8?b?w6k=?=", b"=?a", b"?", b"=?x?q??=", b"=?utf-7?q?+?="]
)
def test_linear(piece, growth):
    growth(lambda size: words.decode(piece * size))


@pytest.mark.parametrize("text", ["é", "日", "x", "é x"])
def test_linear_encode(text, growth):
    growth(lambda size: words.encode(text * size))


def test_lone_surrogates_are_replaced():
    """They cannot be stored (found in a parameter `name*=utf-7''%2B2AA-`)."""
    assert words.charset_decode(b"+2AA-", "utf-7") == "?"
