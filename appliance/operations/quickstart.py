"""A first installation: what is found out of machine and DNS, what follows from it, and the files.

Three steps, each for itself: `survey` asks, `plan` decides (pure), `install` writes, all or nothing.
"""

import os
import secrets
import shutil
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import trio
from msgspec.structs import replace

from appliance.base.clock import Clock
from appliance.config import generate
from appliance.config.domains import Domains
from appliance.config.errors import ConfigErrors, KeyPath
from appliance.config.load import Config, load
from appliance.config.static import (
    IMAPS,
    LETSENCRYPT_DIRECTORY,
    SMTP,
    ACMEProvider,
    HostTLSReports,
    KeyCert,
    Listener,
    ListenerTLS,
    Monitoring,
    Postmaster,
    SettingsHTTPS,
    Static,
    Submissions,
    WebServer,
    WebService,
)
from appliance.config.validate_static import RunAs
from appliance.config.values import (
    AddressName,
    DomainName,
    FilePath,
    IPAddress,
    IPName,
    Localpart,
    MailboxName,
    Port,
    URLPath,
    WebURL,
)
from appliance.dns.problems import LookupProblem, NotFound
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.msgauth import dnsbl
from appliance.msgauth.dkim import keys as dkimkeys
from appliance.msgauth.publicsuffix import organizational_domain
from appliance.msgauth.results import AuthStatus
from appliance.net.dial import Dialer, DialError
from appliance.operations import accounts, machine, passwords, rdap
from appliance.operations.machine import Held, Interface
from appliance.operations.stage import Grade, Stage, skipped
from appliance.store.defaults import STORE
from appliance.store.store import Store

#: For all questions to the DNS, and for each.
DNS_SECONDS: Final = 10.0
LOOKUP_SECONDS: Final = 5.0
DIAL_SECONDS: Final = 10.0
#: A host that takes mail of everybody: who cannot reach its port 25 reaches nobody's.
DIAL_DOMAIN: Final = "gmail.com"
#: Domains this young are mistrusted.
YOUNG: Final = timedelta(weeks=6)
#: Lists that many look at.
BLOCKLISTS: Final = ("sbl.spamhaus.org", "bl.spamcop.net")
PASSWORD_CHARACTERS: Final = 12
_ALPHABET: Final = string.ascii_letters + string.digits + "!@#$%^&*-_;:,<.>/"
#: Ports of the world, and of this machine alone.
_PUBLIC_PORTS: Final = (25, 465, 993, 80, 443)
_INTERNAL_PORTS: Final = (80, 8010)
_BEHIND_PORTS: Final = (25, 465, 993, 1080, 81, 8010)
FOLDER_MODE: Final = 0o770
CONFIG_MODE: Final = 0o660
KEY_MODE: Final = 0o600


class QuickstartError(Exception):
    """The installation cannot be made; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator says."""

    address: AddressName
    #: Where everything goes: config, data, the unit.
    directory: Path
    user: str = "moxpy"
    hostname: Domain | None = None
    #: Instead of what the interfaces and the DNS say.
    ips: tuple[IPAddress, ...] = ()
    #: A web server has the ports 80 and 443.
    behind: bool = False
    #: No mail host and no registry is connected to.
    skip_dial: bool = False
    #: Nothing is asked at all.
    offline: bool = False
    dial_domain: str = DIAL_DOMAIN
    #: Sign with ed25519, too.
    ed25519: bool = False

    @property
    def account(self) -> str:
        """The name of the first account."""
        return self.address.address.localpart

    @property
    def domain(self) -> Domain:
        """The domain."""
        return self.address.address.domain


@dataclass(slots=True)
class Findings:
    """What the survey found out; complete when it is over."""

    interfaces: list[Interface] = field(default_factory=list)
    hostname: Domain | None = None
    #: Of the host name, without those of the loopback.
    host_ips: list[IPAddress] = field(default_factory=list)
    #: Whether DNSSEC vouches for them; None: nobody asked.
    host_authentic: bool | None = None
    held: list[Held] = field(default_factory=list)
    has_mx: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a survey asks with; tests bring their own."""

    resolver: Resolver
    dialer: Dialer
    clock: Clock
    interfaces: Callable[[], list[Interface]] = machine.interfaces
    system_hostname: Callable[[], str] = machine.system_hostname
    held_ports: Callable[[Sequence[int]], list[Held]] = machine.held_ports
    #: Raises rdap.RDAPError.
    age: Callable[[Domain], Awaitable[rdap.Age]]


async def survey(options: Options, means: Means, findings: Findings) -> AsyncIterator[Stage]:
    """Each check as soon as it is done. Raises QuickstartError where nothing can be made of it."""
    offline = options.offline
    with trio.CancelScope(deadline=trio.current_time() + DNS_SECONDS) as scope:
        yield skipped("Resolver") if offline else await _resolver(means)
        yield await _addresses(options, means, findings)
        yield await _hostname(options, means, findings)
        yield skipped("Reverse names") if offline else await _reverse(options, means, findings)
    if scope.cancelled_caught:
        yield Stage("DNS", Grade.WARNING, [f"the DNS took more than {DNS_SECONDS:g} s; going on without the rest"])
    if findings.hostname is None:
        raise QuickstartError("no host name was found; give one with --hostname")
    yield await _ports(options, means, findings)
    unreachable = offline or options.skip_dial
    yield skipped("Outgoing port 25") if unreachable else await _outgoing(options, means)
    yield skipped("Age of the domain") if unreachable else await _age(options, means)
    yield skipped("Block lists") if offline else await _listed(means, findings)
    if not offline:
        yield await _present(options, means, findings)


async def _resolver(means: Means) -> Stage:
    stage = Stage("Resolver")
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            # Some validating resolvers do not vouch for the root itself.
            answer = await means.resolver.ns("com", dnssec=True)
    except (LookupProblem, trio.TooSlowError) as error:
        raise QuickstartError(
            f"the DNS does not work here: {error or 'no answer in time'}\n"
            "See that /etc/resolv.conf names a resolver that answers, or go on without any with --offline."
        ) from error
    if answer.authentic:
        stage.say(f"answers are verified by {answer.vouched.value}")
    else:
        stage.warn(
            "answers are not verified (DNSSEC): mail could be led astray, and nobody's keys can be trusted (DANE)",
            "Install a validating resolver on this machine (unbound, with its root anchors) and name 127.0.0.1 in "
            "/etc/resolv.conf. To see that it works: moxpy dns lookup ns com",
        )
    return stage


async def _addresses(options: Options, means: Means, findings: Findings) -> Stage:
    stage = Stage("Addresses")
    try:
        findings.interfaces = await trio.to_thread.run_sync(means.interfaces)
    except OSError as error:
        if not options.ips:
            raise QuickstartError(
                f"the addresses of this machine cannot be found: {error}; give them with --ip"
            ) from error
    public, internal = machine.addresses(findings.interfaces)
    if options.ips:
        stage.say(f"as given: {_listed_ips(options.ips)}")
    elif public:
        stage.say(f"public: {_listed_ips(public)}")
    else:
        stage.say(f"none is public; internal: {_listed_ips(internal)}")
    return stage


async def _hostname(options: Options, means: Means, findings: Findings) -> Stage:
    stage = Stage("Host name")
    findings.hostname = options.hostname or await _found_hostname(options, means, findings, stage)
    host = findings.hostname
    stage.texts.insert(0, str(host))
    if options.offline:
        findings.host_ips = list(options.ips)
        return stage
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            answer = await means.resolver.addresses(host.ascii, dnssec=True)
    except NotFound as missing:
        findings.host_authentic = missing.authentic
        stage.warn(
            f"{host} has no addresses in the DNS",
            f"If the name is right, add A and AAAA records. Else: moxpy quickstart --hostname NAME {options.address}",
        )
        return stage
    except (LookupProblem, trio.TooSlowError) as error:
        stage.warn(f"the addresses of {host} cannot be looked up: {error or 'no answer in time'}")
        return stage
    findings.host_authentic = answer.authentic
    findings.host_ips = [ip for ip in answer.records if not ip.is_loopback]
    stage.say(f"its addresses: {_listed_ips(answer.records)}")
    if len(findings.host_ips) < len(answer.records):
        stage.warn(
            f"{host} leads to this machine's loopback: local deliveries would go astray",
            f"Remove {host} from the line of 127.0.0.1 or 127.0.1.1 in /etc/hosts.",
        )
    if not answer.authentic:
        stage.say("its zone is not signed (DNSSEC), so DANE is not active yet; its records are shown, and switched off")
    return stage


async def _found_hostname(options: Options, means: Means, findings: Findings, stage: Stage) -> Domain:
    own = means.system_hostname()
    if "." in own:
        try:
            return parse_domain(own)
        except DomainError as error:
            raise QuickstartError(
                f"the system's host name, {own}, is none: {error}; give one with --hostname"
            ) from error
    names: set[str] = set()
    if not options.offline:
        public, _ = machine.addresses(findings.interfaces)
        for ip in public:
            with trio.move_on_after(LOOKUP_SECONDS):
                try:
                    names.update(name for name in (await means.resolver.ptr(ip)).records if "." in name)
                except LookupProblem:
                    continue
    if names:
        if len(names) > 1:
            stage.warn(f"the addresses have several names: {', '.join(sorted(names))}", "Choose one with --hostname.")
        return parse_domain(min(names))
    label = own or "mail"
    stage.warn(
        f"the system is called {own!r}, without a domain",
        f"If the name is not right: moxpy quickstart --hostname NAME {options.address}",
    )
    try:
        return parse_domain(f"{label}.{options.domain.ascii}")
    except DomainError as error:
        raise QuickstartError("no host name was found; give one with --hostname") from error


async def _reverse(options: Options, means: Means, findings: Findings) -> Stage:
    stage, host = Stage("Reverse names"), findings.hostname
    assert host is not None
    public, _ = machine.addresses(findings.interfaces)
    ips = [ip for ip in options.ips or findings.host_ips or public if not machine.is_internal(ip)]
    if not ips:
        stage.grade = Grade.SKIPPED
        return stage

    async def one(ip: IPAddress) -> None:
        remedy = f"Where you rent {ip}, set its reverse name (PTR) to {host.ascii}."
        try:
            with trio.fail_after(LOOKUP_SECONDS):
                names = (await means.resolver.ptr(ip)).records
        except NotFound:
            stage.warn(f"{ip} has no name: others will refuse mail from it", remedy)
        except (LookupProblem, trio.TooSlowError) as error:
            stage.warn(f"the name of {ip} cannot be looked up: {error or 'no answer in time'}")
        else:
            if names != (host.ascii,):
                stage.warn(f"{ip} is called {', '.join(names)}, and not {host}: others may refuse mail from it", remedy)
            else:
                stage.say(f"{ip} is called {host}")

    async with trio.open_nursery() as nursery:
        for ip in ips:
            nursery.start_soon(one, ip)
    return stage


async def _ports(options: Options, means: Means, findings: Findings) -> Stage:
    stage = Stage("Ports")
    ports = _BEHIND_PORTS if options.behind else tuple(dict.fromkeys((*_PUBLIC_PORTS, *_INTERNAL_PORTS)))
    findings.held = await trio.to_thread.run_sync(means.held_ports, ports)
    for one in findings.held:
        who = f"{one.program} has" if one.program else "another program has"
        if one.port in {80, 443} and not options.behind:
            remedy = (
                f"Stop it, or let it stay and forward to us: moxpy quickstart --existing-webserver {options.address}"
            )
        else:
            command = f": systemctl disable --now {one.program}" if one.program else ""
            remedy = f"Stop and disable it before you start moxpy{command}"
        stage.warn(f"{who} port {one.port} of {one.ip}", remedy)
    if not findings.held:
        stage.say("all free: " + ", ".join(map(str, sorted(ports))))
    return stage


async def _outgoing(options: Options, means: Means) -> Stage:
    stage = Stage("Outgoing port 25")
    remedy = (
        "Many providers block it until you ask: ask yours. If it stays closed, send by a smarthost: "
        "moxpy config example transport"
    )
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            host = min((await means.resolver.mx(options.dial_domain)).records).exchange
            ips = (await means.resolver.addresses(host)).records
    except (LookupProblem, trio.TooSlowError) as error:
        stage.warn(f"not tried: {options.dial_domain} cannot be looked up: {error or 'no answer in time'}")
        return stage
    try:
        dialed = await means.dialer(ips, 25, seconds=DIAL_SECONDS)
    except DialError as error:
        stage.fail(f"mail hosts cannot be reached ({host}: {error})", remedy)
        return stage
    await trio.aclose_forcefully(dialed.stream)
    stage.say(f"{host} answers at {dialed.address}")
    return stage


async def _age(options: Options, means: Means) -> Stage:
    stage, domain = Stage("Age of the domain"), organizational_domain(options.domain)
    try:
        with trio.fail_after(rdap.BOUNDS.seconds):
            age = await means.age(domain)
    except (rdap.RDAPError, trio.TooSlowError) as error:
        stage.say(f"not found out: {error or 'no answer in time'}")
        return stage
    stage.say(f"{domain} is {age} old")
    if timedelta(days=age.days) < YOUNG:
        stage.warn(
            "others mistrust mail of new domains",
            "Send little at first, to people who answer; after some weeks it gets better by itself.",
        )
    return stage


async def _listed(means: Means, findings: Findings) -> Stage:
    stage = Stage("Block lists")
    public, _ = machine.addresses(findings.interfaces)
    ips = [ip for ip in findings.host_ips or public if not machine.is_internal(ip)]
    if not ips:
        stage.grade = Grade.SKIPPED
        return stage

    async def one(zone: str, ip: IPAddress) -> None:
        found = await dnsbl.check(means.resolver, parse_domain(zone), ip)
        if found.status is AuthStatus.PASS:
            return
        if found.status is AuthStatus.FAIL:
            text = f"{ip} is on {zone}" + (f": {found.text}" if found.text else "")
            stage.warn(
                text,
                f"Ask the list to take {ip} off (see https://multirbl.valli.org/lookup/{ip}.html), or rent another "
                "address: mail from this one will be refused by many.",
            )
        else:
            stage.warn(f"{zone} does not tell about {ip}" + (f": {found.text}" if found.text else ""))

    async with trio.open_nursery() as nursery:
        for zone in BLOCKLISTS:
            for ip in ips:
                nursery.start_soon(one, zone, ip)
    if stage.grade is Grade.OK:
        stage.say(f"not listed: {_listed_ips(ips)}")
    return stage


async def _present(options: Options, means: Means, findings: Findings) -> Stage:
    """Whether mail of the domain goes somewhere already. Records we ask for are not asked about: caches would remember
    for long that they are not there."""
    stage = Stage("Mail of the domain today")
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            hosts = [one.exchange for one in sorted((await means.resolver.mx(options.domain.ascii)).records)]
    except NotFound:
        stage.say("none: there is no MX record yet")
        return stage
    except (LookupProblem, trio.TooSlowError):
        stage.grade = Grade.SKIPPED
        return stage
    host = findings.hostname
    findings.has_mx = any(one and (host is None or one != host.ascii) for one in hosts)
    if findings.has_mx:
        stage.warn(
            f"it goes to {', '.join(filter(None, hosts))}",
            "Move the mailboxes first (moxpy import), lower the TTL of the MX record, and change it last.",
        )
    else:
        stage.say("it comes to this machine")
    return stage


def _listed_ips(ips: Sequence[IPAddress]) -> str:
    return ", ".join(map(str, ips)) or "none"


# What follows.


@dataclass(frozen=True, slots=True)
class Listening:
    """Which addresses the listeners get."""

    public: tuple[IPName, ...]
    internal: tuple[IPName, ...]
    nat: tuple[IPName, ...] = ()
    notes: tuple[str, ...] = ()


_EVERYWHERE: Final = (IPName("0.0.0.0"), IPName("::"))  # noqa: S104


def listening(options: Options, findings: Findings) -> Listening:
    """The addresses of the public and of the internal listener."""
    public, internal = machine.addresses(findings.interfaces)
    loopback = [ip for ip in internal if ip.is_loopback]
    private = [ip for ip in internal if not ip.is_loopback]
    if options.ips:  # Perhaps of another machine than this.
        return Listening(_names(options.ips), (IPName("127.0.0.1"), IPName("::1")))
    host_ips = findings.host_ips
    host_public = [ip for ip in host_ips if not machine.is_internal(ip)]
    inside = _names([*private, *loopback]) or (IPName("127.0.0.1"), IPName("::1"))
    if private and not public and (host_public or not host_ips):
        note = (
            "The machine is behind NAT. A NAT that hides the addresses of clients makes SPF, reputation and limits of "
            "rates useless: forward ports with the clients' addresses kept."
        )
        return Listening(_names(private), _names(loopback) or inside, _names(host_public), (note,))
    if host_ips:
        rest = [ip for ip in [*private, *loopback] if ip not in host_ips]
        return Listening(_names(host_ips), _names(rest) or (IPName("127.0.0.1"), IPName("::1")))
    if public:
        return Listening(_names(public), inside)
    note = (
        "No address of this machine was found, so the public listener has all of them, and the internal one will find "
        "its ports taken: name the addresses in moxpy.toml (listeners.public.ips)."
    )
    return Listening(_EVERYWHERE, inside, (), (note,))


def _names(ips: Sequence[IPAddress]) -> tuple[IPName, ...]:
    return tuple(IPName(str(ip)) for ip in ips)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key to be made."""

    #: rsa2048, ecdsap256 or ed25519.
    algorithm: str
    #: Relative to the config folder.
    file: str
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An installation, before anything is written."""

    static: str
    domains: str
    keys: tuple[KeyFile, ...]
    account: str
    notes: tuple[str, ...]


def plan(options: Options, findings: Findings, now: datetime) -> Plan:
    """The files of an installation. Raises QuickstartError."""
    assert findings.hostname is not None
    hostname = DomainName(findings.hostname.unicode)
    where = listening(options, findings)
    try:
        new = generate.new_domain(
            DomainName(options.domain.unicode),
            account=options.account,
            hostname=hostname,
            now=now,
            has_mtasts_listener=True,
            is_postmaster_account=True,
            account_exists=False,
        )
    except ValueError as error:
        raise QuickstartError(f"{options.domain}: {error}") from error
    domain = new.config
    if options.ed25519:
        also = (key.selector for key in new.keys if key.algorithm == "ed25519")
        domain = replace(domain, dkim=replace(domain.dkim, sign=(*domain.dkim.sign, *also)))
    host_keys = () if options.behind else _host_keys(hostname, now)
    static = _static(options, hostname, where, host_keys)
    # The one who set it up may choose a password; those who are given an account get a generated one.
    account = replace(generate.new_account(options.address), no_custom_password=False)
    domains = Domains(
        monitor_dnsbls=tuple(DomainName(zone) for zone in BLOCKLISTS),
        domains={options.domain.unicode: domain},
        accounts={options.account: account},
    )
    destination: KeyPath = ("accounts", options.account, "destinations", str(options.address))
    keys = (*host_keys, *(KeyFile(one.algorithm, one.file, CONFIG_MODE) for one in new.keys))
    return Plan(
        static=_STATIC_HEAD + generate.render(static, suggestions=_STATIC_SUGGESTIONS),
        domains=_DOMAINS_HEAD + generate.render(domains, suggestions={destination: _RULESET}),
        keys=keys,
        account=options.account,
        notes=where.notes,
    )


_STATIC_HEAD: Final = (
    "# What the machine is: listeners, certificates, transports. Read at start. Made by: moxpy quickstart\n"
    "# All keys with their meaning: moxpy config describe-static. After a change: moxpy config test\n\n"
)
_DOMAINS_HEAD: Final = (
    "# Domains, accounts, addresses. Changes count at once; pages and commands change this file, too; comments stay.\n"
    "# All keys with their meaning: moxpy config describe-domains\n\n"
)
_STATIC_SUGGESTIONS: Final[Mapping[KeyPath, Sequence[str]]] = {
    (): ("# Once a day, look whether there is a newer version; a message says so.", "# check_updates = true"),
    ("listeners", "public", "smtp"): (
        "# Lists of addresses that send junk. Their owners learn who writes to you; some want to be paid or asked.",
        '# dnsbls = ["sbl.spamhaus.org", "bl.spamcop.net"]',
    ),
}
_RULESET: Final = (
    "",
    "# A rule for a mailing list: no junk filter, and a mailbox of its own.",
    "# [[accounts.NAME.destinations.ADDRESS.rulesets]]",
    '# verified_domain = "lists.example.org"',
    '# list_allow_domain = "lists.example.org"',
    "# headers_regexp = { '^list-id$' = '<name\\.lists\\.example\\.org>' }",
    '# mailbox = "Lists/Name"',
)


def _host_keys(hostname: DomainName, now: datetime) -> tuple[KeyFile, ...]:
    stamp = generate.stamp(now)
    return tuple(
        KeyFile(kind, f"hostkeys/{hostname.domain.ascii}.{stamp}.{kind}.privatekey.pkcs8.pem", KEY_MODE)
        for kind in ("rsa2048", "ecdsap256")
    )


def _static(options: Options, hostname: DomainName, where: Listening, host_keys: Sequence[KeyFile]) -> Static:
    contact = options.address
    if not str(contact).isascii():
        contact = AddressName(f"postmaster@{options.domain.ascii}")
    provider = ACMEProvider(
        directory_url=WebURL(LETSENCRYPT_DIRECTORY), contact_email=contact, issuer_domain_name="letsencrypt.org"
    )
    return Static(
        data_dir=FilePath("../data"),
        user=options.user,
        log_level="debug",
        hostname=hostname,
        admin_password_file=FilePath("adminpasswd"),
        acme={} if options.behind else {"letsencrypt": provider},
        listeners={
            "public": _public(options, hostname, where, host_keys),
            "internal": _internal(options, where),
        },
        postmaster=Postmaster(account=options.account, mailbox=MailboxName("Postmaster")),
        host_tlsrpt=HostTLSReports(
            account=options.account, mailbox=MailboxName("TLSRPT"), localpart=Localpart("tlsreports")
        ),
    )


def _public(options: Options, hostname: DomainName, where: Listening, host_keys: Sequence[KeyFile]) -> Listener:
    mail: dict[str, Any] = {
        "smtp": SMTP(enabled=True),
        "submissions": Submissions(enabled=True),
        "imaps": IMAPS(enabled=True),
    }
    if options.behind:
        domain = options.domain.ascii
        names = (hostname.domain.ascii, f"mta-sts.{domain}", f"autoconfig.{domain}", f"mail.{domain}")
        certificates = tuple(
            KeyCert(cert_file=FilePath(f"path/to/{name}-chain.crt.pem"), key_file=FilePath(f"path/to/{name}.key.pem"))
            for name in dict.fromkeys(names)
        )
        return Listener(ips=where.public, nat_ips=where.nat, tls=ListenerTLS(key_certs=certificates), **mail)
    on_https = {
        "submissions": Submissions(enabled=True, enabled_on_https=True),
        "imaps": IMAPS(enabled=True, enabled_on_https=True),
    }
    return Listener(
        ips=where.public,
        nat_ips=where.nat,
        tls=ListenerTLS(acme="letsencrypt", host_private_key_files=tuple(FilePath(key.file) for key in host_keys)),
        autoconfig_https=SettingsHTTPS(enabled=True),
        mtasts_https=SettingsHTTPS(enabled=True),
        webserver_http=WebServer(enabled=True, port=Port(80)),
        webserver_https=WebServer(enabled=True, port=Port(443)),
        **(mail | on_https),
    )


def _internal(options: Options, where: Listening) -> Listener:
    port = Port(1080 if options.behind else 80)
    paths = {"account": "/", "admin": "/admin/", "webmail": "/webmail/", "webapi": "/webapi/"}
    services: dict[str, Any] = {
        f"{name}_http": WebService(enabled=True, port=port, path=URLPath(path), forwarded=options.behind)
        for name, path in paths.items()
    }
    behind: dict[str, Any] = {}
    if options.behind:
        settings = SettingsHTTPS(enabled=True, port=Port(81), non_tls=True, forwarded=True)
        behind = {
            "autoconfig_https": settings,
            "mtasts_https": settings,
            "webserver_http": WebServer(enabled=True, port=Port(81)),
        }
    return Listener(
        ips=where.internal,
        hostname=DomainName("localhost"),
        metrics_http=Monitoring(enabled=True, port=Port(8010)),
        **services,
        **behind,
    )


# Writing.


@dataclass(frozen=True, slots=True)
class Installed:
    """What was written, and the passwords that nobody can read again."""

    config: Config
    password: str
    admin_password: str
    unit: Path | None


def generate_password() -> str:
    """One of some 75 bits. It begins with a letter or digit: programs take a hyphen there for an option."""
    first = secrets.choice(string.ascii_letters + string.digits)
    return first + "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_CHARACTERS - 1))


def config_folder(directory: Path) -> Path:
    """Where the configuration goes."""
    return directory / "config"


def require_nothing(directory: Path) -> None:
    """Raises QuickstartError when there is an installation already."""
    for path in (
        config_folder(directory) / "moxpy.toml",
        config_folder(directory) / "domains.toml",
        directory / "data",
    ):
        if path.exists():
            raise QuickstartError(
                f"{path} exists: there is an installation already, and it is not touched.\n"
                "To check it: moxpy doctor. To add a domain: moxpy config domain add. To begin anew, move it away."
            )


def install(options: Options, made: Plan, clock: Clock, unit: str | None) -> Installed:
    """Write everything, or nothing. Takes a second or two; call it in a thread. Raises QuickstartError."""
    require_nothing(options.directory)
    writer = _Writer(options.directory)
    try:
        result = _install(options, made, clock, unit, writer)
    except BaseException as error:
        writer.undo()
        if isinstance(error, OSError):
            raise QuickstartError(f"{error.filename or options.directory}: {error.strerror or error}") from error
        raise
    return result


class _Writer:
    """Makes files and folders that were not there, and knows how to take them back."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._made = directory, list[Path]()

    def folder(self, path: Path) -> None:
        for one in (*reversed(path.parents), path):
            if not one.exists():
                self._made.append(one)
                one.mkdir()
                one.chmod(FOLDER_MODE)

    def file(self, path: Path, octets: bytes, mode: int) -> None:
        self.folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        self._made.append(path)
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(octets)
            stream.flush()
            os.fsync(stream.fileno())

    def keep(self, path: Path) -> None:
        """It will be made by others."""
        self._made.append(path)

    def undo(self) -> None:
        for path in reversed(self._made):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _install(options: Options, made: Plan, clock: Clock, unit: str | None, writer: _Writer) -> Installed:
    folder = config_folder(options.directory)
    password, admin_password = generate_password(), generate_password()
    for key in made.keys:
        writer.file(folder / key.file, _private_key(key.algorithm), key.mode)
    writer.file(folder / "adminpasswd", passwords.hash_password(admin_password).encode() + b"\n", CONFIG_MODE)
    writer.file(folder / "moxpy.toml", made.static.encode(), CONFIG_MODE)
    writer.file(folder / "domains.toml", made.domains.encode(), CONFIG_MODE)
    # Certificates of a web server that is there already are named by the operator later; so may the user be made.
    try:
        config = load(
            folder / "moxpy.toml", check_files=not options.behind, find_user=lambda _: RunAs(os.getuid(), os.getgid())
        )
    except ConfigErrors as errors:
        raise QuickstartError(f"what would be written is not valid, which is a bug:\n{errors}") from errors
    writer.keep(config.data_directory)
    config.data_directory.mkdir(mode=FOLDER_MODE)
    store = Store(config.data_directory, clock=clock, limits=STORE)
    try:
        accounts.create_missing(store, config)
        accounts.set_password_sync(store, made.account, passwords.derive_credentials(password, clock.microseconds()))
    finally:
        store.close()
    path = None
    if unit is not None:
        path = options.directory / "moxpy.service"
        if not path.exists():
            writer.file(path, unit.encode(), 0o644)
    return Installed(config, password, admin_password, path)


def _private_key(algorithm: str) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm == "ecdsap256"
        else dkimkeys.generate("ed25519" if algorithm == "ed25519" else "rsa")
    )
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
