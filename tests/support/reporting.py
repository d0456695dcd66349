"""A house that owes reports to others, and what it puts into its queue."""

import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.base.limits import SCAN
from appliance.config.source import ConfigSource
from appliance.delivery.appliance import Appliance
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.dmarcreport import DKIMAuth, PublishedPolicy, Record, SPFAuth
from appliance.mail.header import header_end
from appliance.mail.part import Part
from appliance.mail.scan import scan
from appliance.msgauth.dkim import verify
from appliance.msgauth.dkim.verify import Terms
from appliance.store import bodies, evaluation as evaluations, queued
from appliance.store.evaluation import Evaluation
from appliance.store.queuerecords import QueuedMessage
from appliance.store.store import Store
from appliance.store.tables import NO_ACCOUNT
from support import dkimkeys
from support.smtphouse import STATIC, open_house

#: A whole hour; its midnight ends the day before.
END = datetime(2026, 11, 2, 0, 0, tzinfo=UTC)
HOUR = 3600
#: The host is mail.ours.example; its reports are signed by ours.example above it.
DOMAINS = """\
[domains."ours.example"]
[domains."ours.example".dkim]
sign = ["k"]
[domains."ours.example".dkim.selectors.k]
private_key_file = "k.pem"
canonicalization = { header_relaxed = true, body_relaxed = true }
[accounts.alice]
domain = "ours.example"
[accounts.alice.destinations."alice@ours.example"]
"""
UNSIGNED = DOMAINS.partition('[domains."ours.example".dkim]')[0] + "[accounts" + DOMAINS.partition("[accounts")[2]
#: The key that signs reports.
KEY = {
    "k._domainkey.ours.example": {Type.TXT: [f"v=DKIM1; k=ed25519; p={dkimkeys.published(dkimkeys.ed25519_key())}"]},
    "mail.ours.example": {Type.A: [ipaddress.ip_address("192.0.2.7")]},
    "ours.example": {Type.A: [ipaddress.ip_address("192.0.2.7")]},
}


@dataclass
class Reporter:
    """A house and its queue."""

    app: Appliance

    @property
    def store(self) -> Store:
        return self.app.store

    @property
    def queue(self) -> list[QueuedMessage]:
        with self.store.read() as tx:
            return list(queued.all_messages(tx))

    def take(self) -> list[QueuedMessage]:
        """What is in the queue, which is empty then."""
        found = self.queue
        for one in found:
            self.store.write_sync(queued.remove, one, success=True, keep=0)
        return found

    def octets(self, one: QueuedMessage) -> bytes:
        with self.store.read() as tx:
            return one.prefix + bodies.read(tx, one.body, 0, one.size - len(one.prefix))

    def note(self, *given: Evaluation) -> None:
        for one in given:
            assert self.store.write_sync(evaluations.note, one, most=1_000_000)

    def owed(self, domain: str) -> int:
        """Evaluations that wait to be reported."""
        with self.store.read() as tx:
            return len(list(evaluations.owed(tx, domain)))

    def answers(self, records: Mapping[str, Any], **table: Any) -> None:
        """From now on the DNS has these records, and the keys of this house."""
        texts = {name: {Type.TXT: [text] if isinstance(text, str) else text} for name, text in records.items()}
        object.__setattr__(self.app, "resolver", Resolver(Table({**texts, **KEY}, **table)))

    def at(self, clock: Any) -> "Reporter":
        """The same house with another clock."""
        return Reporter(replace(self.app, clock=clock))


@asynccontextmanager
async def open_reporter(
    folder: Path, *, static: str = "", domains: str = DOMAINS, records: Mapping[str, Any] | None = None
) -> AsyncIterator[Reporter]:
    """A house as it owes reports; `static` is put before its configuration."""
    (folder / "k.pem").write_bytes(dkimkeys.pem(dkimkeys.ed25519_key()))
    async with open_house(
        folder, domains, static=static + STATIC.replace("mail.example", "mail.ours.example")
    ) as house:
        object.__setattr__(house.app, "config", ConfigSource(folder / "moxpy.toml"))
        reporter = Reporter(house.app)
        with reporter.store.read() as tx:
            assert tx.account_id("alice") != NO_ACCOUNT
        reporter.answers(records or {})
        yield reporter


def evaluation(
    domain: str = "a.example",
    hours: float = -1,
    *,
    optional: bool = False,
    interval: int = 24,
    ip: str = "192.0.2.1",
    policy: PublishedPolicy | None = None,
    **record: Any,
) -> Evaluation:
    """Of a message so many hours after END."""
    row = {
        "source_ip": ip,
        "count": 1,
        "disposition": "none",
        "dkim": "pass",
        "spf": "fail",
        "header_from": domain,
        "envelope_from": "list.example",
        "envelope_to": "ours.example",
        "dkim_auth": (DKIMAuth(domain, "s", "pass"),),
        "spf_auth": (SPFAuth("list.example", "mfrom", "softfail"),),
        **record,
    }
    return Evaluation(
        policy_domain=domain,
        evaluated=int((END.timestamp() + hours * HOUR) * 1_000_000),
        optional=optional,
        interval_hours=interval,
        addresses=(f"mailto:dmarc@{domain}",),
        policy=policy or PublishedPolicy(domain, "reject", "", "r", "s", 100, "0"),
        record=Record(**row),
    )


def scanned(octets: bytes) -> Part:
    return scan(octets, SCAN).root


async def signatures(octets: bytes, reporter: Reporter) -> list[tuple[str, str, set[str]]]:
    """Of each signature: what became of it, its domain, and the fields it signs."""
    body = header_end(octets)
    found = await verify.verify(
        reporter.app.resolver,
        octets[:body],
        lambda start, end: octets[start:end],
        len(octets),
        Terms(now=reporter.app.clock.now().timestamp()),
    )
    names = [
        {name.lower() for name in line.decode().partition(" h=")[2].partition(";")[0].split(":")}
        for line in octets[:body].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ").split(b"\r\n")
        if line.lower().startswith(b"dkim-signature:")
    ]
    return [
        (str(one.status), one.domain.ascii if one.domain else "", {name.strip() for name in signed})
        for one, signed in zip(found, names, strict=True)
    ]
