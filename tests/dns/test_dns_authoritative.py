"""Each name server of a zone is asked itself, and says what it has."""

from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from appliance.dns import authoritative
from appliance.dns.answers import Said, Type
from appliance.dns.problems import Temporary
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from support.nameserver import serving

NAME = "key._domainkey.example.org"
SOA = dns.rrset.from_text("example.org.", 600, "IN", "SOA", "ns.example.org. root.example.org. 1 1 1 1 900")
TABLE = {
    "example.org": {Type.NS: ["ns.example.org", "gone.example.org"]},
    "ns.example.org": {Type.A: [ip_address("127.0.0.1")]},
    "mail.example.org": {Type.CNAME: ["mail.example.net"]},
    "mail.example.net": {Type.NS: ["ns.example.net"]},
}
LABEL = "ns.example.org (127.0.0.1)"


def answering(*texts, alias="", flags=dns.flags.AA, rcode=dns.rcode.NOERROR):
    def udp(octets: bytes) -> list[bytes]:
        query = dns.message.from_wire(octets)
        response = dns.message.make_response(query)
        response.flags |= flags
        response.set_rcode(rcode)
        if texts:
            response.answer.append(dns.rrset.from_text(query.question[0].name, 77, "IN", "TXT", *texts))
        elif alias:
            response.answer.append(dns.rrset.from_text(query.question[0].name, 77, "IN", "CNAME", alias))
        else:
            response.authority.append(SOA)
        return [response.to_wire()]

    return udp


@pytest.mark.parametrize(("udp", "said"), [
    pytest.param(answering('"v=DKIM1;" "p=x"', '"a"'), Said(LABEL, ("a", "v=DKIM1;p=x"), ttl_seconds=77), id="texts"),
    pytest.param(answering(), Said(LABEL, ttl_seconds=600), id="none"),
    pytest.param(answering(rcode=dns.rcode.NXDOMAIN), Said(LABEL, ttl_seconds=600), id="no such name"),
    pytest.param(answering(flags=0), Said(LABEL, problem="it does not answer for this zone itself"), id="lame"),
    pytest.param(answering(rcode=dns.rcode.REFUSED), Said(LABEL, problem="it says REFUSED"), id="refused"),
    pytest.param(answering(alias="x.example.net."), Said(LABEL, problem=f"{NAME} is an alias there"), id="alias"),
    pytest.param(lambda octets: [], Said(LABEL, problem="no answer in time"), id="silent"),
])  # fmt: skip
async def test_said(udp, said, monkeypatch):
    if said.problem == "no answer in time":
        monkeypatch.setattr(authoritative, "_SECONDS", 0.2)
    async with serving(udp) as server:
        assert await authoritative.texts(Resolver(Table(TABLE)), NAME, port=server.port) == [said]


@pytest.mark.parametrize(("name", "text"), [
    ("key._domainkey.example.com", "nobody tells which name servers"),
    ("mail.example.com", "nobody tells"),
])  # fmt: skip
async def test_servers_that_nobody_knows(name, text):
    with pytest.raises(Temporary, match=text):
        await authoritative.texts(Resolver(Table(TABLE)), name)


async def test_an_alias_is_no_zone():
    assert await authoritative._zone(Resolver(Table(TABLE)), "mail.example.org") == (
        "ns.example.org",
        "gone.example.org",
    )


async def test_name_servers_without_addresses():
    table = {"example.org": {Type.NS: ["gone.example.org"]}}
    with pytest.raises(Temporary, match=r"have no addresses: gone\.example\.org"):
        await authoritative.texts(Resolver(Table(table)), NAME)
