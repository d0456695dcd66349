"""JMAP with jmapc, a client of others: what is there, sending, searching, changing, synchronising, being told.

It is installed into an environment of its own.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

WORK = Path(os.environ["WORK"])

PROGRAM = """
import os, sys, threading, time
from jmapc import Address, Client, Email, EmailAddress, EmailBodyPart, EmailBodyValue, EmailHeader, EmailQueryFilterCondition
from jmapc import EmailSubmission, Envelope, Identity, MailboxQueryFilterCondition, Ref, Comparator
from jmapc.methods import *

host = f"{os.environ['HOST']}:{os.environ['HTTPS']}"
user = os.environ["MAIL_USER"]
client = Client.create_with_password(host, user, os.environ["MAIL_PASSWORD"])
session = client.jmap_session
assert session.username == user, session

def one(call):
    return client.request(call, raise_errors=True, single_response=True)

assert one(CoreEcho(data={"hello": "there"})).data == {"hello": "there"}

boxes = {box.role or box.name: box for box in one(MailboxGet(ids=None)).data}
assert {"inbox", "drafts", "sent", "trash"} <= boxes.keys(), boxes
inbox, drafts, sent = (boxes[name].id for name in ("inbox", "drafts", "sent"))
assert one(MailboxQuery(filter=MailboxQueryFilterCondition(role="inbox"))).ids == [inbox]
identity = next(one_ for one_ in one(IdentityGet()).data if one_.email == user)

told = []
def listen():
    other = Client.create_with_password(host, user, os.environ["MAIL_PASSWORD"])
    for event in other.events:
        told.append(event)
threading.Thread(target=listen, daemon=True).start()
state = one(EmailGet(ids=[])).state
time.sleep(2)

# A draft that is sent moves to Sent, in one request.
subject = "From jmapc, \\u00fcber alles"
results = client.request([
    EmailSet(create={"draft": Email(
        mail_from=[EmailAddress(name="Me", email=user)], to=[EmailAddress(email=user)], subject=subject,
        keywords={"$draft": True}, mailbox_ids={drafts: True},
        body_values={"b": EmailBodyValue(value="Hello there, unmistakable.")},
        text_body=[EmailBodyPart(part_id="b", type="text/plain")])}),
    EmailSubmissionSet(
        on_success_update_email={"#send": {f"mailboxIds/{drafts}": None, f"mailboxIds/{sent}": True, "keywords/$draft": None}},
        create={"send": EmailSubmission(email_id="#draft", identity_id=identity.id, envelope=Envelope(
            mail_from=Address(email=user), rcpt_to=[Address(email=user)]))}),
], raise_errors=True)
assert results[0].response.created["draft"].id, results
deadline = time.monotonic() + 30
while True:
    found = one(EmailQuery(filter=EmailQueryFilterCondition(in_mailbox=inbox, text="alles")))
    if found.ids or time.monotonic() > deadline:
        break
    time.sleep(0.2)
results = client.request([
    EmailQuery(filter=EmailQueryFilterCondition(in_mailbox=inbox, text="unmistakable"), sort=[Comparator(property="receivedAt", is_ascending=False)]),
    EmailGet(ids=Ref("/ids"), fetch_text_body_values=True, properties=["subject", "from", "textBody", "bodyValues", "threadId", "blobId", "preview"]),
    ThreadGet(ids=Ref("/list/*/threadId")),
], raise_errors=True)
(got,) = results[1].response.data
assert got.subject == subject, got
assert "unmistakable" in got.body_values[got.text_body[0].part_id].value
assert len(results[2].response.data[0].email_ids) >= 1
assert one(EmailQuery(filter=EmailQueryFilterCondition(in_mailbox=sent, text="alles"))).ids
assert not one(EmailQuery(filter=EmailQueryFilterCondition(in_mailbox=drafts, text="alles"))).ids
assert one(SearchSnippetGet(ids=[got.id], filter=EmailQueryFilterCondition(text="unmistakable"))).data

# What is new since then.
changed = one(EmailChanges(since_state=state, max_changes=100))
assert got.id in changed.created, changed
one(EmailSet(update={got.id: {"keywords/$seen": True}}))
assert got.id in one(EmailChanges(since_state=changed.new_state, max_changes=100)).updated

# A file, there and back.
path = os.path.join(os.environ["WORK"], "file.bin")
octets = os.urandom(300_000)
open(path, "wb").write(octets)
blob = client.upload_blob(path)
client.download_attachment(EmailBodyPart(blob_id=blob.id, name="file.bin", type="application/octet-stream"), path + ".back")
assert open(path + ".back", "rb").read() == octets

made = one(MailboxSet(create={"m": {"name": "From jmapc"}})).created["m"].id
one(MailboxSet(destroy=[made]))
one(EmailSet(destroy=[got.id]))
assert one(EmailGet(ids=[got.id])).not_found == [got.id]
for _ in range(50):
    if told:
        break
    time.sleep(0.2)
assert told, "no event came"
print("all well,", len(told), "events")
"""

home = WORK / "environment"
venv.create(home, with_pip=True)
python = home / "bin" / "python"
subprocess.run([python, "-m", "pip", "-q", "install", "jmapc==0.4.0"], check=True, timeout=80)
environment = {**os.environ, "REQUESTS_CA_BUNDLE": os.environ["CERTIFICATE"], "PYTHONPATH": ""}
sys.exit(subprocess.run([python, "-c", PROGRAM], env=environment, timeout=80, check=False).returncode)
