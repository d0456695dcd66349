"""Let's Encrypt's test authority Pebble (Debian: pebble), with a name server that it and we ask; all on loopback."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.rrset

from support import programs, served
from support.authority import Authority

HOST = "127.0.0.1"
#: The name of its certificate, by which it is asked.
NAME = "acme.test"
READY_SECONDS = 20
#: Records by absolute name and type.
Zone = dict[tuple[str, str], list[str]]


@dataclass(frozen=True)
class Pebble:
    directory: str
    #: PEM file of who vouches for its web server.
    authority: Path
    #: PEM file of who vouches for what it issues.
    root: Path
    #: Where it looks for answers.
    http_port: int
    tls_port: int
    log: Path


@contextlib.contextmanager
def names(zone: Zone, elsewhere: Callable[[str, str], list[str]] = lambda name, kind: []) -> Iterator[int]:
    """A name server of a zone, until left; its port. What it does not have may be `elsewhere`. It follows aliases."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))

        def answer(octets: bytes) -> bytes:
            query = dns.message.from_wire(octets)
            response = dns.message.make_response(query, recursion_available=True)
            name, kind = query.question[0].name.to_text().lower(), query.question[0].rdtype.name
            if kind != "CNAME" and (alias := zone.get((name, "CNAME"))):
                response.answer.append(dns.rrset.from_text(name, 1, "IN", "CNAME", *alias))
                name = alias[0]
            if found := zone.get((name, kind)) or elsewhere(name, kind):
                response.answer.append(dns.rrset.from_text(name, 1, "IN", kind, *found))
            elif not any(known.endswith(name) for known, _ in zone):
                response.set_rcode(dns.rcode.NXDOMAIN)
            return response.to_wire()

        def serve() -> None:
            while (received := sock.recvfrom(4096))[0] != b"end":
                sock.sendto(answer(received[0]), received[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            sock.sendto(b"end", sock.getsockname())
            thread.join()


def ask(port: int, name: str, kind: str) -> list[str]:
    """The records that a server of this machine has."""
    response = dns.query.udp(dns.message.make_query(name, kind), HOST, port=port, timeout=5)
    return [record.to_text() for rrset in response.answer for record in rrset]


@contextlib.contextmanager
def running(
    folder: Path, name_server: str, *, bindings: dict[str, str] | None = None, seconds: int = 0
) -> Iterator[Pebble]:
    """Until left. `bindings`: keys of external accounts, which are required then; `seconds` that certificates count."""
    programs.require({"pebble": "pebble"})
    folder.mkdir()
    vouching = Authority()
    pair = vouching.key_pair(NAME, "localhost")
    (folder / "chain.pem").write_bytes(pair.chain)
    (folder / "key.pem").write_bytes(pair.key)
    authority = folder / "authority.pem"
    authority.write_bytes(pair.chain[pair.chain.rindex(b"-----BEGIN") :])
    port, management, http_port, tls_port = served.free_ports(4)
    settings: dict[str, Any] = {
        "listenAddress": f"{HOST}:{port}",
        "managementListenAddress": f"{HOST}:{management}",
        "certificate": str(folder / "chain.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": http_port,
        "tlsPort": tls_port,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": bindings is not None,
        "externalAccountMACKeys": bindings or {},
    }
    if seconds:
        settings["certificateValidityPeriod"] = seconds
    (folder / "config.json").write_text(json.dumps({"pebble": settings}))
    environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "30", "PEBBLE_AUTHZREUSE": "0"}
    log = folder / "pebble.log"
    command = ["pebble", "-config", str(folder / "config.json"), "-dnsserver", name_server]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        root = folder / "root.pem"
        root.write_bytes(_ask(f"https://localhost:{management}/roots/0", process))
        yield Pebble(f"https://{NAME}:{port}/dir", authority, root, http_port, tls_port, log)
    finally:
        process.terminate()
        process.wait(10)


def _ask(url: str, process: "subprocess.Popen[bytes]") -> bytes:
    context = ssl._create_unverified_context()
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, context=context, timeout=5) as response:
                return response.read()
        except OSError:
            assert process.poll() is None, "pebble has ended"
            assert time.monotonic() < deadline, "pebble does not answer"
            time.sleep(0.05)


@contextlib.contextmanager
def bind(folder: Path, zone: str) -> Iterator[tuple[int, str]]:
    """Debian's named with a zone that may be changed with a key `acme` (RFC 2136): its port, the secret in base64."""
    programs.require({"named": "bind9", "tsig-keygen": "bind9"})
    folder.mkdir()
    key = subprocess.run(
        ["tsig-keygen", "-a", "hmac-sha256", "acme"], capture_output=True, text=True, check=True
    ).stdout
    secret = key.partition('secret "')[2].partition('"')[0]
    (port,) = served.free_ports(1)
    head = "$TTL 5\n@ SOA ns root 1 7200 900 1209600 5\n@ NS ns\nns A 127.0.0.1\n"
    (folder / "zone").write_text(head)
    (folder / "named.conf").write_text(
        f'{key}\noptions {{ directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session";'
        f" listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no; recursion no; }};\n"
        f'controls {{ }};\nzone "{zone}" {{ type primary; file "zone"; allow-update {{ key acme; }}; }};\n'
    )
    with (folder / "named.log").open("wb") as log:
        process = subprocess.Popen(
            ["named", "-g", "-n", "1", "-c", str(folder / "named.conf")], stdout=log, stderr=log
        )  # fmt: skip
    try:
        deadline = time.monotonic() + READY_SECONDS
        while b" running" not in (folder / "named.log").read_bytes():
            assert process.poll() is None, (folder / "named.log").read_text()
            assert time.monotonic() < deadline, "named does not run"
            time.sleep(0.05)
        yield port, secret
    finally:
        process.terminate()
        process.wait(10)
