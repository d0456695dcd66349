"""Whatever strangers write into signatures, key records and chains: a result comes out, and nothing else."""

import base64

from hypothesis import given, settings, strategies as st

from appliance.msgauth.dkim import record, signature, tags
from appliance.msgauth.dkim.canonical import Canon
from appliance.msgauth.dkim.record import RecordError
from appliance.msgauth.dkim.tags import TagError
from msgauth import test_arc, test_dkim_verify
from support.dkimkeys import ed25519_key, published, rsa_key, signed

NAMES = st.sampled_from("v a b bh c d h i k l n p q s t x z cv".split())
VALUES = st.one_of(
    st.sampled_from(
        [
            *("1", "2", "DKIM1", "rsa-sha256", "ed25519-sha256", "rsa-sha1", "relaxed/relaxed", "simple", "a/b/c", "/"),
            *("example.org", "xn--a", "a..b", "-", "com", "Exämple.org", "x" * 300, "1.2.3.4", "0", "20240101"),
            *("from:to:subject", ":", "from", "@example.org", "a@mail.example.org", "=41=0", "=", "@", "%"),
            *("dns/txt", "dns", "9" * 80, "-1", "1800000000", "y:s", "email", "tlsrpt", "*", "none", "pass", "fail"),
            *("AAAA", "A", "====", base64.b64encode(bytes(31)).decode(), base64.b64encode(bytes(300)).decode()),
            *(published(rsa_key()), published(ed25519_key()), published(rsa_key())[:-9]),
        ]
    ),
    st.text(alphabet="abcXYZ019=+/:@.-_ \t\r\n%äß\x00", max_size=30),
)
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=14).map(
    lambda pairs: "; ".join(f"{name}={value}" for name, value in pairs)
)


@settings(max_examples=500)
@given(st.one_of(LISTS.map(str.encode), st.binary(max_size=200)))
def test_signatures(octets):
    try:
        values = tags.parse(octets)
    except TagError:
        return
    claims = signature.read_claims(values)
    assert len(claims.header_b) <= 12
    for parse in (signature.parse, signature.parse_common, signature.parse_seal):
        try:
            one = parse(values)
        except TagError:
            continue
        assert one.domain == claims.domain
        assert one.selector.isascii()


@settings(max_examples=500)
@given(st.one_of(LISTS, st.text(max_size=200), LISTS.map(lambda text: f"v=DKIM1; {text}")))
def test_records(text):
    assert isinstance(record.is_record(text), bool)
    try:
        found = record.parse(text)
    except RecordError:
        return
    assert found.key_bits >= 0
    assert record.choose((text, "other")).record == found or not record.is_record(text)


@settings(max_examples=200)
@given(st.binary(max_size=60), st.sampled_from(list(Canon)))
def test_emptied_signatures(octets, canon):
    emptied = signature.without_signature(b"DKIM-Signature: a=1; b=" + octets + b"\r\n", canon)
    assert not emptied.endswith(b"\r\n") or b";" in octets


CHAIN = test_arc.chain(3)
SIGNED = signed(test_dkim_verify.MESSAGE)


@settings(max_examples=150)
@given(data=st.data())
def test_mutated_headers(data):
    """Any octets anywhere in the header, for both kinds of verifying."""
    import trio

    for message, check in ((CHAIN, test_arc.check), (SIGNED, test_dkim_verify.check)):
        end = message.index(b"\r\n\r\n")
        start = data.draw(st.integers(0, end))
        length = data.draw(st.integers(0, 40))
        octets = data.draw(st.one_of(st.binary(max_size=12), LISTS.map(str.encode)))
        mutant = message[:start] + octets + message[min(end, start + length) :]
        if b"\r\n\r\n" in mutant:
            trio.run(check, mutant)
