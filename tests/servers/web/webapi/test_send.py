"""Send: what is refused and why, what is queued, what is kept."""

import base64
import email
import email.policy
import json
import re

import pytest
import trio

from appliance import __version__
from appliance.net.tlsstream import TLSInfo
from appliance.operations import submit
from appliance.store import bodies, mailbox, message, queued
from appliance.store.records import Role
from support.imaphouse import PASSWORD
from support.webapihouse import ALICE, BOB, multipart, web_house

ADA = {"Name": "Ada", "Address": "ada@dest.example"}
PLAIN = {"To": [ADA], "Subject": "Order 17", "Text": "Thanks\n"}


@pytest.fixture
async def web(tmp_path):
    async with web_house(tmp_path) as house:
        yield house


def queue(web):
    with web.store.read() as tx:
        return list(queued.all_messages(tx))


def content(web, one):
    with web.store.read() as tx:
        return one.prefix + bodies.read(tx, one.body, 0, one.size - len(one.prefix))


def parsed(web, one=None):
    return email.message_from_bytes(content(web, one or queue(web)[0]), policy=email.policy.default)


def sent(web, name="alice"):
    """Messages in Sent: rows with their whole content."""
    with web.store.read() as tx:
        account = tx.account_id(name)
        box = mailbox.by_name(tx, account, "Sent")
        found = []
        for _, row in message.rows(tx, account, box.id):
            prefix = message.prefix(tx, account, row.id)
            found.append((row, prefix + bodies.read(tx, row.body, 0, row.size - len(prefix))))
        return found


async def test_plain(web):
    answer = await web.call("Send", PLAIN)
    assert answer.status == 200, answer
    (one,) = queue(web)
    assert answer.json == {
        "MessageID": one.message_id,
        "Submissions": [{"Address": "ada@dest.example", "QueueMsgID": one.id, "FromID": ""}],
    }
    assert (one.reverse_path, one.recipient, one.subject) == ("alice@example.org", "ada@dest.example", "Order 17")
    added, _, written = content(web, one).decode("ascii").partition("From: ")
    assert [line.partition(":")[0] for line in added.split("\r\n") if line[:1] not in {"", "\t", " "}] == [
        "Received",
        "Authentication-Results",
    ]
    assert re.sub(r"<[^>@]*@mail", "<...@mail", written) == (
        "Alice Example <alice@example.org>\r\n"
        "To: Ada <ada@dest.example>\r\n"
        "Subject: Order 17\r\n"
        "Date: Sun, 01 Nov 2026 12:00:00 +0000\r\n"
        "Message-ID: <...@mail.example>\r\n"
        "MIME-Version: 1.0\r\n"
        f"User-Agent: moxpy/{__version__}\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n"
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "Thanks\r\n"
    )


@pytest.mark.parametrize("tls", [None, TLSInfo("TLS1.3", "TLS_AES_128_GCM_SHA256", "", None)])
async def test_received(web, tls):
    await web.call("Send", PLAIN, tls=tls)
    await web.call("Send", {**PLAIN, "CC": [{"Address": "b@dest.example"}]}, tls=tls)
    fields = [" ".join(parsed(web, one)["received"].split()) for one in queue(web)]
    protocol = "HTTPS" if tls else "HTTP"
    assert all(f"by mx.example ([192.0.2.2]) via tcp with {protocol} id " in one for one in fields)
    assert ["for <ada@dest.example>" in one for one in fields] == [True, False, False]
    assert all(("TLS1.3 TLS_AES_128_GCM_SHA256" in one) == bool(tls) for one in fields)
    assert not any("192.0.2.9" in one for one in fields)  # Where the submitter sits.


LONG = "x" * 65 * 1024


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"Text": ""}, "missingBody", id="no body"),
        pytest.param({"From": [ADA, ADA]}, "multipleFrom", id="two in From"),
        pytest.param({"To": [{"Address": "x"}]}, "badAddress", id="To"),
        pytest.param({"CC": [{"Address": "x@"}]}, "badAddress", id="CC"),
        pytest.param({"BCC": [{"Address": "a b@c.example"}]}, "badAddress", id="BCC"),
        pytest.param({"ReplyTo": [{"Address": ""}]}, "badAddress", id="ReplyTo"),
        pytest.param({"From": [{"Address": "<>"}]}, "badAddress", id="From"),
        pytest.param({"From": [ADA]}, "badFrom", id="somebody else"),
        pytest.param({"From": [{"Address": "bob@example.org"}]}, "badFrom", id="another account"),
        pytest.param({"From": [{"Address": "alice@off.example"}]}, "domainDisabled", id="disabled domain"),
        pytest.param({"To": None}, "noRecipients", id="no recipients"),
        pytest.param({"MessageID": "x@y"}, "malformedMessageID", id="message id"),
        pytest.param({"Subject": "a\nb"}, "user", id="control character"),
        pytest.param({"To": [{"Name": "a\rb", "Address": "a@dest.example"}]}, "user", id="control character in name"),
        pytest.param({"Headers": [["From", "x@y.example"]]}, "user", id="From again"),
        pytest.param({"Headers": [["X Y", "z"]]}, "user", id="no name of a field"),
        pytest.param({"AttachedFiles": [{"Data": "!!!!"}]}, "user", id="no base64"),
        pytest.param({"AttachedFiles": [{"Data": "YQ"}]}, "user", id="no padding"),
        pytest.param({"AttachedFiles": [{"Data": "YQ==" + "A" * 300_000}]}, "user", id="padding within"),
        pytest.param({"FutureRelease": "2026-12-31T12:00:01Z"}, "user", id="61 days"),
        pytest.param({"Extra": {"a": LONG}}, "user", id="too much extra"),
        pytest.param({"From": [{"Address": "alice@plain.example"}], "#login": "ids@example.org"}, "user", id="no separator"),
        pytest.param({"IdempotencyKey": "x" * 201}, "user", id="long key"),
        pytest.param({"AttachedFiles": {}}, "protocol", id="no list"),
    ],
)  # fmt: skip
async def test_codes(web, change, code):
    request = {**PLAIN, **change}
    login = (request.pop("#login", ALICE[0]), PASSWORD)
    assert (await web.call("Send", request, login=login)).code == code
    assert queue(web) == []


async def test_order_of_checks(web):
    request = {"From": [ADA, ADA], "To": [{"Address": "x"}]}
    assert (await web.call("Send", request)).code == "missingBody"
    request["Text"] = "x"
    assert (await web.call("Send", request)).code == "multipleFrom"
    request["From"] = [ADA]
    assert (await web.call("Send", request)).code == "badAddress"
    request["To"] = []
    assert (await web.call("Send", request)).code == "badFrom"
    request["From"] = []
    assert (await web.call("Send", request)).code == "noRecipients"


async def test_limits(web):
    def to(first, count):
        return {**PLAIN, "To": [{"Address": f"x{n}@dest.example"} for n in range(first, first + count)]}

    assert (await web.call("Send", to(0, 31))).code == "recipientLimitReached"
    assert (await web.call("Send", to(0, 30))).status == 200
    assert (await web.call("Send", to(0, 10))).status == 200
    assert (await web.call("Send", to(0, 1))).code == "messageLimitReached"
    web.app.clock.move(25 * 3600)
    assert (await web.call("Send", to(0, 1))).status == 200


async def test_too_large(web):
    body = {**PLAIN, "AttachedFiles": [{"Data": base64.b64encode(bytes(1_600_000)).decode()}]}
    headers = [("x-forwarded-for", "192.0.2.5")]
    content_type, octets = multipart(("request", b"", json.dumps(body).encode()))
    answer = await web.ask("POST", "/mailapi/v0/Send", body=octets, content_type=content_type, login=ALICE, port=81, headers=headers)  # fmt: skip
    assert answer.code == "messageTooLarge"
    assert queue(web) == []
    assert (await web.ask("POST", "/webapi/v0/Send", body=octets, content_type=content_type, login=ALICE)).status == 200


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.org",
        "ALICE@example.org",
        "alice+x@example.org",
        "team@example.org",
        "jos\u00e9@b\u00fccher.example",
    ],
)
async def test_addresses_it_may_use(web, address):
    answer = await web.call("Send", {**PLAIN, "From": [{"Name": "N", "Address": address}]})
    assert answer.status == 200, answer
    assert queue(web)[0].reverse_path == address
    assert queue(web)[0].smtputf8 == (not address.isascii())


async def test_domains_need_no_smtputf8(web):
    request = {**PLAIN, "To": [{"Name": "\u00dc", "Address": "x@b\u00fccher2.example"}], "Subject": "\u00fc"}
    await web.call("Send", request)
    (one,) = queue(web)
    assert not one.smtputf8
    domain = "b\u00fccher2.example".encode("idna")
    assert b"To: =?utf-8?b?w5w=?= <x@%b>\r\n" % domain in content(web, one)
    assert parsed(web)["subject"] == "\u00fc"


async def test_recipients_in_order(web):
    request = {
        **PLAIN,
        "To": [ADA, {"Address": "Ada@DEST.example"}],
        "CC": [{"Address": '"q u"@dest.example'}],
        "BCC": [{"Address": "hidden@dest.example"}, ADA],
    }
    answer = await web.call("Send", request)
    found = [one["Address"] for one in answer.json["Submissions"]]
    assert found == [
        "ada@dest.example",
        "Ada@DEST.example",
        '"q u"@dest.example',
        "hidden@dest.example",
        "ada@dest.example",
    ]
    assert answer.json["Submissions"][0] == answer.json["Submissions"][4]
    assert len(queue(web)) == 4
    assert not any(b"hidden" in content(web, one) for one in queue(web))
    assert len({one.queued for one in queue(web)}) == len({one.next_attempt for one in queue(web)}) == 1


async def test_ids_in_sender_addresses(web):
    request = {**PLAIN, "CC": [{"Address": "b@dest.example"}]}
    answer = await web.call("Send", request, login=("ids@example.org", PASSWORD))
    ids = [one["FromID"] for one in answer.json["Submissions"]]
    assert len(set(ids)) == 2
    assert all(len(base64.urlsafe_b64decode(one + "==")) == 16 for one in ids)
    assert [one.reverse_path for one in queue(web)] == [f"ids+{one}@example.org" for one in ids]
    assert parsed(web)["from"] == "Alice Example <ids@example.org>"


async def test_what_follows_a_separator_in_from_is_no_id(web):
    request = {**PLAIN, "From": [{"Address": "alice+shop@example.org"}]}
    answer = await web.call("Send", request, login=("ids@example.org", PASSWORD))
    (one,) = answer.json["Submissions"]
    assert len(one["FromID"]) == 22
    assert queue(web)[0].reverse_path == f"alice+{one['FromID']}@example.org"
    assert parsed(web)["from"] == "alice+shop@example.org"


async def test_everything(web):
    request = {
        **PLAIN,
        "HTML": "<b>Thanks</b>",
        "ReplyTo": [ADA],
        "MessageID": "<own@example.org>",
        "References": ["<a@x>", "<b@x>"],
        "Date": "2026-02-03T04:05:06+02:00",
        "Extra": {"Order": "17"},
        "Headers": [["X-Mailer", "shop 1"], ["X-Mox-Extra-Other", "o"]],
        "RequireTLS": True,
        "FutureRelease": "2026-12-30T12:00:00Z",
        "AlternativeFiles": [{"ContentType": "text/calendar", "Data": "YQ=="}],
        "InlineFiles": [{"Name": "l.png", "ContentID": "<logo>", "Data": base64.encodebytes(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode()}],
        "AttachedFiles": [{"Name": "\u00fc.bin", "Data": "AAE="}],
    }  # fmt: skip
    answer = await web.call("Send", request)
    assert answer.status == 200, answer
    (one,) = queue(web)
    assert answer.json["MessageID"] == one.message_id == "<own@example.org>"
    assert one.extra == {"Order": "17", "Other": "o"}
    assert one.requiretls is True
    assert one.next_attempt - one.queued == 59 * 24 * 3600 * 1_000_000
    assert one.future_release == "until;2026-12-30T12:00:00Z"
    found = parsed(web)
    assert found["date"] == "Tue, 03 Feb 2026 04:05:06 +0200"
    assert (found["in-reply-to"], found["references"]) == ("<b@x>", "<a@x> <b@x>")
    assert "User-Agent" not in found
    types = [part.get_content_type() for part in found.walk()]
    assert types == [
        "multipart/mixed", "multipart/related", "multipart/alternative",
        "text/plain", "text/html", "text/calendar", "image/png", "application/octet-stream",
    ]  # fmt: skip
    leaves = [part for part in found.walk() if not part.is_multipart()]
    assert [part.get_filename() for part in leaves] == [None, None, None, "l.png", "\u00fc.bin"]
    assert leaves[-1].get_payload(decode=True) == b"\x00\x01"


async def test_tls_not_required(web):
    await web.call("Send", {**PLAIN, "RequireTLS": False})
    assert queue(web)[0].requiretls is False
    assert parsed(web)["tls-required"] == "No"


async def test_a_release_in_the_past_is_now(web):
    await web.call("Send", {**PLAIN, "FutureRelease": "2020-01-01T00:00:00Z"})
    (one,) = queue(web)
    assert (one.next_attempt, one.future_release) == (one.queued, "")


async def test_files_of_a_form(web):
    png = b"\x89PNG\r\n\x1a\n" + bytes(300_000)
    request = {"To": [ADA], "HTML": "<img>", "AttachedFiles": [{"Name": "first", "Data": "YQ=="}]}
    content_type, body = multipart(
        ("attachedfile", b'; filename="terms.pdf"\r\nContent-Type: application/pdf', b"%PDF"),
        ("request", b"", json.dumps(request).encode()),
        ("inlinefile", b'; filename="logo.png"\r\nContent-ID: <logo>', png),
        ("alternativefile", b'; filename=""\r\nContent-Type: text/x-amp-html', b"amp"),
    )
    answer = await web.ask("POST", "/webapi/v0/Send", body=body, content_type=content_type, login=ALICE)
    assert answer.status == 200, answer
    leaves = [part for part in parsed(web).walk() if not part.is_multipart()]
    assert [(part.get_content_type(), part.get_filename(), part.get_content_disposition()) for part in leaves] == [
        ("text/html", None, None),
        ("text/x-amp-html", None, "inline"),
        ("image/png", "logo.png", "inline"),
        ("text/plain", "first", "attachment"),
        ("application/pdf", "terms.pdf", "attachment"),
    ]
    assert leaves[2].get_payload(decode=True) == png
    assert leaves[2]["content-id"] == "<logo>"
    assert list((web.app.config.snapshot().directory / "spool").iterdir()) == []


async def test_copy_in_sent(web):
    answer = await web.call(
        "Send", {**PLAIN, "BCC": [{"Name": "H", "Address": "hidden@dest.example"}], "SaveSent": True}
    )
    assert answer.status == 200, answer
    ((row, octets),) = sent(web)
    assert octets.startswith(b"Bcc: H <hidden@dest.example>\r\nReceived: ")
    assert octets.partition(b"\r\n")[2] == content(web, queue(web)[0])
    assert row.flags == 1 | 32
    assert row.body == queue(web)[0].body
    await web.call(
        "Send", {**PLAIN, "References": [answer.json["MessageID"]], "Subject": "Re: Order 17", "SaveSent": True}
    )
    assert sent(web)[1][0].thread == row.thread


async def test_without_a_mailbox_for_it_there_is_no_copy(web):
    with web.store.read() as tx:
        account = tx.account_id("alice")
        box = next(one for one in tx.mailboxes(account) if one.roles & Role.SENT)
    await web.store.write(mailbox.remove, account, box.id)
    assert (await web.call("Send", {**PLAIN, "SaveSent": True})).status == 200
    with web.store.read() as tx:
        assert [one.messages for one in tx.mailboxes(account) if one.messages] == []


async def test_over_quota(web):
    request = {**PLAIN, "Text": "x" * 3000, "SaveSent": True}
    assert (await web.call("Send", request, login=BOB)).code == "sentOverQuota"
    assert len(queue(web)) == 1
    assert sent(web, "bob") == []


async def test_idempotency(web):
    request = {**PLAIN, "IdempotencyKey": "order-17", "AttachedFiles": [{"Data": "YQ=="}]}
    first = await web.call("Send", request, login=("ids@example.org", PASSWORD))
    again = await web.call("Send", request, login=("ids@example.org", PASSWORD))
    assert (again.status, again.json) == (200, first.json)
    assert len(queue(web)) == 1
    assert (await web.call("Send", request)).code == "user"  # From is another address.
    for other in ({"Subject": "other"}, {"AttachedFiles": [{"Data": "Yg=="}]}, {"To": [{"Address": "x@dest.example"}]}):
        answer = await web.call("Send", {**request, **other}, login=("ids@example.org", PASSWORD))
        assert answer.code == "user"
    assert len(queue(web)) == 1
    assert (await web.call("Send", request, login=BOB)).status == 200  # Each account has keys of its own.
    web.app.clock.move(24 * 3600 + 1)
    assert (await web.call("Send", request)).json != first.json
    assert len(queue(web)) == 3


async def test_idempotency_of_calls_at_once(web):
    request = {**PLAIN, "IdempotencyKey": "k"}
    answers = []

    async def call():
        answers.append((await web.call("Send", request)).json)

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(call)
    assert len(queue(web)) == 1
    assert answers == [answers[0]] * 5


async def test_a_client_that_leaves_has_sent(web, monkeypatch):
    """Whoever is cancelled while the message is put together."""
    scope = trio.CancelScope()
    real = submit.submit

    async def leaving(*arguments, **named):
        scope.cancel()
        return await real(*arguments, **named)

    monkeypatch.setattr("appliance.operations.compose.submit.submit", leaving)
    with scope:
        await web.call("Send", PLAIN)
    assert len(queue(web)) == 1
