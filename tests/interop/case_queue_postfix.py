"""A whole `moxpy serve` sends to Debian's Postfix: by MX on port 25, by a smarthost with login, as a user would.

The names come from a name server of ours, which the program finds in a resolv.conf of its own (in a mount namespace);
so it needs root, as Postfix does. Then the program is killed amid its work, and nothing is lost.
"""

import contextlib
import imaplib
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from bench import baseline
from interop.sending import in_maildir
from support import served

#: Where the hosts of `them.example` are, port 25 by MX.
HOST = "127.0.0.25"
ZONE = {
    ("them.example.", "MX"): ["10 gone.them.example.", "20 mx.them.example."],
    ("mx.them.example.", "A"): [HOST],
    ("alias.example.", "CNAME"): ["them.example."],
    ("localhost.", "A"): ["127.0.0.1"],
    ("null.example.", "MX"): ["0 ."],
}
MAIN = """
virtual_mailbox_domains = localhost them.example alias.example smart.example
smtpd_recipient_limit = 7
smtpd_recipient_overshoot_limit = 1000
"""
KILLS, BURST = 3, 60


def answer(octets: bytes) -> bytes:
    query = dns.message.from_wire(octets)
    response = dns.message.make_response(query, recursion_available=True)
    name, kind = query.question[0].name.to_text().lower(), query.question[0].rdtype.name
    while True:
        if found := ZONE.get((name, "CNAME")):
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", *found))
            name = found[0]
            continue
        if found := ZONE.get((name, kind)):
            response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *found))
        elif not any(known.endswith(name) for known, _ in ZONE):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@contextlib.contextmanager
def names() -> Iterator[int]:
    """A name server, until left."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    octets, peer = sock.recvfrom(4096)
                    if octets == b"end":
                        return
                    sock.sendto(answer(octets), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            sock.sendto(b"end", sock.getsockname())
            thread.join()


@contextlib.contextmanager
def forwarded(port: int) -> Iterator[None]:
    """Port 25 of HOST leads to a port of this machine, until left."""
    with socket.create_server((HOST, 25)) as listener:

        def carry(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while octets := source.recv(65_536):
                    target.sendall(octets)
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection(("127.0.0.1", port))
                    for pair in ((client, server), (server, client)):
                        threading.Thread(target=carry, args=pair, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield


@contextlib.contextmanager
def serving(moxpy: Path, folder: Path, resolv: Path, ports: dict[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    script = f"mount --bind {resolv} /etc/resolv.conf && exec {moxpy} --config {folder}/moxpy.toml serve"
    with (folder.parent / "serve.log").open("ab") as log:
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=log, stderr=log)
    try:
        served.wait_ready("127.0.0.1", ports["smtp"], ports["imap"], process)
        yield process
    finally:
        served.stop(process)


def submit(port: int, subject: str, *to: str, options: tuple[str, ...] = ()) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.login("mox@localhost", "moxmoxmox")
        text = f"From: mox@localhost\r\nTo: {to[0]}\r\nMessage-ID: <{subject}@us.example>\r\n"
        text += f"Subject: {subject}\r\n\r\nGr\u00fc\u00dfe\r\n.\r\n"
        client.sendmail("mox@localhost", to, text.encode(), ["BODY=8BITMIME"], options)


def notices(port: int, count: int) -> list[str]:
    deadline = time.monotonic() + 30
    with imaplib.IMAP4("127.0.0.1", port, timeout=20) as client:
        client.login("mox@localhost", "moxmoxmox")
        while int(client.select("INBOX")[1][0]) < count:
            assert time.monotonic() < deadline, "a notice is missing"
            time.sleep(0.05)
        found = [one[1] for one in client.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(one, tuple)]
    return [message_from_bytes(one).as_string() for one in found]


def main() -> int:
    moxpy, work = Path(os.environ["MOXPY"]), Path(os.environ["WORK"])
    folder = work / "house"
    with served.running(moxpy, folder):
        pass  # Made, with its account and password.
    ports = {name: int(port) for name, port in map(str.split, (work / "house.ports").read_text().splitlines())}
    with names() as name_port, baseline.running(mechanisms="plain login scram-sha-256", main=MAIN) as postfix:
        (work / "resolv.conf").write_text(f"nameserver 127.0.0.1:{name_port}\n")
        maildir = Path(postfix.extra["maildir"])
        static = (folder / "moxpy.toml").read_text()
        static = static.replace('["localhost.crt"]', f'["localhost.crt", "{postfix.extra["certificate"]}"]')
        static = static.replace('hostname = "localhost"', 'hostname = "us.example"')
        (folder / "moxpy.toml").write_text(
            f'{static}\n[transports.smart.submission]\nhost = "localhost"\nport = {postfix.submission}\n'
            f'auth = {{ username = "{postfix.user}", password = "{postfix.password}" }}\n'
        )
        domains = (folder / "domains.toml").read_text()
        route = '[[routes]]\nto_domain = ["smart.example"]\ntransport = "smart"\n'
        more = "max_outgoing_messages_per_day = 100000\nmax_first_time_recipients_per_day = 100000\n"
        domains = domains.replace("[accounts.mox]\n", f"[accounts.mox]\n{more}")
        (folder / "domains.toml").write_text(route + domains)
        with forwarded(postfix.smtp):
            with serving(moxpy, folder, work / "resolv.conf", ports):
                submit(ports["submission"], "one", "x@them.example")
                submit(ports["submission"], "many", *(f"u{number}@them.example" for number in range(20)))
                submit(ports["submission"], "alias", "x@alias.example")
                submit(ports["submission"], "smart", "x@smart.example")
                submit(ports["submission"], "literal", f"x@[{HOST}]")
                submit(ports["submission"], "gone", "x@nowhere.example", "y@null.example")
                submit(ports["submission"], "told", "t@smart.example", options=("NOTIFY=SUCCESS",))
                found = in_maildir(maildir, 25)
                assert {name: len(some) for name, some in found.items()} == {
                    "one": 1,
                    "many": 20,
                    "alias": 1,
                    "smart": 1,
                    "told": 2,  # With Postfix's own notice of success to its sender.
                }, {name: len(some) for name, some in found.items()}
                ends = "\r\nGrüße\r\n.\r\n".encode()
                assert all(one.endswith(ends) for name in ("one", "many", "alias", "smart") for one in found[name])
                assert b"ESMTPS" in found["one"][0], "by TLS, though nobody vouches for it"
                assert b"ESMTPSA" in found["smart"][0], "by TLS, and logged in"
                told = notices(ports["imap"], 3)
                assert sum("5.1.2" in one and "nowhere.example does not exist" in one for one in told) == 1
                assert sum("5.1.10" in one and "null MX" in one for one in told) == 1
                (refused,) = (one for one in told if HOST in one)
                assert f"Remote-MTA: dns; {HOST}" in refused, refused
                assert "Diagnostic-Code: smtp; 554 5.7.1" in refused, refused
                print("by MX, by CNAME, by smarthost; refusals came back")
            killed(moxpy, folder, work, ports, maildir)
    done = subprocess.run([moxpy, "verifydata", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return 0


def killed(moxpy: Path, folder: Path, work: Path, ports: dict[str, int], maildir: Path) -> None:
    """Killed three times amid sending: everything arrives, and twice only what was between a 250 and our commit."""
    sent: list[str] = []
    for kill in range(KILLS):
        with contextlib.suppress(ProcessLookupError), serving(moxpy, folder, work / "resolv.conf", ports) as process:
            for number in range(BURST):
                domain = ("them", "alias", "smart")[number % 3]
                submit(ports["submission"], f"kill-{kill}-{number}", f"k{number}@{domain}.example")
                sent.append(f"kill-{kill}-{number}")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    with serving(moxpy, folder, work / "resolv.conf", ports):
        deadline = time.monotonic() + 60
        # What was being sent has an attempt behind it, and waits for the next one.
        while any(one["attempts"] == 0 for one in waiting(moxpy, folder)):
            assert time.monotonic() < deadline, "the queue does not go on"
            time.sleep(0.2)
        held = waiting(moxpy, folder)
    left = {one["subject"] for one in held}
    while True:  # Postfix delivers after it has said 250.
        found = {name: some for name, some in in_maildir(maildir, 0).items() if name.startswith("kill")}
        if found.keys() | left == set(sent) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    doubled = sum(map(len, found.values())) - len(found)
    print(f"killed {KILLS} times: {len(sent)} accepted, {len(found)} arrived, {doubled} twice, {len(left)} wait")
    assert found.keys() | left == set(sent)
    assert doubled + len(found.keys() & left) <= KILLS * 10, "one for each delivery that a kill has cut short, at most"


def waiting(moxpy: Path, folder: Path) -> list[dict[str, Any]]:
    command = [moxpy, "--json", "--config", folder / "moxpy.toml", "queue", "list"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


sys.exit(main())
