"""The webapi of a whole house, by programs that know HTTP and JSON alone, while a mail program looks on."""

import base64
import http.client
import imaplib
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from support import served
from support.webapihouse import multipart

WAIT_SECONDS = 60
#: More than all tests here make.
MOST_MESSAGES = 60


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    folder = tmp_path_factory.mktemp("house") / "local"
    ports = served.prepare(moxpy, folder)
    (folder.parent / "local.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    domains = folder / "domains.toml"
    ids = '[accounts.mox]\nfromid_login_addresses = ["mox+id@localhost"]\n'
    domains.write_text(domains.read_text().replace("[accounts.mox]\n", ids))
    with served.running(moxpy, folder) as house:
        yield house


def head(house: served.House, user: str = "") -> dict[str, str]:
    token = base64.b64encode(f"{user or house.user}:{house.password}".encode()).decode()
    return {"Authorization": f"Basic {token}", "Content-Type": "application/x-www-form-urlencoded"}


def call(house: served.House, method: str, request: Any, *, user: str = "", octets: bool = False) -> Any:
    """The answer of a call that must succeed."""
    client = http.client.HTTPConnection(house.host, house.http, timeout=60)
    body = urlencode({"request": json.dumps(request)})
    client.request("POST", f"/webapi/v0/{method}", body, head(house, user))
    answer = client.getresponse()
    content = answer.read()
    client.close()
    assert answer.status == 200, content
    return content if octets else json.loads(content)


def until(look: Callable[[], Any]) -> Any:
    """What is looked for, once it is there."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


def find(house: served.House, subject: str, mailbox: str = "Inbox") -> int:
    """The id of a message with a subject, once it is in a mailbox."""

    def look() -> int:
        for number in range(1, MOST_MESSAGES):
            client = http.client.HTTPConnection(house.host, house.http, timeout=60)
            body = urlencode({"request": json.dumps({"MsgID": number})})
            client.request("POST", "/webapi/v0/MessageGet", body, head(house))
            answer = client.getresponse()
            content = json.loads(answer.read())
            client.close()
            if answer.status == 200 and (content["Message"]["Subject"], content["Meta"]["MailboxName"]) == (
                subject,
                mailbox,
            ):
                return number
        return 0

    return int(until(look))


@pytest.mark.parametrize("name", ["a550", "rcptto551", "queuepermerror"])
def test_a_dead_address_is_suppressed(house, name):
    address = f"{name}@localhost"
    sent = call(house, "Send", {"To": [{"Address": address}], "Text": "x"}, user="mox+id@localhost")
    (one,) = sent["Submissions"]
    assert len(one["FromID"]) == 22
    until(lambda: call(house, "SuppressionPresent", {"EmailAddress": address})["Present"])
    entry = next(one for one in call(house, "SuppressionList", {})["Suppressions"] if one["OriginalAddress"] == address)
    assert not entry["Manual"]
    assert re.search(r"\b55[01]\b", entry["Reason"])
    call(house, "Send", {"To": [{"Address": address}], "Text": "x", "Subject": "again"})
    call(house, "SuppressionRemove", {"EmailAddress": address})
    assert not call(house, "SuppressionPresent", {"EmailAddress": address})["Present"]


def test_a_passing_failure_suppresses_nobody(house):
    call(house, "Send", {"To": [{"Address": "atemperror@localhost"}], "Text": "x", "Subject": "delayed"})
    call(house, "Send", {"To": [{"Address": "fine@localhost"}], "Text": "x", "Subject": "after it"})
    find(house, "after it")
    assert not call(house, "SuppressionPresent", {"EmailAddress": "atemperror@localhost"})["Present"]


def test_files_come_as_they_went(house):
    large = os.urandom(3_000_000)
    request = {"To": [{"Address": "x@localhost"}], "Subject": "files", "Text": "t", "HTML": "<p>h", "SaveSent": True}
    content_type, body = multipart(
        ("request", b"", json.dumps(request).encode()),
        ("inlinefile", b'; filename="logo.png"\r\nContent-Type: image/png\r\nContent-ID: <logo>', b"\x89PNG\r\n\x1a\n"),
        ("attachedfile", b'; filename="large.bin"', large),
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = http.client.HTTPSConnection(house.host, house.https, timeout=60, context=context)
    client.request("POST", "/webapi/v0/Send", body, {**head(house), "Content-Type": content_type})
    assert client.getresponse().read().startswith(b'{"MessageID":"<')
    client.close()
    number = find(house, "files")
    told = call(house, "MessageGet", {"MsgID": number})
    assert (told["Message"]["Text"], told["Message"]["HTML"]) == ("t\n", "<p>h\n")
    related, attached = told["Structure"]["Parts"]
    assert (attached["Filename"], attached["DecodedSize"]) == ("large.bin", len(large))
    assert related["Parts"][1]["ContentID"] == "<logo>"
    assert call(house, "MessagePartGet", {"MsgID": number, "PartPath": [1]}, octets=True) == large
    raw = call(house, "MessageRawGet", {"MsgID": number}, octets=True)
    assert len(raw) == told["Meta"]["Size"]
    assert b"\r\nSubject: files\r\n" in raw
    assert find(house, "files", "Sent") != number


def test_a_mail_program_hears_of_changes(house):
    call(house, "Send", {"To": [{"Address": "x@localhost"}], "Subject": "watched", "Text": "x"})
    number = find(house, "watched")
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login(house.user, house.password)
        client.select("Inbox")
        (found,) = client.search(None, "SUBJECT", "watched")[1]
        sequence = found.decode()
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+")

        def heard(wanted: str) -> None:
            while wanted not in client.readline().decode():
                pass

        call(house, "MessageFlagsAdd", {"MsgID": number, "Flags": ["\\flagged", "paid"]})
        heard(f"* {sequence} FETCH (")
        call(house, "MessageMove", {"MsgID": number, "DestMailboxName": "Archive"})
        heard(f"* {sequence} EXPUNGE")
        client.send(b"DONE\r\n")
        heard("i OK")
    assert call(house, "MessageGet", {"MsgID": number})["Meta"]["Flags"] == ["$notjunk", "\\flagged", "paid"]
    call(house, "MessageDelete", {"MsgID": number})


def test_a_client_that_does_not_wait_has_sent(house):
    body = urlencode(
        {"request": json.dumps({"To": [{"Address": "x@localhost"}], "Subject": "in a hurry", "Text": "x"})}
    )
    fields = "".join(f"{name}: {value}\r\n" for name, value in head(house).items())
    request = f"POST /webapi/v0/Send HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}"
    with socket.create_connection((house.host, house.http), timeout=60) as sock:
        sock.sendall(request.encode())
    find(house, "in a hurry")


def test_a_body_that_is_too_large_need_not_come(house):
    fields = "".join(f"{name}: {value}\r\n" for name, value in head(house).items())
    request = f"POST /webapi/v0/Send HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {400 << 20}\r\n\r\n"
    with socket.create_connection((house.host, house.http), timeout=60) as sock:
        sock.sendall(request.encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 413")


def test_calls_at_once(house):
    """Twenty programs send at once, all over one connection each; each message has a queue id of its own."""
    answers: list[Any] = []

    def send(number: int) -> None:
        answers.append(call(house, "Send", {"To": [{"Address": "x@localhost"}], "Subject": f"n{number}", "Text": "x"}))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({one["Submissions"][0]["QueueMsgID"] for one in answers}) == 20


def test_http2(house):
    data = 'request={"EmailAddress":"x@y.example"}'
    url = f"https://{house.host}:{house.https}/webapi/v0/SuppressionPresent"
    command = [
        "curl",
        "-sk",
        "--http2",
        "-u",
        f"{house.user}:{house.password}",
        "-d",
        data,
        "-w",
        " %{http_version}",
        url,
    ]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert done.stdout == b'{"Present":false}\n 2'
