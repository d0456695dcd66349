"""Logging in: who it is, whether he may (S-54, S-55, S-65, I-40, I-50, O-170, O-173). Used by every door."""

from dataclasses import dataclass

from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.base.problem import Kind, Problem
from appliance.config.addresses import Found
from appliance.delivery.appliance import Appliance
from appliance.mail.address import AddressError, parse_address
from appliance.mail.status import Status
from appliance.net.limiter import Address
from appliance.operations.actor import Actor
from appliance.protocol.sasl.exchange import PasswordCredentials
from appliance.store import account as accounts
from appliance.store.tables import AccountID

log = Log("auth")

authentications = Counter("authentication_total", "Login attempts.", ("kind", "variant", "result"))
rate_limited = Counter("authentication_ratelimited_total", "Refused for too many failures.", ("kind",))


class AuthenticationFailed(Problem):
    """Wrong user or wrong password; which one is not told."""

    kind, status = Kind.NOT_AUTHENTICATED, Status(5, 7, 8)


class LoginDisabled(Problem):
    """The credentials are right, but the operator disabled logins of the account."""

    kind, status = Kind.DISABLED, Status(5, 7, 13)


class TooManyFailures(Problem):
    """Too many failed logins from this network."""

    kind, status = Kind.TOO_MANY, Status(4, 7, 0)


@dataclass(frozen=True, slots=True)
class Attempt:
    """From where somebody tries to log in, for limits, counters and logs."""

    #: `submission`, `imap`, `webmail` ...
    protocol: str
    #: `plain`, `login`, `scram-sha-256` ...
    mechanism: str
    remote: Address
    log: Log


def may_try(app: Appliance, protocol: str, remote: Address) -> bool:
    """Whether a network has failures left (S-10)."""
    if app.login_failures.allowed(remote, app.clock.microseconds() / 1e6):
        return True
    rate_limited.labels(protocol).inc()
    return False


async def login(app: Appliance, credentials: PasswordCredentials, attempt: Attempt) -> Actor:
    """Check a password. Raises AuthenticationFailed, LoginDisabled, TooManyFailures; each counts but the last."""
    if not may_try(app, attempt.protocol, attempt.remote):
        raise TooManyFailures("too many failed logins, try again later")
    found, account, password_hash = _find(app, credentials.authentication)
    right = await app.passwords.check(password_hash, credentials.password)
    if not right or found is None or account is None:
        failed(app, attempt, "badcreds", credentials.authentication)
        raise AuthenticationFailed("wrong user name or password")
    disabled = app.config.snapshot().domains.accounts[found.account].login_disabled
    if disabled:
        failed(app, attempt, "logindisabled", credentials.authentication)
        raise LoginDisabled(disabled)
    actor = Actor(account, found.account, credentials.authentication)
    succeeded(app, attempt, actor)
    return actor


def succeeded(app: Appliance, attempt: Attempt, actor: Actor) -> None:
    """Count a login; earlier failures of the address are forgiven."""
    app.login_failures.reset(attempt.remote, app.clock.microseconds() / 1e6)
    authentications.labels(attempt.protocol, attempt.mechanism, "ok").inc()
    attempt.log.info("login", account=actor.name, username=actor.login_address, mechanism=attempt.mechanism)


def failed(app: Appliance, attempt: Attempt, result: str, username: str = "") -> None:
    """Count a failed attempt (S-55)."""
    app.login_failures.force(attempt.remote, app.clock.microseconds() / 1e6)
    authentications.labels(attempt.protocol, attempt.mechanism, result).inc()
    attempt.log.info(
        "login failed", result=result, username=username, mechanism=attempt.mechanism, remoteip=attempt.remote
    )


def _find(app: Appliance, name: str) -> tuple[Found | None, AccountID | None, str | None]:
    """The account of a login address and its password hash; None where there is none."""
    try:
        address = parse_address(name)
    except AddressError:
        return None, None, None
    found = app.config.snapshot().derived.addresses.lookup(address, for_login=True)
    if not isinstance(found, Found):
        return None, None, None
    with app.store.read() as tx:
        account = tx.account_id(found.account)
        secrets = accounts.credentials(tx, account) if account is not None else None
        if account is not None and tx.account(account).removed:
            return None, None, None
    return found, account, secrets.password_hash if secrets is not None else None
