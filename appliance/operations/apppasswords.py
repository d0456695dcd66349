"""App passwords: one for each program or device, beside the account's own, that can be taken back alone.

They are made here, never chosen, and shown once. They work with every mechanism: a SCRAM exchange tries all of the
account's passwords at once, so all are derived with the same salts and iterations; CRAM-MD5 keeps two states for each.
They need no slow hash, since nobody guesses a hundred random bits.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations import accounts as verbs, passwords
from appliance.operations.actor import SCOPES
from appliance.store import account as accounts
from appliance.store.problems import SaltsChanged
from appliance.store.records import AppPassword

#: Where an app password may be used; the last ones: by the webapi, for that purpose alone.
PROTOCOLS: Final = ("submission", "imap", "jmap", "webmail", "webapi", *SCOPES)
#: What programs need; a browser's user has the account's own password.
USUAL_PROTOCOLS: Final = ("submission", "imap", "jmap", "webapi")
#: Lower-case letters that are not taken for one another, in groups: 24 of 23 are 108 bits, typed on a telephone
#: without changing its keyboard but for the hyphens.
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz"
_GROUPS, _GROUP_LETTERS = 6, 4
_LABEL_CHARACTERS: Final = 100


class BadAppPassword(Problem):
    """An app password that cannot be; the text says why."""

    kind, status = Kind.INVALID, Status(5, 3, 0)


@dataclass(frozen=True, slots=True)
class NewAppPassword:
    """An app password at the only moment when it is known. Never log it."""

    number: int
    password: str

    def __repr__(self) -> str:
        return f"NewAppPassword({self.number})"


def generate() -> str:
    """A new one: `abcd-efgh-...`."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS))


async def add(
    app: Appliance,
    name: str,
    label: str,
    *,
    protocols: Sequence[str] = USUAL_PROTOCOLS,
    expires_seconds: float | None = None,
) -> NewAppPassword:
    """Make an app password for a named account; show it to its owner, nobody can later.

    Raises NoSuchAccount, BadAppPassword, TooMany.
    """
    account = verbs.number(app.store, name)
    label = label.strip()
    if not label or len(label) > _LABEL_CHARACTERS or not label.isprintable():
        raise BadAppPassword(f"the label must have 1 to {_LABEL_CHARACTERS} printable characters")
    unknown = [one for one in protocols if one not in PROTOCOLS]
    if unknown or not protocols:
        raise BadAppPassword(f"no protocol {', '.join(unknown)!r}; there are: {', '.join(PROTOCOLS)}")
    if expires_seconds is not None and expires_seconds <= 0:
        raise BadAppPassword("the time until it expires must be longer than that")
    password = generate()
    now = app.clock.microseconds()
    while True:
        with app.store.read() as tx:
            salts = accounts.credentials(tx, account)
        if salts is None or not salts.scram_sha1.salt:
            salts = passwords.new_salts(now)
        sha1, sha256, cram = await trio.to_thread.run_sync(passwords.derive_app_password, password.encode(), salts)
        new = AppPassword(
            label=label,
            created=now,
            expires=0 if expires_seconds is None else now + int(expires_seconds * 1_000_000),
            protocols=tuple(one for one in PROTOCOLS if one in protocols),
            scram_sha1=(sha1.stored_key, sha1.server_key),
            scram_sha256=(sha256.stored_key, sha256.server_key),
            cram_md5=cram,
        )
        try:
            number = await app.store.write(
                accounts.add_app_password, account, new, salts=salts, most=limits.APP_PASSWORDS
            )
        except SaltsChanged:
            continue  # The password of the account was set while we were deriving.
        return NewAppPassword(number, password)


def all_of(app: Appliance, name: str) -> list[tuple[int, AppPassword]]:
    """Numbers and app passwords of a named account, oldest first. Raises NoSuchAccount."""
    account = verbs.number(app.store, name)
    with app.store.read() as tx:
        return accounts.app_passwords(tx, account)


async def remove(app: Appliance, name: str, number: int) -> AppPassword:
    """Take an app password back and end what it has opened; what it was. Raises NoSuchAccount, NoSuchAppPassword."""
    with trio.CancelScope(shield=True):
        removed = await app.store.write(accounts.remove_app_password, verbs.number(app.store, name), number)
        app.sessions.end(name, lambda login: login.app_password == number)
    return removed
