"""Control commands about domains and aliases."""

from dataclasses import asdict
from functools import partial
from typing import Any, Final

from appliance.delivery.appliance import Appliance
from appliance.operations import aliases, configuring, domains
from appliance.operations.aliases import AliasSettings
from appliance.servers.control.request import Request
from appliance.servers.control.table import Handler


async def _domainlist(app: Appliance, _: Request) -> list[dict[str, Any]]:
    return [asdict(one) for one in domains.listed(app)]


async def _domainadd(app: Appliance, request: Request) -> None:
    await domains.add(
        app,
        configuring.domain_of(request.text("domain")),
        request.text("account"),
        request.optional_text("localpart"),
        disabled=request.switch("disabled"),
    )


async def _domainrm(app: Appliance, request: Request) -> list[str]:
    return await domains.remove(app, configuring.domain_of(request.text("domain")))


async def _domaindisabled(app: Appliance, request: Request) -> None:
    await domains.set_disabled(app, configuring.domain_of(request.text("domain")), request.switch("disabled"))


async def _dkimrotate(verb: str, app: Appliance, request: Request) -> Any:
    # Seldom wanted, and the house shall stand quickly.
    from appliance.operations import dkimrotation

    name = request.optional_text("domain")
    if verb == "status":
        return [asdict(one) for one in dkimrotation.status(app, configuring.domain_of(name) if name else None)]
    domain = configuring.domain_of(request.text("domain"))
    verbs = {"start": dkimrotation.start, "next": dkimrotation.hurry, "abort": dkimrotation.abort}
    return asdict(await verbs[verb](app, domain))


async def _aliaslist(app: Appliance, request: Request) -> list[str]:
    return aliases.listed(app, configuring.domain_of(request.text("domain")))


async def _aliasprint(app: Appliance, request: Request) -> dict[str, Any]:
    address = configuring.address_of(request.text("alias"))
    alias = aliases.get(app, address)
    return {
        "address": str(address),
        "post_public": alias.post_public,
        "list_members": alias.list_members,
        "allow_msg_from": alias.allow_msg_from,
        "addresses": [str(one) for one in alias.addresses],
        "forward": [str(one) for one in alias.forward],
    }


async def _aliasadd(app: Appliance, request: Request) -> None:
    members = [configuring.address_of(one) for one in request.texts("addresses")]
    await aliases.add(app, configuring.address_of(request.text("alias")), members, _settings(request))


async def _aliasupdate(app: Appliance, request: Request) -> None:
    await aliases.update(app, configuring.address_of(request.text("alias")), _settings(request))


def _settings(request: Request) -> AliasSettings:
    return AliasSettings(
        post_public=request.optional_switch("postpublic"),
        list_members=request.optional_switch("listmembers"),
        allow_msg_from=request.optional_switch("allowmsgfrom"),
    )


async def _aliasrm(app: Appliance, request: Request) -> None:
    await aliases.remove(app, configuring.address_of(request.text("alias")))


async def _aliasaddaddr(app: Appliance, request: Request) -> None:
    members = [configuring.address_of(one) for one in request.texts("addresses")]
    await aliases.add_members(app, configuring.address_of(request.text("alias")), members)


async def _aliasrmaddr(app: Appliance, request: Request) -> None:
    members = [configuring.address_of(one) for one in request.texts("addresses")]
    await aliases.remove_members(app, configuring.address_of(request.text("alias")), members)


async def _aliasaddforward(app: Appliance, request: Request) -> None:
    outside = [configuring.address_of(one) for one in request.texts("addresses")]
    await aliases.add_forwards(app, configuring.address_of(request.text("alias")), outside)


async def _aliasrmforward(app: Appliance, request: Request) -> None:
    outside = [configuring.address_of(one) for one in request.texts("addresses")]
    await aliases.remove_forwards(app, configuring.address_of(request.text("alias")), outside)


COMMANDS: Final[dict[str, Handler]] = {
    "domainlist": _domainlist,
    "domainadd": _domainadd,
    "domainrm": _domainrm,
    "domaindisabled": _domaindisabled,
    **{f"dkimrotate{verb}": partial(_dkimrotate, verb) for verb in ("start", "next", "abort", "status")},
    "aliaslist": _aliaslist,
    "aliasprint": _aliasprint,
    "aliasadd": _aliasadd,
    "aliasupdate": _aliasupdate,
    "aliasrm": _aliasrm,
    "aliasaddaddr": _aliasaddaddr,
    "aliasrmaddr": _aliasrmaddr,
    "aliasaddforward": _aliasaddforward,
    "aliasrmforward": _aliasrmforward,
}
