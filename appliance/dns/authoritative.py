"""What the name servers of a zone say themselves, each of them: whether a change has come to all, without any cache."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import trio

from appliance.dns import exchange as wire
from appliance.dns.answers import Said
from appliance.dns.exchange import ExchangeFailed
from appliance.dns.limits import NETWORK
from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.rdata import name_of
from appliance.dns.resolvconf import NameServer
from appliance.dns.resolver import Resolver

#: For one server, and of all that are asked: addresses of name servers.
_SECONDS: Final = 10.0
_SERVERS: Final = 30


async def texts(resolver: Resolver, name: str, *, port: int = 53) -> list[Said]:
    """The TXT records of a name, from each address of each name server of its zone.

    Raises LookupProblem when it cannot be found out who these are.
    """
    servers = await _servers(resolver, name)
    said: dict[int, Said] = {}

    async def one(at: int, host: str, address: str) -> None:
        said[at] = await _ask(f"{host} ({address})", NameServer(address, port), name)

    async with trio.open_nursery() as nursery:
        for at, (host, address) in enumerate(servers):
            nursery.start_soon(partial(one, at, host, address))
    return [said[at] for at in sorted(said)]


async def _servers(resolver: Resolver, name: str) -> list[tuple[str, str]]:
    """Names and addresses of the servers of the zone that a name is in. Raises LookupProblem."""
    found: list[tuple[str, str]] = []
    hosts = sorted((await _zone(resolver, name))[:_SERVERS])
    for host in hosts:
        try:
            found += [(host, str(ip)) for ip in (await resolver.addresses(host)).records]
        except NotFound:
            continue  # A name without addresses serves nobody.
    if not found:
        raise Temporary(f"the name servers of {name} have no addresses: {', '.join(hosts)}")
    return found[:_SERVERS]


async def _zone(resolver: Resolver, name: str) -> Sequence[str]:
    """The names of the servers. An alias leads out of the zone, and is none of its ends (RFC 1034 §3.6.2)."""
    above = name
    while "." in above:
        try:
            answer = await resolver.ns(above)
            if answer.records and not answer.aliases:
                return answer.records
        except (NotFound, InvalidName):
            pass
        above = above.partition(".")[2]
    raise Temporary(f"nobody tells which name servers {name} has")


async def _ask(label: str, server: NameServer, name: str) -> Said:
    try:
        with trio.fail_after(_SECONDS):
            answer = await wire.exchange(server, name_of(name), dns.rdatatype.TXT, limits=NETWORK, tcp=False)
    except trio.TooSlowError:
        return Said(label, problem="no answer in time")
    except (OSError, trio.BrokenResourceError, ExchangeFailed) as error:
        return Said(label, problem=str(error))
    if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return Said(label, problem=f"it says {dns.rcode.to_text(answer.rcode())}")
    if not answer.flags & dns.flags.AA:
        return Said(label, problem="it does not answer for this zone itself")
    owner = name_of(name)
    if answer.get_rrset(answer.answer, owner, dns.rdataclass.IN, dns.rdatatype.CNAME) is not None:
        return Said(label, problem=f"{name} is an alias there")
    rrset = answer.get_rrset(answer.answer, owner, dns.rdataclass.IN, dns.rdatatype.TXT)
    if rrset is None:
        return Said(label, ttl_seconds=_denial_seconds(answer))
    # RFC 6376 §3.6.2.2: the strings of a record are one text.
    return Said(label, tuple(sorted(_text(rdata) for rdata in rrset)), ttl_seconds=rrset.ttl)


def _text(rdata: dns.rdata.Rdata) -> str:
    strings: Sequence[bytes] = rdata.strings  # type: ignore[attr-defined]
    return b"".join(strings).decode("utf-8", "replace")


def _denial_seconds(answer: dns.message.Message) -> int:
    for rrset in answer.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return int(min(rrset.ttl, rrset[0].minimum))
    return 0
