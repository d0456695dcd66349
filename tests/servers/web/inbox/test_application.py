"""What scripts ask of a server for tests."""

import json
from email.message import EmailMessage
from email.policy import SMTP

import msgspec
import pytest
import trio

from appliance.operations import caught, handover
from appliance.operations.actor import OPERATOR, Actor
from appliance.operations.caught import Wanted
from appliance.servers.web.applications import applications
from appliance.servers.web.inbox import application
from appliance.servers.web.inbox.application import PREFIX, InboxApplication
from appliance.store import mailbox, message, objectid
from appliance.store.records import Origin
from support import webhouse
from support.quiet import settled
from support.stores import new_message


def letter(
    to: str = "bob@shop.example", subject: str = "Your code", text: str = "It is 482913.", page: str = ""
) -> bytes:
    made = EmailMessage()
    made["From"] = "Shop <shop@example.com>"
    made["To"] = to
    made["Subject"] = subject
    made.set_content(text)
    if page:
        made.add_alternative(page, "html")
    return made.as_bytes(policy=SMTP)


class Inbox:
    def __init__(self, house: webhouse.WebHouse, folder) -> None:
        self.house, self.folder = house, folder
        inbox = InboxApplication(house.app, webhouse.USER, folder)
        house.applications = applications(house.app, {PREFIX: inbox})
        self.browser = house.browser("webmail")

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> webhouse.Answer:
        octets = b"" if body is None else json.dumps(body).encode()
        return await self.browser.request(
            method, PREFIX + path, octets, {name.replace("_", "-"): value for name, value in headers.items()}
        )

    async def get(self, path: str):
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    async def catch(self, octets: bytes, to: str = "bob@shop.example", sender: str = "shop@example.com") -> str:
        store, account = self.house.app.store, self.house.number()
        with store.read() as tx:
            target = mailbox.by_name(tx, account, "Inbox")
        new = new_message(store, octets)
        new = msgspec.structs.replace(new, origin=Origin(rcpt_to=to, mail_from=sender))
        added = await store.write(message.add, account, target.id, new)
        return objectid.message(account, added.id)


@pytest.fixture
async def inbox(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield Inbox(house, tmp_path)


async def test_lists(inbox, autojump_clock):
    first = await inbox.catch(letter())
    second = await inbox.catch(letter("carol@shop.example", "Welcome"), "carol@shop.example")
    found = (await inbox.get("messages"))["messages"]
    assert [one["id"] for one in found] == [second, first]
    assert found[0]["rcptTo"] == "carol@shop.example"
    assert found[0]["from"] == [{"name": "Shop", "address": "shop@example.com"}]
    assert found[0]["subject"] == "Welcome"
    assert found[0]["unread"] is True
    assert [one["id"] for one in (await inbox.get("messages?limit=1"))["messages"]] == [second]
    assert (await inbox.get("addresses"))[1]["address"] == "bob@shop.example"
    assert (await inbox.get("addresses"))[1]["messages"] == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("to=BOB@", True),
        ("to=hidden@", True),  # In the envelope alone.
        ("to=nobody", False),
        ("from=shop@example", True),
        ("from=bounces@", True),
        ("from=bob", False),
        ("subject=your+code", True),
        ("subject=482913", False),
        ("text=482913", True),
        ("text=your+code", True),
        ("to=bob&subject=welcome", False),
        ("to=bob&subject=code&text=it+is", True),
    ],
)
async def test_conditions(inbox, query, found, autojump_clock):
    await inbox.catch(letter(), "hidden@shop.example", "bounces@example.com")
    assert bool((await inbox.get(f"messages?{query}"))["messages"]) is found


async def test_what_is_unknown_is_refused(inbox, autojump_clock):
    for path in ("messages?too=bob", "wait?timeout=x", "wait?timeout=1e9", "messages?limit=0", "messages?after=x"):
        answer = await inbox.ask("GET", path)
        assert answer.status == 400, path
        assert answer.json["error"]
    for method, path in (
        ("GET", "nothing"),
        ("GET", "messages/M1-999"),
        ("DELETE", "messages/M1-999"),
        ("GET", "messages/M9-1"),
    ):
        assert (await inbox.ask(method, path)).status == 404
    id = await inbox.catch(letter())
    assert (await inbox.ask("POST", f"messages/{id}")).status == 405
    assert (await inbox.ask("GET", f"messages/{id}/parts/7")).status == 404


async def test_other_sites_may_not_ask(inbox, autojump_clock):
    await inbox.catch(letter())
    for method in ("GET", "DELETE"):
        assert (await inbox.ask(method, "messages", sec_fetch_site="cross-site")).status == 403
        assert (await inbox.ask(method, "messages", sec_fetch_site="same-site")).status == 403
    assert len((await inbox.get("messages"))["messages"]) == 1


async def test_all_of_a_message(inbox, autojump_clock):
    page = '<p>It is <b>482913</b>. <a href="https://shop.example/v?a=1&amp;b=2">Go</a> <a href="javascript:x()">x</a>'
    id = await inbox.catch(letter(page=page))
    found = await inbox.get(f"messages/{id}")
    assert found["text"] == "It is 482913.\n"
    assert found["html"].strip() == page
    assert found["links"] == ["https://shop.example/v?a=1&b=2"]
    assert found["codes"] == ["482913"]
    assert ["Subject", "Your code"] in found["headers"]
    assert b"Subject: Your code\r\n" in (await inbox.ask("GET", f"messages/{id}/raw")).body
    assert b"482913" in (await inbox.ask("GET", f"messages/{id}/text")).body
    html = await inbox.ask("GET", f"messages/{id}/html")
    assert html.header("content-type") == "text/plain; charset=utf-8"
    assert html.header("content-security-policy").startswith("sandbox")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Your code: 1234", ["1234"]),
        ("123 456 is it", ["123 456"]),
        ("it costs 12.50 or 1,234", []),
        ("https://a.example/123456", []),
        ("order 123456789", []),
    ],
)
async def test_codes(inbox, text, codes, autojump_clock):
    id = await inbox.catch(letter(text=text))
    assert (await inbox.get(f"messages/{id}"))["codes"] == codes


async def test_attachments(inbox, autojump_clock):
    made = EmailMessage()
    made["From"] = "a@b.example"
    made.set_content("x")
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    id = await inbox.catch(made.as_bytes(policy=SMTP))
    (one,) = (await inbox.get(f"messages/{id}"))["attachments"]
    assert one == {"part": "2", "name": "a.pdf", "type": "application/pdf", "size": 4}
    assert (await inbox.ask("GET", f"messages/{id}/parts/{one['part']}")).body == b"%PDF"


async def test_hints(inbox, autojump_clock):
    id = await inbox.catch(letter(page="<script>1</script><p style='display:flex'>x"))
    hints = (await inbox.get(f"messages/{id}/check"))["hints"]
    assert hints[0]["id"] == "element-script"
    assert "style-display-flex" in {hint["id"] for hint in hints}
    plain = await inbox.catch(letter())
    assert (await inbox.get(f"messages/{plain}/check"))["hints"] == []


async def test_waiting(inbox):
    await inbox.catch(letter("old@shop.example"), "old@shop.example")
    async with trio.open_nursery() as nursery:
        answers: list[webhouse.Answer] = []

        async def wait() -> None:
            answers.append(await inbox.ask("GET", "wait?to=bob@&timeout=60"))

        nursery.start_soon(wait)
        await settled()
        assert not answers
        id = await inbox.catch(letter())
    assert answers[0].json["id"] == id
    # What is there already is found at once, unless only later ones are wanted.
    began = trio.current_time()
    assert (await inbox.get("wait?to=bob@&timeout=60"))["id"] == id
    assert trio.current_time() < began + 0.5
    assert (await inbox.ask("GET", f"wait?to=bob@&after={id}&timeout=0.1")).status == 404


async def test_not_too_many_wait(inbox, monkeypatch, autojump_clock):
    monkeypatch.setattr(application.limits, "INBOX_WAITS", 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.ask, "GET", "wait?to=bob&timeout=60")
        await settled()
        assert (await inbox.ask("GET", "wait?to=bob&timeout=60")).status == 429
        nursery.cancel_scope.cancel()
    assert (await inbox.ask("GET", "wait?to=bob&timeout=0")).status == 404


async def test_clearing(inbox, autojump_clock):
    first = await inbox.catch(letter())
    await inbox.catch(letter("carol@shop.example"), "carol@shop.example")
    third = await inbox.catch(letter("carol@shop.example"), "carol@shop.example")
    assert (await inbox.ask("DELETE", "messages?to=carol")).json == {"removed": 2}
    assert [one["id"] for one in (await inbox.get("messages"))["messages"]] == [first]
    assert (await inbox.ask("DELETE", f"messages/{first}")).json == {"removed": 1}
    assert (await inbox.ask("DELETE", f"messages/{third}")).status == 404
    await inbox.catch(letter())
    assert (await inbox.ask("DELETE", "messages")).json == {"removed": 1}


async def test_only_the_latest_stay(inbox, autojump_clock):
    app, account = inbox.house.app, inbox.house.number()
    actor = Actor(account, "alice", webhouse.USER, OPERATOR)
    for _ in range(7):
        await inbox.catch(letter())

    async def ids(wanted: list[int]) -> list[int]:
        """Those that are there, as soon as they are the ones wanted, and after a while anyhow."""
        for _ in range(200):
            found = await trio.to_thread.run_sync(caught.find, app.store, actor, Wanted(), 100)
            if [one.id for one in found] == wanted:
                break
            await trio.sleep(0.5)
        return [one.id for one in found]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(caught.keep_latest, app, actor, 5)
        assert await ids([7, 6, 5, 4, 3]) == [7, 6, 5, 4, 3]
        await inbox.catch(letter())
        assert await ids([8, 7, 6, 5, 4]) == [8, 7, 6, 5, 4]
        nursery.cancel_scope.cancel()


RELEASE = """\
allow = ["me@example.org", "@team.example"]
[server]
host = "mail.example.org"
tls = false
from = "tests@example.org"
"""


async def test_nothing_is_released_unless_allowed(inbox, monkeypatch, autojump_clock):
    sent = []

    async def submit(means, recipients, octets):
        sent.append((str(means.file.from_), [str(one) for one in recipients], octets))

    monkeypatch.setattr(handover, "submit", submit)
    id = await inbox.catch(letter())
    answer = await inbox.ask("POST", f"messages/{id}/release", {"to": ["me@example.org"]})
    assert answer.status == 409
    assert "release.toml" in answer.json["error"]
    assert (await inbox.get("release"))["allow"] == []
    (inbox.folder / "release.toml").write_text(RELEASE)
    assert (await inbox.get("release")) == {
        "allow": ["me@example.org", "@team.example"],
        "host": "mail.example.org",
        "problem": "",
    }
    for to in (
        ["you@example.org"],
        ["me@example.org", "x@other.example"],
        ["me@xteam.example"],
        ["me@example.org.evil.example"],
    ):
        assert (await inbox.ask("POST", f"messages/{id}/release", {"to": to})).status == 403, to
    for body in ({}, {"to": "me@example.org"}, {"to": []}, {"to": ["x"]}, {"to": ["me@example.org"], "host": "x"}):
        assert (await inbox.ask("POST", f"messages/{id}/release", body)).status == 400, body
    assert sent == []
    assert (
        await inbox.ask("POST", f"messages/{id}/release", {"to": ["ME@example.org", "x@team.example"]})
    ).status == 200
    assert sent == [("tests@example.org", ["ME@example.org", "x@team.example"], letter())]


async def test_a_bad_file_is_told_without_secrets(inbox, autojump_clock):
    (inbox.folder / "release.toml").write_text(RELEASE + 'password = "hush"\n')
    id = await inbox.catch(letter())
    answer = await inbox.ask("POST", f"messages/{id}/release", {"to": ["me@example.org"]})
    assert answer.status == 409
    assert "username" in answer.json["error"]
    assert "hush" not in answer.json["error"]
