"""Look-ups over the network: what is asked of whom, what is kept, what failures are called."""

import struct
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio
from msgspec import structs

from appliance.dns.answers import MX, SOA, SRV, TLSA, Type
from appliance.dns.exchange import ExchangeFailed, exchange
from appliance.dns.limits import NETWORK
from appliance.dns.network import Network
from appliance.dns.problems import AliasLoop, Bogus, LookupTimeout, NotAtHand, NotFound, Temporary
from appliance.dns.rdata import name_of
from appliance.dns.resolvconf import Configuration, NameServer
from appliance.dns.resolver import Resolver
from support.clock import StandingClock
from support.nameserver import in_memory, serving

SERVER, OTHER = NameServer("192.0.2.53"), NameServer("192.0.2.54")
RECORDS = f"""\
example.org. 300 IN MX 10 MX.example.org.
example.org. 300 IN MX 20 192.0.2.1.
example.org. 300 IN TXT "v=spf1 " "-all"
example.org. 300 IN TXT "\\195\\164"
example.org. 300 IN TXT "\\228"
example.org. 300 IN NS ns.example.org.
example.org. 300 IN SOA ns.example.org. root.example.org. 7 1 1 1 60
null.example.org. 300 IN MX 0 .
bad.example.org. 300 IN MX 0 192.0.2.1.
mx.example.org. 300 IN A 192.0.2.1
mx.example.org. 300 IN A 192.0.2.2
mx.example.org. 120 IN AAAA 2001:db8::1
zero.example.org. 0 IN A 192.0.2.1
_25._tcp.mx.example.org. 300 IN TLSA 3 1 1 {"ab" * 32}
_imap._tcp.example.org. 300 IN SRV 0 1 143 mx.example.org.
_pop3._tcp.example.org. 300 IN SRV 0 0 0 .
1.2.0.192.in-addr.arpa. 300 IN PTR mx.example.org.
www.example.org. 30 IN CNAME alias.example.org.
alias.example.org. 300 IN CNAME mx.example.org.
a.loop.example.org. 300 IN CNAME b.loop.example.org.
b.loop.example.org. 300 IN CNAME a.loop.example.org.
"""


class Names:
    """An unsigned server of one zone, which counts questions."""

    def __init__(self, text: str = RECORDS, *, ad: bool = False) -> None:
        self.sets: dict[tuple[str, str], dns.rrset.RRset] = {}
        for line in text.splitlines():
            owner, ttl, _, kind, data = line.split(" ", 4)
            made = dns.rrset.from_text(owner, int(ttl), "IN", kind, data)
            known = self.sets.setdefault((owner, kind), made)
            known.update(made)
        self.asked: list[tuple[str, str]] = []
        self.soa = True
        self.ad = ad

    def __call__(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        owner, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((owner, kind))
        response = dns.message.make_response(query, recursion_available=True)
        if self.ad:
            response.flags |= dns.flags.AD
        for _ in range(3):
            found = self.sets.get((owner, kind)) or self.sets.get((owner, "CNAME"))
            if found is None:
                break
            if found not in response.answer:
                response.answer.append(found)
            if found.rdtype == question.rdtype:
                return response
            owner = found[0].target.to_text()
        if not response.answer and not any(name == owner for name, _ in self.sets):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self.soa:
            response.authority.append(self.sets["example.org.", "SOA"])
        return response


def resolver(respond: Any, *, servers: tuple[NameServer, ...] = (SERVER,), **options: Any) -> Resolver:
    settings = {"configuration": Configuration(servers, 5, 2), "clock": StandingClock(), "exchange": in_memory(respond)}
    network = Network(**(settings | options))
    return Resolver(network, kept=network.kept)


@pytest.mark.parametrize(
    ("name", "type", "records"),
    [
        ("example.org", Type.MX, (MX(10, "mx.example.org"),)),
        ("null.example.org", Type.MX, (MX(0, ""),)),
        ("bad.example.org", Type.MX, ()),
        ("example.org", Type.TXT, ("v=spf1 -all", "ä", "ä")),
        ("example.org", Type.NS, ("ns.example.org",)),
        ("example.org", Type.SOA, (SOA("ns.example.org", 7),)),
        ("mx.example.org", Type.A, (ip_address("192.0.2.1"), ip_address("192.0.2.2"))),
        ("MX.EXAMPLE.ORG.", Type.AAAA, (ip_address("2001:db8::1"),)),
        ("_25._tcp.mx.example.org", Type.TLSA, (TLSA(3, 1, 1, b"\xab" * 32),)),
        ("_imap._tcp.example.org", Type.SRV, (SRV(0, 1, 143, "mx.example.org"),)),
        ("_pop3._tcp.example.org", Type.SRV, (SRV(0, 0, 0, ""),)),
        ("1.2.0.192.in-addr.arpa", Type.PTR, ("mx.example.org",)),
        ("alias.example.org", Type.CNAME, ("mx.example.org",)),
        ("www.example.org", Type.A, (ip_address("192.0.2.1"), ip_address("192.0.2.2"))),
    ],
)
async def test_records(name: str, type: Type, records: tuple[Any, ...]) -> None:
    answer = await resolver(Names()).lookup(name, type)
    assert sorted(answer.records, key=str) == sorted(records, key=str)  # The library shuffles them.


async def test_what_makes_no_sense_is_told_apart() -> None:
    answer = await resolver(Names()).mx("example.org")
    assert answer.malformed == ("20 192.0.2.1.",)
    assert (await resolver(Names()).mx("bad.example.org")).malformed == ("0 192.0.2.1.",)


@pytest.mark.parametrize("good", [0, 1])
async def test_records_that_cannot_be_read(good: int) -> None:
    """A digest of the wrong length: the library refuses the record, we keep the others."""
    names = Names()
    wrong = dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.TLSA, b"\x03\x01\x01\xab\xcd")
    usual = names.sets["_25._tcp.mx.example.org.", "TLSA"]
    mixed = dns.rrset.from_rdata_list(usual.name, 300, [*list(usual)[:good], wrong])
    names.sets["_25._tcp.mx.example.org.", "TLSA"] = mixed
    answer = await resolver(names).lookup("_25._tcp.mx.example.org", Type.TLSA)
    assert (len(answer.records), len(answer.malformed)) == (good, 1)


async def test_aliases() -> None:
    answer = await resolver(Names()).a("www.example.org")
    assert answer.aliases == ("alias.example.org", "mx.example.org")
    assert answer.ttl_seconds == 30
    with pytest.raises(NotFound) as caught:
        await resolver(Names()).txt("www.example.org")
    assert (caught.value.name, caught.value.exists) == ("mx.example.org", True)
    with pytest.raises(AliasLoop):
        await resolver(Names()).a("a.loop.example.org")


async def test_too_many_aliases() -> None:
    chain = "".join(f"n{at}.example.org. 300 IN CNAME n{at + 1}.example.org.\n" for at in range(12))
    names = Names(RECORDS + chain)

    def respond(query: dns.message.Message) -> dns.message.Message:
        response = names(query)
        response.answer[:] = [names.sets[f"n{at}.example.org.", "CNAME"] for at in range(12)]
        return response

    with pytest.raises(AliasLoop):
        await resolver(respond).a("n0.example.org")


@pytest.mark.parametrize(("name", "exists"), [("mx.example.org", True), ("nobody.example.org", False)])
async def test_absence(name: str, exists: bool) -> None:
    with pytest.raises(NotFound) as caught:
        await resolver(Names()).mx(name)
    assert (caught.value.exists, caught.value.authentic) == (exists, False)


async def test_localhost_is_asked_of_nobody() -> None:
    """RFC 6761 §6.3."""
    names = Names()
    answer = await resolver(names).addresses("localhost")
    assert [str(record) for record in answer.records] == ["::1", "127.0.0.1"]
    with pytest.raises(NotFound):
        await resolver(names).mx("www.localhost")
    assert not names.asked


# What is kept.


async def test_answers_are_kept_as_long_as_they_say() -> None:
    names, clock = Names(), StandingClock()
    ask = resolver(names, clock=clock)
    assert (await ask.a("www.example.org")).ttl_seconds == 30
    clock.move(10)
    assert (await ask.a("WWW.example.org.")).ttl_seconds == 20
    assert len(names.asked) == 1
    clock.move(21)
    assert (await ask.a("www.example.org")).ttl_seconds == 30
    assert len(names.asked) == 2


@pytest.mark.parametrize(
    ("soa", "seconds"), [pytest.param(True, 60, id="as the SOA says"), pytest.param(False, 1, id="without SOA")]
)
async def test_denials_are_kept(soa: bool, seconds: int) -> None:
    """RFC 2308 §5: the SOA's minimum or its TTL, whichever is less."""
    names, clock = Names(), StandingClock()
    names.soa = soa
    ask = resolver(names, clock=clock)
    for moved, count in ((0, 1), (seconds - 0.5, 1), (1, 2)):
        clock.move(moved)
        with pytest.raises(NotFound):
            await ask.a("nobody.example.org")
        assert len(names.asked) == count


async def test_failures_are_kept_for_a_moment() -> None:
    clock = StandingClock()
    asked = 0

    def respond(query: dns.message.Message) -> dns.message.Message:
        nonlocal asked
        asked += 1
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(dns.rcode.SERVFAIL)
        return response

    ask = resolver(respond, clock=clock)
    for moved, count in ((0, 1), (1, 1), (15, 2)):
        clock.move(moved)
        with pytest.raises(Temporary, match="SERVFAIL"):
            await ask.a("example.org")
        assert asked == count


async def test_what_is_at_hand_is_told_without_waiting() -> None:
    """And nobody is asked for anything else."""
    names, clock = Names(), StandingClock()
    ask = resolver(names, clock=clock)
    at_hand = ask.named("spf").at_hand()
    assert at_hand is not None
    at_hand = at_hand.named("spf")
    assert at_hand.is_at_hand
    assert not ask.is_at_hand
    for name in ("www.example.org", "nobody.example.org"):
        with pytest.raises(NotAtHand):
            await at_hand.a(name)
    assert (await at_hand.a("localhost")).records == (ip_address("127.0.0.1"),)
    assert not names.asked
    known = await ask.a("www.example.org")
    with pytest.raises(NotFound):
        await ask.a("nobody.example.org")
    clock.move(10)
    found = await at_hand.a("WWW.example.org.")
    assert found == structs.replace(known, ttl_seconds=20)
    with pytest.raises(NotFound):
        await at_hand.a("nobody.example.org")
    with pytest.raises(NotAtHand):  # Whether it is authentic takes asking.
        await at_hand.a("www.example.org", dnssec=True)
    clock.move(21)
    with pytest.raises(NotAtHand):
        await at_hand.a("www.example.org")
    assert len(names.asked) == 2
    assert Resolver(Network(clock)).at_hand() is None


async def test_the_cache_has_an_end() -> None:
    names = Names()
    ask = resolver(names, limits=replace(NETWORK, cached=2))
    for name in ("mx.example.org", "www.example.org", "zero.example.org", "mx.example.org"):
        await ask.a(name)
    assert len(names.asked) == 4


async def test_who_asks_the_same_at_the_same_time_shares_the_answer() -> None:
    names, clock = Names(), StandingClock()
    ask = resolver(names, clock=clock)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask.a, "zero.example.org")
    assert len(names.asked) == 1


async def test_one_who_gives_up_leaves_the_others_an_answer() -> None:
    asked = 0
    names = Names()

    def respond(query: dns.message.Message) -> dns.message.Message | None:
        nonlocal asked
        asked += 1
        return names(query) if asked > 1 else None

    ask = resolver(respond)
    answers = []

    async def impatient() -> None:
        with trio.CancelScope() as scope:
            gives_up.append(scope)
            await ask.a("mx.example.org")

    async def patient() -> None:
        answers.append(await ask.a("mx.example.org"))

    gives_up: list[trio.CancelScope] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(impatient)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(patient)
        await trio.testing.wait_all_tasks_blocked()
        gives_up[0].cancel()
    assert asked == 2
    assert ip_address("192.0.2.1") in answers[0].records


# Several servers, and failures.


class Servers:
    """An exchange that behaves as each server is told to."""

    def __init__(self, **behaviour: Any) -> None:
        self.asked: list[str] = []
        self.by_address = {SERVER.address: behaviour["first"], OTHER.address: behaviour["second"]}

    async def __call__(self, server: NameServer, *arguments: Any, **options: Any) -> dns.message.Message:
        self.asked.append(server.address[-2:])
        does = self.by_address[server.address]
        if isinstance(does, Exception):
            raise does
        return await in_memory(does)(server, *arguments, **options)


def fails(rcode: dns.rcode.Rcode, *errors: dns.edns.EDEOption) -> Callable[[dns.message.Message], dns.message.Message]:
    def respond(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(rcode)
        response.use_edns(0, options=list(errors))
        return response

    return respond


def silent(_: dns.message.Message) -> None:
    return None


def lame(query: dns.message.Message) -> dns.message.Message:
    return dns.message.make_response(query)


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        pytest.param(silent, ["53", "54"], id="silent"),
        pytest.param(fails(dns.rcode.SERVFAIL), ["53", "54"], id="SERVFAIL"),
        pytest.param(fails(dns.rcode.REFUSED), ["53", "54"], id="REFUSED"),
        pytest.param(lame, ["53", "54"], id="does not recurse"),
        pytest.param(ConnectionRefusedError(), ["53", "54"], id="nobody there"),
        pytest.param(ExchangeFailed("garbage"), ["53", "54"], id="garbage"),
    ],
)
async def test_the_next_server_is_asked(first: Any, asked: list[str], autojump_clock: Any) -> None:
    servers = Servers(first=first, second=Names())
    clock = StandingClock()
    ask = resolver(None, servers=(SERVER, OTHER), exchange=servers, clock=clock)
    assert (await ask.mx("null.example.org")).records == (MX(0, ""),)
    assert servers.asked == asked
    # For a while, the one that failed comes last.
    await ask.mx("example.org")
    assert servers.asked == [*asked, "54"]
    clock.move(NETWORK.shun_seconds + 1)
    servers.by_address[SERVER.address] = Names()
    await ask.txt("example.org")
    assert servers.asked == [*asked, "54", "53"]


@pytest.mark.parametrize(
    ("first", "second", "problem", "text", "asked"),
    [
        pytest.param(silent, silent, LookupTimeout, "did not answer in 5 s", 4, id="silence: asked twice"),
        pytest.param(fails(dns.rcode.SERVFAIL), fails(dns.rcode.SERVFAIL), Temporary, "SERVFAIL", 2, id="told once"),
        pytest.param(silent, fails(dns.rcode.SERVFAIL), Temporary, "SERVFAIL", 3, id="one of each"),
        pytest.param(
            fails(dns.rcode.SERVFAIL, dns.edns.EDEOption(7, "RRSIG has expired\n")),
            fails(dns.rcode.SERVFAIL),
            Bogus,
            "error 7 RRSIG has expired\\?",
            2,
            id="RFC 8914: signature expired",
        ),
        pytest.param(
            fails(dns.rcode.SERVFAIL, dns.edns.EDEOption(22, None)),
            fails(dns.rcode.SERVFAIL),
            Temporary,
            "error 22",
            2,
            id="RFC 8914: no reachable authority",
        ),
        pytest.param(OSError(101, "Network is unreachable"), silent, Temporary, "unreachable", 4, id="no network"),
    ],
)
async def test_failures(
    first: Any, second: Any, problem: type[Exception], text: str, asked: int, autojump_clock: Any
) -> None:
    servers = Servers(first=first, second=second)
    with pytest.raises(problem, match=text) as caught:
        await resolver(None, servers=(SERVER, OTHER), exchange=servers).a("example.org")
    assert type(caught.value) is problem
    assert len(servers.asked) == asked


async def test_servers_take_turns() -> None:
    servers = Servers(first=Names(), second=Names())
    configuration = Configuration((SERVER, OTHER), rotate=True)
    ask = resolver(None, configuration=configuration, exchange=servers)
    for type in (Type.A, Type.AAAA):
        await ask.lookup("mx.example.org", type)
    assert sorted(servers.asked) == ["53", "54"]


async def test_nobody_there_on_this_machine_gets_a_hint() -> None:
    configuration = Configuration()

    async def refused(*_: Any, **__: Any) -> Any:
        raise ConnectionRefusedError

    with pytest.raises(Temporary, match="install one that validates"):
        await resolver(None, configuration=configuration, exchange=refused).a("example.org")


async def test_changes_of_resolv_conf_are_seen(tmp_path: Path) -> None:
    path, clock = tmp_path / "resolv.conf", StandingClock()
    servers = Servers(first=Names(), second=Names())
    path.write_text(f"nameserver {SERVER.address}\n")
    ask = resolver(None, configuration=None, path=path, clock=clock, exchange=servers)
    await ask.a("mx.example.org")
    path.write_text(f"nameserver {OTHER.address} # new\n")
    clock.move(NETWORK.reread_seconds + 1)
    await ask.a("mx.example.org")  # What the old one said is forgotten.
    assert servers.asked == ["53", "54"]


async def test_what_comes_from_former_servers_is_not_kept(tmp_path: Path, autojump_clock: Any) -> None:
    path, clock = tmp_path / "resolv.conf", StandingClock()
    first = Servers(first=silent, second=Names())
    path.write_text(f"nameserver {SERVER.address}\n")
    ask = resolver(None, configuration=None, path=path, clock=clock, exchange=first)

    async def late() -> None:
        with pytest.raises(LookupTimeout):
            await ask.a("mx.example.org")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(late)
        await trio.testing.wait_all_tasks_blocked()
        path.write_text(f"nameserver {OTHER.address} # new\n")
        clock.move(NETWORK.reread_seconds + 1)
        assert ip_address("192.0.2.1") in (await ask.a("mx.example.org")).records
    assert ip_address("192.0.2.1") in (await ask.a("mx.example.org")).records
    assert first.asked.count("54") == 1


async def test_without_resolv_conf_this_machine_is_asked(tmp_path: Path) -> None:
    asked = []

    async def remember(server: NameServer, *arguments: Any, **options: Any) -> dns.message.Message:
        asked.append(server)
        return await in_memory(Names())(server, *arguments, **options)

    await resolver(None, configuration=None, path=tmp_path / "none", exchange=remember).a("mx.example.org")
    assert asked == [NameServer("127.0.0.1")]


@pytest.mark.parametrize(("address", "believed"), [("127.0.0.1", True), ("192.0.2.53", False)])
async def test_the_flag_counts_from_this_machine_alone(address: str, believed: bool) -> None:
    """RFC 4035 §4.9.3: only with a secure channel to the resolver."""
    ask = resolver(Names(ad=True), servers=(NameServer(address),))
    assert (await ask.a("mx.example.org")).authentic is believed
    with pytest.raises(NotFound) as caught:
        await ask.a("nobody.example.org")
    assert caught.value.authentic is believed


# One question to one server, over real sockets.


def _respond(octets: bytes, change: Callable[[dns.message.Message], None] = lambda _: None) -> bytes:
    response = Names()(dns.message.from_wire(octets))
    change(response)
    return response.to_wire(max_size=65_535)


def _truncated(octets: bytes) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(octets))
    response.flags |= dns.flags.TC
    return response.to_wire()


def _framed(octets: bytes) -> bytes:
    return struct.pack("!H", len(octets)) + octets


async def _exchange(server: NameServer, *, tcp: bool = False, **limits: Any) -> dns.message.Message:
    with trio.fail_after(60):
        return await exchange(
            server, name_of("mx.example.org"), dns.rdatatype.A, limits=replace(NETWORK, **limits), tcp=tcp
        )


async def test_udp() -> None:
    seen: list[dns.message.Message] = []

    def udp(octets: bytes) -> list[bytes]:
        seen.append(dns.message.from_wire(octets))
        return [_respond(octets)]

    async with serving(udp) as server:
        assert len((await _exchange(server)).answer[0]) == 2
    query = seen[0]
    assert (query.edns, query.payload, bool(query.ednsflags & dns.flags.DO)) == (0, 1232, True)
    assert query.flags & (dns.flags.RD | dns.flags.AD | dns.flags.CD) == dns.flags.RD | dns.flags.AD


async def test_what_does_not_fit_comes_by_tcp() -> None:
    async with serving(lambda octets: [_truncated(octets)], lambda octets: _framed(_respond(octets))) as server:
        assert len((await _exchange(server)).answer[0]) == 2


async def test_tcp_alone() -> None:
    async with serving(lambda _: [], lambda octets: _framed(_respond(octets))) as server:
        assert len((await _exchange(server, tcp=True)).answer[0]) == 2


async def test_a_long_answer_is_taken_apart_in_a_thread() -> None:
    def tcp(octets: bytes) -> bytes:
        def many(response: dns.message.Message) -> None:
            texts = [f"192.0.2.{n}" for n in range(250)]
            response.answer[:] = [dns.rrset.from_text("mx.example.org.", 1, "IN", "A", *texts)]

        return _framed(_respond(octets, many))

    async with serving(lambda _: [], tcp) as server:
        assert len((await _exchange(server, tcp=True, inline_octets=100)).answer[0]) == 250
        with pytest.raises(ExchangeFailed, match="more than 200 records"):
            await _exchange(server, tcp=True, records=200)


def _other_id(octets: bytes) -> bytes:
    return bytes([octets[0] ^ 1]) + _respond(octets)[1:]


def _other_question(octets: bytes) -> bytes:
    return _respond(octets).replace(b"\x02mx", b"\x02my")


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(_other_id, id="another id"),
        pytest.param(_other_question, id="another question"),
        pytest.param(lambda octets: octets, id="the query itself"),
        pytest.param(lambda octets: octets[:5], id="a piece"),
        pytest.param(lambda octets: _respond(octets)[:-3], id="cut"),
        pytest.param(lambda octets: _respond(octets) + b"x", id="more behind"),
        pytest.param(lambda octets: octets[:2] + b"\xff" * 100, id="garbage"),
        pytest.param(lambda _: b"", id="nothing"),
    ],
)
async def test_strays_are_passed_over(stray: Callable[[bytes], bytes]) -> None:
    async with serving(lambda octets: [stray(octets), _respond(octets)]) as server:
        assert len((await _exchange(server)).answer[0]) == 2


async def test_who_is_shot_at_asks_by_tcp() -> None:
    """RFC 5452 §9: many wrong answers mean that somebody guesses."""
    wrong = lambda octets: [_other_id(octets)] * 20  # noqa: E731
    async with serving(wrong, lambda octets: _framed(_respond(octets))) as server:
        assert len((await _exchange(server)).answer[0]) == 2
    async with serving(wrong) as server:
        with pytest.raises(OSError, match="refused"):
            await _exchange(server)


async def test_nobody_listens() -> None:
    async with serving(lambda _: []) as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        await _exchange(server)


@pytest.mark.parametrize(
    "tcp",
    [
        pytest.param(lambda _: None, id="closes"),
        pytest.param(lambda _: b"\x00", id="half a length"),
        pytest.param(lambda octets: _framed(_respond(octets))[:-1], id="not all"),
        pytest.param(lambda _: _framed(b""), id="empty"),
        pytest.param(lambda octets: _framed(_other_id(octets)), id="another id"),
        pytest.param(lambda octets: _framed(_truncated(octets)), id="still cut"),
        pytest.param(lambda octets: _framed(octets[:12] + b"\xc0\x0c" * 5), id="a name that points to itself"),
    ],
)
async def test_wrong_answers_by_tcp(tcp: Callable[[bytes], bytes | None]) -> None:
    async with serving(lambda _: [], tcp) as server:
        with pytest.raises(ExchangeFailed):
            await _exchange(server, tcp=True)


async def test_old_servers_are_asked_without_edns() -> None:
    """RFC 6891 §7."""

    def udp(octets: bytes) -> list[bytes]:
        query = dns.message.from_wire(octets)
        if query.edns >= 0:
            response = dns.message.make_response(query)
            response.use_edns(-1)
            response.set_rcode(dns.rcode.FORMERR)
            return [response.to_wire()]
        return [_respond(octets)]

    async with serving(udp) as server:
        assert len((await _exchange(server)).answer[0]) == 2


async def test_the_whole_way() -> None:
    async with serving(lambda octets: [_truncated(octets)], lambda octets: _framed(_respond(octets))) as server:
        ask = Resolver(Network(StandingClock(), configuration=Configuration((server,))))
        assert (await ask.mx("example.org")).records == (MX(10, "mx.example.org"),)
