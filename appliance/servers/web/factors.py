"""Second factors and tokens for scripts: the same functions for accounts and for the administrator."""

from datetime import datetime
from typing import Annotated

from appliance.config.schema import doc
from appliance.config.values import Duration
from appliance.operations import apitokens, secondfactor, websessions
from appliance.operations.secondfactor import Proof
from appliance.servers.web.api import Call, Wire
from appliance.servers.web.passkeys import (
    NewPasskey,
    Passkey,
    PasskeyAnswer,
    PasskeyOffer,
    PasskeyQuestion,
    offer,
    question,
    session_answer,
    session_asked,
)
from appliance.store.tables import NOBODY, AccountID


def _owner(call: Call) -> AccountID:
    return NOBODY if call.owner is None else call.owner.account


def _who(call: Call) -> str:
    """As programs and authenticators show it."""
    return "admin" if call.owner is None else call.owner.login_address


class SecondFactorInfo(Wire):
    """What a login in a browser must show beside the password."""

    totp: Annotated[bool, doc("Codes of a program are asked for.")]
    created: Annotated[datetime | None, doc("Since when.")]
    recovery_codes_left: int
    app_passwords_only: Annotated[bool, doc("Mail programs need app passwords.")]
    passkeys: Annotated[list[Passkey], doc("Oldest first; where there are some, one of them is asked for, or a code.")]


class TOTPOffer(Wire):
    """A secret to put into a program that makes codes; it counts when it is confirmed."""

    secret: Annotated[str, doc("Base32, to be typed.")]
    uri: Annotated[str, doc("otpauth: as programs read it.")]
    qr_code: Annotated[str, doc("The same as a picture: a data: URL of an SVG.")]


async def second_factor(call: Call) -> SecondFactorInfo:
    """Which second factor there is."""
    found = secondfactor.get(call.app, _owner(call))
    return SecondFactorInfo(
        totp=bool(found.secret),
        created=websessions.time(found.created) if found.created else None,
        recovery_codes_left=len(found.recovery),
        app_passwords_only=found.app_passwords_only,
        passkeys=[Passkey.of(one) for one in found.passkeys],
    )


async def totp_begin(call: Call) -> TOTPOffer:
    """Offer a new secret, for TOTPConfirm."""
    import segno  # Only who sets up a second factor needs it.

    made = secondfactor.offer(call.app, _who(call))
    picture = segno.make(made.uri, error="m").svg_data_uri(scale=4)
    return TOTPOffer(secret=made.secret, uri=made.uri, qr_code=picture)


async def totp_confirm(call: Call, secret: str, code: str, passkey: PasskeyAnswer | None = None) -> list[str]:
    """Ask for codes at logins from now on; Code shows that the secret works. Returns recovery codes, shown once.

    Where there are passkeys, it takes one, too.
    """
    answer = session_answer(call, passkey)
    return await secondfactor.confirm(call.app, _owner(call), secret, code, answer)


async def totp_remove(call: Call, code: str, passkey: PasskeyAnswer | None = None) -> None:
    """Ask for codes no more. It takes one, a recovery code or a passkey."""
    await secondfactor.remove_program(call.app, _owner(call), _proof(call, code, passkey))


async def recovery_codes_renew(call: Call, code: str, passkey: PasskeyAnswer | None = None) -> list[str]:
    """New recovery codes, shown once, in place of all others. It takes a code or a passkey."""
    return await secondfactor.renew_recovery_codes(call.app, _owner(call), _proof(call, code, passkey))


# Passkeys.


def _proof(call: Call, code: str, passkey: PasskeyAnswer | None) -> Proof:
    return Proof(code, session_answer(call, passkey))


async def passkey_ask(call: Call) -> PasskeyQuestion:
    """Ask for a passkey, for functions that take one."""
    return question(session_asked(call))


async def passkey_begin(call: Call, code: str = "", passkey: PasskeyAnswer | None = None) -> PasskeyOffer:
    """What a browser needs to make a passkey, for PasskeyAdd.

    Where there is a second factor already, it takes a code, a recovery code or a passkey.
    """
    account = _owner(call)
    asked = session_asked(call, "add a passkey")
    await secondfactor.may_add_passkey(call.app, account, _proof(call, code, passkey))
    return offer(asked, account, secondfactor.get(call.app, account).passkeys, _who(call))


async def passkey_add(call: Call, name: str, passkey: NewPasskey) -> list[str]:
    """Keep a passkey that was made of what PasskeyBegin returned; from now on one is asked for beside the password.

    Returns recovery codes, shown once, if there were none before; else nothing.
    """
    asked = session_asked(call, "add a passkey")
    address = "" if call.owner is None else call.owner.login_address
    return await secondfactor.add_passkey(call.app, _owner(call), asked, passkey.named(name), address)


async def passkey_rename(call: Call, id: str, name: str) -> None:
    """Call a passkey otherwise."""
    await secondfactor.rename_passkey(call.app, _owner(call), id, name)


async def passkey_remove(call: Call, id: str, code: str = "", passkey: PasskeyAnswer | None = None) -> None:
    """Take a passkey away. It takes a code, a recovery code or a passkey, which may be the same one.

    The browser or device keeps its half until it is removed there.
    """
    await secondfactor.remove_passkey(call.app, _owner(call), id, _proof(call, code, passkey))


async def app_passwords_only_save(call: Call, on: bool) -> None:
    """Set whether mail programs must use app passwords, so that the account's own is for browsers alone."""
    await secondfactor.set_app_passwords_only(call.app, call.actor.account, on=on)


# Tokens for scripts.


class APIToken(Wire):
    """A token for scripts."""

    id: str
    label: str
    scopes: Annotated[list[str], doc("`read`, `change`.")]
    created: datetime
    expires: Annotated[datetime | None, doc("null: never.")]
    last_used: Annotated[datetime | None, doc("To some minutes; null: never.")]


class NewAPIToken(Wire):
    """A token, the only time it is shown."""

    id: str
    token: str


async def api_token_list(call: Call) -> list[APIToken]:
    """The tokens for scripts, oldest first."""
    return [
        APIToken(
            id=id,
            label=one.label,
            scopes=list(one.scopes),
            created=websessions.time(one.created),
            expires=websessions.time(one.expires) if one.expires else None,
            last_used=websessions.time(one.last_used) if one.last_used else None,
        )
        for id, one in apitokens.all_of(call.app, _owner(call))
    ]


async def api_token_add(call: Call, label: str, scopes: list[str], expires_in: Duration | None = None) -> NewAPIToken:
    """Make a token: scripts send it as `Authorization: Bearer ...`. `read` changes nothing, `change` may settings."""
    seconds = None if expires_in is None else expires_in.seconds
    new = await apitokens.add(call.app, _owner(call), label, scopes, seconds)
    return NewAPIToken(id=new.id, token=new.token)


async def api_token_remove(call: Call, id: str) -> None:
    """Take a token back."""
    await apitokens.remove(call.app, _owner(call), id)
