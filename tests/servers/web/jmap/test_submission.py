"""EmailSubmission/*: what is sent of a draft, to whom, when; what is refused; taking back; what is remembered."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from appliance.base import limits
from appliance.config.values import AddressName
from appliance.operations import delivering
from appliance.servers.web.jmap import submission
from appliance.servers.web.jmap.problem import SUBMIT, errors
from appliance.store import bodies, mailbox, message, objectid, queued, recipients, reputation
from appliance.store.history import By
from appliance.store.problems import StorageFull
from appliance.store.queuerecords import Attempt
from appliance.store.records import split_flags
from support import webhouse
from support.jmap import JMAP
from support.stores import new_message

DOMAINS = (
    webhouse.DOMAINS
    + """\
[domains."other.example"]
[accounts.alice.destinations."@other.example"]
"""
)
DRAFT = (
    b'From: Alice <alice@example.org>\r\nTo: "Ann B." <ann@there.example>\r\nCc: carl@there.example\r\n'
    b"Bcc: secret@there.example\r\nSubject: hi\r\n\r\nhello\r\n"
)
PENDING = {"smtpReply": "250 2.0.0 queued", "delivered": "queued", "displayed": "unknown"}


class Desk:
    """Alice's drafts, and what is in the queue."""

    def __init__(self, house, jmap):
        self.house, self.jmap, self.store, self.account = house, jmap, house.app.store, house.number()

    def box(self, name):
        with self.store.read() as tx:
            return mailbox.by_name(tx, self.account, name).id

    async def draft(self, octets=DRAFT):
        bits, _ = split_flags(["\\Draft", "\\Seen"])
        added = await self.store.write(
            message.add, self.account, self.box("Drafts"), new_message(self.store, octets), flags=bits
        )
        return objectid.message(self.account, added.id)

    async def identity(self, email="alice@example.org"):
        found = (await self.jmap.call("Identity/get", ids=None))["list"]
        return next(one["id"] for one in found if one["email"] == email)

    async def submit(self, octets=DRAFT, email="alice@example.org", **properties):
        """What EmailSubmission/set answers to a creation `k`."""
        create = {"identityId": await self.identity(email), "emailId": await self.draft(octets), **properties}
        return await self.jmap.call("EmailSubmission/set", create={"k": create})

    async def one(self, id):
        (found,) = (await self.jmap.call("EmailSubmission/get", ids=[id]))["list"]
        return found

    @property
    def queue(self):
        with self.store.read() as tx:
            return list(queued.all_messages(tx))

    def octets(self, one):
        with self.store.read() as tx:
            return one.prefix + bodies.read(tx, one.body, 0, one.size - len(one.prefix))


@pytest.fixture
async def desk(tmp_path):
    async with webhouse.open_house(tmp_path, DOMAINS) as house:
        yield Desk(house, JMAP(await house.logged_in("webmail")))


def to(*emails, mail_from="alice@example.org", parameters=None, **of_recipients):
    return {
        "mailFrom": {"email": mail_from, "parameters": parameters},
        "rcptTo": [{"email": email, "parameters": of_recipients or None} for email in emails],
    }


async def test_sent_by_its_header(desk):
    answer = await desk.submit()
    made = answer["created"]["k"]
    assert (answer["oldState"], answer["newState"]) == ("0", "1")
    names = ["ann@there.example", "carl@there.example", "secret@there.example"]
    assert made["envelope"] == to(*names)
    assert (made["undoStatus"], made["deliveryStatus"]) == ("pending", dict.fromkeys(names, PENDING))
    waiting = desk.queue
    assert [one.recipient for one in waiting] == names
    assert {one.reverse_path for one in waiting} == {"alice@example.org"}
    octets = desk.octets(waiting[0])
    # Nobody reads who else got it; the draft itself keeps what was written.
    assert b"secret" not in octets
    assert octets.startswith(b"Received: from mail.example by mail.example ([192.0.2.99]) via tcp with HTTP\r\n\tid ")
    assert b"Message-ID: <" in octets
    assert octets.endswith(b"\r\nSubject: hi\r\n\r\nhello\r\n")
    whole = await desk.one(made["id"])
    assert set(whole) == {
        "id", "identityId", "emailId", "threadId", "envelope", "sendAt", "undoStatus", "deliveryStatus", "dsnBlobIds",
        "mdnBlobIds",
    }  # fmt: skip
    assert whole["sendAt"] == "2026-11-01T12:00:00Z"


async def test_whom_it_is_sent_to_is_known_from_then_on(desk):
    await desk.submit(envelope=to("ann@there.example", "other@else.example"))
    with desk.store.read() as tx:
        known = [(one.address, one.name) for one in recipients.latest(tx, desk.account)]
        history = reputation.StoredHistory(tx, desk.account, "Inbox")
        since = datetime.fromtimestamp(0, UTC)
        sent = [history.has_sent(By.FROM, one, since=since) for one in ("other@else.example", "carl@there.example")]
    assert sorted(known) == [("ann@there.example", "Ann B."), ("other@else.example", "")]
    assert sent == [True, False]


async def test_later(desk):
    made = (await desk.submit(envelope=to("ann@there.example", parameters={"holdfor": "3600"})))["created"]["k"]
    assert made["sendAt"] == "2026-11-01T13:00:00Z"
    (one,) = desk.queue
    assert one.next_attempt == desk.house.clock.microseconds() + 3600 * 1_000_000
    until = {"HOLDUNTIL": "2026-12-01T00:00:00Z"}
    made = (await desk.submit(envelope=to("ann@there.example", parameters=until)))["created"]["k"]
    assert made["sendAt"] == "2026-12-01T00:00:00Z"
    assert (await desk.one(made["id"]))["envelope"]["mailFrom"]["parameters"] == until


async def test_what_notices_are_wanted(desk):
    envelope = to(
        "ann@there.example", parameters={"RET": "hdrs", "ENVID": "a+b c", "REQUIRETLS": None}, NOTIFY="success,failure",
        ORCPT="rfc822;an=n@there.example",
    )  # fmt: skip
    assert "created" in await desk.submit(envelope=envelope)
    (one,) = desk.queue
    assert (one.ret, one.envid, one.requiretls) == ("HDRS", "a+b c", True)
    assert (one.notify, one.orcpt) == (("FAILURE", "SUCCESS"), "rfc822;an+3Dn@there.example")


@pytest.mark.parametrize(
    ("wish", "expected"), [(b"", None), (b"TLS-Required: No\r\n", False)], ids=["usual", "without"]
)
async def test_tls(desk, wish, expected):
    await desk.submit(wish + DRAFT)
    assert {one.requiretls for one in desk.queue} == {expected}


@pytest.mark.parametrize(
    ("octets", "email", "mail_from"),
    [
        (DRAFT, "alice@example.org", "alice@example.org"),
        (DRAFT, "sales@example.org", "sales@example.org"),
        (b"Sender: sales@example.org\r\n" + DRAFT, "sales@example.org", "sales@example.org"),
        (b"Sender: other@else.example\r\n" + DRAFT, "alice@example.org", "alice@example.org"),
        (DRAFT.replace(b"alice@example.org", b"any@other.example"), "*@other.example", "any@other.example"),
        (DRAFT, "*@other.example", "alice@example.org"),
    ],
)
async def test_the_sender_of_the_header(desk, octets, email, mail_from):
    """RFC 8621 §7: that of Sender or From if the identity allows it, else the identity's own."""
    made = (await desk.submit(octets, email))["created"]["k"]
    assert made["envelope"]["mailFrom"]["email"] == mail_from


@pytest.mark.parametrize(
    ("octets", "properties", "error"),
    [
        pytest.param(DRAFT, {"identityId": "Inone"}, ("invalidProperties", ["identityId"]), id="no identity"),
        pytest.param(DRAFT, {"emailId": "M1-99"}, ("invalidProperties", ["emailId"]), id="no email"),
        pytest.param(DRAFT, {"emailId": "x"}, ("invalidProperties", ["emailId"]), id="no id"),
        pytest.param(DRAFT, {"sendAt": "x"}, ("invalidProperties", ["sendAt"]), id="the server's"),
        pytest.param(DRAFT, {"envelope": {}}, ("invalidProperties", ["envelope"]), id="no envelope"),
        pytest.param(DRAFT, {"envelope": to()}, ("noRecipients", None), id="nobody"),
        pytest.param(DRAFT.replace(b"To:", b"X:").replace(b"Cc:", b"X:").replace(b"Bcc:", b"X:"), {},
                     ("noRecipients", None), id="nobody in the header"),
        pytest.param(DRAFT, {"envelope": to("a b")}, ("invalidRecipients", None), id="no address"),
        pytest.param(DRAFT.replace(b"carl@there.example", b"carl"), {}, ("invalidRecipients", None), id="no domain"),
        pytest.param(DRAFT, {"envelope": to("a@b.example> NOTIFY=NEVER <x")}, ("invalidRecipients", None), id="more"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", mail_from="bob@example.org")},
                     ("forbiddenMailFrom", None), id="another's sender"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", mail_from="x")}, ("forbiddenMailFrom", None), id="x"),
        pytest.param(DRAFT.replace(b"alice@", b"bob@"), {}, ("forbiddenFrom", None), id="another's From"),
        pytest.param(DRAFT.replace(b"<alice", b"b@b.example, <alice"), {}, ("invalidEmail", ["from"]), id="two in From"),
        pytest.param(b"X: " + b"y" * 300_000 + b"\r\n" + DRAFT, {"envelope": to("ann@there.example")},
                     ("invalidEmail", ["headers"]), id="header"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", parameters={"HOLDFOR": "6000000"})},
                     ("invalidProperties", ["envelope"]), id="too late"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", parameters={"MT-PRIORITY": "3"})},
                     ("invalidProperties", ["envelope"]), id="unknown"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", parameters={"A B": None})},
                     ("invalidProperties", ["envelope"]), id="no parameter"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", parameters={"RET": "x y"})},
                     ("invalidProperties", ["envelope"]), id="no value"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", NOTIFY="SOMETIMES")},
                     ("invalidProperties", ["envelope"]), id="no moment"),
    ],
)  # fmt: skip
async def test_refused(desk, octets, properties, error):
    answer = await desk.submit(octets, **properties)
    said = answer["notCreated"]["k"]
    assert (said["type"], said.get("properties")) == error
    assert answer["newState"] == "0"
    assert desk.queue == []


async def test_refusals_say_how_much(desk, monkeypatch):
    monkeypatch.setattr(limits, "SMTP", replace(limits.SMTP, recipients=1))
    said = (await desk.submit())["notCreated"]["k"]
    assert (said["type"], said["maxRecipients"]) == ("tooManyRecipients", 1)
    said = (await desk.submit(envelope=to("a b")))["notCreated"]["k"]
    assert said["invalidRecipients"] == ["a b"]


async def test_too_many_today(tmp_path, autojump_clock):
    domains = DOMAINS.replace("[accounts.alice]\n", "[accounts.alice]\nmax_outgoing_messages_per_day = 2\n")
    async with webhouse.open_house(tmp_path, domains) as house:
        desk = Desk(house, JMAP(await house.logged_in("webmail")))
        said = (await desk.submit())["notCreated"]["k"]
        assert said["type"] == "forbiddenToSend"
        assert "max_outgoing_messages_per_day" in said["description"]
        assert desk.queue == []


@pytest.mark.parametrize(
    ("octets", "properties", "result"),
    [
        pytest.param(DRAFT, {}, "ok", id="ok"),
        pytest.param(DRAFT.replace(b"alice@", b"bob@"), {}, "badfrom", id="From of another"),
        pytest.param(DRAFT, {"envelope": to("ann@there.example", mail_from="bob@example.org")}, "badfrom",
                     id="sender of another"),
        pytest.param(DRAFT, {"envelope": to("a b")}, "badmessage", id="no address"),
    ],
)  # fmt: skip
async def test_counted(desk, octets, properties, result):
    before = {word: submission.results.labels(word).value for word in RESULTS}
    faults = errors.labels(SUBMIT).value
    assert (submission.results.name, errors.name) == ("webmail_submission_total", "webmail_errors_total")
    await desk.submit(octets, **properties)
    after = {word: submission.results.labels(word).value for word in RESULTS}
    assert {word for word in RESULTS if after[word] != before[word]} == {result}
    assert errors.labels(SUBMIT).value == faults


RESULTS = ("ok", "badfrom", "badmessage", "messagelimiterror", "recipientlimiterror", "queueerror")


@pytest.mark.parametrize(("limit", "result"), [
    ("max_outgoing_messages_per_day", "messagelimiterror"),
    ("max_first_time_recipients_per_day", "recipientlimiterror"),
])  # fmt: skip
async def test_limits_counted(tmp_path, autojump_clock, limit, result):
    domains = DOMAINS.replace("[accounts.alice]\n", f"[accounts.alice]\n{limit} = 2\n")
    async with webhouse.open_house(tmp_path, domains) as house:
        desk = Desk(house, JMAP(await house.logged_in("webmail")))
        before = submission.results.labels(result).value
        assert "notCreated" in await desk.submit()
        assert submission.results.labels(result).value == before + 1


async def test_a_fault_of_ours_counted(desk, monkeypatch):
    async def refuse(*_, **__):
        raise StorageFull("no room")

    monkeypatch.setattr(submission.submissions, "create", refuse)
    before = submission.results.labels("queueerror").value, errors.labels(SUBMIT).value
    assert (await desk.submit())["notCreated"]["k"]["type"] == "serverFail"
    after = submission.results.labels("queueerror").value, errors.labels(SUBMIT).value
    assert after == (before[0] + 1, before[1] + 1)


async def test_taken_back(desk):
    made = (await desk.submit(envelope=to("ann@there.example", parameters={"HOLDFOR": "10"})))["created"]["k"]
    id = made["id"]
    answer = await desk.jmap.call("EmailSubmission/set", update={id: {"undoStatus": "canceled"}})
    assert answer["updated"] == {id: None}
    assert desk.queue == []
    one = await desk.one(id)
    assert one["undoStatus"] == "canceled"
    told = one["deliveryStatus"]["ann@there.example"]
    assert (told["delivered"], told["smtpReply"][:9]) == ("no", "550 5.7.0")
    again = await desk.jmap.call("EmailSubmission/set", update={id: {"undoStatus": "canceled"}})
    assert again["updated"] == {id: None}


async def test_too_late_to_take_it_back(desk):
    """One of two recipients has it, or is being tried."""
    ids = [(await desk.submit())["created"]["k"]["id"] for _ in range(2)]
    gone, tried = desk.queue[0], desk.queue[3]
    await desk.store.write(queued.remove, gone, success=True, keep=0)
    begun = msgspec.structs.replace(tried, attempts=1, results=(Attempt(5, text="x"),))
    await desk.store.write(queued.update, begun)
    for id in ids:
        answer = await desk.jmap.call("EmailSubmission/set", update={id: {"undoStatus": "canceled"}})
        assert answer["notUpdated"][id]["type"] == "cannotUnsend"
        assert (await desk.one(id))["undoStatus"] == "final"
    assert len(desk.queue) == 5


@pytest.mark.parametrize(
    ("patch", "names"),
    [({"undoStatus": "final"}, ["undoStatus"]), ({"sendAt": "2026-12-01T00:00:00Z"}, ["sendAt"]), ({"x": 1}, ["x"])],
)
async def test_what_cannot_be_changed(desk, patch, names):
    id = (await desk.submit())["created"]["k"]["id"]
    error = (await desk.jmap.call("EmailSubmission/set", update={id: patch}))["notUpdated"][id]
    assert (error["type"], error["properties"]) == ("invalidProperties", names)


async def test_what_became_of_it(desk):
    id = (await desk.submit())["created"]["k"]["id"]
    state = (await desk.jmap.call("EmailSubmission/get", ids=[]))["state"]
    ann, carl, _ = desk.queue
    taken = Attempt(5, 1, True, 250, "2.0.0", "taken")
    done = msgspec.structs.replace(ann, results=(taken,), dialed_ips={"mx": ("192.0.2.1",)})
    await desk.store.write(queued.remove, done, success=True, keep=0)
    failed = msgspec.structs.replace(carl, attempts=1, results=(Attempt(5, 1, False, 550, "5.1.1", "no such"),))
    await desk.store.write(queued.remove, failed, success=False, keep=0)
    one = await desk.one(id)
    assert one["undoStatus"] == "final"
    assert one["deliveryStatus"] == {
        "ann@there.example": {**PENDING, "smtpReply": "250 2.0.0 taken", "delivered": "unknown"},
        "carl@there.example": {**PENDING, "smtpReply": "550 5.1.1 no such", "delivered": "no"},
        "secret@there.example": PENDING,
    }
    changes = await desk.jmap.call("EmailSubmission/changes", sinceState=state)
    assert (changes["created"], changes["updated"], changes["destroyed"]) == ([], [id], [])


def read_receipt(id, whose, disposition="displayed"):
    """RFC 8098"""
    return (
        f"From: {whose}\r\nTo: alice@example.org\r\nSubject: Read: hi\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
        "--b\r\n\r\nIt was shown.\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
        f"Final-Recipient: rfc822;{whose}\r\nOriginal-Message-ID: <{id}>\r\n"
        f"Disposition: manual-action/MDN-sent-manually; {disposition}\r\n\r\n--b--\r\n"
    ).encode()


async def test_what_readers_programs_say(desk):
    """RFC 8621 §7: MDNs are told with the submission that they answer, and who was shown the message."""
    app = desk.house.app
    octets = b"Message-ID: <One@example.org>\r\n" + DRAFT
    other = (await desk.submit(octets.replace(b"One", b"Two")))["created"]["k"]["id"]
    id = (await desk.submit(octets))["created"]["k"]["id"]
    state = (await desk.jmap.call("EmailSubmission/get", ids=[]))["state"]

    async def bring(octets):
        before = set((await desk.jmap.call("Email/query"))["ids"])

        async def chunks():
            yield octets

        await delivering.deliver(app, AddressName("alice@example.org"), chunks(), most_octets=10_000)
        (new,) = set((await desk.jmap.call("Email/query"))["ids"]) - before
        return (await desk.jmap.call("Email/get", ids=[new], properties=["blobId"]))["list"][0]["blobId"]

    blobs = [
        await bring(read_receipt("one@EXAMPLE.org", "Ann@there.example")),
        await bring(read_receipt("one@example.org", "carl@there.example", "deleted")),
        await bring(read_receipt("one@example.org", "stranger@there.example")),
    ]
    await bring(read_receipt("unknown@example.org", "secret@there.example"))
    await bring(read_receipt("one@example.org", "secret@there.example").replace(b"disposition-n", b"x-n"))
    one = await desk.one(id)
    assert (one["mdnBlobIds"], one["dsnBlobIds"]) == (blobs, [])
    assert {email: told["displayed"] for email, told in one["deliveryStatus"].items()} == {
        "ann@there.example": "yes",
        "carl@there.example": "unknown",
        "secret@there.example": "unknown",
    }
    assert (await desk.one(other))["mdnBlobIds"] == []
    assert (await desk.jmap.call("EmailSubmission/changes", sinceState=state))["updated"] == [id]


async def test_forgotten(desk):
    """Deliveries go on; who knows an older state looks at all again."""
    id = (await desk.submit())["created"]["k"]["id"]
    answer = await desk.jmap.call("EmailSubmission/set", destroy=[id, "S1-99", "x"])
    assert answer["destroyed"] == [id]
    assert {one["type"] for one in answer["notDestroyed"].values()} == {"notFound"}
    assert len(desk.queue) == 3
    assert (await desk.jmap.call("EmailSubmission/changes", sinceState="1"))["type"] == "cannotCalculateChanges"
    assert (await desk.jmap.call("EmailSubmission/get", ids=[id]))["notFound"] == [id]


async def test_changes_in_pieces(desk):
    ids = [(await desk.submit())["created"]["k"]["id"] for _ in range(3)]
    seen, state, more = [], "0", True
    while more:
        one = await desk.jmap.call("EmailSubmission/changes", sinceState=state, maxChanges=2)
        seen.append(one["created"])
        state, more = one["newState"], one["hasMoreChanges"]
    assert seen == [ids[:2], ids[2:]]
    for wrong in ("4", "x", "-1"):
        answer = await desk.jmap.call("EmailSubmission/changes", sinceState=wrong)
        assert answer["type"] == "cannotCalculateChanges"


async def test_query(desk):
    first = (await desk.submit())["created"]["k"]["id"]
    later = (await desk.submit(envelope=to("ann@there.example", parameters={"HOLDFOR": "3600"})))["created"]["k"]["id"]
    email = (await desk.one(later))["emailId"]
    thread = (await desk.one(first))["threadId"]

    async def found(filter=None, sort=None, **more):
        return (await desk.jmap.call("EmailSubmission/query", filter=filter, sort=sort, **more))["ids"]

    assert await found() == [first, later]
    assert await found(sort=[{"property": "sentAt", "isAscending": False}]) == [later, first]
    assert await found({"emailIds": [email]}) == [later]
    assert await found({"threadIds": [thread]}) == [first]
    assert await found({"identityIds": ["none"]}) == []
    assert await found({"after": "2026-11-01T12:30:00Z"}) == [later]
    assert await found({"before": "2026-11-01T12:30:00Z"}) == [first]
    assert await found({"undoStatus": "pending"}) == [first, later]
    assert await found({"operator": "NOT", "conditions": [{"emailIds": [email]}]}) == [first]
    assert await found(limit=1, position=1) == [later]
    state = (await desk.jmap.call("EmailSubmission/query"))["queryState"]
    await desk.jmap.call("EmailSubmission/set", update={later: {"undoStatus": "canceled"}})
    changes = await desk.jmap.call(
        "EmailSubmission/queryChanges", filter={"undoStatus": "pending"}, sinceQueryState=state
    )
    assert (changes["removed"], changes["added"]) == ([later], [])
    assert (await desk.jmap.call("EmailSubmission/query", sort=[{"property": "x"}]))["type"] == "unsupportedSort"
    assert (await desk.jmap.call("EmailSubmission/query", filter={"x": 1}))["type"] == "unsupportedFilter"


_SHOWN = ["mailboxIds", "keywords"]


async def test_what_follows(desk):
    """One Email/set for all, of those that came to something (RFC 8621 §7.5)."""
    create = {
        "good": {"identityId": await desk.identity(), "emailId": await desk.draft()},
        "bad": {"identityId": "none", "emailId": await desk.draft()},
    }
    drafts, sent = (objectid.mailbox(desk.account, desk.box(name)) for name in ("Drafts", "Sent"))
    moved = {"keywords/$draft": None, f"mailboxIds/{drafts}": None, f"mailboxIds/{sent}": True}
    asked = {
        "accountId": desk.jmap.account,
        "create": create,
        "onSuccessUpdateEmail": {"#good": moved, "#bad": moved, "S1-99": moved},
        "onSuccessDestroyEmail": ["#bad"],
    }
    first, second = await desk.jmap.responses(["EmailSubmission/set", asked, "0"])
    assert list(first[1]["created"]) == ["good"]
    assert (second[0], second[2]) == ("Email/set", "0")
    assert second[1]["updated"] == {create["good"]["emailId"]: None}
    emails = await desk.jmap.call("Email/get", ids=[one["emailId"] for one in create.values()], properties=_SHOWN)
    assert [(one["mailboxIds"], one["keywords"]) for one in emails["list"]] == [
        ({sent: True}, {"$seen": True}), ({drafts: True}, {"$draft": True, "$seen": True}),
    ]  # fmt: skip
    # One that is not there is no copy, and who it went to is known as before.
    id = first[1]["created"]["good"]["id"]
    taken = {"update": {id: {"undoStatus": "canceled"}}, "onSuccessDestroyEmail": [id]}
    _, second = await desk.jmap.responses(["EmailSubmission/set", taken, "0"])
    assert second[1]["destroyed"] == [create["good"]["emailId"]]


async def test_an_email_of_the_same_request(desk):
    """References to what an earlier call has created."""
    email = await desk.draft()
    create = {"k": {"identityId": await desk.identity(), "emailId": "#mail"}}
    answer = await desk.jmap.request(
        [["EmailSubmission/set", {"accountId": desk.jmap.account, "create": create}, "0"]], created={"mail": email}
    )
    ((_, said, _),) = answer["methodResponses"]
    assert said["created"]["k"]["id"] == answer["createdIds"]["k"]


async def test_the_draft_may_go(desk):
    """A message that was removed is still sent; one that was removed before cannot be."""
    made = await desk.submit()
    number = objectid.parse("M", desk.account, (await desk.one(made["created"]["k"]["id"]))["emailId"])
    with desk.store.read() as tx:
        place = message.place(tx, desk.account, number)
    await desk.store.write(message.expunge, desk.account, place.mailbox, [place.uid])
    assert len(desk.queue) == 3
    create = {"identityId": await desk.identity(), "emailId": objectid.message(desk.account, number)}
    answer = await desk.jmap.call("EmailSubmission/set", create={"k": create})
    assert answer["notCreated"]["k"]["properties"] == ["emailId"]
