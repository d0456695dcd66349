"""Tokens for scripts that call the functions of account and admin pages: `Authorization: Bearer ...`.

A token is made here, shown once, and kept as a digest. It may read, or change settings as well; passwords, second
factors and tokens themselves are only for who has logged in. It names its account, so that a look-up is one seek.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.base import limits
from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations.actor import OWNER, Actor
from appliance.operations.websessions import digest, name_of, new_token
from appliance.store import apitokens
from appliance.store.records import APIToken
from appliance.store.tables import NOBODY, AccountID

log = Log("auth")

SCOPES: Final = ("read", "change")
_TOKEN_OCTETS: Final = 32
#: `moxpy`, the account in hexadecimal, chance.
_TOKEN: Final = re.compile(r"moxpy_([0-9a-f]{1,8})_([A-Za-z0-9_-]{43})")
_LABEL_CHARACTERS: Final = 100
_SECOND: Final = 1_000_000


class BadToken(Problem):
    """A token that cannot be; the text says why."""

    kind, status = Kind.INVALID, Status(5, 3, 0)


class NoSuchToken(Problem):
    """There is no such token any more."""

    kind, status = Kind.NOT_FOUND, Status(5, 3, 0)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the only moment when it is known. Never log it."""

    id: str
    token: str

    def __repr__(self) -> str:
        return f"NewToken({self.id})"


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token that is good."""

    scopes: tuple[str, ...]
    #: None for the administrator's.
    actor: Actor | None


async def add(
    app: Appliance, account: AccountID, label: str, scopes: Sequence[str], expires_seconds: float | None
) -> NewToken:
    """Make one; NOBODY: for the administrator. Raises BadToken, NoSuchAccount, TooMany."""
    label = label.strip()
    if not label or len(label) > _LABEL_CHARACTERS or not label.isprintable():
        raise BadToken(f"the label must have 1 to {_LABEL_CHARACTERS} printable characters")
    unknown = [one for one in scopes if one not in SCOPES]
    if unknown or not scopes:
        raise BadToken(f"no scope {', '.join(unknown)[:200]!r}; there are: {', '.join(SCOPES)}")
    if expires_seconds is not None and expires_seconds <= 0:
        raise BadToken("the time until it expires must be longer than that")
    token = f"moxpy_{account:x}_{new_token(app.random, _TOKEN_OCTETS)}"
    now = app.clock.microseconds()
    kept = APIToken(
        label=label,
        scopes=tuple(one for one in SCOPES if one in scopes),
        created=now,
        expires=0 if expires_seconds is None else now + int(expires_seconds * _SECOND),
    )
    await app.store.write(apitokens.add, account, digest(token), kept, most=limits.API_TOKENS)
    return NewToken(name_of(digest(token)), token)


def all_of(app: Appliance, account: AccountID) -> list[tuple[str, APIToken]]:
    """Names and tokens, the oldest first."""
    with app.store.read() as tx:
        return [(name_of(key), one) for key, one in apitokens.all_of(tx, account)]


async def remove(app: Appliance, account: AccountID, id: str) -> None:
    """Take one back. Raises NoSuchToken."""
    with app.store.read() as tx:
        found = [key for key, _ in apitokens.all_of(tx, account) if name_of(key) == id]
    if not found or not await app.store.write(apitokens.remove, account, found[0]):
        raise NoSuchToken("there is no such token any more")


def is_good(app: Appliance, actor: Actor, key: bytes) -> bool:
    """Whether the token of a digest still lets in, and the account may log in."""
    configured = app.config.snapshot().domains.accounts.get(actor.name)
    if configured is None or configured.login_disabled:
        return False
    with app.store.read() as tx:
        found = apitokens.find(tx, actor.account, key)
    return found is not None and (not found.expires or found.expires > app.clock.microseconds())


async def find(app: Appliance, token: str, *, for_admin: bool) -> FoundToken | None:
    """What a token is good for; None when it is none, or of the other kind, or of an account that may not log in."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    account, key, now = AccountID(int(match[1], 16)), digest(token), app.clock.microseconds()
    if (account == NOBODY) != for_admin:
        return None
    with app.store.read() as tx:
        found = apitokens.find(tx, account, key)
        if found is None or (found.expires and found.expires <= now):
            return None
        actor = None
        if account != NOBODY:
            name = tx.account(account).name
            configured = app.config.snapshot().domains.accounts.get(name)
            if tx.account(account).removed or configured is None or configured.login_disabled:
                return None
            actor = Actor(account, name, "", OWNER)
    if now - found.last_used >= limits.WEB_SESSION_USED_SECONDS * _SECOND:
        try:
            await app.store.write(apitokens.used, account, key, now)
        except Problem as problem:
            log.warn("the use of a token could not be written", problem)
    return FoundToken(found.scopes, actor)
