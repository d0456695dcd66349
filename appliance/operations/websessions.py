"""Logins by the web: what a browser keeps in a cookie, and beside it against forged requests.

A token is sixteen octets of chance. Only digests of it are kept: who reads the store or a backup cannot log in.
Sessions of accounts are in the store and outlive a restart; those of the administrator are in memory and do not.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.clock import Clock
from appliance.base.ids import Random
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config.files import FileIdentity
from appliance.config.source import Config
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations import accounts as verbs
from appliance.operations.actor import DEVICE, OWNER, Actor
from appliance.store import account as accounts
from appliance.store.records import WebSession
from appliance.store.tables import AccountID
from appliance.store.transaction import WriteTx

log = Log("auth")

TOKEN_OCTETS: Final = 16
_SECOND: Final = 1_000_000
_HOUR: Final = 3600 * _SECOND
_TEXT_CHARACTERS: Final = 300


class NoSuchSession(Problem):
    """The login by the web is over."""

    kind, status = Kind.NOT_FOUND, Status(5, 3, 0)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A login by the web at the only moment when its tokens are known. Never log it."""

    token: str
    csrf: str

    def __repr__(self) -> str:
        return "NewSession()"


@dataclass(frozen=True, slots=True)
class Found:
    """A session that goes on."""

    digest: bytes
    csrf_digest: bytes
    #: None for the administrator.
    actor: Actor | None = None

    def knows(self, csrf: str) -> bool:
        """Whether this is its token against forged requests."""
        return hmac.compare_digest(digest(csrf), self.csrf_digest)


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in a list."""

    #: Names it, and is of no use to a thief.
    id: str
    application: str
    login_address: str
    created: datetime
    last_used: datetime
    expires: datetime
    remote_ip: str
    user_agent: str
    #: It is the one that asks.
    is_current: bool


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def new_token(random: Random, octets: int = TOKEN_OCTETS) -> str:
    """Chance, in letters that need no escapes in cookies and URLs."""
    return base64.urlsafe_b64encode(random.token_bytes(octets)).rstrip(b"=").decode()


def name_of(token_digest: bytes) -> str:
    """How a session is called in lists."""
    return base64.urlsafe_b64encode(token_digest[:12]).decode()


def time(microseconds: int) -> datetime:
    """A moment of the store."""
    return datetime.fromtimestamp(microseconds / _SECOND, UTC)


# Of accounts.


async def begin(
    app: Appliance, application: str, actor: Actor, *, since: int, remote_ip: str, user_agent: str
) -> NewSession:
    """Begin a session of an account that has just logged in.

    `since`: when that login began; another password since then makes it void. Raises NoSuchAccount, NoSuchSession.
    """
    new = NewSession(new_token(app.random), new_token(app.random))
    now = app.clock.microseconds()
    session = WebSession(
        application=application,
        login_address=actor.login_address,
        csrf_digest=digest(new.csrf),
        created=now,
        expires=now + limits.WEB_SESSION_HOURS * _HOUR,
        last_used=now,
        user_agent=user_agent[:_TEXT_CHARACTERS],
        remote_ip=remote_ip,
        app_password=actor.app_password,
    )
    await app.store.write(_begin, actor.account, digest(new.token), session, since)
    return new


def _begin(tx: WriteTx, account: AccountID, token_digest: bytes, session: WebSession, since: int) -> None:
    credentials = accounts.credentials(tx, account)
    if credentials is None or credentials.changed > since:
        raise NoSuchSession("the password was changed meanwhile, log in again")
    accounts.put_session(tx, account, token_digest, session, most=limits.WEB_SESSIONS)


def find(app: Appliance, application: str, name: str, token: str) -> Found | None:
    """The session of a token of a named account; None when there is none, or it may not go on."""
    configured = app.config.snapshot().domains.accounts.get(name)
    if configured is None or configured.login_disabled:
        return None
    token_digest = digest(token)
    with app.store.read() as tx:
        account = tx.account_id(name)
        if account is None or tx.account(account).removed:
            return None
        session = accounts.session(tx, account, token_digest)
        devices = [] if session is None or session.app_password is None else accounts.app_passwords(tx, account)
    if session is None or session.application != application or session.expires <= app.clock.microseconds():
        return None
    rights = OWNER
    if session.app_password is not None:
        if session.app_password not in dict(devices):
            return None
        rights = DEVICE
    actor = Actor(account, name, session.login_address, rights, session.app_password, web_session=token_digest)
    return Found(token_digest, session.csrf_digest, actor)


async def used(app: Appliance, actor: Actor, token_digest: bytes) -> None:
    """A session was used, and lasts longer; written down once in some minutes."""
    now = app.clock.microseconds()
    with app.store.read() as tx:
        session = accounts.session(tx, actor.account, token_digest)
    if session is None or now - session.last_used < limits.WEB_SESSION_USED_SECONDS * _SECOND:
        return
    try:
        expires = now + limits.WEB_SESSION_HOURS * _HOUR
        await app.store.write(accounts.session_used, actor.account, token_digest, expires)
    except Problem as problem:
        log.warn("the use of a web session could not be written", problem)


async def end(app: Appliance, actor: Actor, token_digest: bytes) -> None:
    """End a session, and what it has opened."""
    with trio.CancelScope(shield=True):
        await app.store.write(accounts.end_session, actor.account, token_digest)
        _expel(app, actor.name, {token_digest})


async def end_named(app: Appliance, name: str, id: str) -> None:
    """End a session that its owner sees in the list. Raises NoSuchAccount, NoSuchSession."""
    account = verbs.number(app.store, name)
    with app.store.read() as tx:
        found = [key for key, _ in accounts.sessions(tx, account) if name_of(key) == id]
    if not found:
        raise NoSuchSession("there is no such session any more")
    with trio.CancelScope(shield=True):
        await app.store.write(accounts.end_session, account, found[0])
        _expel(app, name, set(found))


async def end_all(app: Appliance, name: str, *, keep: bytes | None = None) -> None:
    """End all sessions of an account, or all but one. Raises NoSuchAccount."""
    account = verbs.number(app.store, name)
    with app.store.read() as tx:
        ended = {key for key, _ in accounts.sessions(tx, account) if key != keep}
    with trio.CancelScope(shield=True):
        await app.store.write(accounts.end_sessions, account, keep=keep)
        _expel(app, name, ended)


def _expel(app: Appliance, name: str, digests: set[bytes]) -> None:
    app.sessions.end(name, lambda login: login.web_session in digests)


def listed(app: Appliance, name: str, current: bytes | None) -> list[Listed]:
    """The sessions of an account, the one used last first. Raises NoSuchAccount."""
    account = verbs.number(app.store, name)
    now = app.clock.microseconds()
    with app.store.read() as tx:
        found = [(key, one) for key, one in accounts.sessions(tx, account) if one.expires > now]
    return [_listed(key, one, current) for key, one in sorted(found, key=lambda one: -one[1].last_used)]


def _listed(key: bytes, session: WebSession, current: bytes | None) -> Listed:
    return Listed(
        id=name_of(key),
        application=session.application,
        login_address=session.login_address,
        created=time(session.created),
        last_used=time(session.last_used),
        expires=time(session.expires),
        remote_ip=session.remote_ip,
        user_agent=session.user_agent,
        is_current=key == current,
    )


# Of the administrator.


@dataclass(frozen=True, slots=True)
class _AdminSession:
    session: WebSession
    #: The file of the password it was opened with: another password ends it.
    password: FileIdentity


@dataclass(slots=True)
class AdminSessions:
    """The sessions of the administrator; one for the whole house."""

    clock: Clock
    random: Random
    _sessions: dict[bytes, _AdminSession] = field(default_factory=dict)

    def begin(self, password: FileIdentity, *, remote_ip: str, user_agent: str) -> NewSession:
        """Begin a session; the one used least recently gives way when there are too many."""
        new, now = NewSession(new_token(self.random), new_token(self.random)), self.clock.microseconds()
        self._forget_expired(now)
        while len(self._sessions) >= limits.ADMIN_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda one: self._sessions[one].session.last_used)]
        session = WebSession(
            application="admin",
            login_address="",
            csrf_digest=digest(new.csrf),
            created=now,
            expires=now + limits.ADMIN_SESSION_HOURS * _HOUR,
            last_used=now,
            user_agent=user_agent[:_TEXT_CHARACTERS],
            remote_ip=remote_ip,
        )
        self._sessions[digest(new.token)] = _AdminSession(session, password)
        return new

    def find(self, config: Config, token: str) -> Found | None:
        """The session of a token."""
        now, key = self.clock.microseconds(), digest(token)
        self._forget_expired(now)
        found = self._sessions.get(key)
        if found is None:
            return None
        file = password_file(config)
        if file is None or FileIdentity.at(file) != found.password:
            del self._sessions[key]
            return None
        return Found(key, found.session.csrf_digest)

    def used(self, key: bytes) -> None:
        """A session was used, and lasts longer."""
        found, now = self._sessions.get(key), self.clock.microseconds()
        if found is not None:
            used = msgspec.structs.replace(
                found.session, last_used=now, expires=now + limits.ADMIN_SESSION_HOURS * _HOUR
            )
            self._sessions[key] = replace(found, session=used)

    def end(self, key: bytes) -> None:
        """End one."""
        self._sessions.pop(key, None)

    def end_named(self, id: str) -> None:
        """End one that is in the list. Raises NoSuchSession."""
        found = [key for key in self._sessions if name_of(key) == id]
        if not found:
            raise NoSuchSession("there is no such session any more")
        self.end(found[0])

    def listed(self, current: bytes | None) -> list[Listed]:
        """All of them, the one used last first."""
        self._forget_expired(self.clock.microseconds())
        found = sorted(self._sessions.items(), key=lambda one: -one[1].session.last_used)
        return [_listed(key, one.session, current) for key, one in found]

    def _forget_expired(self, now: int) -> None:
        for key in [key for key, one in self._sessions.items() if one.session.expires <= now]:
            del self._sessions[key]


def password_file(config: Config) -> Path | None:
    """The file with the hash of the administrator's password."""
    name = config.static.admin_password_file
    return None if name is None else config.directory / name
