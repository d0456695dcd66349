"""OpenSMTPD takes what we send, and relays what it is given to us, half of it by STARTTLS: all once, and whole.

Debian's 6.8.0p2 offers STARTTLS and breaks every handshake, with whatever key and client ("missing private key", by
OpenSSL 3): the best test there is of what we do then, which is to send without. Its packages exclude Postfix: it is unpacked, and lives in a mount namespace where its files lie over the system's. Needs
root.
"""

import contextlib
import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from appliance.protocol.smtp.client import Delivered
from appliance.queue.smtpsettings import TLSMode
from interop.exim import unpack
from interop.mailbox import unique
from interop.outbound import HOST, forwarded, made, named_us, names, serving, submit
from interop.postfix import arrived, assert_once
from interop.sending import assert_arrived, in_maildir, of_all_kinds, sent, settings
from support import served

WORK = Path(os.environ["WORK"])
MESSAGES, HOUSE_MESSAGES = 150, 20
#: It takes a hundred of one client.
A_SESSION = 75
ZONE = {("them.example.", "MX"): ["10 mx.them.example."], ("mx.them.example.", "A"): [HOST]}
#: It wants users of its own, and keeps everything below /var.
DISGUISED = """
mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group
mount -t overlay overlay -o "lowerdir=$0/packages/root/usr:/usr" /usr
for place in /var/spool /var/lib /run; do mount -t tmpfs tmpfs $place; done
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd && chmod 711 /var/spool/smtpd
exec "$@"
"""
CONFIG = """
pki localhost cert "{work}/cert.pem"
pki localhost key "{work}/key.pem"
table everybody {{ "@" = "mail" }}
listen on 127.0.0.1 port {port} tls pki localhost hostname localhost
smtp max-message-size 20M
action "keep" maildir "{work}/mail" virtual <everybody>
action "relay" relay host "smtp+notls://127.0.0.1:{us}"
match from any for domain "plain.example" action "relay"
action "relaytls" relay host "smtp+tls://127.0.0.1:{us}" tls no-verify
match from any for domain "tls.example" action "relaytls"
match from any for any action "keep"
"""


@contextlib.contextmanager
def running() -> Iterator[int]:
    """Its port, until left."""
    (WORK / "packages").mkdir()
    unpack(WORK / "packages", ["opensmtpd"], "usr/sbin/smtpd")
    for name, lines in (
        ("passwd", "opensmtpd:x:901:901::/:/bin/false\nopensmtpq:x:902:902::/:/bin/false\n"),
        ("group", "opensmtpd:x:901:\nopensmtpq:x:902:\n"),
    ):
        (WORK / name).write_text(Path("/etc", name).read_text() + lines)
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=localhost"
    request += " -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    subprocess.run(request.split(), cwd=WORK, check=True, capture_output=True)
    (WORK / "key.pem").chmod(0o600)
    (WORK / "mail").mkdir()
    os.chown(WORK / "mail", 8, 8)  # Debian's user mail.
    WORK.parent.chmod(0o755)
    WORK.chmod(0o755)
    (port,) = served.free_ports(1)
    (WORK / "smtpd.conf").write_text(CONFIG.format(work=WORK, port=port, us=os.environ["SMTP"]))
    (WORK / "smtpd.conf").chmod(0o600)
    command = ["unshare", "--mount", "sh", "-ec", DISGUISED, str(WORK), "smtpd", "-d", "-f", str(WORK / "smtpd.conf")]
    with (WORK / "smtpd.log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        while not served.greets("127.0.0.1", port, b"220"):
            assert daemon.poll() is None, (WORK / "smtpd.log").read_text()
            assert time.monotonic() < deadline, (WORK / "smtpd.log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        served.stop(daemon)


def to_it(port: int) -> None:
    """First our client alone, then a whole house."""
    kinds = of_all_kinds("user@kept.example")
    came = sent(port, settings(TLSMode.SKIP, WORK / "cert.pem"), kinds)
    assert all(isinstance(one, Delivered) for outcomes in came for one in outcomes), came
    assert_arrived(in_maildir(WORK / "mail", len(kinds)), kinds)
    print(f"{len(kinds)} messages whole")
    moxpy, folder = Path(os.environ["MOXPY"]), WORK / "house"
    ports = made(moxpy, folder)
    named_us(folder, str(WORK / "cert.pem"))
    with (
        names(ZONE) as name_port,
        forwarded(port),
        (WORK / "resolv.conf").open("w") as resolv,
    ):
        print(f"nameserver 127.0.0.1:{name_port}", file=resolv, flush=True)
        with serving(moxpy, folder, WORK / "resolv.conf", ports):
            for number in range(HOUSE_MESSAGES):
                submit(ports["submission"], f"house-{number}", f"u{number}@them.example")
            found = in_maildir(WORK / "mail", len(kinds) + HOUSE_MESSAGES)
    assert all(len(found[f"house-{number}"]) == 1 for number in range(HOUSE_MESSAGES)), sorted(found)
    print(f"{HOUSE_MESSAGES} from a whole server, after its handshakes failed")


def to_us(port: int) -> None:
    run = unique("run") + ".example"
    posted: dict[str, bytes] = {}
    for first in range(0, MESSAGES, A_SESSION):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            for number in range(first, first + A_SESSION):
                identity, way = f"<{number}@{run}>", ("plain", "tls")[number % 2]
                body = b"line\r\n.dot\r\n..\r\n" * (number * 40)
                header = f"From: <sender@smtpd.example>\r\nTo: <to@{way}.example>\r\nMessage-ID: {identity}\r\n\r\n"
                client.sendmail("sender@smtpd.example", [f"to@{way}.example"], header.encode() + body)
                posted[identity] = body
    deadline = time.monotonic() + 60
    while True:
        found = {identity: some for identity, some in arrived().items() if identity in posted}
        if found.keys() == posted.keys():
            break
        assert time.monotonic() < deadline, f"{len(found)} arrived\n{(WORK / 'smtpd.log').read_text()[-2000:]}"
        time.sleep(0.3)
    assert_once(found, posted)
    print(f"{MESSAGES} messages relayed to us, half of them by STARTTLS")


def main() -> int:
    with running() as port:
        to_it(port)
        to_us(port)
    return 0


sys.exit(main())
