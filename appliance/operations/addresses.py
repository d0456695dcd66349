"""Where mail for an address goes (S-74 to S-77): the answer a door gives at RCPT."""

from dataclasses import dataclass

from appliance.config.addresses import Disabled, Found, FoundAlias, NotLocal, Unknown
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.delivery.receive import DEFAULT_MAILBOX, Recipient
from appliance.mail.address import Path, parse_address
from appliance.mail.status import Status


@dataclass(frozen=True, slots=True)
class Local:
    """Mail for accounts of ours; several for an alias."""

    recipients: tuple[Recipient, ...]


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


Resolution = Local | Nobody | Elsewhere | Refused

_DISABLED = Refused(450, Status(4, 2, 1), "the recipient's domain is disabled for now")


def resolve(app: Appliance, config: Config, path: Path) -> Resolution:
    """Where mail for a path goes. Reads the store for the account."""
    found = config.derived.addresses.lookup(path)
    match found:
        case Found():
            return _found(app, config, path, found)
        case FoundAlias():
            return _alias(app, config, found)
        case Disabled():
            return _DISABLED
        case Unknown() | NotLocal():
            taker = app.policy.unknown_recipient(path)
            if taker is not None:
                instead = config.derived.addresses.lookup(taker)
                if isinstance(instead, Found):
                    return _found(app, config, path, instead)
            return Nobody() if isinstance(found, Unknown) else Elsewhere()


def _found(app: Appliance, config: Config, path: Path, found: Found) -> Local | Refused:
    destination = found.destination
    if destination.smtp_error:
        code, _, text = destination.smtp_error.partition(" ")
        if code == "421":
            return Refused(451, Status(4, 3, 0), text or "try again later")
        return Refused(550, Status(5, 1, 1), text or "no such address")
    with app.store.read() as tx:
        account = tx.account_id(found.account)
        if account is None or tx.account(account).removed:
            return Refused(451, Status(4, 3, 0), "account is not available")
    return Local(
        (
            Recipient(
                path=path,
                account=account,
                mailbox=str(destination.mailbox or DEFAULT_MAILBOX),
                quota_octets=quota(config, found.account),
            ),
        )
    )


def _alias(app: Appliance, config: Config, found: FoundAlias) -> Local | Refused:
    if not found.alias.post_public:
        return Refused(550, Status(5, 7, 2), "only members may write to this address")
    recipients: list[Recipient] = []
    for member in found.alias.addresses:
        address = parse_address(str(member))
        path = Path(address.localpart, address.domain)
        target = config.derived.addresses.lookup(path)
        if isinstance(target, Found):
            resolved = _found(app, config, path, target)
            if isinstance(resolved, Local):
                recipients += resolved.recipients
    if not recipients:
        return Refused(451, Status(4, 3, 0), "no member of the alias is available")
    return Local(tuple(recipients))


def quota(config: Config, account: str) -> int | None:
    """Octets an account may hold; None when there is no limit (D-12)."""
    own = int(config.domains.accounts[account].quota_message_size)
    limit = own or int(config.static.quota_message_size)
    return limit if limit > 0 else None
