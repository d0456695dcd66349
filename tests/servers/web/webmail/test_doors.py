"""One message as documents, parts, source and archive: who may have it, and what is sent with it."""

import email
import io
import zipfile
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest

from appliance.operations import messages as verbs
from appliance.operations.actor import Actor
from appliance.store import mailbox, message, objectid
from support import hostilehtml, webhouse
from support.stores import new_message

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def letter() -> bytes:
    made = EmailMessage()
    made["From"] = "Søren <soren@example.net>"
    made["To"] = "Alice <alice@example.org>"
    made["Subject"] = "Hej <b>Alice</b>"
    made["Date"] = "Thu, 26 Nov 2026 10:00:00 +0100"
    made.set_content("Plain text\n> quoted http://a.example/\n")
    made.add_alternative(
        '<body bgcolor="#eee"><p onclick="x()">HTML <img src="cid:p@x"><img src="http://t.example/i">', "html"
    )
    made.get_payload()[1].add_related(PNG, "image", "png", cid="<p@x>")
    made.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="größe/../bill.pdf")
    made.add_attachment("one\r\n", filename="bill.pdf")
    made.add_attachment(b"<script>1</script>", maintype="text", subtype="html", filename="x.html")
    return made.as_bytes(policy=SMTP)


class Mail:
    def __init__(self, house: webhouse.WebHouse, browser: webhouse.Browser) -> None:
        self.house, self.browser = house, browser

    async def add(self, octets: bytes, name: str = "alice") -> str:
        store, account = self.house.app.store, self.house.number(name)
        with store.read() as tx:
            target = mailbox.by_name(tx, account, "Inbox")
        added = await store.write(message.add, account, target.id, new_message(store, octets))
        return objectid.message(account, added.id)

    async def get(self, path: str, **headers: str) -> webhouse.Answer:
        return await self.browser.request(
            "GET", f"msg/{path}", headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


@pytest.fixture
async def mail(house):
    return Mail(house, await house.logged_in("webmail"))


async def test_bodies(mail, autojump_clock):
    id = await mail.add(letter())
    plain = await mail.get(f"{id}/text")
    assert plain.status == 200
    assert b'<div class="quote1">&gt; quoted <a href="http://a.example/"' in plain.body
    assert b"HTML" not in plain.body
    html = await mail.get(f"{id}/html")
    assert b'<body bgcolor="#eee"><p>HTML <img src="data:image/png;base64,' in html.body
    assert b"t.example" not in html.body
    assert b"onclick" not in html.body
    external = await mail.get(f"{id}/htmlexternal")
    assert b'<img src="http://t.example/i">' in external.body


async def test_policies(mail, autojump_clock):
    id = await mail.add(letter())
    for what in ("text", "html", "msgtext", "msghtml"):
        policy = (await mail.get(f"{id}/{what}")).header("content-security-policy")
        assert "sandbox allow-popups" in policy
        assert "allow-scripts" not in policy
        assert "allow-same-origin" not in policy
        assert "default-src 'none'" in policy
        assert "http" not in policy
    for what in ("htmlexternal", "msghtmlexternal"):
        policy = (await mail.get(f"{id}/{what}")).header("content-security-policy")
        assert "script" not in policy
        assert "img-src data: http: https:" in policy
    for what in ("raw", "view/2", "viewtext/1.1", "download/2", "text", "html"):
        answer = await mail.get(f"{id}/{what}")
        assert answer.status == 200, what
        assert answer.header("cache-control") == "no-store"
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("x-frame-options") == "SAMEORIGIN"
        assert "frame-ancestors 'self'" in answer.header("content-security-policy")


async def test_pages(mail, autojump_clock):
    id = await mail.add(letter())
    page = await mail.get(f"{id}/msghtml")
    assert "<th>From</th><td>Søren &lt;soren@example.net&gt;</td>".encode() in page.body
    assert b"<th>Subject</th><td>Hej &lt;b&gt;Alice&lt;/b&gt;</td>" in page.body
    assert b'<template shadowrootmode="open">' in page.body
    assert b"<th>Attached</th><td>bill.pdf, bill.pdf, x.html</td>" in page.body


async def test_themes(mail, autojump_clock):
    id = await mail.add(letter())
    assert b"prefers-color-scheme" in (await mail.get(f"{id}/text")).body
    dark = (await mail.get(f"{id}/text?theme=dark")).body
    assert b"prefers-color-scheme" not in dark
    assert b"#16181c" in dark
    assert b"#16181c" not in (await mail.get(f"{id}/text?theme=light")).body


async def test_source(mail, autojump_clock):
    octets = letter()
    id = await mail.add(octets)
    shown = await mail.get(f"{id}/raw")
    assert shown.body == octets
    assert shown.header("content-type") == "text/plain; charset=utf-8"
    kept = await mail.get(f"{id}/rawdl")
    assert kept.body == octets
    assert kept.header("content-type") == "message/rfc822"
    assert kept.header("content-disposition").startswith(f'attachment; filename="email-{id}-')
    international = await mail.add("Subject: grüße\r\n\r\nx\r\n".encode())
    assert (await mail.get(f"{international}/rawdl")).header("content-type") == "message/global"


async def test_parts(mail, autojump_clock):
    id = await mail.add(letter())
    pdf = await mail.get(f"{id}/view/2")
    assert pdf.body == b"%PDF-1.4"
    assert pdf.header("content-disposition") == 'inline; filename="bill.pdf"'
    assert (await mail.get(f"{id}/download/2")).header("content-disposition").startswith("attachment")
    picture = await mail.get(f"{id}/view/1.2.2")
    assert picture.body == PNG
    assert picture.header("content-type") == "image/png"
    # HTML of strangers is never a document of ours.
    html = await mail.get(f"{id}/view/4")
    assert html.header("content-disposition").startswith("attachment")
    assert "sandbox" in html.header("content-security-policy")
    as_text = await mail.get(f"{id}/viewtext/4")
    assert as_text.body == b"<script>1</script>"
    assert as_text.header("content-type") == "text/plain; charset=utf-8"
    assert (await mail.get(f"{id}/view/0")).body == (await mail.get(f"{id}/raw")).body


async def test_archive(mail, autojump_clock):
    id = await mail.add(letter())
    answer = await mail.get(f"{id}/attachments.zip")
    assert answer.header("content-type") == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.namelist() == ["image.png", "bill.pdf", "bill-2.pdf", "x.html"]
        assert archive.read("bill.pdf") == b"%PDF-1.4"
        assert archive.read("x.html") == b"<script>1</script>"


async def test_who_may(mail, house, autojump_clock):
    id = await mail.add(letter())
    theirs = await mail.add(letter(), "bob")
    assert (await mail.get(f"{theirs}/html")).status == 404
    number = house.number("bob")
    assert (await mail.get(f"M{number}-1/html")).status == 404
    stranger = house.browser("webmail")
    assert (await stranger.request("GET", f"msg/{id}/html")).status == 403
    assert (await mail.get(f"{id}/html", sec_fetch_site="cross-site")).status == 403
    account = await house.logged_in("account")
    stranger.cookies = account.cookies
    assert (await stranger.request("GET", f"msg/{id}/html")).status == 403


@pytest.mark.parametrize(
    "path",
    ["", "x", "M1-999999/html", "{}/nothing", "{}/view", "{}/view/9", "{}/view/1.1.1.1", "{}/html/1", "{}/view/x", "{}/", "F1-1/html",
     "{}/view/" + ".".join("1" * 200), "{}/msgraw"],
)  # fmt: skip
async def test_what_is_not_there(mail, path, autojump_clock):
    id = await mail.add(letter())
    answer = await mail.get(path.format(id))
    assert answer.status == 404


async def test_removed_messages_are_gone(mail, house, autojump_clock):
    id = await mail.add(letter())
    account = house.number()
    number = objectid.parse("M", account, id)
    assert number is not None
    await verbs.delete(house.app, Actor(account, "alice", "alice@example.org"), number)
    assert (await mail.get(f"{id}/html")).status == 404


async def test_hostile_letters(mail, autojump_clock):
    """Nothing of them is left that could run or fetch; a browser looks at all of it in tests/pages."""
    for name, octets in hostilehtml.messages():
        id = await mail.add(octets)
        for what in ("html", "msghtml", "text"):
            answer = await mail.get(f"{id}/{what}")
            assert answer.status == 200, name
            low = answer.body.lower()
            assert b"<script" not in low, name
            assert b"<iframe" not in low, name
            fetched = [
                one for one in (b'src="http', b"src=http", b"url(", b"<link", b"<base", b"http-equiv") if one in low
            ]
            assert not fetched, name
        for part in email.message_from_bytes(octets, policy=default).iter_attachments():
            assert part.get_filename()
        assert (await mail.get(f"{id}/attachments.zip")).status == 200
