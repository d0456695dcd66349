"""Clients that log in by the key of their TLS certificate, against a whole house, with the standard library's TLS."""

import imaplib
import json
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import served

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    with served.running(moxpy, tmp_path_factory.mktemp("house") / "local") as house:
        yield house


@dataclass
class Keys:
    """The commands about keys, as an operator uses them."""

    moxpy: Path
    house: served.House
    folder: Path

    def run(self, *arguments: str, input: str = "", code: int = 0) -> str:
        return self.configure("tlspubkey", *arguments, input=input, code=code)

    def configure(self, *arguments: str, input: str = "", code: int = 0) -> str:
        """A command below `config`."""
        assert self.house.log is not None
        config = self.house.log.parent / "local" / "moxpy.toml"
        command = [str(self.moxpy), "--config", str(config), "config", *arguments]
        done = subprocess.run(
            command, input=input, capture_output=True, text=True, cwd=self.folder, check=False, timeout=120
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def make(self) -> tuple[Path, Path]:
        """A new key: the file with both, and the certificate."""
        stem = f"key{len(list(self.folder.iterdir()))}"
        files = [self.folder / line for line in self.run("gen", stem).splitlines() if line.startswith(stem)]
        return files[2], files[1]

    def add(self, *flags: str, address: str = "mox@localhost") -> tuple[Path, str]:
        """A new key that is known: the file with both, and its fingerprint."""
        both, certificate = self.make()
        added = json.loads(self.run("add", "--json", *flags, address, "phone", input=certificate.read_text()))
        return both, added["fingerprint"]


@pytest.fixture
def keys(moxpy: Path, house: served.House, tmp_path: Path) -> Iterator[Keys]:
    found = Keys(moxpy, house, tmp_path)
    yield found
    for one in json.loads(found.run("list", "--json")):
        found.run("rm", "--", one["fingerprint"])


def context(key: Path | None = None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    found.maximum_version = version
    if key is not None:
        found.load_cert_chain(key)
    return found


#: Alert 42, however this OpenSSL words it, and in whatever the client wraps it.
ALERT = "ALERT_BAD_CERTIFICATE"


@VERSIONS
def test_submission_without_auth(house, keys, version):
    key, _ = keys.add()
    for immediate in (True, False):
        if immediate:
            client = smtplib.SMTP_SSL(house.host, house.submissions, timeout=60, context=context(key, version))
        else:
            client = smtplib.SMTP(house.host, house.submission, timeout=60)
            client.starttls(context=context(key, version))
        with client:
            client.ehlo()
            assert client.mail("mox@localhost")[0] == 250
            client.rset()
            assert client.mail("somebody@else.example")[0] == 550
            client.rset()
            client.sendmail("mox@localhost", ["mox@localhost"], b"From: mox@localhost\r\nSubject: by key\r\n\r\nx\r\n")
    with smtplib.SMTP_SSL(house.host, house.submissions, timeout=60, context=context()) as client:
        client.ehlo()
        assert client.mail("mox@localhost")[0] == 530, "without a key nobody is logged in"


@VERSIONS
def test_imap_begins_logged_in(house, keys, version):
    key, _ = keys.add(address="mox+phone@localhost")
    with imaplib.IMAP4_SSL(house.host, house.imaps, ssl_context=context(key, version), timeout=60) as client:
        assert client.welcome.startswith(b"* PREAUTH [CAPABILITY ")
        assert client.state == "AUTH"
        assert client.select("INBOX")[0] == "OK"


@VERSIONS
def test_imap_key_that_does_not_log_in_by_itself(house, keys, version):
    key, _ = keys.add("--no-imap-preauth")
    with imaplib.IMAP4_SSL(house.host, house.imaps, ssl_context=context(key, version), timeout=60) as client:
        assert client.welcome.startswith(b"* OK")
        client.login(house.user, house.password)


def test_imap_after_starttls_does_not_begin_logged_in(house, keys):
    key, _ = keys.add()
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.starttls(context(key))
        assert client.state == "NONAUTH"
        with pytest.raises(imaplib.IMAP4.error, match="NAMESPACE illegal in state NONAUTH"):
            client.namespace()
        client.login(house.user, house.password)


BEFORE_TLS = {
    "submissions": [],
    "submission": [b"", b"EHLO x\r\n", b"STARTTLS\r\n"],
    "imaps": [],
    "imap": [b"", b"a STARTTLS\r\n"],
}


@VERSIONS
@pytest.mark.parametrize("door", BEFORE_TLS)
def test_unknown_key_is_told_by_an_alert(house, keys, version, door):
    key, _ = keys.make()
    with socket.create_connection((house.host, getattr(house, door)), timeout=60) as sock:
        for command in BEFORE_TLS[door]:
            sock.sendall(command)
            sock.recv(1000)
        with (
            pytest.raises(ssl.SSLError, match=ALERT),
            context(key, version).wrap_socket(sock, server_hostname="localhost") as client,
        ):
            client.sendall(b"EHLO x\r\n")  # TLS 1.3 lets the client believe in its success until it reads.
            client.recv(1000)


def test_mail_between_servers_asks_for_no_key(house, keys):
    """One that shows up anyway is nobody's business."""
    key, _ = keys.make()
    with smtplib.SMTP(house.host, house.smtp, timeout=60) as client:
        client.starttls(context=context(key))
        assert client.ehlo()[0] == 250


class Resuming:
    """A client that resumes its last session."""

    def __init__(self, house: served.House, context: ssl.SSLContext) -> None:
        self.house, self.context = house, context
        self.session: ssl.SSLSession | None = None

    def greeting(self) -> tuple[bytes, bool]:
        """The first line, and whether the session was resumed."""
        with (
            socket.create_connection((self.house.host, self.house.imaps), timeout=60) as sock,
            self.context.wrap_socket(sock, server_hostname="localhost", session=self.session) as client,
        ):
            line = client.recv(1000)
            self.session = client.session
            reused = client.session_reused
            client.sendall(b"x LOGOUT\r\n")
            while client.recv(1000):
                pass
            return line, bool(reused)


@VERSIONS
def test_resumed_sessions_are_judged_again(house, keys, version):
    key, fingerprint = keys.add()
    client = Resuming(house, context(key, version))
    assert [client.greeting()[1], client.greeting()[1]] == [False, True]
    assert client.greeting()[0].startswith(b"* PREAUTH")
    keys.run("rm", "--", fingerprint)
    with pytest.raises(ssl.SSLError, match=ALERT):
        client.greeting()


@VERSIONS
def test_disabled_account_is_told_in_words(house, keys, version):
    key, _ = keys.add()
    client = Resuming(house, context(key, version))
    assert client.greeting()[0].startswith(b"* PREAUTH")
    keys.configure("account", "disable", "mox", "back on Monday")
    try:
        assert client.greeting()[0] == b"* BYE [ALERT] back on Monday\r\n"
        with imaplib.IMAP4(house.host, house.imap, timeout=60) as plain:
            plain.starttls(context(key))
            with pytest.raises(imaplib.IMAP4.error, match="back on Monday"):
                plain.login(house.user, house.password)
        with (
            pytest.raises(ssl.SSLError, match=ALERT),
            context(key, version).wrap_socket(
                socket.create_connection((house.host, house.submissions), timeout=60), server_hostname="localhost"
            ) as sock,
        ):
            sock.recv(1000)
    finally:
        keys.configure("account", "enable", "mox")


def test_removed_keys_end_what_they_opened(house, keys):
    key, fingerprint = keys.add()
    other, _ = keys.add()
    with (
        imaplib.IMAP4_SSL(house.host, house.imaps, ssl_context=context(key), timeout=60) as client,
        imaplib.IMAP4_SSL(house.host, house.imaps, ssl_context=context(other), timeout=60) as stays,
    ):
        client.send(b"a IDLE\r\n")
        keys.run("rm", "--", fingerprint)
        # A client that has sent IDLE and hears only of the end, before or after it began.
        assert b"* BYE logged out by the administrator\r\n" in client.file.read()
        assert stays.noop()[0] == "OK"
        client.shutdown()
        client.state = "LOGOUT"


def test_commands(keys):
    both, certificate = keys.make()
    pem = certificate.read_text()
    assert both.stat().st_mode & 0o777 == 0o600
    assert "not an address" in keys.run("add", "nobody@elsewhere.example", input=pem, code=1)
    assert "private key" in keys.run("add", "mox@localhost", input=both.read_text(), code=1)
    assert "no PEM block" in keys.run("add", "mox@localhost", input="hello", code=1)
    keys.run("add", "--no-imap-preauth", "mox@localhost", 'my "phone"', input=pem)
    assert "known already" in keys.run("add", "mox@localhost", input=pem, code=1)
    first, _, row = keys.run("list", "mox").splitlines()
    assert first == "# 1 TLS public key"
    fingerprint, *rest = row.split("\t")
    assert rest == ["ed25519", r'"my \"phone\""', "mox", "mox@localhost", "true"]
    assert "no account" in keys.run("list", "nobody", code=1)
    shown = keys.run("get", "--", fingerprint)
    assert shown.startswith('type: ed25519\nname: my "phone"\naccount: mox\naddress: mox@localhost\n')
    assert shown.endswith(pem)
    keys.run("rm", "--", fingerprint)
    assert keys.run("list") == "# 0 TLS public keys\n"
    assert "no TLS public key" in keys.run("get", "--", fingerprint, code=1)
    assert "no TLS public key" in keys.run("rm", "--", fingerprint, code=1)
