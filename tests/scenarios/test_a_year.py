"""A year of one user's mail: what comes, what the user does with it, and what the server makes of that.

Whoever writes is made up here, with a fixed seed. The user reads once a week: good mail goes to the archive, junk to
Junk; mailboxes' names teach the filter.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from appliance.dns.answers import Type
from appliance.dns.table import Table
from appliance.store import junk, message
from support.judging import (
    DOMAINS,
    FAR,
    HOST,
    IP,
    NAMES,
    SECURE,
    account,
    contents,
    deliver,
    judging_house,
    learn,
    mail,
    move,
    reason,
    ref,
    signed,
)
from support.smtphouse import House

WEEKS = 52
WEEK_SECONDS = 7 * 24 * 3600
STORED = "250 2.2.0 message is stored"
LATER = "451 4.3.0 error processing"

#: Two who have not written before the year is over, nor anybody like them.
STRANGERS = (100, 200)
#: What people write about, each with words of their own beside.
LIFE = (
    "garden dinner weekend sister train photos meeting school bicycle holiday coffee neighbour birthday concert".split()
)
TRADE = "order invoice parcel shipped delivery receipt warranty return basket payment account customer".split()
TALK = "patch release compiler branch review thread kernel parser benchmark module regression merge".split()
NEWS = "edition interview weekly column editors readers essay podcast archive society climate culture".split()
BAIT = "casino jackpot pills miracle crypto wallet winner refinance replica watches urgent unclaimed lottery".split()
COMMON = "the and you with have this that for from will would please about thanks know time today".split()

#: A list that rewrites nothing, for which the user has a rule; another, without.
RULE = """\
[[accounts.alice.destinations."alice@example.org".rulesets]]
headers_regexp = { "^list-id$" = "<dev.lists.example>" }
list_allow_domain = "lists.example"
mailbox = "Lists"
"""
YEAR = DOMAINS.replace(
    '[accounts.alice.destinations."alice@example.org"]\n',
    '[accounts.alice.destinations."alice@example.org"]\n' + RULE,
)


def _names() -> dict[str, Any]:
    """Everybody's domain, and the networks they send from."""
    names: dict[str, Any] = dict(NAMES)
    ours = {**HOST, Type.TXT: ["v=spf1 ip4:192.0.2.0/24 -all"]}
    names |= {f"{kind}{number}.example": ours for kind in ("home", "shop", "letter") for number in range(12)}
    names |= {f"home{number}.example": names["sender.example"] for number in STRANGERS}
    key = NAMES["k._domainkey.list.example"]
    names |= {"lists.example": ours, "k._domainkey.lists.example": key, "k._domainkey.club.example": key}
    names |= {"club.example": ours}
    # Posters whose domains want mail refused that a list brings in their name.
    names |= {f"_dmarc.poster{number}.example": {Type.TXT: ["v=DMARC1; p=reject"]} for number in range(9)}
    for number in range(256):
        ip = ip_address(f"100.64.{number}.9")
        names[ip.reverse_pointer] = {Type.PTR: [f"host{number}.cloud.example"]}
        names[f"host{number}.cloud.example"] = {Type.A: [ip]}
    for number in range(1000):
        policy = {Type.TXT: ["v=spf1 +all"]} if number % 2 else {}
        names[f"bulk{number}.example"] = {**HOST, **policy}
    return names


@dataclass
class Year:
    """The house, and what happened so far."""

    house: House
    dice: random.Random
    week: int = 0
    #: The reply to each message: kind, week, reply.
    told: list[tuple[str, int, str]] = field(default_factory=list)
    bulk: int = 0
    sent: int = 0

    def text(self, words: list[str], count: int = 12) -> str:
        return " ".join(self.dice.sample(words, min(len(words), count)) + self.dice.sample(COMMON, 8))

    async def send(self, kind: str, octets: bytes, **envelope: Any) -> str:
        reply = await deliver(self.house, octets, **envelope)
        self.told.append((kind, self.week, reply))
        return reply

    async def person(self, number: int, words: list[str] = LIFE) -> str:
        sender, remote = f"friend@home{number}.example", FAR if number in STRANGERS else IP
        return await self.send(
            "person", self.mail(sender, words), mail_from=sender, remote=remote, helo=f"home{number}.example"
        )

    async def business(self, kind: str, number: int, words: list[str]) -> str:
        sender = f"{kind}@{kind}{number}.example"
        return await self.send(kind, self.mail(sender, words), mail_from=f"bounce-{self.sent}@{kind}{number}.example")

    async def post(self, listed: str, words: list[str] = TALK) -> str:
        """Somebody new every time: it is the list that is known."""
        sender = (
            f"dev{self.sent}@poster{self.sent % 9}.example" if listed == "lists" else f"m@member{self.sent}.example"
        )
        octets = self.mail(sender, words, to=f"dev@{listed}.example", List_ID=f"<dev.{listed}.example>")
        return await self.send(listed, signed(octets, f"{listed}.example"), mail_from=f"dev@{listed}.example")

    async def spam(self, kind: str = "spam") -> str:
        """A new domain each time, from hosts that nobody knows, half of them without a name, half without TLS."""
        self.bulk += 1
        sender = f"{self.dice.choice(['info', 'sales', 'win'])}@bulk{self.bulk}.example"
        remote = f"203.0.113.{self.dice.randrange(256)}" if self.dice.random() < 0.5 else f"100.64.{self.bulk % 256}.9"
        octets = self.mail(sender, BAIT)
        tls = None if self.dice.random() < 0.5 else SECURE
        return await self.send(kind, octets, mail_from=sender, remote=remote, tls=tls, helo=f"bulk{self.bulk}.example")

    def mail(self, sender: str, words: list[str], **options: str) -> bytes:
        self.sent += 1
        subject = f"{self.dice.choice(words)} {self.dice.choice(words)}"
        return mail(subject, self.text(words), sender=sender, Message_ID=f"<{self.sent}@{sender}>", **options)

    async def read(self) -> None:
        """The user looks at the Inbox, and the filter learns."""
        bad, good = [], []
        with self.house.store.read() as tx:
            for uid, row in message.rows(tx, *ref(self.house, "Inbox")):
                sender = message.prepared(tx, account(self.house), row.id).fields["from"]
                (bad if b"@bulk" in sender else good).append(uid)
        for uids, target in ((bad, "Junk"), (good, "Archive")):
            if uids:
                await move(self.house, "Inbox", target, uids)
        await learn(self.house)

    async def pass_week(self) -> None:
        order = [
            *[partial(self.person, self.dice.randrange(12)) for _ in range(3)],
            partial(self.business, "shop", self.dice.randrange(5), TRADE),
            partial(self.business, "letter", self.dice.randrange(3), NEWS),
            partial(self.post, "lists"),
            partial(self.post, "club"),
            *[self.spam for _ in range(3)],
        ]
        self.dice.shuffle(order)
        for come in order:
            await come()
            self.house.app.clock.move(WEEK_SECONDS / len(order))  # type: ignore[attr-defined]
        await self.read()
        self.week += 1


async def test_a_year_of_mail(tmp_path: Path) -> None:
    async with judging_house(tmp_path, YEAR, Table(_names())) as house:
        year = Year(house, random.Random(20261101))
        for _ in range(WEEKS):
            await year.pass_week()

        refused = Counter(kind for kind, _, reply in year.told if reply != STORED)
        # Nobody but junk was ever refused, and in a language that says nothing.
        assert set(refused) == {"spam"}
        assert {reply for _, _, reply in year.told} == {STORED, LATER}
        # Junk from hosts with names came in until the filter had learnt enough, then no more.
        weeks = [week for kind, week, reply in year.told if kind == "spam" and reply == STORED]
        assert weeks
        assert max(weeks) < 10, "all of it is refused since"
        # What was refused for good is in nobody's way: two weeks of it are there to be looked through.
        assert 0 < len(contents(house)["Rejects"]) <= 3 * 3
        assert len(contents(house)["Lists"]) == WEEKS
        with house.store.read() as tx:
            state = junk.learned(tx, account(house))
        assert (state.hams, state.spams) == (WEEKS * 7, len(weeks))

        # Somebody new is read like anybody, but what he writes must not look like junk.
        assert await year.person(100) == STORED
        assert reason(house) == "no-bad-signals"
        # Whom she knows may write about whatever he likes; so may the lists.
        assert await year.person(3, BAIT) == STORED
        assert reason(house) == "msgfromfull"
        assert await year.post("lists", BAIT) == STORED
        assert reason(house, "alice/Lists") == "list-allow"
        assert await year.post("club", BAIT) == STORED
        assert reason(house) == "dkimspf"
        # A sender of junk never seen before.
        assert await year.spam() == LATER
        assert reason(house, "alice/Rejects") in {"junk-content", "junk-content-strict", "spf-policy"}
        assert f"@bulk{year.bulk}.example>".encode() in house.last_message("alice/Rejects")[1]

        # A stranger is misjudged; his first message is found among the rejects and moved, and his next comes in.
        assert await year.person(200, BAIT) == LATER
        with house.store.read() as tx:
            *_, (uid, _) = message.rows(tx, *ref(house, "Rejects"))
        await move(house, "Rejects", "Archive", [uid])
        assert await year.person(200, BAIT) == STORED
        assert reason(house) == "msgfromfull"
