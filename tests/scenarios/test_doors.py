"""The doors of a whole house: behind a proxy, without certificates, with STARTTLS switched off."""

import contextlib
import imaplib
import os
import signal
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import served
from support.streams import key_pair

#: Loopback addresses of listeners beside the usual one.
PROXIED, PLAIN, NO_STARTTLS, NO_KEYS = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"
LISTENERS = """
[listeners.proxied]
ips = ["127.0.0.2"]
proxy_protocol_from = ["127.0.0.0/8"]
tls = {{ key_certs = [{{ cert_file = "localhost.crt", key_file = "localhost.key" }}] }}
smtp = {{ enabled = true, port = {smtp}, first_time_sender_delay = "0s" }}
submissions = {{ enabled = true, port = {submissions} }}
imaps = {{ enabled = true, port = {imaps} }}

[listeners.plain]
ips = ["127.0.0.3"]
smtp = {{ enabled = true, port = {smtp}, no_starttls = true }}
submission = {{ enabled = true, port = {submission}, no_require_starttls = true }}
imap = {{ enabled = true, port = {imap}, no_require_starttls = true }}

[listeners.nostarttls]
ips = ["127.0.0.4"]
tls = {{ key_certs = [{{ cert_file = "localhost.crt", key_file = "localhost.key" }}] }}
smtp = {{ enabled = true, port = {smtp}, no_starttls = true }}

[listeners.nokeys]
ips = ["127.0.0.5"]
smtp = {{ enabled = true, port = {smtp}, tls_session_tickets_disabled = false }}
submissions = {{ enabled = true, port = {submissions} }}
imaps = {{ enabled = true, port = {imaps} }}

[listeners.nokeys.tls]
key_certs = [{{ cert_file = "localhost.crt", key_file = "localhost.key" }}]
client_auth_disabled = true
min_version = "TLSv1.3"
"""


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.House]:
    folder = tmp_path_factory.mktemp("house") / "local"
    ports = served.prepare(moxpy, folder)
    with (folder / "moxpy.toml").open("a") as config:
        config.write(LISTENERS.format(**ports))
    (folder.parent / "local.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    with served.running(moxpy, folder) as house:
        yield house


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def dialled(host: str, port: int, octets: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection((host, port), timeout=60) as sock:
        sock.sendall(octets)
        yield sock


def line(sock: socket.socket) -> bytes:
    octets = b""
    while not octets.endswith(b"\n") and (more := sock.recv(1)):
        octets += more
    return octets


def reply(sock: socket.socket) -> bytes:
    found = b""
    while (one := line(sock)) and one[3:4] == b"-":
        found += one
    return found + one


FOUR = b"PROXY TCP4 192.0.2.77 198.51.100.2 40000 25\r\n"
SIX = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24"
    + b"\x20\x01\x0d\xb8"
    + bytes(11)
    + b"\x01"
    + bytes(16)
    + b"\x9c\x40\0\x19"
)


@pytest.mark.parametrize(
    ("header", "shown"), [(FOUR, b"[192.0.2.77]"), (SIX, b"[IPv6:2001:db8::1]")], ids=["version 1", "version 2"]
)
def test_mail_through_a_proxy_names_its_client(house, header, shown):
    subject = b"proxied " + shown[1:-1].replace(b":", b".")
    with dialled(PROXIED, house.smtp, header) as sock:
        assert reply(sock).startswith(b"220 ")
        sock.sendall(b"EHLO client.example\r\n")
        reply(sock)
        for command in (b"MAIL FROM:<a@example.org>", b"RCPT TO:<mox@localhost>", b"DATA"):
            sock.sendall(command + b"\r\n")
            assert reply(sock)[:1] in b"23"
        sock.sendall(b"Subject: " + subject + b"\r\n\r\nx\r\n.\r\n")
        assert reply(sock).startswith(b"250 ")
    with imaplib.IMAP4(house.host, house.imap, timeout=60) as client:
        client.login(house.user, house.password)
        client.select("INBOX")
        (number,) = client.search(None, "SUBJECT", f'"{subject.decode()}"')[1][0].split()
        field = client.fetch(number.decode(), "(BODY.PEEK[HEADER.FIELDS (RECEIVED)])")[1][0][1]
    assert shown in field


def test_tls_behind_a_proxy(house):
    with (
        dialled(PROXIED, house.imaps, FOUR) as sock,
        unverified().wrap_socket(sock, server_hostname="localhost") as client,
    ):
        assert line(client).startswith(b"* OK")


@pytest.mark.parametrize("octets", [b"EHLO client.example\r\n", b"PROXY TCP4 nonsense\r\n"], ids=["none", "malformed"])
def test_a_proxy_without_a_header_is_closed(house, octets):
    with dialled(PROXIED, house.smtp, octets) as sock:
        assert line(sock) == b""


def test_a_header_from_elsewhere_is_no_command(house):
    with dialled(house.host, house.smtp, FOUR) as sock:
        assert reply(sock).startswith(b"220 ")
        assert reply(sock).startswith(b"500 5.5.2")
        assert reply(sock) == b""


@pytest.mark.parametrize("host", [PLAIN, NO_STARTTLS], ids=["no certificate", "switched off"])
def test_starttls_where_it_is_not_offered(house, host):
    ports = [house.smtp, *([house.submission] if host == PLAIN else [])]
    for port in ports:
        with smtplib.SMTP(host, port, timeout=60) as client:
            assert client.docmd("STARTTLS")[0] == 503
            client.ehlo()
            assert not client.has_extn("starttls")
            assert client.docmd("STARTTLS")[0] == 503
            assert client.noop()[0] == 250


def test_imap_without_a_certificate(house):
    with imaplib.IMAP4(PLAIN, house.imap, timeout=60) as client:
        assert "STARTTLS" not in client.capabilities
        client.capabilities = (*client.capabilities, "STARTTLS")
        with pytest.raises(imaplib.IMAP4.error, match="BAD"):
            client.starttls(unverified())
        client.login(house.user, house.password)


@pytest.mark.parametrize("door", ["smtp", "submission", "imap"])
def test_commands_that_come_with_starttls_are_not_executed(house, door):
    """RFC 3207 §4.2, RFC 9051 §6.2.1: they are what the handshake begins with, which then fails."""
    with dialled(house.host, getattr(house, door)) as sock:
        line(sock)
        if door == "imap":
            sock.sendall(f"a STARTTLS\r\nb LOGIN {house.user} {house.password}\r\n".encode())
            assert line(sock).startswith(b"a OK")
        else:
            sock.sendall(b"EHLO x.example\r\n")
            reply(sock)
            sock.sendall(b"STARTTLS\r\nNOOP\r\n")
            assert reply(sock).startswith(b"220 2.0.0")
        assert line(sock) == b""


def test_after_starttls_everything_begins_anew(house):
    with smtplib.SMTP(house.host, house.smtp, timeout=60) as client:
        client.ehlo()
        client.mail("a@example.org")
        client.starttls(context=unverified())
        assert client.docmd("MAIL FROM:<a@example.org>")[0] == 503
        client.ehlo()
        assert client.docmd("RCPT TO:<mox@localhost>")[0] == 503
        assert client.docmd("STARTTLS")[0] == 503


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize(
    ("host", "door", "resumed"),
    [
        pytest.param("127.0.0.1", "smtp", False, id="port 25"),
        pytest.param("127.0.0.1", "submission", True, id="submission"),
        pytest.param("127.0.0.1", "submissions", True, id="submissions"),
        pytest.param("127.0.0.1", "imaps", True, id="imaps"),
        pytest.param("127.0.0.1", "https", True, id="https"),
        pytest.param(NO_KEYS, "smtp", True, id="port 25, when configured"),
    ],
)
def test_sessions_are_resumed(house, host, door, version, resumed):
    """By default everywhere but on port 25, where not even a ticket is sent."""
    context, session, reused, messages = unverified(), None, [], []
    context.maximum_version = version
    context._msg_callback = lambda *told: messages.append(getattr(told[4], "name", ""))
    if host == NO_KEYS and version is ssl.TLSVersion.TLSv1_2:
        pytest.skip("that listener wants 1.3")
    for _ in range(2):
        with dialled(host, getattr(house, door)) as sock:
            if not door.endswith("s"):
                for command in (b"EHLO x.example\r\n", b"STARTTLS\r\n"):
                    reply(sock)
                    sock.sendall(command)
                while not line(sock).startswith(b"220 "):
                    pass
            with context.wrap_socket(sock, server_hostname="localhost", session=session) as client:
                client.sendall(b"HEAD / HTTP/1.0\r\n\r\n" if door == "https" else b"NOOP\r\n")
                line(client)
                session = client.session
                reused.append(client.session_reused)
    assert reused == [False, resumed]
    assert "SERVER_HELLO" in messages
    assert ("NEWSESSION_TICKET" in messages) == resumed


def test_least_version_is_the_listeners(house):
    context = unverified()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for door in (house.submissions, house.imaps):
        with dialled(NO_KEYS, door) as sock, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            context.wrap_socket(sock, server_hostname="localhost")


@pytest.mark.parametrize("name", ["localhost", "unknown.example", "mail", "127.0.0.1"])
@pytest.mark.parametrize("door", ["submissions", "imaps"])
def test_files_serve_all_names(house, name, door):
    with (
        dialled(house.host, getattr(house, door)) as sock,
        unverified().wrap_socket(sock, server_hostname=name) as client,
    ):
        assert client.getpeercert(binary_form=True)


def test_no_client_keys_where_they_are_switched_off(house, moxpy, tmp_path):
    """An unknown key is no reason to refuse anybody: it is not even asked for."""
    command = [str(moxpy), "config", "tlspubkey", "gen", str(tmp_path / "stem")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (both,) = tmp_path.glob("*privatekey-certificate.pem")
    context = unverified()
    context.load_cert_chain(both)
    for door, hello in ((house.submissions, b"220 "), (house.imaps, b"* OK")):
        with (
            dialled(NO_KEYS, door) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as client,
        ):
            assert line(client).startswith(hello)


def test_new_certificates_are_taken_after_a_signal(moxpy, tmp_path):
    with served.running(moxpy, tmp_path / "local") as house:
        old = ssl.get_server_certificate((house.host, house.imaps))
        with imaplib.IMAP4_SSL(house.host, house.imaps, ssl_context=unverified(), timeout=60) as client:
            pair = key_pair("new.example")
            (tmp_path / "local" / "localhost.crt").write_bytes(pair.chain)
            (tmp_path / "local" / "localhost.key").write_bytes(pair.key)
            os.kill(house.pid, signal.SIGHUP)
            for _ in range(200):
                new = ssl.get_server_certificate((house.host, house.imaps))
                if new != old:
                    break
            assert new == ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pair.chain.decode()))
            assert client.noop()[0] == "OK", "connections that are open stay as they are"
