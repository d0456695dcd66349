"""Mail that the server itself writes to others, such as notices and reports: whose it is, and its signature."""

from datetime import datetime

from appliance.base.log import Log
from appliance.config.source import Config
from appliance.mail.address import Address
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.msgauth.dkim import sign
from appliance.store.problems import NoSuchAccount
from appliance.store.tables import NO_ACCOUNT, AccountID
from appliance.store.transaction import ReadTx

log = Log("queue")


def postmaster(tx: ReadTx, config: Config) -> AccountID:
    """Who hears of it when it cannot be delivered."""
    account = tx.account_id(config.static.postmaster.account)
    try:
        return NO_ACCOUNT if account is None or tx.account(account).removed else account
    except NoSuchAccount:
        return NO_ACCOUNT


def signing_domain(config: Config, host: Domain) -> Domain | None:
    """The host's domain, or the nearest one above it, that is configured here and signs; None if none does."""
    name = host.ascii
    while name:
        entry = config.derived.addresses.domains.get(name)
        if entry is not None and entry.config.dkim.sign:
            try:
                return parse_domain(name)
            except DomainError:
                return None
        name = name.partition(".")[2]
    return None


def signed(
    config: Config, signer: Address, octets: bytes, when: datetime, *, also: tuple[str, ...] = (), utf8: bool = False
) -> bytes:
    """A small message with the signatures of the signer's domain on top, or as it is where that cannot be.

    `also`: names of fields to sign beside those of the configuration.
    """
    try:
        return sign.sign_octets(config, signer, octets, now=when.timestamp(), also=also, utf8=utf8) + octets
    except sign.CannotSign as problem:
        log.error("message of ours not signed", domain=str(signer.domain), problem=str(problem))
        return octets
