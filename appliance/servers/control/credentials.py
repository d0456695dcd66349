"""Control commands about app passwords and attempts to log in."""

from typing import Any, Final

from appliance.config.values import Duration
from appliance.delivery.appliance import Appliance
from appliance.operations import accounts, apppasswords, attempts, secondfactor
from appliance.servers.control.request import BadRequest, Request
from appliance.servers.control.table import Handler
from appliance.store.tables import NOBODY

#: Attempts told when nobody says how many.
_LOGINS: Final = 10_000


def _number(text: str, what: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise BadRequest(f"{what} must be a number")
    return int(text)


async def _add(app: Appliance, request: Request) -> dict[str, Any]:
    expires = request.optional_text("expires")
    try:
        seconds = None if expires is None else Duration(expires).seconds
    except ValueError as error:
        raise BadRequest(f"expires: {error}") from error
    protocols = request.texts("protocols") if "protocols" in request.arguments else apppasswords.USUAL_PROTOCOLS
    added = await apppasswords.add(
        app, request.text("account"), request.text("label"), protocols=protocols, expires_seconds=seconds
    )
    return {"id": added.number, "password": added.password}


async def _list(app: Appliance, request: Request) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "label": one.label,
            "protocols": one.protocols,
            "created_microseconds": one.created,
            "expires_microseconds": one.expires or None,
            "last_used_microseconds": one.last_used or None,
        }
        for number, one in apppasswords.all_of(app, request.text("account"))
    ]


async def _remove(app: Appliance, request: Request) -> str:
    removed = await apppasswords.remove(app, request.text("account"), _number(request.text("id"), "id"))
    return removed.label


async def _logins(app: Appliance, request: Request) -> list[dict[str, Any]]:
    most = request.optional_text("most")
    found = await attempts.all_of(
        app, request.optional_text("account"), _LOGINS if most is None else _number(most, "most")
    )
    return [
        {
            "account": account,
            "login_address": one.login_address,
            "result": one.result,
            "protocol": one.protocol,
            "mechanism": one.mechanism,
            "remote_ip": one.remote_ip,
            "local_ip": one.local_ip,
            "tls": one.tls,
            "tls_key": one.key,
            "user_agent": one.user_agent,
            "count": one.count,
            "first_microseconds": one.first,
            "last_microseconds": one.last,
        }
        for account, one in found
    ]


async def _remove_second_factor(app: Appliance, request: Request) -> None:
    """Without an account: the administrator's."""
    name = request.optional_text("account")
    account = NOBODY if name is None else accounts.number(app.store, name)
    await secondfactor.remove_all(app, account)


COMMANDS: Final[dict[str, Handler]] = {
    "apppasswordadd": _add,
    "apppasswordlist": _list,
    "apppasswordrm": _remove,
    "accountlogins": _logins,
    "secondfactorrm": _remove_second_factor,
}
