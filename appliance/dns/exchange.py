"""One question to one name server: UDP, and TCP where the answer did not fit (RFC 1035 §4.2, RFC 7766 §5).

A socket for each question, so that the system chooses an unpredictable port and drops what others send (RFC 5452 §9.2).
"""

import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import trio

from appliance.dns.limits import Limits
from appliance.dns.resolvconf import NameServer


class ExchangeFailed(Exception):
    """No usable answer came from this server; the text says why."""


class Strangers(ExchangeFailed):
    """Too many answers to other questions: somebody guesses."""


async def exchange(
    server: NameServer,
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    *,
    limits: Limits,
    tcp: bool,
    edns: bool = True,
) -> dns.message.Message:
    """The server's answer. Raises ExchangeFailed, OSError; the caller bounds the time."""
    query = _query(name, rdtype, limits, edns=edns)
    response = None
    if not tcp:
        try:
            response = await _udp(server, query, limits)
        except Strangers:
            tcp = True
    if tcp or (response is not None and response.flags & dns.flags.TC):
        response = await _tcp(server, query, limits)
    assert response is not None
    # An old server that knows no EDNS (RFC 6891 §7).
    if edns and response.rcode() in {dns.rcode.FORMERR, dns.rcode.NOTIMP} and response.edns < 0:
        return await exchange(server, name, rdtype, limits=limits, tcp=tcp, edns=False)
    return response


def _query(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, limits: Limits, *, edns: bool
) -> dns.message.QueryMessage:
    """DO asks for signatures, AD for the resolver's word on them (RFC 4035 §3.2.1, RFC 6840 §5.7).

    CD is left out: a resolver that validates shall look elsewhere for a good answer instead of giving us a bad one.
    """
    return dns.message.make_query(
        name,
        rdtype,
        flags=dns.flags.RD | dns.flags.AD,
        use_edns=0 if edns else -1,
        want_dnssec=edns,
        payload=limits.udp_octets,
    )


async def _udp(server: NameServer, query: dns.message.QueryMessage, limits: Limits) -> dns.message.Message:
    address = await _address(server, trio.socket.SOCK_DGRAM)
    with trio.socket.socket(address[0], trio.socket.SOCK_DGRAM) as sock:
        await sock.connect(address[1])
        await sock.send(query.to_wire())
        for _ in range(limits.strangers):
            octets = await sock.recv(65_535)
            if octets[:2] != struct.pack("!H", query.id):
                continue
            try:
                response = await _parse(octets, limits)
            except ExchangeFailed:
                continue  # Perhaps not from the server; its true answer may follow.
            if query.is_response(response):
                return response
    raise Strangers(f"{server} sends answers to other questions")


async def _tcp(server: NameServer, query: dns.message.QueryMessage, limits: Limits) -> dns.message.Message:
    response = await _parse(await over_tcp(server, query.to_wire()), limits)
    if not query.is_response(response):
        raise ExchangeFailed(f"{server} answers another question")
    if response.flags & dns.flags.TC:
        raise ExchangeFailed(f"{server} cuts its answer short by TCP too")
    return response


async def over_tcp(server: NameServer, message: bytes) -> bytes:
    """The message that answers a message. Raises ExchangeFailed, OSError; the caller bounds the time."""
    address = await _address(server, trio.socket.SOCK_STREAM)
    with trio.socket.socket(address[0], trio.socket.SOCK_STREAM) as sock:
        await sock.connect(address[1])
        stream = trio.SocketStream(sock)
        await stream.send_all(struct.pack("!H", len(message)) + message)
        (length,) = struct.unpack("!H", await _exactly(stream, 2, server))
        return await _exactly(stream, length, server)


async def _address(server: NameServer, kind: int) -> tuple[int, object]:
    """Family and address of the socket; nothing is looked up, but a scope gets its number."""
    flags = trio.socket.AI_NUMERICHOST | trio.socket.AI_NUMERICSERV
    found = await trio.socket.getaddrinfo(server.address, server.port, type=kind, flags=flags)
    return found[0][0], found[0][4]


async def _exactly(stream: trio.SocketStream, count: int, server: NameServer) -> bytes:
    octets = bytearray()
    while len(octets) < count:
        try:
            more = await stream.receive_some(count - len(octets))
        except trio.BrokenResourceError as error:
            raise ExchangeFailed(f"{server} broke the connection") from error
        if not more:
            raise ExchangeFailed(f"{server} closed the connection in the middle of an answer")
        octets += more
    return bytes(octets)


async def _parse(octets: bytes, limits: Limits) -> dns.message.Message:
    """The message; beyond a few records, taken apart in a thread. Raises ExchangeFailed."""
    if len(octets) < 12:
        raise ExchangeFailed("an answer without a header")
    if sum(struct.unpack("!3H", octets[6:12])) > limits.records:
        raise ExchangeFailed(f"an answer with more than {limits.records} records")
    if len(octets) <= limits.inline_octets:
        return parse(octets)
    return await trio.to_thread.run_sync(parse, octets, abandon_on_cancel=True)


def parse(octets: bytes) -> dns.message.Message:
    """A message from its octets. Raises ExchangeFailed when it is not one.

    Lenient: a record whose data makes no sense is left out, and stands in the message's `errors`; people publish such
    TLSA records, and the others are still theirs.
    """
    try:
        return dns.message.from_wire(octets)
    except WRONG as error:
        try:
            if not _is_whole(octets):
                raise ExchangeFailed(f"a malformed answer: {type(error).__name__}") from error
            return dns.message.from_wire(octets, continue_on_error=True)
        except WRONG as worse:
            raise ExchangeFailed(f"a malformed answer: {type(worse).__name__}") from worse


#: The library promises the first alone.
WRONG = (dns.exception.DNSException, ValueError, struct.error, IndexError, AssertionError, OverflowError)


def _is_whole(octets: bytes) -> bool:
    """Whether questions and records end where the octets end (RFC 1035 §4.1). Raises IndexError when far from it."""
    questions, *records = struct.unpack("!4H", octets[4:12])
    at = 12
    for _ in range(questions):
        at = _after_name(octets, at) + 4
    for _ in range(sum(records)):
        at = _after_name(octets, at) + 10
        at += int.from_bytes(octets[at - 2 : at], "big")
    return at == len(octets)


def _after_name(octets: bytes, at: int) -> int:
    """Where a name ends: at an empty label, or behind a pointer (RFC 1035 §4.1.4)."""
    while octets[at]:
        if octets[at] >= 0xC0:
            return at + 2
        at += 1 + octets[at]
    return at + 1
