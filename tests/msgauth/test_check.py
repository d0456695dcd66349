"""All checks of a message together."""

from ipaddress import ip_address
from typing import Any

import pytest
import trio

from appliance.base.log import Log
from appliance.base.metrics import panics
from appliance.dns.answers import Answer, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.address import NULL_PATH, Path
from appliance.mail.domain import parse_domain
from appliance.msgauth import check as checks
from appliance.msgauth.check import Message
from appliance.msgauth.client import Client
from appliance.msgauth.results import SPF, AuthStatus, Checked, Identity, Validation
from support import dkimkeys

IP = ip_address("192.0.2.1")
LOG = Log("test")
RECORDS: dict[str, Any] = {
    "example.org": {Type.TXT: ["v=spf1 ip4:192.0.2.1 -all"]},
    "news.example.org": {Type.TXT: ["v=spf1 ip4:192.0.2.1 -all"]},
    "mail.example.org": {Type.A: [IP], Type.TXT: ["v=spf1 a -all"]},
    "_dmarc.example.org": {Type.TXT: ["v=DMARC1; p=reject"]},
    "_dmarc.strict.example.net": {Type.TXT: ["v=DMARC1; p=quarantine"]},
    "open.example.com": {Type.TXT: ["v=spf1 +all"]},
    IP.reverse_pointer: {Type.PTR: ["mail.example.org"]},
}


def client(path: str = "bob@example.org", helo: str = "mail.example.org") -> Client:
    localpart, _, domain = path.rpartition("@")
    reverse = Path(localpart, parse_domain(domain)) if path else NULL_PATH
    return Client(IP, parse_domain(helo), reverse, "mx.example.net")


def message(*fields: str) -> Message:
    octets = "".join(f"{field}\r\n" for field in ("Subject: x", *fields, "")).encode() + b"Hello\r\n"
    head = octets[: octets.index(b"\r\n\r\n") + 4]
    return Message(head, len(octets), lambda start, end: octets[start:end])


async def run(sender: Client, *fields: str, chance: float = 0.5, spf: SPF | None = None, **options: Any) -> Checked:
    table = Table(RECORDS, **options)

    def some(name: str, type: Type) -> Answer[Any] | None:
        return table.answer(name, type) if len(name) % 2 else None

    found, *others = [
        await checks.check(Resolver(table, kept=kept), sender, message(*fields), LOG, chance=chance, spf=spf)
        for kept in (None, table.answer, some)
    ]
    # What is at hand makes no difference.
    assert others == [found, found]
    return found


@pytest.mark.parametrize(
    ("path", "from_", "dmarc", "rejects", "validation"),
    [
        pytest.param("bob@example.org", "bob@example.org", "pass", False, Validation.STRICT, id="the same domain"),
        pytest.param("b@news.example.org", "bob@example.org", "pass", False, Validation.DMARC, id="relaxed, by DMARC"),
        pytest.param(
            "bob@open.example.com", "bob@www.example.com", "none", False, Validation.RELAXED, id="relaxed, no DMARC"
        ),
        pytest.param("bob@open.example.com", "bob@example.org", "fail", True, Validation.FAIL, id="forged"),
        pytest.param("bob@open.example.com", "bob@none.example", "none", False, Validation.NONE, id="nothing known"),
        pytest.param("", "bob@mail.example.org", "pass", False, Validation.STRICT, id="null path, by HELO"),
    ],
)
async def test_from(path: str, from_: str, dmarc: str, rejects: bool, validation: Validation) -> None:
    found = await run(client(path), f"From: {from_}")
    assert (found.dmarc.status, found.dmarc.rejects, found.msg_from_validation) == (dmarc, rejects, validation)
    assert str(found.msg_from) == from_
    assert found.msg_from_validated == (validation in {Validation.STRICT, Validation.DMARC, Validation.RELAXED})


async def test_everything_about_a_good_message() -> None:
    found = await run(client(), "From: Bob <bob@example.org>", authentic=True)
    assert (found.iprev.status, found.iprev.name) == ("pass", "mail.example.org")
    assert (found.spf.status, found.spf.identity) == ("pass", Identity.MAILFROM)
    assert (found.helo_spf.status, found.helo_spf.identity) == ("pass", Identity.HELO)
    assert (found.mail_from_validation, found.helo_validation) == (Validation.PASS, Validation.PASS)
    assert found.mail_from_validated
    assert found.helo_validated
    assert found.verified_domains == {parse_domain("example.org")}
    assert found.msg_from_org_domain == parse_domain("example.org")
    assert found.spf.authentic
    assert found.iprev.authentic
    assert found.dmarc.authentic


async def test_null_path() -> None:
    found = await run(client(""), "From: mailer-daemon@mail.example.org")
    assert found.helo_spf is found.spf
    assert (found.spf.identity, found.mail_from_validation) == (Identity.HELO, Validation.UNKNOWN)
    assert found.helo_validation is Validation.PASS
    assert found.verified_domains == frozenset()


@pytest.mark.parametrize(
    ("fields", "status", "rejects"),
    [
        pytest.param([], "none", False, id="no From"),
        pytest.param(["From: undisclosed:;"], "none", False, id="no address"),
        pytest.param(["From: bob"], "none", False, id="no domain"),
        pytest.param(["From: a@none.example, b@other.example"], "none", False, id="two without policy"),
        # RFC 7489 §6.6.1: the strictest policy among those that fail.
        pytest.param(["From: a@none.example, bob@strict.example.net"], "fail", True, id="two addresses"),
        pytest.param(["From: a@none.example", "From: bob@strict.example.net"], "fail", True, id="two fields"),
        pytest.param(["From: bob@example.org, bob@strict.example.net"], "fail", True, id="one of them passes"),
        pytest.param(["From: bob@example.org, jane@example.org"], "pass", False, id="two of one domain"),
    ],
)
async def test_other_than_one_from(fields: list[str], status: str, rejects: bool) -> None:
    found = await run(client(), *fields)
    assert found.msg_from is None
    assert (found.dmarc.status, found.dmarc.rejects) == (status, rejects)
    assert found.msg_from_validation is Validation.NONE


async def test_many_domains_in_from_are_not_all_asked_about() -> None:
    addresses = ", ".join(f"a@d{n}.example" for n in range(100))
    assert checks.senders(f"From: {addresses}\r\n\r\n".encode())[1] == tuple(
        parse_domain(f"d{n}.example") for n in range(10)
    )


async def test_spf_known_before_is_not_asked_again() -> None:
    known = SPF(AuthStatus.PASS, Identity.MAILFROM, parse_domain("example.org"), "known")
    found = await run(client(), "From: bob@example.org", spf=known, failing=[("example.org", Type.TXT)])
    assert found.spf is known
    assert found.dmarc.status == "pass"
    resolver = Resolver(Table(RECORDS))
    assert (await checks.check_spf(resolver, client(), LOG)).status == "pass"


class Buggy:
    """A source with a bug in it, for some names."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.table = Table(RECORDS)

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        if any(word in name for word in self.words):
            raise ZeroDivisionError("bug")
        return await self.table.ask(name, type, dnssec=dnssec)

    async def watch(self) -> None: ...


@pytest.mark.parametrize(
    ("word", "name"), [("arpa", "iprev"), ("example.org", "spf"), ("mail.example.org", "spf"), ("_dmarc", "dmarc")]
)
async def test_a_bug_in_one_check_is_contained(word: str, name: str) -> None:
    before = panics.labels(name).value
    source = Buggy(word)
    found = await checks.check(Resolver(source), client(), message("From: bob@example.org"), LOG, chance=0)
    assert panics.labels(name).value > before
    statuses = {"iprev": found.iprev.status, "spf": found.helo_spf.status, "dmarc": found.dmarc.status}
    assert statuses[name] == "temperror"
    assert not found.dmarc.rejects


async def test_bounded_in_time(autojump_clock: trio.testing.MockClock) -> None:
    class Silent:
        async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
            await trio.sleep_forever()

        async def watch(self) -> None: ...

    began = trio.current_time()
    found = await checks.check(Resolver(Silent()), client(), message("From: a@a.example, b@b.example"), LOG, chance=0)
    assert trio.current_time() - began < 65
    assert (found.iprev.status, found.spf.status, found.helo_spf.status, found.dmarc.status) == ("temperror",) * 4
    assert found.msg_from_validation is Validation.NONE


def raw(octets: bytes) -> Message:
    head = octets[: octets.index(b"\r\n\r\n") + 4]
    return Message(head, len(octets), lambda start, end: octets[start:end])


async def test_signatures_vouch_where_the_address_of_the_client_does_not() -> None:
    """A forwarded message."""
    octets = dkimkeys.signed(
        b"From: bob@example.org\r\nTo: a@example.net\r\nSubject: x\r\nDate: y\r\n\r\nHello\r\n", x="1800000000"
    )
    key = f"v=DKIM1; p={dkimkeys.published(dkimkeys.rsa_key())}"
    resolver = Resolver(Table({**RECORDS, "rsa._domainkey.example.org": {Type.TXT: [key]}}))
    sender = client("bounces@open.example.com")
    found = await checks.check(resolver, sender, raw(octets), LOG, chance=0.5, now=1_800_000_000)
    assert [one.status for one in found.dkim] == ["pass"]
    assert (found.dmarc.status, found.dmarc.dkim_aligned, found.dmarc.spf_aligned) == ("pass", True, False)
    assert found.msg_from_validation is Validation.STRICT
    assert found.dkim_domains == ("example.org",)
    assert found.arc.status is AuthStatus.NONE
    found = await checks.check(resolver, sender, raw(octets), LOG, chance=0.5, now=1_800_000_001)
    assert ([one.status for one in found.dkim], found.dmarc.rejects) == (["permerror"], True)
    found = await checks.check(resolver, sender, raw(b"ARC-Seal: i=1\r\n" + octets), LOG, chance=0.5)
    assert found.arc.status is AuthStatus.FAIL


async def test_a_message_that_cannot_be_read() -> None:
    octets = dkimkeys.signed(b"From: bob@example.org\r\nSubject: x\r\n\r\nHello\r\n", names="from:subject")
    key = f"v=DKIM1; p={dkimkeys.published(dkimkeys.rsa_key())}"
    resolver = Resolver(Table({**RECORDS, "rsa._domainkey.example.org": {Type.TXT: [key]}}))

    def read(start: int, end: int) -> bytes:
        raise OSError("disk")

    found = await checks.check(
        resolver, client(), Message(octets[: octets.index(b"\r\n\r\n") + 4], len(octets), read), LOG, chance=0.5
    )
    assert [one.status for one in found.dkim] == ["temperror"]
