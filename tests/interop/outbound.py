"""A whole `moxpy serve` that sends to foreign servers: what its cases share.

The names come from a name server of the case's, which the program finds in a resolv.conf of its own (in a mount
namespace); so it needs root.
"""

import contextlib
import imaplib
import json
import smtplib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rrset

from support import served

#: Where the hosts of other domains are, port 25 by MX.
HOST = "127.0.0.25"
#: Records by name and type.
Zone = Mapping[tuple[str, str], list[str]]


def made(moxpy: Path, folder: Path) -> dict[str, int]:
    """A house in `folder`, with its account and password; its ports."""
    with served.running(moxpy, folder):
        pass
    lines = folder.with_name(f"{folder.name}.ports").read_text().splitlines()
    return {name: int(port) for name, port in map(str.split, lines)}


def named_us(folder: Path, certificate: str) -> None:
    """The house is us.example, and trusts the authority of a file."""
    static = (folder / "moxpy.toml").read_text()
    static = static.replace('["localhost.crt"]', f'["localhost.crt", "{certificate}"]')
    (folder / "moxpy.toml").write_text(static.replace('hostname = "localhost"', 'hostname = "us.example"'))


def answer(zone: Zone, octets: bytes) -> bytes:
    query = dns.message.from_wire(octets)
    response = dns.message.make_response(query, recursion_available=True)
    name, kind = query.question[0].name.to_text().lower(), query.question[0].rdtype.name
    while True:
        if found := zone.get((name, "CNAME")):
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", *found))
            name = found[0]
            continue
        if found := zone.get((name, kind)):
            response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *found))
        elif not any(known.endswith(name) for known, _ in zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@contextlib.contextmanager
def names(zone: Zone) -> Iterator[int]:
    """A name server, until left; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    octets, peer = sock.recvfrom(4096)
                    if octets == b"end":
                        return
                    sock.sendto(answer(zone, octets), peer)

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


def waiting(moxpy: Path, folder: Path) -> list[dict[str, Any]]:
    command = [moxpy, "--json", "--config", folder / "moxpy.toml", "queue", "list"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
