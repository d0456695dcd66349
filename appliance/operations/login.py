"""Logging in, the same at every door: who it is, whether he may, what is said of it and written down.

A door says where somebody comes from (`Attempt`), what its connection is like (`Situation`) and how to talk to him
(`Ask`); it has a table with its words for each `Why`.

Every attempt makes one log line, which a program like fail2ban can act upon. The network's address stands before all
that a client says itself, so no user name can pass for one:

    failregex = ^.*?l=info m="login failed" (?:pkg=\\S+ )+remoteip=<HOST> result=(?!error)
"""

import base64
import hmac
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import reduce
from operator import or_
from typing import Any, Final, Literal, TypeVar

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.metrics import Counter
from appliance.base.problem import Kind, Problem
from appliance.config.addresses import Found
from appliance.delivery import secrets
from appliance.delivery.appliance import Appliance
from appliance.mail.address import AddressError, parse_address
from appliance.mail.status import Status
from appliance.net import clientkey
from appliance.net.limiter import Address
from appliance.net.tlsstream import TLSInfo, TLSStream
from appliance.operations import passwords
from appliance.operations.actor import DEVICE, OPERATOR, OWNER, SCOPES, Actor, Right
from appliance.protocol.sasl.exchange import (
    Challenge,
    CramSecrets,
    CramWanted,
    Exchange,
    ExternalClaim,
    Fault,
    Outcome,
    PasswordCredentials,
    Proven,
    SASLError,
    ScramSecrets,
    Step,
    Surroundings,
)
from appliance.protocol.sasl.mechanisms import MECHANISMS
from appliance.store import account as accounts, secondfactor, secret, tlskeys
from appliance.store.records import AppPassword, Credentials, LoginAttempt, Scram
from appliance.store.tables import NOBODY, AccountID

log = Log("auth")

authentications = Counter("authentication_total", "Login attempts.", ("kind", "variant", "result"))
rate_limited = Counter("authentication_ratelimited_total", "Refused for too many failures.", ("kind",))

#: The name of a mechanism we do not know, in logs and counters: a client's own words would be too many.
UNRECOGNIZED: Final = "(unrecognized)"
#: Octets of chance in nonces and challenges.
_NONCE_OCTETS: Final = 12

Result = Literal["ok", "badcreds", "badchanbind", "badprotocol", "logindisabled", "aborted", "error"]


class Why(Enum):
    """Why a login came to nothing; the value is the status (RFC 3463, RFC 5248) and what it counts as."""

    result: Result
    status: Status

    TLS_REQUIRED = Status(5, 7, 11), "badprotocol", "start TLS first"
    UNKNOWN_MECHANISM = Status(5, 5, 4), "badprotocol", "unknown mechanism"
    ABORTED = Status(5, 5, 0), "aborted", "given up"
    ENCODING = Status(5, 5, 2), "badprotocol", "response is not base64"
    MALFORMED = Status(5, 5, 4), "badprotocol", "response is malformed"
    AUTHORIZATION = Status(5, 7, 8), "badcreds", "cannot act for somebody else"
    FIRST_MESSAGE = Status(4, 7, 0), "badprotocol", "first message is malformed"
    FINAL_MESSAGE = Status(5, 7, 0), "badprotocol", "final message is malformed"
    BINDING = Status(5, 7, 7), "badchanbind", "this is not the same TLS channel that the client sees"
    WRONG = Status(5, 7, 8), "badcreds", "wrong user name or password"
    NO_CERTIFICATE = Status(5, 7, 8), "badcreds", "no TLS client certificate was accepted"
    OTHER_ACCOUNT = Status(5, 7, 8), "badcreds", "not the account of the TLS client certificate"
    #: The password was right, and a code of the second factor is to come with it.
    CODE_WANTED = Status(5, 7, 8), "aborted", "a code of the second factor is needed, too"
    WRONG_CODE = Status(5, 7, 8), "badcreds", "wrong code of the second factor"
    TOO_MANY_CODES = Status(4, 7, 0), "error", "too many wrong codes of the second factor, try again in an hour"
    #: Nothing the client did wrong: it cannot know which mechanisms an account has secrets for.
    SECRETS_MISSING = Status(4, 3, 0), "error", "not possible with this mechanism until the password is set again"
    DISABLED = Status(5, 7, 13), "logindisabled", "logins are disabled"
    TOO_MANY = Status(4, 7, 0), "error", "too many failed logins, try again later"
    INTERNAL = Status(4, 3, 0), "error", "something went wrong here, try again later"

    def __init__(self, status: Status, result: Result, text: str) -> None:
        self.status = status
        self.result = result
        self.text = text

    @property
    def is_clients_fault(self) -> bool:
        """Whether it counts against the client's network and slows the connection."""
        return self.result != "error"


class LoginFailed(Problem):
    """A login came to nothing. The text may be shown: it does not tell whether there is such a user."""

    kind = Kind.NOT_AUTHENTICATED

    def __init__(self, why: Why, text: str = "") -> None:
        super().__init__(text or why.text)
        self.why = why
        self.status = why.status


Keep = Callable[[AccountID, LoginAttempt, int | None], None]
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Attempt:
    """From where somebody tries to log in, for limits, counters, logs and the record."""

    #: `submission`, `imap`, `webmail`, `webapi` ...; what an app password is allowed for.
    protocol: str
    #: `plain`, `login`, `scram-sha-256` ...
    mechanism: str
    remote: Address
    log: Log
    local: Address | None = None
    tls: TLSInfo | None = None
    user_agent: str = ""
    #: Digest of the client certificate's key, where `tls` does not tell it.
    key: bytes | None = None
    #: Takes the record, when the door has something to add to it; otherwise it is written down at once.
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What matters of the connection to a login."""

    #: Passwords may be sent: there is TLS, or the operator does not mind.
    passwords_allowed: bool
    #: The mechanisms this door has.
    mechanisms: Collection[str] = ()
    hostname: str = "localhost"
    tls: TLSStream | None = None
    #: Whose TLS client certificate was accepted.
    certificate: Actor | None = None
    #: Mechanisms with channel binding were offered.
    offered_binding: bool = False


#: Sends a challenge and waits for the response. Raises SASLError when there is none: ABORTED or ENCODING.
Ask = Callable[[bytes], Awaitable[bytes]]


def may_try(app: Appliance, protocol: str, remote: Address) -> bool:
    """Whether a network has failures left."""
    if app.login_failures.allowed(remote, app.clock.microseconds() / 1e6):
        return True
    rate_limited.labels(protocol).inc()
    return False


async def authenticate(
    app: Appliance, attempt: Attempt, situation: Situation, mechanism: str, initial: bytes | None, ask: Ask
) -> Actor:
    """One SASL exchange; `initial` is the client's first response, None when it sent none. Raises LoginFailed."""
    known = MECHANISMS.get(mechanism) if mechanism in situation.mechanisms else None
    trial = _Trial(app, replace(attempt, mechanism=mechanism.lower() if known else UNRECOGNIZED), situation)

    async def work() -> Actor:
        if known is None:
            raise LoginFailed(Why.UNKNOWN_MECHANISM)
        if (known.needs_tls and situation.tls is None) or (known.sends_password and not situation.passwords_allowed):
            raise LoginFailed(Why.TLS_REQUIRED)
        if known.needs_certificate and situation.certificate is None:
            raise LoginFailed(Why.NO_CERTIFICATE)
        outcome = await _converse(trial, known.start(_surroundings(app, situation), initial), ask)
        match outcome:
            case PasswordCredentials():
                return await trial.check_password(outcome)
            case Proven():
                return trial.proven(outcome.candidate)
            case ExternalClaim():
                return trial.external(outcome.authorization)

    return await trial.run(work)


async def by_password(
    app: Appliance,
    attempt: Attempt,
    situation: Situation,
    credentials: PasswordCredentials,
    confirm: Callable[[Actor], Awaitable[None]] | None = None,
) -> Actor:
    """A login with a password that was sent without SASL: IMAP's LOGIN, HTTP, a form. Raises LoginFailed.

    `confirm` may ask whoever knows the password for more, and raise LoginFailed.
    """
    trial = _Trial(app, attempt, situation)

    async def work() -> Actor:
        if not situation.passwords_allowed:
            raise LoginFailed(Why.TLS_REQUIRED)
        actor = await trial.check_password(credentials)
        if confirm is not None:
            await confirm(actor)
        return actor

    return await trial.run(work)


#: Stands for the administrator where accounts are named.
ADMIN: Final = "(admin)"


async def admin_by_password(
    app: Appliance,
    attempt: Attempt,
    password_hash: str | None,
    password: str,
    confirm: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """A login of the administrator; None where there is no password. Raises LoginFailed."""
    trial = _Trial(app, attempt, Situation(passwords_allowed=True))
    trial.username, trial.known = ADMIN, _Known(NOBODY, ADMIN, None)

    async def work() -> None:
        if not await app.passwords.check(password_hash, password):
            raise LoginFailed(Why.WRONG)
        if confirm is not None:
            await confirm()

    await trial.run(work)


async def by_passkey(
    app: Appliance, attempt: Attempt, account: AccountID, username: str, prove: Callable[[], Awaitable[None]]
) -> Actor:
    """A login by a passkey alone, with the address it was added with. `prove` raises LoginFailed; so does this."""
    trial = _Trial(app, attempt, Situation(passwords_allowed=True))
    trial.username, trial.known = username, _find(app, username)

    async def work() -> Actor:
        if trial.known is None or trial.known.number != account:
            raise LoginFailed(Why.WRONG_CODE, "this passkey is not of an account here, or not any more")
        await prove()
        return trial.admit_by_passkey()

    return await trial.run(work)


async def admin_by_passkey(app: Appliance, attempt: Attempt, prove: Callable[[], Awaitable[None]]) -> None:
    """A login of the administrator by a passkey alone. `prove` raises LoginFailed; so does this."""
    trial = _Trial(app, attempt, Situation(passwords_allowed=True))
    trial.username, trial.known = ADMIN, _Known(NOBODY, ADMIN, None)

    async def work() -> None:
        await prove()

    await trial.run(work)


def _surroundings(app: Appliance, situation: Situation) -> Surroundings:
    tls = situation.tls

    def binding(name: str) -> bytes | None:
        if tls is None:
            return None
        kinds = {"tls-unique": tls.unique, "tls-exporter": tls.exporter, "tls-server-end-point": tls.server_end_point}
        return kinds[name]()

    nonce = app.random.token_bytes(_NONCE_OCTETS)
    return Surroundings(
        nonce=base64.b64encode(nonce).decode(),
        challenge=f"<{nonce.hex()}.{app.clock.microseconds() * 1000}@{situation.hostname}>",
        binding=binding,
        offered_binding=situation.offered_binding,
    )


async def _converse(trial: "_Trial", exchange: Exchange, ask: Ask) -> Outcome:
    """Drive an exchange to its end. Raises SASLError, LoginFailed."""
    try:
        step: Step = next(exchange)
        while True:
            if isinstance(step, Challenge):
                try:
                    response = await ask(step.octets)
                except SASLError as error:
                    step = exchange.throw(error)
                else:
                    step = exchange.send(response)
            else:
                await trial.identify(step.username)
                secrets = trial.cram_secrets() if isinstance(step, CramWanted) else trial.scram_secrets()
                step = exchange.send(secrets)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    finally:
        exchange.close()


def succeeded(app: Appliance, attempt: Attempt, actor: Actor) -> None:
    """Count a login that needed no words: by the handshake. Earlier failures of the address are forgiven."""
    app.login_failures.reset(attempt.remote, app.clock.microseconds() / 1e6)
    _note(app, attempt, "ok", actor.login_address, _Known(actor.account, actor.name, None), None, "")


def failed(app: Appliance, attempt: Attempt, result: Result, username: str = "", actor: Actor | None = None) -> None:
    """Count a failed login that needed no words; `actor` is whoever it would have been."""
    app.login_failures.force(attempt.remote, app.clock.microseconds() / 1e6)
    known = None if actor is None else _Known(actor.account, actor.name, None)
    _note(app, attempt, result, username, known, None, "")


def _note(
    app: Appliance,
    attempt: Attempt,
    result: Result,
    username: str,
    known: "_Known | None",
    app_password: int | None,
    reason: str,
) -> None:
    """Count an attempt, log it, write it down."""
    authentications.labels(attempt.protocol, attempt.mechanism, result).inc()
    username = username[: limits.LOGIN_TEXT_CHARACTERS]
    attempt.log.info(
        "login" if result == "ok" else "login failed",
        remoteip=attempt.remote,
        result=result,
        mechanism=attempt.mechanism,
        account=known.name if known is not None else "-",
        username=username,
        reason=reason or None,
        apppassword=app_password,
    )
    tls, now = attempt.tls, app.clock.microseconds()
    key = attempt.key or (tls.peer_key if tls is not None else None)
    record = LoginAttempt(
        login_address=username,
        remote_ip=str(attempt.remote),
        local_ip=str(attempt.local or ""),
        tls="" if tls is None else f"{tls.version} {tls.cipher}",
        key="" if key is None else clientkey.spell(key),
        protocol=attempt.protocol,
        user_agent=attempt.user_agent[: limits.LOGIN_TEXT_CHARACTERS],
        mechanism=attempt.mechanism,
        result=result,
        first=now,
        last=now,
    )
    account = known.number if known is not None else NOBODY
    if attempt.keep is not None:
        attempt.keep(account, record, app_password)
    else:
        app.logins.note(account, record, app_password=app_password)


@dataclass(frozen=True, slots=True)
class _Known:
    """The account a login address leads to."""

    number: AccountID
    name: str
    #: None while no password was ever set.
    credentials: Credentials | None
    apps: list[tuple[int, AppPassword]] = field(default_factory=list)


class _Trial:
    """One attempt, as far as it has come."""

    def __init__(self, app: Appliance, attempt: Attempt, situation: Situation) -> None:
        self.app = app
        self.attempt = attempt
        self.situation = situation
        self.username = ""
        self.known: _Known | None = None
        self.app_password: int | None = None
        #: What each of the secrets that an exchange was given stands for; None is the account's own password.
        self._candidates: list[int | None] = []
        #: The account's own password has no secret for this mechanism.
        self._lacks_secret = False
        self._store_secret = b""

    async def run(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Do the work, and count, log and write down what came of it. Raises LoginFailed."""
        app, attempt = self.app, self.attempt
        if not may_try(app, attempt.protocol, attempt.remote):
            raise LoginFailed(Why.TOO_MANY)
        try:
            result = await work()
        except SASLError as error:
            why = Why[error.fault.name]
            if error.fault is Fault.WRONG and self._lacks_secret:
                why = Why.SECRETS_MISSING
            problem = LoginFailed(why, "" if error.fault is Fault.WRONG else str(error))
            self._failed(why, str(problem))
            raise problem from error
        except LoginFailed as problem:
            self._failed(problem.why, str(problem))
            raise
        except Problem as error:
            log.error("login failed for a reason of ours", error)
            self._failed(Why.INTERNAL, str(error))
            raise LoginFailed(Why.INTERNAL) from error
        except BaseException:
            self._failed(Why.ABORTED, "connection ended")
            raise
        app.login_failures.reset(attempt.remote, app.clock.microseconds() / 1e6)
        self._note("ok", "")
        return result

    def _failed(self, why: Why, text: str) -> None:
        if why.is_clients_fault:
            self.app.login_failures.force(self.attempt.remote, self.app.clock.microseconds() / 1e6)
        if why is Why.SECRETS_MISSING:
            self.attempt.log.info("no secret for this mechanism: set the password of the account again")
        if why is Why.BINDING:
            self.attempt.log.warn("channel binding differs: somebody may sit between the client and us")
        self._note(why.result, text)

    def _note(self, result: Result, reason: str) -> None:
        _note(self.app, self.attempt, result, self.username, self.known, self.app_password, reason)

    # Who it is.

    async def identify(self, username: str) -> None:
        """Find the account of a login address."""
        self.username = username
        self.known = _find(self.app, username)
        if self._credentials is None:
            self._store_secret = await secrets.known(self.app, secret.LOGIN, 32)

    @property
    def _credentials(self) -> Credentials | None:
        return self.known.credentials if self.known is not None else None

    def scram_secrets(self) -> ScramSecrets:
        """Those of the user, or made-up ones that look like them. Raises LoginFailed."""
        is_sha256 = self.attempt.mechanism.startswith("scram-sha-256")
        if self.known is not None and self.known.credentials is not None:
            credentials = self.known.credentials
            own = credentials.scram_sha256 if is_sha256 else credentials.scram_sha1
            keys = [(own.stored_key, own.server_key)] if own.stored_key else []
            keys += [one.scram_sha256 if is_sha256 else one.scram_sha1 for _, one in self.known.apps]
            self._candidates_are(credentials, has_own=bool(own.stored_key))
            if keys:
                return ScramSecrets(own.salt, own.iterations, tuple(keys))
        # The salt of nobody is always the same for the same name, as that of somebody is.
        octets, iterations = (
            (32, passwords.SCRAM_SHA256_ITERATIONS) if is_sha256 else (20, passwords.SCRAM_SHA1_ITERATIONS)
        )
        made_up = self._made_up("scram-sha-256" if is_sha256 else "scram-sha-1", passwords.SALT_OCTETS + 2 * octets)
        salt, keys_octets = made_up[: passwords.SALT_OCTETS], made_up[passwords.SALT_OCTETS :]
        return ScramSecrets(salt, iterations, ((keys_octets[:octets], keys_octets[octets:]),))

    def cram_secrets(self) -> CramSecrets:
        """Those of the user, or made-up ones. Raises LoginFailed."""
        if self.known is not None and self.known.credentials is not None:
            credentials = self.known.credentials
            has_own = bool(credentials.cram_md5_inner)
            states = [(credentials.cram_md5_inner, credentials.cram_md5_outer)] if has_own else []
            states += [one.cram_md5 for _, one in self.known.apps]
            self._candidates_are(credentials, has_own=has_own)
            if states:
                return CramSecrets(tuple(states))
        made_up = self._made_up("cram-md5", 32)
        return CramSecrets(((made_up[:16], made_up[16:]),))

    def _candidates_are(self, credentials: Credentials, *, has_own: bool) -> None:
        assert self.known is not None
        self._candidates = [None] if has_own else []
        self._candidates += [number for number, _ in self.known.apps]
        self._lacks_secret = bool(credentials.password_hash) and not has_own
        if self._lacks_secret and not self._candidates:
            raise LoginFailed(Why.SECRETS_MISSING)

    def _made_up(self, purpose: str, octets: int) -> bytes:
        """Octets that nobody can guess, the same each time for the same user."""
        seed = f"{purpose} {_canonical(self.app, self.username)}".encode("utf-8", "surrogatepass")
        blocks = (hmac.digest(self._store_secret, b"%d " % at + seed, "sha256") for at in range(octets // 32 + 1))
        return b"".join(blocks)[:octets]

    # What he shows.

    async def check_password(self, claim: PasswordCredentials) -> Actor:
        """Whether it is one of his passwords. Raises LoginFailed."""
        await self.identify(claim.authentication)
        credentials, apps = self._credentials, self.known.apps if self.known is not None else []
        if credentials is not None and apps:
            key = await passwords.stored_key(claim.password, credentials.scram_sha256)
            for number, one in apps:
                if hmac.compare_digest(key, one.scram_sha256[0]):
                    return self._admit(number)
        password_hash = credentials.password_hash or None if credentials is not None else None
        right = await self.app.passwords.check(password_hash, claim.password)
        if right and self.known is not None:
            return self._admit(None)
        if not apps:
            # Takes as long as for those who have app passwords, and for those who exist.
            await passwords.stored_key(claim.password, _SOME_SALT)
        raise LoginFailed(Why.WRONG)

    def proven(self, candidate: int) -> Actor:
        """An exchange has found the client to know one of the secrets. Raises LoginFailed."""
        if candidate >= len(self._candidates):  # Made-up ones are nobody's, even if they were guessed.
            raise LoginFailed(Why.WRONG)
        return self._admit(self._candidates[candidate])

    def external(self, authorization: str) -> Actor:
        """The account of the certificate, under its address or another of the same account. Raises LoginFailed."""
        certificate = self.situation.certificate
        assert certificate is not None
        self.username = authorization or certificate.login_address
        self.known = _find(self.app, self.username)
        if self.known is None:
            raise LoginFailed(Why.WRONG, "no such address of this account")
        return self._admit(None, certificate.key)

    def admit_by_passkey(self) -> Actor:
        """His passkey is right; may he come in? Raises LoginFailed."""
        return self._admit(None)

    def _admit(self, app_password: int | None, key: bytes | None = None) -> Actor:
        """The credentials are right; may he come in? Raises LoginFailed."""
        known, attempt = self.known, self.attempt
        assert known is not None
        if not self._still_count(known, app_password, key):
            raise LoginFailed(Why.WRONG)
        self.app_password = app_password
        rights = OWNER
        if app_password is not None:
            shown = dict(known.apps)[app_password]
            if shown.expires and shown.expires <= self.app.clock.microseconds():
                raise LoginFailed(Why.WRONG, "this app password has expired")
            rights = rights_of(attempt.protocol, shown.protocols)
            if not rights:
                raise LoginFailed(Why.WRONG, f"this app password is not for {attempt.protocol}")
        if app_password is None and key is None and self._wants_app_password(known.number):
            attempt.log.info("mail programs need an app password for this account", account=known.name)
            raise LoginFailed(Why.WRONG)
        certificate = self.situation.certificate
        if certificate is not None and certificate.account != known.number:
            raise LoginFailed(Why.OTHER_ACCOUNT)
        # Told only now, to somebody who has shown that the account is his.
        disabled = self.app.config.snapshot().domains.accounts[known.name].login_disabled
        if disabled:
            raise LoginFailed(Why.DISABLED, str(disabled))
        return Actor(known.number, known.name, self.username, rights, app_password, key)

    def _wants_app_password(self, account: AccountID) -> bool:
        """Whether the account's own password is for browsers alone; nobody is told, or he would know it is right."""
        if self.attempt.protocol.startswith("web") and self.attempt.protocol != "webapi":
            return False
        with self.app.store.read() as tx:
            return secondfactor.get(tx, account).app_passwords_only

    def _still_count(self, known: "_Known", app_password: int | None, key: bytes | None) -> bool:
        """Whether nobody took the credentials away while they were looked at, when there was no session to end."""
        with self.app.store.read() as tx:
            if key is not None:
                return tlskeys.find(tx, key) is not None
            if app_password is not None:
                return any(number == app_password for number, _ in accounts.app_passwords(tx, known.number))
            now = accounts.credentials(tx, known.number)
        # A hash has chance in it, so the same password set again is another one, too.
        before = known.credentials
        return (now.password_hash if now else "") == (before.password_hash if before else "")


def rights_of(protocol: str, allowed: Collection[str]) -> Right:
    """What an app password for these protocols and purposes may do by a protocol; nothing: it is not for that."""
    if protocol in allowed:
        return DEVICE
    if protocol != "webapi":
        return Right(0)
    return reduce(or_, (right for word, right in SCOPES.items() if word in allowed), Right(0))


_SOME_SALT: Final = Scram(bytes(passwords.SALT_OCTETS), passwords.SCRAM_SHA256_ITERATIONS, b"", b"")


class NoSuchLogin(Problem):
    """No account has that address."""

    kind, status = Kind.NOT_FOUND, Status(5, 1, 1)


def without_secret(app: Appliance, address: str) -> Actor:
    """Who logs in with an address, for the operator, who may more there. Raises NoSuchLogin, LoginFailed."""
    known = _find(app, address)
    if known is None:
        raise NoSuchLogin(f"no account has the address {address}")
    disabled = app.config.snapshot().domains.accounts[known.name].login_disabled
    if disabled:
        raise LoginFailed(Why.DISABLED, disabled)
    return Actor(known.number, known.name, address, OPERATOR)


def _find(app: Appliance, name: str) -> _Known | None:
    """The account of a login address; None where there is none."""
    try:
        address = parse_address(name)
    except AddressError:
        return None
    found = app.config.snapshot().derived.addresses.lookup(address, for_login=True)
    if not isinstance(found, Found):
        return None
    with app.store.read() as tx:
        account = tx.account_id(found.account)
        if account is None or tx.account(account).removed:
            return None
        return _Known(account, found.account, accounts.credentials(tx, account), accounts.app_passwords(tx, account))


def _canonical(app: Appliance, name: str) -> str:
    """An address as a domain of ours sees it, so that a made-up salt is the same for all spellings of it."""
    try:
        address = parse_address(name)
    except AddressError:
        return name.lower()
    entry = app.config.snapshot().derived.addresses.domains.get(address.domain.ascii)
    localpart = entry.canonical(address.localpart) if entry is not None else address.localpart.lower()
    return f"{localpart}@{address.domain.ascii}"
