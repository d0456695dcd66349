"""Verifying signatures: what makes each status, the examples of the RFCs, hostile ones."""

import base64
import hashlib
import random
import re

import dkim as dkimpy
import pytest
import trio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.header import header_end
from appliance.msgauth.dkim import signature, tags, verify
from appliance.msgauth.dkim.canonical import Canon
from appliance.msgauth.dkim.signature import without_signature
from appliance.msgauth.dkim.verify import Terms
from support import dkimkeys
from support.dkimkeys import published, rsa_key, signed, usual_records

NOW = 1_800_000_000
MESSAGE = (
    b"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: Dinner?\r\n"
    b"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n\r\nHello.\r\n"
)
RSA = f"v=DKIM1; k=rsa; p={published(rsa_key())}"
P = f"p={published(rsa_key())}"


async def check(message: bytes, table: Table | None = None, **terms):
    body = header_end(message)
    resolver = Resolver(table or usual_records())
    return await verify.verify(
        resolver, message[:body], lambda start, end: message[start:end], len(message), Terms(now=NOW, **terms)
    )


async def only(message: bytes, table: Table | None = None, **terms):
    (one,) = await check(message, table, **terms)
    return one


RFC8463 = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
"""
FIELDS = """\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.{gap}Are you hungry yet?

Joe.
"""
RFC6376 = """\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
"""
EXAMPLES = Table(
    {
        "brisbane._domainkey.football.example.com": {
            Type.TXT: ["v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]
        },
        "test._domainkey.football.example.com": {
            Type.TXT: [
                "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
                "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
                "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
                "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
            ]
        },
        "brisbane._domainkey.example.com": {
            Type.TXT: [
                "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFC"
                "jxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"
                "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
            ]
        },
    }
)


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


async def test_example_of_rfc_8463():
    message = crlf(RFC8463 + FIELDS.format(gap="  "))
    ed, of_rsa = await check(message, EXAMPLES)
    assert (ed.status, ed.algorithm, ed.key_bits, ed.header_b) == ("pass", "ed25519-sha256", 0, "/gCrinpcQOoI")
    assert (of_rsa.status, of_rsa.algorithm, of_rsa.key_bits, of_rsa.selector) == ("pass", "rsa-sha256", 1024, "test")
    assert ed.identity == "@football.example.com"
    for changed in (
        message.replace(b"ready", b"Ready"),
        message.replace(b"Joe.", b"Jo."),
        message.replace(b"/g", b"/h"),
    ):
        assert "pass" not in [one.status for one in await check(changed, EXAMPLES) if one.algorithm.startswith("ed")]


async def test_example_of_rfc_6376():
    """As it was before the RFC was typeset (RFC 6376 errata 3192 and 4926)."""
    message = crlf(RFC6376 + FIELDS.format(gap=" "))
    one = await only(message, EXAMPLES)
    assert (one.status, one.domain.ascii, one.identity) == ("pass", "example.com", "joe@football.example.com")
    assert (await only(message.replace(b"SUBMISSION;\r\n      ", b"SUBMISSION;\r\n     "), EXAMPLES)).status == "fail"
    assert (await only(message.replace(b"game. Are", b"game.  Are"), EXAMPLES)).text == "body has changed"


async def test_no_signature():
    assert await check(MESSAGE) == ()


async def test_passes():
    message = signed(MESSAGE)
    one = await only(message)
    assert (one.status, one.text, one.selector, one.algorithm) == ("pass", "", "rsa", "rsa-sha256")
    assert one.domain.ascii == "example.org"
    assert one.key_bits == 1024
    assert one.authentic
    assert one.services == ("*",)
    both = signed(message, key=dkimkeys.ed25519_key())
    assert [one.status for one in await check(both)] == ["pass", "pass"]


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        # Row by row what RFC 6376 §6.1.1 asks.
        pytest.param({"v": "2"}, "permerror", "tag v", id="version"),
        pytest.param({"v": None}, "permerror", "tag v", id="no version"),
        pytest.param({"a": None}, "permerror", "tag a", id="no algorithm"),
        pytest.param({"bh": None}, "permerror", "tag bh", id="no body hash"),
        pytest.param({"d": None}, "permerror", "tag d", id="no domain"),
        pytest.param({"s": None}, "permerror", "tag s", id="no selector"),
        pytest.param({"h": None}, "permerror", "tag h", id="no names"),
        pytest.param({"b": "AAAA"}, "permerror", "twice", id="a tag twice"),
        pytest.param({"bh": "a!"}, "permerror", "base64", id="not base64"),
        pytest.param({"i": "x@example.net"}, "permerror", "not within", id="identity elsewhere"),
        pytest.param({"i": "x@notexample.org"}, "permerror", "not within", id="identity of a longer name"),
        pytest.param({"i": "nobody"}, "permerror", "no address", id="identity without domain"),
        pytest.param({"i": "a=0"}, "permerror", "malformed tag i", id="identity badly quoted"),
        pytest.param({"i": "x@mail.example.org"}, "pass", "", id="identity below the domain"),
        pytest.param({"i": "a=3Bb@EXAMPLE.org"}, "pass", "", id="identity quoted"),
        pytest.param({"t": "1799999999", "x": "1799999998"}, "permerror", "expired before", id="expires before made"),
        pytest.param({"x": str(NOW - 1)}, "permerror", "has expired", id="expired by a second"),
        pytest.param({"x": str(NOW)}, "pass", "", id="expires now"),
        pytest.param({"t": str(NOW + 1000)}, "pass", "", id="made in the future, by whose clock"),
        pytest.param({"t": "x"}, "permerror", "not a number", id="no time"),
        pytest.param({"d": "org"}, "permerror", "public suffix", id="public suffix"),
        pytest.param({"d": "co.uk"}, "permerror", "public suffix", id="public suffix of two labels"),
        pytest.param({"d": "exa mple.org"}, "permerror", "tag d", id="no domain name"),
        pytest.param({"a": "rsa-sha512"}, "permerror", "unknown algorithm", id="unknown hash"),
        pytest.param({"a": "dsa-sha256"}, "permerror", "unknown algorithm", id="unknown key"),
        pytest.param({"a": "ed25519-sha1"}, "permerror", "unknown algorithm", id="not for ed25519"),
        pytest.param({"a": "rsa-sha1"}, "policy", "SHA-1", id="SHA-1"),
        pytest.param({"c": "strict"}, "permerror", "canonicalization", id="unknown canonicalization"),
        pytest.param({"c": "relaxed/simple/simple"}, "permerror", "canonicalization", id="too many canonicalizations"),
        pytest.param({"c": "Relaxed/Simple"}, "pass", "", id="canonicalization in any case"),
        pytest.param({"c": "relaxed"}, "pass", "", id="body simple by default"),
        pytest.param({"q": "dns/soa"}, "permerror", "DNS", id="key elsewhere"),
        pytest.param({"q": "http:dns/txt"}, "pass", "", id="key here too"),
        pytest.param({"names": "to:subject"}, "permerror", "From is not signed", id="From unsigned"),
        pytest.param({"names": "from:to:date"}, "policy", "Subject is not signed", id="Subject unsigned"),
        pytest.param({"names": "from::subject"}, "permerror", "empty name", id="empty name"),
        pytest.param({"names": "From : To : SUBJECT"}, "pass", "", id="names in any case, with spaces"),
        pytest.param({"names": "from:from:to:to:subject:subject:x-no"}, "pass", "", id="sealed"),
        pytest.param({"unknown": "x", "z": "From:a|To:b"}, "pass", "", id="other tags"),
        pytest.param({"l": "8"}, "policy", "may be extended", id="length"),
        pytest.param({"l": "9"}, "fail", "shorter", id="length of more than there is"),
        pytest.param({"l": "-1"}, "permerror", "not a number", id="no length"),
        pytest.param({"l": "9" * 76}, "fail", "shorter", id="longest length"),
        pytest.param({"l": "9" * 77}, "permerror", "not a number", id="too long a length"),
        pytest.param({"s": "none"}, "permerror", "no key record", id="no key"),
        pytest.param({"s": "a..b"}, "permerror", "tag s", id="no selector name"),
        pytest.param({"s": "under_score"}, "pass", "", id="underscore"),
        pytest.param({"s": "20240101"}, "pass", "", id="digits"),
        pytest.param({"bh": base64.b64encode(bytes(32)).decode()}, "fail", "body has changed", id="other body"),
    ],
)
async def test_signatures(changes, status, text):
    table = usual_records(under_score=RSA, **{"20240101": RSA})
    one = await only(signed(MESSAGE, **changes), table)
    assert (one.status, text in one.text) == (status, True), one


@pytest.mark.parametrize(
    ("records", "status", "text"),
    [
        pytest.param([P], "pass", "", id="key alone"),
        pytest.param([f"v=DKIM1;{P}"], "pass", "", id="version"),
        pytest.param([f" v = DKIM1 ; {P} ; "], "pass", "", id="spaces"),
        pytest.param([f"v=DKIM1; k=RSA; h=sha1:SHA256; s=*; t=s; n=x; g=*; x=1; {P}"], "pass", "", id="everything"),
        pytest.param([f"{P}; v=DKIM1"], "temperror", "no key records", id="version not first"),
        pytest.param([f"v=DKIM2; {P}"], "temperror", "no key records", id="version of the future"),
        pytest.param(["v=spf1 -all"], "temperror", "no key records", id="something else"),
        pytest.param(["v=spf1 -all", RSA], "pass", "", id="something else beside it"),
        pytest.param([RSA, RSA], "temperror", "several", id="two"),
        pytest.param([RSA, "v=DKIM1; p=!"], "pass", "", id="a broken one beside it"),
        pytest.param(["v=DKIM1; p=!"], "permerror", "malformed", id="broken"),
        pytest.param(["v=DKIM1"], "permerror", "malformed", id="no key"),
        pytest.param([f"v=DKIM1; {P}; {P}"], "permerror", "twice", id="two keys"),
        pytest.param(["v=DKIM1; p="], "permerror", "revoked", id="revoked"),
        pytest.param(["p=AAAA"], "permerror", "malformed public key", id="not a key"),
        pytest.param([f"v=DKIM1; k=ed25519; p={published(dkimkeys.ed25519_key())}"], "permerror", "another", id="type"),
        pytest.param([f"v=DKIM1; p={published(dkimkeys.ed25519_key())}"], "permerror", "malformed public", id="lies"),
        pytest.param([f"v=DKIM1; k=dsa; {P}"], "permerror", "unknown type", id="unknown type"),
        pytest.param([f"v=DKIM1; h=sha1; {P}"], "permerror", "hash", id="for another hash"),
        pytest.param([f"v=DKIM1; s=tlsrpt; {P}"], "permerror", "not for mail", id="for another service"),
        pytest.param([f"v=DKIM1; s=tlsrpt:email; {P}"], "pass", "", id="for mail, too"),
        pytest.param([f"v=DKIM1; t=s; {P}"], "pass", "", id="strict"),
        pytest.param([f"v=DKIM1; t=y; {P}"], "pass", "", id="testing"),
        pytest.param(
            [f"v=DKIM1; p={published(rsa.generate_private_key(65537, 2048))}"], "fail", "match", id="other key"
        ),
    ],
)
async def test_records(records, status, text):
    one = await only(signed(MESSAGE, s="it"), dkimkeys.records(it=records))
    assert (one.status, text in one.text) == (status, True), one
    assert one.authentic


async def test_more_about_keys():
    table = dkimkeys.records(
        strict=f"v=DKIM1; t=s; {P}",
        testing=f"v=DKIM1; t=y:s; {P}",
        report=f"v=DKIM1; s=tlsrpt; {P}",
        pkcs1="v=DKIM1; p=" + base64.b64encode(_pkcs1(rsa_key())).decode(),
    )
    one = await only(signed(MESSAGE, s="strict", i="a@mail.example.org"), table)
    assert (one.status, one.text) == ("permerror", "key is not for subdomains")
    failing = signed(MESSAGE, s="testing").replace(b"Hello", b"Hallo")
    assert ((one := await only(failing, table)).status, one.testing) == ("none", True)
    assert (await only(failing, table, minds_testing=False)).status == "fail"
    report = await only(signed(MESSAGE, s="report"), table, services=("tlsrpt",))
    assert (report.status, report.services) == ("pass", ("tlsrpt",))
    assert (await only(signed(MESSAGE, s="pkcs1"), table)).status == "pass"


def _pkcs1(key) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


async def test_weak_and_giant_keys():
    numbers = rsa_key().public_key().public_numbers()
    for n, e, text in (
        ((1 << 767) | 1, 65537, "key of 768 bits is too weak"),
        ((1 << 8999) | 1, 65537, "too large"),
        (numbers.n, (1 << 900) | 1, "too large"),
    ):
        key = rsa.RSAPublicNumbers(e, n).public_key()

        class Key:
            def public_key(self, key=key):
                return key

        one = await only(signed(MESSAGE, s="it"), dkimkeys.records(it=f"v=DKIM1; p={published(Key())}"))
        assert (one.status, text in one.text) == ("permerror", True), one


async def test_dns_that_does_not_answer(autojump_clock):
    name = "rsa._domainkey.example.org"
    failing = Table({}, failing=[(name, Type.TXT)])
    one = await only(signed(MESSAGE), failing)
    assert one.status == "temperror"

    class Silent(Table):
        async def ask(self, name, type, *, dnssec):
            await trio.sleep_forever()

    one = await only(signed(MESSAGE), Silent({}))
    assert (one.status, "30 s" in one.text) == ("temperror", True)


async def test_added_fields():
    message = signed(MESSAGE, names="from:from:to:subject")
    assert (await only(message)).status == "pass"
    assert (await only(message.replace(b"From:", b"From: eve@example.org\r\nFrom:", 1))).status == "fail"
    assert (await only(message.replace(b"To:", b"X-More: x\r\nTo:", 1))).status == "pass"
    unsealed = signed(MESSAGE, names="from:to:subject")
    # The last one is meant (RFC 6376 §5.4.2): one above it changes nothing, which DMARC has to mind.
    assert (await only(b"From: eve@example.org\r\n" + unsealed)).status == "pass"
    assert (await only(unsealed.replace(b"Date:", b"From: eve@example.org\r\nDate:", 1))).status == "fail"


async def test_several_of_a_name_from_the_bottom_up():
    message = b"Received: two\r\nReceived: one\r\n" + MESSAGE
    once = signed(message, names="received:from:subject")
    assert (await only(once.replace(b"Received: two\r\n", b""))).status == "pass"
    twice = signed(message, names="received:received:from:subject")
    assert (await only(twice)).status == "pass"
    assert (await only(twice.replace(b"Received: two\r\n", b""))).status == "fail"


@pytest.mark.parametrize(
    "b",
    [
        b"b=%s",
        b"b=\r\n %s",
        b"b = %s ",
        b"b=%s\r\n ",
        b"b=%s ; ",
        b"b=%s\r\n\t;n=x",
        b"\r\n b\r\n =\r\n %s\r\n ;n=x",
    ],
)
@pytest.mark.parametrize("canon", ["simple", "relaxed"])
async def test_white_space_around_the_signature(b, canon):
    """RFC 6376 §3.7: it goes with the value of b=, whatever stands behind."""
    before, _, after = b.partition(b"%s")
    head = b"DKIM-Signature: v=1;a=rsa-sha256;c=%s/simple;d=example.org;s=rsa;h=from:subject;bh=%s;" % (
        canon.encode(),
        base64.b64encode(hashlib.sha256(b"Hello.\r\n").digest()),
    )
    _, semicolon, rest = after.partition(b";")
    name, equals, _ = before.partition(b"=")
    own = head + name + equals + semicolon + rest
    fields = [b"From: Alice <alice@example.org>\r\n", b"Subject: Dinner?\r\n"]
    if canon == "relaxed":
        own, fields = dkimkeys.relaxed(own)[:-2], [dkimkeys.relaxed(one) for one in fields]
    proof = rsa_key().sign(b"".join(fields) + own, padding.PKCS1v15(), hashes.SHA256())
    message = head + before + base64.b64encode(proof) + after + b"\r\n" + MESSAGE
    assert (await only(message)).status == "pass"


def test_emptied_signature():
    assert without_signature(b"A: b=x;bh=y; b = z \r\n\tw\r\n", Canon.SIMPLE) == b"A: b=;bh=y; b = z \r\n\tw"
    assert without_signature(b"A: bh=y; b = z \r\n\tw\r\n", Canon.SIMPLE) == b"A: bh=y; b ="
    assert without_signature(b"A: ab=y;\r\n\tb=z;\r\n\ts=x\r\n", Canon.RELAXED) == b"a:ab=y; b=; s=x"


@pytest.mark.parametrize(
    ("octets", "values"),
    [
        pytest.param(b"a=1", {"a": b"1"}, id="one"),
        pytest.param(b" a = 1 2 ; b=\r\n x; ", {"a": b"1 2", "b": b"x"}, id="spaces and a final semicolon"),
        pytest.param(b"a=", {"a": b""}, id="empty"),
        pytest.param(b"a==", {"a": b"="}, id="equals sign"),
        pytest.param(b"a_1=\xc3\xa9", {"a_1": b"\xc3\xa9"}, id="UTF-8"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b";", None, id="only a semicolon"),
        pytest.param(b"a=1;;b=2", None, id="empty within"),
        pytest.param(b"a", None, id="no equals sign"),
        pytest.param(b"1a=1", None, id="digit first"),
        pytest.param(b"a b=1", None, id="space within a name"),
        pytest.param(b"a=1;a=2", None, id="twice"),
        pytest.param(b"a=\x00", None, id="control character"),
    ],
)
def test_tags(octets, values):
    if values is None:
        with pytest.raises(tags.TagError):
            tags.parse(octets)
    else:
        assert tags.parse(octets) == values


async def test_internationalised():
    """RFC 8616 §5: names in U-labels, found in the DNS as A-labels."""
    table = Table({"xn--slektor-bya._domainkey.xn--bcher-kva.example": {Type.TXT: [RSA]}})
    message = signed(MESSAGE, d="bücher.example", s="sélektor", i="ü@bücher.example")
    one = await only(message, table)
    assert (one.status, one.domain.ascii) == ("pass", "xn--bcher-kva.example"), one
    assert one.identity == "ü@bücher.example"
    assert (await only(message, table, smtputf8=False)).status == "permerror"


async def test_hostile_ones():
    one = await only(b"DKIM-Signature: " + b"a=1; " * 20_000 + b"\r\n" + MESSAGE)
    assert (one.status, one.text) == ("permerror", "signature is too long")
    one = await only(signed(MESSAGE, names="from:" + "x:" * 5000 + "subject"))
    assert (one.status, "too many" in one.text) == ("permerror", True)
    many = await check(b"DKIM-Signature: x\r\n" * 1500 + MESSAGE)
    assert len(many) == verify.SIGNATURES
    assert {one.status for one in many} == {"permerror"}
    malformed = await only(
        b"DKIM-Signature: v=1; d=\xff; s=" + b"s" * 3000 + b"; a=\xff; i=\xff@; b=\xff\r\n" + MESSAGE
    )
    assert malformed.status == "permerror"
    assert len(malformed.selector) <= signature.IDENTITY_OCTETS
    assert malformed.domain is None


async def test_large_message_in_a_thread():
    body = b"A line with some words in it, and two  spaces.\r\n" * 20_000
    message = signed(MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body, c="relaxed/simple")
    assert (await only(message)).status == "pass"
    assert (await only(message[:-10] + b"x" + message[-9:])).status == "fail"
    long_header = message.replace(b"To: ", b"X-Long: " + b"x" * 40_000 + b"\r\nTo: ", 1)
    assert (await only(long_header)).status == "pass"


async def test_signatures_of_dkimpy():
    pem = dkimkeys.pem(rsa_key())
    table = usual_records()
    for canon in ((b"simple", b"simple"), (b"relaxed", b"simple"), (b"simple", b"relaxed"), (b"relaxed", b"relaxed")):
        message = b"X: \t a  b\r\n\tc\r\n" + MESSAGE.replace(b"Hello.", b"Hello,  \t you \r\n \r\n\r\n")
        field = dkimpy.sign(message, b"rsa", b"example.org", _traditional(rsa_key()), canonicalize=canon)
        assert (await only(field + message, table)).status == "pass", (canon, pem)
        for _ in range(2):
            changed = field + re.sub(rb"you", b"You", message)
            assert (await only(changed, table)).status == "fail"


def _traditional(key) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@pytest.mark.parametrize("canon", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
async def test_mutated_messages_as_dkimpy(canon):
    """Whatever one octet does to a message, both say the same of it."""
    chance = random.Random(canon)
    table = usual_records()
    text = table.answer("rsa._domainkey.example.org", Type.TXT).records[0].encode()
    message = MESSAGE.replace(b"Dinner?", b"Dinner \t at\r\n  eight?").replace(b"Hello.", b"Hello,  you. \r\n\t\r\n")
    of_header, of_body = canon.encode().split(b"/")
    names = [b"from", b"from", b"to", b"subject", b"date"]
    field = dkimpy.sign(
        message,
        b"rsa",
        b"example.org",
        _traditional(rsa_key()),
        canonicalize=(of_header, of_body),
        include_headers=names,
    )
    seen = set()
    for _ in range(400):
        mutant = bytearray(message)
        at = chance.randrange(len(mutant))
        if mutant[at] in b"\r\n:":
            continue
        match chance.randrange(3):
            case 0:
                mutant[at] = chance.choice(b" \tax")
            case 1:
                mutant[at:at] = chance.choice([b" ", b"\t", b"x", b"  "])
            case 2:
                del mutant[at]
        octets = field + bytes(mutant)
        try:
            theirs = dkimpy.verify(octets, dnsfunc=lambda name, timeout=5: text)
        except dkimpy.DKIMException:
            theirs = False
        ours = await only(octets, table)
        assert (ours.status == "pass") == theirs, (octets, ours)
        seen.add(theirs)
    assert False in seen
    assert True in seen or canon == "simple/simple"
