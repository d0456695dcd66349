"""Second factors and tokens for scripts: the same functions for accounts and for the administrator."""

from datetime import datetime
from typing import Annotated

from appliance.config.schema import doc
from appliance.config.values import Duration
from appliance.operations import apitokens, secondfactor, websessions
from appliance.servers.web.api import Call, Wire
from appliance.store.tables import NOBODY, AccountID


def _owner(call: Call) -> AccountID:
    return NOBODY if call.owner is None else call.owner.account


class SecondFactorInfo(Wire):
    """What a login in a browser must show beside the password."""

    totp: Annotated[bool, doc("Codes of a program are asked for.")]
    created: Annotated[datetime | None, doc("Since when.")]
    recovery_codes_left: int
    app_passwords_only: Annotated[bool, doc("Mail programs need app passwords.")]


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
    )


async def totp_begin(call: Call) -> TOTPOffer:
    """Offer a new secret, for TOTPConfirm."""
    import segno  # Only who sets up a second factor needs it.

    offer = secondfactor.offer(call.app, "admin" if call.owner is None else call.owner.login_address)
    picture = segno.make(offer.uri, error="m").svg_data_uri(scale=4)
    return TOTPOffer(secret=offer.secret, uri=offer.uri, qr_code=picture)


async def totp_confirm(call: Call, secret: str, code: str) -> list[str]:
    """Ask for codes at logins from now on; Code shows that the secret works. Returns recovery codes, shown once."""
    return await secondfactor.confirm(call.app, _owner(call), secret, code)


async def totp_remove(call: Call, code: str) -> None:
    """Ask for codes no more. It takes one, or a recovery code."""
    await secondfactor.remove(call.app, _owner(call), code)


async def recovery_codes_renew(call: Call, code: str) -> list[str]:
    """New recovery codes, shown once, in place of all others. It takes a code."""
    return await secondfactor.renew_recovery_codes(call.app, _owner(call), code)


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
