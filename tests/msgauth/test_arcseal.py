"""Sealing: what comes out verifies here and with dkimpy, whatever the chain was until then (RFC 8617 §5.1)."""

import re

import dkim as dkimpy
import pytest
import trio
from hypothesis import given, settings, strategies as st

from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.authres import AuthResults, Method
from appliance.mail.domain import parse_domain
from appliance.mail.header import header_end
from appliance.msgauth import arc, arcseal
from appliance.msgauth.dkim.sign import CannotSign
from appliance.msgauth.results import ARCResult, AuthStatus
from msgauth import test_arc
from msgauth.test_dkim_sign import KEYS, config_of, selector
from support.dkimkeys import ed25519_key, published, rsa_key

OURS = parse_domain("example.org")
RESULTS = AuthResults("mx.example.org", (Method("spf", "pass"), Method("dmarc", "fail", "because (of)")))
PLAIN = test_arc.MESSAGE
#: Keys of ours, and of the sealers of `test_arc`.
RECORDS = {
    f"{selector}._domainkey.{domain}": {Type.TXT: [f"v=DKIM1; k={kind}; p={published(keys[selector])}"]}
    for domain, keys in [
        ("example.org", KEYS),
        *((name, {"rsa": rsa_key(), "ed": ed25519_key()}) for name in test_arc.SEALERS),
    ]
    for selector, kind in (("rsa", "rsa"), ("ed", "ed25519"))
}
RESOLVER = Resolver(Table(RECORDS))
SIGNING = selector("rsa") + selector("ed")


async def check(message: bytes) -> ARCResult:
    body = header_end(message)
    return await arc.verify(
        RESOLVER, message[:body], lambda start, end: message[start:end], len(message), now=test_arc.NOW
    )


async def sealed(
    config, message: bytes, *, chain: ARCResult | None = None, domain=OURS, now=test_arc.NOW - 10
) -> bytes:
    body = header_end(message)
    fields = await arcseal.seal(
        config,
        domain,
        message[:body],
        lambda start, end: message[start:end],
        body,
        len(message),
        results=RESULTS,
        chain=chain or await check(message),
        now=now,
    )
    return fields + message


@pytest.fixture(name="config", params=["rsa", "ed"])
def _config(request, tmp_path):
    return config_of(tmp_path, f'sign = ["{request.param}"]\n{SIGNING}')


@pytest.mark.parametrize("earlier", [0, 1, 2, 49])
async def test_the_chain_goes_on(config, earlier):
    result = await check(await sealed(config, test_arc.chain(earlier)))
    assert (result.status, result.text) == ("pass", "")
    assert len(result.sets) == earlier + 1
    last = result.sets[-1]
    assert (last.domain, last.instance, last.is_intact) == (OURS, earlier + 1, True)
    assert [(one.method, one.result) for one in last.results.methods] == [("spf", "pass"), ("dmarc", "fail")]
    assert result.oldest_pass == 0


async def test_others_go_on_from_ours(config):
    message = await sealed(config, await sealed(config, PLAIN))
    result = await check(test_arc.seal(message, 3))
    assert (result.status, len(result.sets)) == ("pass", 3)


async def test_fifty_sets_are_enough(config):
    message = test_arc.chain(50)
    assert await sealed(config, message) == message
    many = b"ARC-Seal: i=1\r\n" * 51 + PLAIN
    assert await sealed(config, many) == many


@pytest.mark.parametrize(
    ("message", "instance"),
    [
        pytest.param(test_arc.chain(2) + b"changed\r\n", 3, id="body changed"),
        pytest.param(b"ARC-Seal: i=4; cv=none\r\n" + PLAIN, 5, id="set is not whole"),
        pytest.param(b"ARC-Seal: nothing\r\n" + PLAIN, 1, id="no instance at all"),
    ],
)
async def test_a_broken_chain_is_marked_once(config, message, instance):
    """RFC 8617 §5.1.2: the seal is over its own set; whoever comes later adds nothing."""
    marked = await sealed(config, message)
    head = marked[: len(marked) - len(message)]
    assert head.startswith(b"ARC-Seal: i=%d; a=" % instance)
    assert b"cv=fail" in head
    alone = re.sub(rb"i=\d+;", b"i=1;", head)
    assert alone.count(b"i=1;") == 3
    assert (await check(marked)).status == "fail"
    assert await sealed(config, marked) == marked


async def test_the_seal_of_a_broken_chain_is_of_its_set_alone(config):
    """As if it were the only one: put alone on the message, it verifies but for what it says itself."""
    first = PLAIN
    failed = ARCResult(AuthStatus.FAIL)
    marked = await sealed(config, first, chain=failed)
    assert (await check(marked)).text == "seal 1 says that the chain was not valid there"
    with_junk = b"ARC-Seal: nothing\r\n" + first
    assert (await sealed(config, with_junk, chain=failed)).startswith(marked[: len(marked) - len(first)])


async def test_rsa_goes_first(tmp_path):
    config = config_of(tmp_path, 'sign = ["ed", "rsa"]\n' + SIGNING)
    assert (await sealed(config, PLAIN)).startswith(b"ARC-Seal: i=1; a=rsa-sha256; d=example.org; s=rsa;")


async def test_who_does_not_sign_does_not_seal(tmp_path):
    config = config_of(tmp_path, "sign = []")
    assert await sealed(config, PLAIN) == PLAIN
    assert await sealed(config, PLAIN, domain=parse_domain("other.example")) == PLAIN


async def test_without_from(config):
    with pytest.raises(CannotSign):
        await sealed(config, b"Subject: x\r\n\r\n")


async def test_dkimpy_believes_it(tmp_path):
    config = config_of(tmp_path, 'sign = ["rsa"]\n' + SIGNING)

    def lookup(name: bytes, timeout: int = 5):
        return str(RECORDS[name.decode().rstrip(".").lower()][Type.TXT][0]).encode()

    for earlier in (0, 1, 3):
        message = await sealed(config, test_arc.chain(earlier), now=1_750_000_000)
        cv, results, reason = dkimpy.arc_verify(message, dnsfunc=lookup)
        assert (cv, reason) == (dkimpy.CV_Pass, "success")
        assert len(results) == earlier + 1
        assert all(one["ams-valid"] and one["as-valid"] for one in results)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"From", b"To", b"subject", b"ReFerences", b"Received", b"DKIM-Signature", b"X-A"]),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        ),
        max_size=8,
    ),
    st.binary(max_size=200).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"\r\n")),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_sealed_verifies(tmp_path_factory, fields, body):
    config = _shared(tmp_path_factory)
    head = b"From: a@b.example\r\n" + b"".join(
        b"%b: %b\r\n" % (name, value.strip().encode()) for name, value in fields if value.strip()
    )
    message = head + b"\r\n" + body

    async def run() -> None:
        result = await check(await sealed(config, message))
        assert (result.status, result.text) == ("pass", "")

    trio.run(run)


_CONFIGS = {}


def _shared(factory):
    if not _CONFIGS:
        _CONFIGS[0] = config_of(factory.mktemp("seal"), 'sign = ["rsa"]\n' + SIGNING)
    return _CONFIGS[0]
