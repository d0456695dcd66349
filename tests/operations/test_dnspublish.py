"""Records of a domain are published at its name server, and nothing of others is touched."""

import pytest

from appliance.config.addresses import DomainEntry
from appliance.config.domains import DomainConfig
from appliance.dns.answers import Type
from appliance.dns.problems import UpdateFailed
from appliance.dns.update import Updater
from appliance.mail.domain import parse_domain
from appliance.operations import dnspublish
from appliance.operations.dnsrecords import Wanted
from support.nameserver import serving
from support.primary import KEY, Primary

ENTRY = DomainEntry("example.org", parse_domain("example.org"), DomainConfig(), is_reports_only=False)
ZONE = """\
@ 300 SOA ns root 1 1 1 1 1
@ NS ns
@ MX 20 backup.example.net.
@ TXT "v=spf1 -all"
@ TXT "somebody-verification=1"
autoconfig CNAME old.example.net.
_imap._tcp SRV 0 1 143 imap.example.net.
mta-sts A 192.0.2.1
there TXT "v=x" "yz"
"""


WANTED = [
    Wanted("example.org", "MX", "10 mx.example.org."),
    Wanted("example.org", "TXT", "v=spf1 mx ~all"),
    Wanted("key._domainkey.example.org", "TXT", f"v=DKIM1;p={'A' * 300}"),
    Wanted("autoconfig.example.org", "CNAME", "mx.example.org."),
    Wanted("_imap._tcp.example.org", "SRV", "0 0 0 ."),
    Wanted("_imaps._tcp.example.org", "SRV", "0 1 993 mx.example.org.", optional=True),
    Wanted("there.example.org", "TXT", "v=xyz"),
    Wanted("mx.example.net", "A", "192.0.2.1"),
]


async def published(primary: Primary, wanted=WANTED):
    async with serving(lambda octets: [], primary) as server:
        updater = Updater(server, KEY)
        steps = await dnspublish.plan(updater, ENTRY, wanted)
        failed = await dnspublish.apply(updater, ENTRY, steps)
        return steps, failed, await dnspublish.plan(updater, ENTRY, wanted)


async def test_published():
    primary = Primary(ZONE)
    steps, failed, left = await published(primary)
    told = {(one.wanted.name, one.wanted.type): one for one in steps}
    assert told["example.org", "MX"].beside == ("20 backup.example.net.",)
    assert told["example.org", "TXT"].instead_of == ("v=spf1 -all",)
    assert told["_imap._tcp.example.org", "SRV"].why_not == "there is 0 1 143 imap.example.net."
    assert told["mx.example.net", "A"].why_not == "it is not below example.org"
    assert ("there.example.org", "TXT") not in told
    assert [one.wanted.name for one in failed] == ["_imap._tcp.example.org", "mx.example.net"]
    assert primary.has("example.org.", "MX") == ["10 mx.example.org.", "20 backup.example.net."]
    assert primary.has("example.org.", "TXT") == ['"somebody-verification=1"', '"v=spf1 mx ~all"']
    assert primary.has("autoconfig.example.org.", "CNAME") == ["mx.example.org."]
    assert primary.has("_imap._tcp.example.org.", "SRV") == ["0 1 143 imap.example.net."]
    (key,) = primary.has("key._domainkey.example.org.", "TXT")
    assert key.replace('" "', "").strip('"') == WANTED[2].value
    # What stays is what stays; a second time changes nothing.
    assert {one.why_not for one in left} == {"there is 0 1 143 imap.example.net.", "it is not below example.org"}


async def test_one_that_is_refused():
    """The others are published all the same."""
    primary = Primary(ZONE, refuses="_domainkey")
    _, failed, _ = await published(primary, WANTED[:3])
    assert [(one.wanted, "REFUSED" in one.why_not) for one in failed] == [(WANTED[2], True)]
    assert len(primary.has("example.org.", "MX")) == 2


async def test_an_alias_comes_beside_nothing():
    """The server says yes, and does nothing (RFC 2136 section 3.4.2.2)."""
    _, failed, _ = await published(Primary(ZONE), [Wanted("mta-sts.example.org", "CNAME", "mx.example.org.")])
    assert [one.why_not for one in failed] == ["the server did not keep it"]


async def test_what_changes_meanwhile_stays():
    primary = Primary(ZONE)
    primary.meanwhile = '"new"'
    _, failed, _ = await published(primary, [WANTED[1]])
    assert [one.why_not for one in failed] == ["example.org was changed meanwhile"]
    assert '"v=spf1 -all"' in primary.has("example.org.", "TXT")
    async with serving(lambda octets: [], Primary(ZONE)) as server:
        with pytest.raises(UpdateFailed, match="meanwhile"):
            await Updater(server, KEY).put("example.org", Type.TXT, '"x"', instead_of=["not there"], ttl_seconds=1)


async def test_nobody_there():
    async with serving(lambda octets: [], lambda octets: None) as server:
        (step,) = await dnspublish.plan(Updater(server, KEY), ENTRY, [WANTED[0]])
    assert "cannot be asked" in step.why_not
