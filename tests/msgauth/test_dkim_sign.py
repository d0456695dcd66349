"""Signing as the configuration of From's domain says; what comes out verifies here and with dkimpy."""

import re
from types import SimpleNamespace

import dkim as dkimpy
import pytest

from appliance.config.source import ConfigSource
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.address import parse_address
from appliance.mail.header import header_end
from appliance.msgauth.dkim import sign, verify
from appliance.msgauth.dkim.sign import CannotSign
from appliance.msgauth.dkim.verify import Terms
from support import dkimkeys
from support.smtphouse import STATIC

NOW = 1_750_000_000.5
ALICE = "alice@example.org"
MESSAGE = (
    b"Received: by x; Fri, 15 Jan 2027 08:00:00 +0000\r\nFrom: Alice <alice@example.org>\r\nTo: bob@example.net\r\n"
    b"Subject: a  folded\r\n\tone\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\n\r\n Hello, \t you. \r\n\r\n\r\n"
)
KEYS = {"rsa": dkimkeys.rsa_key(2048), "ed": dkimkeys.ed25519_key()}
TABLE = Table(
    {
        f"{selector}._domainkey.{domain}": {
            Type.TXT: [f"v=DKIM1; k={kind}; p={dkimkeys.published(KEYS[name])}"],
        }
        for domain in ("example.org", "xn--bcher-kva.example")
        for selector, name, kind in (("rsa", "rsa", "rsa"), ("ed", "ed", "ed25519"), ("xn--s-bga", "ed", "ed25519"))
    }
)


def config_of(folder, dkim: str, domain="example.org"):
    """A configuration whose domain signs as given, with both keys."""
    (folder / "moxpy.toml").write_text(STATIC)
    for name, key in KEYS.items():
        (folder / f"{name}.pem").write_bytes(dkimkeys.pem(key))
    (folder / "domains.toml").write_text(
        f'[domains."{domain}"]\nlocalpart_catchall_separators = ["+"]\n[domains."{domain}".dkim]\n{dkim}\n'
        f'[accounts.alice]\ndomain = "{domain}"\n[accounts.alice.destinations."alice@{domain}"]\n'
    )
    return ConfigSource(folder / "moxpy.toml").snapshot()


def selector(name: str, more: str = "", domain="example.org", selector=None) -> str:
    return f'[domains."{domain}".dkim.selectors."{selector or name}"]\nprivate_key_file = "{name}.pem"\n{more}\n'


BOTH = 'sign = ["rsa", "ed"]\n' + selector("rsa") + selector("ed")
RELAXED = "canonicalization = { header_relaxed = true, body_relaxed = true }"


async def sign_message(config, octets=MESSAGE, sender=ALICE, **more) -> bytes:
    body = header_end(octets)
    return await sign.sign(
        config,
        parse_address(sender),
        octets[:body],
        lambda start, end: octets[start:end],
        body,
        len(octets),
        now=NOW,
        **more,
    )


async def statuses(octets: bytes, now=NOW) -> list[str]:
    body = header_end(octets)
    found = await verify.verify(
        Resolver(TABLE), octets[:body], lambda start, end: octets[start:end], len(octets), Terms(now=now)
    )
    return [f"{one.status} {one.text}".strip() for one in found]


def tags(field: bytes) -> dict[str, str]:
    value = re.sub(r"\r\n[ \t]", " ", field.decode()).partition(":")[2]
    pairs = (one.strip().partition("=") for one in value.split(";"))
    return {name: re.sub(r"\s", "", text) for name, _, text in pairs}


async def test_both_keys(tmp_path):
    config = config_of(tmp_path, BOTH)
    signatures = await sign_message(config)
    assert await statuses(signatures + MESSAGE) == ["pass", "pass"]
    first, second = re.split(rb"(?<=\r\n)(?=DKIM-Signature:)", signatures)
    found = tags(first)
    assert list(found) == ["v", "d", "s", "i", "a", "t", "h", "bh", "b"]
    assert found["d"] == "example.org"
    assert found["i"] == ALICE
    assert (found["s"], found["a"], found["t"]) == ("rsa", "rsa-sha256", "1750000000")
    assert tags(second)["a"] == "ed25519-sha256"
    assert found["h"] == (
        "From:From:To:To:Cc:Bcc:Reply-To:References:In-Reply-To:Subject:Subject:Date:Date:Message-Id:Content-Type"
    )
    assert all(len(line) <= 76 for line in signatures.split(b"\r\n"))
    assert signatures.endswith(b"\r\n")
    assert sign.sign_octets(config, parse_address(ALICE), MESSAGE, now=NOW) == signatures


@pytest.mark.parametrize("header", ["true", "false"])
@pytest.mark.parametrize("body", ["true", "false"])
@pytest.mark.parametrize("key", ["rsa", "ed"])
async def test_canonicalizations(tmp_path, header, body, key):
    more = f"canonicalization = {{ header_relaxed = {header}, body_relaxed = {body} }}"
    config = config_of(tmp_path, f'sign = ["{key}"]\n' + selector(key, more))
    for octets in (MESSAGE, MESSAGE[: header_end(MESSAGE)], MESSAGE + b"x" * 300_000 + b"\r\n"):
        signatures = await sign_message(config, octets)
        assert await statuses(signatures + octets) == ["pass"]
        if key == "rsa":
            text = TABLE.answer("rsa._domainkey.example.org", Type.TXT).records[0].encode()
            assert dkimpy.verify(signatures + octets, dnsfunc=lambda name, timeout=5, text=text: text)
    changed = MESSAGE.replace(b"a  folded\r\n\tone", b"a folded one")
    assert await statuses(await sign_message(config) + changed) == [
        "pass" if header == "true" else "fail signature does not match"
    ]
    changed = MESSAGE.replace(b"Hello, \t you. ", b"Hello, you.")
    assert await statuses(await sign_message(config) + changed) == [
        "pass" if body == "true" else "fail body has changed"
    ]


async def test_what_is_sealed(tmp_path):
    sealed = config_of(tmp_path, 'sign = ["ed"]\n' + selector("ed"))
    with_cc = MESSAGE.replace(b"To:", b"Cc: c@example.com\r\nTo:")
    assert await statuses(await sign_message(sealed) + with_cc) == ["fail signature does not match"]
    more = 'dont_seal_headers = true\nheaders = ["Subject", "from", "Cc", "subject"]\nexpiration = "1h"'
    open_ = config_of(tmp_path, 'sign = ["ed"]\n' + selector("ed", more))
    signatures = await sign_message(open_)
    assert tags(signatures)["h"] == "Subject:from"
    assert tags(signatures)["x"] == "1750003600"
    assert await statuses(signatures + with_cc) == ["pass"]
    assert await statuses(signatures + MESSAGE, now=NOW + 3600) == ["permerror signature has expired"]


async def test_sha1_where_somebody_insists(tmp_path):
    config = config_of(tmp_path, 'sign = ["rsa"]\n' + selector("rsa", 'hash = "sha1"'))
    signatures = await sign_message(config)
    assert tags(signatures)["a"] == "rsa-sha1"
    assert await statuses(signatures + MESSAGE) == ["policy SHA-1 is not accepted"]
    text = TABLE.answer("rsa._domainkey.example.org", Type.TXT).records[0].encode()
    assert dkimpy.verify(signatures + MESSAGE, dnsfunc=lambda name, timeout=5: text)


async def test_who_signs(tmp_path):
    config = config_of(tmp_path, selector("rsa"))
    assert await sign_message(config) == b""
    assert await sign_message(config, sender="a@elsewhere.example") == b""
    config = config_of(tmp_path, BOTH)
    message = MESSAGE.replace(b"alice@", b"Alice+list@")
    signatures = await sign_message(config, message, sender="Alice+list@example.org")
    assert tags(signatures)["i"] == ALICE
    for bad in (MESSAGE.replace(b"From:", b"X:"), b"From: x@example.org\r\n" + MESSAGE):
        with pytest.raises(CannotSign):
            await sign_message(config, bad)
    unread = ConfigSource(tmp_path / "moxpy.toml", check_files=False).snapshot()
    with pytest.raises(CannotSign, match="no key for selector rsa"):
        await sign_message(unread)


async def test_internationalised(tmp_path):
    domain = "bücher.example"
    dkim = 'sign = ["só"]\n'.replace("só", "sé") + selector("ed", domain=domain, selector="sé")
    config = config_of(tmp_path, dkim, domain)
    message = MESSAGE.replace(b"alice@example.org", "älice@bücher.example".encode())
    signatures = await sign_message(config, message, sender="älice@bücher.example", utf8=True)
    found = tags(signatures)
    assert (found["d"], found["i"], found["s"]) == ("bücher.example", "älice@bücher.example", "sé")
    assert await statuses(signatures + message) == ["pass"]
    message = MESSAGE.replace(b"alice@example.org", b"alice@xn--bcher-kva.example")
    signatures = await sign_message(config, message, sender="alice@xn--bcher-kva.example")
    found = tags(signatures)
    assert (found["d"], found["i"]) == ("xn--bcher-kva.example", "alice@xn--bcher-kva.example")
    assert signatures.isascii()
    assert await statuses(signatures + message) == ["pass"]


async def test_identities_that_need_quoting(tmp_path):
    config = config_of(tmp_path, 'sign = ["ed"]\n' + selector("ed"))
    message = MESSAGE.replace(b"alice@", b'"a;b = c"@')
    signatures = await sign_message(config, message, sender='"a;b = c"@example.org')
    assert b'i="a=3Bb=20=3D=20c"@example.org;' in signatures
    assert await statuses(signatures + message) == ["pass"]


async def test_a_key_that_cannot_sign(tmp_path):
    config = config_of(tmp_path, 'sign = ["ed"]\n' + selector("ed"))

    def broken(octets: bytes) -> bytes:
        raise ValueError("broken")

    config.derived.dkim_keys["example.org", "ed"] = SimpleNamespace(sign=broken)
    with pytest.raises(CannotSign, match="broken"):
        await sign_message(config)
