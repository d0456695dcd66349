"""Command quickstart: from nothing to an installation, with everything said that is to be done."""

import os
import pwd
import sys
import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Final

import trio

from appliance.base import log
from appliance.base.clock import SystemClock
from appliance.cli import lookup, output
from appliance.cli.main import FAILED, OK, Failed, Invocation, UsageError
from appliance.config.values import AddressName
from appliance.dns.resolver import Resolver
from appliance.mail.address import AddressError, parse_address
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.net.dial import dial
from appliance.net.http import Client
from appliance.operations import clientsettings, dnsrecords, hostfacts, quickstart, rdap, service
from appliance.operations.dnsrecords import Facts, Section
from appliance.operations.quickstart import Findings, Installed, Options, QuickstartError
from appliance.operations.stage import Grade, Stage
from appliance.tls import roots
from appliance.tls.context import client_context
from appliance.tls.verify import Roots, by_authorities

LOG_FILE: Final = "quickstart.log"
_MARKS: Final = {Grade.OK: "ok", Grade.WARNING: "warning", Grade.ERROR: "ERROR", Grade.SKIPPED: "skipped"}


class _Teller:
    """Says everything on the terminal and in a file that only its owner reads: it has passwords."""

    def __init__(self, log_file: IO[str] | None, *, quiet: bool) -> None:
        self._file, self._quiet = log_file, quiet

    def __call__(self, text: str = "") -> None:
        if not self._quiet:
            print(text, flush=True)
        if self._file is not None:
            print(text, file=self._file, flush=True)


def run(invocation: Invocation) -> int:
    """Look around, write an installation, say what to do (L: quickstart)."""
    options = _options(invocation)
    dry, as_json = invocation.given("dry-run"), invocation.given("json")
    log.configure(invocation.text("loglevel") or "error")
    try:
        quickstart.require_nothing(options.directory)
        path = options.directory / LOG_FILE
        with nullcontext(None) if dry else _opened(path) as file:
            tell = _Teller(file, quiet=as_json)
            if not dry:
                tell(f"All of this is also written to {path}.")
                tell()
            try:
                return _run(invocation, options, tell, dry=dry)
            except QuickstartError as error:
                tell(f"error: {error}")
                raise
            finally:
                if not dry:
                    tell()
                    tell(f"All of this is in {path}, passwords too: remove it when you have noted them.")
    except QuickstartError as error:
        raise Failed(str(error)) from error
    except OSError as error:
        raise Failed(f"{error.filename or options.directory}: {error.strerror or error}") from error


def _opened(path: Path) -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w")


def _options(invocation: Invocation) -> Options:
    address = _address(invocation)
    hostname = _domain(text) if (text := invocation.text("hostname")) else None
    ips = []
    for text in (invocation.text("ip") or "").split(","):
        try:
            ips += [ip_address(text.strip())] if text.strip() else []
        except ValueError as error:
            raise UsageError(f"--ip: {error}") from error
    if invocation.given("offline") and hostname is None:
        raise UsageError("--offline: nothing is looked up, so give the name of the machine with --hostname")
    return Options(
        address=address,
        directory=Path(invocation.text("dir") or ".").absolute(),
        user=_user(invocation),
        hostname=hostname,
        ips=tuple(ips),
        behind=invocation.given("existing-webserver"),
        skip_dial=invocation.given("skipdial"),
        offline=invocation.given("offline"),
        dial_domain=invocation.text("dialhost") or quickstart.DIAL_DOMAIN,
        ed25519=invocation.given("ed25519"),
    )


def _address(invocation: Invocation) -> AddressName:
    text = invocation.arguments[0]
    try:
        parse_address(text)
        return AddressName(text)
    except (AddressError, ValueError) as error:
        raise UsageError(f"{text}: {error}\nusage: {invocation.command.usage}") from error


def _domain(text: str) -> Domain:
    try:
        return parse_domain(text.removesuffix("."))
    except DomainError as error:
        raise UsageError(f"--hostname {text}: {error}") from error


def _user(invocation: Invocation) -> str:
    """Whom the server runs as: as given, else moxpy where root sets it up, else who does."""
    if len(invocation.arguments) > 1:
        return invocation.arguments[1]
    if os.geteuid() == 0:
        return "moxpy"
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _run(invocation: Invocation, options: Options, tell: _Teller, *, dry: bool) -> int:
    clock = SystemClock()
    findings = Findings()
    stages = trio.run(_survey, invocation, options, findings, tell)
    made = quickstart.plan(options, findings, clock.now())
    unit = None
    if sys.platform == "linux" and not os.environ.get("MOXPY_DOCKER"):
        unit = service.unit(options.directory, service.program(options.directory), notifies=True)
    if dry:
        with tempfile.TemporaryDirectory(prefix="moxpy-quickstart-") as name:
            installed = quickstart.install(replace(options, directory=Path(name)), made, clock, unit)
            sections = _records(options, findings, installed)
    else:
        installed = quickstart.install(options, made, clock, unit)
        sections = _records(options, findings, installed)
    zone = dnsrecords.zone(sections, options.domain)
    if invocation.given("json"):
        output.print_json(_document(options, findings, stages, installed, sections, zone, made.notes, dry=dry))
    else:
        for line in _instructions(options, findings, installed, made.notes, zone, dry=dry):
            tell(line)
    return FAILED if dry and any(stage.grade is Grade.ERROR for stage in stages) else OK


async def _survey(invocation: Invocation, options: Options, findings: Findings, tell: _Teller) -> list[Stage]:
    clock = SystemClock()
    resolver = Resolver(lookup.network(invocation, clock), caller="quickstart")
    context = client_context()
    believed: list[Roots] = []

    def judge(chain: Any, name: str) -> str:
        if not believed:
            believed.append(Roots(roots.of_system()))
        return by_authorities(chain, name, believed[0], clock.now()).result

    client = Client(resolver, context, judge, "quickstart")

    async def age(domain: Domain) -> rdap.Age:
        return await rdap.age(client, domain, clock.now())

    means = quickstart.Means(resolver=resolver, dialer=dial, clock=clock, age=age)
    stages = []
    async for stage in quickstart.survey(options, means, findings):
        stages.append(stage)
        for line in told(stage):
            tell(line)
    return stages


def told(stage: Stage) -> Iterable[str]:
    """A check, in lines."""
    if stage.grade is Grade.SKIPPED and not stage.texts:
        return
    first, *rest = stage.texts or ["nothing to say"]
    yield f"{stage.title + ':':26} {_MARKS[stage.grade]:8} {first}"
    for text in rest:
        yield f"{'':35} {text}"
    for remedy in stage.remedies:
        yield f"{'':35} -> {remedy}"


def _records(options: Options, findings: Findings, installed: Installed) -> list[Section]:
    config = hostfacts.with_keys(installed.config)
    facts = Facts(host_is_signed=findings.host_authentic, host_keys=hostfacts.host_keys(config))
    entry = config.derived.addresses.domains[options.domain.ascii]
    return dnsrecords.sections(config, entry, facts)


def _instructions(
    options: Options, findings: Findings, installed: Installed, notes: Iterable[str], zone: str, *, dry: bool
) -> Iterable[str]:
    config, folder = installed.config, quickstart.config_folder(options.directory)
    yield ""
    if dry:
        yield "This was a dry run: nothing was written. The keys in the records below are not those of the real run."
    else:
        yield f"Written: {folder}/moxpy.toml and domains.toml, keys, data" + (
            f", {installed.unit}" if installed.unit else ""
        )
        yield ""
        yield f"Password of {options.address}:  {installed.password}"
        yield f"Password of the admin pages:  {installed.admin_password}"
    for note in notes:
        yield ""
        yield f"Note: {note}"
    yield ""
    yield "In mail programs, the user name is the address:"
    entry = config.derived.addresses.domains[options.domain.ascii]
    for server in clientsettings.servers(config.static, entry):
        name = clientsettings.PROTOCOLS[server.kind, server.socket]
        yield f"  {name:20} {server.host} port {server.port}, {clientsettings.NOTES[server.socket]}"
    if not options.address.address.localpart.isascii():
        yield ""
        yield "Some servers know no addresses outside ASCII: give the account a second one (moxpy config address add)."
    if options.behind:
        yield ""
        yield "Your web server forwards these to http://127.0.0.1:81, with X-Forwarded-For and X-Forwarded-Proto:"
        yield f"  https://mta-sts.{options.domain.ascii}/ and https://autoconfig.{options.domain.ascii}/"
        yield f"Edit key_certs in {folder}/moxpy.toml: paths of certificates and keys. Then: moxpy config test"
    if findings.has_mx:
        yield ""
        yield "Mail of this domain goes elsewhere today. Do not change its MX before all else works and is moved."
    yield ""
    yield "Add these records to the DNS (later again by: moxpy config dnsrecords):"
    yield ""
    yield from zone.splitlines()
    yield ""
    yield from _start(options, installed, dry=dry)


def _start(options: Options, installed: Installed, *, dry: bool) -> Iterable[str]:
    program = service.program(options.directory)
    yield "To start:"
    if os.geteuid() == 0 and not _exists(options.user):
        yield f"  useradd --system --user-group --home-dir {options.directory} --shell /usr/sbin/nologin {options.user}"
    if installed.unit is not None:
        unit = options.directory / "moxpy.service"
        yield f"  systemctl enable --now {unit}"
        yield "  journalctl -f -u moxpy"
    else:
        yield f"  cd {options.directory} && {program} serve"
    yield "Owners and modes of files are made right at the start. Check everything then, and at any time: moxpy doctor"
    port = 1080 if options.behind else 80
    suffix = "" if port == 80 else f":{port}"
    yield ""
    yield f"Pages on this machine: http://localhost{suffix}/ for users, http://localhost{suffix}/admin/ for you."
    yield "From elsewhere:"
    yield f"  ssh -L 8080:localhost:{port} {installed.config.static.hostname}   and then http://localhost:8080/admin/"


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return user.isdecimal()
    return True


def _document(
    options: Options,
    findings: Findings,
    stages: Iterable[Stage],
    installed: Installed,
    sections: Iterable[Section],
    zone: str,
    notes: Iterable[str],
    *,
    dry: bool,
) -> dict[str, Any]:
    entry = installed.config.derived.addresses.domains[options.domain.ascii]
    return {
        "dry_run": dry,
        "directory": str(options.directory),
        "address": str(options.address),
        "account": options.account,
        "hostname": str(findings.hostname),
        "password": None if dry else installed.password,
        "admin_password": None if dry else installed.admin_password,
        "unit": None if dry or installed.unit is None else str(installed.unit),
        "checks": [
            {"title": one.title, "grade": one.grade.value, "texts": one.texts, "remedies": one.remedies}
            for one in stages
        ],
        "notes": list(notes),
        "servers": [
            {"kind": one.kind, "host": one.host, "port": one.port, "security": one.socket}
            for one in clientsettings.servers(installed.config.static, entry)
        ],
        "records": [
            {"name": one.name, "type": one.type, "value": one.value, "optional": one.optional, "active": one.active}
            for section in sections
            for one in section.records
        ],
        "zone": zone,
    }


def print_service(invocation: Invocation) -> int:
    """The unit of an installation in the current folder (L: config printservice)."""
    directory = Path.cwd()
    print(service.unit(directory, service.program(directory), notifies=True), end="")
    return OK


def domain_age(invocation: Invocation) -> int:
    """Since when a domain is registered (L: rdap domainage)."""
    from appliance.msgauth.publicsuffix import organizational_domain

    domain = organizational_domain(_domain(invocation.arguments[0]))
    clock = SystemClock()
    resolver = Resolver(lookup.network(invocation, clock), caller="cli")
    believed = Roots(roots.of_system())
    client = Client(
        resolver,
        client_context(),
        lambda chain, name: by_authorities(chain, name, believed, clock.now()).result,
        "rdap",
    )
    try:
        age = trio.run(rdap.age, client, domain, clock.now())
    except rdap.RDAPError as error:
        raise Failed(str(error)) from error
    document = {"domain": str(domain), "registered": age.registered.isoformat(), "days": age.days}
    output.show(invocation, document, [str(age)])
    return OK
