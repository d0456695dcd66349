"""Which account or alias an address leads to: the index over all addresses, and the look-up in it.

The index is built at each load, and building it is also the check that no two addresses are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.config.domains import Alias, Destination, DomainConfig, Domains
from appliance.config.errors import KeyPath, Report
from appliance.config.static import Static
from appliance.config.values import config_address, config_domain, config_localpart
from appliance.mail.address import Address, Path, canonical_localpart, normalise_localpart, spell_localpart
from appliance.mail.domain import Domain


@dataclass(frozen=True, slots=True)
class Found:
    """An address that leads to an account."""

    account: str
    destination: Destination
    #: The canonical address, with the domain in Unicode spelling; `@domain` for a catch-all.
    address_key: str
    is_catchall: bool = False
    #: The key below `destinations` as the operator wrote it; empty for report and postmaster addresses.
    written: str = ""
    #: Which reports of others arrive here: `dmarc` for those of a domain, `tls` for those of a domain or the host.
    reports: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FoundAlias:
    """An address that leads to the members of an alias."""

    alias: Alias
    #: The canonical address, with the domain in Unicode spelling.
    address_key: str
    #: The domain's name in the configuration, and the alias's localpart as it stands there.
    domain: str
    localpart: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The domain is ours, the address is nobody's."""


@dataclass(frozen=True, slots=True)
class NotLocal:
    """The domain is not one we receive mail for."""


@dataclass(frozen=True, slots=True)
class Disabled:
    """The domain is ours but switched off for now."""


Lookup = Found | FoundAlias | Unknown | NotLocal | Disabled


@dataclass(frozen=True, slots=True)
class DomainEntry:
    """What a look-up needs to know of a domain."""

    #: The name in the configuration, in Unicode spelling.
    name: str
    domain: Domain
    config: DomainConfig
    #: No addresses of its own: its reports go to another domain, mail for it is not ours.
    is_reports_only: bool

    def canonical(self, localpart: str) -> str:
        """What a localpart is looked up as in this domain; postmaster in any case (RFC 5321 §4.5.1)."""
        canonical = canonical_localpart(
            localpart,
            case_sensitive=self.config.localpart_case_sensitive,
            separators=self.config.localpart_catchall_separators,
        )
        return "postmaster" if canonical.lower() == "postmaster" else canonical

    def folded(self, localpart: str) -> str:
        """As `canonical`, with separators left in: how report addresses are found."""
        return canonical_localpart(localpart, case_sensitive=self.config.localpart_case_sensitive, separators=())


@dataclass(frozen=True, slots=True)
class AddressIndex:
    """All addresses of the configuration; what is keyed by a domain uses its A-label spelling."""

    domains: Mapping[str, DomainEntry] = field(default_factory=dict)
    addresses: Mapping[tuple[str, str], Found] = field(default_factory=dict)
    #: Report addresses of domains; their localparts are folded but not cut at separators.
    reports: Mapping[tuple[str, str], Found] = field(default_factory=dict)
    aliases: Mapping[tuple[str, str], FoundAlias] = field(default_factory=dict)
    catchalls: Mapping[str, Found] = field(default_factory=dict)
    #: Host names at which the postmaster of the machine is reached.
    postmaster_hosts: frozenset[str] = frozenset()
    postmaster: Found | None = None
    host_reports: tuple[str, str, Found] | None = None

    def lookup(self, target: Path | Address, *, for_login: bool = False) -> Lookup:
        """Where mail for an address goes, or who logs in with it; in constant time.

        A login never resolves an alias or the postmaster of the host, and does not mind a disabled domain.
        """
        domain = target.domain
        localpart = normalise_localpart(target.localpart)
        if localpart.lower() == "postmaster":
            localpart = "postmaster"
        host = "" if domain is None else domain.ascii if isinstance(domain, Domain) else None
        if host is None:
            return NotLocal()
        if not for_login and (found := self._host_address(localpart, host)):
            return found
        entry = self.domains.get(host)
        if entry is None or entry.is_reports_only:
            return NotLocal()
        if entry.config.disabled and not for_login:
            return Disabled()
        if self.reports and (report := self.reports.get((entry.folded(localpart), host))):
            return report
        key = (entry.canonical(localpart), host)
        if address := self.addresses.get(key):
            return address
        if not for_login and (alias := self.aliases.get(key)):
            return alias
        if catchall := self.catchalls.get(host):
            return catchall
        if key[0] == "postmaster" and not for_login and self.postmaster:
            return self.postmaster
        return Unknown()

    def key(self, address: Address) -> str | None:
        """The canonical address, as `address_key` has it; None when its domain is not one of ours.

        Two spellings of one address have the same key, whether or not it leads anywhere.
        """
        entry = self.domains.get(address.domain.ascii)
        if entry is None:
            return None
        localpart = entry.canonical(address.localpart)
        return f"{spell_localpart(localpart)}@{entry.domain.unicode}"

    def own(self, address: Address) -> Found | None:
        """The destination of exactly this address (in any spelling), also in a disabled domain; no catch-all."""
        entry = self.domains.get(address.domain.ascii)
        if entry is None:
            return None
        return self.addresses.get((entry.canonical(address.localpart), address.domain.ascii))

    def _host_address(self, localpart: str, host: str) -> Found | None:
        if localpart == "postmaster" and (not host or host in self.postmaster_hosts):
            return self.postmaster
        if self.host_reports and self.host_reports[1] == host:
            name, _, found = self.host_reports
            return found if name == normalise_localpart(localpart.lower()) else None
        return None


class _Builder:
    def __init__(self, static: Static, domains: Domains, report: Report) -> None:
        self.static, self.domains, self.report = static, domains, report
        self.entries: dict[str, DomainEntry] = {}
        self.addresses: dict[tuple[str, str], Found] = {}
        self.reports: dict[tuple[str, str], Found] = {}
        self.aliases: dict[tuple[str, str], FoundAlias] = {}
        self.catchalls: dict[str, Found] = {}
        #: Where each address was defined first, to name it when it is defined again.
        self.origin: dict[tuple[str, str], str] = {}

    def build(self) -> AddressIndex:
        for name, config in self.domains.domains.items():
            if domain := self.domain_of(name, ("domains", name)):
                self.entries[domain.ascii] = DomainEntry(name, domain, config, is_reports_only=True)
        for name in self.domains.accounts:
            self.account(name)
        for entry in tuple(self.entries.values()):
            self.report_addresses(entry)
        for entry in tuple(self.entries.values()):
            for localpart, alias in entry.config.aliases.items():
                self.alias(entry, localpart, alias)
        self.members()
        self.mark_reports_only()
        static = self.static
        hosts = [static.hostname, *(one.hostname for one in static.listeners.values() if one.smtp.enabled)]
        return AddressIndex(
            domains=self.entries,
            addresses=self.addresses,
            reports=self.reports,
            aliases=self.aliases,
            catchalls=self.catchalls,
            postmaster_hosts=frozenset(host.domain.ascii for host in hosts if host),
            postmaster=Found(static.postmaster.account, Destination(mailbox=static.postmaster.mailbox), "postmaster"),
            host_reports=self.host_reports(),
        )

    def domain_of(self, name: str, path: KeyPath) -> Domain | None:
        """The domain that a key names; nothing, and a word in the report, when it is none."""
        try:
            domain = config_domain(name)
        except ValueError as error:
            self.report.error(path, f'"{name}" {error}')
            return None
        if domain.unicode != name:
            self.report.error(path, f'must be written as "{domain.unicode}"')
        return domain

    def account(self, name: str) -> None:
        for written, destination in self.domains.accounts[name].destinations.items():
            path: KeyPath = ("accounts", name, "destinations", written)
            if written.startswith("@"):
                self.catchall(name, written, destination, path)
                continue
            try:
                address = config_address(written)
            except ValueError as error:
                self.report.error(path, str(error))
                continue
            if entry := self.entry_of(address.domain, path):
                self.refuse_separator(entry, address.localpart, path)
                found = Found(name, destination, self.key_text(entry, address.localpart), written=written)
                self.add(entry, address.localpart, found, path)

    def entry_of(self, domain: Domain, path: KeyPath) -> DomainEntry | None:
        entry = self.entries.get(domain.ascii)
        if entry is None:
            self.report.error(path, f"domain {domain.unicode} is not configured")
        return entry

    def key_text(self, entry: DomainEntry, localpart: str) -> str:
        return f"{spell_localpart(entry.canonical(localpart))}@{entry.domain.unicode}"

    def refuse_separator(self, entry: DomainEntry, localpart: str, path: KeyPath) -> None:
        for separator in entry.config.localpart_catchall_separators:
            if separator in localpart or separator in entry.folded(localpart):
                self.report.error(path, f'localpart must not contain the separator "{separator}" of its domain')

    def is_taken(self, key: tuple[str, str], path: KeyPath, what: str) -> bool:
        if other := self.origin.get(key):
            self.report.error(path, f"is the same address as {other}")
            return True
        self.origin[key] = what
        return False

    def add(self, entry: DomainEntry, localpart: str, found: Found, path: KeyPath) -> None:
        key = (entry.canonical(localpart), entry.domain.ascii)
        if not self.is_taken(key, path, f"{found.written} of account {found.account}"):
            self.addresses[key] = found

    def catchall(self, account: str, written: str, destination: Destination, path: KeyPath) -> None:
        domain = self.domain_of(written[1:], path)
        if domain and (entry := self.entry_of(domain, path)):
            if other := self.catchalls.get(domain.ascii):
                self.report.error(path, f"domain has a catch-all already, of account {other.account}")
                return
            self.catchalls[domain.ascii] = Found(
                account, destination, f"@{entry.domain.unicode}", is_catchall=True, written=written
            )

    def report_addresses(self, entry: DomainEntry) -> None:
        for kind, tag in (("dmarc", "dmarc"), ("tlsrpt", "tls")):
            address = getattr(entry.config, kind)
            if address is None:
                continue
            path: KeyPath = ("domains", entry.name, kind)
            target = entry
            if address.domain:
                other = self.entry_of(address.domain.domain, (*path, "domain"))
                if other is None:
                    continue
                target = other
            folded = target.folded(address.localpart)
            key = (folded, target.domain.ascii)
            reports = frozenset((tag,))
            if earlier := self.reports.get(key):
                # Several reports, also of several domains, may share an address; two receivers may not.
                if earlier.account != address.account or earlier.destination.mailbox != address.mailbox:
                    self.report.error(path, f"is the same address as a report address of account {earlier.account}")
                    continue
                reports |= earlier.reports
            elif self.is_taken(key, path, f"the {kind} address of domain {entry.name}"):
                continue
            self.reports[key] = Found(
                address.account,
                Destination(mailbox=address.mailbox),
                f"{spell_localpart(folded)}@{target.domain.unicode}",
                reports=reports,
            )

    def alias(self, entry: DomainEntry, written: str, alias: Alias) -> None:
        path: KeyPath = ("domains", entry.name, "aliases", written)
        try:
            localpart = config_localpart(written)
        except ValueError as error:
            self.report.error(path, str(error))
            return
        self.refuse_separator(entry, localpart, path)
        key = (entry.canonical(localpart), entry.domain.ascii)
        if not self.is_taken(key, path, f"an alias of domain {entry.name}"):
            self.aliases[key] = FoundAlias(alias, self.key_text(entry, localpart), entry.name, written)

    def members(self) -> None:
        """Members are looked up when all addresses are known."""
        for found in self.aliases.values():
            path: KeyPath = ("domains", found.domain, "aliases", found.localpart, "addresses")
            if not found.alias.addresses:
                self.report.error(path, "must have at least one member")
            seen: set[tuple[str, str]] = set()
            for index, member in enumerate(found.alias.addresses):
                here, address = (*path, index), member.address
                entry = self.entries.get(address.domain.ascii)
                key = (entry.canonical(address.localpart) if entry else "", address.domain.ascii)
                if key not in self.addresses:
                    self.report.error(here, f"{member} is not an address of a local account")
                elif key in seen:
                    self.report.error(here, f"{member} is listed twice")
                seen.add(key)

    def mark_reports_only(self) -> None:
        own = {host for _, host in (*self.addresses, *self.aliases)} | self.catchalls.keys()
        for host, entry in self.entries.items():
            reports = (entry.config.dmarc, entry.config.tlsrpt)
            inside = any(one and (one.domain is None or one.domain.domain == entry.domain) for one in reports)
            if host in own or inside:
                self.entries[host] = DomainEntry(entry.name, entry.domain, entry.config, is_reports_only=False)

    def host_reports(self) -> tuple[str, str, Found] | None:
        receiver = self.static.host_tlsrpt
        if receiver is None:
            return None
        hostname = self.static.hostname
        found = Found(
            receiver.account,
            Destination(mailbox=receiver.mailbox),
            f"{spell_localpart(receiver.localpart.lower())}@{hostname}",
            reports=frozenset(("tls",)),
        )
        return normalise_localpart(receiver.localpart.lower()), hostname.domain.ascii, found


def index_addresses(static: Static, domains: Domains, report: Report) -> AddressIndex:
    """The index of all addresses; clashes, unknown domains and bad aliases go to the report."""
    return _Builder(static, domains, report).build()
