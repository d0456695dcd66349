"""What operators do with the queue, and ask about mail that was refused, against a server that runs."""

import email
import imaplib
import io
import json
import re
import shlex
import smtplib
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run
from appliance.store.store import verify_folder
from support import served


class Server:
    def __init__(self, folder: Path, house: served.House) -> None:
        self.folder, self.house = folder, house
        deadline = time.monotonic() + 120
        while True:  # The control socket opens after the ports.
            with socket.socket(socket.AF_UNIX) as sock:
                if sock.connect_ex(str(folder / "ctl")) == 0:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def __call__(self, capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str, str]:
        old, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(b""))
        head, dashes, tail = words.partition(" -- ")
        try:
            code = run(
                ["moxpy", *shlex.split(head), "--config", str(self.folder / "moxpy.toml"), *shlex.split(dashes + tail)]
            )
        finally:
            sys.stdin = old
        said = capsys.readouterr()
        return code, said.out, said.err

    def ok(self, capsys: pytest.CaptureFixture[str], words: str) -> str:
        code, out, err = self(capsys, words)
        assert (code, err) == (OK, ""), words
        return out

    def listed(self, capsys: pytest.CaptureFixture[str], words: str = "") -> list[dict[str, object]]:
        return json.loads(self.ok(capsys, f"queue list --json {words}"))

    def submit(self, *to: str, subject: str = "hi", hold_seconds: int = 0) -> None:
        with smtplib.SMTP(self.house.host, self.house.submission, timeout=60) as client:
            client.login(self.house.user, self.house.password)
            message = f"From: mox@localhost\r\nSubject: {subject}\r\n\r\nhello\r\n".encode()
            options = [f"HOLDFOR={hold_seconds}"] if hold_seconds else []
            client.sendmail("mox@localhost", to, message, options)

    def inbox(self, subject: str, count: int) -> list[bytes]:
        """Messages of the Inbox with a subject, once there are so many."""
        deadline = time.monotonic() + 120
        with imaplib.IMAP4(self.house.host, self.house.imap, timeout=60) as client:
            client.login(self.house.user, self.house.password)
            client.select("INBOX")
            while True:
                numbers = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
                if len(numbers) >= count or time.monotonic() > deadline:
                    return [client.fetch(number.decode(), "BODY.PEEK[]")[1][0][1] for number in numbers]
                client.noop()


@pytest.fixture(scope="module")
def server(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("queue") / "house"
    ports = served.prepare(moxpy, folder)
    (folder.parent / f"{folder.name}.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    config = folder / "moxpy.toml"
    config.write_text(config.read_text() + "\n[transports.out.direct]\n")
    with served.running(moxpy, folder) as house:
        yield Server(folder, house)
        verified = verify_folder(folder)
    assert verified == []


@pytest.fixture
def empty(server, capsys):
    """The server, with nothing in its queue and no rules before and after."""
    yield server
    for rule in json.loads(server.ok(capsys, "queue holdrules list --json")):
        server.ok(capsys, f"queue holdrules remove {rule['id']}")
    server.ok(capsys, "queue drop --all")
    assert server.listed(capsys) == []


def test_hold_rules(empty, capsys):
    server = empty
    assert server.ok(capsys, "queue holdrules list") == "(none)\n"
    server.submit("a@x.example", "b@y.example", hold_seconds=3600)
    added = server.ok(capsys, "queue holdrules add -account mox -senderdom LOCALHOST --recipientdom x.example")
    number = int(re.fullmatch(r"added hold rule (\d+)\n", added)[1])
    expected = f'hold rules:\nid {number}: account "mox", sender domain "localhost", recipient domain "x.example"\n'
    assert server.ok(capsys, "queue holdrules list") == expected
    assert {one["to"]: one["hold"] for one in server.listed(capsys)} == {"a@x.example": True, "b@y.example": False}
    server.submit("c@x.example")
    assert [one["to"] for one in server.listed(capsys, "--hold true --sort queued --asc")] == [
        "a@x.example",
        "c@x.example",
    ]
    removed = server.ok(capsys, f"queue holdrules remove {number}")
    assert removed == f"removed hold rule {number}; what is on hold stays so: moxpy queue unhold\n"
    assert len(server.listed(capsys, "--hold=true")) == 2
    everything = server.ok(capsys, "queue holdrules add -senderdom= -recipientdom ''").split()[-1]
    assert f"id {everything}: all messages\n" in server.ok(capsys, "queue holdrules list")
    assert len(server.listed(capsys, "--hold=true")) == 3


def test_held_messages_are_seen_changed_and_let_go(empty, capsys):
    server = empty
    server.ok(capsys, "queue holdrules add --recipientdom x.example")
    server.submit("a@x.example", "b@x.example", subject="let go")
    first, second = server.listed(capsys, "--sort queued --asc")
    rows = server.ok(capsys, "queue list --sort queued").splitlines()
    assert rows[0] == "messages:"
    row = rf"{second['id']} \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ from:<mox@localhost> to:<b@x.example> next on hold"
    assert re.fullmatch(row, rows[1])
    assert [int(row.split()[0]) for row in rows[1:]] == [second["id"], first["id"]]

    dumped = server.ok(capsys, f"queue dump {first['id']}")
    assert dumped.startswith("Received: ")
    assert dumped.endswith("\r\n\r\nhello\r\n")
    assert len(dumped) == first["size"]

    assert server.ok(capsys, "queue schedule --to b@ --now 1h") == "1 messages changed\n"
    assert server.ok(capsys, "queue schedule -to b@ -- -30m") == "1 messages changed\n"
    assert server.ok(capsys, "queue schedule --to nobody 1h") == "0 messages changed\n"
    (b,) = server.listed(capsys, '--nextattempt ">29m" --submitted "<now" --submitted ">-5m"')
    assert b["to"] == "b@x.example"
    assert b["next_attempt_microseconds"] / 1e6 - time.time() == pytest.approx(1800, abs=30)
    assert [one["to"] for one in server.listed(capsys, "--nextattempt '<now'")] == ["a@x.example"]
    assert server.listed(capsys, "--nextattempt '<now' --to b@") == []  # All must match.

    code, _, err = server(capsys, "queue transport --all-of-them nowhere")
    assert (code, "unknown flag" in err) == (USAGE, True)
    assert server(capsys, "queue transport nowhere")[::2] == (
        FAILED,
        "error: there is no transport 'nowhere'; there are: out\n",
    )
    assert server.ok(capsys, f"queue transport -ids {first['id']},{second['id']} -n 1 out") == "1 messages changed\n"
    assert [one["transport"] for one in server.listed(capsys)] == ["out", None]  # The same order as lists.
    assert len(server.listed(capsys, "--transport ''")) == 1
    assert server.ok(capsys, "queue transport --transport out ''") == "1 messages changed\n"
    for word, value in (("yes", True), ("no", False), ("default", None)):
        assert server.ok(capsys, f"queue requiretls --from mox@ {word}") == "2 messages changed\n"
        assert [one["requiretls"] for one in server.listed(capsys)] == [value, value]
    assert server(capsys, "queue requiretls maybe")[::2] == (
        FAILED,
        "error: the argument must be one of: yes, no, default\n",
    )

    assert server.ok(capsys, "queue unhold --account mox") == "2 messages changed\n"
    assert server.ok(capsys, "queue hold --to b@") == "1 messages changed\n"
    (one,) = server.inbox("let go", 1)
    assert b"a@x.example" in one
    assert [one["to"] for one in server.listed(capsys)] == ["b@x.example"]
    assert server.ok(capsys, "queue schedule --now 0s") == "1 messages changed\n"
    assert server.ok(capsys, "queue unhold") == "1 messages changed\n"
    assert len(server.inbox("let go", 2)) == 2


def test_failed_and_dropped(empty, capsys):
    server = empty
    server.ok(capsys, "queue holdrules add")
    server.submit("a@x.example", "b@x.example", "c@y.example", subject="given up")
    server.submit("d@y.example")
    a, b, c, d = (one["id"] for one in server.listed(capsys, "--sort queued --asc"))
    for verb in ("fail", "drop"):
        code, out, err = server(capsys, f"queue {verb}")
        assert (code, out) == (USAGE, "")
        assert f"give a filter, or --all to {verb} all messages in the queue" in err
    assert server.ok(capsys, "queue fail --to @x.example") == "2 messages failed\n"
    (raw,) = server.inbox("Mail delivery failed", 1)
    notice = email.message_from_bytes(raw)
    text, status, _ = notice.get_payload()
    body = text.get_payload(decode=True).decode()
    assert "a@x.example\n    The administrator of this server canceled the delivery." in body.replace("\r\n", "\n")
    groups = status.get_payload()
    assert [one["Final-Recipient"] for one in groups[1:]] == ["rfc822; a@x.example", "rfc822; b@x.example"]
    told = {(one["Action"], one["Status"], one["Diagnostic-Code"]) for one in groups[1:]}
    assert told == {("failed", "5.7.1 (The administrator of this server canceled the delivery.)", None)}
    assert server.ok(capsys, f"queue drop --ids {c}") == "1 messages dropped\n"
    assert server.ok(capsys, f"queue drop --ids {c}") == "0 messages dropped\n"
    assert [one["id"] for one in server.listed(capsys)] == [d]
    assert len(server.inbox("Mail delivery failed", 1)) == 1

    retired = json.loads(server.ok(capsys, f"queue retired list --json --ids {a},{b},{c} --sort queued --asc"))
    assert [(one["id"], one["success"]) for one in retired] == [(a, False), (b, False), (c, False)]
    assert {one["results"][-1]["text"] for one in retired} == {"canceled by admin"}
    rows = server.ok(capsys, "queue retired list --result failure -n 1 --lastactivity '>-1h'").splitlines()
    assert re.fullmatch(
        rf"{c} \S+ from:<mox@localhost> to:<c@y.example> failure (now|-\d+s) error \"canceled by admin\"", rows[1]
    )
    printed = server.ok(capsys, f"queue retired print {c}")
    assert printed.startswith('{\n\t"id": ')
    assert json.loads(printed)["keep_until_microseconds"] > time.time() * 1e6
    assert server(capsys, "queue retired print 99999")[::2] == (FAILED, "error: there is no retired message 99999\n")
    assert server(capsys, f"queue dump {c}")[::2] == (FAILED, f"error: there is no message {c} in the queue\n")


def test_suppression_list(server, capsys):
    dialogue = [
        ("queue suppress list", OK, r""),
        ("queue suppress lookup a@x.example", OK, r"not present\n"),
        ("queue suppress add mox A.b+c@x.example --reason 'he\tasked'", OK, r""),
        (
            "queue suppress add mox ab@x.example",
            FAILED,
            "ab@x.example is in the suppression list already, as ab@x.example",
        ),
        ("queue suppress add nobody ab@x.example", FAILED, "no account 'nobody'"),
        ("queue suppress add mox x.example", FAILED, "'x.example' is not an address: path has no domain"),
        ("queue suppress list", OK, r'mox\tA.b\+c@x.example\tYes\t\S+Z\tab@x.example\t"he\\tasked"\n'),
        ("queue suppress list --account nobody", FAILED, "no account 'nobody'"),
        (
            "queue suppress lookup --account mox AB-x@X.example",
            OK,
            r"present\naccount mox, added \S+Z, manual Yes, base address ab@x.example, reason .*\n",
        ),
        ("queue suppress remove mox a.b@x.example", OK, r""),
        ("queue suppress remove mox a.b@x.example", FAILED, "ab@x.example is not in the suppression list"),
        ("queue suppress lookup ab@x.example --json", OK, r"\[\]\n"),
    ]
    for words, code, expected in dialogue:
        got, out, err = server(capsys, words)
        assert got == code, (words, out, err)
        if code == OK:
            assert re.fullmatch(expected, out), (words, out)
        else:
            assert err.startswith(f"error: {expected}"), (words, err)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("queue list --from ''", FAILED, "from must be a part of an address"),
        ("queue list --to @x..example", FAILED, "to: '@x..example' is not @ and a domain"),
        ("queue hold --account ''", FAILED, "no account ''"),
        ("queue hold --ids ''", FAILED, "--ids: '' is not a number"),
        ("queue hold --ids 0", FAILED, "ids must be positive numbers"),
        ("queue hold -n x", FAILED, "-n: 'x' is not a number"),
        ("queue list --hold maybe", FAILED, "--hold must be one of: true, false"),
        ("queue list --sort lastactivity", FAILED, "argument sort must be one of: nextattempt, queued"),
        ("queue retired list --sort nextattempt", FAILED, "argument sort must be one of: lastactivity, queued"),
        ("queue retired list --hold true", USAGE, "unknown flag --hold"),
        ("queue list --submitted 1h", FAILED, "submitted must be < or >, then now or a duration"),
        ("queue list --nextattempt '>1x'", FAILED, "next attempt: '1x' must be a duration"),
        ("queue schedule soon", FAILED, "argument duration must be a duration"),
        ("queue schedule", USAGE, "usage: moxpy queue schedule"),
        ("queue transport", USAGE, "usage: moxpy queue transport"),
        ("queue requiretls", USAGE, "usage: moxpy queue requiretls"),
        ("queue dump", USAGE, "usage: moxpy queue dump"),
        ("queue dump x", FAILED, "id: 'x' is not a number"),
        ("queue retired print", USAGE, "usage: moxpy queue retired print"),
        ("queue holdrules remove", USAGE, "usage: moxpy queue holdrules remove"),
        ("queue holdrules remove 99", FAILED, "there is no hold rule 99"),
        ("queue holdrules add --account nobody", FAILED, "no account 'nobody'"),
        ("queue holdrules add --senderdom x..example", FAILED, "'x..example' is not a domain"),
        ("queue suppress add mox", USAGE, "usage: moxpy queue suppress add"),
        ("queue suppress lookup", USAGE, "usage: moxpy queue suppress lookup"),
        ("queue suppress", USAGE, "moxpy queue suppress remove account address"),
    ],
)
def test_refused(server, capsys, words, code, said):
    got, out, err = server(capsys, words)
    assert (got, out) == (code, "")
    assert said in err


def test_without_a_server(tmp_path, moxpy, capsys):
    served.prepare(moxpy, tmp_path / "house")
    code = run(["moxpy", "queue", "hold", "--config", str(tmp_path / "house" / "moxpy.toml")])
    assert code == FAILED
    assert str(tmp_path / "house") in capsys.readouterr().err


def test_refused_mail(server, capsys):
    with smtplib.SMTP(server.house.host, server.house.smtp, timeout=60) as client:
        client.ehlo("mx.there.example")
        client.mail("x@there.example")
        code, reply = client.rcpt("rcpttopermerror@localhost")
        assert code == 550
    id = reply.decode().split()[-1].strip("()")
    deadline = time.monotonic() + 120
    while not (found := json.loads(server.ok(capsys, f"refused list --id {id} --json"))):
        assert time.monotonic() < deadline
    (one,) = found
    assert (one["mail_from"], one["rcpt_to"], one["helo"]) == (
        "x@there.example",
        "rcpttopermerror@localhost",
        "mx.there.example",
    )
    assert one["received_id"] == id
    assert one["remedy"]
    lines = server.ok(capsys, "refused list --address THERE.example --ip 127.0.0.0/8 --within 1h --most 1").splitlines()
    assert lines[0].startswith("# last\tcount\treason")
    assert '"rcpttopermerror@localhost"' in lines[1]
    assert lines[2].startswith(f"# {one['reason']}: ")
    assert server.ok(capsys, "refused list --reason relay") == ""
    assert server(capsys, "refused list --ip mx.example")[0] == FAILED
    assert server(capsys, "refused list --most some")[0] == USAGE
    assert server(capsys, "refused list --account nobody")[0] == FAILED
