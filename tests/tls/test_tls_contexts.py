"""Contexts of a listening socket: session tickets whose keys change every day."""

import ssl
from datetime import UTC, datetime

import pytest
from OpenSSL import SSL

from appliance.net.clienthello import Hello, HelloReader
from appliance.net.connection import UnknownName
from appliance.net.tlsstream import Context
from appliance.tls.context import Demands, KeyPair
from appliance.tls.contexts import TICKET_DAYS, SocketContexts, by_name, ticket_key_name
from support.clock import StandingClock
from support.streams import key_pair

DAY = 24 * 3600
VERSIONS = pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])


class Ours:
    """The contexts of a socket that has one certificate at a time."""

    def __init__(self, pair: list[KeyPair], demands: Demands, clock: StandingClock) -> None:
        self.contexts, self.pair = SocketContexts(demands, clock), pair

    def choose(self, hello: Hello) -> Context:
        return self.contexts.choose(self.pair[0], hello)


class Client:
    """Connects in memory, with the session of the last time."""

    def __init__(self, version: int) -> None:
        self.context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.context.set_min_proto_version(version)
        self.context.set_max_proto_version(version)
        self.context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
        self.session: SSL.Session | None = None

    def connect(self, contexts: Ours) -> bool:
        """Whether the session was resumed."""
        client = SSL.Connection(self.context, None)
        client.set_connect_state()
        client.set_tlsext_host_name(b"localhost")
        if self.session is not None:
            client.set_session(self.session)
        with pytest.raises(SSL.WantReadError):
            client.do_handshake()
        octets = client.bio_read(65_536)
        hello = HelloReader().feed(octets)
        assert hello is not None
        context = contexts.choose(hello)
        assert isinstance(context, SSL.Context)
        server = SSL.Connection(context, None)
        server.set_accept_state()
        server.bio_write(octets)
        for _ in range(4):
            for one, other in ((server, client), (client, server)):
                try:
                    one.do_handshake()
                    one.recv(1)
                except SSL.WantReadError:
                    pass
                try:
                    other.bio_write(one.bio_read(65_536))
                except SSL.WantReadError:
                    pass
        self.session = client.get_session()
        client.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)  # Or OpenSSL spoils the session.
        return bool(SSL._lib.SSL_session_reused(server._ssl))  # type: ignore[attr-defined]


def contexts(clock: StandingClock, **demands: bool) -> Ours:
    return Ours([key_pair()], Demands(**demands), clock)


@VERSIONS
@pytest.mark.parametrize("asking", [True, False], ids=["client keys", "none"])
def test_tickets_are_taken_for_days(version: int, asking: bool):
    clock = StandingClock(datetime(2026, 11, 1, tzinfo=UTC))
    ours = contexts(clock, client_certificate=asking)
    client = Client(version)
    assert [client.connect(ours), client.connect(ours)] == [False, True]
    for _ in range(TICKET_DAYS):
        clock.move(DAY)
        ours.choose(Hello())  # Others come every day.
        assert client.connect(ours)
    clock.move(DAY)
    ours.choose(Hello())
    assert not client.connect(ours)
    assert client.connect(ours)


def test_keys_change_every_day():
    clock = StandingClock()
    ours = contexts(clock)
    first = ours.choose(Hello())
    assert ours.choose(Hello()) is first
    assert isinstance(first, SSL.Context)
    clock.move(DAY)
    second = ours.choose(Hello())
    assert second is not first
    assert isinstance(second, SSL.Context)
    assert ticket_key_name(first) != ticket_key_name(second)
    assert ours.choose(Hello(ticket=ticket_key_name(first) + b"and more")) is first
    assert ours.choose(Hello(ticket=b"x" * 200)) is second


@VERSIONS
def test_another_socket_has_other_keys(version: int):
    clock = StandingClock()
    client = Client(version)
    client.connect(contexts(clock))
    assert not client.connect(contexts(clock))


@pytest.mark.parametrize(
    ("versions", "standard"),
    [
        pytest.param((0x0303,), False, id="1.2"),
        pytest.param((0x0304,), True, id="1.3"),
        pytest.param((0x2A2A, 0x0304, 0x0303), True, id="both"),
    ],
)
def test_no_tickets(versions: tuple[int, ...], standard: bool):
    clock = StandingClock()
    ours = contexts(clock, tickets=False)
    client = Client(SSL.TLS1_2_VERSION)
    assert [client.connect(ours), client.connect(ours)] == [False, False]
    context = ours.choose(Hello(versions=versions))
    assert isinstance(context, ssl.SSLContext) == standard
    clock.move(30 * DAY)
    assert ours.choose(Hello(versions=versions)) is context


def test_no_tickets_for_a_renewed_certificate_either():
    pair: list[KeyPair] = [key_pair()]
    ours = Ours(pair, Demands(tickets=False), StandingClock())
    first = ours.choose(Hello(versions=(0x0304,)))
    pair[0] = key_pair("mx.example.org")
    second = ours.choose(Hello(versions=(0x0304,)))
    assert isinstance(second, ssl.SSLContext)
    assert second is not first


def test_key_names():
    clock = StandingClock()
    for context in (contexts(clock).choose(Hello()), contexts(clock, client_certificate=True).choose(Hello())):
        assert isinstance(context, SSL.Context)
        assert len(ticket_key_name(context)) == 16


def test_renewed_certificates_get_contexts_of_their_own_and_old_ones_are_forgotten():
    clock = StandingClock()
    pair: list[KeyPair] = [key_pair()]
    ours = Ours(pair, Demands(), clock)
    first = ours.choose(Hello())
    pair[0] = key_pair("mx.example.org")
    assert ours.choose(Hello()) is not first
    clock.move((TICKET_DAYS + 1) * DAY)
    ours.choose(Hello())
    assert list(ours.contexts._generations) == pair


async def test_unknown_names_are_told():
    def unknown(name: str) -> KeyPair:
        raise UnknownName(name)

    with pytest.raises(UnknownName):
        await by_name(unknown, SocketContexts(Demands(), StandingClock()))(Hello("nobody.example"))
