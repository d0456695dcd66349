"""Which DNS records a domain of ours needs, as values: from the configuration alone, and facts that others found out.

Nothing is asked here and nothing published; `dnslive` compares with what the DNS says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.config.addresses import DomainEntry
from appliance.config.source import Config
from appliance.config.static import Listener
from appliance.config.values import IPAddress
from appliance.mail.domain import Domain
from appliance.msgauth.dkim import record as dkimrecord
from appliance.operations import clientsettings

#: Low, so that a mistake is soon forgotten by those who saw it.
TTL_SECONDS: Final = 300
#: Characters of a string in a TXT record as we print it; a record is as many of them as it takes, of up to 255 octets
#: (RFC 1035 §3.3).
STRING_CHARACTERS: Final = 100
#: Reports above this size are not sent to us (RFC 7489 §6.2).
_DMARC_REPORT_SIZE: Final = "10m"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record that should be in the DNS."""

    #: Lower case, A-labels, without the final dot.
    name: str
    type: str
    #: As zone files have it (RFC 1035 §5.1), names with their final dot; of TXT the text itself.
    value: str
    #: Nothing breaks without it.
    optional: bool = False
    #: False: it is shown, and would do harm or nothing if it were published today.
    active: bool = True

    @property
    def data(self) -> str:
        """The value as a zone file takes it, in one line."""
        return _quoted(self.value) if self.type == "TXT" else self.value


@dataclass(frozen=True, slots=True)
class Section:
    """Records that belong together, and what to say of them."""

    title: str
    comment: tuple[str, ...]
    records: tuple[Wanted, ...]
    #: Of the machine: published once, however many domains there are.
    of_host: bool = False


@dataclass(frozen=True, slots=True)
class HostKey:
    """A private key that certificates of this host will always have."""

    #: ecdsap256 or rsa2048.
    kind: str
    #: SHA-256 of the public key, hexadecimal (RFC 6698 §2.1: 3 1 1).
    digest: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the configuration does not say."""

    #: Whether DNSSEC vouches for the host's zone; None: nobody asked.
    host_is_signed: bool | None = None
    host_keys: tuple[HostKey, ...] = ()
    #: Accounts at certificate authorities, by the provider's name in the configuration.
    acme_accounts: Mapping[str, str] = field(default_factory=dict)


def public_listener(config: Config) -> Listener | None:
    """The listener that the world's mail comes to: the one of that name, else the first with SMTP."""
    listeners = config.static.listeners
    if "public" in listeners:
        return listeners["public"]
    return next((one for _, one in sorted(listeners.items()) if one.smtp.enabled), None)


def host_of(config: Config) -> Domain:
    """The name that mail servers know this machine by."""
    listener = public_listener(config)
    return (listener.hostname if listener and listener.hostname else config.static.hostname).domain


def sections(config: Config, entry: DomainEntry, facts: Facts) -> list[Section]:
    """All records for a domain, the machine's first, in the order to publish them."""
    domain, host = entry.domain, host_of(config)
    found = [
        _addresses(config, domain, host),
        _dane(config, host, facts),
        *([_host_policies(config, host)] if domain != host else []),
        _mx(domain, host),
        _dkim(config, entry),
        _spf(config, domain),
        _dmarc(entry),
        _mtasts(config, entry, host),
        _tlsrpt(entry),
        _clients(config, entry, host),
        _caa(config, entry, host, facts),
    ]
    return [one for one in found if one is not None]


def _addresses(config: Config, domain: Domain, host: Domain) -> Section | None:
    listener = public_listener(config)
    ips = [] if listener is None else [one.ip for one in listener.nat_ips or listener.ips]
    usable = [ip for ip in ips if not ip.is_unspecified and not ip.is_loopback]
    if not usable:
        return None
    below = host == domain or host.ascii.endswith(f".{domain.ascii}")
    comment = ["Each address must also lead back to this name: its PTR record is set where you rent the address."]
    if not below:
        comment.append(f"{host} is not below {domain}: these belong into the zone of {host}.")
    return Section(
        "Addresses of this machine", tuple(comment), tuple(_address(host.ascii, ip) for ip in usable), of_host=True
    )


def _address(name: str, ip: IPAddress) -> Wanted:
    return Wanted(name, "A" if ip.version == 4 else "AAAA", str(ip))


def _dane(config: Config, host: Domain, facts: Facts) -> Section | None:
    if not facts.host_keys:
        return None
    signed = facts.host_is_signed
    comment = ["Which keys certificates of this host have, for senders that verify them by DNSSEC (DANE)."]
    if signed is False:
        comment.append(f"The zone of {host} is not signed, so nobody would look at these: sign it first (DNSSEC).")
    elif signed is None:
        comment.append("Only of use in a signed zone (DNSSEC); not found out whether it is.")
    records = (
        Wanted(f"_25._tcp.{host.ascii}", "TLSA", f"3 1 1 {key.digest}", active=signed is not False)
        for key in sorted(facts.host_keys, key=lambda one: one.kind)
    )
    return Section("DANE", tuple(comment), tuple(records), of_host=True)


def _host_policies(config: Config, host: Domain) -> Section:
    comment = ["Notices about mail come from the host name itself, so it needs a policy of its own."]
    records = [Wanted(host.ascii, "TXT", "v=spf1 a -all")]
    if reports := config.static.host_tlsrpt:
        comment.append("Where others report failures of TLS with this host.")
        address = f"{reports.localpart}@{host.ascii}"
        records.append(Wanted(f"_smtp._tls.{host.ascii}", "TXT", f"v=TLSRPTv1; rua=mailto:{_in_uri(address)}"))
    return Section("The host name as a sender", tuple(comment), tuple(records), of_host=True)


def _mx(domain: Domain, host: Domain) -> Section:
    return Section("Where mail goes", (), (Wanted(domain.ascii, "MX", f"10 {host.ascii}."),))


def _dkim(config: Config, entry: DomainEntry) -> Section:
    selectors, signing = entry.config.dkim.selectors, entry.config.dkim.sign
    keys = config.derived.dkim_keys
    records = [
        Wanted(f"{name}._domainkey.{entry.domain.ascii}", "TXT", dkimrecord.compose(key))
        for name in sorted(selectors)
        if (key := keys.get((entry.name, name))) is not None
    ]
    if not selectors:
        return Section("DKIM", ("No keys are configured: mail of this domain is not signed.",), ())
    spare = sorted(set(selectors) - set(signing))
    comment = [f"Keys of signatures: {_listed(sorted(signing)) or 'none'} sign{'s' if len(signing) == 1 else ''}."]
    if spare:
        comment.append(f"Not signing today, and known to the world when you switch: {_listed(spare)}.")
    if any(len(one.value) > STRING_CHARACTERS for one in records):
        comment.append("Long texts are shown in several strings: some forms for records want them in one, unquoted.")
    if len(records) < len(selectors):
        comment.append("Keys that cannot be read are left out: moxpy config test says more.")
    return Section("DKIM", tuple(comment), tuple(records))


def _spf(config: Config, domain: Domain) -> Section:
    words = [f"ip{ip.version}:{ip}" for ip in config.derived.spf_ips if not ip.is_loopback]
    return Section(
        "SPF",
        ("Who may send for the domain. Softfail (~all), so that receivers look at DKIM before they refuse.",),
        (Wanted(domain.ascii, "TXT", " ".join(["v=spf1", *words, "mx", "~all"])),),
    )


def report_address(entry: DomainEntry, kind: str) -> str | None:
    """The address for reports about a domain (`dmarc` or `tlsrpt`), as URIs have it; None: none is configured."""
    where = entry.config.dmarc if kind == "dmarc" else entry.config.tlsrpt
    if where is None:
        return None
    domain = where.domain.domain if where.domain else entry.domain
    return _in_uri(f"{where.localpart}@{domain.ascii}")


def _dmarc(entry: DomainEntry) -> Section:
    address = report_address(entry, "dmarc")
    value = "v=DMARC1;p=reject" + (f";rua=mailto:{address}!{_DMARC_REPORT_SIZE}" if address else "")
    comment = ["What receivers shall do with mail that claims to be from here and is not; and where they report it."]
    if not address:
        comment.append("No address for reports is configured.")
    return Section("DMARC", tuple(comment), (Wanted(f"_dmarc.{entry.domain.ascii}", "TXT", value),))


def _mtasts(config: Config, entry: DomainEntry, host: Domain) -> Section:
    policy, domain = entry.config.mtasts, entry.domain.ascii
    if policy is None:
        return Section("MTA-STS", ("Not configured: senders without DANE do not verify our certificates.",), ())
    comment = ["A policy that senders fetch from us: they must verify certificates. Change the id with the policy."]
    return Section(
        "MTA-STS",
        tuple(comment),
        (
            Wanted(f"mta-sts.{domain}", "CNAME", f"{host.ascii}."),
            Wanted(f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={policy.policy_id}"),
        ),
    )


def _tlsrpt(entry: DomainEntry) -> Section | None:
    address = report_address(entry, "tlsrpt")
    if address is None:
        return None
    return Section(
        "TLS reports",
        ("Where others report failures of TLS on the way to this domain.",),
        (Wanted(f"_smtp._tls.{entry.domain.ascii}", "TXT", f"v=TLSRPTv1; rua=mailto:{address}"),),
    )


def client_host(config: Config, entry: DomainEntry) -> Domain:
    """The host that mail programs of a domain's users are told of."""
    name = entry.config.client_settings_domain
    return name.domain if name else host_of(config)


def _clients(config: Config, entry: DomainEntry, host: Domain) -> Section:
    domain, clients = entry.domain.ascii, client_host(config, entry)
    records = []
    if clients != host:
        records.append(Wanted(clients.ascii, "CNAME", f"{host.ascii}."))
    if any(one.autoconfig_https.enabled for one in config.static.listeners.values()):
        records.append(Wanted(f"autoconfig.{domain}", "CNAME", f"{host.ascii}."))
        records.append(Wanted(f"_autodiscover._tcp.{domain}", "SRV", f"0 1 443 {host.ascii}."))
    records += [
        Wanted(f"{service}.{domain}", "SRV", f"0 1 {port} {clients.ascii}.", optional=True)
        for service, port in services(config, entry)
    ]
    records += [Wanted(f"{name}.{domain}", "SRV", "0 0 0 .", optional=True) for name in absent_services(config, entry)]
    return Section(
        "Settings of mail programs",
        ("How mail programs find their servers. 0 0 0 . says that there is no such service.",),
        tuple(records),
    )


#: RFC 8620 §2.2.
JMAP: Final = "_jmap._tcp"
#: Services that RFC 6186 and RFC 8314 have names for.
_SERVICES: Final = ("_imaps._tcp", "_submissions._tcp", "_imap._tcp", "_submission._tcp", "_pop3._tcp", "_pop3s._tcp")


def services(config: Config, entry: DomainEntry) -> list[tuple[str, int]]:
    """Names and ports of the services there are, TLS from the start alone (RFC 8314 §3)."""
    names = {"imap": "_imaps._tcp", "smtp": "_submissions._tcp"}
    found: dict[str, int] = {}
    for server in clientsettings.servers(config.static, entry):
        if server.socket == "SSL":
            found.setdefault(names[server.kind], server.port)
    # Where the webmail is, JMAP is, too.
    ports = (int(one.webmail_https.port) for one in config.static.listeners.values() if one.webmail_https.enabled)
    if (port := next(ports, None)) is not None:
        found[JMAP] = port
    return list(found.items())


def absent_services(config: Config, entry: DomainEntry) -> list[str]:
    """Names of the services that mail programs shall not look for."""
    present = dict(services(config, entry))
    return [name for name in _SERVICES if name not in present]


def acme_issuers(config: Config) -> dict[str, str]:
    """Providers of certificates in use, and their names in CAA records."""
    used = {one.tls.acme for one in config.static.listeners.values() if one.tls and one.tls.acme}
    return {name: config.static.acme[name].issuer for name in sorted(used) if config.static.acme[name].issuer}


def _caa(config: Config, entry: DomainEntry, host: Domain, facts: Facts) -> Section | None:
    issuers = acme_issuers(config)
    if not issuers:
        return None
    domain = entry.domain.ascii
    records = [Wanted(domain, "CAA", f'0 issue "{issuer}"') for issuer in dict.fromkeys(issuers.values())]
    comment = ["Who may issue certificates for the domain (RFC 8659)."]
    names = [domain, f"autoconfig.{domain}", f"mta-sts.{domain}", client_host(config, entry).ascii]
    if host.ascii.endswith(f".{domain}"):
        names.append(host.ascii)
    known = {name: facts.acme_accounts[name] for name in issuers if name in facts.acme_accounts}
    if known:
        comment.append("Stricter, for this server's account alone (RFC 8657); replace the one above when all works:")
    else:
        comment.append("Stricter ones are shown here once there is an account at the authority.")
    for provider, uri in known.items():
        methods = ("dns-01," if config.static.acme[provider].dns_update else "") + "tls-alpn-01,http-01"
        value = f'0 issue "{issuers[provider]}; accounturi={uri}; validationmethods={methods}"'
        records += [Wanted(name, "CAA", value, active=False) for name in dict.fromkeys(names)]
    return Section("Certificates", tuple(comment), tuple(records))


def zone(found: Sequence[Section], domain: Domain) -> str:
    """A zone file with explanations (RFC 1035 §5.1), to be added to what the zone has."""
    lines = [
        f"; DNS records for {domain}. Raise the TTL when all works.",
        f"$TTL {TTL_SECONDS}",
        *(line for section in found for line in _section_lines(section)),
    ]
    return "\n".join(lines) + "\n"


def _section_lines(section: Section) -> Iterator[str]:
    yield ""
    yield f"; {section.title}{' (once for this machine)' if section.of_host else ''}"
    for text in section.comment:
        yield f"; {text}"
    for one in section.records:
        yield f"{'' if one.active else ';; '}{one.name}. {one.type} {one.data}"


def _quoted(text: str) -> str:
    """Strings of a TXT record; backslashes and quotes escaped (RFC 1035 §5.1)."""
    pieces = [text[at : at + STRING_CHARACTERS] for at in range(0, len(text), STRING_CHARACTERS)] or [""]
    escaped = (piece.replace("\\", "\\\\").replace('"', '\\"') for piece in pieces)
    quoted = [f'"{piece}"' for piece in escaped]
    return quoted[0] if len(quoted) == 1 else f"({' '.join(quoted)})"


def _in_uri(address: str) -> str:
    """An address in a mailto URI of a list: commas and exclamation marks mean something there (RFC 7489 §6.2)."""
    return address.replace("%", "%25").replace(",", "%2C").replace("!", "%21")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
