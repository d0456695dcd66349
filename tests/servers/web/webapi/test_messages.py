"""The methods about stored messages: what they tell, what they change, whose messages they touch."""

import base64
import re

import pytest

from appliance.operations.actor import Actor
from appliance.store import mailbox, message, prepare
from appliance.store.changes import FlagsChanged, MessagesRemoved
from appliance.store.records import DELETED, Origin
from support.webapihouse import ALICE, BOB, web_house

LARGE = bytes(range(256)) * 2000
MESSAGE = (
    b"From: =?utf-8?q?Ren=C3=A9?= <rene@xn--bcher-kva.example>\r\n"
    b"To: shop@example.org, Group: a@b.example;\r\n"
    b"Cc: not an address\r\n"
    b"Subject: =?utf-8?q?=C3=BC?=\r\n"
    b"Message-ID: <m@dest.example>\r\n"
    b"In-Reply-To: <p@example.org>\r\n"
    b"References: <a@example.org> <b@example.org>\r\n"
    b"Date: Tue, 03 Feb 2026 05:00:00 +0100\r\n"
    b"MIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
    b"--y\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Gr=FC=DFe\r\nhello\r\n--y\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n--y--\r\n"
    b"--x\r\nContent-Type: application/x-thing; name=\"n.bin\"\r\nContent-ID: <c@d>\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''%C3%BC.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(LARGE).replace(b"\n", b"\r\n")
    + b"\r\n--x--\r\n"
)  # fmt: skip
PREFIX = b"Delivered-To: alice@example.org\r\n"
ORIGIN = Origin(
    remote_ip="192.0.2.7",
    mail_from="rene@b\u00fccher.example",
    rcpt_to="alice@example.org",
    mail_from_validated=True,
    msg_from_validated=True,
    dkim_domains=("b\u00fccher.example",),
)


@pytest.fixture
async def web(tmp_path):
    async with web_house(tmp_path) as house:
        yield house


async def put(web, octets=MESSAGE, *, account="alice", box="Inbox", prefix=PREFIX, origin=ORIGIN, flags=0, keywords=()):
    """Store a message; its id."""
    spooled = web.store.spooled(octets)
    body = await web.store.body(spooled)
    new = prepare.message(
        await web.store.content(spooled),
        body,
        prefix=prefix,
        received=1,
        limits=web.store.limits.prepare,
        origin=origin,
    )
    with web.store.read() as tx:
        number = tx.account_id(account)
        target = mailbox.by_name(tx, number, box).id
    added = await web.store.write(message.add, number, target, new, flags=flags, keywords=keywords)
    return added.id


def row(web, id, account="alice"):
    with web.store.read() as tx:
        number = tx.account_id(account)
        place = message.place(tx, number, id)
        return message.row(tx, number, place.mailbox, place.uid), tx.mailbox(number, place.mailbox).name


async def test_get(web):
    id = await put(web, flags=1 | 32, keywords=("paid",))
    answer = await web.call("MessageGet", {"MsgID": id})
    assert answer.json == {
        "Message": {
            "From": [{"Name": "Ren\u00e9", "Address": "rene@b\u00fccher.example"}],
            "To": [{"Name": "", "Address": "shop@example.org"}, {"Name": "", "Address": "a@b.example"}],
            "CC": [{"Name": "not an address", "Address": ""}],
            "BCC": [],
            "ReplyTo": [],
            "MessageID": "<m@dest.example>",
            "References": ["<p@example.org>", "<a@example.org>", "<b@example.org>"],
            "Date": "2026-02-03T05:00:00+01:00",
            "Subject": "\u00fc",
            "Text": "Gr\u00fc\u00dfe\nhello",
            "HTML": "<b>x</b>",
        },
        "Structure": {
            "ContentType": "multipart/mixed",
            "ContentTypeParams": {"boundary": "x"},
            "ContentID": "",
            "ContentDisposition": "",
            "Filename": "",
            "DecodedSize": 0,
            "Parts": [
                {
                    "ContentType": "multipart/alternative",
                    "ContentTypeParams": {"boundary": "y"},
                    "ContentID": "",
                    "ContentDisposition": "",
                    "Filename": "",
                    "DecodedSize": 0,
                    "Parts": [
                        {
                            "ContentType": "text/plain",
                            "ContentTypeParams": {"charset": "iso-8859-1"},
                            "ContentID": "",
                            "ContentDisposition": "",
                            "Filename": "",
                            "DecodedSize": 12,
                            "Parts": [],
                        },
                        {
                            "ContentType": "text/html",
                            "ContentTypeParams": {},
                            "ContentID": "",
                            "ContentDisposition": "",
                            "Filename": "",
                            "DecodedSize": 8,
                            "Parts": [],
                        },
                    ],
                },
                {
                    "ContentType": "application/x-thing",
                    "ContentTypeParams": {"name": "n.bin"},
                    "ContentID": "<c@d>",
                    "ContentDisposition": "attachment",
                    "Filename": "\u00fc.bin",
                    "DecodedSize": len(LARGE),
                    "Parts": [],
                },
            ],
        },
        "Meta": {
            "Size": len(PREFIX + MESSAGE),
            "DSN": False,
            "Flags": ["$notjunk", "\\seen", "paid"],
            "MailFrom": "rene@b\u00fccher.example",
            "MailFromValidated": True,
            "RcptTo": "alice@example.org",
            "MsgFrom": "rene@b\u00fccher.example",
            "MsgFromValidated": True,
            "DKIMVerifiedDomains": ["b\u00fccher.example"],
            "RemoteIP": "192.0.2.7",
            "MailboxName": "Inbox",
        },
    }


async def test_get_of_next_to_nothing(web):
    id = await put(web, b"\r\n", prefix=b"", origin=Origin())
    found = (await web.call("MessageGet", {"MsgID": id})).json
    assert found["Message"]["Date"] is None
    assert found["Message"]["References"] == found["Meta"]["DKIMVerifiedDomains"] == found["Meta"]["Flags"] == []
    assert found["Structure"]["ContentTypeParams"] == {}


async def test_raw(web):
    id = await put(web)
    answer = await web.call("MessageRawGet", {"MsgID": id})
    assert (answer.headers["content-type"], answer.body) == ("text/plain", PREFIX + MESSAGE)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param([], MESSAGE.partition(b"\r\n\r\n")[2], id="all of it"),
        pytest.param([0], MESSAGE[MESSAGE.index(b"--y\r\n") : MESSAGE.index(b"\r\n--x\r\nContent-Type: application")], id="multipart"),
        pytest.param([0, 0], b"Gr\xfc\xdfe\r\nhello", id="text"),
        pytest.param([0, 1], b"<b>x</b>", id="html"),
        pytest.param([1], LARGE, id="file"),
    ],
)  # fmt: skip
async def test_part(web, path, content):
    id = await put(web)
    answer = await web.call("MessagePartGet", {"MsgID": id, "PartPath": path})
    assert (answer.headers["content-type"], answer.body) == ("application/octet-stream", content)


@pytest.mark.parametrize("path", [[2], [-1], [0, 2], [1, 0], [0, 0, 0], [2**40]])
async def test_no_such_part(web, path):
    id = await put(web)
    assert (await web.call("MessagePartGet", {"MsgID": id, "PartPath": path})).code == "partNotFound"


async def test_what_is_removed_meanwhile_is_sent_whole(web):
    from appliance.servers.web.webapi import messages as door
    from appliance.servers.web.webapi.call import Call
    from appliance.servers.web.webapi.types import MessageRequest

    id = await put(web)
    with web.store.read() as tx:
        actor = Actor(tx.account_id("alice"), "alice", ALICE[0])
    call = Call(web.app, web.app.config.snapshot(), actor, None, None, 0, [], None)
    octets = await door.get_raw(call, MessageRequest(msg_id=id))
    first = next(octets.pieces)
    assert (await web.call("MessageDelete", {"MsgID": id})).status == 200
    assert web.store.feed.erasable_up_to(actor.account) is not None
    assert first + b"".join(octets.pieces) == PREFIX + MESSAGE
    octets.done()
    assert web.store.feed.erasable_up_to(actor.account) is None


async def test_delete(web):
    id = await put(web)
    listener = web.store.subscribe(1)
    assert (await web.call("MessageDelete", {"MsgID": id})).body == b"{}\n"
    assert any(isinstance(change, MessagesRemoved) for news in listener.take() for change in news.changes)
    listener.close()
    for method in (
        "MessageDelete",
        "MessageGet",
        "MessageRawGet",
        "MessagePartGet",
        "MessageFlagsAdd",
        "MessageFlagsRemove",
    ):
        assert (await web.call(method, {"MsgID": id})).code == "messageNotFound"
    assert (await web.call("MessageMove", {"MsgID": id, "DestMailboxName": "Archive"})).code == "messageNotFound"


ALL = [
    "\\Seen",
    "\\answered",
    "\\FLAGGED",
    "\\deleted",
    "\\draft",
    "$junk",
    "$Forwarded",
    "$phishing",
    "$mdnsent",
    "Paid",
]


async def test_flags(web):
    id = await put(web)
    listener = web.store.subscribe(1)
    assert (await web.call("MessageFlagsAdd", {"MsgID": id, "Flags": ALL})).body == b"{}\n"
    assert any(isinstance(change, FlagsChanged) for news in listener.take() for change in news.changes)
    listener.close()
    found = (await web.call("MessageGet", {"MsgID": id})).json["Meta"]["Flags"]
    assert found == ["$forwarded", "$junk", "$mdnsent", "$phishing", "\\answered", "\\deleted", "\\draft", "\\flagged", "\\seen", "paid"]  # fmt: skip
    modseq = row(web, id)[0].modseq
    await web.call("MessageFlagsAdd", {"MsgID": id, "Flags": ALL})
    assert row(web, id)[0].modseq == modseq
    await web.call("MessageFlagsRemove", {"MsgID": id, "Flags": [one for one in ALL if one != "\\deleted"]})
    assert row(web, id)[0][8:] == (DELETED, ())


@pytest.mark.parametrize("flag", ["", "\\recent", "\\other", "a b", "a(", "\u00fc", "*", "a\x00"])
async def test_bad_flags(web, flag):
    id = await put(web)
    assert (await web.call("MessageFlagsAdd", {"MsgID": id, "Flags": ["\\seen", flag]})).code == "user"
    assert row(web, id)[0].flags == 0


async def test_move(web):
    id = await put(web)
    assert (await web.call("MessageMove", {"MsgID": id, "DestMailboxName": "Archive"})).body == b"{}\n"
    assert row(web, id)[1] == "Archive"
    for name in ("Archive", "Nowhere", "", "Other Users/bob/Inbox"):
        assert (await web.call("MessageMove", {"MsgID": id, "DestMailboxName": name})).code == "user"
    assert (await web.call("MessageMove", {"MsgID": id, "DestMailboxName": "Inbox"})).status == 200


@pytest.mark.parametrize("id", [0, -1, 2**63 - 1, 77])
async def test_no_such_message(web, id):
    for method in (
        "MessageGet",
        "MessageRawGet",
        "MessagePartGet",
        "MessageDelete",
        "MessageFlagsAdd",
        "MessageFlagsRemove",
        "MessageMove",
    ):
        assert (await web.call(method, {"MsgID": id})).code == "messageNotFound"


async def test_messages_of_others(web):
    id = await put(web)
    for method in (
        "MessageGet",
        "MessageRawGet",
        "MessagePartGet",
        "MessageDelete",
        "MessageFlagsAdd",
        "MessageFlagsRemove",
    ):
        assert (await web.call(method, {"MsgID": id}, login=BOB)).code == "messageNotFound"
    assert (await web.call("MessageGet", {"MsgID": id})).status == 200


NULLABLE = re.compile(rb'"Date":null')


async def test_no_lists_or_maps_are_null(web):
    id = await put(web, b"\xff\x00garbage", prefix=b"")
    for method, request in (
        ("MessageGet", {"MsgID": id}),
        ("SuppressionList", {}),
        ("SuppressionPresent", {"EmailAddress": "a@b.example"}),
    ):
        assert b"null" not in NULLABLE.sub(b"", (await web.call(method, request)).body)
