"""A name server on loopback in a thread of its own, whose answers are what it is given, and authentic."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@contextmanager
def name_server(
    records: Mapping[tuple[str, str], Sequence[str]], *, authentic: bool = True, failing: str = ""
) -> Iterator[str]:
    """Its address and port. Keys are absolute name and type; what is missing does not exist.

    Questions about names that contain `failing` have no answer.
    """

    def respond(octets: bytes) -> bytes:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        response = dns.message.make_response(query, recursion_available=True)
        if authentic:
            response.flags |= dns.flags.AD
        name = question.name.to_text()
        found = records.get((name, dns.rdatatype.to_text(question.rdtype)))
        if found is not None:
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", question.rdtype, *found))
        elif failing and failing in name:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                octets, peer = sock.recvfrom(4096)
                if octets == b"stop":
                    return
                sock.sendto(respond(octets), peer)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield "{}:{}".format(*sock.getsockname())
        finally:
            sock.sendto(b"stop", sock.getsockname())
            thread.join(10)
