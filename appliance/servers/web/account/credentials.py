"""What opens the account: its password, app passwords, keys of TLS clients, sessions; and who tried."""

from datetime import datetime
from typing import Annotated, Final

import trio

from appliance.base.problem import Kind, Problem
from appliance.config.schema import doc
from appliance.config.values import Duration
from appliance.operations import accounts, apppasswords, attempts, passwords, tlskeys, websessions
from appliance.operations.tlskeys import NamedKey
from appliance.servers.web.api import ID32, Call, Wire
from appliance.servers.web.shown import LoginAttempt, Session, TLSPublicKey
from appliance.store.records import AppPassword as Kept

#: Of attempts to log in, in one answer.
_ATTEMPTS: Final = 10_000


class NoOwnPasswords(Problem):
    """The administrator wants generated passwords for this account."""

    kind = Kind.FORBIDDEN


async def set_password(call: Call, password: str) -> None:
    """Set the password of the account. All other sessions end, and connections of mail programs that used it."""
    if call.app.config.snapshot().domains.accounts[call.actor.name].no_custom_password:
        raise NoOwnPasswords("passwords of this account are generated, see GeneratePassword")
    await _set_password(call, password)


async def generate_password(call: Call) -> str:
    """Set a new password, made here, and return it; nobody can look it up later. All other sessions end."""
    password = passwords.generate()
    await _set_password(call, password)
    return password


async def _set_password(call: Call, password: str) -> None:
    keep = call.session.digest if call.session is not None else None
    await accounts.set_password(call.app, call.actor.name, password, keep_session=keep)


# App passwords.


class AppPassword(Wire):
    """A password for one program or device."""

    id: int
    label: str
    protocols: Annotated[list[str], doc("Where it may be used; `send`, `suppression`: by the webapi for that alone.")]
    created: datetime
    expires: Annotated[datetime | None, doc("null: never.")]
    last_used: Annotated[datetime | None, doc("To about an hour; null: never.")]


class NewAppPassword(Wire):
    """An app password, the only time it is shown."""

    id: int
    password: str


def _app_password(number: int, one: Kept) -> AppPassword:
    return AppPassword(
        id=number,
        label=one.label,
        protocols=list(one.protocols),
        created=websessions.time(one.created),
        expires=websessions.time(one.expires) if one.expires else None,
        last_used=websessions.time(one.last_used) if one.last_used else None,
    )


async def app_password_list(call: Call) -> list[AppPassword]:
    """The app passwords of the account, oldest first."""
    return [_app_password(*one) for one in apppasswords.all_of(call.app, call.actor.name)]


async def app_password_protocols(_: Call) -> list[str]:
    """What an app password may be for."""
    return list(apppasswords.PROTOCOLS)


async def app_password_add(
    call: Call, label: str, protocols: list[str] | None = None, expires_in: Duration | None = None
) -> NewAppPassword:
    """Make a password for one program or device. Without protocols it is for those that mail programs need."""
    chosen = apppasswords.USUAL_PROTOCOLS if protocols is None else protocols
    seconds = None if expires_in is None else expires_in.seconds
    new = await apppasswords.add(call.app, call.actor.name, label, protocols=chosen, expires_seconds=seconds)
    return NewAppPassword(id=new.number, password=new.password)


async def app_password_remove(call: Call, id: ID32) -> None:
    """Take an app password back; connections that used it end."""
    await apppasswords.remove(call.app, call.actor.name, id)


# Keys of TLS clients.


async def tls_public_keys(call: Call) -> list[TLSPublicKey]:
    """The keys that log in by their TLS certificate."""
    return [TLSPublicKey.of(one) for one in tlskeys.keys(call.app, call.actor.name)]


async def tls_public_key_add(
    call: Call, login_address: str, name: str, no_imap_preauth: bool, cert_pem: str
) -> TLSPublicKey:
    """Let the key of a certificate log in with an address of the account; without a name it has the certificate's."""
    added = await tlskeys.add(
        call.app, cert_pem, login_address, name, no_imap_preauth=no_imap_preauth, account=call.actor.account
    )
    return TLSPublicKey.of(added)


async def tls_public_key_remove(call: Call, fingerprint: str) -> None:
    """Forget a key; connections that it opened end."""
    await tlskeys.remove(call.app, _own(call, fingerprint).fingerprint)


async def tls_public_key_update(
    call: Call, fingerprint: str, login_address: str, name: str, no_imap_preauth: bool
) -> TLSPublicKey:
    """Change what a key logs in with, how it is called, and whether IMAP begins logged in by it."""
    changed = await tlskeys.update(
        call.app,
        fingerprint,
        call.actor.name,
        login_address=login_address,
        name=name,
        no_imap_preauth=no_imap_preauth,
    )
    return TLSPublicKey.of(changed)


def _own(call: Call, fingerprint: str) -> NamedKey:
    return tlskeys.of_account(call.app, fingerprint, call.actor.name)


# Sessions, and who tried to log in.


async def sessions(call: Call) -> list[Session]:
    """The browsers that are logged in, the one used last first."""
    current = call.session.digest if call.session is not None else None
    return [Session.of(one) for one in websessions.listed(call.app, call.actor.name, current)]


async def session_remove(call: Call, id: str) -> None:
    """Log a browser out."""
    await websessions.end_named(call.app, call.actor.name, id)


async def sessions_remove_others(call: Call) -> None:
    """Log all browsers out but this one."""
    keep = call.session.digest if call.session is not None else None
    await websessions.end_all(call.app, call.actor.name, keep=keep)


async def login_attempts(call: Call, limit: int) -> list[LoginAttempt]:
    """The last attempts to log in to the account, newest first; 0: all that are kept."""
    most = min(limit, _ATTEMPTS) if limit > 0 else _ATTEMPTS
    found = await attempts.all_of(call.app, call.actor.name, most)
    return await trio.to_thread.run_sync(lambda: [LoginAttempt.of(*one) for one in found])
