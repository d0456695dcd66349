"""Domains: their settings, keys, DNS records and the check of what the world sees."""

from typing import Annotated, Literal

import trio

from appliance.config.addresses import DomainEntry
from appliance.config.domains import MTASTS, Alias, Canonicalization, DomainConfig, ReportAddress, Route, Selector
from appliance.config.schema import doc
from appliance.config.source import Config
from appliance.config.values import Duration, HeaderName, HostPattern, Localpart, MailboxName, Separator
from appliance.mail.domain import Domain
from appliance.msgauth.dkim import keys as dkimkeys, record
from appliance.operations import (
    clientsettings,
    configuring,
    dnslive,
    dnsrecords,
    domaincheck,
    domains as verbs,
    domainsettings,
    hostfacts,
)
from appliance.operations.dnslive import Live
from appliance.operations.domaincheck import Subject
from appliance.operations.settings import BadSetting
from appliance.servers.web.api import Call, Wire


class DomainListed(Wire):
    """A domain in a list."""

    domain: str
    disabled: bool


async def domains(call: Call) -> list[DomainListed]:
    """All domains, by name."""
    configured = call.app.config.snapshot().domains.domains
    return [DomainListed(domain=name, disabled=configured[name].disabled) for name in sorted(configured)]


class DomainSpellings(Wire):
    """A domain in both spellings."""

    ascii: Annotated[str, doc("In A-labels, as the DNS has it.")]
    unicode: Annotated[str, doc("In U-labels; empty: the same.")]


def _spelt(name: Domain) -> DomainSpellings:
    return DomainSpellings(ascii=name.ascii, unicode=name.unicode if name.is_internationalised else "")


async def parse_domain(call: Call, domain: str) -> DomainSpellings:
    """Both spellings of any domain, from either."""
    return _spelt(configuring.domain_of(domain).domain)


async def domain(call: Call, domain: str) -> DomainSpellings:
    """Both spellings of a domain of the configuration, from either."""
    return _spelt(_entry(call.app.config.snapshot(), domain).domain)


def _entry(config: Config, domain: str) -> DomainEntry:
    name = configuring.domain_of(domain)
    configuring.require_domain(config, name)
    return config.derived.addresses.domains[name.domain.ascii]


async def domain_config(call: Call, domain: str) -> DomainConfig:
    """A domain's part of the configuration."""
    return _entry(call.app.config.snapshot(), domain).config


class DomainLocalparts(Wire):
    """Who has which address: localparts with the names of their accounts, and aliases. An empty one catches all."""

    accounts: dict[str, str]
    aliases: dict[str, Alias]


async def domain_localparts(call: Call, domain: str) -> DomainLocalparts:
    """The addresses of a domain."""
    config = call.app.config.snapshot()
    entry = _entry(config, domain)
    owners: dict[str, str] = {}
    for name, account in config.domains.accounts.items():
        for written in account.destinations:
            localpart, _, of = written.rpartition("@")
            if configuring.domain_of(of).domain == entry.domain:
                owners[localpart] = name
    return DomainLocalparts(accounts=dict(sorted(owners.items())), aliases=dict(entry.config.aliases))


class DNSRecord(Wire):
    """A record that a domain should have."""

    name: str
    type: str
    ttl: int
    value: Annotated[str, doc("As zone files have it, in one line; of TXT in strings.")]
    comment: str
    optional: bool
    state: Annotated[
        Literal["unknown", "ok", "missing", "different", "error"],
        doc("unknown: not looked up; different: there is another in its place; error: nobody could tell."),
    ]
    found: Annotated[list[str], doc("What is there in its place, or why nobody could tell.")]


_STATES: dict[str, Literal["ok", "missing", "different", "error"]] = {
    "present": "ok",
    "missing": "missing",
    "different": "different",
    "unknown": "error",
}


async def domain_records(call: Call, domain: str, check: bool = False) -> list[DNSRecord]:
    """The records a domain should have, and whether the DNS has them; without `check` nobody is asked."""
    config = await trio.to_thread.run_sync(hostfacts.with_keys, call.app.config.snapshot())
    entry = _entry(config, domain)
    resolver, _ = hostfacts.of_house(call.app)
    facts = await hostfacts.facts(config, resolver)
    pairs = [(section, one) for section in dnsrecords.sections(config, entry, facts) for one in section.records]
    live: dict[int, Live] = {}
    if check:
        active = [at for at, (_, one) in enumerate(pairs) if one.active]
        compared = await dnslive.compare(resolver, [pairs[at][1] for at in active])
        live = dict(zip(active, compared, strict=True))
    return [
        DNSRecord(
            name=one.name,
            type=one.type,
            ttl=dnsrecords.TTL_SECONDS,
            value=one.data,
            comment=section.title if one.active else f"{section.title}: not to be published yet",
            optional=one.optional or not one.active,
            state=_STATES[live[at].state.value] if at in live else "unknown",
            found=list(live[at].found) if at in live else [],
        )
        for at, (section, one) in enumerate(pairs)
    ]


class CheckSection(Wire):
    """One area of a check, with what to do."""

    name: str
    errors: list[str]
    warnings: list[str]
    details: list[str]
    instructions: list[str]


class DomainCheck(Wire):
    """What the world sees of a domain."""

    domain: str
    sections: list[CheckSection]


async def check_domain(call: Call, domain: str) -> DomainCheck:
    """Look at everything about a domain as the world sees it; half a minute at most."""
    config = await trio.to_thread.run_sync(hostfacts.with_keys, call.app.config.snapshot())
    entry = _entry(config, domain)
    resolver, means = hostfacts.of_house(call.app)
    facts = await hostfacts.facts(config, resolver)
    found = await domaincheck.check(Subject(config=config, entry=entry, facts=facts, means=means))
    return DomainCheck(
        domain=entry.name,
        sections=[
            CheckSection(
                name=area.title,
                errors=area.errors,
                warnings=area.warnings,
                details=area.details,
                instructions=[*area.instructions, *(f"{one.name}. {one.type} {one.data}" for one in area.records)],
            )
            for area in found.values()
        ],
    )


class ClientConfig(Wire):
    """A server that mail programs use."""

    protocol: str
    host: str
    port: int
    listener: str
    note: str


async def client_configs_domain(call: Call, domain: str) -> list[ClientConfig]:
    """What users of a domain enter in their mail programs."""
    config = call.app.config.snapshot()
    return [
        ClientConfig(
            protocol=clientsettings.PROTOCOLS[one.kind, one.socket],
            host=one.host,
            port=one.port,
            listener=one.listener,
            note=clientsettings.NOTES[one.socket],
        )
        for one in clientsettings.servers(config.static, _entry(config, domain))
    ]


#: RFC 8463 §4: they have no other size.
_ED25519_BITS = 256


class DKIMKey(Wire):
    """What the key of a selector is; without Algorithm, its file cannot be read."""

    selector: str
    algorithm: str
    bits: int
    record: Annotated[str, doc("The text of its TXT record.")]


async def domain_dkim_keys(call: Call, domain: str) -> list[DKIMKey]:
    """The keys of a domain."""
    config = await trio.to_thread.run_sync(hostfacts.with_keys, call.app.config.snapshot())
    entry = _entry(config, domain)
    found = []
    for selector in sorted(entry.config.dkim.selectors):
        key = config.derived.dkim_keys.get((entry.name, selector))
        if key is None:
            found.append(DKIMKey(selector=selector, algorithm="", bits=0, record=""))
            continue
        text = record.compose(key)
        parsed = record.parse(text)
        found.append(
            DKIMKey(
                selector=selector, algorithm=dkimkeys.key_type(key), bits=parsed.key_bits or _ED25519_BITS, record=text
            )
        )
    return found


async def domain_add(call: Call, disabled: bool, domain: str, account: str, localpart: str) -> None:
    """Add a domain with keys; with a localpart the account is new, and that its address."""
    await verbs.add(call.app, configuring.domain_of(domain), account, localpart or None, disabled=disabled)


async def domain_remove(call: Call, domain: str) -> None:
    """Remove a domain with its aliases and addresses; accounts and their mail stay."""
    await verbs.remove(call.app, configuring.domain_of(domain))


async def domain_disabled_save(call: Call, domain: str, disabled: bool) -> None:
    """Refuse mail to and from a domain for now, or take it again."""
    await verbs.set_disabled(call.app, configuring.domain_of(domain), disabled)


async def domain_routes_save(call: Call, domain: str, routes: list[Route]) -> None:
    """Set which mail from a domain takes which transport."""
    await domainsettings.set_routes(call.app, configuring.domain_of(domain), routes)


async def domain_description_save(call: Call, domain: str, description: str) -> None:
    """Set your own words about a domain."""
    await domainsettings.set_description(call.app, configuring.domain_of(domain), description)


async def domain_client_settings_domain_save(call: Call, domain: str, client_settings_domain: str) -> None:
    """Set the host that mail programs are told of; empty: the machine's name."""
    name = configuring.domain_of(client_settings_domain) if client_settings_domain else None
    await domainsettings.set_client_settings_domain(call.app, configuring.domain_of(domain), name)


async def domain_localpart_config_save(
    call: Call, domain: str, separators: list[Separator], case_sensitive: bool
) -> None:
    """Set what begins a part of localparts that is ignored, and whether case matters."""
    await domainsettings.set_localparts(
        call.app, configuring.domain_of(domain), separators, case_sensitive=case_sensitive
    )


def _reports(localpart: str, domain: str, account: str, mailbox: str) -> ReportAddress | None:
    if not localpart:
        return None
    try:
        return ReportAddress(
            localpart=Localpart(localpart),
            domain=configuring.domain_of(domain) if domain else None,
            account=account,
            mailbox=MailboxName(mailbox),
        )
    except ValueError as error:
        raise BadSetting(str(error)) from error


async def domain_dmarc_address_save(
    call: Call, domain: str, localpart: str, address_domain: str, account: str, mailbox: str
) -> None:
    """Set where DMARC reports about a domain arrive; an empty localpart: nowhere."""
    address = _reports(localpart, address_domain, account, mailbox)
    await domainsettings.set_report_address(call.app, configuring.domain_of(domain), "dmarc", address)


async def domain_tlsrpt_address_save(
    call: Call, domain: str, localpart: str, address_domain: str, account: str, mailbox: str
) -> None:
    """Set where TLS reports about a domain arrive; an empty localpart: nowhere."""
    address = _reports(localpart, address_domain, account, mailbox)
    await domainsettings.set_report_address(call.app, configuring.domain_of(domain), "tlsrpt", address)


async def domain_mtasts_save(
    call: Call,
    domain: str,
    policy_id: str,
    mode: Literal["none", "testing", "enforce"],
    max_age: Duration,
    mx: list[HostPattern],
) -> None:
    """Set the MTA-STS policy of a domain; an empty id: there is none."""
    policy = MTASTS(policy_id=policy_id, mode=mode, max_age=max_age, mx=tuple(mx)) if policy_id else None
    await domainsettings.set_mtasts(call.app, configuring.domain_of(domain), policy)


async def domain_dkim_add(
    call: Call,
    domain: str,
    selector: str,
    algorithm: Literal["rsa", "ed25519"],
    hash: Literal["sha256", "sha1"],
    header_relaxed: bool,
    body_relaxed: bool,
    seal: bool,
    headers: list[HeaderName],
    lifetime: Duration | None,
) -> None:
    """Make a key. It does not sign before it is chosen: its record must be in the DNS first."""
    await domainsettings.add_key(
        call.app,
        configuring.domain_of(domain),
        selector,
        algorithm,
        hash=hash,
        canonicalization=Canonicalization(header_relaxed=header_relaxed, body_relaxed=body_relaxed),
        seal=seal,
        headers=headers,
        expiration=lifetime if lifetime and lifetime.seconds else None,
    )


async def domain_dkim_remove(call: Call, domain: str, selector: str) -> None:
    """Remove a key; it signs no more."""
    await domainsettings.remove_key(call.app, configuring.domain_of(domain), selector)


async def domain_dkim_save(call: Call, domain: str, selectors: dict[str, Selector], sign: list[str]) -> None:
    """Set how keys sign, and which of them do."""
    await domainsettings.save_keys(call.app, configuring.domain_of(domain), selectors, sign)
