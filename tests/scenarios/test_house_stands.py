"""A whole house, as a user starts it, talked to by Python's own clients and by bare sockets."""

import base64
import contextlib
import imaplib
import smtplib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from appliance import localserve
from appliance.delivery.appliance import Failure
from appliance.mail.address import parse_path
from appliance.net.dial import DialError
from support import served


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("house") / "local") as house:
        yield house


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def raw(port: int) -> Iterator["Raw"]:
    client = Raw(port)
    try:
        yield client
    finally:
        client.close()


class Raw:
    """A socket with lines."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.sock.makefile("rb")

    def close(self) -> None:
        self.file.close()
        self.sock.close()

    def reply(self) -> bytes:
        lines = []
        while True:
            line = self.file.readline()
            lines.append(line)
            if not line or line[3:4] == b" ":
                return b"".join(lines)

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def ask(self, octets: bytes) -> bytes:
        self.send(octets)
        return self.reply()


@contextlib.contextmanager
def imap(house: served.House) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(house.host, house.imap, timeout=60)
    client.login(house.user, house.password)
    client.select("INBOX")
    try:
        yield client
    finally:
        client.logout()


def found(house: served.House, subject: str, count: int = 0) -> list[bytes]:
    """Numbers of the messages with a subject; waits until there are `count`: what is submitted comes by the queue."""
    with imap(house) as client:
        deadline = time.monotonic() + 120
        while True:
            numbers = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
            if len(numbers) >= count or time.monotonic() > deadline:
                return numbers
            client.noop()


TO_DATA = b"EHLO test.example\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        pytest.param("lone-cr", b"a\rb\r\n.\r\n", id="bare CR"),
        pytest.param("crlf-dot-lf", b"a\r\n.\nMAIL FROM:<x@y.example>\r\n.\r\n", id="CRLF . LF"),
        pytest.param("lf-dot-crlf", b"a\n.\r\nMAIL FROM:<x@y.example>\r\n.\r\n", id="LF . CRLF"),
        pytest.param("lf-dot-lf", b"a\n.\nMAIL FROM:<x@y.example>\r\n.\r\n", id="LF . LF"),
    ],
)
def test_smuggling_is_refused_and_the_connection_goes_on(house, name, octets):
    with raw(house.smtp) as client:
        client.reply()
        client.send(TO_DATA)
        assert [client.reply()[:3] for _ in range(4)] == [b"250", b"250", b"250", b"354"]
        answer = client.ask(f"Subject: {name}\r\n\r\n".encode() + octets)
        assert answer.startswith(b"500 5.5.2")
        assert b"smuggling" in answer
        assert client.ask(b"MAIL FROM:<a@example.org>\r\n").startswith(b"250")
    assert found(house, name) == []


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", b"500 5.5.2", id="another protocol"),
        pytest.param(b"MAIL FROM:<a@b.example>\r\n", b"503 5.5.1", id="before EHLO"),
        pytest.param(b"AUTH PLAIN AGEAYg==\r\n", b"503 5.5.1", id="no logins on port 25"),
        pytest.param(b"NOOP\r\n", b"250 2.0.0", id="noop"),
        pytest.param(b"VRFY root\r\n", b"252 2.7.0", id="vrfy"),
        pytest.param(b"QUIT\r\n", b"221 2.0.0", id="quit"),
        pytest.param(b"x" * 3000 + b"\r\n", b"500 5.5.0", id="line too long"),
    ],
)
def test_first_commands(house, command, reply):
    with raw(house.smtp) as client:
        assert client.reply().startswith(b"220 ")
        assert client.ask(command).startswith(reply)


@pytest.mark.parametrize(
    ("sender", "recipient", "replies"),
    [
        pytest.param("mailfrompermerror@x.example", "b@x.example", [b"550"], id="sender fails"),
        pytest.param("mailfromtemperror@x.example", "b@x.example", [b"451"], id="sender fails for now"),
        pytest.param("MAILFROM599@x.example", "b@x.example", [b"599"], id="sender fails with a code"),
        pytest.param("mailfrom399@x.example", "b@x.example", [b"250", b"250", b"354", b"250"], id="no code of failure"),
        pytest.param("a@x.example", "rcpttotemperror@x.example", [b"250", b"451"], id="recipient fails for now"),
        pytest.param("a@x.example", "rcpttopermerror@x.example", [b"250", b"550"], id="recipient fails"),
        pytest.param("a@x.example", "rcptto400@x.example", [b"250", b"400"], id="recipient fails with a code"),
        pytest.param("rcptto400@x.example", "mailfrom400@x.example", [b"250", b"250", b"354", b"250"], id="elsewhere"),
        pytest.param("a@x.example", "xtemperror@x.example", [b"250", b"250", b"354", b"451"], id="fails at the end"),
        pytest.param("a@x.example", "xpermerror@x.example", [b"250", b"250", b"354", b"550"], id="the same for good"),
        pytest.param("a@x.example", "user552@x.example", [b"250", b"250", b"354", b"552"], id="the same with a code"),
        pytest.param("a@x.example", "queuepermerror@x.example", [b"250", b"250", b"354", b"250"], id="for the queue"),
        pytest.param("a@x.example", "user600@x.example", [b"250", b"250", b"354", b"250"], id="no code"),
    ],
)
def test_failures_on_purpose(house, sender, recipient, replies):
    with raw(house.smtp) as client:
        client.reply()
        client.ask(b"EHLO x.example\r\n")
        commands = [f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA", "Subject: s\r\n\r\nx\r\n."]
        came = [client.ask(command.encode() + b"\r\n")[:3] for command in commands[: len(replies)]]
        assert came == replies


@pytest.mark.parametrize("stage", ["mailfrom", "rcptto", "queue", "data"])
def test_hanging_on_purpose(stage):
    """Nobody waits an hour for a test: that a session does is tested where the clock can be turned."""
    beginning = "x" if stage == "data" else stage
    policy = localserve.LocalPolicy()
    for one in ("mailfrom", "rcptto", "queue", "data"):
        failure = policy.failure(parse_path(f"<{beginning}timeout@x.example>".encode(), smtputf8=False), one)
        # All of them fail in the queue: what the webapi sends passes no other stage before.
        assert failure == (Failure(451, delay_seconds=3600) if one in {stage, "queue"} else None)


def test_declared_size_and_header_limits(house):
    with raw(house.smtp) as client:
        client.reply()
        client.ask(b"EHLO x.example\r\n")
        assert client.ask(b"MAIL FROM:<a@b.example> SIZE=999999999\r\n").startswith(b"552 5.3.4")
        client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n")
        assert [client.reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        line = b"X-Long: " + b"y" * 90 + b"\r\n"
        assert client.ask(line * 20_000 + b"\r\nbody\r\n.\r\n").startswith(b"552 5.3.4")
        assert client.ask(b"NOOP\r\n").startswith(b"250")


def test_nothing_said_before_tls_counts_after_it(house):
    """RFC 3207 §4.2: a command that came with STARTTLS is part of the handshake, which then fails."""
    with raw(house.smtp) as client:
        client.reply()
        client.ask(b"EHLO x.example\r\n")
        assert client.ask(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n").startswith(b"220")
        assert client.reply() == b""
    with smtplib.SMTP(house.host, house.smtp, timeout=60) as client:
        client.starttls(context=unverified())
        assert client.mail("a@b.example")[0] == 503
        assert b"STARTTLS" not in client.ehlo()[1]


def test_submission(house):
    with smtplib.SMTP(house.host, house.submission, timeout=60) as client:
        client.ehlo()
        assert client.mail("mox@localhost")[0] == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(house.user, "wrong password")
        client.login(house.user, house.password)
        assert client.mail("somebody@else.example")[0] == 550
        client.rset()
        client.sendmail(
            "mox+tag@localhost", ["mox@localhost"], b"From: mox@localhost\r\nSubject: submitted\r\n\r\nx\r\n"
        )
    with smtplib.SMTP_SSL(house.host, house.submissions, timeout=60, context=unverified()) as client:
        client.ehlo()
        client.docmd("AUTH", "LOGIN")
        code, challenge = client.docmd(base64.b64encode(house.user.encode()).decode())
        assert (code, base64.b64decode(challenge)) == (334, b"Password:")
        assert client.docmd(base64.b64encode(house.password.encode()).decode())[0] == 235
        client.sendmail("mox@localhost", ["mox@localhost"], b"From: mox@localhost\r\nSubject: submitted\r\n\r\ny\r\n")
    numbers = found(house, "submitted", 2)
    assert len(numbers) == 2
    with imap(house) as client:
        data = client.fetch(numbers[0].decode(), "(BODY.PEEK[HEADER])")[1]
        received = data[0][1].split(b"Subject:")[0]
        assert b"with ESMTPA" in received
        assert b"127.0.0.1])\r\n\tby" not in received  # Where the submitter sits is nobody's business.


def test_large_message_streams_in_and_out(house):
    body = b"".join(b"%08d " % number * 8 + b"\r\n" for number in range(50_000))
    octets = b"Subject: large\r\n\r\n" + body
    with smtplib.SMTP(house.host, house.smtp, timeout=60) as client:
        client.sendmail("a@b.example", ["c@d.example"], octets)
    (number,) = found(house, "large")
    with imap(house) as client:
        whole = client.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1]
        assert whole.endswith(octets)
        part = client.fetch(number.decode(), "(BODY.PEEK[TEXT]<1000000.50>)")[1][0][1]
        assert part == body[1_000_000:1_000_050]
        assert client.search(None, "BODY", '"00049999 "')[1][0].split() == [number]


def test_three_clients_hear_of_news_and_see_each_others_flags(house):
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(raw(house.imap)) for _ in range(3)]
        for client in listeners:
            client.file.readline()
            client.send(f"a LOGIN {house.user} {house.password}\r\nb SELECT INBOX\r\n".encode())
            while not (line := client.file.readline()).startswith(b"b "):
                assert line
            client.send(b"c IDLE\r\n")
            assert client.file.readline().startswith(b"+ ")
        with smtplib.SMTP(house.host, house.smtp, timeout=60) as sender:
            sender.sendmail("a@b.example", ["c@d.example"], b"Subject: news\r\n\r\nx\r\n")
        for client in listeners:
            assert b"EXISTS" in client.file.readline()
            assert b"RECENT" in client.file.readline()
            assert b"FETCH (UID" in client.file.readline()
        with imap(house) as other:
            number = other.search(None, "SUBJECT", "news")[1][0].decode()
            other.store(number, "+FLAGS", r"(\Flagged $Work)")
        for client in listeners:
            # The keyword is new to the mailbox, so its flags are listed anew.
            lines = [client.file.readline() for _ in range(3)]
            assert any(rb"FETCH" in line and rb"\Flagged $work" in line for line in lines), lines
            client.send(b"DONE\r\n")
            assert client.file.readline().startswith(b"c OK")


def run(moxpy: Path, *arguments: str, **options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(moxpy), *arguments], capture_output=True, text=True, check=False, timeout=120, **options)


def test_commands_for_a_running_server(moxpy, house):
    assert house.log is not None
    config = str(next(house.log.parent.rglob("moxpy.toml")))
    assert run(moxpy, "config", "test", "--config", config).stdout == "config OK\n"
    assert "(default): info" in run(moxpy, "loglevels", "-config", config).stdout
    assert run(moxpy, "loglevels", "debug", "imap", "--config", config).returncode == 0
    assert '"imap": "debug"' in run(moxpy, "loglevels", "--json", "--config", config).stdout
    assert run(moxpy, "loglevels", "", "imap", "--config", config).returncode == 0
    assert run(moxpy, "loglevels", "loud", "--config", config).returncode == 1
    told = run(moxpy, "tls", "certificates", "--config", config).stdout.splitlines()
    assert [line.split("\t")[:4] for line in told[2:]] == [["localhost", "ecdsa", "files", "ok"]]
    assert '"state": "ok"' in run(moxpy, "tls", "certificates", "--json", "--config", config).stdout
    done = run(moxpy, "setaccountpassword", "mox", "--config", config, input="another password\n")
    assert done.returncode == 0, done.stderr
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login(house.user, "another password")
    assert run(moxpy, "setaccountpassword", "nobody", "--config", config, input="another password\n").returncode == 1
    assert run(moxpy, "setaccountpassword", "mox", "--config", config, input="short\n").returncode == 1
    assert run(moxpy, "setaccountpassword", "mox", "--config", config, input=f"{house.password}\n").returncode == 0
    assert run(moxpy, "reindex", "--config", config).stdout.startswith("mox: ")
    assert " messages, " in run(moxpy, "reindex", "mox", "--config", config).stdout
    unknown = run(moxpy, "reindex", "nobody", "--config", config)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no account 'nobody'" in unknown.stderr
    assert " not junk, " in run(moxpy, "retrain", "--config", config).stdout
    unknown = run(moxpy, "retrain", "nobody", "--config", config)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    again = run(moxpy, "localserve", "--dir", str(Path(config).parent))
    assert again.returncode == 1
    assert "another moxpy uses" in again.stderr


def test_stop_says_goodbye(moxpy, tmp_path):
    with (
        served.running(moxpy, tmp_path / "local") as house,
        raw(house.imap) as reader,
        raw(house.smtp) as sender,
        raw(house.smtp) as writer,
    ):
        reader.file.readline()
        sender.reply()
        writer.send(TO_DATA)
        assert [writer.reply()[:3] for _ in range(5)][-1] == b"354"
        config = str(next(tmp_path.rglob("moxpy.toml")))
        assert run(moxpy, "stop", "--config", config).stdout == "moxpy stopped\n"
        assert reader.file.readline().startswith(b"* BYE shutting down")
        assert sender.reply().startswith(b"421 4.3.2")
        assert writer.reply() == b"", "who is in the middle of a message is not waited for beyond three seconds"
        stopped = run(moxpy, "stop", "--config", config)
        assert stopped.returncode == 1
        assert "is it running?" in stopped.stderr


async def test_nothing_leaves_a_house_for_tests():
    """Whatever a route or a name says: there is no way out, beside that everybody's mail is the test account's."""
    world = localserve.parts().world(None)  # type: ignore[arg-type]
    with pytest.raises(DialError, match="sends nothing"):
        await world.dialer([ip_address("192.0.2.1")], 25, seconds=1)
    for recipient in ("x@elsewhere.example", "x@[192.0.2.1]"):
        assert localserve.LocalPolicy().unknown_recipient(parse_path(f"<{recipient}>".encode(), smtputf8=False))


def test_submission_to_anybody_stays_here(house):
    with smtplib.SMTP(house.host, house.submission, timeout=60) as client:
        client.login(house.user, house.password)
        text = "From: mox@localhost\r\nSubject: stays here\r\n\r\nx\r\n"
        client.sendmail("mox@localhost", ["x@elsewhere.example", "x@[192.0.2.1]"], text)
    deadline = time.monotonic() + 120
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login(house.user, house.password)
        client.select("INBOX")
        while client.search(None, "SUBJECT", '"stays here"')[1] == [b""]:
            assert time.monotonic() < deadline
            client.noop()
