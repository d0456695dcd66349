import pytest
from hypothesis import given, settings, strategies as st

from appliance.protocol.imap import mutf7
from appliance.protocol.imap.mutf7 import BadModifiedUtf7


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"Archive/2024", "Archive/2024", id="ASCII"),
        pytest.param(b"A&-B", "A&B", id="ampersand"),
        pytest.param(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語", id="RFC 3501 §5.1.3"),
        pytest.param(b"Entw&APw-rfe", "Entwürfe", id="umlaut"),
        pytest.param(b"&2D3eAA-", "\U0001f600", id="beyond the BMP"),
        pytest.param(b"&AAo-", "\n", id="control"),
        pytest.param(b"&AOQ-&-&AOQ-", "ä&ä", id="ampersand between shifts"),
    ],
)
def test_both_ways(octets, text):
    assert mutf7.decode(octets) == text
    assert mutf7.encode(text) == octets


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"a&", id="shift without end"),
        pytest.param(b"&Jjo", id="base64 without end"),
        pytest.param(b"&Jjo!", id="base64 ended by something else"),
        pytest.param(b"&AGEAYg-", id="ASCII in base64"),
        pytest.param(b"&U,BTFw-&ZeVnLIqe-", id="needless shift (RFC 3501 §5.1.3)"),
        pytest.param(b"&ACY-", id="ampersand in base64"),
        pytest.param(b"&2D0-", id="lone surrogate"),
        pytest.param(b"&AP-", id="half a character"),
        pytest.param(b"&APx-", id="bits left over"),
        pytest.param(b"&U/BTFw-", id="slash, not comma"),
        pytest.param(b"&A-", id="one octet of base64"),
        pytest.param("ü".encode(), id="UTF-8"),
        pytest.param(b"a\nb", id="control"),
        pytest.param(b"a\x7fb", id="DEL"),
    ],
)
def test_strict(octets):
    with pytest.raises(BadModifiedUtf7):
        mutf7.decode(octets)


@settings(max_examples=200)
@given(st.text())
def test_any_text_survives(text):
    octets = mutf7.encode(text)
    assert octets.isascii()
    assert mutf7.decode(octets) == text


@settings(max_examples=300)
@given(st.binary() | st.text(alphabet="&-AaBb,/Qw0 ", max_size=30).map(str.encode))
def test_one_form_for_each_text(octets):
    try:
        text = mutf7.decode(octets)
    except BadModifiedUtf7:
        return
    assert mutf7.encode(text) == octets
