"""Email/set, Email/import, Email/copy and Email/parse (RFC 8621 §4.6 to §4.9)."""

import base64
from typing import Any

import pytest

from appliance.servers.web.jmap.blobs import open_blob
from appliance.servers.web.jmap.email import set as setting
from appliance.store import bodies, junk, mailbox, message, objectid
from appliance.store.records import Flag
from support.imaphouse import House, open_house
from support.jmapcaller import Caller


@pytest.fixture
async def house(tmp_path):
    async with open_house(tmp_path) as house:
        yield house


@pytest.fixture
async def jmap(house):
    return Caller(house.app, house.account)


def box(house: House, name: str) -> str:
    with house.store.read() as tx:
        return objectid.mailbox(house.account, mailbox.by_name(tx, house.account, name).id)


def number(id: str) -> int:
    return int(id.partition("-")[2])


def octets_of(house: House, id: str) -> bytes:
    with house.store.read() as tx:
        place = message.place(tx, house.account, number(id))
        return bodies.read(tx, place.body, 0, place.size)


async def create(house: House, jmap: Caller, email: dict[str, Any]) -> Any:
    """What comes of an email in the Drafts."""
    answer = await jmap.call("Email/set", create={"a": {"mailboxIds": {box(house, "Drafts"): True}, **email}})
    return (answer["created"] or answer["notCreated"])["a"]


VALUES = {"bodyValues": {"t": {"value": "hello"}}}
TEXT = {"textBody": [{"partId": "t"}], "bodyValues": {"t": {"value": "hello"}}}


async def test_created(house, jmap):
    """All that a draft of our page has, read again as it was written."""
    blob = await jmap.upload(b"%PDF", "application/pdf")
    picture = await jmap.upload(b"\x89PNG" * 100, "image/png")
    value = {
        "keywords": {"$draft": True, "$seen": True},
        "receivedAt": "2024-01-02T03:04:05Z",
        "from": [{"name": "Jö", "email": "alice@example.org"}],
        "to": [{"name": None, "email": "bob@x.example"}, {"name": None, "email": "half"}],
        "subject": "grüße",
        "inReplyTo": ["a@b"],
        "references": ["z@b", "a@b"],
        "header:X-Own:asText": "ö",
        "textBody": [{"partId": "t", "type": "text/plain"}],
        "htmlBody": [{"partId": "h", "type": "text/html"}],
        "bodyValues": {"t": {"value": "hällo\n.\nthe end"}, "h": {"value": "<p>hällo <img src=cid:p@x>"}},
        "attachments": [
            {"blobId": blob, "type": "application/pdf", "name": "räport.pdf"},
            {"blobId": picture, "type": "image/png", "cid": "p@x", "disposition": "inline"},
        ],
    }
    made = await create(house, jmap, value)
    assert made.keys() == {"id", "blobId", "threadId", "size"}
    properties = [*value, "messageId", "sentAt", "size", "blobId", "hasAttachment", "bodyStructure"]
    answer = await jmap.call("Email/get", ids=[made["id"]], properties=properties, fetchAllBodyValues=True)
    (found,) = answer["list"]
    html = await jmap.call(
        "Email/get", ids=[made["id"]], properties=["bodyValues", "htmlBody"], fetchHTMLBodyValues=True
    )
    assert html["list"][0]["bodyValues"].keys() == {part["partId"] for part in found["htmlBody"]}
    for name in ("keywords", "receivedAt", "from", "to", "subject", "inReplyTo", "references", "header:X-Own:asText"):
        assert found[name] == value[name], name
    texts = {
        part["type"]: found["bodyValues"][part["partId"]]["value"] for part in found["textBody"] + found["htmlBody"]
    }
    assert texts == {"text/plain": "hällo\n.\nthe end", "text/html": "<p>hällo <img src=cid:p@x>"}
    for wanted, kind in (("fetchTextBodyValues", "text/plain"), ("fetchHTMLBodyValues", "text/html")):
        (some,) = (await jmap.call("Email/get", ids=[made["id"]], properties=["bodyValues"], **{wanted: True}))["list"]
        assert [one["value"] for one in some["bodyValues"].values()] == [texts[kind]]
    shown = [(one["name"], one["cid"], one["disposition"], one["size"]) for one in found["attachments"]]
    assert shown == [(None, "p@x", "inline", 400), ("räport.pdf", None, "attachment", 4)]
    assert found["hasAttachment"] is True
    assert len(found["messageId"]) == 1
    assert found["sentAt"]
    assert (found["size"], found["blobId"]) == (made["size"], made["blobId"])
    kinds = []
    waiting = [found["bodyStructure"]]
    while waiting:
        part = waiting.pop(0)
        kinds.append(part["type"])
        waiting[:0] = part.get("subParts") or []
    assert kinds == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"),
        "application/pdf",
    ]
    octets = octets_of(house, made["id"])
    assert octets.count(b"\n") == octets.count(b"\r\n")
    assert octets.count(b"Content-Transfer-Encoding: base64") == 2


async def test_created_structure(house, jmap):
    message_blob = await jmap.upload(b"Subject: within\r\n\r\nhello\r\n")
    odd = await jmap.upload(b"Subject: within\n\nhello\r")
    made = await create(
        house,
        jmap,
        {
            "subject": "s",
            "bodyStructure": {
                "type": "multipart/mixed",
                "subParts": [
                    {"partId": "1", "type": "text/x-own", "language": ["de", "en"], "header:X-Part": " yes"},
                    {"blobId": message_blob, "type": "message/rfc822", "disposition": "inline", "name": "a.eml"},
                    {"blobId": odd, "type": "message/rfc822"},
                    {"blobId": odd, "type": "text/plain", "charset": "iso-8859-1", "location": "http://x.example/"},
                ],
            },
            "bodyValues": {"1": {"value": "", "isTruncated": False}},
        },
    )
    (found,) = (
        await jmap.call(
            "Email/get",
            ids=[made["id"]],
            properties=["bodyStructure"],
            bodyProperties=["type", "language", "header:X-Part", "name", "disposition", "charset", "location", "size"],
        )
    )["list"]
    first, second, third, fourth = found["bodyStructure"]["subParts"]
    assert (first["type"], first["language"], first["header:X-Part"]) == ("text/x-own", ["de", "en"], " yes")
    assert (second["type"], second["name"], second["disposition"]) == ("message/rfc822", "a.eml", "inline")
    assert third["type"] == "application/octet-stream"  # It could not go as it is.
    assert (fourth["charset"], fourth["location"], fourth["size"]) == ("iso-8859-1", "http://x.example/", 23)


@pytest.mark.parametrize(
    ("email", "type", "properties"),
    [
        pytest.param({"headers": []}, "invalidProperties", ["headers"], id="headers"),
        pytest.param(
            {"from": [], "header:From:asAddresses": []}, "invalidProperties", ["header:From:asAddresses"], id="two From"
        ),
        pytest.param(
            {"header:From:asDate": "2014-10-30T14:12:00Z"},
            "invalidProperties",
            ["header:From:asDate"],
            id="a wrong form",
        ),
        pytest.param({"header:Content-Type": " x"}, "invalidProperties", ["header:Content-Type"], id="a part's field"),
        pytest.param({"id": "M1-1"}, "invalidProperties", ["id"], id="the server's"),
        pytest.param({"preview": "x"}, "invalidProperties", ["preview"], id="the server's too"),
        pytest.param({"nothing": "x"}, "invalidProperties", ["nothing"], id="unknown"),
        pytest.param({"mailboxIds": {}}, "invalidProperties", ["mailboxIds"], id="no mailbox"),
        pytest.param({"mailboxIds": {"F1-99": True}}, "invalidProperties", ["mailboxIds"], id="an unknown mailbox"),
        pytest.param({"mailboxIds": {"F1-1": False}}, "invalidProperties", ["mailboxIds"], id="not in a mailbox"),
        pytest.param({"mailboxIds": {"F1-1": True, "F1-2": True}}, "tooManyMailboxes", None, id="two mailboxes"),
        pytest.param({"keywords": {"a b": True}}, "invalidProperties", ["keywords"], id="no keyword"),
        pytest.param({"keywords": {"a": False}}, "invalidProperties", ["keywords"], id="a keyword that is not set"),
        pytest.param({"keywords": {"$deleted": True}}, "invalidProperties", ["keywords"], id="deleted"),
        pytest.param({"keywords": {f"k{at}": True for at in range(101)}}, "tooManyKeywords", None, id="many keywords"),
        pytest.param({"receivedAt": "now"}, "invalidProperties", ["receivedAt"], id="no date"),
        pytest.param(
            {**TEXT, "bodyStructure": {"partId": "t"}},
            "invalidProperties",
            ["bodyStructure", "textBody"],
            id="two bodies",
        ),
        pytest.param(
            {"textBody": [{"partId": "t"}] * 2, "bodyValues": TEXT["bodyValues"]},
            "invalidProperties",
            ["textBody"],
            id="two texts",
        ),
        pytest.param(
            {"textBody": [{"partId": "t", "type": "text/html"}], "bodyValues": TEXT["bodyValues"]},
            "invalidProperties",
            ["textBody/0/type"],
            id="HTML for text",
        ),
        pytest.param({"textBody": [{"partId": "x"}]}, "invalidProperties", ["textBody/partId"], id="no such text"),
        pytest.param(
            {"bodyStructure": {"partId": "t", "blobId": "B1-1"}, "bodyValues": TEXT["bodyValues"]},
            "blobNotFound",
            None,
            id="a blob that is not there first",
        ),
        pytest.param({"bodyStructure": {}}, "invalidProperties", ["bodyStructure"], id="a part of nothing"),
        pytest.param(
            {"bodyStructure": {"partId": "t", "charset": "utf-8"}, "bodyValues": TEXT["bodyValues"]},
            "invalidProperties",
            ["bodyStructure/charset"],
            id="charset",
        ),
        pytest.param(
            {"bodyStructure": {"partId": "t", "size": 5}, "bodyValues": TEXT["bodyValues"]},
            "invalidProperties",
            ["bodyStructure/size"],
            id="size",
        ),
        pytest.param(
            {
                "bodyStructure": {"partId": "t", "header:Content-Transfer-Encoding": " 7bit"},
                "bodyValues": TEXT["bodyValues"],
            },
            "invalidProperties",
            ["bodyStructure/header:Content-Transfer-Encoding"],
            id="encoding",
        ),
        *(
            pytest.param(
                {"bodyStructure": {"partId": "t", f"header:Content-{name}": value, same: given}, **VALUES},
                "invalidProperties",
                [f"bodyStructure/header:Content-{name}", same],
                id=f"{name} twice",
            )
            for name, value, same, given in (
                ("Type", " text/plain", "type", "text/plain"),
                ("Type", " text/plain", "charset", "utf-8"),
                ("Disposition", " inline", "disposition", "inline"),
                ("Disposition", " inline", "name", "a"),
                ("ID", " <a>", "cid", "a"),
                ("Language", " de", "language", ["de"]),
                ("Location", " http://x", "location", "http://x"),
            )
        ),
        pytest.param(
            {"bodyStructure": {"partId": "t", "header:Content-Type": " nonsense"}, **VALUES},
            "invalidProperties",
            ["bodyStructure/header:Content-Type"],
            id="no media type",
        ),
        pytest.param(
            {"bodyStructure": {"partId": "t", "header:Content-Type:all": [" text/plain", " text/html"]}, **VALUES},
            "invalidProperties",
            ["bodyStructure/header:Content-Type:all"],
            id="two media types",
        ),
        pytest.param(
            {"bodyStructure": {"partId": "t", "header:Content-Type": " image/png"}, **VALUES},
            "invalidProperties",
            ["bodyStructure/type"],
            id="a text of another type",
        ),
        pytest.param(
            {"textBody": [{"partId": "t", "header:Content-Type": " text/html"}], **VALUES},
            "invalidProperties",
            ["textBody/0/type"],
            id="a plain text that is none",
        ),
        pytest.param(
            {
                "subject": "a",
                "bodyStructure": {"partId": "t", "header:Subject": " b"},
                "bodyValues": TEXT["bodyValues"],
            },
            "invalidProperties",
            ["bodyStructure/header:Subject"],
            id="a field of both",
        ),
        pytest.param(
            {"textBody": [{"partId": "t"}], "bodyValues": {"t": {"value": "x", "isTruncated": True}}},
            "invalidProperties",
            ["bodyValues/t/isTruncated"],
            id="truncated",
        ),
        pytest.param(
            {"textBody": [{"partId": "t"}], "bodyValues": {"t": {"value": "x", "isEncodingProblem": True}}},
            "invalidProperties",
            ["bodyValues/t/isEncodingProblem"],
            id="an encoding problem",
        ),
        pytest.param(
            {"bodyStructure": {"type": "multipart/mixed", "subParts": []}},
            "invalidProperties",
            ["bodyStructure/subParts"],
            id="nothing within",
        ),
        pytest.param(
            {"bodyStructure": {"type": "a/b\r\nX: y", "partId": "t"}},
            "invalidProperties",
            ["bodyStructure/type"],
            id="type",
        ),
        pytest.param(
            {"attachments": [{"blobId": "B1-9"}, {"blobId": "U1-x"}]}, "blobNotFound", None, id="no such blobs"
        ),
        pytest.param(
            {"textBody": [{"partId": "t"}], "bodyValues": {"t": {"value": "x" * 1024 * 1024}}},
            "tooLarge",
            None,
            id="large",
        ),
    ],
)
async def test_not_created(house, jmap, email, type, properties):
    found = await create(house, jmap, email)
    assert found.get("type") == type, found
    if properties is not None:
        assert found["properties"] == properties
    if type == "blobNotFound":
        assert found["notFound"]
    with house.store.read() as tx:
        assert tx.account(house.account).next_message == 1


async def test_fields_of_parts(house, jmap):
    """RFC 8621 §4.6: only Content-Transfer-Encoding may not be given, and nothing twice."""
    blob = await jmap.upload(b"\x89PNG", "image/png")
    structure = {
        "header:Content-Type": " Multipart/Related; type=text/plain; boundary=mine",
        "subParts": [
            {
                "partId": "t",
                "header:content-type": " text/calendar; method=REQUEST; charset=x-mine",
                "header:Content-Description:asText": "grüße",
                "name": "invite.ics",
            },
            {
                "blobId": blob,
                "header:Content-Type:asText": "image/x-icon; name=i.ico",
                "header:Content-Disposition": " inline; filename=i.ico; size=4",
                "header:Content-ID": " <one@x>",
                "header:Content-Language": " de",
                "header:Content-Location": " http://x.example/",
            },
        ],
    }
    values = {"t": {"value": "grüße\n"}}
    made = await create(house, jmap, {"bodyStructure": structure, "bodyValues": values})
    properties = ["bodyStructure", "bodyValues"]
    body = ["type", "charset", "name", "disposition", "cid", "language", "location", "header:Content-Type"]
    answer = await jmap.call(
        "Email/get", ids=[made["id"]], properties=properties, bodyProperties=body, fetchAllBodyValues=True
    )
    (found,) = answer["list"]
    assert found["bodyValues"]["1"]["value"] == "grüße\n"
    root = found["bodyStructure"]
    assert root["type"] == "multipart/related"
    assert root["header:Content-Type"].startswith(' multipart/related; type="text/plain";')
    assert "mine" not in root["header:Content-Type"]
    text, picture = root["subParts"]
    assert (text["type"], text["charset"], text["name"], text["disposition"]) == (
        *("text/calendar", "utf-8", "invite.ics", "attachment"),
    )
    assert "method=REQUEST" in text["header:Content-Type"]
    assert {name: picture[name] for name in body} == {
        "type": "image/x-icon",
        "charset": None,
        "name": "i.ico",
        "disposition": "inline",
        "cid": "one@x",
        "language": ["de"],
        "location": "http://x.example/",
        "header:Content-Type": " image/x-icon; name=i.ico",
    }
    octets = octets_of(house, made["id"])
    assert b"Content-Description: =?utf-8?b?Z3LDvMOfZQ==?=\r\n" in octets
    assert octets.count(b"Content-Disposition: inline; filename=i.ico; size=4\r\n") == 1


async def test_deep_structures_end(house, jmap):
    part: dict[str, Any] = {"partId": "t"}
    for _ in range(25):
        part = {"subParts": [part]}
    assert (await create(house, jmap, {"bodyStructure": part, **TEXT, "textBody": None}))["type"] == "tooLarge"
    many = {"subParts": [{"partId": "t"}] * 501}
    assert (await create(house, jmap, {"bodyStructure": many, **TEXT, "textBody": None}))["type"] == "tooLarge"


async def deliver(house: House, *octets: bytes, name: str = "Inbox") -> list[str]:
    ids = []
    for one in octets or (b"Subject: hi\r\n\r\nhello\r\n",):
        uid = await house.deliver(one, name)
        with house.store.read() as tx:
            number = mailbox.by_name(tx, house.account, name).id
            ids.append(objectid.message(house.account, message.row(tx, house.account, number, uid).id))
    return ids


async def get(jmap: Caller, *ids: str, properties: tuple[str, ...] = ("mailboxIds", "keywords")) -> list[Any]:
    return (await jmap.call("Email/get", ids=ids, properties=properties))["list"]


async def test_updated_together(house, jmap):
    """What changes in the same way is one change of the account."""
    ids = await deliver(house, *[b"Subject: %d\r\n\r\nx\r\n" % at for at in range(5)])
    with house.store.read() as tx:
        before = tx.account(house.account).modseq
    patch = {"keywords/$seen": True, "mailboxIds": {box(house, "Archive"): True}}
    answer = await jmap.call("Email/set", update=dict.fromkeys(ids, patch))
    assert answer["updated"] == dict.fromkeys(ids)
    with house.store.read() as tx:
        assert tx.account(house.account).modseq == before + 1
    assert all(one["mailboxIds"] == {box(house, "Archive"): True} for one in await get(jmap, *ids))


@pytest.mark.parametrize(
    ("patch", "outcome"),
    [
        pytest.param({"keywords/$seen": True, "keywords/$FLAGGED": None}, {"$seen", "work"}, id="patches, in any case"),
        pytest.param({"keywords": {"$Answered": True, "x": True}}, {"$answered", "x"}, id="all"),
        pytest.param({"keywords": None}, set(), id="none"),
        pytest.param({"/keywords/new": True}, {"$flagged", "work", "new"}, id="with a slash"),
        pytest.param({"keywords/a~1b": True}, {"$flagged", "work", "a/b"}, id="escaped"),
        pytest.param({"keywords/nothing": None}, {"$flagged", "work"}, id="what was not there"),
        pytest.param({"subject": "hi", "keywords/work": None}, {"$flagged"}, id="what is so already"),
        pytest.param({"keywords/work": False}, "invalidProperties", id="false"),
        pytest.param({"keywords/a b": True}, "invalidProperties", id="no keyword"),
        pytest.param({"keywords/$deleted": True}, "invalidProperties", id="deleted"),
        pytest.param({"keywords": {}, "keywords/a": True}, "invalidPatch", id="one below the other"),
        pytest.param({"keywords/a/b": True}, "invalidPatch", id="leads nowhere"),
        pytest.param({"nothing/a": True}, "invalidPatch", id="below what is not there"),
        pytest.param({"subject": "other"}, "invalidProperties", id="immutable"),
        pytest.param({"id": "M1-77"}, "invalidProperties", id="another id"),
        pytest.param({"nothing": 1}, "invalidProperties", id="unknown"),
        pytest.param({"mailboxIds": {}}, "invalidProperties", id="nowhere"),
        pytest.param({"mailboxIds/F1-1": None}, "invalidProperties", id="out of all"),
        pytest.param({"mailboxIds/F1-2": True}, "tooManyMailboxes", id="in two"),
        pytest.param({"muted": 1}, "invalidProperties", id="not true nor false"),
        pytest.param({f"keywords/k{at}": True for at in range(100)}, "tooManyKeywords", id="many keywords"),
    ],
)
async def test_patched(house, jmap, patch, outcome):
    (id,) = await deliver(house)
    await jmap.call("Email/set", update={id: {"keywords": {"$flagged": True, "work": True}}})
    answer = await jmap.call("Email/set", update={id: patch})
    if isinstance(outcome, str):
        assert answer["notUpdated"][id]["type"] == outcome
        outcome = {"$flagged", "work"}
    else:
        assert answer["updated"] == {id: None}
    (found,) = await get(jmap, id)
    assert found["keywords"].keys() == outcome


async def test_moved_by_patches(house, jmap):
    (id,) = await deliver(house)
    inbox, archive = box(house, "Inbox"), box(house, "Archive")
    await jmap.call("Email/set", update={id: {f"mailboxIds/{inbox}": None, f"mailboxIds/{archive}": True}})
    assert (await get(jmap, id))[0]["mailboxIds"] == {archive: True}


async def test_junk(house, jmap):
    """Of $junk and $notjunk one clears the other, and mailboxes say what is junk; a client hears of what it did not do."""
    (id,) = await deliver(house)
    await jmap.call("Email/set", update={id: {"keywords/$junk": True}})
    with house.store.read() as tx:
        assert junk.judgement(message.row(tx, house.account, 1, 1).flags) is True
    answer = await jmap.call("Email/set", update={id: {"keywords/$notjunk": True}})
    assert answer["updated"] == {id: {"keywords": {"$notjunk": True}}}
    answer = await jmap.call("Email/set", update={id: {"mailboxIds": {box(house, "Junk"): True}}})
    assert answer["updated"] == {id: {"keywords": {"$junk": True}}}
    state = (await jmap.call("Email/get", ids=[]))["state"]
    assert answer["newState"] == state
    # What is said of it counts more than where it is put: the Inbox alone would take both away.
    both = {"mailboxIds": {box(house, "Inbox"): True}, "keywords/$notjunk": True}
    assert (await jmap.call("Email/set", update={id: both}))["updated"] == {id: {"keywords": {"$notjunk": True}}}
    assert (await get(jmap, id))[0]["keywords"] == {"$notjunk": True}


async def test_created_beside_what_was_said(house, jmap):
    """What was not sent, or came out otherwise, is told (RFC 8620 §5.3)."""
    said = {"subject": "a", "textBody": [{"partId": "t", "type": "text/plain"}], "bodyValues": {"t": {"value": "x"}}}
    made = {
        "plain": said | {"mailboxIds": {box(house, "Junk"): True}},
        "said": said
        | {"mailboxIds": {box(house, "Junk"): True}, "keywords": {"Own": True, "$junk": True}}
        | {"receivedAt": "2026-01-02T03:04:05Z"},
    }
    created = (await jmap.call("Email/set", create=made))["created"]
    ids, names = [created["plain"]["id"]], ["keywords", "receivedAt"]
    (now,) = (await jmap.call("Email/get", ids=ids, properties=names))["list"]
    assert created["plain"]["keywords"] == {"$junk": True}
    assert {name: now[name] for name in names} == {name: created["plain"][name] for name in names}
    assert created["said"].keys() == {"id", "blobId", "threadId", "size"}


async def test_muted(house, jmap):
    """RFC 8621 knows nothing of it; whoever is muted is collapsed, and so is all below."""
    first, reply = await deliver(
        house,
        b"Message-ID: <a@x>\r\nSubject: a\r\n\r\nx\r\n",
        b"Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: Re: a\r\n\r\nx\r\n",
    )
    state = (await jmap.call("Email/get", ids=[]))["state"]
    answer = await jmap.call("Email/set", update={first: {"muted": True}})
    assert answer["updated"] == {first: {"collapsed": True}}
    changes = await jmap.call("Email/changes", sinceState=state)
    assert sorted(changes["updated"]) == [first, reply]
    for one in await get(jmap, first, reply, properties=("muted", "collapsed", "threadParentIds")):
        assert (one["muted"], one["collapsed"]) == (True, True)
        assert one["threadParentIds"] == ([] if one["id"] == first else [first])
    jmap.using = jmap.using - {"urn:moxpy:mail"}
    assert (await jmap.call("Email/get", ids=[first], properties=["muted"]))["type"] == "invalidArguments"
    answer = await jmap.call("Email/set", update={first: {"muted": False}})
    assert answer["notUpdated"][first]["type"] == "invalidProperties"


async def test_state_and_ids(house, jmap):
    ids = await deliver(house, b"a: b\r\n\r\n", b"a: c\r\n\r\n")
    state = (await jmap.call("Email/get", ids=[]))["state"]
    assert (await jmap.call("Email/set", ifInState="0", destroy=ids))["type"] == "stateMismatch"
    answer = await jmap.call(
        "Email/set",
        ifInState=state,
        update={ids[0]: {"keywords/a": True}, "M1-99": {}, "x": {}, "#none": {}},
        destroy=[ids[0], "M2-1"],
    )
    assert answer["oldState"] == state
    assert {id: one["type"] for id, one in answer["notUpdated"].items()} == {
        ids[0]: "willDestroy",
        "M1-99": "notFound",
        "x": "notFound",
        "#none": "notFound",
    }
    assert answer["destroyed"] == [ids[0]]
    assert answer["notDestroyed"]["M2-1"]["type"] == "notFound"
    assert (await jmap.call("Email/get", ids=ids))["notFound"] == [ids[0]]


async def test_creation_ids(house, jmap):
    """What is created can be changed in the same call, and be referred to by later ones (RFC 8620 §5.3)."""
    drafts, archive = box(house, "Drafts"), box(house, "Archive")
    first, second = await jmap.responses(
        [
            "Email/set",
            {"create": {"a": {"mailboxIds": {drafts: True}}}, "update": {"#a": {"mailboxIds": {archive: True}}}},
            "0",
        ],
        ["Email/get", {"ids": ["#a"], "properties": ["mailboxIds"]}, "1"],
    )
    id = first[1]["created"]["a"]["id"]
    assert first[1]["updated"] == {id: None}
    assert second[1]["list"] == [{"id": id, "mailboxIds": {archive: True}}]


async def test_what_imap_deletes_is_gone(house, jmap):
    """RFC 8621 §4.1.1"""
    (id,) = await deliver(house)
    state = (await jmap.call("Email/get", ids=[]))["state"]
    await house.store.write(message.store_flags, house.account, 1, [1], "+", int(Flag.DELETED))
    assert (await jmap.call("Email/get", ids=[id]))["notFound"] == [id]
    assert (await jmap.call("Email/changes", sinceState=state))["destroyed"] == [id]
    answer = await jmap.call("Email/set", update={id: {"keywords/a": True}}, destroy=[])
    assert answer["notUpdated"][id]["type"] == "notFound"


async def test_one_fault_is_one_emails(house, jmap, monkeypatch):
    """Emails that change together fail alone."""
    ids = await deliver(house, b"a: b\r\n\r\n", b"a: c\r\n\r\n")
    await jmap.call("Email/set", update={ids[0]: {"keywords": {f"k{at}": True for at in range(100)}}})
    answer = await jmap.call("Email/set", update={id: {"keywords/more": True} for id in ids})
    assert answer["updated"] == {ids[1]: None}
    assert answer["notUpdated"][ids[0]]["type"] == "tooManyKeywords"


# Import


async def test_imported(house, jmap):
    octets = b"Received: by x; Mon, 1 Jan 2024 10:00:00 +0100\nSubject: two\n\nhello\n"
    blob = await jmap.upload(octets)
    inbox = box(house, "Inbox")
    answer = await jmap.call(
        "Email/import",
        emails={
            "a": {"blobId": blob, "mailboxIds": {inbox: True}, "keywords": {"$Seen": True}},
            "b": {"blobId": blob, "mailboxIds": {inbox: True}, "receivedAt": "2020-01-01T00:00:00Z"},
            "c": {"blobId": "U1-x", "mailboxIds": {inbox: True}},
            "d": {"blobId": blob, "mailboxIds": {"F1-99": True}},
            "e": {"blobId": blob, "mailboxIds": {inbox: True}, "keywords": {"(": True}},
            "f": {"blobId": await jmap.upload(b""), "mailboxIds": {inbox: True}},
            "g": {"mailboxIds": {inbox: True}},
            "h": {"blobId": await jmap.upload(b"a: b\r\n" + b"x" * 1024 * 1024), "mailboxIds": {inbox: True}},
        },
    )
    assert list(answer["created"]) == ["a", "b"]
    assert {name: (one["type"], one.get("properties")) for name, one in answer["notCreated"].items()} == {
        "c": ("invalidProperties", ["blobId"]),
        "d": ("invalidProperties", ["mailboxIds"]),
        "e": ("invalidProperties", ["keywords"]),
        "f": ("invalidEmail", None),
        "g": ("invalidProperties", ["blobId"]),
        "h": ("tooLarge", None),
    }
    ids = [one["id"] for one in answer["created"].values()]
    found = await get(jmap, *ids, properties=("receivedAt", "keywords", "subject"))
    assert [one["receivedAt"] for one in found] == ["2024-01-01T09:00:00Z", "2020-01-01T00:00:00Z"]
    assert [one["keywords"] for one in found] == [{"$seen": True}, {}]
    assert octets_of(house, ids[0]) == octets.replace(b"\n", b"\r\n")
    assert (await jmap.call("Email/import", ifInState="1", emails={}))["type"] == "stateMismatch"


async def test_over_quota(house, jmap, monkeypatch):
    monkeypatch.setattr("appliance.operations.messages.quota_of", lambda *_: 100)
    blob = await jmap.upload(b"a: b\r\n\r\n" + b"x" * 100)
    inbox = {box(house, "Inbox"): True}
    answer = await jmap.call("Email/import", emails={"a": {"blobId": blob, "mailboxIds": inbox}})
    assert answer["notCreated"]["a"]["type"] == "overQuota"


@pytest.mark.parametrize(
    ("given", "type"),
    [
        pytest.param({}, "invalidArguments", id="the same account"),
        pytest.param({"fromAccountId": "A99"}, "fromAccountNotFound", id="another account"),
    ],
)
async def test_copy(jmap, given, type):
    answer = await jmap.call("Email/copy", {"fromAccountId": jmap.id, "create": {}, **given})
    assert answer["type"] == type


# Parse


async def test_parsed(house, jmap):
    inner = b"From: a@x.example\r\nSubject: within\r\n\r\nhello\r\n"
    outer = (
        b"Subject: outer\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--x\r\nContent-Type: text/plain; name=a.txt\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(b"file") + b"\r\n--x--\r\n"
    )
    (id,) = await deliver(house, outer)
    upload = await jmap.upload(outer)
    stored = "B" + id[1:]
    empty = await jmap.upload(b"")
    answer = await jmap.call(
        "Email/parse", blobIds=[f"{stored}-1", upload, "U1-x", empty], fetchAllBodyValues=True,
        properties=["id", "threadId", "mailboxIds", "keywords", "receivedAt", "subject", "attachments", "bodyValues", "size"],
    )  # fmt: skip
    assert answer["notFound"] == ["U1-x"]
    assert answer["notParsable"] == [empty]
    first, second = answer["parsed"][f"{stored}-1"], answer["parsed"][upload]
    assert [first[name] for name in ("id", "threadId", "mailboxIds", "keywords", "receivedAt")] == [None] * 5
    assert (first["subject"], first["bodyValues"]["1"]["value"]) == ("within", "hello\n")
    assert (second["subject"], second["size"]) == ("outer", len(outer))
    assert [one["blobId"] for one in second["attachments"]] == [f"{upload}~1", f"{upload}~2"]
    with jmap_blob(jmap, f"{upload}~2") as blob:
        assert await blob.read() == (b"file", 4)
    again = await jmap.call("Email/parse", blobIds=[f"{upload}~1"], properties=["subject"])
    assert again["parsed"] == {f"{upload}~1": {"subject": "within"}}
    assert (await jmap.call("Email/parse", blobIds=[upload], properties=["header:From:asDate"]))["type"] == (
        "invalidArguments"
    )


def jmap_blob(jmap: Caller, id: str):
    return open_blob(jmap.app, jmap.actor, jmap.account, jmap.uploads, id)


def test_methods_that_change():
    """RFC 8620 §3.6.2: accountReadOnly."""
    assert all(one.changes for one in setting.METHODS)
