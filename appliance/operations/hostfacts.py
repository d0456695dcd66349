"""What DNS records and checks need to know and the configuration does not say; and what checks are made with."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import trio
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.base.log import Log
from appliance.config.errors import Report
from appliance.config.keyfiles import MAX_FILE_OCTETS, check_dkim_files, host_key_kind
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.dns.problems import LookupProblem, NotFound
from appliance.dns.resolver import Resolver
from appliance.mail.domain import Domain
from appliance.mail.mtasts import Policy
from appliance.net.dial import Dialer, dial
from appliance.net.http import Client
from appliance.operations import dnsrecords
from appliance.operations.dnsrecords import Facts, HostKey
from appliance.operations.domaincheck.area import Means
from appliance.tls import mtasts
from appliance.tls.acme import storage
from appliance.tls.context import client_context
from appliance.tls.verify import Roots, by_authorities

log = Log("dnscheck")


def host_keys(config: Config) -> tuple[HostKey, ...]:
    """The keys that certificates of the public listener will always have; those that cannot be read are left out.

    Reads files.
    """
    listener = dnsrecords.public_listener(config)
    found = []
    for name in listener.tls.host_private_key_files if listener and listener.tls else ():
        try:
            found.append(_host_key(config.directory / name))
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            log.info("host key not read", file=str(name), err=error)
    return tuple(one for one in found if one is not None)


def _host_key(path: Path) -> HostKey | None:
    with path.open("rb") as stream:
        key = load_pem_private_key(stream.read(MAX_FILE_OCTETS), None)
    kind = host_key_kind(key)
    if not kind:
        return None
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return HostKey(kind, hashlib.sha256(public).hexdigest())


def acme_accounts(config: Config) -> dict[str, str]:
    """URLs of our accounts at authorities, by the provider's name; of those that there are. Reads files."""
    found = {name: storage.Storage(config.data_directory, name).state().account_url for name in config.static.acme}
    return {name: url for name, url in found.items() if url}


def with_keys(config: Config) -> Config:
    """The same configuration with the DKIM keys that can be read, whether or not all files were looked at before.

    Reads files.
    """
    keys = check_dkim_files(config.domains, config.directory, Report())
    return replace(config, derived=replace(config.derived, dkim_keys=keys))


async def facts(config: Config, resolver: Resolver) -> Facts:
    """As they are now. Takes as long as a look-up, at most."""
    signed: bool | None = None
    with trio.move_on_after(10):
        try:
            signed = (await resolver.addresses(dnsrecords.host_of(config).ascii, dnssec=True)).authentic
        except NotFound as missing:
            signed = missing.authentic
        except LookupProblem:
            pass
    return Facts(
        host_is_signed=signed,
        host_keys=await trio.to_thread.run_sync(host_keys, config),
        acme_accounts=await trio.to_thread.run_sync(acme_accounts, config),
    )


def of_house(app: Appliance) -> tuple[Resolver, Means]:
    """A resolver that has never been asked anything, and what a domain is checked with, of a running house."""
    resolver = app.new_resolver().named("dnscheck") if app.new_resolver else app.resolver
    return resolver, means(resolver, app.roots, app.clock, app.random, app.dialer)


def means(resolver: Resolver, roots: Roots, clock: Clock, random: Random, dialer: Dialer = dial) -> Means:
    """To check a domain with."""
    context = client_context()
    client = mtasts.client(resolver, context, roots, clock.now)

    async def fetch(domain: Domain) -> Policy:
        return (await mtasts.fetch(client, domain))[0]

    return Means(
        resolver=resolver, dialer=dialer, context=context, roots=roots, now=clock.now, random=random, fetch_policy=fetch
    )


def web_client(resolver: Resolver, roots: Roots, clock: Clock, caller: str) -> Client:
    """What fetches documents of servers that authorities vouch for."""

    def judge(chain: Sequence[bytes], name: str) -> str:
        return by_authorities(chain, name, roots, clock.now()).result

    return Client(resolver.named(caller), client_context(), judge, caller)
