"""Control commands about accounts and their addresses."""

from dataclasses import asdict
from typing import Any, Final

from appliance.config.values import AddressName
from appliance.delivery.appliance import Appliance
from appliance.operations import accounts, addresses, configuring, forwards
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


async def _setaccountpassword(app: Appliance, request: Request) -> None:
    await accounts.set_password(app, request.text("account"), request.text("password"))


async def _accountlist(app: Appliance, _: Request) -> list[dict[str, Any]]:
    return [asdict(one) for one in accounts.listed(app)]


async def _accountaddresses(app: Appliance, request: Request) -> list[str]:
    return accounts.addresses(app, request.text("account"))


async def _accountadd(app: Appliance, request: Request) -> None:
    await accounts.add(app, request.text("account"), configuring.address_of(request.text("address")))


async def _accountrm(app: Appliance, request: Request) -> None:
    await accounts.remove(app, request.text("account"))


async def _accountdisabled(app: Appliance, request: Request) -> None:
    """An empty message enables."""
    if message := request.text("message"):
        await accounts.disable(app, request.text("account"), message)
    else:
        await accounts.enable(app, request.text("account"))


async def _accountquota(app: Appliance, request: Request) -> dict[str, Any]:
    """Without a size only asks."""
    account, size = request.text("account"), request.optional_text("size")
    if size is not None:
        await accounts.set_quota(app, account, configuring.quota_of(size))
    return asdict(accounts.quota_use(app, account))


async def _addressadd(app: Appliance, request: Request) -> None:
    await accounts.add_address(app, request.text("account"), _address(request))


async def _addressrm(app: Appliance, request: Request) -> dict[str, Any]:
    account, aliases = await accounts.remove_address(app, _address(request))
    return {"account": account, "aliases": aliases}


def _address(request: Request) -> AddressName | str:
    text = request.text("address")
    return f"@{configuring.domain_of(text[1:])}" if text.startswith("@") else configuring.address_of(text)


async def _addressaccount(app: Appliance, request: Request) -> str:
    return addresses.account_of(app, configuring.address_of(request.text("address")).address)


async def _addressforward(app: Appliance, request: Request) -> dict[str, Any]:
    address = _address(request)
    return {"address": str(address), **asdict(forwards.get(app, address))}


async def _addressforwardadd(app: Appliance, request: Request) -> None:
    await forwards.add(app, _address(request), [configuring.address_of(one) for one in request.texts("addresses")])


async def _addressforwardrm(app: Appliance, request: Request) -> None:
    await forwards.remove(app, _address(request), [configuring.address_of(one) for one in request.texts("addresses")])


async def _addressforwardonly(app: Appliance, request: Request) -> None:
    await forwards.set_only(app, _address(request), only=request.switch("only"))


COMMANDS: Final[dict[str, Handler]] = {
    "setaccountpassword": _setaccountpassword,
    "accountlist": _accountlist,
    "accountaddresses": _accountaddresses,
    "accountadd": _accountadd,
    "accountrm": _accountrm,
    "accountdisabled": _accountdisabled,
    "accountquota": _accountquota,
    "addressadd": _addressadd,
    "addressrm": _addressrm,
    "addressaccount": _addressaccount,
    "addressforward": _addressforward,
    "addressforwardadd": _addressforwardadd,
    "addressforwardrm": _addressforwardrm,
    "addressforwardonly": _addressforwardonly,
}
