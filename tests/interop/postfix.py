"""A Postfix of its own as the sending server: started from one temporary folder, on loopback alone.

The system's own configuration and queue are not touched. Needs root, since Postfix changes users.
"""

import contextlib
import os
import pwd
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesHeaderParser
from pathlib import Path

from interop.mailbox import HOST, body, ok, opened, unique
from support import served

EMPTY_SECONDS = 150

MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {base}/postfix.log
maillog_file_prefixes = {base}
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {host}
inet_protocols = ipv4
alias_maps =
alias_database =
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
{transport}
smtp_tls_security_level = may
smtp_tls_loglevel = 1
smtputf8_enable = yes
# A message at a time to each recipient is what tests least.
default_destination_concurrency_limit = 20
initial_destination_concurrency = 20
smtp_destination_recipient_limit = 50
smtp_connection_cache_on_demand = yes
lmtp_connection_cache_on_demand = yes
lmtp_destination_recipient_limit = 50
in_flow_delay = 0
message_size_limit = 100000000
minimal_backoff_time = 5s
queue_run_delay = 5s
bounce_queue_lifetime = 1h
"""
MASTER = """
{host}:{port} inet n - n - 50 smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - 20 smtp
relay unix - - n - 20 smtp
lmtp unix - - n - 20 lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running one."""

    def __init__(self, base: Path, port: int) -> None:
        self.base, self.port, self.config = base, port, base / "etc"

    @property
    def log(self) -> str:
        return (self.base / "postfix.log").read_text(errors="replace")

    def sendmail(self, sender: str, recipients: list[str], octets: bytes) -> None:
        command = ["sendmail", "-C", str(self.config), "-i", "-B", "8BITMIME", "-f", sender, "--", *recipients]
        subprocess.run(command, input=octets, check=True, timeout=60)

    def drain(self) -> None:
        """Returns when the queue is empty."""
        deadline = time.monotonic() + EMPTY_SECONDS
        command = ["postqueue", "-c", str(self.config), "-j"]
        while True:
            left = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.splitlines()
            if not left:
                return
            assert time.monotonic() < deadline, f"{len(left)} still queued, e.g. {left[0]!r}\n{self.log[-2000:]}"
            time.sleep(0.2)


@contextlib.contextmanager
def running(transport: str) -> Iterator[Postfix]:
    """Every message it is given goes by `transport`, lines of main.cf."""
    if os.geteuid() != 0:
        raise RuntimeError("Postfix needs root")
    with tempfile.TemporaryDirectory(prefix="postfix-", dir="/tmp") as directory:  # short: it holds sockets
        base = Path(directory)
        base.chmod(0o755)
        (port,) = served.free_ports(1, HOST)
        for name in ("etc", "queue", "data"):
            (base / name).mkdir()
        os.chown(base / "data", pwd.getpwnam("postfix").pw_uid, -1)
        values = {"base": base, "host": HOST, "transport": transport, "port": port}
        (base / "etc/main.cf").write_text(MAIN.format(**values))
        (base / "etc/master.cf").write_text(MASTER.format(**values))
        command = ["postfix", "-c", str(base / "etc")]
        server = Postfix(base, port)
        started = subprocess.run([*command, "start"], capture_output=True, check=False, timeout=60)
        assert started.returncode == 0, started.stderr.decode()
        try:
            deadline = time.monotonic() + 30
            while not served.greets(HOST, port, b"220"):
                assert time.monotonic() < deadline, server.log[-2000:]
                time.sleep(0.05)
            yield server
        finally:
            subprocess.run([*command, "abort"], capture_output=True, check=False, timeout=60)


def arrived() -> dict[str, list[bytes]]:
    """Every message in the inbox by its Message-ID."""
    found: dict[str, list[bytes]] = {}
    with opened(readonly=True) as imap:
        for item in ok(imap.uid("FETCH", "1:*", "(BODY.PEEK[])")):
            if isinstance(item, tuple):
                message = item[1]
                identity = BytesHeaderParser().parsebytes(message)["Message-ID"]
                found.setdefault(str(identity), []).append(message)
    return found


def by_sendmail(server: Postfix, count: int) -> dict[str, bytes]:
    """Messages of every kind that servers send; their bodies by Message-ID."""
    kinds = (
        ("plain", "<%s>", b"line one\r\n.dot\r\n..two\r\n.\r\nlast\r\n", ["mox@localhost"]),
        ("8bit", "<%s>", "Grüße, 郵便\r\n".encode() * 50, ["anyone@example.org"]),
        ("several", "<%s>", b"to many\r\n" * 10, ["a@example.org", "b@example.net", "mox+tag@localhost"]),
        ("utf8", "<%s>", "тест\r\n".encode(), ["грета@example.org"]),
        ("large", "<%s>", b"x" * 76 + b"\r\n", ["big@example.org"]),
    )
    run = unique("run") + ".example"
    sent: dict[str, bytes] = {}
    work = []
    for number in range(count):
        name, shape, text, recipients = kinds[number % len(kinds)]
        identity = shape % f"{name}-{number}@{run}"
        if name == "large":
            text = text * (13 * number)
        elif name == "plain" and number % 2:
            text = b""
        subject = "Grüße" if name == "utf8" else name
        header = (
            f"From: <sender@postfix.example>\r\nTo: <{recipients[0]}>\r\nSubject: {subject} {number}\r\n"
            f"Message-ID: {identity}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n"
        ).encode()
        sent[identity] = text
        # sendmail takes lines as the system writes them.
        work.append((recipients, (header + text).replace(b"\r\n", b"\n")))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: server.sendmail("sender@postfix.example", *one), work))
    return sent


def smtp_source(port: int, count: int, *flags: str) -> None:
    command = ["smtp-source", "-s", "20", "-m", str(count), "-l", "3000", "-f", "s@source.example"]
    command += ["-t", "t@example.org", *flags, f"inet:{HOST}:{port}"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()


def assert_once(found: dict[str, list[bytes]], sent: dict[str, bytes]) -> None:
    """Nothing lost, nothing doubled, every body as it was sent."""
    twice = {identity: len(messages) for identity, messages in found.items() if len(messages) != 1}
    assert not twice, f"arrived more than once: {dict(list(twice.items())[:5])}"
    missing = [identity for identity in sent if identity not in found]
    assert not missing, f"{len(missing)} lost: {missing[:5]}"
    for identity, text in sent.items():
        got = body(found[identity][0])
        assert got == text, f"{identity}: got {got[:200]!r}, want {text[:200]!r}"


def assert_content(log: str) -> int:
    """Postfix had nothing to complain about and got rid of everything; recipients it told of."""
    status = Counter(re.findall(r"status=(\w+)", log))
    assert set(status) == {"sent"}, status
    complaints = re.findall(r"(?:warning|fatal|panic): .*", log)
    assert not complaints, complaints[:5]
    return status["sent"]
