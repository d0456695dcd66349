"""Ways to a name server of tests: in memory, and by UDP and TCP on the loopback."""

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import trio

from appliance.dns.exchange import parse
from appliance.dns.resolvconf import NameServer

Respond = Callable[[dns.message.Message], dns.message.Message | None]


def in_memory(respond: Respond) -> Any:
    """An exchange without sockets. What travels is octets all the same. Silence is silence."""

    async def exchange(
        server: NameServer, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, **_: Any
    ) -> dns.message.Message:
        await trio.lowlevel.checkpoint()
        query = dns.message.make_query(name, rdtype, use_edns=0, want_dnssec=True, flags=dns.flags.RD | dns.flags.AD)
        response = respond(query)
        if response is None:
            await trio.sleep_forever()
        return parse(response.to_wire(max_size=65_535))

    return exchange


@asynccontextmanager
async def serving(
    udp: Callable[[bytes], list[bytes]], tcp: Callable[[bytes], bytes | None] | None = None
) -> AsyncIterator[NameServer]:
    """A server on the loopback: each datagram gets the given datagrams; a TCP query, octets as they are, or the end."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
        listeners = []
        if tcp is None:
            await sock.bind(("127.0.0.1", 0))
        else:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            await sock.bind(listeners[0].socket.getsockname())
        port = sock.getsockname()[1]

        async def datagrams() -> None:
            while True:
                octets, peer = await sock.recvfrom(65_535)
                for answer in udp(octets):
                    await sock.sendto(answer, peer)

        async def connection(stream: trio.SocketStream) -> None:
            async with stream:
                octets = b""
                while len(octets) < 2 or len(octets) < 2 + struct.unpack("!H", octets[:2])[0]:
                    more = await stream.receive_some(4096)
                    if not more:
                        return
                    octets += more
                assert tcp is not None
                answer = tcp(octets[2:])
                if answer is not None:
                    await stream.send_all(answer)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(datagrams)
            if tcp is not None:
                nursery.start_soon(trio.serve_listeners, connection, listeners)
            yield NameServer("127.0.0.1", port)
            nursery.cancel_scope.cancel()
