"""Where mail for an address goes: the answer a door gives at RCPT."""

from dataclasses import dataclass

from appliance.config.addresses import AddressIndex, Disabled, Found, FoundAlias, NotLocal, Unknown
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.mail import returnpath
from appliance.mail.address import Address, Path, parse_path
from appliance.mail.status import Status
from appliance.operations.configuring import NoSuchAddress
from appliance.store import forwarded
from appliance.store.transaction import ReadTx


@dataclass(frozen=True, slots=True)
class Local:
    """Mail for an account of ours, or for the members of an alias."""

    recipient: Recipient | AliasRecipient


@dataclass(frozen=True, slots=True)
class Returning:
    """A sender address of ours of forwarded mail: what comes to it goes on (operations.returning)."""

    localpart: str
    returns_to: Path


@dataclass(frozen=True, slots=True)
class Nobody:
    """The domain is ours, the address nobody's."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Not a domain of ours."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The configuration says no."""

    code: int
    status: Status
    text: str


Resolution = Local | Returning | Nobody | Elsewhere | Refused

_DISABLED = Refused(450, Status(4, 2, 1), "the recipient's domain is disabled for now")


def resolve(app: Appliance, config: Config, path: Path) -> Resolution:
    """Where mail for a path goes. Reads the store for the account."""
    found = config.derived.addresses.lookup(path)
    if (localpart := returnpath.read(path.localpart)) and not isinstance(found, NotLocal | Disabled):
        with app.store.read() as tx:
            back = forwarded.find(tx, localpart, app.clock.microseconds())
        return Returning(localpart, _path(back.returns_to)) if back is not None else Nobody()
    match found:
        case Found():
            with app.store.read() as tx:
                return _found(tx, config, path, found)
        case FoundAlias():
            with app.store.read() as tx:
                return _alias(tx, config, path, found)
        case Disabled():
            return _DISABLED
        case Unknown() | NotLocal():
            taker = app.policy.unknown_recipient(path)
            if taker is not None:
                instead = config.derived.addresses.lookup(taker)
                if isinstance(instead, Found):
                    with app.store.read() as tx:
                        return _found(tx, config, path, instead)
            return Nobody() if isinstance(found, Unknown) else Elsewhere()


def notified(tx: ReadTx, config: Config, sender: Path, now: int) -> Path | None:
    """Who hears of what becomes of mail of a sender: for an address of ours of forwarded mail whom that stands for.

    None where it stands for nobody any more.
    """
    localpart = returnpath.read(sender.localpart)
    if not localpart or isinstance(config.derived.addresses.lookup(sender), NotLocal):
        return sender
    back = forwarded.find(tx, localpart, now)
    return None if back is None else _path(back.returns_to)


def _path(text: str) -> Path:
    return parse_path(f"<{text}>".encode(), smtputf8=True)


def _found(tx: ReadTx, config: Config, path: Path, found: Found) -> Local | Refused:
    destination = found.destination
    if destination.smtp_error:
        code, _, text = destination.smtp_error.partition(" ")
        if code == "421":
            return Refused(451, Status(4, 3, 0), text or "try again later")
        return Refused(550, Status(5, 1, 1), text or "no such address")
    account = tx.account_id(found.account)
    if account is None or tx.account(account).removed:
        return Refused(451, Status(4, 3, 0), "account is not available")
    settings = config.domains.accounts[found.account]
    return Local(Recipient(path, account, found, settings, quota(config, found.account)))


def _alias(tx: ReadTx, config: Config, path: Path, found: FoundAlias) -> Local | Refused:
    """Who may write to an alias is decided when the message is there: its From tells."""
    members: dict[str, Recipient] = {}
    keys: set[str] = set()
    refused: Refused | None = None
    for written in found.alias.addresses:
        # A member in a domain that is disabled gets its copy: only mail to that domain is refused.
        member = config.derived.addresses.own(written.address)
        if member is None:
            continue
        keys.add(member.address_key)
        resolved = _found(tx, config, Path(written.address.localpart, written.address.domain), member)
        if isinstance(resolved, Refused):
            refused = refused or resolved
        elif isinstance(resolved.recipient, Recipient):
            members[member.address_key] = resolved.recipient
    if not members:
        return refused or Refused(451, Status(4, 3, 0), "no member of the alias is available")
    return Local(AliasRecipient(path, found, members, frozenset(keys)))


def account_of(app: Appliance, address: Address) -> str:
    """The account that mail for an address goes to, by separators and catch-alls too. Raises NoSuchAddress."""
    found = app.config.snapshot().derived.addresses.lookup(address)
    match found:
        case Found():
            return found.account
        case FoundAlias():
            raise NoSuchAddress(f"{address} is an alias; its members: moxpy config alias print {found.address_key}")
        case Disabled():
            raise NoSuchAddress(f"the domain of {address} is disabled")
        case NotLocal():
            raise NoSuchAddress(f"{address.domain.unicode} is not a domain of ours")
        case Unknown():
            raise NoSuchAddress(f"{address} is nobody's address")


def takes_tls_reports(index: AddressIndex, path: Path) -> bool:
    """Whether an address is one for TLS reports, which may tell that TLS is broken (RFC 8460 §3)."""
    found = index.lookup(path)
    return isinstance(found, Found) and "tls" in found.reports


def quota(config: Config, account: str) -> int | None:
    """Octets an account may hold; None when there is no limit."""
    own = int(config.domains.accounts[account].quota_message_size)
    limit = own or int(config.static.quota_message_size)
    return limit if limit > 0 else None
