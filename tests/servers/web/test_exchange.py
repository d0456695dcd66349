"""Archives that are uploaded and imported, exports that are downloaded: by account pages."""

import io
import json
import tarfile
from urllib.parse import urlencode

import pytest
import trio

from appliance.base import limits
from appliance.operations.importing import jobs
from appliance.servers.web.account import exchange
from appliance.store import mailbox, message
from support import webhouse
from support.stores import new_message
from support.webhouse import Stream


@pytest.fixture
async def house(tmp_path, nursery):
    async with webhouse.open_house(tmp_path) as house:
        nursery.start_soon(house.app.background.keep)
        yield house
        nursery.cancel_scope.cancel()


def archive(*names: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name in names:
            octets = f"Subject: {name}\n\nhello\n".encode()
            info = tarfile.TarInfo(name)
            info.size = len(octets)
            tar.addfile(info, io.BytesIO(octets))
    return content.getvalue()


def form(octets: bytes, prefix: str = "") -> tuple[bytes, dict[str, str]]:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="skipMailboxPrefix"\r\n\r\n' + prefix.encode() + b"\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="../x.tgz"\r\n\r\n' + octets + b"\r\n--b--\r\n"
    )
    return body, {"content-type": "multipart/form-data; boundary=b"}


async def upload(browser, octets: bytes, prefix: str = "", **more: str):
    body, headers = form(octets, prefix)
    return await browser.request("POST", "import", body, {**headers, "x-mox-csrf": browser.csrf, **more})


async def progress(browser, token: str) -> Stream:
    stream = Stream()
    await browser.request("GET", f"importprogress?token={token}", answer=stream.answer)
    return stream


def count(house, name: str) -> int:
    with house.app.store.read() as tx:
        found = mailbox.find(tx, house.number(), name)
        return -1 if found is None else found.messages


def files(house) -> list[str]:
    return [one.name for one in house.app.store.spool_folder.iterdir()]


async def test_import(house):
    browser = await house.logged_in()
    answer = await upload(browser, archive("Maildir/.Lists/cur/1.x:2,S", "Maildir/new/2.x", "Maildir/notes"), "Maildir")
    assert answer.status == 200, answer.body
    stream = await progress(browser, answer.json["Token"])
    assert stream.events == [
        ("step", {"Title": "importing"}),
        ("problem", {"Message": "Maildir/notes is no mail and is left out"}),
        ("count", {"Mailbox": "Lists", "Count": 1}),
        ("count", {"Mailbox": "Inbox", "Count": 1}),
        ("done", {"Added": 2, "Duplicates": 0, "LeftOut": 1}),
    ]
    assert (count(house, "Lists"), count(house, "Inbox")) == (1, 1)
    assert files(house) == []
    # It is told once more, to its owner.
    assert (await progress(browser, answer.json["Token"])).kinds[-1] == "done"
    other = house.browser()
    await other.log_in(user="bob@example.org")
    assert (await progress(other, answer.json["Token"])).answer.status == 404


async def test_abort(house, monkeypatch):
    browser = await house.logged_in()
    begun = trio.Event()

    async def wait(self, told):
        begun.set()
        await trio.sleep_forever()

    monkeypatch.setattr(jobs.Job, "hear", wait)
    token = (await upload(browser, archive("New/cur/1.x", "notes"))).json["Token"]
    await begun.wait()
    refused = await upload(browser, archive("New/cur/1.x"))
    assert (refused.status, b"under way" in refused.body) == (400, True)
    assert (await browser.call("ImportAbort", "wrong")).code == "user:error"
    assert (await browser.call("ImportAbort", token)).result is None
    stream = await progress(browser, token)
    assert stream.events[-1] == ("aborted", {"Message": "aborted"})
    assert count(house, "New") == -1
    assert files(house) == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(form(b"x")[0], {"x-mox-csrf": "wrong"}, 403, id="forged"),
        pytest.param(form(b"x")[0], {"sec-fetch-site": "cross-site"}, 403, id="from another site"),
        pytest.param(form(b"")[0], {}, 400, id="empty"),
        pytest.param(form(b"x")[0][:-5], {}, 400, id="cut"),
        pytest.param(b"hello", {"content-type": "text/plain"}, 400, id="no form"),
        pytest.param(form(b"x", "x" * 5000)[0], {}, 400, id="long prefix"),
    ],
)
async def test_bad_uploads(house, monkeypatch, body, headers, status):
    monkeypatch.setattr("appliance.servers.web.login.WRONG_SECONDS", 0)
    browser = await house.logged_in()
    sent = {"content-type": "multipart/form-data; boundary=b", "x-mox-csrf": browser.csrf, **headers}
    assert (await browser.request("POST", "import", body, sent)).status == status
    assert files(house) == []


async def test_no_archive(house):
    browser = await house.logged_in()
    token = (await upload(browser, b"hello")).json["Token"]
    stream = await progress(browser, token)
    assert stream.events[-1] == ("aborted", {"Message": "the file is neither zip, tar nor tgz"})


async def test_a_full_disk(house, monkeypatch):
    browser = await house.logged_in()
    monkeypatch.setattr(exchange, "_LOOK_OCTETS", 1)
    monkeypatch.setattr(limits, "IMPORT_FREE_OCTETS", 1 << 60)
    assert (await upload(browser, archive("x"))).status == 507
    assert files(house) == []


async def add(house, name: str = "Inbox") -> None:
    with house.app.store.read() as tx:
        box = mailbox.by_name(tx, house.number(), name)
    await house.app.store.write(message.add, house.number(), box.id, new_message(house.app.store))


async def export(browser, **fields: str):
    body = urlencode({"csrf": browser.csrf, **fields}).encode()
    return await browser.request("POST", "export", body, {"content-type": "application/x-www-form-urlencoded"})


async def test_export(house):
    browser = await house.logged_in()
    await add(house)
    answer = await export(browser, format="maildir", archive="tgz", mailbox="Inbox", recursive="on")
    assert answer.header("content-type") == "application/gzip"
    assert answer.header("content-disposition").startswith('attachment; filename="mailexport-Inbox-2026')
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        assert next(one.name for one in tar if one.isfile()).startswith("Inbox/new/")
    one = await export(browser, format="mbox", archive="none", messageids="1")
    assert one.body.endswith(b"\nSubject: hi\n\nhello\n\n")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"format": "mbox", "archive": "rar"}, 400, id="archive"),
        pytest.param({"format": "mbox", "archive": "none"}, 400, id="all as one file"),
        pytest.param({"format": "maildir", "archive": "none", "mailbox": "Inbox"}, 400, id="a Maildir as a file"),
        pytest.param({"format": "mbox", "archive": "zip", "mailbox": "Nothing"}, 400, id="no such mailbox"),
        pytest.param({"format": "mbox", "archive": "zip", "messageids": "9"}, 400, id="no such message"),
        pytest.param({"format": "mbox", "archive": "zip", "messageids": "x"}, 400, id="no number"),
        pytest.param({"format": "mbox", "archive": "zip", "csrf": ""}, 403, id="no token"),
        pytest.param({str(number): "x" for number in range(30)}, 403, id="many fields"),
    ],
)
async def test_bad_exports(house, fields, status):
    browser = await house.logged_in()
    assert (await export(browser, **fields)).status == status


async def test_the_token_of_the_answer_is_no_secret_of_others(house):
    browser = await house.logged_in()
    stranger = house.browser()
    body, headers = form(archive("x"))
    assert (await stranger.request("POST", "import", body, {**headers, "x-mox-csrf": "x"})).status == 403
    assert (await stranger.request("GET", "importprogress?token=x")).status == 403
    assert (await progress(browser, "x")).answer.status == 404
    assert json.loads((await upload(browser, archive("a/cur/1"))).body).keys() == {"Token"}
