"""The contexts of one listening socket, and with them its session ticket keys (RFC 5077, RFC 8446 §4.6.1).

OpenSSL makes the ticket keys of a context at random and keeps them to itself, and pyOpenSSL has no way to set them. So
keys are changed by changing contexts: every day there is a new one, and those of the last days stay for clients that
come back with one of their tickets. Whose ticket it is, its first octets tell: OpenSSL puts the name of the key there.
Nothing of it is ever written anywhere. Where there are to be no tickets, clients of TLS 1.3 have a context of `ssl`,
which alone can do without (`net/ticketless.py`).
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from OpenSSL import SSL

from appliance.base.clock import Clock
from appliance.net import clienthello
from appliance.net.clienthello import Hello
from appliance.net.connection import Choose
from appliance.net.tlsstream import Context
from appliance.tls.context import VERSIONS, Demands, KeyPair, server_context, ticketless_context

_DAY_MICROSECONDS: Final = 24 * 3600 * 1_000_000
#: Tickets are taken for so many days after their key was made; TLS 1.3 allows no more (RFC 8446 §4.6.1).
TICKET_DAYS: Final = 7
#: Octets of the name of a key, as RFC 5077 §4 recommends and OpenSSL does.
_NAME_OCTETS: Final = 16


@dataclass(slots=True)
class _Generation:
    """The context of one day."""

    day: int
    context: SSL.Context
    #: Name of its ticket key, known when its day is over.
    key_name: bytes = b""
    #: For TLS 1.3 without tickets.
    ticketless: ssl.SSLContext | None = None


class SocketContexts:
    """Has the contexts for every ClientHello that comes to a listening socket."""

    def __init__(self, demands: Demands, clock: Clock) -> None:
        self._demands = demands
        self._clock = clock
        #: By key pair, newest first.
        self._generations: dict[KeyPair, list[_Generation]] = {}

    def choose(self, pair: KeyPair, hello: Hello) -> Context:
        """The context to answer with, for the key pair that was chosen."""
        generations = self._generations.get(pair, [])
        day = self._clock.microseconds() // _DAY_MICROSECONDS
        if not generations or (self._demands.tickets and day > generations[0].day):
            generations = self._begin(generations, pair, day)
        if len(generations) > 1 and hello.ticket:
            name = hello.ticket[:_NAME_OCTETS]
            for old in generations[1:]:
                if old.key_name == name:
                    return old.context
        if not self._demands.tickets and VERSIONS["TLSv1.3"] in hello.versions:
            newest = generations[0]
            newest.ticketless = newest.ticketless or ticketless_context(pair, self._demands)
            return newest.ticketless
        return generations[0].context

    def _begin(self, earlier: list[_Generation], pair: KeyPair, day: int) -> list[_Generation]:
        """A new generation with those before it that still count."""
        if earlier:
            earlier[0].key_name = ticket_key_name(earlier[0].context)
        first = day - TICKET_DAYS
        kept = [old for old in earlier if old.day >= first]
        # Pairs that were renewed are not asked for any more, and nobody else tells us.
        self._generations = {other: found for other, found in self._generations.items() if found[0].day >= first}
        new = self._generations[pair] = [_Generation(day, server_context(pair, self._demands)), *kept]
        return new


def by_name(pair: Callable[[str], KeyPair], contexts: SocketContexts) -> Choose:
    """Chooses among certificates that are there; `pair` has them by name, empty when none was named."""

    async def choose(hello: Hello) -> Context:
        return contexts.choose(pair(hello.server_name), hello)

    return choose


def ticket_key_name(context: SSL.Context) -> bytes:
    """The name of a context's ticket key: from a ticket it gave to a client of our own, in memory.

    Some 2 ms. Empty when it gives none.
    """
    ours = SSL.Context(SSL.TLS_CLIENT_METHOD)
    ours.set_min_proto_version(SSL.TLS1_VERSION)
    ours.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    ours.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
    ours.set_verify(SSL.VERIFY_NONE)
    client, server = SSL.Connection(ours, None), SSL.Connection(context, None)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(4):  # Flights of a handshake, and the tickets after it.
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
                one.recv(1)
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65_536))
            except SSL.WantReadError:
                pass
    session = client.get_session()
    if session is None:
        return b""
    again = SSL.Connection(ours, None)
    again.set_connect_state()
    again.set_session(session)
    try:
        again.do_handshake()
    except SSL.WantReadError:
        pass
    hello = clienthello.parse(again.bio_read(65_536))
    return hello.ticket[:_NAME_OCTETS] if hello is not None else b""
