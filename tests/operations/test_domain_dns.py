"""Which records a domain needs, whether they are there, and what the checks say of a world that lacks something."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from types import SimpleNamespace

import msgspec
import pytest
import trio

from appliance.base.ids import SystemRandom
from appliance.dns.answers import CAA, MX, SRV, TLSA, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.mtasts import parse_policy
from appliance.net.dial import Dialed, DialError, dial
from appliance.operations import dnslive, dnsrecords, hostfacts
from appliance.operations.dnslive import State
from appliance.operations.dnsrecords import Facts
from appliance.operations.domaincheck import CHECKS, Means, Subject, check
from appliance.tls.acme import storage
from appliance.tls.context import client_context
from appliance.tls.mtasts import Unavailable
from support.authority import Authority
from support.exampleconfig import load_example, write_example
from support.talkingserver import smtp, talking_server

AUTHORITY = Authority()
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 1209600\n"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load_example(write_example(tmp_path_factory.mktemp("dns") / "config"))


@pytest.fixture(scope="module")
def facts(config):
    return Facts(host_is_signed=True, host_keys=hostfacts.host_keys(config))


def entry_of(config, name="example.org"):
    return config.derived.addresses.domains[name]


# ---- which records ----

ZONE = """\
; DNS records for example.org. Raise the TTL when all works.
$TTL 300

; Addresses of this machine (once for this machine)
; Each address must also lead back to this name: its PTR record is set where you rent the address.
mx.example.org. A 192.0.2.10
mx.example.org. AAAA 2001:db8::10

; DANE (once for this machine)
; Which keys certificates of this host have, for senders that verify them by DNSSEC (DANE).
_25._tcp.mx.example.org. TLSA 3 1 1 {ec}
_25._tcp.mx.example.org. TLSA 3 1 1 {rsa}

; The host name as a sender (once for this machine)
; Notices about mail come from the host name itself, so it needs a policy of its own.
; Where others report failures of TLS with this host.
mx.example.org. TXT "v=spf1 a -all"
_smtp._tls.mx.example.org. TXT "v=TLSRPTv1; rua=mailto:tlsreports@mx.example.org"

; Where mail goes
example.org. MX 10 mx.example.org.

; DKIM
; Keys of signatures: 2026a, 2026e sign.
; Long texts are shown in several strings: some forms for records want them in one, unquoted.
2026a._domainkey.example.org. TXT {dkim_a}
2026e._domainkey.example.org. TXT {dkim_e}

; SPF
; Who may send for the domain. Softfail (~all), so that receivers look at DKIM before they refuse.
example.org. TXT "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ip4:198.51.100.7 mx ~all"

; DMARC
; What receivers shall do with mail that claims to be from here and is not; and where they report it.
_dmarc.example.org. TXT "v=DMARC1;p=reject;rua=mailto:dmarcreports@example.org!10m"

; MTA-STS
; A policy that senders fetch from us: they must verify certificates. Change the id with the policy.
mta-sts.example.org. CNAME mx.example.org.
_mta-sts.example.org. TXT "v=STSv1; id=20260101T000000"

; TLS reports
; Where others report failures of TLS on the way to this domain.
_smtp._tls.example.org. TXT "v=TLSRPTv1; rua=mailto:tlsreports@example.org"

; Settings of mail programs
; How mail programs find their servers. 0 0 0 . says that there is no such service.
mail.example.org. CNAME mx.example.org.
autoconfig.example.org. CNAME mx.example.org.
_autodiscover._tcp.example.org. SRV 0 1 443 mx.example.org.
_imaps._tcp.example.org. SRV 0 1 993 mail.example.org.
_submissions._tcp.example.org. SRV 0 1 465 mail.example.org.
_imap._tcp.example.org. SRV 0 0 0 .
_submission._tcp.example.org. SRV 0 0 0 .
_pop3._tcp.example.org. SRV 0 0 0 .
_pop3s._tcp.example.org. SRV 0 0 0 .

; Certificates
; Who may issue certificates for the domain (RFC 8659).
; Stricter ones are shown here once there is an account at the authority.
example.org. CAA 0 issue "letsencrypt.org"
"""


def test_zone(config, facts):
    found = dnsrecords.sections(config, entry_of(config), facts)
    keys = {one.kind: one.digest for one in facts.host_keys}
    dkim = {one.name[:5]: one.data for section in found for one in section.records if "_domainkey" in one.name}
    assert dkim["2026a"].startswith('("v=DKIM1;h=sha256;')
    assert dkim["2026e"].startswith('"v=DKIM1;h=sha256;')
    expected = ZONE.format(ec=keys["ecdsap256"], rsa=keys["rsa2048"], dkim_a=dkim["2026a"], dkim_e=dkim["2026e"])
    assert dnsrecords.zone(found, entry_of(config).domain) == expected


def test_jmap_is_where_the_webmail_is(config, facts):
    assert dnsrecords.JMAP not in dict(dnsrecords.services(config, entry_of(config)))
    name, listener = next(iter(config.static.listeners.items()))
    webmail = msgspec.structs.replace(listener.webmail_https, enabled=True)
    listeners = {**config.static.listeners, name: msgspec.structs.replace(listener, webmail_https=webmail)}
    with_webmail = replace(config, static=msgspec.structs.replace(config.static, listeners=listeners))
    zone = dnsrecords.zone(dnsrecords.sections(with_webmail, entry_of(config), facts), entry_of(config).domain)
    assert "_jmap._tcp.example.org. SRV 0 1 443 mail.example.org.\n" in zone


def test_zone_is_read_by_others(config, facts):
    """dnspython's reader, which we do not use for it, finds all records, long ones in one piece."""
    import dns.zone

    found = dnsrecords.sections(config, entry_of(config), facts)
    text = dnsrecords.zone(found, entry_of(config).domain)
    zone = dns.zone.from_text(text, origin="example.org.", relativize=False, check_origin=False)
    wanted = [one for section in found for one in section.records]
    assert sum(len(rdataset) for _, rdataset in zone.iterate_rdatasets()) == len(wanted)
    for one in wanted:
        rdataset = zone.find_rdataset(f"{one.name}.", one.type)
        if one.type == "TXT":
            assert one.value.encode() in {b"".join(record.strings) for record in rdataset}


@pytest.mark.parametrize(("change", "present", "absent"), [
    pytest.param({"host_is_signed": False}, ";; _25._tcp.mx.example.org. TLSA", "\n_25._tcp", id="unsigned"),
    pytest.param({"host_is_signed": None}, "not found out whether", "sign it first", id="not found out"),
    pytest.param({"host_keys": ()}, "Where mail goes", "TLSA", id="no keys"),
    pytest.param({"acme_accounts": {"letsencrypt": "https://ca.example/1"}},
                 ';; mta-sts.example.org. CAA 0 issue "letsencrypt.org; accounturi=https://ca.example/1; '
                 'validationmethods=tls-alpn-01,http-01"', "once there is an account", id="account known"),
])  # fmt: skip
def test_facts(config, facts, change, present, absent):
    import dataclasses

    found = dnsrecords.sections(config, entry_of(config), dataclasses.replace(facts, **change))
    text = dnsrecords.zone(found, entry_of(config).domain)
    assert present in text
    assert absent not in text


# ---- a world that has them all ----


def as_table(records):
    """Records as a table of names has them."""
    table: dict[str, dict[Type, list]] = {}
    for one in records:
        words = one.value.split()
        match one.type:
            case "A" | "AAAA":
                value = ip_address(one.value)
            case "MX":
                value = MX(int(words[0]), words[1].removesuffix("."))
            case "SRV":
                value = SRV(*map(int, words[:3]), words[3].removesuffix("."))
            case "TLSA":
                value = TLSA(*map(int, words[:3]), bytes.fromhex(words[3]))
            case "CNAME":
                value = one.value.removesuffix(".")
            case "TXT":
                value = one.value
            case "CAA":
                value = CAA(int(words[0]), words[1], " ".join(words[2:]).strip('"'))
            case _:
                continue
        table.setdefault(one.name, {}).setdefault(Type(one.type), []).append(value)
    return table


@cache
def pair():
    return AUTHORITY.key_pair("mx.example.org", "autoconfig.example.org")


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Ports of a mail host and of a web server."""

    def web(sock, secure):
        with secure(sock):
            pass

    def mail(sock, secure):
        smtp([])(sock, secure)

    (one, two) = (tmp_path_factory.mktemp("mail"), tmp_path_factory.mktemp("web"))
    with talking_server(mail, pair(), one) as mail_port, talking_server(web, pair(), two) as web_port:
        yield {25: mail_port, 443: web_port}


class World(SimpleNamespace):
    """What a test may change: the names, and what answers."""

    def subject(self, config, facts):
        async def dialer(addresses, port, **options):
            if port not in self.ports:
                raise DialError([(addresses[0], "refused")], timeout=False)
            dialed = await dial([ip_address("127.0.0.1")], self.ports[port], **options)
            return Dialed(dialed.stream, addresses[0], port, dialed.local)

        async def fetch(domain):
            if self.policy is None:
                raise Unavailable("sts-policy-fetch-error", "404 Not Found")
            return parse_policy(self.policy, 10)

        means = Means(
            resolver=Resolver(Table(self.table, failing=self.failing, authentic=self.authentic)),
            dialer=dialer, context=client_context(), roots=self.roots, now=lambda: self.now, random=SystemRandom(),
            fetch_policy=fetch,
        )  # fmt: skip
        return Subject(config=config, entry=entry_of(config), facts=facts, means=means)


@pytest.fixture
def world(config, facts, servers):
    found = dnsrecords.sections(config, entry_of(config), facts)
    table = as_table([one for section in found for one in section.records])
    table["com"] = {Type.NS: ["a.gtld.example"]}
    for ip, name in (("192.0.2.10", "mx"), ("2001:db8::10", "mx"), ("198.51.100.7", "out")):
        table[ip_address(ip).reverse_pointer] = {Type.PTR: [f"{name}.example.org"]}
    return World(
        table=table, failing=(), authentic=True, ports=dict(servers), policy=POLICY, roots=AUTHORITY.roots,
        now=datetime.now(UTC),
    )  # fmt: skip


async def test_all_in_order(config, facts, world):
    """The records we print are the ones that our checks want; nothing is left to say."""
    found = await check(world.subject(config, facts))
    assert [*found] == [*CHECKS]
    assert {name: area.errors + area.warnings for name, area in found.items()} == {name: [] for name in CHECKS}


async def test_all_are_there(config, facts, world):
    wanted = [one for section in dnsrecords.sections(config, entry_of(config), facts) for one in section.records]
    live = await dnslive.compare(Resolver(Table(world.table)), wanted)
    assert {one.state for one in live} == {State.PRESENT}
    assert "CAA" in {one.wanted.type for one in live}


async def test_accounts_at_authorities(config):
    provider = next(iter(config.static.acme))
    assert hostfacts.acme_accounts(config) == {}
    storage.Storage(config.data_directory, provider).write_state(b'{"account_url": "https://ca.example/1"}')
    assert hostfacts.acme_accounts(config) == {provider: "https://ca.example/1"}


@pytest.mark.parametrize(("change", "state", "found"), [
    pytest.param(lambda table: table["example.org"].pop(Type.MX), State.MISSING, (), id="missing"),
    pytest.param(lambda table: table["example.org"].update({Type.MX: [MX(5, "old.example")]}), State.DIFFERENT,
                 ("5 old.example.",), id="another"),
    pytest.param(lambda table: table["example.org"][Type.MX].append(MX(5, "old.example")), State.PRESENT, (),
                 id="beside another"),
])  # fmt: skip
async def test_live(config, facts, world, change, state, found):
    change(world.table)
    wanted = [one for section in dnsrecords.sections(config, entry_of(config), facts) for one in section.records]
    (live,) = [one for one in await dnslive.compare(Resolver(Table(world.table)), wanted) if one.wanted.type == "MX"]
    assert (live.state, live.found) == (state, found)


async def test_texts_of_other_purposes(config, facts, world):
    """A name has many texts; only one that begins as ours stands in its place."""
    world.table["example.org"][Type.TXT] = ["google-site-verification=1", "v=spf1 -all"]
    wanted = [one for section in dnsrecords.sections(config, entry_of(config), facts) for one in section.records]
    live = await dnslive.compare(Resolver(Table(world.table)), wanted)
    (spf,) = [one for one in live if one.wanted.value.startswith("v=spf1 ip4")]
    assert (spf.state, spf.found) == (State.DIFFERENT, ("v=spf1 -all",))


# ---- a world that lacks something ----


def put(name: str, kind: Type, *values) -> Callable[[World], None]:
    return lambda world: world.table.setdefault(name, {}).__setitem__(kind, list(values))


def drop(name: str, kind: Type) -> Callable[[World], None]:
    return lambda world: world.table[name].pop(kind)


def fails(name: str, kind: Type) -> Callable[[World], None]:
    return lambda world: setattr(world, "failing", (*world.failing, (name, kind)))


def both(*changes: Callable[[World], None]) -> Callable[[World], None]:
    return lambda world: [change(world) for change in changes]


def setting(name: str, value) -> Callable[[World], None]:
    return lambda world: setattr(world, name, value)


def no_port(port: int) -> Callable[[World], None]:
    return lambda world: world.ports.pop(port)


D, H = "example.org", "mx.example.org"
PTR = ip_address("192.0.2.10").reverse_pointer
FAULTS = [
    ("dnssec", "E", fails("com", Type.NS), "the name servers of com cannot be looked up"),
    ("dnssec", "W", setting("authentic", ()), "answers are not verified"),
    ("dnssec", "W", setting("authentic", ("com",)), "example.org is not signed"),
    ("iprev", "E", both(fails(H, Type.A), fails(H, Type.AAAA)), "the addresses of mx.example.org cannot be looked up"),
    ("iprev", "E", put(H, Type.A, ip_address("127.0.1.1")), "leads to 127.0.1.1, this machine itself"),
    ("iprev", "E", drop(PTR, Type.PTR), "192.0.2.10 has no name"),
    ("iprev", "E", fails(PTR, Type.PTR), "the name of 192.0.2.10 cannot be looked up"),
    ("iprev", "W", put(PTR, Type.PTR, "host-10.isp.example"), "is called host-10.isp.example, and not mx.example.org"),
    ("mx", "E", fails(D, Type.MX), "MX of example.org cannot be looked up"),
    ("mx", "E", put(D, Type.MX, MX(0, "")), "takes no mail"),
    ("mx", "E", put(D, Type.MX, MX(10, "gone.example.org")), "gone.example.org has no addresses"),
    ("mx", "E", put(H, Type.A, ip_address("203.0.113.9")), "also has addresses that are not ours: 203.0.113.9"),
    ("mx", "W", put(D, Type.MX, MX(10, "mail.example.org")), "mail.example.org is an alias of mx.example.org"),
    ("tls", "E", no_port(25), "cannot connect"),
    ("tls", "E", setting("roots", Authority().roots), "not verified"),
    ("tls", "E", fails(D, Type.MX), "no mail host can be found"),
    ("dane", "E", fails(f"_25._tcp.{H}", Type.TLSA), "TLSA of _25._tcp.mx.example.org cannot be looked up"),
    ("dane", "E", drop(f"_25._tcp.{H}", Type.TLSA), "has no TLSA records"),
    ("dane", "E", put(f"_25._tcp.{H}", Type.TLSA, TLSA(3, 1, 1, b"\1" * 32)), "has keys that are not ours: 3 1 1 0101"),
    ("dane", "E", put(f"_25._tcp.{H}", Type.TLSA, TLSA(3, 1, 1, b"\1" * 32)), "lacks 3 1 1"),
    ("dane", "E", setting("authentic", (D,)), "in a zone that is not signed"),
    ("dane", "W", setting("authentic", ("com",)), "the domain's MX is not signed"),
    ("spf", "E", drop(D, Type.TXT), "example.org has no SPF record"),
    ("spf", "E", drop(H, Type.TXT), "mx.example.org has no SPF record"),
    ("spf", "E", fails(D, Type.TXT), "the SPF record of example.org cannot be looked up"),
    ("spf", "E", put(D, Type.TXT, "v=spf1 mx -all"), "198.51.100.7 may not send for example.org: fail"),
    ("spf", "E", put(D, Type.TXT, "v=spf1 -all", "v=spf1 mx"), "has 2 SPF records"),
    ("dkim", "E", drop(f"2026a._domainkey.{D}", Type.TXT), "2026a._domainkey.example.org: "),
    ("dkim", "E", put(f"2026e._domainkey.{D}", Type.TXT, "v=DKIM1;p=!"), "2026e._domainkey.example.org: "),
    ("dkim", "E", put(f"2026e._domainkey.{D}", Type.TXT, f"v=DKIM1;k=ed25519;p={'A' * 43}="), "another key than ours"),
    ("dmarc", "E", drop(f"_dmarc.{D}", Type.TXT), "_dmarc.example.org has no record"),
    ("dmarc", "E", fails(f"_dmarc.{D}", Type.TXT), "cannot be looked up"),
    ("dmarc", "E", put(f"_dmarc.{D}", Type.TXT, "v=DMARC1;p=reject;rua=mailto:x@example.org"),
     "reports do not come to dmarcreports@example.org"),
    ("dmarc", "E", put(f"_dmarc.{D}", Type.TXT,
                       "v=DMARC1;p=reject;rua=mailto:dmarcreports@example.org,mailto:x@other.example"),
     "x@other.example gets no reports"),
    ("dmarc", "W", put(f"_dmarc.{D}", Type.TXT, "v=DMARC1;p=none;rua=mailto:dmarcreports@example.org"), "the policy is none"),
    ("dmarc", "W", put(f"_dmarc.{D}", Type.TXT, "v=DMARC1;p=reject;sp=none;rua=mailto:dmarcreports@example.org"),
     "below the domain is none"),
    ("dmarc", "W", put(f"_dmarc.{D}", Type.TXT, "v=DMARC1;p=reject"), "nobody gets reports"),
    ("host_tlsrpt", "E", drop(f"_smtp._tls.{H}", Type.TXT), "has no record"),
    ("host_tlsrpt", "E", put(f"_smtp._tls.{H}", Type.TXT, "v=TLSRPTv1; rua=ftp:x"), "_smtp._tls.mx.example.org "),
    ("domain_tlsrpt", "E", fails(f"_smtp._tls.{D}", Type.TXT), "cannot be looked up"),
    ("domain_tlsrpt", "E", put(f"_smtp._tls.{D}", Type.TXT, "v=TLSRPTv1; rua=mailto:x@example.org"),
     "reports do not come to tlsreports@example.org"),
    ("mtasts", "E", drop(f"_mta-sts.{D}", Type.TXT), "has no record"),
    ("mtasts", "E", put(f"_mta-sts.{D}", Type.TXT, "v=STSv1; id=old"), "has id old, and the policy has 20260101T000000"),
    ("mtasts", "E", setting("policy", None), "the policy cannot be had from https://mta-sts.example.org"),
    ("mtasts", "W", setting("policy", POLICY.replace(b"enforce", b"testing")), "the mode is testing"),
    ("mtasts", "W", setting("policy", POLICY.replace(b"enforce", b"none")), "the mode is none"),
    ("mtasts", "W", setting("policy", POLICY.replace(b"1209600", b"3600")), "keep the policy for 3600 s"),
    ("mtasts", "W", setting("policy", POLICY.replace(b"mx.ex", b"old.ex")), "does not name this host"),
    ("mtasts", "W", setting("policy", POLICY.replace(b"mx.ex", b"old.ex")), "old.example.org of the policy is no MX"),
    ("srv", "E", drop(f"_imaps._tcp.{D}", Type.SRV), "_imaps._tcp.example.org is missing"),
    ("srv", "E", fails(f"_imaps._tcp.{D}", Type.SRV), "cannot be looked up"),
    ("srv", "E", put(f"_imaps._tcp.{D}", Type.SRV, SRV(0, 1, 993, "old.example")), "leads to old.example"),
    ("srv", "E", put(f"_imaps._tcp.{D}", Type.SRV, SRV(0, 1, 143, H)), "has port 143, and the service 993"),
    ("srv", "E", put(f"_pop3._tcp.{D}", Type.SRV, SRV(0, 1, 110, H)), "there is no such service"),
    ("srv", "W", drop(f"_pop3._tcp.{D}", Type.SRV), "_pop3._tcp.example.org is missing (optional)"),
    ("autoconfig", "E", drop(f"autoconfig.{D}", Type.CNAME), "autoconfig.example.org has no addresses"),
    ("autoconfig", "E", no_port(443), "no TLS with autoconfig.example.org"),
    ("autoconfig", "E", setting("roots", Authority().roots), "the certificate of autoconfig.example.org is not verified"),
    ("autodiscover", "E", drop(f"_autodiscover._tcp.{D}", Type.SRV), "cannot be looked up"),
    ("autodiscover", "E", put(f"_autodiscover._tcp.{D}", Type.SRV, SRV(0, 1, 80, H)), "no record with port 443"),
]  # fmt: skip


@pytest.mark.parametrize(("area", "level", "change", "text"), FAULTS)
async def test_fault(config, facts, world, area, level, change, text):
    change(world)
    found = (await CHECKS[area][1](world.subject(config, facts)),)
    told = found[0].errors if level == "E" else found[0].warnings
    assert any(text in one for one in told), found[0]


async def test_soon_to_end(config, facts, world):
    world.now = datetime.now(UTC).replace(microsecond=0) + (pair_end() - datetime.now(UTC)) * 0.9
    area = await CHECKS["tls"][1](world.subject(config, facts))
    assert any("should have been renewed" in one for one in area.warnings), area


def pair_end():
    from cryptography import x509

    return x509.load_pem_x509_certificates(pair().chain)[0].not_valid_after_utc


async def test_a_check_that_fails_is_no_end(config, facts, world, monkeypatch):
    """A bug, or silence, in one area leaves the others."""

    async def bug(_):
        raise ZeroDivisionError

    async def silence(_):
        await trio.sleep_forever()

    monkeypatch.setitem(CHECKS, "spf", ("SPF", bug))
    monkeypatch.setitem(CHECKS, "dkim", ("DKIM", silence))
    monkeypatch.setattr("appliance.operations.domaincheck.run.SECONDS", 0.5)
    found = await check(world.subject(config, facts))
    assert "which is a bug" in found["spf"].errors[0]
    assert "no result after" in found["dkim"].errors[0]
    assert found["mx"].ok
