"""ARC chains: sound ones, every way they break, and whom to believe (RFC 8617 §5.2)."""

import base64
import hashlib
import re

import pytest

from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import parse_domain
from appliance.mail.header import header_end
from appliance.msgauth import arc
from appliance.msgauth.results import ARCResult, AuthStatus
from support import dkimkeys
from support.dkimkeys import proof, published, relaxed, rsa_key

NOW = 1_800_000_000
MESSAGE = (
    b"From: Alice <alice@example.org>\r\nTo: list@lists.example\r\nSubject: Dinner?\r\n"
    b"Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n\r\nHello.\r\n"
)
SEALERS = [f"s{number}.example" for number in range(1, 60)]
TABLE = Table(
    {
        **{f"rsa._domainkey.{name}": {Type.TXT: [f"v=DKIM1; p={published(rsa_key())}"]} for name in SEALERS},
        **{
            f"ed._domainkey.{name}": {Type.TXT: [f"v=DKIM1; k=ed25519; p={published(dkimkeys.ed25519_key())}"]}
            for name in SEALERS
        },
    }
)


def names_of(octets: bytes) -> list[bytes]:
    header = octets.partition(b"\r\n\r\n")[0] + b"\r\n"
    return re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", header)


def seal(
    message: bytes,
    instance: int,
    *,
    key=None,
    results="spf=pass smtp.mailfrom=example.org; dkim=fail",
    cv=None,
    of_message=(),
    of_seal=(),
    authres=None,
):
    """The message with one more set on top; extra tags may be whatever a test needs."""
    key = key or rsa_key()
    algorithm, selector = ("rsa-sha256", "rsa") if key is rsa_key() else ("ed25519-sha256", "ed")
    domain = SEALERS[instance - 1]
    body = message.partition(b"\r\n\r\n")[2]
    fields = names_of(message)
    signed = ("from", "to", "subject", "date")
    tags = {
        "i": instance,
        "a": algorithm,
        "c": "relaxed/relaxed",
        "d": domain,
        "s": selector,
        "h": ":".join(signed),
        "bh": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        **dict(of_message),
    }
    own = "ARC-Message-Signature: " + "; ".join(f"{tag}={value}" for tag, value in tags.items()) + "; b="
    octets = b"".join(
        relaxed(one) for name in signed for one in reversed(fields) if one.lower().startswith(name.encode() + b":")
    )
    ams = own.encode() + proof(key, octets + relaxed(own.encode())[:-2]).encode() + b"\r\n"
    aar = (authres or f"ARC-Authentication-Results: i={instance}; mx.{domain};\r\n\t{results}\r\n").encode()
    tags = {
        "i": instance,
        "cv": cv or ("none" if instance == 1 else "pass"),
        "a": algorithm,
        "d": domain,
        "s": selector,
        **dict(of_seal),
    }
    own = "ARC-Seal: " + "; ".join(f"{tag}={value}" for tag, value in tags.items()) + "; b="
    earlier = b""
    for number in range(1, instance):
        for name in (b"arc-authentication-results", b"arc-message-signature", b"arc-seal"):
            earlier += b"".join(
                relaxed(one)
                for one in fields
                if one.lower().startswith(name + b":") and re.search(rb"[ ;]i=%d;" % number, one)
            )
    octets = earlier + relaxed(aar) + relaxed(ams) + relaxed(own.encode())[:-2]
    return own.encode() + proof(key, octets).encode() + b"\r\n" + ams + aar + message


def chain(count: int, message=MESSAGE, **more) -> bytes:
    for instance in range(1, count + 1):
        message = seal(message, instance, **more)
    return message


async def check(message: bytes, table=TABLE) -> ARCResult:
    body = header_end(message)
    return await arc.verify(
        Resolver(table), message[:body], lambda start, end: message[start:end], len(message), now=NOW
    )


async def test_no_chain():
    assert await check(MESSAGE) == ARCResult(AuthStatus.NONE)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 50])
async def test_sound_chains(count):
    result = await check(chain(count))
    assert (result.status, result.text) == ("pass", "")
    assert [one.instance for one in result.sets] == list(range(1, count + 1))
    assert [one.domain.ascii for one in result.sets] == SEALERS[:count]
    assert all(one.is_intact for one in result.sets)
    assert result.oldest_pass == 0
    results = result.sets[0].results
    assert results.hostname == "mx.s1.example"
    assert [(one.method, one.result) for one in results.methods] == [("spf", "pass"), ("dkim", "fail")]
    assert results.methods[0].properties[0].value == "example.org"


async def test_ed25519():
    message = seal(seal(MESSAGE, 1, key=dkimkeys.ed25519_key()), 2)
    assert (await check(message)).status == "pass"


async def test_changed_on_the_way():
    """A list that appends a text: the chain holds, and tells since when the message is as it is."""
    message = seal(chain(2).replace(b"Dinner", b"[list] Dinner") + b"--\r\nfooter\r\n", 3)
    result = await check(message)
    assert result.status == "pass"
    assert [one.is_intact for one in result.sets] == [False, False, True]
    assert result.oldest_pass == 3
    message = seal(message, 4)
    assert [one.is_intact for one in (await check(message)).sets] == [False, False, True, True]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param(chain(2) + b"more\r\n", "has changed since", id="body changed"),
        pytest.param(chain(2).replace(b"Dinner", b"Lunch"), "has changed since", id="header changed"),
        pytest.param(chain(51 - 1).replace(b"i=50", b"i=51"), "no instance", id="instance of 51"),
        pytest.param(b"ARC-Seal: i=1\r\n" * 51 + MESSAGE, "more than 50", id="too many fields"),
        pytest.param(seal(MESSAGE, 1, cv="fail"), "not valid there", id="failed before"),
        pytest.param(seal(MESSAGE, 1, cv="pass"), "not valid there", id="passes without a chain"),
        pytest.param(seal(chain(1), 2, cv="none"), "not valid there", id="no chain though there is"),
        pytest.param(seal(chain(1), 2, cv="fail"), "not valid there", id="a later one failed"),
        pytest.param(seal(MESSAGE, 2), "missing", id="first set missing"),
        pytest.param(seal(chain(1), 3), "missing", id="set missing between"),
        pytest.param(chain(1).partition(b"\r\n")[2], "not whole", id="no seal"),
        pytest.param(chain(1).replace(b"ARC-Auth", b"X-Auth"), "not whole", id="no results"),
        pytest.param(chain(1).replace(b"ARC-Message", b"X-Message"), "not whole", id="no message signature"),
        pytest.param(b"ARC-Seal: i=1; cv=none\r\n" + chain(1), "twice", id="two seals"),
        pytest.param(b"ARC-Authentication-Results: i=1; x; none\r\n" + chain(1), "twice", id="two results"),
        pytest.param(chain(1).replace(b"ARC-Seal: i=1", b"ARC-Seal: i=0"), "no instance", id="instance of 0"),
        pytest.param(chain(1).replace(b"ARC-Seal: i=1", b"ARC-Seal: i=x"), "no instance", id="instance no number"),
        pytest.param(chain(1).replace(b"Results: i=1;", b"Results: "), "no instance", id="results without instance"),
        pytest.param(chain(1).replace(b"spf=pass", b"spf=fail"), "seal 1 does not match", id="results changed"),
        pytest.param(
            chain(3).replace(b"mx.s1.example;\r\n\tspf=pass", b"mx.s1.example;\r\n\tspf=fail"),
            "seal 3 does not match",
            id="oldest results changed",
        ),
        pytest.param(seal(MESSAGE, 1, of_seal={"h": "from"}), "tag h", id="seal with h"),
        pytest.param(seal(MESSAGE, 1, of_message={"h": "from:arc-seal"}), "signs fields of ARC", id="signs seals"),
        pytest.param(seal(MESSAGE, 1, of_message={"h": "to:subject"}), "From is not signed", id="From unsigned"),
        pytest.param(seal(MESSAGE, 1, of_message={"a": "rsa-sha1"}), "unknown algorithm", id="SHA-1"),
        pytest.param(seal(MESSAGE, 1, of_seal={"a": "rsa-sha1"}), "unknown algorithm", id="seal by SHA-1"),
        pytest.param(seal(MESSAGE, 1, of_message={"x": NOW - 1}), "expired", id="expired"),
        pytest.param(seal(MESSAGE, 1, of_message={"c": "x/y"}), "canonicalization", id="canonicalization"),
        pytest.param(seal(MESSAGE, 1, of_seal={"d": "com"}), "public suffix", id="public suffix"),
        pytest.param(seal(MESSAGE, 1, of_seal={"s": "no"}), "no key record", id="no key of the seal"),
        pytest.param(seal(MESSAGE, 1, of_message={"s": "no"}), "no key record", id="no key of the signature"),
        pytest.param(seal(MESSAGE, 1, of_seal={"s": "ed"}), "another type", id="key of another type"),
        pytest.param(seal(chain(1), 2, of_seal={"s": "no"}), "seal 2", id="no key of a later seal"),
        pytest.param(chain(1).replace(b"ARC-Seal: ", b"ARC-Seal: ;"), "malformed", id="malformed tags"),
        pytest.param(b"ARC-Seal: " + b"x" * 70_000 + b"\r\n" + MESSAGE, "too long", id="too long"),
    ],
)
async def test_broken_chains(message, text):
    result = await check(message)
    assert (result.status, text in result.text, result.sets) == ("fail", True, ()), result


async def test_failures_of_the_dns_are_final():
    failing = Table({}, failing=[("rsa._domainkey.s1.example", Type.TXT)])
    assert (await check(chain(1), failing)).status == "fail"
    without_first = Table({"rsa._domainkey.s2.example": {Type.TXT: [f"p={published(rsa_key())}"]}})
    result = await check(chain(2), without_first)
    assert (result.status, result.text) == ("fail", "seal 1: no key record")


async def test_an_older_message_signature_may_be_of_any_kind():
    """Only the newest one has to verify (RFC 8617 §5.2, step 5)."""
    message = seal(seal(MESSAGE, 1, of_message={"x": NOW - 1}), 2)
    result = await check(message)
    assert (result.status, result.oldest_pass) == ("pass", 2)


async def test_results_that_cannot_be_read():
    result = await check(seal(MESSAGE, 1, results="((("))
    assert (result.status, result.sets[0].results) == ("pass", None)


async def test_version_is_ignored_and_tags_may_stand_anywhere():
    assert (await check(seal(MESSAGE, 1, of_message={"v": "7"}, of_seal={"t": "5", "x": "y"}))).status == "pass"
    spaced = "ARC-Authentication-Results:\r\n  i = 1 ; mx.example; none\r\n"
    assert (await check(seal(MESSAGE, 1, authres=spaced))).status == "pass"


@pytest.mark.parametrize(
    ("trusted", "intact", "expected"),
    [
        pytest.param((), True, None, id="nobody"),
        pytest.param((3,), False, 3, id="the newest"),
        pytest.param((2, 3), False, 2, id="the newest two"),
        pytest.param((1, 2, 3), False, 1, id="all"),
        pytest.param((1, 3), False, 3, id="changed by one in between"),
        pytest.param((1, 3), True, 1, id="left alone by one in between"),
        pytest.param((1,), False, None, id="changed later"),
        pytest.param((1,), True, 1, id="left alone later"),
    ],
)
async def test_whom_to_believe(trusted, intact, expected):
    message = seal(MESSAGE, 1)
    if not intact:
        message = message.replace(b"Dinner", b"[list] Dinner")
    message = seal(seal(message, 2), 3)
    names = {parse_domain(SEALERS[number - 1]) for number in trusted}
    result = await check(message)
    assert result.status == "pass"
    found = arc.believed(result, names.__contains__)
    assert (found.instance if found else None) == expected


async def test_nobody_is_believed_in_a_broken_chain():
    assert arc.believed(await check(chain(2) + b"x\r\n"), lambda domain: True) is None


async def test_large_message():
    message = chain(3, MESSAGE + b"A line of a large message.\r\n" * 20_000)
    assert (await check(message)).status == "pass"
    message = chain(2, MESSAGE.replace(b"To:", b"X: " + b"x" * 40_000 + b"\r\nTo:"))
    assert (await check(message)).status == "pass"
