"""What an account has learnt about senders: the indices say what the messages say, whatever happens to these."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from appliance.delivery.reputation import evaluate
from appliance.store import account as accounts, across, mailbox, message, reputation, tables, upgrade
from appliance.store.history import By, Judged, networks
from appliance.store.prepare import sent_to
from appliance.store.records import JUNK, NOT_JUNK, UPLOADED, Origin
from appliance.store.reputation import AHEAD, DAY, MINUTE, StoredHistory
from appliance.store.senders import SentTo
from appliance.store.tables import MailboxRef, Table
from support.clock import StandingClock
from support.senders import BOB
from support.stores import LIMITS, add_account, new_message, open_store

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = ["Inbox", "Archive", "Junk", "Sent"]
#: What is asked about: all that the messages below can be found by, and names that they cannot.
ORIGINS = [
    UPLOADED,
    Origin(
        remote_ip="192.0.2.77",
        ehlo="mx.example.org",
        mail_from="bounce@a.example.org",
        msg_from_localpart="Bob",
        msg_from_domain="a.example.org",
        msg_from_org_domain="example.org",
        mail_from_validated=True,
        msg_from_validated=True,
        dkim_domains=("example.org",),
    ),
    Origin(
        remote_ip="192.0.2.78",
        ehlo="mx.example.org",
        msg_from_localpart="bob",
        msg_from_domain="a.example.org",
        msg_from_org_domain="example.org",
        ehlo_validated=True,
    ),
    Origin(
        remote_ip="2001:db8::1",
        mail_from="bounce@f.example",
        msg_from_localpart="eve",
        msg_from_domain="b.example.org",
        msg_from_org_domain="example.org",
        dkim_domains=("example.org", "b.example.org"),
        is_forward=True,
    ),
]
ASKED = [
    *((By.FROM, name) for name in ("bob@a.example.org", "eve@b.example.org", "bob@b.example.org")),
    *((By.FROM_DOMAIN, name) for name in ("a.example.org", "b.example.org", "example.org")),
    *((By.FROM_ORG_DOMAIN, name) for name in ("example.org", "a.example.org", "example")),
    *((By.DKIM_DOMAIN, name) for name in ("example.org", "b.example.org", "f.example")),
    *((By.MAIL_FROM, name) for name in ("bounce@a.example.org", "bounce@f.example")),
    *((By.MAIL_FROM_DOMAIN, name) for name in ("a.example.org", "f.example")),
    (By.EHLO_DOMAIN, "mx.example.org"),
    *((By.NETWORK1, name) for name in ("192.0.2.77", "192.0.2.78", "2001:db8::")),
    *((By.NETWORK2, name) for name in ("192.0.2.64", "2001:db8::")),
    *((By.NETWORK3, name) for name in ("192.0.0.0", "2001:db8::")),
]
SENT = [b"", b"To: Bob <BOB@a.example.org>\r\n", b"Cc: eve@b.example.org, bob@a.example.org\r\nBcc: x@example\r\n"]
SENT_TO = [set(), {"bob@a.example.org"}, {"bob@a.example.org", "eve@b.example.org", "x@example"}]
ORGANIZATIONS = {"bob@a.example.org": "example.org", "eve@b.example.org": "example.org", "x@example": "example"}


def found_by(origin: Origin) -> dict[tuple[By, str], bool]:
    """Names of a message, in lower case, and whether somebody vouched for them."""
    names = {}
    if origin.msg_from_domain:
        sender = f"{origin.msg_from_localpart}@{origin.msg_from_domain}".lower()
        names[By.FROM, sender] = origin.msg_from_validated
        names[By.FROM_DOMAIN, origin.msg_from_domain] = origin.msg_from_validated
        names[By.FROM_ORG_DOMAIN, origin.msg_from_org_domain] = origin.msg_from_validated
    names.update({(By.DKIM_DOMAIN, one): True for one in origin.dkim_domains})
    if not origin.is_forward:
        if origin.mail_from:
            names[By.MAIL_FROM, origin.mail_from] = origin.mail_from_validated
            names[By.MAIL_FROM_DOMAIN, origin.mail_from.split("@")[1]] = origin.mail_from_validated
        if origin.ehlo:
            names[By.EHLO_DOMAIN, origin.ehlo] = origin.ehlo_validated
        if origin.remote_ip:
            near, middle, far = networks(ip_address(origin.remote_ip))
            names |= {(By.NETWORK1, near): True, (By.NETWORK2, middle): True, (By.NETWORK3, far): True}
    return names


@dataclass
class Known:
    """A message of the model."""

    place: str
    judged: int
    counts_for: str
    destined: str
    is_reject: bool
    origin: Origin
    received: int
    sent_to: set[str] = field(default_factory=set)


@dataclass
class Model:
    """What the store should know, in plain words."""

    live: dict[int, Known] = field(default_factory=dict)

    def settle(self, one: Known) -> None:
        one.counts_for, one.destined = one.destined or one.counts_for, ""

    def arrive(self, one: Known, target: str) -> None:
        if target == "Junk":
            one.judged = JUNK
        if one.is_reject:
            one.is_reject = False
            self.settle(one)
        elif one.destined:
            if target == one.destined:
                one.judged = one.judged or NOT_JUNK
            if target == one.destined or one.judged:
                self.settle(one)
        one.place = target

    def flag(self, one: Known, mode: str, flag: int) -> None:
        before = one.judged
        if mode == "-":
            one.judged &= ~flag
        else:
            one.judged = flag
        if one.judged and one.judged != before:
            self.settle(one)

    def judged(self, box: str, by: By, name: str, since: int, validated: bool | None) -> list[Judged]:
        found = [
            (one.received, id, one.judged == JUNK, one.origin.msg_from_localpart)
            for id, one in self.live.items()
            if one.judged
            and one.counts_for == box
            and one.received >= since
            and (vouched := found_by(one.origin).get((by, name))) is not None
            and validated in {None, vouched}
        ]
        return [
            Judged(is_junk, EPOCH + timedelta(microseconds=when), localpart)
            for when, _, is_junk, localpart in sorted(found, reverse=True)
        ]

    def has_sent(self, by: By, name: str, since: int) -> bool:
        for one in self.live.values():
            for to in one.sent_to:
                names = {By.FROM: to, By.FROM_DOMAIN: to.split("@")[1], By.FROM_ORG_DOMAIN: ORGANIZATIONS[to]}
                if names.get(by) == name and one.received >= since:
                    return True
        return False

    def knows(self, domain: str) -> bool:
        has_ham = any(
            one.judged == NOT_JUNK and (By.FROM_ORG_DOMAIN, domain) in found_by(one.origin)
            for one in self.live.values()
        )
        return has_ham or self.has_sent(By.FROM_ORG_DOMAIN, domain, 0)


START = 1_000_000_000_000_000
FLAGS = st.sampled_from([0, JUNK, NOT_JUNK])
BOX = st.sampled_from(NAMES)
PICK = st.integers(0, 30)
STEPS = st.one_of(
    st.tuples(
        st.just("add"),
        BOX,
        FLAGS,
        st.integers(0, len(ORIGINS) - 1),
        st.integers(0, len(SENT) - 1),
        st.sampled_from(["", "", "Inbox", "Archive"]),
        st.booleans(),
    ),
    st.tuples(st.just("flag"), PICK, st.sampled_from("+-="), st.sampled_from([JUNK, NOT_JUNK])),
    st.tuples(st.just("move"), PICK, BOX),
    st.tuples(st.just("copy"), PICK, BOX),
    st.tuples(st.just("expunge"), PICK),
    st.tuples(st.just("erase")),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, min_size=10, max_size=40), st.sampled_from([0, 3, 17]))
def test_lookups_say_what_the_messages_say(tmp_path_factory, steps, since):
    model = Model()
    with open_store(tmp_path_factory.mktemp("store")) as store:
        alice = add_account(store)
        with store.read() as tx:
            boxes = {name: mailbox.by_name(tx, alice, name).id for name in NAMES}

        def where(id):
            with store.read() as tx:
                return message.place(tx, alice, id).uid

        def last_id():
            with store.read() as tx:
                return tx.account(alice).next_message - 1

        for number, (verb, *what) in enumerate(steps):
            if verb == "add":
                box, flags, which, sent, destined, is_reject = what
                origin = ORIGINS[which]
                if origin == UPLOADED:
                    is_reject, destined = False, ""
                else:
                    sent = 0
                origin = msgspec.structs.replace(origin, is_reject=is_reject)
                octets = SENT[sent] + b"Subject: x\r\n\r\n"
                new = msgspec.structs.replace(
                    new_message(store, octets, received=START + number // 2),
                    origin=origin,
                    destined_mailbox=boxes[destined] if destined else 0,
                    sent_to=sent_to(new_message(store, octets).prepared.fields, LIMITS.prepare),
                )
                added = store.write_sync(message.add, alice, boxes[box], new, flags=flags)
                one = Known(
                    box, JUNK if box == "Junk" else flags, box, destined, is_reject, origin, START + number // 2
                )
                if box == "Sent":
                    one.sent_to = SENT_TO[sent]
                model.live[added.id] = one
                continue
            if verb == "erase":
                store.write_sync(message.erase, alice, None, 3)
                continue
            if not model.live:
                continue
            id = sorted(model.live)[what[0] % len(model.live)]
            one = model.live[id]
            at = boxes[one.place]
            if verb == "flag":
                store.write_sync(message.store_flags, alice, at, [where(id)], *what[1:])
                model.flag(one, *what[1:])
            elif verb == "move":
                store.write_sync(message.move, alice, at, [where(id)], boxes[what[1]])
                model.arrive(one, what[1])
            elif verb == "copy":
                store.write_sync(message.copy, alice, at, [where(id)], boxes[what[1]])
                again = model.live[last_id()] = replace(one, sent_to=set())
                model.arrive(again, what[1])
            else:
                store.write_sync(message.expunge, alice, at, [where(id)])
                del model.live[id]

        since += START
        moment = EPOCH + timedelta(microseconds=since)
        with store.read() as tx:
            for box in NAMES:
                history = StoredHistory(tx, alice, box)
                for by, name in ASKED:
                    for validated in (None, True, False):
                        expected = model.judged(box, by, name, since, validated)
                        for most in (1, 2, 50):
                            found = history.judged(by, name, since=moment, most=most, validated=validated)
                            assert list(found) == expected[:most]
            for by, name in ASKED:
                nowhere = StoredHistory(tx, alice, "Nowhere")
                assert nowhere.judged(by, name, since=EPOCH, most=50) == ()
                assert nowhere.has_sent(by, name, since=moment) == model.has_sent(by, name, since)
            for domain in ("example.org", "a.example.org", "example", "other.example"):
                assert reputation.knows_organization(tx, alice, domain) == model.knows(domain)


# By the rules of delivery/reputation.py.

NOW = datetime(2026, 3, 1, tzinfo=UTC)
YEAR, SECOND = timedelta(days=365), timedelta(seconds=1)


@dataclass(frozen=True)
class Old:
    """A message of the history: what it has in common with the one at hand, by fields of its origin."""

    flags: int = NOT_JUNK
    age: timedelta = SECOND
    box: str = "Inbox"
    count: int = 1
    origin: dict[str, object] = field(default_factory=dict)


def old(flags=NOT_JUNK, age=SECOND, box="Inbox", count=1, **origin) -> Old:
    return Old(flags, age, box, count, origin)


def of_bob(flags=NOT_JUNK, age=SECOND, localpart="bob", *, validated=True, **more) -> Old:
    return old(flags, age, msg_from_localpart=localpart, msg_from_domain="a.example.org", msg_from_validated=validated,
               **more)  # fmt: skip


def of_org(flags=NOT_JUNK, age=SECOND, localpart="x", *, validated=True) -> Old:
    return old(flags, age, msg_from_localpart=localpart, msg_from_domain="b.example.org",
               msg_from_org_domain="example.org", msg_from_validated=validated)  # fmt: skip


def signed(flags=NOT_JUNK, age=SECOND, count=1) -> Old:
    return old(flags, age, count=count, dkim_domains=("d1.example",))


def from_network(ip, flags=NOT_JUNK, age=SECOND, count=1) -> Old:
    return old(flags, age, count=count, remote_ip=ip)


@pytest.mark.parametrize(
    ("history", "outcome"),
    [
        pytest.param([of_bob()], "ham sure msgfromfull", id="the same address"),
        pytest.param([of_bob(localpart="BOB")], "ham sure msgfromfull", id="in another case"),
        pytest.param([of_bob(age=3 * YEAR)], "ham sure msgfromfull", id="three years"),
        pytest.param([of_bob(age=3 * YEAR + SECOND)], "unknown unsure none", id="older than three years"),
        pytest.param([of_bob(0)], "unknown unsure none", id="not judged"),
        pytest.param([of_bob(JUNK | NOT_JUNK)], "junk sure msgfromfull", id="both is junk to `exclusive`"),
        pytest.param([of_bob(box="Archive")], "unknown unsure none", id="another mailbox"),
        pytest.param([of_bob(validated=False)], "unknown unsure none", id="not verified"),
        pytest.param([of_bob(JUNK), of_bob(NOT_JUNK, 2 * SECOND)], "ham sure msgfromfull", id="one accident"),
        pytest.param(
            [of_bob(JUNK), of_bob(JUNK, 2 * SECOND), of_bob(NOT_JUNK, 3 * SECOND)], "junk sure msgfromfull", id="two"
        ),
        pytest.param([of_bob(localpart="x", age=2 * YEAR)], "ham sure msgfromdomain", id="domain, two years"),
        pytest.param([of_bob(localpart="x", age=2 * YEAR + SECOND)], "unknown unsure none", id="domain, older"),
        pytest.param(
            [of_bob(JUNK, localpart=f"u{number}") for number in range(3)], "junk sure msgfromdomain", id="three users"
        ),
        pytest.param(
            [of_bob(JUNK, localpart=f"u{number % 2}") for number in range(9)],
            "junk unsure msgfromdomain",
            id="two users",
        ),
        pytest.param(
            [of_bob(localpart="u", count=4), of_bob(JUNK, localpart="u")],
            "unknown unsure msgfromdomain",
            id="80 percent",
        ),
        pytest.param(
            [of_bob(localpart="u", count=13), of_bob(JUNK, localpart="u", count=3)],
            "ham sure msgfromdomain",
            id="81 percent",
        ),
        pytest.param(
            [of_bob(JUNK, localpart="u", count=20), of_bob(localpart="u", age=2 * SECOND, count=9)],
            "junk unsure msgfromdomain",
            id="only the newest twenty",
        ),
        pytest.param([of_org(age=2 * YEAR)], "ham sure msgfromorgdomain", id="organization, two years"),
        pytest.param([of_org(age=2 * YEAR + SECOND)], "unknown unsure none", id="organization, older"),
        pytest.param([signed(age=YEAR / 2)], "ham sure dkimspf", id="signed, half a year"),
        pytest.param([signed(age=YEAR / 2 + SECOND)], "unknown unsure none", id="signed, older"),
        pytest.param([signed(count=9), signed(JUNK)], "unknown unsure dkimspf", id="signed, a tenth junk"),
        pytest.param([signed(count=10), signed(JUNK)], "ham sure dkimspf", id="signed, less"),
        pytest.param(
            [old(mail_from="bounce@m.example", mail_from_validated=True)], "ham sure dkimspf", id="reverse path"
        ),
        pytest.param([old(mail_from="bounce@m.example")], "unknown unsure none", id="reverse path not verified"),
        pytest.param([old(mail_from="x@m.example", mail_from_validated=True)], "ham sure dkimspf", id="its domain"),
        pytest.param([old(ehlo="h.example", ehlo_validated=True)], "ham sure dkimspf", id="EHLO"),
        pytest.param([old(ehlo="h.example")], "unknown unsure none", id="EHLO not verified"),
        pytest.param(
            [old(mail_from="bounce@m.example", mail_from_validated=True, is_forward=True)],
            "unknown unsure none",
            id="forwarded",
        ),
        pytest.param([from_network("192.0.2.1")], "ham unsure ip1", id="one from the address"),
        pytest.param([from_network("192.0.2.1", count=2)], "ham sure ip1", id="two"),
        pytest.param([from_network("192.0.2.1", age=YEAR / 4, count=2)], "ham sure ip1", id="a quarter of a year"),
        pytest.param([from_network("192.0.2.1", age=YEAR / 4 + SECOND, count=2)], "unknown unsure none", id="older"),
        pytest.param([from_network("192.0.2.63", count=4)], "ham unsure ip2", id="four from the /26"),
        pytest.param([from_network("192.0.2.63", JUNK, count=5)], "junk sure ip2", id="five junk from the /26"),
        pytest.param([from_network("192.0.7.255", count=9)], "ham unsure ip3", id="nine from the /21"),
        pytest.param([from_network("192.0.7.255", count=10)], "ham sure ip3", id="ten"),
        pytest.param([from_network("192.0.8.0", count=10)], "unknown unsure none", id="from beside it"),
        pytest.param([old(count=3)], "unknown unsure none", id="uploaded"),
    ],
)
def test_evaluate_by_what_is_stored(tmp_path, history, outcome):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        plain = new_message(store)
        for one in history:
            with store.read() as tx:
                box = mailbox.by_name(tx, alice, one.box).id
            received = int((NOW - one.age).timestamp() * 1_000_000)
            new = msgspec.structs.replace(plain, received=received, origin=Origin(**one.origin))

            def add(tx, box=box, new=new, one=one):
                for _ in range(one.count):
                    message.add(tx, alice, box, new, flags=one.flags)

            store.write_sync(add)
        with store.read() as tx:
            found = evaluate(StoredHistory(tx, alice, "Inbox"), BOB, NOW)
    assert f"{found.signal} {'sure' if found.is_conclusive else 'unsure'} {found.method}" == outcome


# What was sent.


def box_of(store, account, name):
    with store.read() as tx:
        return mailbox.by_name(tx, account, name).id


def letter(store, octets=b"To: Bob <bob@A.example.org>\r\n\r\nhi\r\n", received=START):
    new = new_message(store, octets, received=received)
    return msgspec.structs.replace(new, sent_to=sent_to(new.prepared.fields, LIMITS.prepare))


def has_sent(store, account, name="bob@a.example.org", by=By.FROM, since=EPOCH):
    with store.read() as tx:
        return StoredHistory(tx, account, "Inbox").has_sent(by, name, since=since)


@pytest.mark.parametrize(
    ("sent", "age", "outcome"),
    [
        pytest.param(b"To: bob@a.example.org", 3 * YEAR, "ham sure msgtofull", id="address"),
        pytest.param(b"Bcc: BOB@a.example.org", 3 * YEAR, "ham sure msgtofull", id="in another case"),
        pytest.param(b"To: bob@a.example.org", 3 * YEAR + SECOND, "unknown unsure none", id="address, too old"),
        pytest.param(b"Cc: eve@a.example.org", 2 * YEAR, "ham sure msgtodomain", id="domain"),
        pytest.param(b"Cc: eve@a.example.org", 2 * YEAR + SECOND, "unknown unsure none", id="domain, too old"),
        pytest.param(b"To: eve@b.example.org", 2 * YEAR, "ham sure msgtoorgdomain", id="organization"),
        pytest.param(b"To: eve@b.example.org", 2 * YEAR + SECOND, "unknown unsure none", id="organization, too old"),
    ],
)
@pytest.mark.parametrize("is_verified", [True, False])
def test_evaluate_by_what_was_sent(tmp_path, sent, age, outcome, is_verified):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        received = int((NOW - age).timestamp() * 1_000_000)
        new = letter(store, sent + b"\r\n\r\n", received)
        store.write_sync(message.add, alice, box_of(store, alice, "Sent"), new)
        with store.read() as tx:
            history = StoredHistory(tx, alice, "Not yet")
            found = evaluate(history, replace(BOB, msg_from_validated=is_verified), NOW)
    assert f"{found.signal} {'sure' if found.is_conclusive else 'unsure'} {found.method}" == outcome


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param(b"Subject: x", [], id="to nobody"),
        pytest.param(b"To: undisclosed-recipients:;", [], id="empty group"),
        pytest.param(b"To: Friends: bob@example.org, Eve <eve@example.org>;", ["bob@example.org", "eve@example.org"]),
        pytest.param(b"To: bob@[192.0.2.1], root, @example.org, bob@-", [], id="none that is one"),
        pytest.param('To: jörg@bücher.example'.encode(), ["jörg@bücher.example"], id="UTF-8"),
        pytest.param(b'To: "bob jr"@XN--BCHER-KVA.example', ['"bob jr"@bücher.example'], id="quoted, A-labels"),
        pytest.param(b"To: a@example.org\r\nTo: b@example.org", ["a@example.org", "b@example.org"], id="two fields"),
    ],
)  # fmt: skip
def test_sent_to(tmp_path, octets, expected):
    with open_store(tmp_path) as store:
        found = letter(store, octets + b"\r\n\r\n").sent_to.names
    names = [found[at : at + tables.SENDER_NAME_OCTETS] for at in range(0, len(found), tables.SENDER_NAME_OCTETS)]
    assert [name for name in names if name[0] == By.FROM.value] == [
        tables.sender_name(By.FROM.value, name) for name in expected
    ]
    assert len(set(names)) == len(names)


def test_sent_to_very_many(tmp_path):
    octets = b"To: " + b",\r\n ".join(b"u%d@d%d.example" % (number, number) for number in range(3000)) + b"\r\n\r\n"
    with open_store(tmp_path) as store:
        alice = add_account(store)
        new = letter(store, octets)
        added = store.write_sync(message.add, alice, box_of(store, alice, "Sent"), new)
        assert has_sent(store, alice, "u999@d999.example")
        assert not has_sent(store, alice, "u1000@d1000.example")
        store.write_sync(message.expunge, alice, box_of(store, alice, "Sent"), [added.uid])
        assert not has_sent(store, alice, "u999@d999.example")


@pytest.mark.parametrize("received", [-(10**15), 0, START, 2**62])
def test_sent_at_any_time(tmp_path, received):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        sent = box_of(store, alice, "Sent")
        added = store.write_sync(message.add, alice, sent, letter(store, received=received))
        assert has_sent(store, alice)
        store.write_sync(message.expunge, alice, sent, [added.uid])
        assert not has_sent(store, alice)


def test_a_copy_or_a_move_into_sent_mail_was_not_sent(tmp_path):
    with open_store(tmp_path) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        sent, archive = box_of(store, alice, "Sent"), box_of(store, alice, "Archive")
        added = store.write_sync(message.add, alice, archive, letter(store))
        store.write_sync(message.copy, alice, archive, [added.uid], sent)
        store.write_sync(message.move, alice, archive, [added.uid], sent)
        source, target = MailboxRef(alice, sent), MailboxRef(carol, box_of(store, carol, "Sent"))
        store.write_sync(across.copy, source, [1, 2], target, limits=LIMITS.prepare)
        assert not has_sent(store, alice)
        assert not has_sent(store, carol)


def test_sent_stays_sent_wherever_the_message_goes(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        sent, archive = box_of(store, alice, "Sent"), box_of(store, alice, "Archive")
        added = store.write_sync(message.add, alice, sent, letter(store))
        ((_, uid),) = store.write_sync(message.move, alice, sent, [added.uid], archive)
        assert has_sent(store, alice)
        store.write_sync(mailbox.remove, alice, archive)
        assert uid
        assert not has_sent(store, alice)


async def test_an_upload_knows_to_whom_it_was_sent(tmp_path):
    """`Store.sent_to`, small and large."""
    with open_store(tmp_path) as store:
        for count in (1, 200):
            lines = b"To: " + b", ".join(b"u%d@example.org" % number for number in range(count)) + b"\r\n\r\n"
            content = await store.content(store.spooled(lines))
            assert await store.sent_to(content) == letter(store, lines).sent_to
            assert len((await store.sent_to(content)).names) == (count + 2) * tables.SENDER_NAME_OCTETS
        assert await store.sent_to(await store.content(store.spooled(b"Subject: x\r\n\r\n"))) == SentTo()


def test_accounts_know_nothing_of_one_another(tmp_path):
    with open_store(tmp_path) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        new = msgspec.structs.replace(letter(store), origin=ORIGINS[1])
        store.write_sync(message.add, alice, box_of(store, alice, "Inbox"), new, flags=NOT_JUNK)
        store.write_sync(message.add, alice, box_of(store, alice, "Sent"), letter(store))
        with store.read() as tx:
            history = StoredHistory(tx, carol, "Inbox")
            assert not history.judged(By.FROM, "bob@a.example.org", since=EPOCH, most=9)
            assert not history.has_sent(By.FROM, "bob@a.example.org", since=EPOCH)
            assert not reputation.knows_organization(tx, carol, "example.org")
        # A copy in another account is one of a message that came there.
        source, target = MailboxRef(alice, box_of(store, alice, "Inbox")), MailboxRef(carol, 1)
        store.write_sync(across.copy, source, [1], target, limits=LIMITS.prepare)
        with store.read() as tx:
            assert StoredHistory(tx, carol, "Inbox").judged(By.FROM, "bob@a.example.org", since=EPOCH, most=9)
            assert reputation.knows_organization(tx, carol, "example.org")


def test_ordinary_mail_costs_nothing(tmp_path):
    with open_store(tmp_path) as store:
        alice = add_account(store)
        new = msgspec.structs.replace(new_message(store), origin=ORIGINS[1])
        store.write_sync(message.add, alice, box_of(store, alice, "Inbox"), new)
        with store.read() as tx:
            for table in (Table.JUDGED, Table.SENT_TO, Table.SENT_TO_NAMES, Table.ARRIVED):
                assert tx.raw.stat(tx.handles[table])["entries"] == 0


# Accounts that go, stores of older programs, what verify sees.


def filled(store):
    """An account with rows of every kind."""
    alice = add_account(store)
    for number, origin in enumerate(ORIGINS):
        new = msgspec.structs.replace(new_message(store, received=START + number), origin=origin)
        for flags in (0, JUNK, NOT_JUNK):
            store.write_sync(message.add, alice, box_of(store, alice, "Inbox"), new, flags=flags)
        new = msgspec.structs.replace(new, destined_mailbox=box_of(store, alice, "Inbox"))
        store.write_sync(message.add, alice, box_of(store, alice, "Archive"), new, flags=NOT_JUNK)
    for sent in SENT:
        store.write_sync(message.add, alice, box_of(store, alice, "Sent"), letter(store, sent + b"\r\n"))
    store.write_sync(reputation.arrived, alice, networks(ip_address("192.0.2.77")), 1000)
    return alice


LEARNT = (Table.JUDGED, Table.SENT_TO, Table.SENT_TO_NAMES)


def everything(store, tables=LEARNT):
    with store.read() as tx:
        return {table: dict(tx.scan_prefix(table, b"")) for table in tables}


def test_an_account_that_goes_leaves_nothing(tmp_path):
    with open_store(tmp_path) as store:
        filled(store)
        assert all(everything(store, (*LEARNT, Table.ARRIVED)).values())
        store.write_sync(accounts.begin_removal, "alice")
        while not store.write_sync(accounts.remove_part, "alice", 2):
            pass
        assert not any(everything(store, (*LEARNT, Table.ARRIVED)).values())


@pytest.mark.parametrize("messages", [1000, 4])
def test_a_store_of_an_older_program_learns(tmp_path, monkeypatch, messages):
    monkeypatch.setattr("appliance.store.upgrade._MESSAGES", messages)
    with open_store(tmp_path) as store:
        filled(store)
        before = everything(store)

        def forget(tx):
            for table in LEARNT:
                for key in before[table]:
                    tx.delete(table, key)
            tx.put(Table.META, b"schema version", b"1")

        store.write_sync(forget)
        assert any("judged differs" in wrong for wrong in store.verify())
        upgrade.upgrade(store)
        assert everything(store) == before


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (Table.JUDGED, "index judged differs"),
        (Table.SENT_TO, "index sent_to differs"),
        (Table.SENT_TO_NAMES, "index sent_to differs"),
    ],
)
@pytest.mark.parametrize("change", ["missing", "too many", "otherwise"])
def test_verify_sees(tmp_path, table, says, change):
    with open_store(tmp_path) as store:
        filled(store)
        key, value = next(iter(everything(store)[table].items()))
        more = key[:-1] + bytes((key[-1] ^ 0x40,))

        def spoil(tx):
            if change != "too many":
                tx.delete(table, key)
            if change != "missing":
                tx.put(table, more, value)

        store.write_sync(spoil)
        assert any(says in wrong or "was sent to" in wrong for wrong in store.verify())

        def mend(tx):
            tx.delete(table, more)
            tx.put(table, key, value)

        store.write_sync(mend)


# How much comes.

NEAR = networks(ip_address("192.0.2.77"))


def arrive(store, account, octets=1000, networks=NEAR):
    store.write_sync(reputation.arrived, account, networks, octets)


def rates(store, account, networks=NEAR):
    with store.read() as tx:
        return reputation.rates(tx, account, networks, store.clock.microseconds())


def test_rates_of_three_networks(tmp_path):
    with open_store(tmp_path) as store:
        alice, carol = add_account(store), add_account(store, "carol")
        arrive(store, alice)
        arrive(store, alice, 500, networks(ip_address("192.0.2.78")))
        arrive(store, alice, 30, networks(ip_address("192.0.2.1")))
        # The first of a /26 is an address, too.
        arrive(store, alice, 7, networks(ip_address("192.0.2.64")))
        arrive(store, alice, 9, networks(ip_address("2001:db8::1")))
        assert rates(store, alice) == [(1, 1, 1000, 1000), (3, 3, 1507, 1507), (4, 4, 1537, 1537)]
        assert rates(store, carol) == [(0, 0, 0, 0)] * 3
        assert rates(store, alice, ()) == []


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.sampled_from([0, 0.5, 1, 59, 60, 61, 3600, 80_000, 86_400, 100_000]), st.booleans()
        ),
        max_size=60,
    )
)
def test_rates_are_those_of_the_last_day_and_old_rows_go(tmp_path_factory, arrivals):
    clock = StandingClock()
    with open_store(tmp_path_factory.mktemp("store"), clock) as store:
        accounts_ = [add_account(store), add_account(store, "carol")]
        past: list[tuple[int, int, tuple[str, ...], int]] = []
        for host, pause, who in arrivals:
            clock.move(pause)
            ip = ip_address(f"10.0.{host}.1")
            arrive(store, accounts_[who], host + 1, networks(ip))
            past.append((clock.microseconds(), accounts_[who], networks(ip), host + 1))
        for later in (0, 1, MINUTE - 1, MINUTE, DAY - 1, DAY):
            now = clock.microseconds() + later
            for account in accounts_:
                for near in {names for _, _, names, _ in past}:
                    with store.read() as tx:
                        found = reputation.rates(tx, account, near, now)
                    for at, one in enumerate(found):
                        same = [
                            (when, octets)
                            for when, whose, names, octets in past
                            if whose == account and names[at] == near[at] and when > now - DAY
                        ]
                        lately = [octets for when, octets in same if when > now - MINUTE]
                        assert one == (len(lately), len(same), sum(lately), sum(octets for _, octets in same))
        # Networks never seen again are forgotten, while others come.
        clock.move(100_000)
        for _ in range(len(arrivals) + 10):
            arrive(store, accounts_[0])
        with store.read() as tx:
            assert tx.raw.stat(tx.handles[Table.ARRIVED])["entries"] == 3


def test_rates_after_the_clock_was_set(tmp_path):
    clock = StandingClock()
    with open_store(tmp_path, clock) as store:
        alice = add_account(store)
        arrive(store, alice)
        clock.move(-600)  # Back a little: nothing is lost.
        arrive(store, alice)
        assert rates(store, alice)[0] == (2, 2, 2000, 2000)
        clock.move(700)
        arrive(store, alice)
        assert rates(store, alice)[0] == (1, 3, 1000, 3000)
        clock.move(400 * 86_400)  # Far ahead by mistake, and back.
        arrive(store, alice)
        clock.move(-400 * 86_400)
        for _ in range(9):
            arrive(store, alice)
        assert rates(store, alice)[0].messages_day > 3
        with store.read() as tx:
            times = [int.from_bytes(key[-8:], "big") for key, _ in tx.scan_prefix(Table.ARRIVED, b"")]
        assert max(times) <= clock.microseconds() + AHEAD
