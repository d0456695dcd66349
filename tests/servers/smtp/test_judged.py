"""Mail of other servers through the door: what each is told, where its message lies, and why."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from appliance.base import log as logs
from appliance.base.limits import HEADER
from appliance.delivery import decide, judge
from appliance.delivery.decide import NetworkLimits
from appliance.delivery.receive import deliveries
from appliance.dns.answers import Answer, Type
from appliance.dns.table import Table
from appliance.localserve import LocalPolicy
from appliance.mail.domain import parse_domain
from appliance.msgauth.dnsbl import SILENCE_SECONDS
from appliance.store import message, queued, report
from appliance.store.records import NOT_JUNK, SEEN
from appliance.store.report import Kind
from appliance.store.store import Store
from support import reports
from support.judging import (
    DOMAINS,
    FAR,
    IP,
    NAMELESS,
    NAMES,
    Sending,
    contents,
    deliver,
    details,
    evaluations,
    flag,
    judging_house,
    mail,
    move,
    reason,
    ref,
    signed,
    teach,
    without_id,
)
from support.smtphouse import STATIC

DELIVERED = "250 2.2.0 message is stored"
GENERIC = "451 4.3.0 error processing"
LIST = parse_domain("bl.example")
ALICE, BOB = "alice@example.org", "bob@example.org"


def listing(*ips: str, health: bool = True) -> dict[str, Any]:
    """A block list that has these addresses."""
    listed = [".".join(reversed(ip.split("."))) for ip in (*ips, *(["127.0.0.2"] if health else []))]
    records = {Type.A: [ip_address("127.0.0.2")], Type.TXT: ["seen sending spam ☹"]}
    return {f"{name}.bl.example": records for name in listed}


def ruled(rules: str, domains: str = DOMAINS) -> str:
    """Alice's address has a rule."""
    table = '[accounts.alice.destinations."alice@example.org"]\n'
    rule = f'[[accounts.alice.destinations."alice@example.org".rulesets]]\n{rules}\n'
    return domains.replace(table, table + rule)


FORWARD = 'smtp_mail_from_regexp = "@sender.example$"\nverified_domain = "sender.example"\nis_forward = true\n'
ALLOW = 'headers_regexp = { "^list-id$" = "." }\nlist_allow_domain = "list.example"\nmailbox = "Lists"\n'


# Content.


async def test_strict_content(tmp_path: Path) -> None:
    """Whatever looks odd lowers the threshold for strangers from 0.95 to 0.25; nothing does for the known."""
    found = {}
    odd: dict[str, dict[str, Any]] = {
        "usual": {},
        "no TLS": {"tls": None},
        "not in To": {"to": "carol@example.net"},
        "no reverse name": {"remote": NAMELESS},
    }
    async with judging_house(tmp_path) as house:
        await teach(house, {"perhaps": (40, 10), "probably": (35, 15)})  # Shares of junk: 0.2, 0.3.
        for name, options in odd.items():
            for word in ("perhaps", "probably"):
                to = options.get("to", ALICE)
                subject = f"{name} {word}".replace(" ", "")
                octets = mail(subject, word, sender=f"{subject}@plain.example", to=to)
                reply = await deliver(house, octets, **{key: options[key] for key in options if key != "to"})
                found[name, word] = (reply, reason(house, f"alice/{'Inbox' if reply == DELIVERED else 'Rejects'}"))
        good, bad = (DELIVERED, "no-bad-signals"), (GENERIC, "junk-content-strict")
        assert found == {
            ("usual", "perhaps"): good,
            ("usual", "probably"): good,
            **{(name, "perhaps"): good for name in odd if name != "usual"},
            **{(name, "probably"): bad for name in odd if name != "usual"},
        }
        # Whom she knows is not looked at so closely.
        assert await deliver(house, mail("first")) == DELIVERED
        await flag(house, "Inbox", "$NotJunk")
        assert (
            await deliver(house, mail("second", "probably", to="x@example.net"), tls=None, remote=NAMELESS) == DELIVERED
        )
        assert reason(house) == "msgfromfull"


@pytest.mark.parametrize(
    ("hams", "remote", "verdict"),
    [
        (49, IP, (DELIVERED, "no-bad-signals")),
        (50, IP, (GENERIC, "junk-content-strict")),
        (49, NAMELESS, (GENERIC, "junk-content-strict")),
    ],
)
async def test_a_filter_that_knows_little(tmp_path: Path, hams: int, remote: str, verdict: tuple[str, str]) -> None:
    async with judging_house(tmp_path) as house:
        await teach(house, {"probably": (0, 20)}, hams=hams)
        reply = await deliver(house, mail("offer", "probably", sender="x@plain.example"), tls=None, remote=remote)
        assert (reply, reason(house, f"alice/{'Inbox' if reply == DELIVERED else 'Rejects'}")) == verdict


async def test_test_programs_are_not_looked_at_so_closely(tmp_path: Path) -> None:
    """In localserve neither a connection without TLS nor a recipient in no field makes a stranger's mail junk."""
    async with judging_house(tmp_path, judging=LocalPolicy().limits) as house:
        await teach(house, {"probably": (30, 20), "jackpot": (0, 40)})
        for number, (text, to) in enumerate((("hello", ALICE), ("probably", "x@example.net"))):
            octets = mail(f"m{number}", text, sender=f"x{number}@plain.example", to=to)
            assert await deliver(house, octets, tls=None, remote=NAMELESS) == DELIVERED
            assert reason(house) == "no-bad-signals"
        junk = mail("jackpot", "jackpot", sender="x@junk.plain.example")
        assert await deliver(house, junk, tls=None) == GENERIC
        assert reason(house, "alice/Rejects") == "junk-content"


async def test_words_are_told(tmp_path: Path) -> None:
    """The header says which words; what is not ASCII only where the message is not, either."""
    async with judging_house(tmp_path) as house:
        await teach(house, {"größe": (0, 40), "pills": (0, 40), "lunch": (40, 0)})
        for utf8 in (False, True):
            octets = mail("größe" if utf8 else "size", "größe pills pills", sender="x@plain.example")
            assert await deliver(house, octets, utf8=utf8) == GENERIC
            told = details(house, "alice/Rejects")
            assert told.startswith("X-Mox-Reason: junk-content; reputation unknown by none")
            assert "content junk 1.00, threshold 0.95, ham words: none; spam words: " in told
            assert ("größe 0.990" in told, "(non-ascii) 0.990" in told) == (utf8, not utf8)
            assert "pills 0.990" in told
            assert house.last_message("alice/Rejects")[0].isascii() == (not utf8)


# Rates.


def limits(**first: int) -> decide.Limits:
    """Of the client's own address; its neighbours send what they want."""
    many = {"messages_minute": 100, "messages_day": 1000, "octets_minute": 10**9, "octets_day": 10**9}
    return replace(decide.DEFAULT_LIMITS, networks=(NetworkLimits(**{**many, **first}),))


HIGH_RATE = "452 4.2.2 too many messages from your network"


@pytest.mark.parametrize(
    ("first", "lasts_seconds"),
    [
        ({"messages_minute": 2}, 60),
        ({"messages_day": 2}, 24 * 3600),
        ({"octets_minute": 7000}, 60),
        ({"octets_day": 7000}, 24 * 3600),
    ],
)
async def test_rates(tmp_path: Path, first: dict[str, int], lasts_seconds: int) -> None:
    async with judging_house(tmp_path, judging=limits(**first)) as house:
        before = deliveries.labels("highrate", "high-rate").value
        for subject in ("a", "b"):
            assert await deliver(house, mail(subject, "x" * 1000)) == DELIVERED
        big = mail("c", "x" * 3000)
        assert await deliver(house, big) == HIGH_RATE
        assert contents(house) == {"Inbox": ["a", "b"]}, "nothing of it is kept"
        assert deliveries.labels("highrate", "high-rate").value == before + 1
        assert await deliver(house, big, remote=FAR) == DELIVERED
        assert await deliver(house, big, BOB) == DELIVERED, "another account"
        house.app.clock.move(lasts_seconds - 1)  # type: ignore[attr-defined]
        assert await deliver(house, big) == HIGH_RATE
        house.app.clock.move(1)  # type: ignore[attr-defined]
        assert await deliver(house, big) == DELIVERED


async def test_rates_count_what_was_refused_and_kept(tmp_path: Path) -> None:
    async with judging_house(tmp_path, judging=limits(messages_minute=2)) as house:
        for subject in ("a", "a", "b"):
            assert await deliver(house, mail(subject), mail_from="x@fail.example") == GENERIC
        assert await deliver(house, mail("c"), mail_from="x@fail.example") == HIGH_RATE
        assert contents(house) == {"Rejects": ["a", "b"]}


async def test_a_ruleset_does_not_keep_what_is_too_much(tmp_path: Path) -> None:
    domains = ruled('smtp_mail_from_regexp = "."\naccept_rejects_to_mailbox = "Odd"')
    async with judging_house(tmp_path, domains, judging=limits(messages_minute=0)) as house:
        assert await deliver(house, mail()) == HIGH_RATE
        assert contents(house) == {}


# DMARC.

NO_POLICY = "550 5.7.26 refused by the DMARC policy of From"


@pytest.mark.parametrize(
    ("domain", "rules", "verdict", "disposition", "overrides"),
    [
        ("reject", "", (NO_POLICY, "Rejects", "dmarc-policy"), "reject", []),
        ("quarantine", "", (NO_POLICY, "Rejects", "dmarc-policy"), "reject", []),
        ("none", "", (DELIVERED, "Inbox", "no-bad-signals"), "none", []),
        ("spared", "", (DELIVERED, "Inbox", "no-bad-signals"), "none", ["sampled_out"]),
        ("reject", FORWARD, (DELIVERED, "Inbox", "no-bad-signals"), "none", ["forwarded"]),
        ("reject", ALLOW, (DELIVERED, "Lists", "list-allow"), "none", ["mailing_list"]),
        ("none", ALLOW, (DELIVERED, "Lists", "list-allow"), "none", []),
        (
            "reject",
            'smtp_mail_from_regexp = "."\naccept_rejects_to_mailbox = "Odd"\n',
            (DELIVERED, "Odd", "dmarc-policy"),
            "quarantine",
            ["local_policy"],
        ),
    ],
)
async def test_dmarc(
    tmp_path: Path, domain: str, rules: str, verdict: tuple[str, str, str], disposition: str, overrides: list[str]
) -> None:
    name = f"{domain}.example"
    octets = signed(mail(sender=f"boss@{name}", List_ID="<talk.list.example>"), "list.example")
    async with judging_house(tmp_path, ruled(rules) if rules else DOMAINS) as house:
        reply = await deliver(house, octets)
        assert list(contents(house)) == [verdict[1]]
        assert (reply, verdict[1], reason(house, f"alice/{verdict[1]}")) == verdict
        (noted,) = evaluations(house, name)
        assert noted.record.disposition == disposition
        assert [one.type for one in noted.record.reasons] == overrides
        assert (noted.record.source_ip, noted.record.header_from, noted.record.envelope_to) == (IP, name, "example.org")
        assert noted.addresses == (f"mailto:dmarc@{name}",)
        # Refusing what somebody forged in a name never heard of is not worth a report.
        assert noted.optional == (verdict[2] == "dmarc-policy")
        comment = (
            f"dmarc=fail (without dnssec, override {overrides[0]})"
            if overrides and overrides != ["local_policy"]
            else "dmarc=fail"
        )
        assert comment in re.sub(r"\s+", " ", house.last_message(f"alice/{verdict[1]}")[0].decode())


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [(HEADER.fields - 5, NO_POLICY), (HEADER.fields - 4, "552 5.3.4 the header of the message is too large")],
)
async def test_no_part_of_a_header_goes_unread(tmp_path: Path, fields: int, verdict: str) -> None:
    """Or From could be hidden from DMARC, and shown to the reader."""
    async with judging_house(tmp_path) as house:
        octets = b"X: y\r\n z\r\n" * fields + mail(sender="boss@reject.example")
        assert await deliver(house, octets) == verdict


async def test_refusals_for_now_are_not_reported(tmp_path: Path) -> None:
    async with judging_house(tmp_path) as house:
        octets = mail(sender="boss@none.example")
        assert await deliver(house, octets, mail_from="x@fail.example") == GENERIC
        assert evaluations(house, "none.example") == []


async def test_a_list_that_is_not_verified_is_judged(tmp_path: Path) -> None:
    async with judging_house(tmp_path, ruled(ALLOW)) as house:
        octets = mail(sender="boss@reject.example", List_ID="<talk.list.example>")
        assert await deliver(house, octets) == NO_POLICY
        assert "mailing list of list.example, but that is not verified" in details(house, "alice/Rejects")


# Rejects.


async def test_a_refused_message_is_kept_once(tmp_path: Path) -> None:
    """Retries add nothing; moved to the Inbox and marked it opens the door, and an accepted copy takes it away."""
    source = Table({**NAMES, **listing(IP)})
    async with judging_house(tmp_path, source=source, blocklists=(LIST,)) as house:
        before = deliveries.labels("reject", "dns-blocklisted").value
        for _ in range(3):
            assert await deliver(house, mail("one")) == GENERIC
        assert contents(house) == {"Rejects": ["one"]}
        assert deliveries.labels("reject", "dns-blocklisted").value == before + 3
        assert await deliver(house, mail("two")) == GENERIC
        assert contents(house) == {"Rejects": ["one", "two"]}
        with house.store.read() as tx:
            (first, second) = [row for _, row in message.rows(tx, *ref(house, "Rejects"))]
            assert first.flags & second.flags & SEEN
        await move(house, "Rejects", "Inbox", [1])
        assert await deliver(house, mail("three")) == GENERIC, "the Inbox says nothing about its messages"
        await flag(house, "Inbox", "$NotJunk")
        assert await deliver(house, mail("two")) == DELIVERED
        assert reason(house) == "msgfromfull"
        assert contents(house) == {"Inbox": ["one", "two"], "Rejects": ["three"]}


async def test_a_rescued_message_does_not_come_again(tmp_path: Path) -> None:
    """Whatever would become of it now; another one is another one, and each reader has his own."""
    source = Table({**NAMES, **listing(IP)})
    domains = DOMAINS.replace("[accounts.bob.", '[accounts.bob]\nrejects_mailbox = "Rejects"\n[accounts.bob.')
    async with judging_house(tmp_path, domains, source=source, blocklists=(LIST,)) as house:
        before = deliveries.labels("delivered", "rescued").value
        assert await deliver(house, mail("one"), ALICE, BOB) == GENERIC
        await move(house, "Rejects", "Inbox")
        assert await deliver(house, mail("one")) == DELIVERED
        # Bob has refused it, which is no reason for its sender to come a third time for Alice.
        assert await deliver(house, mail("one"), ALICE, BOB) == DELIVERED
        assert await deliver(house, mail("one", "something else")) == GENERIC
        assert contents(house) == {"Inbox": ["one"], "Rejects": ["one"]}
        assert contents(house, "bob") == {"Rejects": ["one"]}
        await move(house, "Inbox", "Trash")
        await flag(house, "Trash", "$NotJunk")
        assert await deliver(house, mail("one")) == DELIVERED
        assert contents(house) == {"Trash": ["one"], "Rejects": ["one"]}
        assert deliveries.labels("delivered", "rescued").value == before + 3


async def test_nothing_is_written_for_what_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    async def body(store: Store, spooled: Any) -> Any:
        nonlocal written
        written += 1
        return await kept(store, spooled)

    kept = Store.body
    monkeypatch.setattr(Store, "body", body)
    async with judging_house(tmp_path, judging=limits(messages_minute=2)) as house:
        for to in (ALICE, ALICE, BOB):
            assert await deliver(house, mail("one"), to, mail_from="x@fail.example") == GENERIC
        assert written == 1, "one copy for Alice; Bob keeps none"
        assert await deliver(house, mail("two"), ALICE, BOB) == DELIVERED
        assert await deliver(house, mail("three")) == HIGH_RATE
        assert written == 2


@pytest.mark.parametrize("times", [1, 2])
async def test_what_a_rule_puts_among_the_rejects_stays(tmp_path: Path, times: int) -> None:
    """It was accepted, so it must not go as the copy of a refused one does when its message is accepted."""
    domains = ruled('smtp_mail_from_regexp = "."\naccept_rejects_to_mailbox = "Rejects"')
    async with judging_house(tmp_path, domains) as house:
        for _ in range(times):
            assert await deliver(house, mail("odd"), mail_from="x@fail.example") == DELIVERED
        assert contents(house) == {"Rejects": ["odd"] * times}
        assert reason(house, "alice/Rejects") == "spf-policy"


async def test_without_a_mailbox_for_them_nothing_is_kept(tmp_path: Path) -> None:
    async with judging_house(tmp_path) as house:
        assert await deliver(house, mail("odd", to=BOB), BOB, mail_from="x@fail.example") == GENERIC
        assert contents(house, "bob") == {}


# Block lists.


class Asked:
    """A source that notes what a block list is asked, and may never answer."""

    def __init__(
        self, table: Table, *, hangs: bool = False, zone: str = ".bl.example", types: set[Type] | None = None
    ) -> None:
        self.table = table
        self.hangs = hangs
        self.zone = zone
        self.types = types or set(Type)
        self.names: list[str] = []

    async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
        if name.endswith(self.zone) and type in self.types:
            self.names.append(name)
            if self.hangs:
                await trio.sleep_forever()
        return self.table.answer(name, type)

    async def watch(self) -> None: ...


async def test_listed(tmp_path: Path) -> None:
    source = Asked(Table({**NAMES, **listing(IP)}))
    async with judging_house(tmp_path, source=source, blocklists=(LIST,)) as house:
        assert await deliver(house, mail(), ALICE, BOB) == GENERIC
        assert reason(house, "alice/Rejects") == "dns-blocklisted"
        assert details(house, "alice/Rejects").endswith("; listed by bl.example: seen sending spam (non-ascii)")
        address = "1.2.0.192.bl.example"
        assert source.names.count(address) == 2, "once for both recipients: address and explanation"


async def test_not_listed(tmp_path: Path) -> None:
    async with judging_house(tmp_path, source=Table({**NAMES, **listing(FAR)}), blocklists=(LIST,)) as house:
        assert await deliver(house, mail()) == DELIVERED
        assert reason(house) == "no-bad-signals"


async def test_a_list_that_lists_nothing_is_not_believed(tmp_path: Path) -> None:
    source = Table({**NAMES, **listing(IP, health=False)})
    async with judging_house(tmp_path, source=source, blocklists=(LIST,)) as house:
        assert await deliver(house, mail()) == DELIVERED


async def test_lists_are_asked_last(tmp_path: Path) -> None:
    """Not about those whom the account knows, nor about junk."""
    source = Asked(Table({**NAMES, **listing(FAR)}))
    async with judging_house(tmp_path, source=source, blocklists=(LIST,)) as house:
        await teach(house, {"pills": (0, 40)})
        assert await deliver(house, mail("a", "pills", sender="x@plain.example")) == GENERIC
        assert await deliver(house, mail("b"), mail_from="x@fail.example") == GENERIC
        assert source.names == []
        assert await deliver(house, mail("c")) == DELIVERED
        assert source.names
        await flag(house, "Inbox", "$NotJunk")
        source.names.clear()
        assert await deliver(house, mail("d")) == DELIVERED
        assert (source.names, reason(house)) == ([], "msgfromfull")


async def test_lists_that_do_not_answer(tmp_path: Path, mock_clock: MockClock) -> None:
    """Ten seconds for each, half a minute for all, whoever else gets the message; then they are left alone for a while."""
    source = Asked(Table({**NAMES, **listing(IP)}), hangs=True)
    zones = [parse_domain(f"{name}.bl.example") for name in "abcd"]
    async with judging_house(tmp_path, source=source, blocklists=zones) as house:

        async def last(subject: str) -> float:
            """The seconds until the reply to a message, in steps of ten."""
            sending = Sending(house)
            await sending.begin(ALICE, BOB)
            began = trio.current_time()
            replies: list[str] = []

            async def read() -> None:
                replies.append(without_id(await sending.reply()))

            async with trio.open_nursery() as nursery:
                await sending.client.send(mail(subject) + b".\r\n")
                nursery.start_soon(read)
                while not replies:
                    await turn()
                    if abs(trio.lowlevel.current_statistics().seconds_to_next_deadline - judge.LIST_SECONDS) < 0.01:
                        mock_clock.jump(judge.LIST_SECONDS)
            assert replies == [DELIVERED]
            return trio.current_time() - began

        assert await last("one") == judge.LISTINGS_SECONDS
        assert await last("two") == 2 * judge.LIST_SECONDS, "there was no time to be sure of two of them"
        assert await last("three") == 0
        house.app.clock.move(SILENCE_SECONDS)  # type: ignore[attr-defined]
        assert await last("four") == judge.LISTINGS_SECONDS


# Tokens.


async def test_token(tmp_path: Path) -> None:
    domains = DOMAINS.replace(
        "[accounts.alice.junk", '[accounts.alice.subject_pass]\nperiod = "12h"\n[accounts.alice.junk'
    )
    async with judging_house(tmp_path, domains, Table({**NAMES, **listing(IP)}), blocklists=(LIST,)) as house:

        async def send(subject: str, sender: str = "ann@big.example") -> str:
            return await deliver(house, mail(subject, sender=sender), mail_from=sender)

        told = await send("offer")
        assert told.startswith("550 5.7.1 ")
        token = re.search(r"\(pass:[^)]+\)", told)
        assert token is not None
        assert reason(house, "alice/Rejects") == "give-subjectpass"
        assert (await send(f"eve {token[0]}", "eve@big.example")).startswith("550 5.7.1 ")
        assert await send(f"Re: offer {token[0]}") == DELIVERED
        assert reason(house) == "subjectpass"
        assert await send("no DMARC", "x@plain.example") == GENERIC
        house.app.clock.move(13 * 3600)  # type: ignore[attr-defined]
        assert (await send(f"late {token[0]}")).startswith("550 5.7.1 ")


# Waiting.

DELAY = 15.0


async def turn() -> None:
    """Threads, of which the store has one, come to do something."""
    await trio.to_thread.run_sync(int)


async def waits(house: Any, clock: MockClock, octets: bytes, *to: str, **envelope: Any) -> float:
    """How long a message waited: 0 or DELAY."""
    sending = Sending(house)
    await sending.begin(*(to or (ALICE,)), **envelope)
    replies: list[str] = []

    async def read() -> None:
        replies.append(without_id(await sending.reply()))

    waited = 0.0
    async with trio.open_nursery() as nursery:
        await sending.client.send(octets + b".\r\n")
        nursery.start_soon(read)
        while not replies:
            await turn()
            # Nothing else in the house ends so soon.
            if abs(trio.lowlevel.current_statistics().seconds_to_next_deadline - DELAY) < 0.01:
                clock.jump(DELAY)
                waited += DELAY
    assert replies == [DELIVERED]
    return waited


REPORTS = '[domains."example.org"]\ndmarc = { localpart = "dmarc", account = "alice", mailbox = "DMARC" }\n'
OURS = '[domains."ours.example"]\n'


async def test_strangers_wait_once(tmp_path: Path, mock_clock: MockClock) -> None:
    async with judging_house(tmp_path, first_time_delay_seconds=DELAY) as house:
        assert await waits(house, mock_clock, mail(), ALICE, BOB) == DELAY
        assert reason(house) == "no-bad-signals"
        await flag(house, "Inbox", "$NotJunk")
        assert await waits(house, mock_clock, mail("known"), ALICE) == 0
        sending = Sending(house)
        await sending.begin(ALICE, mail_from="x@fail.example", helo="plain.example")
        assert without_id(await sending.message(mail("bad", sender="x@plain.example"))) == GENERIC, "the refused do not"


@pytest.mark.parametrize(
    ("domains", "octets", "to"),
    [
        pytest.param(ruled(FORWARD), mail(), ALICE, id="forwarded"),
        pytest.param(ruled(ALLOW), signed(mail(List_ID="<x>"), "list.example"), ALICE, id="list"),
        pytest.param(
            DOMAINS.replace("[accounts.alice]\n", "[accounts.alice]\nno_first_time_sender_delay = true\n"),
            mail(),
            ALICE,
            id="as the account likes it",
        ),
        pytest.param(
            DOMAINS.replace('[domains."example.org"]\n', REPORTS + OURS),
            signed(reports.dmarc_mail(), "big.example", names="from:subject"),
            "dmarc@example.org",
            id="report",
        ),
    ],
)
async def test_who_does_not_wait(tmp_path: Path, mock_clock: MockClock, domains: str, octets: bytes, to: str) -> None:
    async with judging_house(tmp_path, domains, first_time_delay_seconds=DELAY) as house:
        assert await waits(house, mock_clock, octets, to, mail_from="r@sender.example") == 0


async def test_whoever_waits_when_the_house_closes_comes_again(tmp_path: Path, mock_clock: MockClock) -> None:
    async with judging_house(tmp_path, first_time_delay_seconds=DELAY) as house:
        sending = Sending(house)
        await sending.begin(ALICE)
        await sending.client.send(mail() + b".\r\n")
        while abs(trio.lowlevel.current_statistics().seconds_to_next_deadline - DELAY) > 0.01:
            await turn()
        house.app.shutdown.request()
        assert (await sending.reply()).startswith("451 4.3.2 ")
        assert contents(house) == {}


@pytest.mark.parametrize("notify", ["", " NOTIFY=SUCCESS"])
async def test_a_house_that_closes_waits_for_no_answer(tmp_path: Path, notify: str) -> None:
    """Of the DNS, which may take a minute, behind a shield."""
    source = Asked(Table(NAMES), hangs=True, zone="plain.example", types={Type.TXT})
    async with judging_house(tmp_path, source=source) as house:
        sending = Sending(house)
        await sending.reply()
        for line in ("EHLO x.example", "MAIL FROM:<x@plain.example>", f"RCPT TO:<{ALICE}>{notify}", "DATA"):
            await sending.ask(f"{line}\r\n".encode())
        await sending.client.send(mail() + b".\r\n")
        while not source.names:
            await turn()
        house.app.shutdown.request()
        assert (await sending.reply()).startswith("451 4.3.2 ")
        assert contents(house) == {}


# Reports.

REPORTING = DOMAINS.replace(
    '[domains."example.org"]\n',
    '[domains."example.org"]\ndmarc = { localpart = "dmarc", account = "alice", mailbox = "DMARC" }\n'
    'tlsrpt = { localpart = "tls", account = "alice", mailbox = "TLSRPT" }\n[domains."ours.example"]\n',
)


def late(xml: bytes = reports.PLAIN) -> bytes:
    return xml.replace(b"<end>1700092799</end>", b"<end>1900092799</end>")


def from_(octets: bytes, domain: str) -> bytes:
    return octets.replace(b"r@big.example", f"r@{domain}".encode(), 1)


@pytest.mark.parametrize(
    ("box", "octets", "problem"),
    [
        ("DMARC", signed(reports.dmarc_mail(), "big.example", names="from:subject"), ""),
        ("DMARC", from_(reports.dmarc_mail(), "plain.example"), "the message does not pass DMARC"),
        ("DMARC", signed(reports.dmarc_mail(late()), "big.example", names="from:subject"), "ends in the future"),
        (
            "DMARC",
            signed(reports.dmarc_mail(reports.PLAIN.replace(b"ours.", b"theirs.")), "big.example", names="from:subject"),
            "theirs.example, which is not a domain here",
        ),
        ("DMARC", signed(mail(sender="x@big.example"), "big.example"), "no report in the message"),
        ("TLSRPT", signed(reports.tls_mail(), "big.example", names="from:subject"), ""),
        ("TLSRPT", signed(from_(reports.tls_mail(), "plain.example"), "plain.example", "reports", names="from:subject"), ""),
        ("TLSRPT", from_(reports.tls_mail(), "plain.example"), "no DKIM signature that vouches"),
        ("TLSRPT", signed(from_(reports.tls_mail(), "plain.example"), "sender.example", names="from:subject"), "no DKIM signature that vouches"),
        (
            "TLSRPT",
            signed(reports.tls_mail(reports.TLS.replace(b"ours.", b"theirs.")), "big.example", names="from:subject"),
            "no policy of a domain here",
        ),
    ],
)  # fmt: skip
async def test_reports(tmp_path: Path, box: str, octets: bytes, problem: str) -> None:
    kind, name = {"DMARC": (Kind.DMARC, "dmarc"), "TLSRPT": (Kind.TLS, "tls")}[box]
    async with judging_house(tmp_path, REPORTING) as house:
        assert await deliver(house, octets, f"{name}@example.org", mail_from="x@sender.example") == DELIVERED
        with house.store.read() as tx:
            ((_, row),) = message.rows(tx, *ref(house, box))
            kept = report.domains(tx, kind)
        added = house.last_message(f"alice/{box}")[0].decode()
        fields = re.findall(r"(?m)^X-Mox-(DMARC|TLS)Report-Error: ((?:.*\r\n)(?:[ \t].*\r\n)*)", added)
        assert bool(row.flags & SEEN) == bool(kept) == (not problem)
        if problem:
            ((word, text),) = fields
            assert word == {"DMARC": "DMARC", "TLSRPT": "TLS"}[box]
            assert problem in re.sub(r"\s+", " ", text)
        else:
            assert fields == []
            assert "ours.example" in kept
            assert reason(house, f"alice/{box}") == "reporting"


async def test_a_key_for_reports_says_nothing_about_mail(tmp_path: Path) -> None:
    async with judging_house(tmp_path) as house:
        octets = signed(mail(sender="x@plain.example"), "plain.example", "reports")
        assert await deliver(house, octets, mail_from="x@sender.example") == DELIVERED
        added = re.sub(r"\s+", " ", house.last_message("alice/Inbox")[0].decode())
        assert "dkim=permerror" in added
        assert "key is not for mail" in added


async def test_mail_about_reports_makes_no_report_by_itself(tmp_path: Path) -> None:
    """Or two servers would write to each other for ever."""
    async with judging_house(tmp_path, REPORTING) as house:
        octets = signed(reports.dmarc_mail(), "big.example", names="from:subject")
        assert await deliver(house, octets, "dmarc@example.org", mail_from="x@sender.example") == DELIVERED
        assert [one.optional for one in evaluations(house, "big.example")] == [True]


# What is told.


async def test_refusals_for_junk_are_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody learns why."""
    found: dict[str, str] = {}

    async def refuse(house: Any, octets: bytes, **options: Any) -> None:
        reply = await deliver(house, octets, **options)
        found[reason(house, "alice/Rejects")] = reply

    def broken(*_: object, **__: object) -> None:
        raise OSError("disk on fire")

    async with judging_house(tmp_path, source=Table({**NAMES, **listing(FAR)}), blocklists=(LIST,)) as house:
        await teach(house, {"pills": (0, 40)})
        await refuse(house, mail("a"), mail_from="x@fail.example")
        await refuse(house, mail("b", "pills", sender="x@plain.example"))
        await refuse(house, mail("c", "pills", sender="x@plain.example"), tls=None)
        await refuse(house, mail("d", sender="x@plain.example"), remote=FAR)
        assert await deliver(house, mail("e", sender="junk@sender.example")) == DELIVERED
        await flag(house, "Inbox", "$Junk")
        await refuse(house, mail("f", sender="junk@sender.example"))
        # One message of the network is junk: that does not decide, unless its hosts have no name either.
        await deliver(house, mail("g", sender="x@plain.example"), "alice@example.org", mail_from="", remote=NAMELESS)
        await flag(house, "Inbox", "$Junk")
        await refuse(house, mail("h", sender="x@other.example"), mail_from="", remote=NAMELESS)
        with monkeypatch.context() as patched:
            patched.setattr(judge.reputation, "evaluate", broken)
            await refuse(house, mail("i"))
        with monkeypatch.context() as patched:
            patched.setattr(judge.junk, "classify", broken)
            await refuse(house, mail("j", sender="y@plain.example"), mail_from="")
        with monkeypatch.context() as patched:
            patched.setattr(judge.stored, "rates", broken)
            found["checkrates"] = await deliver(house, mail("k"))
    assert set(found) == {
        "spf-policy",
        "junk-content",
        "junk-content-strict",
        "dns-blocklisted",
        "msgfromfull",
        "iprev",
        "reputation-error",
        "junk-classify-error",
        "checkrates",
    }
    assert set(found.values()) == {GENERIC}


ACCEPTED = """\
X-Mox-Reason: no-bad-signals;
 reputation unknown by none, does not decide: no history of this sender;
 content good (not significant) 0.50, threshold 0.95, ham words: none; spam
 words: none
Delivered-To: alice@example.org
Return-Path: <ann@sender.example>
Authentication-Results: mx.example; iprev=pass (without dnssec)
\tpolicy.iprev=192.0.2.1 (mail.sender.example); dkim=pass (without dnssec)
\theader.d=list.example header.s=k header.a=ed25519-sha256
\theader.b="D/4OheqpcPpt"; spf=pass (without dnssec)
\tsmtp.mailfrom=ann@sender.example; spf=pass (without dnssec)
\tsmtp.helo=mail.sender.example; dmarc=fail (without dnssec)
\theader.from=none.example
Received-SPF: pass (sender.example permits 192.0.2.1) client-ip=192.0.2.1;
\tenvelope-from="ann@sender.example"; helo=mail.sender.example;
\tmechanism="ip4:192.0.2.0/24"; receiver=mx.example; identity=mailfrom
Received: from mail.sender.example ([192.0.2.1]) by mx.example ([192.0.2.2])
\tvia tcp with ESMTPS id _9PGO9-ywP4Oy3jmRJZ4aA
\t(TLS1.3 TLS_AES_128_GCM_SHA256) for <alice@example.org>;
\tSun, 01 Nov 2026 12:00:00 +0000
"""

REFUSED = """\
X-Mox-Reason: spf-policy;
 reputation unknown by none, does not decide: no history of this sender;
 SPF of MAIL FROM: fail
Delivered-To: alice@example.org
Return-Path: <x@fail.example>
Authentication-Results: mx.example; iprev=pass (without dnssec)
\tpolicy.iprev=192.0.2.1 (mail.sender.example); dkim=none; spf=fail (without
\tdnssec) smtp.mailfrom=x@fail.example; spf=pass (without dnssec)
\tsmtp.helo=mail.sender.example; dmarc=fail (without dnssec)
\theader.from=none.example
Received-SPF: fail (fail.example does not permit 192.0.2.1)
\tclient-ip=192.0.2.1; envelope-from="x@fail.example";
\thelo=mail.sender.example; mechanism=-all; receiver=mx.example;
\tidentity=mailfrom
Received: from mail.sender.example ([192.0.2.1]) by mx.example ([192.0.2.2])
\tvia tcp with ESMTPS id _9PGO9-ywP4Oy3jmRJZ4aA
\t(TLS1.3 TLS_AES_128_GCM_SHA256) for <alice@example.org>;
\tSun, 01 Nov 2026 12:00:00 +0000
"""


async def test_what_stands_before_the_message(tmp_path: Path) -> None:
    async with judging_house(tmp_path) as house:
        assert await deliver(house, signed(mail(sender="boss@none.example"), "list.example")) == DELIVERED
        accepted = house.last_message("alice/Inbox")[0].decode()
        assert await deliver(house, mail(sender="boss@none.example"), mail_from="x@fail.example") == GENERIC
        refused = house.last_message("alice/Rejects")[0].decode()
    assert accepted == ACCEPTED.replace("\n", "\r\n")
    assert refused == REFUSED.replace("\n", "\r\n")


# Several recipients.

ALIAS = DOMAINS.replace(
    '[domains."example.org"]\n',
    '[domains."example.org"]\n[domains."example.org".aliases.team]\n'
    f'addresses = ["{ALICE}", "{BOB}"]\npost_public = true\n',
)


async def test_a_member_that_refuses_has_it_among_the_rejects(tmp_path: Path) -> None:
    async with judging_house(tmp_path, ALIAS) as house:
        await teach(house, {"pills": (0, 40)})
        octets = mail("offer", "pills", sender="x@none.example", to="team@example.org")
        assert await deliver(house, octets, "team@example.org") == DELIVERED
        assert (contents(house), contents(house, "bob")) == (
            {"Inbox": [""] * 100, "Rejects": ["offer"]},
            {"Inbox": ["offer"]},
        )
        assert len(evaluations(house, "none.example")) == 1, "an alias is one recipient"
        added = house.last_message("alice/Rejects")[0].decode()
        assert "Delivered-To: alice@example.org\r\n" in added
        assert "for <team@example.org>;" in re.sub(r"\s+", " ", added)


async def test_an_alias_that_nobody_accepts_for(tmp_path: Path) -> None:
    async with judging_house(tmp_path, ALIAS) as house:
        octets = mail("offer", to="team@example.org")
        assert await deliver(house, octets, "team@example.org", mail_from="x@fail.example") == GENERIC
        assert (contents(house), contents(house, "bob")) == ({"Rejects": ["offer"]}, {})


@pytest.mark.parametrize("explicit", [ALICE, BOB])
async def test_a_member_that_is_named_gets_it_once(tmp_path: Path, explicit: str) -> None:
    """And accepts for the alias, too; who refuses has one copy among the rejects."""
    async with judging_house(tmp_path, ALIAS) as house:
        await teach(house, {"pills": (0, 40)})
        octets = mail("offer", "pills", sender="x@none.example", to=explicit)
        assert await deliver(house, octets, "team@example.org", explicit) == DELIVERED
        assert (contents(house)["Rejects"], contents(house, "bob")) == (["offer"], {"Inbox": ["offer"]})
        added = house.last_message("alice/Rejects" if explicit == ALICE else "bob/Inbox")[0].decode()
        assert f"for <{explicit}>;" in re.sub(r"\s+", " ", added), "it is that copy"
        assert len(evaluations(house, "none.example")) == 1


async def test_a_member_does_not_get_back_what_it_wrote(tmp_path: Path) -> None:
    async with judging_house(tmp_path, ALIAS) as house:
        assert await deliver(house, mail(sender=BOB, to="team@example.org"), "team@example.org") == DELIVERED
        assert (contents(house), contents(house, "bob")) == ({"Inbox": ["hi"]}, {})


async def test_who_reports_nothing_notes_nothing(tmp_path: Path) -> None:
    async with judging_house(tmp_path, static=f"no_outgoing_dmarc_reports = true\n{STATIC}") as house:
        assert await deliver(house, mail(sender="x@none.example")) == DELIVERED
        assert evaluations(house, "none.example") == []


async def test_some_refuse(tmp_path: Path) -> None:
    """Each has his own judgement; the sender hears in a message who does not have his."""
    async with judging_house(tmp_path) as house:
        await teach(house, {"pills": (0, 40)})
        octets = mail("offer", "pills", sender="x@plain.example")
        assert await deliver(house, octets, ALICE, BOB) == DELIVERED
        assert (contents(house)["Rejects"], contents(house, "bob")) == (["offer"], {"Inbox": ["offer"]})
        with house.store.read() as tx:
            ids = queued.due(tx, house.app.clock.microseconds())
            found = [one for one in (queued.get(tx, id) for id in ids) if one is not None]
        assert [(one.recipient, one.subject) for one in found] == [("ann@sender.example", "Mail delivery failed")]


async def test_different_refusals_have_a_line_each(tmp_path: Path) -> None:
    domains = DOMAINS.replace(
        '[accounts.bob.destinations."bob@example.org"]\n',
        '[accounts.bob.destinations."bob@example.org"]\nmessage_auth_required_smtp_error = "sign it"\n',
    )
    async with judging_house(tmp_path, domains) as house:
        await teach(house, {"pills": (0, 40)})
        sending = Sending(house)
        await sending.begin(ALICE, BOB)
        await sending.client.send(mail("offer", "pills", sender="x@plain.example") + b".\r\n")
        lines = [without_id((await sending.client.line()).decode()) for _ in range(2)]
        assert lines == [
            f"554-5.3.0 {ALICE}: 451 4.3.0 error processing",
            f"554 5.3.0 {BOB}: 550 5.7.26 sign it",
        ]


async def test_the_refused_are_served_slowly(tmp_path: Path) -> None:
    async with judging_house(tmp_path, judging=limits(messages_minute=1)) as house:
        house.limits = replace(house.limits, slow_seconds=0.001)
        sending = Sending(house)
        await sending.begin(ALICE)
        await sending.message(mail("a"))
        (session,) = house.app.sessions._open
        await sending.envelope(ALICE)
        assert without_id(await sending.message(mail("b"))) == HIGH_RATE
        assert not session.connection.slow, "the message is not to blame"  # type: ignore[attr-defined]
        house.app.clock.move(60)  # type: ignore[attr-defined]
        await sending.envelope(ALICE, mail_from="x@fail.example")
        assert without_id(await sending.message(mail("c"))) == GENERIC
        assert session.connection.slow  # type: ignore[attr-defined]


async def test_introbox(tmp_path: Path) -> None:
    domains = DOMAINS.replace("[accounts.alice]\n", '[accounts.alice]\nintrobox = "Introbox"\n')
    async with judging_house(tmp_path, domains) as house:
        assert await deliver(house, mail("a")) == DELIVERED
        assert contents(house) == {"Introbox": ["a"]}
        await move(house, "Introbox", "Inbox")
        assert await deliver(house, mail("b")) == DELIVERED
        assert contents(house) == {"Inbox": ["a", "b"]}
        assert reason(house) == "msgfromfull"


@contextmanager
def written() -> Iterator[io.StringIO]:
    """The log, from level info on."""
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    try:
        yield stream
    finally:
        logs.configure("error")


async def test_the_line_in_the_log(tmp_path: Path) -> None:
    with written() as log:
        async with judging_house(tmp_path) as house:
            assert await deliver(house, mail("secret subject")) == DELIVERED
    (line,) = [line for line in log.getvalue().splitlines() if "message judged" in line]
    for pair in (
        "mailfrom=ann@sender.example", "rcptto=alice@example.org", "account=alice", "verdict=accept", "method=none",
        "reason=no-bad-signals", "conclusive=false", "probability=0.5", "iprev=pass", "spf=pass", "dmarc=none",
        "mailbox=Inbox",
    ):  # fmt: skip
        assert f" {pair}" in line, line
    assert "secret" not in line


async def test_who_is_unknown_stands_in_the_log_though_others_have_the_message(tmp_path: Path) -> None:
    with written() as log:
        async with judging_house(tmp_path) as house:
            assert await deliver(house, mail(), ALICE, "nobody@example.org") == DELIVERED
    (line,) = [line for line in log.getvalue().splitlines() if "nobody" in line]
    assert 'm="message received"' in line
    assert "nobody@example.org 550 5.1.1" in line


async def test_a_report_that_breaks_its_reader_is_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(judge.intake, "dmarc", broken)
    octets = signed(reports.dmarc_mail(), "big.example", names="from:subject")
    async with judging_house(tmp_path, REPORTING) as house:
        assert await deliver(house, octets, "dmarc@example.org", mail_from="x@sender.example") == DELIVERED
        assert b"X-Mox-DMARCReport-Error: the report could not be read\r\n" in house.last_message("alice/DMARC")[0]


async def test_no_mailbox_vouches_for_what_was_refused(tmp_path: Path) -> None:
    """All mailboxes but some hold good mail, says the configuration; what a rule kept there all the same is none."""
    domains = ruled('smtp_mail_from_regexp = "@fail.example$"\naccept_rejects_to_mailbox = "Odd"')
    async with judging_house(tmp_path, domains) as house:
        for subject in ("a", "b"):
            assert await deliver(house, mail(subject), mail_from="x@fail.example") == DELIVERED
            assert reason(house, "alice/Odd") == "spf-policy"
        await move(house, "Odd", "Archive", [2])
        with house.store.read() as tx:
            flags = [row.flags for box in ("Odd", "Archive") for _, row in message.rows(tx, *ref(house, box))]
        assert [bool(one & NOT_JUNK) for one in flags] == [False, True], "but its reader does"
