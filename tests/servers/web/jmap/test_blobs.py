"""Uploads, downloads, Blob/* (RFC 8620 §6, RFC 9404)."""

import base64
import hashlib

import pytest

from appliance.base import limits
from appliance.servers.web import respond
from appliance.servers.web.jmap import blobs
from appliance.store.transaction import ReadTx

MESSAGE = (
    b"Subject: =?utf-8?Q?caf=C3=A9?=\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9\r\n"
    b"--x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(bytes(range(256)) * 8).replace(b"\n", b"\r\n")
    + b"--x--\r\n"
)


async def upload(jmap, octets=b"hello", media_type="text/plain", account=None, **headers):
    fields = {"content-type": media_type, "x-mox-csrf": jmap.browser.csrf, **headers}
    return await jmap.browser.request("POST", f"jmap/upload/{account or jmap.account}/", octets, fields)


async def download(jmap, id, name="file", accept=None, account=None):
    query = f"?accept={accept}" if accept else ""
    return await jmap.browser.request("GET", f"jmap/download/{account or jmap.account}/{id}/{name}{query}")


async def test_upload_and_download(jmap):
    octets = bytes(range(256)) * 400
    made = await upload(jmap, octets, "application/x-thing; charset=utf-8")
    assert made.status == 201
    expected = {"accountId": jmap.account, "type": "application/x-thing; charset=utf-8", "size": len(octets)}
    assert made.json == {**expected, "blobId": made.json["blobId"]}
    answer = await download(jmap, made.json["blobId"], "a%20b.bin", "image/png")
    assert (answer.status, answer.body) == (200, octets)
    assert answer.header("content-type") == "image/png"
    assert answer.header("content-length") == str(len(octets))
    assert answer.header("cache-control") == "private, immutable, max-age=31536000"
    assert answer.header("content-disposition").startswith("attachment")
    assert "sandbox" in answer.header("content-security-policy")


async def test_message_and_parts(jmap, mail):
    id = await mail.add(MESSAGE)
    whole = await download(jmap, blobs.message_blob(mail.account, id))
    assert (whole.body, whole.header("content-type")) == (MESSAGE, "message/rfc822")
    text = await download(jmap, blobs.part_blob(mail.account, id, "1"))
    assert (text.body, text.header("content-type")) == ("café".encode(), "text/plain; charset=utf-8")
    image = await download(jmap, blobs.part_blob(mail.account, id, "2"))
    assert image.body == bytes(range(256)) * 8
    for nothing in (blobs.part_blob(mail.account, id, "3"), blobs.message_blob(mail.account, 99), "U1-x", "B2-1", "x"):
        assert (await download(jmap, nothing)).status == 404
    await mail.delete(id)
    assert (await download(jmap, blobs.message_blob(mail.account, id))).status == 404


async def test_upload_refused(jmap):
    assert (await upload(jmap, account="A99")).status == 404
    fields = {"content-type": "text/plain"}
    assert (await jmap.browser.request("POST", f"jmap/upload/{jmap.account}/", b"x", fields)).status == 401
    large = await upload(jmap, b"x", **{"content-length": str(10**15)})
    assert (large.status, large.json["limit"]) == (413, "maxSizeUpload")
    assert large.json["type"] == "urn:ietf:params:jmap:error:limit"
    assert (await upload(jmap, media_type="text/html\r\nset-cookie: a=b")).json["type"] == "application/octet-stream"


async def test_others_have_their_own(house, jmap):
    made = (await upload(jmap)).json["blobId"]
    bob = house.browser("webmail")
    await bob.log_in(user="bob@example.org")
    assert (await bob.request("GET", f"jmap/download/{jmap.account}/{made}/x")).status == 404
    assert (await bob.request("GET", f"jmap/download/A{house.number('bob')}/{made}/x")).status == 404


async def test_oldest_give_way(house, jmap, monkeypatch):
    monkeypatch.setattr(limits, "JMAP_BLOBS", 3)
    made = [(await upload(jmap, b"%d" % at)).json["blobId"] for at in range(5)]
    assert [(await download(jmap, id)).status for id in made] == [404, 404, 200, 200, 200]
    monkeypatch.setattr(limits, "JMAP_BLOB_OCTETS", 10)
    last = (await upload(jmap, b"123456789")).json["blobId"]
    assert [(await download(jmap, id)).status for id in (*made, last)] == [404] * 4 + [200] * 2
    house.clock.move(limits.JMAP_BLOB_HOURS * 3600)
    new = (await upload(jmap)).json["blobId"]
    assert [(await download(jmap, id)).status for id in (last, new)] == [404, 200]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ("", "attachment"),
        ("..", "attachment"),
        ('a"b\\c/d\r\nx', 'attachment; filename="a_b_c_d__x"'),
        ("é.png", "attachment; filename=\"_.png\"; filename*=UTF-8''%C3%A9.png"),
    ],
)
def test_disposition(name, field):
    assert respond.disposition(name) == field


async def test_copy(jmap):
    made = (await upload(jmap)).json["blobId"]
    answer = await jmap.call("Blob/copy", fromAccountId=jmap.account, blobIds=[made, "nothing"])
    assert answer["copied"] == {made: made}
    assert answer["notCopied"]["nothing"]["type"] == "notFound"
    assert (await jmap.call("Blob/copy", fromAccountId="A99", blobIds=[]))["type"] == "fromAccountNotFound"


async def test_blob_upload(jmap):
    """RFC 9404 §4.1.1, as far as it goes: a blob of texts, base64 and ranges of others."""
    first, second = await jmap.responses(
        [
            "Blob/upload",
            {"create": {"b4": {"data": [{"data:asText": "The quick brown fox"}], "type": "text/plain"}}},
            "S4",
        ],
        [
            "Blob/upload",
            {
                "create": {
                    "cat": {
                        "data": [
                            {"data:asText": "How"},
                            {"blobId": "#b4", "length": 7, "offset": 3},
                            {"data:asText": "was t"},
                            {"blobId": "#b4", "length": 1, "offset": 1},
                            {"data:asBase64": "YXQ/"},
                        ]
                    },
                    "long": {"data": [{"blobId": "#b4", "offset": 10, "length": 500}]},
                    "both": {"data": [{"data:asText": "a", "data:asBase64": "YQ=="}]},
                    "bad": {"data": [{"data:asBase64": "!!"}]},
                    "none": {"data": [{"blobId": "nothing"}]},
                    "rubbish": {"data": 5},
                }
            },
            "CAT",
        ],
    )
    assert first[1]["created"]["b4"]["size"] == 19
    created = second[1]["created"]
    assert created.keys() == {"cat"}
    errors = {name: one["type"] for name, one in second[1]["notCreated"].items()}
    assert errors.pop("none") == "blobNotFound"
    assert set(errors.values()) == {"invalidProperties"}
    got = await jmap.call("Blob/get", ids=[created["cat"]["id"]], properties=["data:asText", "size"])
    assert got["list"] == [{"id": created["cat"]["id"], "data:asText": "How quick was that?", "size": 19}]


async def test_blob_get(jmap):
    octets = b"The quick brown fox jumped over the \x81\x81 dog."
    made = (await upload(jmap, octets)).json["blobId"]
    digests = ["digest:sha", "digest:sha-256"]
    whole = await jmap.call("Blob/get", ids=[made, "nothing"], properties=["data", *digests, "size"])
    assert whole["notFound"] == ["nothing"]
    expected = {
        "id": made,
        "isEncodingProblem": True,
        "data:asBase64": base64.b64encode(octets).decode(),
        "digest:sha": base64.b64encode(hashlib.sha1(octets).digest()).decode(),
        "digest:sha-256": base64.b64encode(hashlib.sha256(octets).digest()).decode(),
        "size": len(octets),
    }
    assert whole["list"] == [expected]
    part = await jmap.call("Blob/get", ids=[made], properties=["data:asText", "digest:sha"], offset=4, length=5)
    assert part["list"][0]["data:asText"] == "quick"
    assert part["list"][0]["digest:sha"] == base64.b64encode(hashlib.sha1(b"quick").digest()).decode()
    beyond = await jmap.call("Blob/get", ids=[made], offset=len(octets) - 2, length=5000, properties=["data:asText"])
    assert (beyond["list"][0]["data:asText"], beyond["list"][0]["isTruncated"]) == ("g.", True)
    assert (await jmap.call("Blob/get", ids=[made], properties=["digest:md99"]))["type"] == "invalidArguments"


async def test_blob_get_of_much(jmap, monkeypatch):
    monkeypatch.setattr(limits, "JMAP_BLOB_SET_OCTETS", 1000)
    made = (await upload(jmap, b"x" * 600)).json["blobId"]
    assert len((await jmap.call("Blob/get", ids=[made]))["list"]) == 1
    other = (await upload(jmap, b"y" * 600)).json["blobId"]
    assert (await jmap.call("Blob/get", ids=[made, other]))["type"] == "requestTooLarge"


async def test_blob_lookup(jmap, mail):
    id = await mail.add(MESSAGE)
    part, own = blobs.part_blob(mail.account, id, "2"), (await upload(jmap)).json["blobId"]
    answer = await jmap.call("Blob/lookup", typeNames=["Email", "Mailbox", "Thread"], ids=[part, own, "nothing"])
    assert answer["notFound"] == ["nothing"]
    inbox = f"F{mail.account}-{mail.ref().id}"
    names = {"Email": [f"M{mail.account}-{id}"], "Mailbox": [inbox], "Thread": [f"T{mail.account}-{id}"]}
    assert answer["list"][0] == {"id": part, "matchedIds": names}
    assert answer["list"][1]["matchedIds"] == {"Email": [], "Mailbox": [], "Thread": []}
    assert (await jmap.call("Blob/lookup", typeNames=["Cat"], ids=[]))["type"] == "unknownDataType"


async def test_blob_lookup_of_many_looks_at_mailboxes_once(jmap, mail, monkeypatch):
    ids = [blobs.message_blob(mail.account, await mail.add()) for _ in range(3)]
    looks, look = [], ReadTx.mailboxes

    def counted(tx, account, **arguments):
        looks.append(account)
        return look(tx, account, **arguments)

    monkeypatch.setattr(ReadTx, "mailboxes", counted)
    answer = await jmap.call("Blob/lookup", typeNames=["Email"], ids=ids)
    assert [len(one["matchedIds"]["Email"]) for one in answer["list"]] == [1, 1, 1]
    assert len(looks) == 1


async def test_part_of_an_upload(jmap):
    """What Email/parse says of an uploaded message can be fetched, and becomes an attachment of another."""
    octets = b"Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x\r\n"
    octets += b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--x--\r\n"
    id = (await upload(jmap, octets)).json["blobId"]
    parsed = await jmap.call("Email/parse", blobIds=[id], properties=["attachments"])
    (part,) = parsed["parsed"][id]["attachments"]
    assert (await download(jmap, part["blobId"])).body == b"%PDF"
    assert (await download(jmap, f"{id}~7")).body == b""
    assert (await download(jmap, f"{id}~x")).status == 404
    inbox = next(one["id"] for one in (await jmap.call("Mailbox/get", ids=None))["list"] if one["role"] == "inbox")
    email = {"mailboxIds": {inbox: True}, "attachments": [{"blobId": part["blobId"], "type": "application/pdf"}]}
    made = (await jmap.call("Email/set", create={"a": email}))["created"]["a"]
    (found,) = (await jmap.call("Email/get", ids=[made["id"]], properties=["attachments"]))["list"]
    assert (await download(jmap, found["attachments"][0]["blobId"])).body == b"%PDF"
