"""Our SPF beside pyspf's, on zones made up by chance: the two must agree.

They differ on purpose where pyspf departs from RFC 7208: it minds the case of modifiers and repeated unknown ones
(§6), counts a redirect that is never followed (§4.6.4), lets errors of a client's reverse zone be ours (§5.5), and
refuses an include of the same domain before it is reached (§5.2); such records are not made here.
"""

import warnings
from ipaddress import ip_address
from typing import Any

from hypothesis import given, settings, strategies as st

from appliance.dns.answers import MX, Type
from appliance.dns.problems import NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.address import Path
from appliance.mail.domain import parse_domain
from appliance.msgauth.spf import check as ours

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import spf as theirs

NAMES = [f"{letter}.example" for letter in "abcd"]
NAME = st.sampled_from(
    [*NAMES, "none.example", "fails.example", "%{d}", "x.%{d2}", "%{ir}.%{o}", "%{l}.%{h}", "bad..example", "toplevel"]
)
FOUR = st.sampled_from(["192.0.2.1", "192.0.2.0/24", "198.51.100.0/25", "0.0.0.0/0", "192.0.2.1/33", "192.0.2"])
SIX = st.sampled_from(["2001:db8::1", "2001:db8::/32", "::/0", "2001:db8::1/129", "2001:::1"])
LENGTH = st.sampled_from(["", "", "/24", "//64", "/24//64", "/33", "/0"])
MECHANISM = st.one_of(
    st.builds("include:{}".format, NAME),
    st.builds("{}:{}{}".format, st.sampled_from(["a", "mx"]), NAME, LENGTH),
    st.builds("{}{}".format, st.sampled_from(["a", "mx", "A", "MX"]), LENGTH),
    st.builds("exists:{}".format, NAME),
    st.builds("ip4:{}".format, FOUR),
    st.builds("ip6:{}".format, SIX),
    st.sampled_from(["all", "all", "oops", "all:x"]),
)
TERM = st.builds("{}{}".format, st.sampled_from(["", "", "-", "~", "?"]), MECHANISM)
RECORD = st.builds(
    lambda terms, redirect: " ".join(["v=spf1", *terms, *redirect]),
    st.lists(TERM, max_size=4),
    st.lists(st.builds("redirect={}".format, NAME), max_size=1),
)
ADDRESS = st.sampled_from(["192.0.2.1", "198.51.100.200", "2001:db8::1", "2001:db8:0:0:1::"])
HOST = st.lists(ADDRESS, max_size=2)


def _bare(text: str) -> set[str]:
    """The terms without their qualifiers."""
    return {term.lstrip("-~?") for term in text.split()}


@st.composite
def zones(draw: Any) -> dict[str, dict[Type, list[Any]]]:
    zone: dict[str, dict[Type, list[Any]]] = {}
    for name in NAMES:
        addresses = [ip_address(text) for text in draw(HOST)]
        types: dict[Type, list[Any]] = {
            Type.TXT: [
                draw(RECORD.filter(lambda text, name=name: not {f"include:{name}", "include:%{d}"} & _bare(text)))
            ],
            Type.A: [one for one in addresses if one.version == 4],
            Type.AAAA: [one for one in addresses if one.version == 6],
            Type.MX: [MX(n, target) for n, target in enumerate(draw(st.lists(st.sampled_from(NAMES), max_size=2)))],
        }
        zone[name] = {type: records for type, records in types.items() if records}
    return zone


def by_pyspf(table: Table, ip: str, sender: str, helo: str) -> str:
    def lookup(name: str, qtype: str, strict: object = True, timeout: object = 0) -> list[Any]:
        try:
            records = table.answer(name.lower(), Type(qtype)).records
        except NotFound:
            return []
        except Temporary as problem:
            raise theirs.TempError("no answer") from problem
        if qtype == "TXT":
            return [((name, qtype), (text.encode(),)) for text in records]
        if qtype == "MX":
            return [((name, qtype), (mx.preference, mx.exchange)) for mx in records]
        # It wants IPv6 addresses as octets from one library and as text from the other.
        return [((name, qtype), str(address)) for address in records]

    real, theirs.DNSLookup = theirs.DNSLookup, lookup
    try:
        return str(theirs.query(i=ip, s=sender, h=helo, strict=True).check()[0])
    finally:
        theirs.DNSLookup = real


@given(zone=zones(), ip=st.sampled_from(["192.0.2.1", "198.51.100.7", "2001:db8::1"]))
@settings(max_examples=150, derandomize=True)
async def test_agreement(zone: dict[str, Any], ip: str) -> None:
    table = Table(zone, failing=[("fails.example", type) for type in Type])
    question = ours.of_path(ip_address(ip), Path("bob", parse_domain("a.example")), parse_domain("b.example"), "here")
    found = await ours.check(Resolver(table), question)
    assert found.status.value == by_pyspf(table, ip, "bob@a.example", "b.example"), found
