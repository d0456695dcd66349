"""JMAP with jmaplib, a client of others that checks what it is told: each response is read by typed models.

Mailboxes, a message of several parts, import, parsing, queries and what changes in them, sending and taking back, being
told in two ways, vacation, quotas, blobs within requests, subscriptions. It is installed into an environment of its own.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

WORK = Path(os.environ["WORK"])

PROGRAM = r"""
import base64, hashlib, json, os, random, ssl, threading, time
from jmap import CreationRef
from jmap.auth import BasicAuth
from jmap.client import JMAPClient
from jmap.core.patch import keyword_patch, mailbox_patch
from jmap.push import EventSourceClient, Ping, WebSocketClient
from jmap.sync import ChangeStream, QuerySpec, QueryView

user, password = os.environ["MAIL_USER"], os.environ["MAIL_PASSWORD"]
url = f"https://{os.environ['HOST']}:{os.environ['HTTPS']}/.well-known/jmap"
auth = BasicAuth(user, password)
client = JMAPClient.connect(url, auth=auth)


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, condition
        time.sleep(0.1)
    return found


def one(make):
    with client.batch() as batch:
        handle = make(batch)
    return handle.result


def done(response):
    assert not response.has_errors, (response.creation_errors, response.update_errors, response.destroy_errors)
    return response


# Mailboxes.
boxes = {box.role: box.id for box in one(lambda b: b.mail.mailbox.get(ids=None)).items}
inbox, drafts, sent, trash = (boxes[role] for role in ("inbox", "drafts", "sent", "trash"))
boxes_stream = ChangeStream(client, "Mailbox")
boxes_stream.seed(one(lambda b: b.mail.mailbox.get(ids=None)).state)
made = done(
    one(
        lambda b: b.mail.mailbox.set(
            create={"a": {"name": "Strict"}, "b": {"name": "Inner", "parentId": CreationRef("a")}}
        )
    )
)
outer, inner = made.created_id("a"), made.created_id("b")
changes = boxes_stream.catch_up()
assert set(changes.created) == {outer, inner}, changes
done(one(lambda b: b.mail.mailbox.set(update={inner: {"name": "Inside", "isSubscribed": True, "sortOrder": 3}})))
assert inner in boxes_stream.catch_up().updated
found = one(lambda b: b.mail.mailbox.query(filter={"parentId": outer}, sort=[{"property": "name"}]))
assert found.ids == [inner]

# A message with an attachment, made here, read back whole.
octets = random.Random(1).randbytes(200_000)
uploaded = client.upload(octets, content_type="application/pdf")
assert uploaded.size == len(octets)
assert client.download(uploaded.blob_id, name="file.pdf", content_type="application/pdf") == octets
emails_stream = ChangeStream(client, "Email")
emails_stream.seed(one(lambda b: b.mail.email.get(ids=[])).state)
words = "Z\u00fcgige Gr\u00fc\u00dfe aus K\u00f6ln, \u65e5\u672c\u8a9e \U0001f600"
made = done(
    one(
        lambda b: b.mail.email.set(
            create={
                "m": {
                    "mailboxIds": {inner: True},
                    "keywords": {"$seen": True, "labelled": True},
                    "from": [{"name": "M\u00fcller, Ada", "email": user}],
                    "to": [{"email": "bob@example.org"}],
                    "cc": [{"name": "", "email": "carol@example.org"}],
                    "subject": words,
                    "messageId": ["strict.1@client.example"],
                    "sentAt": "2026-11-26T12:00:00+01:00",
                    "header:X-Own:asText": words,
                    "header:List-Post:asURLs": ["mailto:list@example.org"],
                    "bodyStructure": {
                        "type": "multipart/mixed",
                        "subParts": [
                            {
                                "type": "multipart/alternative",
                                "subParts": [
                                    {"partId": "t", "type": "text/plain"},
                                    {"partId": "h", "type": "text/html"},
                                ],
                            },
                            {
                                "blobId": uploaded.blob_id,
                                "type": "application/pdf",
                                "name": "Gr\u00fc\u00dfe.pdf",
                                "disposition": "attachment",
                            },
                        ],
                    },
                    "bodyValues": {"t": {"value": words + "\nline two\n"}, "h": {"value": "<p>" + words + "</p>"}},
                }
            }
        )
    )
)
email = made.created_id("m")
assert emails_stream.catch_up().created == [email]
(got,) = one(
    lambda b: b.mail.email.get(
        ids=[email],
        fetchAllBodyValues=True,
        bodyProperties=[
            "partId",
            "blobId",
            "size",
            "name",
            "type",
            "charset",
            "disposition",
            "cid",
            "language",
            "location",
            "subParts",
            "headers",
        ],
        properties=[
            "id",
            "blobId",
            "threadId",
            "mailboxIds",
            "keywords",
            "size",
            "receivedAt",
            "messageId",
            "inReplyTo",
            "references",
            "sender",
            "from",
            "to",
            "cc",
            "bcc",
            "replyTo",
            "subject",
            "sentAt",
            "bodyStructure",
            "bodyValues",
            "textBody",
            "htmlBody",
            "attachments",
            "hasAttachment",
            "preview",
            "headers",
            "header:X-Own:asText",
            "header:List-Post:asURLs",
            "header:From:asGroupedAddresses",
            "header:Subject",
            "header:Date:asDate",
            "header:Message-ID:asMessageIds",
        ],
    )
).items
assert (
    got.subject == words
    and got.from_[0].name == "M\u00fcller, Ada"
    and got.has_attachment
    and "K\u00f6ln" in got.preview
)
assert got.message_id == ["strict.1@client.example"], got.message_id
assert got.keywords.items() >= {"$seen": True, "labelled": True}.items(), got.keywords
assert got.body_values[got.text_body[0].part_id].value.startswith(words)
assert got.body_values[got.html_body[0].part_id].value.strip() == "<p>" + words + "</p>"
(file,) = got.attachments
assert file.name == "Gr\u00fc\u00dfe.pdf" and file.size == len(octets)
assert client.download(file.blob_id, name="x", content_type="application/pdf") == octets

# What it is in octets; parsing; importing; copying is between accounts only.
whole = client.download(got.blob_id, name="m.eml", content_type="message/rfc822")
assert len(whole) == got.size
parsed = one(lambda b: b.mail.email.parse(blob_ids=[got.blob_id], fetch_text_body_values=True))
assert next(iter(parsed.parsed.values())).subject == words
again = client.upload(whole.replace(b"strict.1@", b"strict.2@"), content_type="message/rfc822")
imported = one(
    lambda b: b.mail.email.import_(
        emails={
            "i": {
                "blobId": again.blob_id,
                "mailboxIds": {inner: True},
                "keywords": {},
                "receivedAt": "2026-11-20T10:00:00Z",
            }
        }
    )
)
second = imported.created["i"].id

# Queries, in pages, and what changes in them.
spec = QuerySpec.build(
    "Email",
    client.session.primary_accounts["urn:ietf:params:jmap:mail"],
    filter={"inMailbox": inner},
    sort=[{"property": "receivedAt", "isAscending": False}],
)
view = QueryView.from_query(
    spec,
    one(
        lambda b: b.mail.email.query(
            filter={"inMailbox": inner}, sort=[{"property": "receivedAt", "isAscending": False}], calculate_total=True
        )
    ),
)
assert view.known_ids == [email, second] and view.can_calculate_changes
done(one(lambda b: b.mail.email.set(update={second: keyword_patch(add=["$flagged"], remove=["$seen"])})))
done(one(lambda b: b.mail.email.set(update={email: mailbox_patch(add=[trash], remove=[inner])})))
view.apply(
    one(
        lambda b: b.mail.email.query_changes(
            filter={"inMailbox": inner},
            sort=[{"property": "receivedAt", "isAscending": False}],
            since_query_state=view.query_state,
            calculate_total=True,
        )
    )
)
assert view.known_ids == [second], view
with client.batch() as batch:
    found = batch.mail.email.query(
        filter={
            "operator": "AND",
            "conditions": [
                {"inMailbox": inner},
                {"text": "zügige"},
                {"hasKeyword": "$flagged"},
                {"operator": "NOT", "conditions": [{"subject": "nothing of the kind"}]},
            ],
        },
        limit=10,
    )
    snippets = batch.mail.search_snippet.get(filter={"text": "zügige"}, email_ids=found.ref_ids())
    gotten = batch.mail.email.get(ids=found.ref_ids(), properties=["threadId"])
    threads = batch.mail.thread.get(ids=gotten.ref_list("threadId"))
assert found.result.ids == [second] and "<mark>" in snippets.result.items[0].subject, snippets.result
assert second in threads.result.items[0].email_ids

# Sending: with a file, held and taken back, and for good.
identity = next(one_ for one_ in one(lambda b: b.submission.identity.get(ids=None)).items if one_.email == user)


def send(subject, parameters=None):
    with client.batch() as batch:
        batch.mail.email.set(
            create={
                "d": {
                    "mailboxIds": {drafts: True},
                    "keywords": {"$draft": True},
                    "from": [{"email": user}],
                    "to": [{"email": user}],
                    "subject": subject,
                    "textBody": [{"partId": "b", "type": "text/plain"}],
                    "bodyValues": {"b": {"value": "One o'clock?"}},
                    "attachments": [{"blobId": uploaded.blob_id, "type": "application/pdf", "name": "a.pdf"}],
                }
            }
        )
        handle = batch.submission.email_submission.set(
            create={
                "s": {
                    "identityId": identity.id,
                    "emailId": CreationRef("d"),
                    "envelope": {
                        "mailFrom": {"email": user, "parameters": parameters},
                        "rcptTo": [{"email": user, "parameters": None}],
                    },
                }
            },
            onSuccessUpdateEmail={
                "#s": {"keywords/$draft": None, f"mailboxIds/{drafts}": None, f"mailboxIds/{sent}": True}
            },
        )
    return done(handle.result).created_id("s")


held = send("Held", {"HOLDFOR": "600"})
(state,) = one(lambda b: b.submission.email_submission.get(ids=[held])).items
assert state.undo_status == "pending", state
done(one(lambda b: b.submission.email_submission.set(update={held: {"undoStatus": "canceled"}})))
assert one(lambda b: b.submission.email_submission.get(ids=[held])).items[0].undo_status == "canceled"

told, events = [], EventSourceClient(client, types=("Email", "EmailSubmission", "Mailbox"), ping=5)
threading.Thread(target=lambda: [told.append(event) for event in events.listen()], daemon=True).start()
until(lambda: any(isinstance(event, Ping) for event in told))
with WebSocketClient(client) as socket:
    socket.enable_push(["Email"])
    with socket.batch() as batch:
        echoed = batch.mail.mailbox.get(ids=[inbox])
    assert echoed.result.items[0].role == "inbox"
    final = send("Gone for good")
    change = next(iter(socket.notifications()))
    assert change.changed, change
until(lambda: any(not isinstance(event, Ping) for event in told))
arrived = until(lambda: one(lambda b: b.mail.email.query(filter={"inMailbox": inbox, "subject": "gone for good"})).ids)
(state,) = one(lambda b: b.submission.email_submission.get(ids=[final])).items
assert state.undo_status == "final" and state.delivery_status[user].delivered in {"yes", "queued", "unknown"}, state
assert final in one(lambda b: b.submission.email_submission.query(filter={"identityIds": [identity.id]})).ids

# Away for a while; quotas; blobs within a request.
done(
    one(
        lambda b: b.vacation.vacation_response.set(
            update={
                "singleton": {
                    "isEnabled": True,
                    "subject": "Away",
                    "textBody": words,
                    "fromDate": "2030-01-01T00:00:00Z",
                }
            }
        )
    )
)
(away,) = one(lambda b: b.vacation.vacation_response.get(ids=["singleton"])).items
assert away.is_enabled and away.text_body == words
done(one(lambda b: b.vacation.vacation_response.set(update={"singleton": {"isEnabled": False}})))
for quota in one(lambda b: b.quota.quota.get(ids=None)).items:
    assert quota.used >= 0
data = b"in a request"
blob = done(
    one(
        lambda b: b.blob.blob.upload(
            create={
                "x": {
                    "data": [{"data:asText": data.decode()}, {"blobId": uploaded.blob_id, "offset": 10, "length": 5}],
                    "type": "text/plain",
                }
            }
        )
    )
).created_id("x")
(got,) = one(lambda b: b.blob.blob.get(ids=[blob], properties=["data:asBase64", "digest:sha-256", "size"])).items
assert got.size == len(data) + 5, got
assert base64.b64decode(got.to_wire()["data:asBase64"]) == data + octets[10:15]
assert base64.b64decode(got.to_wire()["digest:sha-256"]) == hashlib.sha256(data + octets[10:15]).digest()
looked = one(lambda b: b.blob.blob.lookup(type_names=["Email", "Mailbox", "Thread"], ids=[file.blob_id]))
assert email in json.dumps(looked.to_wire()), looked

# Devices that are told by requests of ours.
made = done(
    one(
        lambda b: b.core.push_subscription.set(
            create={"p": {"deviceClientId": "strict", "url": "https://127.0.0.1:9/push", "types": ["Email"]}}
        )
    )
)
done(one(lambda b: b.core.push_subscription.set(destroy=[made.created_id("p")])))

# All gone again.
done(one(lambda b: b.mail.email.set(destroy=[email, second, *arrived])))
assert set(emails_stream.catch_up().destroyed) <= {email, second, *arrived}
done(one(lambda b: b.mail.mailbox.set(destroy=[inner])))
done(one(lambda b: b.mail.mailbox.set(destroy=[outer])))
assert {inner, outer} <= set(boxes_stream.catch_up().destroyed)
print("all well,", len(told), "events")
"""

home = WORK / "environment"
venv.create(home, with_pip=True)
python = home / "bin" / "python"
subprocess.run([python, "-m", "pip", "-q", "install", "jmaplib[ws]==3.0.1"], check=True, timeout=80)
environment = {**os.environ, "SSL_CERT_FILE": os.environ["CERTIFICATE"], "PYTHONPATH": ""}
sys.exit(subprocess.run([python, "-c", PROGRAM], env=environment, timeout=80, check=False).returncode)
