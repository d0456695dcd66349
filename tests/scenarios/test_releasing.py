"""What a server for tests has caught is released to a real one, and to nobody but those its file allows."""

import http.client
import imaplib
import json
import re
import smtplib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import served

ALLOWED = "mox@localhost"
FILE = """\
allow = ["@localhost"]
[server]
host = "localhost"
port = {port}
from = "tests@shop.example"
tls = false
"""
BY_LOGIN = """\
allow = ["MOX@localhost"]
[server]
host = "localhost"
port = {port}
from = "mox@localhost"
tls = false
starttls = true
tls_insecure_skip_verify = true
username = "mox@localhost"
password = "{password}"
"""


@pytest.fixture(scope="module")
def near(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """Where programs under test send to."""
    with served.running(moxpy, tmp_path_factory.mktemp("near") / "local") as house:
        yield house


@pytest.fixture(scope="module")
def far(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    """The real server. It refuses an address as that asks for."""
    with served.running(moxpy, tmp_path_factory.mktemp("far") / "local") as house:
        yield house


def letter(mark: str) -> bytes:
    """Of octets that lesser hands change: dots, spaces at ends of lines, no text in any charset."""
    return (
        f"From: <mox@localhost>\r\nTo: <ann@elsewhere.example>\r\nSubject: {mark}\r\n"
        f"Message-ID: <{mark}@shop.example>\r\nX-Odd:   a\r\n\t b  \r\n\r\n.\r\n..dots\r\nends in spaces   \r\n\r\n"
    ).encode() + b"\xff\xfe caf\xe9\r\n"


def ask(house: served.House, method: str, path: str, body: object = None) -> tuple[int, object]:
    client = http.client.HTTPConnection(house.host, house.inbox, timeout=60)
    try:
        client.request(method, f"/inbox/{path}", None if body is None else json.dumps(body))
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        client.close()


def caught(house: served.House, octets: bytes) -> str:
    """A program sends; the id that the server for tests knows it by."""
    with smtplib.SMTP(house.host, house.smtp, timeout=60) as client:
        client.ehlo()
        client.sendmail("shop@shop.example", ["ann@elsewhere.example"], octets, ["BODY=8BITMIME"])
    subject = re.search(rb"Subject: (\S+)", octets)[1].decode()
    status, found = ask(house, "GET", f"wait?subject={subject}&timeout=60")
    assert (status, found["subject"]) == (200, subject)
    return found["id"]


def inbox(house: served.House, mark: str) -> list[bytes]:
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login(house.user, house.password)
        client.select("INBOX", readonly=True)
        numbers = client.search(None, "SUBJECT", mark)[1][0].split()
        return [client.fetch(one.decode(), "(BODY.PEEK[])")[1][0][1] for one in numbers]


def allow(near: served.House, text: str) -> None:
    assert near.log is not None
    (near.log.parent / "local" / "release.toml").write_text(text)


@pytest.mark.parametrize("file", [FILE, BY_LOGIN], ids=["port 25", "with a login"])
def test_released(near, far, file):
    mark = "plain" if file is FILE else "login"
    id = caught(near, letter(mark))
    allow(near, file.format(port=far.smtp if file is FILE else far.submission, password=far.password))
    assert ask(near, "POST", f"messages/{id}/release", {"to": [ALLOWED]}) == (200, {"to": [ALLOWED]})
    # It said so when it had a 250, so it comes: once, and nothing of what was added where it was caught.
    status, _ = ask(far, "GET", f"wait?subject={mark}&timeout=60")
    assert status == 200
    (came,) = inbox(far, mark)
    assert came.endswith(b"\r\n" + letter(mark))
    added = came.removesuffix(letter(mark))
    assert b"Delivered-To: mox@localhost\r\n" in added
    assert added.count(b"\r\nReceived: ") == 1
    assert b"elsewhere.example" not in added
    (kept,) = inbox(near, mark)
    assert kept.endswith(letter(mark)), "it stays where it was caught"


def test_not_released(near, far):
    id = caught(near, letter("kept"))
    allow(near, FILE.format(port=far.smtp))
    for to in (["ann@elsewhere.example"], [ALLOWED, "ann@elsewhere.example"], ["mox@localhost.evil.example"]):
        status, told = ask(near, "POST", f"messages/{id}/release", {"to": to})
        assert (status, "is not allowed" in told["error"]) == (403, True)
    assert inbox(far, "kept") == []


def test_what_the_server_says_against_it_is_told(near, far):
    id = caught(near, letter("refused"))
    allow(near, FILE.format(port=far.smtp))
    status, told = ask(near, "POST", f"messages/{id}/release", {"to": ["rcptto550@localhost"]})
    assert status == 409
    assert f"localhost port {far.smtp}: 550 " in told["error"]
    allow(near, BY_LOGIN.format(port=far.submission, password="not the password"))
    status, told = ask(near, "POST", f"messages/{id}/release", {"to": [ALLOWED]})
    wrong = f"localhost port {far.submission}: user name or password is wrong (invalid-proof)"
    assert (status, told["error"]) == (409, wrong)
    (nobody,) = served.free_ports(1)
    allow(near, FILE.format(port=nobody))
    status, told = ask(near, "POST", f"messages/{id}/release", {"to": [ALLOWED]})
    assert (status, f"localhost port {nobody}: " in told["error"]) == (409, True)
    assert inbox(far, "refused") == []
