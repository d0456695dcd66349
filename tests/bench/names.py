"""A name server on the loopback for the senders of the benchmark: everything about them, and nothing about others."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from support import dkimkeys

#: Domains that write to us are `d0`, `d1` … below this, their hosts `mx-127-0-0-1` and so on, by address.
ZONE = "senders.example"
RSA_BITS = 2048
TTL_SECONDS = 3600


def domain(number: int) -> str:
    """A domain that sends."""
    return f"d{number}.{ZONE}"


def host(address: str) -> str:
    """What the client at an address of the loopback is called."""
    return f"mx-{address.replace('.', '-')}.{ZONE}"


def _text(value: str) -> str:
    """A TXT record of strings of at most 255 octets (RFC 1035 §3.3)."""
    return " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))


def records(name: str) -> dict[str, list[str]]:
    """All there is at a name, in presentation format by type; empty for a name that is not there."""
    if match := re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\.127\.in-addr\.arpa", name):
        address = ".".join(("127", *match.groups()[::-1]))
        return {"PTR": [f"{host(address)}."]}
    if match := re.fullmatch(rf"mx-(127-\d+-\d+-\d+)\.{re.escape(ZONE)}", name):
        return {"A": [match[1].replace("-", ".")], "TXT": [_text("v=spf1 a -all")]}
    if match := re.fullmatch(rf"(|_dmarc\.|(?:rsa|ed)\._domainkey\.)d\d+\.{re.escape(ZONE)}", name):
        if match[1] == "":
            return {"MX": [f"10 {host('127.0.0.1')}."], "TXT": [_text(f"v=spf1 include:_spf.{ZONE} -all")]}
        if match[1] == "_dmarc.":
            return {"TXT": [_text(f"v=DMARC1; p=reject; adkim=s; rua=mailto:dmarc@{name.removeprefix('_dmarc.')}")]}
        key, kind = (dkimkeys.ed25519_key(), "ed25519") if name[0] == "e" else (dkimkeys.rsa_key(RSA_BITS), "rsa")
        return {"TXT": [_text(f"v=DKIM1; k={kind}; p={dkimkeys.published(key)}")]}
    if name == f"_spf.{ZONE}":
        return {"TXT": [_text("v=spf1 ip4:192.0.2.0/24 ip4:127.0.0.0/8 -all")]}
    return {}


def answer(octets: bytes) -> bytes:
    """The response to a query. Denials may be kept for an hour (RFC 2308 §5)."""
    query = dns.message.from_wire(octets)
    response = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    found = records(question.name.to_text(omit_final_dot=True).lower())
    texts = found.get(dns.rdatatype.to_text(question.rdtype), [])
    if texts:
        response.answer.append(dns.rrset.from_text(question.name, TTL_SECONDS, "IN", question.rdtype, *texts))
    else:
        soa = f"ns.{ZONE}. hostmaster.{ZONE}. 1 3600 3600 3600 {TTL_SECONDS}"
        response.authority.append(dns.rrset.from_text(f"{ZONE}.", TTL_SECONDS, "IN", "SOA", soa))
        if not found:
            response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """Answers by UDP until left; the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

        def run() -> None:
            while True:
                octets, peer = sock.recvfrom(65_535)
                if not octets:
                    return
                sock.sendto(answer(octets), peer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
                end.sendto(b"", ("127.0.0.1", port))
            thread.join()
