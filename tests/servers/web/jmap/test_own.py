"""Our own methods: recipients, why a message is where it is, rules from moves, preferences, leaving lists."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
import trio

from appliance.base import limits
from appliance.dns.answers import MX, TLSA, Answer, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.http import Request, Response
from appliance.net.limiter import Allowance
from appliance.operations import unsubscribing
from appliance.store import junk, mailbox, message, objectid, offered, recipients, tables
from appliance.store.queuerecords import Offered
from appliance.store.recipients import Person
from appliance.store.records import Origin, split_flags
from support import webhouse
from support.jmap import ALL, JMAP
from support.stores import new_message

DOMAINS = """\
[domains."example.org"]
[domains."example.org".aliases.team]
addresses = ["alice@example.org"]
post_public = true
[accounts.alice]
domain = "example.org"
introbox = "New"
[accounts.alice.junk_filter]
threshold = 0.95
onegrams = true
top_words = 10
max_power = 0.01
[accounts.alice.destinations."alice@example.org"]
[accounts.alice.destinations."lists@example.org"]
mailbox = "Lists"
[accounts.bob]
domain = "example.org"
[accounts.bob.destinations."bob@example.org"]
[accounts.shut]
domain = "example.org"
[accounts.shut.destinations."shut@example.org"]
"""
ORIGIN = Origin(
    remote_ip="192.0.2.1", rcpt_to="alice@example.org", mail_from="eve@c.example", msg_from_localpart="eve",
    msg_from_domain="c.example", msg_from_validated=True, dkim_domains=("c.example",), reason="no-bad-signals",
)  # fmt: skip
LETTER = b"From: eve@c.example\r\nSubject: hi\r\n\r\nhello\r\n"
LIST = b"List-Id: Some <News.C.example>\r\n"


class Desk:
    def __init__(self, house, jmap):
        self.house, self.jmap, self.store, self.account = house, jmap, house.app.store, house.number()

    def box(self, name):
        with self.store.read() as tx:
            found = mailbox.find(tx, self.account, name)
        return found.id if found is not None else self._made(name)

    def _made(self, name):
        return None

    async def make(self, *names):
        for name in names:
            if self.box(name) is None:
                await self.store.write(mailbox.create, self.account, name, limits=self.store.limits.mailbox)

    def box_id(self, name):
        return objectid.mailbox(self.account, self.box(name))

    async def deliver(self, octets=LETTER, origin=ORIGIN, name="Inbox", prefix=b"", flags=()):
        new = msgspec.structs.replace(new_message(self.store, octets, prefix), origin=origin)
        bits, _ = split_flags(list(flags))
        added = await self.store.write(message.add, self.account, self.box(name), new, flags=bits)
        return objectid.message(self.account, added.id)


@pytest.fixture
async def desk(tmp_path):
    async with webhouse.open_house(tmp_path, DOMAINS) as house:
        yield Desk(house, JMAP(await house.logged_in("webmail")))


async def test_only_with_the_capability(desk):
    plain = JMAP(desk.jmap.browser, using=tuple(name for name in ALL if "moxpy" not in name))
    assert (await plain.call("Preferences/get"))["type"] == "unknownMethod"


async def test_recipients(desk):
    for number, person in enumerate((Person("ann@there.example", "Ann B."), Person("bob@else.example", ""))):
        await desk.store.write(recipients.note, desk.account, [person], number * 1_000_000)
    found = await desk.jmap.call("Recipient/query", text="")
    assert (found["isComplete"], found["list"]) == (
        True,
        [
            {"name": "", "email": "bob@else.example", "lastSent": "1970-01-01T00:00:01Z"},
            {"name": "Ann B.", "email": "ann@there.example", "lastSent": "1970-01-01T00:00:00Z"},
        ],
    )
    some = await desk.jmap.call("Recipient/query", text="e", limit=1)
    assert (some["isComplete"], len(some["list"])) == (False, 1)
    assert [one["email"] for one in (await desk.jmap.call("Recipient/query", text="ann b"))["list"]] == [
        "ann@there.example"
    ]
    assert (await desk.jmap.call("Recipient/query", text="", limit=0))["type"] == "invalidArguments"


# How safely mail goes there.

KEY = TLSA(3, 1, 1, bytes(32))
NAMES = {
    "safe.example": {Type.MX: [MX(10, "mx.safe.example")]},
    "mx.safe.example": {Type.A: ["192.0.2.1"]},
    "_25._tcp.mx.safe.example": {Type.TLSA: [KEY]},
    "plain.example": {Type.MX: [MX(10, "mx.plain.example")]},
    "mx.plain.example": {Type.A: ["192.0.2.2"]},
}


async def test_security(desk):
    names = {
        name: {kind: [ip_address(one) if kind is Type.A else one for one in values] for kind, values in by.items()}
        for name, by in NAMES.items()
    }
    signed = {name for name in names if name.endswith("safe.example")}
    app = replace(desk.house.app, resolver=Resolver(Table(names, authentic=signed)))
    desk.house.applications = webhouse.applications(app)
    await desk.store.write(offered.note, desk.account, Offered("plain.example", 1, starttls=True, requiretls=False))
    asked = ["a@safe.example", "b@plain.example", "c@example.org", "d@nowhere.example", "no address"]
    answer = await desk.jmap.call("RecipientSecurity/get", addresses=asked)
    keys = ("starttls", "mtasts", "dnssec", "dane", "requireTLS")
    assert {one["email"]: tuple(one[key] for key in keys) for one in answer["list"]} == {
        "a@safe.example": ("unknown", "no", "yes", "yes", "unknown"),
        "b@plain.example": ("yes", "no", "no", "no", "no"),
        "c@example.org": ("yes", "no", "no", "no", "yes"),
        "d@nowhere.example": ("unknown", "no", "no", "no", "unknown"),
        "no address": ("unknown", "error", "error", "error", "unknown"),
    }
    assert [one["email"] for one in answer["list"]] == asked
    many = await desk.jmap.call("RecipientSecurity/get", addresses=["a@b.example"] * 51)
    assert many["type"] == "requestTooLarge"


async def test_security_of_so_many(desk):
    """An account cannot have one host after the other asked, nor can all together ask too many at once."""
    asking = 0
    most: list[int] = []

    class Slow(Table):
        async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
            nonlocal asking
            asking += 1
            most.append(asking)
            await trio.testing.wait_all_tasks_blocked()
            asking -= 1
            return await super().ask(name, type, dnssec=dnssec)

    app = replace(
        desk.house.app,
        resolver=Resolver(Slow({f"{letter}.example": {Type.A: [ip_address("192.0.2.1")]} for letter in "abcde"})),
        security_looks=Allowance(((60, 3), (3600, 4))),
        security_turns=trio.CapacityLimiter(2),
    )
    desk.house.applications = webhouse.applications(app)

    async def looked_at(letters: str) -> str:
        asked = [f"x@{letter}.example" for letter in letters]
        answer = await desk.jmap.call("RecipientSecurity/get", addresses=asked)
        return " ".join(one["mtasts"] for one in answer["list"])

    assert await looked_at("abacd") == "no no no no error"
    assert max(most) == 2
    assert await looked_at("e") == "error"
    desk.house.clock.move(60)
    assert await looked_at("ed") == "no error", "the hour has one left"


# Why a message is where it is.


async def test_junk_explain(desk):
    prefix = b"X-Mox-Reason: no-bad-signals;\r\n first step;\r\n second step\r\n"
    words = await desk.deliver(prefix=prefix, flags=("$Junk",))
    answer = await desk.jmap.call("Junk/explain", emailId=words)
    assert answer["isJunk"] is True
    assert (answer["probability"], answer["threshold"], answer["words"]) == (0.5, 0.95, [])
    assert (answer["reason"], answer["hams"], answer["spams"]) == ("no-bad-signals", 0, 0)
    assert answer["texts"] == [
        "Little is known of the sender, and nothing speaks against the message.", "first step", "second step",
        "The junk filter has learned too few messages for its word to count.",
    ]  # fmt: skip
    uploaded = await desk.deliver(origin=Origin())
    answer = await desk.jmap.call("Junk/explain", emailId=uploaded)
    assert answer["isJunk"] is None
    assert answer["texts"][0] == "A mail program put it here; it did not come by this server."
    assert (await desk.jmap.call("Junk/explain", emailId="M1-99"))["type"] == "invalidArguments"


async def test_junk_explains_by_words(desk):
    def learn(tx):
        number = junk.begin(tx, desk.account, (1,))
        junk.count(tx, desk.account, number, ["hello"], ham=0, spam=60)
        junk.count(tx, desk.account, number, ["subject:hi"], ham=60, spam=0)
        state = junk.learned(tx, desk.account)
        new = msgspec.structs.replace(
            state, filter=number, hams=60, spams=60, grams=(1,), whole=True, making=0, making_grams=()
        )
        junk.set_learned(tx, desk.account, new)

    await desk.store.write(learn)
    answer = await desk.jmap.call("Junk/explain", emailId=await desk.deliver())
    assert {"word": "hello", "spam": 0.99} in answer["words"]
    assert answer["probability"] > 0.4
    assert (answer["hams"], answer["spams"]) == (60, 60)
    # No message taught it that, which is against the rules of the store.
    for table in (tables.Table.JUNK_WORD, tables.Table.LEARNED):
        await desk.store.write(
            lambda tx, table=table: [tx.delete(table, key) for key, _ in list(tx.scan_prefix(table, b""))]
        )


# Rules from moves.


async def suggested(desk, id, source, target):
    answer = await desk.jmap.call(
        "Ruleset/suggest", emailId=id, fromMailboxId=desk.box_id(source), toMailboxId=desk.box_id(target)
    )
    return answer["suggestion"]


async def test_a_rule_for_a_sender(desk):
    await desk.make("Eve", "Lists", "Other")
    id = await desk.deliver()
    one = await suggested(desk, id, "Inbox", "Eve")
    assert one == {
        "listId": "", "from": "eve@c.example", "isRemove": False, "recipient": "alice@example.org",
        "ruleset": {"MsgFromRegexp": "^eve@c\\.example$", "Mailbox": "Eve"},
    }  # fmt: skip
    # Only where mail arrives, and not where a special use is.
    assert await suggested(desk, id, "Lists", "Eve") is None
    assert await suggested(desk, id, "Inbox", "Archive") is None or desk.box("Archive")
    assert await suggested(desk, id, "Inbox", "Trash") is None
    assert await suggested(desk, id, "Eve", "Inbox") is None
    added = await desk.jmap.call("Ruleset/add", recipient="alice@example.org", ruleset=one["ruleset"])
    assert "type" not in added
    (rule,) = rules(desk)
    assert (rule.mailbox, rule.comment) == ("Eve", "by webmail on 2026-11-01")
    # Now there is one; the way back removes it, and only from there.
    assert await suggested(desk, id, "Inbox", "Other") is None
    assert await suggested(desk, id, "Other", "Inbox") is None
    back = await suggested(desk, id, "Eve", "Inbox")
    assert (back["isRemove"], back["ruleset"]["Comment"]) == (True, "by webmail on 2026-11-01")
    removed = await desk.jmap.call("Ruleset/remove", recipient="alice@example.org", ruleset=back["ruleset"])
    assert "type" not in removed
    assert rules(desk) == ()
    again = await desk.jmap.call("Ruleset/remove", recipient="alice@example.org", ruleset=back["ruleset"])
    assert again["type"] == "invalidArguments"


def rules(desk, address="alice@example.org"):
    account = desk.house.app.config.snapshot().domains.accounts["alice"]
    return account.destinations[address].rulesets


@pytest.mark.parametrize(
    ("octets", "origin", "expected"),
    [
        pytest.param(LIST, {}, ("news.c.example", {"^list-id$": "<news\\.c\\.example>$"}, "c.example"), id="list"),
        pytest.param(LIST, {"dkim_domains": ("news.c.example", "c.example")},
                     ("news.c.example", {"^list-id$": "<news\\.c\\.example>$"}, "c.example"), id="the shortest"),
        pytest.param(LIST + LIST, {}, ("", None, None), id="two ids"),
        pytest.param(LIST, {"dkim_domains": ("other.example",)}, ("", None, None), id="nobody vouches for the list"),
    ],
)  # fmt: skip
async def test_a_rule_for_a_list(desk, octets, origin, expected):
    await desk.make("News")
    id = await desk.deliver(octets + LETTER, msgspec.structs.replace(ORIGIN, **origin))
    one = await suggested(desk, id, "Inbox", "News")
    found = one["listId"], one["ruleset"].get("HeadersRegexp"), one["ruleset"].get("ListAllowDomain")
    assert found == expected


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param(Origin(), id="uploaded"),
        pytest.param(msgspec.structs.replace(ORIGIN, msg_from_validated=False), id="nobody vouches for the sender"),
        pytest.param(msgspec.structs.replace(ORIGIN, rcpt_to="bob@example.org"), id="another's address"),
        pytest.param(msgspec.structs.replace(ORIGIN, rcpt_to="x@elsewhere.example"), id="nobody's"),
        pytest.param(msgspec.structs.replace(ORIGIN, rcpt_to="lists@example.org"), id="it arrives elsewhere"),
    ],
)
async def test_no_rule(desk, origin):
    await desk.make("Eve", "Lists")
    assert await suggested(desk, await desk.deliver(origin=origin), "Inbox", "Eve") is None


async def test_a_rule_of_the_member_of_an_alias(desk):
    await desk.make("Eve")
    id = await desk.deliver(origin=msgspec.structs.replace(ORIGIN, rcpt_to="team@example.org"))
    one = await suggested(desk, id, "Inbox", "Eve")
    assert one["recipient"] == "alice@example.org"
    await desk.jmap.call("Ruleset/add", recipient="team@example.org", ruleset=one["ruleset"])
    assert len(rules(desk)) == 1


async def test_never(desk):
    await desk.make("Eve", "Other")
    id = await desk.deliver()
    await desk.jmap.call("Ruleset/never", recipient="alice@example.org", **{"from": "EVE@c.example"}, toInbox=True)
    assert await suggested(desk, id, "Inbox", "Eve") is not None
    await desk.jmap.call("Ruleset/never", recipient="alice@example.org", **{"from": "EVE@c.example"}, toInbox=False)
    assert await suggested(desk, id, "Inbox", "Eve") is None
    assert (await desk.jmap.call("Ruleset/never", recipient="x", toInbox=False))["type"] == "invalidArguments"
    other = await desk.deliver(origin=msgspec.structs.replace(ORIGIN, msg_from_localpart="ann"))
    assert await suggested(desk, other, "Inbox", "Eve") is not None
    await desk.jmap.call("Ruleset/neverMailbox", mailboxId=desk.box_id("Eve"), toMailbox=True)
    assert await suggested(desk, other, "Inbox", "Eve") is None
    assert await suggested(desk, other, "Inbox", "Other") is not None


@pytest.mark.parametrize(
    ("recipient", "ruleset"),
    [
        ("bob@example.org", {"MsgFromRegexp": "x"}),
        ("alice@example.org", {"MsgFromRegexp": "("}),
        ("alice@example.org", {"Color": "red"}),
        ("alice@example.org", {}),
    ],
)
async def test_rules_that_cannot_be_added(desk, recipient, ruleset):
    answer = await desk.jmap.call("Ruleset/add", recipient=recipient, ruleset=ruleset)
    assert answer["type"] == "invalidArguments"
    assert rules(desk) == ()


# Preferences.

DEFAULTS = {
    "signature": "", "quoting": "auto", "showAddressSecurity": True, "showHTML": False, "noShowShortcuts": False,
    "showHeaders": [], "undoSeconds": 10, "composeHTML": False, "introbox": None, "rejects": None,
}  # fmt: skip


async def test_preferences(desk):
    answer = await desk.jmap.call("Preferences/get")
    assert (answer["state"], answer["preferences"]) == ("0", DEFAULTS)
    patch = {"quoting": "top", "showHeaders": ["X-A"], "undoSeconds": 0, "showHTML": True}
    answer = await desk.jmap.call("Preferences/set", ifInState="0", update=patch)
    assert (answer["oldState"], answer["newState"]) == ("0", "1")
    assert (await desk.jmap.call("Preferences/get"))["preferences"] == {**DEFAULTS, **patch}
    assert (await desk.jmap.call("Preferences/set", ifInState="0", update={}))["type"] == "stateMismatch"
    await desk.make("New")
    assert (await desk.jmap.call("Preferences/get"))["preferences"]["introbox"] == desk.box_id("New")


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ({"quoting": "left"}, ["quoting"]),
        ({"undoSeconds": 61}, ["undoSeconds"]),
        ({"undoSeconds": "x"}, ["undoSeconds"]),
        ({"showHeaders": ["a b"]}, ["showHeaders"]),
        ({"signature": "x" * (limits.SIGNATURE_CHARACTERS + 1)}, ["signature"]),
        ({"introbox": "F1-1"}, ["introbox"]),
        ({"color": "red"}, ["color"]),
    ],
)
async def test_what_cannot_be_preferred(desk, patch, names):
    answer = await desk.jmap.call("Preferences/set", update=patch)
    assert (answer["type"], answer["properties"]) == ("invalidArguments", names)
    assert (await desk.jmap.call("Preferences/get"))["state"] == "0"


async def test_views_of_senders(desk):
    await desk.jmap.call("SenderView/set", address="Eve@c.example", mode="external")
    answer = await desk.jmap.call("SenderView/get", addresses=["eve@C.example", "ann@c.example"])
    assert answer["list"] == [{"address": "eve@C.example", "mode": "external"}]
    for wrong in ({"address": "eve@c.example", "mode": "x"}, {"address": "x", "mode": "text"}):
        assert (await desk.jmap.call("SenderView/set", **wrong))["type"] == "invalidArguments"


# Leaving lists.

LEAVE = b"List-Unsubscribe: <mailto:x@c.example>, <https://c.example/leave?1>\r\n"
CLICK = b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
SIGNED = b"DKIM-Signature: v=1; a=rsa-sha256; d=%b; s=s; h=from:%b; bh=" + b"A" * 43 + b"=; b=AAAA\r\n"
BOTH = SIGNED % (b"c.example", b"list-unsubscribe:List-Unsubscribe-Post")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(LEAVE + CLICK + BOTH, "https://c.example/leave?1", id="offered"),
        pytest.param(LEAVE + BOTH, None, id="no click"),
        pytest.param(CLICK + BOTH, None, id="no address"),
        pytest.param(LEAVE + LEAVE + CLICK + BOTH, None, id="two fields"),
        pytest.param(LEAVE.replace(b"https", b"http") + CLICK + BOTH, None, id="not https"),
        pytest.param(LEAVE + CLICK.replace(b"One-Click", b"Two") + BOTH, None, id="another click"),
        pytest.param(LEAVE + CLICK, None, id="not signed"),
        pytest.param(LEAVE + CLICK + SIGNED % (b"c.example", b"list-unsubscribe"), None, id="only one is signed"),
        pytest.param(LEAVE + CLICK + SIGNED % (b"d.example", b"list-unsubscribe:list-unsubscribe-post"), None,
                     id="a signature that was not verified"),
        pytest.param(LEAVE + CLICK + b"DKIM-Signature: nonsense\r\n" + BOTH, "https://c.example/leave?1", id="several"),
    ],
)  # fmt: skip
def test_offer(octets, expected):
    assert unsubscribing.offer(octets + LETTER, ORIGIN) == expected


async def test_unsubscribe(desk, monkeypatch):
    sent = []

    class Fake:
        async def send(self, request, bounds):
            sent.append((request, bounds))
            return Response(202, (), b"")

    monkeypatch.setattr(unsubscribing, "client", lambda app: Fake())
    id = await desk.deliver(LEAVE + CLICK + BOTH + LETTER)
    answer = await desk.jmap.call("Unsubscribe/post", emailId=id)
    assert (answer["status"], answer["error"]) == (202, None)
    ((request, _),) = sent
    assert isinstance(request, Request)
    assert (str(request.url), request.method, request.body) == (
        "https://c.example/leave?1", "POST", b"List-Unsubscribe=One-Click",
    )  # fmt: skip
    assert request.fields == (("Content-Type", "application/x-www-form-urlencoded"),)
    plain = await desk.deliver()
    assert (await desk.jmap.call("Unsubscribe/post", emailId=plain))["type"] == "invalidArguments"
    assert len(sent) == 1


async def test_no_way_into_the_house(desk):
    octets = LEAVE.replace(b"c.example/leave", b"127.0.0.1/leave") + CLICK + BOTH + LETTER
    answer = await desk.jmap.call("Unsubscribe/post", emailId=await desk.deliver(octets))
    assert (answer["status"], answer["error"]) == (0, "its address is none of the public Internet")
