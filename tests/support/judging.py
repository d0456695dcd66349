"""A house that judges mail of other servers, and the world around it: names, senders, mail, what an account has."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from appliance.config.generate import NEUTRAL_MAILBOXES
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver, Source
from appliance.dns.table import Table
from appliance.net.tlsstream import TLSInfo
from appliance.operations import messages
from appliance.operations.actor import Actor
from appliance.store import evaluation, junk, mailbox, message
from appliance.store.records import JUNK, NOT_JUNK
from appliance.store.tables import AccountID, MailboxRef
from support import dkimkeys
from support.imaphouse import Client
from support.smtphouse import House, open_house
from support.stores import new_message

#: Of the usual client; its neighbour, which has no name; one far away.
IP, NAMELESS, FAR = "192.0.2.1", "192.0.2.66", "198.51.100.7"
SECURE = TLSInfo("TLS1.3", "TLS_AES_128_GCM_SHA256", "", None)
HOST: dict[Type, list[Any]] = {Type.A: [ip_address(IP)]}
_SENDS = "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 -all"
_KEY = f"v=DKIM1; k=ed25519; p={dkimkeys.published(dkimkeys.ed25519_key())}"


def _pointer(ip: str) -> str:
    return ip_address(ip).reverse_pointer


#: `sender.example` and all below it send from everywhere here; `fail.example` from nowhere; the others have policies
#: of DMARC, and no SPF. All of them have a key for signatures.
NAMES: dict[str, Mapping[Type, Sequence[Any]]] = {
    "sender.example": {**HOST, Type.TXT: [_SENDS]},
    "*.sender.example": {**HOST, Type.TXT: [_SENDS]},
    "fail.example": {**HOST, Type.TXT: ["v=spf1 -all"]},
    "plain.example": HOST,
    "big.example": {**HOST, Type.TXT: [_SENDS]},
    "_dmarc.big.example": {Type.TXT: ["v=DMARC1; p=reject; rua=mailto:dmarc@big.example"]},
    **{
        name: {Type.TXT: [f"v=DMARC1; {policy}; rua=mailto:dmarc@{name[7:]}"]}
        for name, policy in {
            "_dmarc.reject.example": "p=reject",
            "_dmarc.quarantine.example": "p=quarantine",
            "_dmarc.none.example": "p=none",
            "_dmarc.spared.example": "p=reject; pct=0",
        }.items()
    },
    **{
        f"k._domainkey.{domain}": {Type.TXT: [_KEY]}
        for domain in ("list.example", "big.example", "plain.example", "sender.example")
    },
    "reports._domainkey.plain.example": {Type.TXT: [_KEY + "; s=tlsrpt"]},
    _pointer(IP): {Type.PTR: ["mail.sender.example"]},
    _pointer(FAR): {Type.PTR: ["far.sender.example"]},
    "far.sender.example": {Type.A: [ip_address(FAR)], Type.TXT: [_SENDS]},
}

#: Alice has what a generated account has; Bob has nothing.
DOMAINS = f"""\
[domains."example.org"]
[accounts.alice]
rejects_mailbox = "Rejects"
[accounts.alice.destinations."alice@example.org"]
[accounts.alice.automatic_junk_flags]
enabled = true
junk_mailbox_regexp = "^(junk|spam)"
neutral_mailbox_regexp = "{NEUTRAL_MAILBOXES}"
[accounts.alice.junk_filter]
threshold = 0.95
onegrams = true
max_power = 0.01
top_words = 10
ignore_words = 0.1
rare_words = 2
[accounts.bob.destinations."bob@example.org"]
"""


class Even:
    """Draws the same again and again: chances are even."""

    def token_bytes(self, count: int, /) -> bytes:
        return b"\x80" + bytes(count - 1)


@asynccontextmanager
async def judging_house(
    folder: Path, domains: str = DOMAINS, source: Source | None = None, **options: Any
) -> AsyncIterator[House]:
    resolver = Resolver(source or Table(NAMES))
    async with open_house(folder, domains, resolver=resolver, random=Even(), **options) as house:
        yield house


def mail(
    subject: str = "hi",
    body: str = "hello",
    *,
    sender: str = "ann@sender.example",
    to: str = "alice@example.org",
    **fields: str,
) -> bytes:
    """A message; its Message-ID is made of the subject."""
    head = {
        "From": f"<{sender}>",
        "To": f"<{to}>",
        "Subject": subject,
        "Message-ID": f"<{subject.replace(' ', '.')}@{sender.rpartition('@')[2]}>",
        "Date": "Sun, 01 Nov 2026 12:00:00 +0000",
        **fields,
    }
    return "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items()).encode() + (
        f"\r\n{body}\r\n".encode()
    )


def signed(octets: bytes, domain: str, selector: str = "k", **tags: Any) -> bytes:
    """The message with a signature of a domain."""
    return dkimkeys.signed(octets, key=dkimkeys.ed25519_key(), d=domain, s=selector, **tags)


class Sending:
    """A client that delivers."""

    def __init__(self, house: House, remote: str = IP, *, tls: TLSInfo | None = SECURE) -> None:
        self.client: Client = house.connect(remote, tls=tls)

    async def ask(self, octets: bytes) -> str:
        """The last line of the reply."""
        await self.client.send(octets)
        return await self.reply()

    async def reply(self) -> str:
        line = await self.client.line()
        while line[3:4] == b"-":
            line = await self.client.line()
        return line.decode()

    async def begin(
        self,
        *to: str,
        mail_from: str = "ann@sender.example",
        helo: str = "mail.sender.example",
        utf8: bool = False,
    ) -> None:
        """All up to the message."""
        assert (await self.reply()).startswith("220 ")
        assert (await self.ask(f"EHLO {helo}\r\n".encode())).startswith("250 ")
        await self.envelope(*to, mail_from=mail_from, utf8=utf8)

    async def envelope(self, *to: str, mail_from: str = "ann@sender.example", utf8: bool = False) -> None:
        parameter = " SMTPUTF8" if utf8 else ""
        for line in (f"MAIL FROM:<{mail_from}>{parameter}", *(f"RCPT TO:<{one}>" for one in to)):
            reply = await self.ask(f"{line}\r\n".encode())
            assert reply.startswith("250 "), (line, reply)
        assert (await self.ask(b"DATA\r\n")).startswith("354 ")

    async def message(self, octets: bytes) -> str:
        return await self.ask(octets + b".\r\n")


async def deliver(
    house: House, octets: bytes, *to: str, remote: str = IP, tls: TLSInfo | None = SECURE, **envelope: Any
) -> str:
    """The reply to a message, without the name of the connection."""
    sending = Sending(house, remote, tls=tls)
    await sending.begin(*(to or ("alice@example.org",)), **envelope)
    return without_id(await sending.message(octets))


def without_id(reply: str) -> str:
    """A reply without the name of its connection."""
    return re.sub(r" \([A-Za-z0-9_-]+\)$", "", reply)


def account(house: House, name: str = "alice") -> AccountID:
    with house.store.read() as tx:
        found = tx.account_id(name)
    assert found is not None
    return found


def ref(house: House, box: str, name: str = "alice") -> MailboxRef:
    with house.store.read() as tx:
        return MailboxRef(account(house, name), mailbox.by_name(tx, account(house, name), box).id)


def contents(house: House, name: str = "alice") -> dict[str, list[str]]:
    """Subjects of what each mailbox of an account has, oldest first; empty mailboxes are left out."""
    found: dict[str, list[str]] = {}
    with house.store.read() as tx:
        for box in tx.mailboxes(account(house, name)):
            for _, row in message.rows(tx, account(house, name), box.id):
                line = message.prepared(tx, account(house, name), row.id).fields.get("subject", b"")
                found.setdefault(box.name, []).append(line.partition(b":")[2].strip().decode())
    return found


def uids(house: House, box: str, name: str = "alice") -> list[int]:
    with house.store.read() as tx:
        return [uid for uid, _ in message.rows(tx, *ref(house, box, name))]


def reason(house: House, box: str = "alice/Inbox") -> str:
    """Why the last message of a mailbox is there."""
    found = re.match(rb"X-Mox-Reason: ([a-z0-9-]+)", house.last_message(box)[0])
    assert found is not None
    return found[1].decode()


def details(house: House, box: str = "alice/Inbox") -> str:
    """All of that field, unfolded."""
    added = house.last_message(box)[0]
    return re.sub(r"\r\n[ \t]+", " ", re.split(rb"\r\n(?![ \t])", added)[0].decode())


def actor(house: House, name: str = "alice") -> Actor:
    return Actor(account(house, name), name, f"{name}@example.org")


async def move(house: House, box: str, target: str, which: Sequence[int] | None = None, name: str = "alice") -> None:
    """As a user does it by IMAP."""
    source = ref(house, box, name)
    await messages.move(
        house.app, actor(house, name), source, uids(house, box, name) if which is None else which, target, None
    )


async def flag(house: House, box: str, keyword: str, name: str = "alice") -> None:
    """The last message of a mailbox gets a keyword."""
    await messages.store_flags(
        house.app, actor(house, name), ref(house, box, name), uids(house, box, name)[-1:], "+", [keyword], None
    )


async def learn(house: House, name: str = "alice") -> None:
    """The keeper of the filters does what it has to do."""
    await house.app.learner.look(house.store, house.app.config, account(house, name))


async def teach(house: House, words: Mapping[str, tuple[int, int]], *, hams: int = 50, spams: int = 50) -> None:
    """Alice has so many hams and spams; of each word, in how many of them it is."""
    target = ref(house, "Inbox")
    for judged, total, which in ((NOT_JUNK, hams, 0), (JUNK, spams, 1)):
        for number in range(total):
            known = " ".join(word for word, counts in words.items() if number < counts[which])
            new = new_message(house.store, f"X-Number: {number}\r\n\r\n{known}\r\n".encode())
            house.store.write_sync(message.add, *target, new, flags=judged)
    await learn(house)
    with house.store.read() as tx:
        state = junk.learned(tx, account(house))
    assert (state.hams, state.spams) == (hams, spams)


def evaluations(house: House, domain: str) -> list[evaluation.Evaluation]:
    """What is owed to a domain."""
    with house.store.read() as tx:
        return list(evaluation.owed(tx, domain))
