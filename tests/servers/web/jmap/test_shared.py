"""Mailboxes of other accounts by JMAP (RFC 8620 §1.6.2, RFC 8621 §2): what rights allow, and nothing else."""

import json
import random
from types import SimpleNamespace

import msgspec
import pytest

from appliance.operations import messages as verbs, sharing
from appliance.operations.actor import Actor
from appliance.operations.states import difference, states
from appliance.servers.web.jmap.blobs import message_blob
from appliance.servers.web.jmap.methods import METHODS
from appliance.servers.web.jmap.watch import Watch
from appliance.store import acl, listing, mailbox, message, objectid, seen
from appliance.store.records import ALL_RIGHTS, SEEN, split_flags
from appliance.store.tables import ANYONE, MailboxRef, MessageID
from support.jmap import JMAP
from support.jmapcaller import Caller
from support.stores import new_message

LETTER = b"Subject: plan %d\r\nMessage-ID: <%d@x>\r\n%b\r\n%b\r\n"


class World:
    """Alice has mailboxes, of which some are Bob's to see."""

    def __init__(self, house) -> None:
        self.house, self.app, self.store = house, house.app, house.app.store
        self.alice, self.bob = house.number("alice"), house.number("bob")
        self.caller = Caller(house.app, self.bob, "bob")
        self.owner = Caller(house.app, self.alice, "alice")
        self.id = f"A{self.alice}"
        self._count = 0

    def make(self, name: str, account=None) -> int:
        return self.store.write_sync(mailbox.create, account or self.alice, name, limits=self.store.limits.mailbox)[
            -1
        ].id

    def share(self, box: int, letters: str, grantee=None) -> None:
        bits = sharing.bits_of(letters)
        self.store.write_sync(acl.set_rights, self.alice, box, grantee or self.bob, bits, most=10)

    def add(self, box: int, *flags: str, answers: int = 0, account=None, text: bytes = b"secret words") -> int:
        self._count += 1
        bits, words = split_flags(list(flags))
        references = b"References: <%d@x>\r\n" % answers if answers else b""
        octets = LETTER % (answers or self._count, self._count, references, text)
        new = new_message(self.store, octets)
        ref = MailboxRef(account or self.alice, box)
        return self.store.write_sync(message.add, *ref, new, flags=bits, keywords=words).id

    @property
    def modseq(self) -> int:
        with self.store.read() as tx:
            return tx.account(self.alice).modseq

    def box_id(self, box: int) -> str:
        return objectid.mailbox(self.alice, box)

    def email_id(self, id: int) -> str:
        return objectid.message(self.alice, id)

    def row(self, id: int):
        with self.store.read() as tx:
            place = message.place(tx, self.alice, MessageID(id))
            return message.row(tx, self.alice, place.mailbox, place.uid)

    async def call(self, method: str, **arguments):
        return await self.caller.call(method, {"accountId": self.id, **arguments})


@pytest.fixture
def world(house):
    return World(house)


# Rights and methods.


async def looked_up(it) -> bool:
    return it.world.box_id(it.box) in [one["id"] for one in (await it.call("Mailbox/get")).get("list", [])]


async def got(it) -> bool:
    answer = await it.call("Email/get", ids=[it.email], fetchAllBodyValues=True)
    assert "list" not in answer or len(answer["list"]) + len(answer["notFound"]) == 1
    return bool(answer.get("list"))


async def got_all(it) -> bool:
    return it.email in [one["id"] for one in (await it.call("Email/get", ids=None)).get("list", [])]


async def queried(it) -> bool:
    return (await it.call("Email/query", filter={"text": "secret"}, calculateTotal=True)).get("ids") == [it.email]


async def queried_in_mailbox(it) -> bool:
    return (await it.call("Email/query", filter={"inMailbox": it.world.box_id(it.box)})).get("ids") == [it.email]


async def threaded(it) -> bool:
    thread = objectid.thread(it.world.alice, it.world.row(it.id).thread)
    found = (await it.call("Thread/get", ids=[thread])).get("list")
    assert not found or found[0]["emailIds"] == [it.email]  # The other one is in a mailbox of her own.
    assert bool(found) == bool((await it.call("Thread/get", ids=None)).get("list"))
    return bool(found)


async def snipped(it) -> bool:
    return bool((await it.call("SearchSnippet/get", filter={"text": "words"}, emailIds=[it.email])).get("list"))


async def blob_read(it) -> bool:
    return bool((await it.call("Blob/get", ids=[it.blob])).get("list"))


async def blob_of_part_read(it) -> bool:
    return bool((await it.call("Blob/get", ids=[f"{it.blob}-1"])).get("list"))


async def blob_looked_up(it) -> bool:
    found = (await it.call("Blob/lookup", typeNames=["Email"], ids=[it.blob])).get("list")
    return bool(found and found[0]["matchedIds"]["Email"])


async def parsed(it) -> bool:
    return bool((await it.call("Email/parse", blobIds=[it.blob])).get("parsed"))


async def blob_copied(it) -> bool:
    caller = it.world.caller
    answer = await caller.call("Blob/copy", fromAccountId=it.world.id, blobIds=[it.blob])
    if copied := answer.get("copied"):
        (mine,) = copied.values()
        read = await caller.call("Blob/get", ids=[mine], properties=["data:asText"])
        return "secret words" in read["list"][0]["data:asText"]
    return False


async def composed_of_blob(it) -> bool:
    """What is another's cannot be named as one's own."""
    answer = await it.world.caller.call("Email/import", emails={"a": {"blobId": it.blob, "mailboxIds": it.mine}})
    assert answer["created"] is None
    return (await it.call("Blob/upload", create={"a": {"data": [{"blobId": it.blob}]}})).get("created") is not None


async def copied_out(it) -> bool:
    create = {"a": {"id": it.email, "mailboxIds": it.mine}}
    answer = await it.world.caller.call("Email/copy", fromAccountId=it.world.id, create=create)
    return bool(answer.get("created"))


async def updated(it, **patch) -> bool:
    return bool((await it.call("Email/set", update={it.email: patch})).get("updated"))


async def set_seen(it) -> bool:
    return await updated(it, **{"keywords/$seen": True})


async def set_keyword(it) -> bool:
    return await updated(it, **{"keywords/$flagged": True})


async def set_word(it) -> bool:
    return await updated(it, **{"keywords/later": True})


async def set_all(it) -> bool:
    return await updated(it, keywords={"$seen": True, "$flagged": True})


async def moved(it) -> bool:
    return await updated(it, mailboxIds={it.world.box_id(it.other): True})


async def destroyed(it) -> bool:
    return bool((await it.call("Email/set", destroy=[it.email])).get("destroyed"))


async def created(it) -> bool:
    email = {"mailboxIds": {it.world.box_id(it.box): True}, "subject": "new"}
    return bool((await it.call("Email/set", create={"a": email})).get("created"))


async def created_seen(it) -> bool:
    email = {"mailboxIds": {it.world.box_id(it.box): True}, "subject": "new", "keywords": {"$seen": True}}
    return bool((await it.call("Email/set", create={"a": email})).get("created"))


async def imported(it) -> bool:
    emails = {"a": {"blobId": "#b", "mailboxIds": {it.world.box_id(it.box): True}}}
    answers = await it.world.caller.responses(
        ["Blob/upload", {"accountId": it.world.id, "create": {"b": {"data": [{"data:asText": "A: b\r\n\r\n"}]}}}, "0"],
        ["Email/import", {"accountId": it.world.id, "emails": emails}, "1"],
    )
    return bool(answers[1][1].get("created"))


async def copied_in(it) -> bool:
    own = objectid.message(it.world.bob, it.own)
    create = {"a": {"id": own, "mailboxIds": {it.world.box_id(it.box): True}}}
    answer = await it.call("Email/copy", fromAccountId=it.world.caller.id, create=create)
    return bool(answer.get("created"))


async def moved_in(it) -> bool:
    """From another mailbox, which may be emptied."""
    patch = {"mailboxIds": {it.world.box_id(it.box): True}}
    return bool((await it.call("Email/set", update={it.world.email_id(it.elsewhere): patch})).get("updated"))


async def child_made(it) -> bool:
    child = {"name": "Child", "parentId": it.world.box_id(it.box)}
    return bool((await it.call("Mailbox/set", create={"a": child})).get("created"))


async def renamed(it) -> bool:
    return bool((await it.call("Mailbox/set", update={it.world.box_id(it.box): {"name": "New"}})).get("updated"))


async def removed(it) -> bool:
    answer = await it.call("Mailbox/set", destroy=[it.world.box_id(it.box)], onDestroyRemoveEmails=True)
    return bool(answer.get("destroyed"))


#: What rights an operation takes on the mailbox Top/Team; and whether the other mailbox is shared meanwhile.
OPERATIONS = [
    (looked_up, "l", False),
    *[(one, "lr", False) for one in (got, got_all, queried, queried_in_mailbox, threaded, snipped, parsed)],
    *[(one, "lr", False) for one in (blob_read, blob_of_part_read, blob_looked_up, blob_copied, copied_out)],
    (composed_of_blob, "lr", False),
    (set_seen, "lrs", False),
    (set_keyword, "lrw", False),
    (set_word, "lrw", False),
    (set_all, "lrsw", False),
    (moved, "lrte", True),
    (destroyed, "lrte", False),
    (created, "li", False),
    (created_seen, "lis", False),
    (imported, "li", False),
    (copied_in, "li", False),
    (moved_in, "li", True),
    (child_made, "lk", False),
    (renamed, "lx", True),
    (removed, "lx", False),
]
GRANTED = [
    *("", "l", "r", "lr", "lrs", "lrw", "lrsw", "lri", "li", "ri", "lis", "lrt", "lre", "lrte", "rte", "lk", "rk"),
    *("lx", "rx", "lp", "la", "lrswipkxtea", "rswipkxtea"),
]


@pytest.mark.parametrize(
    ("operation", "needed", "with_other"), OPERATIONS, ids=lambda one: getattr(one, "__name__", "")
)
async def test_rights(world, operation, needed, with_other):
    inbox = mailbox_of(world, world.bob)
    for number, granted in enumerate(GRANTED):
        top = world.make(f"Top{number}")
        box, other = world.make(f"Top{number}/Team"), world.make(f"Other{number}")
        secret = world.make(f"Secret{number}")
        it = SimpleNamespace(world=world, box=box, other=other, call=world.call)
        it.id = world.add(box)
        count = world._count
        world.add(secret, answers=count)
        it.elsewhere, it.own = world.add(other), world.add(inbox, account=world.bob)
        it.email, it.blob = world.email_id(it.id), message_blob(world.alice, it.id)
        it.mine = {objectid.mailbox(world.bob, inbox): True}
        world.share(box, granted)
        if with_other:
            world.share(other, "lrite")
            world.share(top, "lk")
        before, usage = world.modseq, row_or_none(world, it.id)
        expected = set(needed) <= set(granted)
        if operation is composed_of_blob:  # And any right to change something.
            expected = expected and not set(granted).isdisjoint("swikxte")
        assert await operation(it) == expected, granted
        if not expected:
            assert world.modseq == before, granted
            assert row_or_none(world, it.id) == usage, granted
        for one in (box, other, top):
            if row_of_box(world, one):
                world.share(one, "")


def mailbox_of(world, account, name="Inbox") -> int:
    with world.store.read() as tx:
        return mailbox.by_name(tx, account, name).id


def row_of_box(world, box):
    with world.store.read() as tx:
        return any(one.id == box for one in tx.mailboxes(world.alice))


def row_or_none(world, id):
    with world.store.read() as tx:
        place = message.place(tx, world.alice, MessageID(id))
        return place and message.row(tx, world.alice, place.mailbox, place.uid)


def test_methods_for_accounts_of_others():
    """Whoever adds one has to see to it here that it tells only what its caller may know."""
    shared = {name for name, one in METHODS.items() if one.shared}
    assert shared == {
        *(f"Mailbox/{verb}" for verb in ("get", "changes", "query", "queryChanges", "set")),
        *(f"Email/{verb}" for verb in ("get", "changes", "query", "queryChanges", "set", "import", "copy", "parse")),
        *("Thread/get", "Thread/changes", "SearchSnippet/get"),
        *(f"Blob/{verb}" for verb in ("copy", "upload", "get", "lookup")),
    }


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("Identity/get", {}),
        ("Identity/set", {"create": {}}),
        ("VacationResponse/get", {}),
        ("EmailSubmission/get", {"ids": []}),
        ("EmailSubmission/query", {}),
        ("Quota/get", {}),
        ("Quota/query", {}),
        ("Recipient/query", {"text": "a", "limit": 5}),
        ("Preferences/get", {}),
        ("Junk/explain", {"emailId": "M1-1"}),
        ("Mailbox/empty", {"id": "F1-1"}),
        ("Mailbox/markRead", {"ids": []}),
    ],
)
async def test_personal_methods(world, method, arguments):
    world.caller.using |= {METHODS[method].capability}
    assert await world.call(method, **arguments) == {"type": "accountNotFound"}
    world.share(world.make("Team"), "lrswipkxtea")
    assert await world.call(method, **arguments) == {"type": "accountNotSupportedByMethod"}


async def test_what_only_its_owner_has_asked_for(world):
    box = world.make("Team")
    world.share(box, "lrswipkxtea")
    email = world.email_id(world.add(box))
    for name in ("threadParentIds", "origin", "muted", "threadMissingLink"):
        assert (await world.call("Email/get", ids=[email], properties=[name]))["type"] == "invalidArguments"
        assert name in (await world.owner.call("Email/get", ids=[email], properties=[name]))["list"][0]
    refused = (await world.call("Email/set", update={email: {"muted": True}}))["notUpdated"][email]
    assert (refused["type"], refused["properties"]) == ("invalidProperties", ["muted"])
    assert (await world.call("Email/query", filter={"inThread": "T1-1"}))["type"] == "unsupportedFilter"


async def test_ids_of_others_in_the_own_account(world):
    box = world.make("Team")
    world.share(box, "lrswipkxtea")
    id = world.add(box)
    email, blob, caller = world.email_id(id), message_blob(world.alice, id), world.caller
    thread = objectid.thread(world.alice, world.row(id).thread)
    before = world.modseq
    for method, ids in (("Email/get", [email]), ("Thread/get", [thread]), ("Blob/get", [blob])):
        answer = await caller.call(method, ids=ids)
        assert (answer["list"], answer["notFound"]) == ([], ids)
    assert (await caller.call("Mailbox/get", ids=[world.box_id(box)]))["notFound"] == [world.box_id(box)]
    assert (await caller.call("Email/query", filter={"inMailbox": world.box_id(box)}))["ids"] == []
    assert (await caller.call("SearchSnippet/get", emailIds=[email]))["notFound"] == [email]
    assert (await caller.call("Email/parse", blobIds=[blob]))["notFound"] == [blob]
    answer = await caller.call("Email/set", update={email: {"keywords/$seen": True}}, destroy=[email])
    assert (answer["updated"], answer["destroyed"]) == (None, None)
    answer = await caller.call("Mailbox/set", destroy=[world.box_id(box)])
    assert answer["notDestroyed"][world.box_id(box)]["type"] == "notFound"
    # What was uploaded to one is not in the other, nor the owner's.
    uploaded = await world.call("Blob/upload", create={"a": {"data": [{"data:asText": "A: b\r\n\r\n"}]}})
    id = uploaded["created"]["a"]["id"]
    assert (await world.call("Blob/get", ids=[id]))["list"]
    assert (await caller.call("Blob/get", ids=[id]))["notFound"] == [id]
    world.owner.uploads = caller.uploads
    assert (await world.owner.call("Blob/get", ids=[id]))["notFound"] == [id]
    assert world.modseq == before


# Mailboxes.


async def test_mailboxes(world):
    world.make("Top/Middle/Team")
    with world.store.read() as tx:
        numbers = {one.name: one.id for one in tx.mailboxes(world.alice)}
    world.add(numbers["Top/Middle"])
    world.add(numbers["Top/Middle/Team"])
    world.share(numbers["Top/Middle/Team"], "lrsp")
    world.share(numbers["Archive"], "l")
    world.add(numbers["Archive"])
    answer = await world.call("Mailbox/get")
    found = {one["name"]: one for one in answer["list"]}
    assert sorted(found) == ["Archive", "Middle", "Team", "Top"]
    assert [found[name]["parentId"] for name in ("Top", "Middle", "Team")] == [
        None,
        found["Top"]["id"],
        found["Middle"]["id"],
    ]
    held = {name: {right for right, has in one["myRights"].items() if has} for name, one in found.items()}
    assert held == {
        "Team": {"mayReadItems", "maySetSeen", "maySubmit"},
        "Archive": set(),
        "Middle": set(),
        "Top": set(),
    }
    assert {name: one["totalEmails"] for name, one in found.items()} == {"Team": 1, "Archive": 0, "Middle": 0, "Top": 0}
    assert {name: one["totalThreads"] for name, one in found.items()} == {
        "Team": 1,
        "Archive": 0,
        "Middle": 0,
        "Top": 0,
    }
    assert {one["role"] for one in found.values()} == {None}
    assert (await world.call("Mailbox/query", sortAsTree=True))["ids"] == [
        found[name]["id"] for name in ("Archive", "Top", "Middle", "Team")
    ]


LETTERS = [
    ("l", set()),
    ("lr", {"mayReadItems"}),
    ("r", None),
    ("li", {"mayAddItems"}),
    ("lt", set()),
    ("le", set()),
    ("lte", {"mayRemoveItems"}),
    ("ls", {"maySetSeen"}),
    ("lw", {"maySetKeywords"}),
    ("lk", {"mayCreateChild"}),
    ("lx", {"mayRename", "mayDelete"}),
    ("lp", {"maySubmit"}),
    ("la", set()),
]


async def test_my_rights(world):
    box, inbox = world.make("Team"), mailbox_of(world, world.alice)
    for letters, expected in LETTERS:
        world.share(box, letters)
        world.share(inbox, letters)
        found = (await world.call("Mailbox/get", ids=[world.box_id(box), world.box_id(inbox)])).get("list")
        if expected is None:
            assert found is None  # There is no such account.
            continue
        mine, in_inbox = ({name for name, has in one["myRights"].items() if has} for one in found)
        assert (mine, in_inbox) == (expected, expected - {"mayRename", "mayDelete"})


async def test_mailboxes_changed(world):
    top = world.make("Top")
    world.share(top, "lrkx")
    created = (await world.call("Mailbox/set", create={"a": {"name": "New", "parentId": world.box_id(top)}}))["created"]
    new = created["a"]["id"]
    assert created["a"]["isSubscribed"]
    assert created["a"]["myRights"]["mayDelete"]  # It has the list of its parent.
    assert (await world.call("Mailbox/set", update={new: {"name": "Newer"}}))["updated"] == {new: None}
    with world.store.read() as tx:
        assert "Top/Newer" in [one.name for one in tx.mailboxes(world.alice)]
        assert mailbox.subscriptions(tx, world.bob).count("Other Users/alice/Top/Newer") == 1
    # Not its order, its uses, or a place where there are none of his.
    for patch in ({"sortOrder": 7}, {"role": "archive"}, {"parentId": None}):
        answer = await world.call("Mailbox/set", update={new: patch})
        assert answer["notUpdated"][new]["type"] == "forbidden", patch
    answer = await world.call("Mailbox/set", create={"a": {"name": "Mine"}})
    assert answer["notCreated"]["a"]["type"] == "forbidden"
    before = (await world.call("Mailbox/get"))["state"]
    assert (await world.call("Mailbox/set", update={new: {"isSubscribed": False}}))["updated"] == {new: None}
    assert (await world.call("Mailbox/changes", sinceState=before))["type"] == "cannotCalculateChanges"
    assert (await world.call("Mailbox/set", destroy=[new]))["destroyed"] == [new]


async def test_hidden_sibling_is_not_told(world):
    top = world.make("Top")
    hidden = world.make("Top/Hidden")
    world.share(top, "lrk")
    answer = await world.call("Mailbox/set", create={"a": {"name": "Hidden", "parentId": world.box_id(top)}})
    assert answer["notCreated"]["a"]["type"] == "forbidden"
    for id in (world.box_id(hidden), world.box_id(9999)):
        answer = await world.call("Mailbox/set", update={id: {"name": "x"}}, destroy=[id])
        assert answer["notUpdated"][id]["type"] == "willDestroy"
        assert answer["notDestroyed"][id]["type"] == "notFound"
        answer = await world.call("Mailbox/set", create={"a": {"name": "x", "parentId": id}})
        assert answer["notCreated"]["a"]["type"] == "notFound"
        email = {"subject": "x", "mailboxIds": {id: True}}
        answer = await world.call("Email/set", create={"a": email})
        assert answer["notCreated"]["a"]["properties"] == ["mailboxIds"]


# Messages.


async def test_seen_of_his_own(world):
    box = world.make("Team")
    world.share(box, "lrs")
    world.store.write_sync(seen.set_own, world.alice, box, is_own=True)
    first, second = (world.add(box, *flags) for flags in ((), ("\\Seen",)))
    ids = [world.email_id(first), world.email_id(second)]

    async def seen_by(call) -> list[bool]:
        found = (await call("Email/get", ids=ids, properties=["keywords"]))["list"]
        keyword = (await call("Email/query", filter={"hasKeyword": "$seen"}))["ids"]
        assert set(keyword) == {one["id"] for one in found if one["keywords"]}
        boxes = (await call("Mailbox/get", ids=[world.box_id(box)]))["list"]
        assert boxes[0]["unreadEmails"] == sum(not one["keywords"] for one in found)
        return [bool(one["keywords"]) for one in found]

    assert await seen_by(world.call) == [False, False]
    state = (await world.call("Email/get", ids=[]))["state"]
    assert (await world.call("Email/set", update={ids[0]: {"keywords/$seen": True}}))["updated"]
    assert (await world.call("Email/changes", sinceState=state))["updated"] == [ids[0]]
    assert await seen_by(world.call) == [True, False]
    assert await seen_by(world.owner.call) == [False, True]
    assert not world.row(first).flags & SEEN
    # Set as a whole it may be, as nothing else changes.
    assert (await world.call("Email/set", update={ids[0]: {"keywords": {}}}))["updated"]
    assert await seen_by(world.call) == [False, False]


async def test_threads_end_where_rights_do(world):
    box, secret = world.make("Team"), world.make("Secret")
    world.share(box, "lr")
    first = world.add(box)
    hidden = world.add(secret, "\\Flagged", answers=1)
    last = world.add(box, answers=1)
    thread = objectid.thread(world.alice, world.row(first).thread)
    assert world.row(hidden).thread == world.row(first).thread
    found = await world.call("Thread/get", ids=[thread])
    assert found["list"] == [{"id": thread, "emailIds": [world.email_id(first), world.email_id(last)]}]
    for word in ("someInThreadHaveKeyword", "allInThreadHaveKeyword"):
        assert (await world.call("Email/query", filter={word: "$flagged"}))["ids"] == []
    assert len((await world.call("Email/query", filter={"noneInThreadHaveKeyword": "$flagged"}))["ids"]) == 2
    sort = [{"property": "someInThreadHaveKeyword", "keyword": "$flagged"}]
    assert len((await world.call("Email/query", sort=sort))["ids"]) == 2
    boxes = (await world.call("Mailbox/get", ids=[world.box_id(box)]))["list"]
    assert (boxes[0]["totalEmails"], boxes[0]["totalThreads"], boxes[0]["unreadThreads"]) == (2, 1, 1)
    await verbs.flag(world.app, Actor(world.alice, "alice", ""), MessageID(first), "+", ["\\Seen"])
    await verbs.flag(world.app, Actor(world.alice, "alice", ""), MessageID(last), "+", ["\\Seen"])
    boxes = (await world.call("Mailbox/get", ids=[world.box_id(box)]))["list"]
    assert boxes[0]["unreadThreads"] == 0  # What is unread is hidden.


async def test_nothing_is_told_of_what_happens_elsewhere(world):
    box, secret, looked = world.make("Team"), world.make("Secret"), world.make("Looked")
    world.share(box, "lr")
    world.share(looked, "l")
    email = world.email_id(world.add(box))
    other = world.add(secret, answers=1)
    query = {"filter": {"someInThreadHaveKeyword": "$seen"}}
    asked = [
        ("Email/get", {"ids": []}, "state"),
        ("Mailbox/get", {}, "state"),
        ("Thread/get", {"ids": []}, "state"),
        ("Email/query", {}, "queryState"),
        ("Email/query", query, "queryState"),
        ("Email/query", {"filter": {"inMailbox": world.box_id(secret)}}, "queryState"),
        ("Email/query", {"filter": {"inMailbox": world.box_id(4242)}}, "queryState"),
        ("Mailbox/query", {}, "queryState"),
    ]
    before = [(await world.call(method, **arguments))[state] for method, arguments, state in asked]
    watch = Watch(world.app, world.caller.actor, None)
    told = states(world.app, world.caller.actor)
    actor = Actor(world.alice, "alice", "")
    await verbs.flag(world.app, actor, MessageID(other), "+", ["\\Seen"])
    world.add(secret)
    world.add(looked, answers=1)
    await verbs.move_one(world.app, actor, MessageID(other), "Archive")
    world.share(secret, "lr", grantee=world.house.number("shut"))
    for is_new in (False, True):
        if is_new:  # What is known of lists is forgotten, as after a restart.
            world.store.listings = listing.Listings(world.store, 1_000_000)
        assert [(await world.call(method, **arguments))[state] for method, arguments, state in asked] == before
        for method in ("Email/changes", "Thread/changes", "Mailbox/changes"):
            answer = await world.call(method, sinceState=before[1 if method[0] == "M" else 0])
            assert (answer["created"], answer["updated"], answer["destroyed"]) == ([], [], [])
        for arguments, at in (({}, 3), (query, 4)):
            answer = await world.call("Email/queryChanges", sinceQueryState=before[at], **arguments)
            assert (answer["removed"], answer["added"]) == ([], [])
    assert watch.news() is None
    assert difference(world.bob, told, states(world.app, world.caller.actor), None) == {}
    assert (await world.call("Email/query"))["ids"] == [email]


async def test_changes(world):
    box, secret = world.make("Team"), world.make("Secret")
    world.share(box, "lr")
    actor = Actor(world.alice, "alice", "")
    first, second = world.add(box), world.add(box, answers=1)
    hidden = world.add(secret)
    state = (await world.call("Email/get", ids=[]))["state"]
    boxes = (await world.call("Mailbox/get"))["state"]
    listed = (await world.call("Email/query"))["queryState"]
    watch = Watch(world.app, world.caller.actor, None)
    await verbs.move_one(world.app, actor, MessageID(first), "Secret")
    await verbs.move_one(world.app, actor, MessageID(hidden), "Team")
    await verbs.flag(world.app, actor, MessageID(second), "+", ["\\Flagged"])
    third = world.add(secret, answers=1)
    answer = await world.call("Email/changes", sinceState=state)
    assert (answer["created"], answer["updated"], answer["destroyed"]) == (
        [world.email_id(hidden)],
        [world.email_id(second)],
        [world.email_id(first)],
    )
    now = answer["newState"]
    # One after the other, too.
    told = []
    since, more = state, True
    while more:
        answer = await world.call("Email/changes", sinceState=since, maxChanges=1)
        told += answer["created"] + answer["updated"] + answer["destroyed"]
        since, more = answer["newState"], answer["hasMoreChanges"]
    assert sorted(told) == sorted(map(world.email_id, (first, second, hidden)))
    assert since == now
    threads = await world.call("Thread/changes", sinceState=state)
    assert threads["created"] == [objectid.thread(world.alice, world.row(hidden).thread)]
    assert threads["updated"] == [objectid.thread(world.alice, world.row(second).thread)]
    assert threads["newState"] == now
    changed = await world.call("Mailbox/changes", sinceState=boxes)
    assert changed["updated"] == [world.box_id(box)]
    assert changed["newState"] == (await world.call("Mailbox/get"))["state"]
    for at_hand in (True, False):  # And after a restart.
        answer = await world.call("Email/queryChanges", sinceQueryState=listed)
        assert world.email_id(first) in answer["removed"]
        assert world.email_id(third) not in answer["removed"]
        assert {one["id"] for one in answer["added"]} == {world.email_id(hidden)} | (
            set() if at_hand else {world.email_id(second)}
        )
        world.store.listings = listing.Listings(world.store, 1_000_000)
    (account, news) = next(iter(watch.news()["changed"].items()))
    assert (account, news["Email"], set(news)) == (world.id, now, {"Email", "Mailbox", "Thread"})
    assert watch.news() is None


async def test_changes_before_those_that_he_sees(world):
    """What happened elsewhere stands between two states that he has."""
    box, secret = world.make("Team"), world.make("Secret")
    world.share(box, "lr")
    actor = Actor(world.alice, "alice", "")
    hidden = world.add(secret)
    gone, other = world.add(secret, answers=1), world.add(secret)
    first = world.add(box, answers=1)
    query = {"filter": {"noneInThreadHaveKeyword": "$draft"}}
    state = (await world.call("Email/get", ids=[]))["state"]
    listed = [(one, (await world.call("Email/query", **one))["queryState"]) for one in ({}, query)]
    await verbs.flag(world.app, actor, MessageID(hidden), "+", ["\\Flagged"])
    await verbs.delete(world.app, actor, MessageID(gone))
    await verbs.move_one(world.app, actor, MessageID(hidden), "Archive")
    await verbs.flag(world.app, actor, MessageID(other), "+", ["\\Flagged"])
    await verbs.delete(world.app, actor, MessageID(other))
    await verbs.flag(world.app, actor, MessageID(first), "+", ["\\Flagged"])
    for _ in range(2):
        for method in ("Email/changes", "Thread/changes"):
            answer = await world.call(method, sinceState=state)
            told = [
                world.email_id(first) if method[0] == "E" else objectid.thread(world.alice, world.row(first).thread)
            ]
            assert (answer["created"], answer["updated"], answer["destroyed"]) == ([], told, [])
        for arguments, since in listed:
            answer = await world.call("Email/queryChanges", sinceQueryState=since, **arguments)
            assert set(answer["removed"]) | {one["id"] for one in answer["added"]} <= {world.email_id(first)}
        world.store.listings = listing.Listings(world.store, 1_000_000)


async def test_what_happens_elsewhere_costs_nothing(world, monkeypatch):
    """Of a quiet mailbox in an account where much happens each question would be about all of that."""
    box, secret = world.make("Team"), world.make("Secret")
    world.share(box, "lr")
    world.add(box)
    state = (await world.call("Email/get", ids=[]))["state"]
    world.add(secret)

    def looked(*_):
        raise AssertionError("looked at what happened elsewhere")

    monkeypatch.setattr(message, "changed_since", looked)
    for method in ("Email/changes", "Thread/changes"):
        answer = await world.call(method, sinceState=state)
        assert (answer["created"], answer["updated"], answer["destroyed"], answer["newState"]) == ([], [], [], state)


async def test_what_is_forgotten_elsewhere(world):
    """Mending forgets removals: who knows all of what he sees begins anew for none that he never saw."""
    box, secret = world.make("Team"), world.make("Secret")
    world.share(box, "lr")
    world.add(box)
    before = (await world.call("Email/get", ids=[]))["state"]
    listed = (await world.call("Email/query"))["queryState"]
    world.add(box)
    state = (await world.call("Email/get", ids=[]))["state"]

    def forget(tx) -> None:
        tx.account(world.alice).highest_deleted_modseq = tx.modseq(world.alice)

    world.add(secret)
    world.store.write_sync(forget)
    for method in ("Email/changes", "Thread/changes"):
        answer = await world.call(method, sinceState=state)
        assert (answer["created"], answer["updated"], answer["destroyed"], answer["newState"]) == ([], [], [], state)
        assert (await world.call(method, sinceState=before))["type"] == "cannotCalculateChanges"
    world.store.listings = listing.Listings(world.store, 1_000_000)
    assert (await world.call("Email/queryChanges", sinceQueryState=listed))["type"] == "cannotCalculateChanges"


async def test_states_begin_anew_with_other_rights(world):
    box, other = world.make("Team"), world.make("Other")
    world.share(box, "lr")
    world.add(box)
    hidden = world.email_id(world.add(other))

    async def taken() -> list:
        return [
            ("Email/changes", {"sinceState": (await world.call("Email/get", ids=[]))["state"]}),
            ("Thread/changes", {"sinceState": (await world.call("Thread/get", ids=[]))["state"]}),
            ("Mailbox/changes", {"sinceState": (await world.call("Mailbox/get"))["state"]}),
            ("Email/queryChanges", {"sinceQueryState": (await world.call("Email/query"))["queryState"]}),
            ("Mailbox/queryChanges", {"sinceQueryState": (await world.call("Mailbox/query"))["queryState"]}),
        ]

    def change_own() -> None:
        world.store.write_sync(seen.set_own, world.alice, box, is_own=True)

    steps = [
        lambda: world.share(other, "lr"),
        lambda: world.share(box, "lrs"),
        lambda: world.share(box, "l"),
        lambda: world.share(box, "lr"),
        change_own,
        lambda: world.share(other, ""),
        lambda: world.share(other, "lr", grantee=ANYONE),
    ]
    for step in steps:
        calls = await taken()
        watch = Watch(world.app, world.caller.actor, None)
        for method, arguments in calls:
            assert "type" not in await world.call(method, **arguments), method
        step()
        for method, arguments in calls:
            assert (await world.call(method, **arguments))["type"] == "cannotCalculateChanges", method
        assert set(watch.news()["changed"]) == {world.id}
    assert hidden in (await world.call("Email/query"))["ids"]
    # States of the own account are none of another's, nor the other way round.
    own = (await world.caller.call("Email/get", ids=[]))["state"]
    assert (await world.call("Email/changes", sinceState=own))["type"] == "cannotCalculateChanges"
    theirs = (await world.call("Email/get", ids=[]))["state"]
    assert (await world.caller.call("Email/changes", sinceState=theirs))["type"] == "cannotCalculateChanges"


async def test_rights_are_gone(world):
    box = world.make("Team")
    world.share(box, "lr")
    email = world.email_id(world.add(box))
    assert (await world.call("Email/query"))["ids"] == [email]
    world.share(box, "")
    for method, arguments in (("Email/query", {}), ("Email/get", {"ids": [email]}), ("Mailbox/get", {})):
        assert await world.call(method, **arguments) == {"type": "accountNotFound"}
    for wrong in ("A0", "A99", "A4294967296", "A99999999999999", "", "A1-1", world.id + "\n"):
        assert await world.caller.call("Email/query", accountId=wrong) == {"type": "accountNotFound"}
    copy = {"fromAccountId": world.id, "create": {"a": {"id": email, "mailboxIds": {}}}}
    assert await world.caller.call("Email/copy", copy) == {"type": "fromAccountNotFound"}
    assert await world.caller.call("Blob/copy", fromAccountId=world.id, blobIds=[]) == {"type": "fromAccountNotFound"}


# Copies.


async def test_copies(world):
    box, inbox = world.make("Team"), mailbox_of(world, world.bob)
    world.share(box, "lriste")
    original = world.add(box, "\\Seen", "\\Flagged", "word")
    mine = {objectid.mailbox(world.bob, inbox): True}
    state = (await world.call("Email/get", ids=[]))["state"]
    create = {
        "a": {"id": world.email_id(original), "mailboxIds": mine},
        "b": {
            "id": world.email_id(original),
            "mailboxIds": mine,
            "keywords": {"$draft": True},
            "receivedAt": "2020-02-02T02:02:02Z",
        },
        "c": {"id": world.email_id(original), "mailboxIds": {world.box_id(box): True}},
        "d": {"id": world.email_id(999), "mailboxIds": mine},
        "e": {"id": world.email_id(original), "mailboxIds": mine, "subject": "x"},
    }
    copy = {"fromAccountId": world.id, "create": create}
    assert (await world.caller.call("Email/copy", copy, ifFromInState="0"))["type"] == "stateMismatch"
    assert (await world.caller.call("Email/copy", copy, ifInState="0"))["type"] == "stateMismatch"
    answers = await world.caller.responses(
        ["Email/copy", {**copy, "ifFromInState": state, "onSuccessDestroyOriginal": True}, "0"],
        ["Email/get", {"ids": ["#a", "#b"], "properties": ["keywords", "receivedAt", "subject"]}, "1"],
    )
    (_, done, _), (name, gone, id), (_, got, _) = answers
    assert sorted(done["created"]) == ["a", "b"]
    errors = {key: one["type"] for key, one in done["notCreated"].items()}
    assert errors == {"c": "invalidProperties", "d": "notFound", "e": "invalidProperties"}
    first, second = got["list"]
    assert (first["keywords"], first["subject"]) == ({"$seen": True, "$flagged": True, "word": True}, "plan 1")
    assert (second["keywords"], second["receivedAt"]) == ({"$draft": True}, "2020-02-02T02:02:02Z")
    assert (name, gone["accountId"], gone["destroyed"], id) == ("Email/set", world.id, [world.email_id(original)], "0")
    # Back: what may not be set there is left out, and refused where it is asked for.
    create = {
        "a": {"id": first["id"], "mailboxIds": {world.box_id(box): True}},
        "b": {"id": first["id"], "mailboxIds": {world.box_id(box): True}, "keywords": {"$flagged": True}},
    }
    answer = await world.call("Email/copy", fromAccountId=world.caller.id, create=create)
    assert answer["notCreated"]["b"]["type"] == "forbidden"
    there = await world.call("Email/get", ids=[answer["created"]["a"]["id"]], properties=["keywords"])
    assert there["list"][0]["keywords"] == {"$seen": True}


async def test_flags_of_many_are_each_refused(world):
    team, shown = world.make("Team"), world.make("Shown")
    world.share(team, "lrws")
    world.share(shown, "lr")
    emails = [world.email_id(world.add(box)) for box in (team, shown)]
    answer = await world.call("Email/set", update={id: {"keywords/$flagged": True} for id in emails})
    assert (list(answer["updated"]), list(answer["notUpdated"])) == ([emails[0]], [emails[1]])
    world.share(team, "lrte")
    answer = await world.call("Email/set", destroy=emails)
    assert (answer["destroyed"], answer["notDestroyed"][emails[1]]["type"]) == ([emails[0]], "forbidden")


async def test_what_is_done_of_many_is_told(world, monkeypatch):
    """Verbs do many in several transactions: what the first has done is done when the next may not."""
    monkeypatch.setattr(verbs, "SLICE_MESSAGES", 1)
    team, shown, drop = world.make("Team"), world.make("Shown"), world.make("Drop")
    for box, letters in ((team, "lrte"), (shown, "lr"), (drop, "li")):
        world.share(box, letters)
    emails = [world.email_id(world.add(box)) for box in (team, shown, team)]
    # Where nobody sees them afterwards.
    move = {"mailboxIds": {world.box_id(drop): True}}
    answer = await world.call("Email/set", update={emails[0]: move, emails[1]: move})
    assert (list(answer["updated"]), list(answer["notUpdated"])) == ([emails[0]], [emails[1]])
    answer = await world.call("Email/set", destroy=[emails[2], emails[1]])
    assert answer["destroyed"] == [emails[2]]
    assert {id: one["type"] for id, one in answer["notDestroyed"].items()} == {emails[1]: "forbidden"}


# The other doors.


async def test_session_and_blobs(world, house):
    browser = await house.logged_in("webmail")  # It is Alice, and what is shared is Bob's.
    jmap = JMAP(browser)
    session = (await browser.request("GET", "jmap/session")).json
    assert list(session["accounts"]) == [jmap.account]
    theirs = f"A{world.bob}"
    inbox = mailbox_of(world, world.bob)
    id = world.add(inbox, account=world.bob)
    blob = message_blob(world.bob, id)
    assert (await browser.request("GET", f"jmap/download/{theirs}/{blob}/x")).status == 404

    def share(bits: int) -> None:
        world.store.write_sync(acl.set_rights, world.bob, inbox, world.alice, bits, most=10)

    share(sharing.bits_of("r"))
    assert (await browser.request("GET", "jmap/session")).json == session
    share(sharing.bits_of("lr"))
    now = (await browser.request("GET", "jmap/session")).json
    assert now["state"] != session["state"]
    account = now["accounts"][theirs]
    assert (account["name"], account["isPersonal"], account["isReadOnly"]) == ("bob", False, True)
    assert sorted(account["accountCapabilities"]) == ["urn:ietf:params:jmap:blob", "urn:ietf:params:jmap:mail"]
    assert not account["accountCapabilities"]["urn:ietf:params:jmap:mail"]["mayCreateTopLevelMailbox"]
    assert set(now["primaryAccounts"].values()) == {jmap.account}
    answer = await browser.request("GET", f"jmap/download/{theirs}/{blob}/x")
    assert (answer.status, b"secret words" in answer.body) == (200, True)
    assert (await browser.request("GET", f"jmap/download/{jmap.account}/{blob}/x")).status == 404
    assert (await browser.request("GET", f"msg/{objectid.message(world.bob, id)}/raw")).status == 404
    fields = {"x-mox-csrf": browser.csrf, "content-type": "text/plain"}
    uploaded = json.loads((await browser.request("POST", f"jmap/upload/{theirs}/", b"hello there", fields)).body)
    assert uploaded["accountId"] == theirs
    assert (await browser.request("GET", f"jmap/download/{theirs}/{uploaded['blobId']}/x")).body == b"hello there"
    assert (await browser.request("GET", f"jmap/download/{jmap.account}/{uploaded['blobId']}/x")).status == 404
    share(ALL_RIGHTS)
    assert not (await browser.request("GET", "jmap/session")).json["accounts"][theirs]["isReadOnly"]
    share(sharing.bits_of("l"))
    assert (await browser.request("GET", f"jmap/download/{theirs}/{blob}/x")).status == 404
    share(0)
    assert (await browser.request("GET", f"jmap/download/{theirs}/{uploaded['blobId']}/x")).status == 404
    assert (await browser.request("POST", f"jmap/upload/{theirs}/", b"hello there", fields)).status == 404
    assert (await browser.request("GET", "jmap/session")).json == session


async def test_push_goes_on_where_it_was(world):
    box = world.make("Team")
    world.share(box, "lr")
    world.add(box)
    watch = Watch(world.app, world.caller.actor, None)
    assert Watch(world.app, world.caller.actor, None, watch.state).news() is None
    assert await watch.look() is None
    world.add(box)
    late = Watch(world.app, world.caller.actor, frozenset({"Email"}), watch.state)
    assert {account: set(types) for account, types in late.news()["changed"].items()} == {world.id: {"Email"}}
    # An account that was not known then is news.
    world.share(box, "")
    state = Watch(world.app, world.caller.actor, None).state
    world.share(box, "lr")
    assert set(Watch(world.app, world.caller.actor, None, state).news()["changed"]) == {world.id}


# Anything.

_ARGUMENTS = {
    "get": ("ids", "properties", "fetchAllBodyValues", "bodyProperties", "maxBodyValueBytes", "offset", "length"),
    "changes": ("sinceState", "maxChanges"),
    "query": ("filter", "sort", "position", "anchor", "limit", "calculateTotal", "collapseThreads", "sortAsTree"),
    "queryChanges": ("filter", "sort", "sinceQueryState", "upToId", "calculateTotal", "collapseThreads"),
    "set": ("create", "update", "destroy", "ifInState", "onDestroyRemoveEmails"),
    "import": ("emails",),
    "copy": ("create", "fromAccountId", "onSuccessDestroyOriginal", "blobIds"),
    "parse": ("blobIds", "properties", "fetchAllBodyValues"),
    "upload": ("create",),
    "lookup": ("typeNames", "ids"),
}


class Anything:
    """Arguments of any kind, most of which speak of something that is there."""

    def __init__(self, chance: random.Random, ids: list[str]) -> None:
        self.chance, self.ids = chance, ids
        self.states = ["0", "1", "9"]

    def of(self, name: str, depth: int = 0):
        chance = self.chance
        match name:
            case "ids" | "destroy" | "blobIds" | "emailIds" | "inMailboxOtherThan":
                return [chance.choice(self.ids) for _ in range(3)]
            case "typeNames":
                return ["Email", "Mailbox", "Thread"]
            case "properties" | "bodyProperties":
                return (
                    None if chance.random() < 0.6 else [chance.choice(("id", "keywords", "threadId", "name", "data"))]
                )
            case "sinceState" | "sinceQueryState" | "ifInState":
                return chance.choice(self.states)
            case "fromAccountId":
                return chance.choice(("A1", "A2", "A3"))
            case "filter":
                return chance.choice([None, *({one: self.of(one)} for one in _CONDITIONS)])
            case "sort":
                by = chance.choice(("receivedAt", "subject", "someInThreadHaveKeyword", "name"))
                return chance.choice([None, [{"property": by, "keyword": "$flagged"}]])
            case "create" | "emails" | "update":
                names = (
                    "id",
                    "mailboxIds",
                    "keywords",
                    "name",
                    "parentId",
                    "blobId",
                    "subject",
                    "isSubscribed",
                    "data",
                )
                made = {one: self.of(one) for one in chance.sample(names, 4)}
                return {chance.choice(self.ids) if name == "update" else "k": made}
            case "data":
                return [{"blobId": chance.choice(self.ids)}]
            case "mailboxIds":
                return {chance.choice(self.ids): True}
            case "keywords":
                return {chance.choice(("$seen", "$flagged", "word")): True}
            case "id" | "parentId" | "blobId" | "anchor" | "upToId" | "inMailbox":
                return chance.choice(self.ids)
            case "maxChanges" | "limit" | "position" | "length" | "offset" | "maxBodyValueBytes":
                return chance.choice((0, 1, 2, 100))
            case "text":
                return chance.choice(("plan", "confidential", "words"))
            case "subject" | "name":
                return chance.choice(("plan", "New"))
            case _ if name.endswith("Keyword"):
                return chance.choice(("$flagged", "$seen"))
        return chance.choice((True, False))


_CONDITIONS = (
    *("inMailbox", "inMailboxOtherThan", "text", "subject", "hasKeyword", "notKeyword", "parentId", "isSubscribed"),
    *("someInThreadHaveKeyword", "allInThreadHaveKeyword", "noneInThreadHaveKeyword"),
)


@pytest.mark.parametrize("seed", range(4))
async def test_no_arguments_tell_or_change_what_is_hidden(world, seed):
    chance = random.Random(seed)
    team, looked = world.make("Team"), world.make("Looked")
    hidden = [world.make("Confidential"), looked, world.make("Team/Confidential")]
    world.share(team, ("lr", "lrs", "lrswipkxtea", "lrsiw")[seed])
    world.share(looked, "l")
    world.share(hidden[2], "")
    shown = [world.add(team) for _ in range(3)]
    secret = [world.add(chance.choice(hidden), answers=chance.choice((0, 1)), text=b"confidential") for _ in range(6)]
    rows = [world.row(id) for id in secret]
    boxes = mailbox_names(world, hidden)
    inbox = mailbox_of(world, world.bob)
    ids = [
        *map(world.email_id, (*shown, *secret, 77)),
        *(objectid.thread(world.alice, world.row(id).thread) for id in (*shown, *secret)),
        *(message_blob(world.alice, id) for id in (*shown, *secret)),
        *(f"{message_blob(world.alice, id)}-1" for id in secret),
        *map(world.box_id, (team, *hidden, 99)),
        objectid.mailbox(world.bob, inbox),
        "#k",
    ]
    anything = Anything(chance, ids)
    methods = sorted(name for name, one in METHODS.items() if one.shared)
    answered = set()
    for _ in range(250):
        method = chance.choice(methods)
        account = world.id if chance.random() < 0.8 else world.caller.id
        verb = method.partition("/")[2]
        names = _ARGUMENTS["parse"] if method == "Email/parse" else _ARGUMENTS[verb]
        if method == "SearchSnippet/get":
            names = ("filter", "emailIds")
        known = {one.encode_name for one in msgspec.structs.fields(METHODS[method].arguments)}
        arguments = {name: anything.of(name) for name in names if name in known and chance.random() < 0.9}
        answers = await world.caller.responses([method, {**arguments, "accountId": account}, "0"])
        for _, answer, _ in answers:
            assert answer.get("type") != "serverFail", (method, arguments)
            text = json.dumps(answer)
            assert "confidential" not in text.lower(), (method, arguments)
            asked = json.dumps(arguments)
            for id in secret:
                for name in (world.email_id(id), message_blob(world.alice, id)):
                    assert f'"{name}"' not in text or name in asked, (method, arguments)
            for key in ("state", "newState", "queryState", "newQueryState"):
                if key in answer:
                    anything.states.append(answer[key])
            if "type" not in answer:
                answered.add(method)
    assert len(answered) > len(methods) // 2
    assert [world.row(id) for id in secret] == rows
    assert mailbox_names(world, hidden) == boxes


def mailbox_names(world, numbers) -> list[tuple]:
    """What only its owner may change; a mailbox above may have another name now."""
    with world.store.read() as tx:
        found = [tx.mailbox(world.alice, number) for number in numbers]
    return [(one.name.rpartition("/")[2], one.total, one.deleted, one.roles) for one in found]
