"""What a mail program has to be told to reach the account."""

from typing import Annotated, Final
from urllib.parse import urlencode

import trio

from appliance.config.schema import doc
from appliance.mail.domain import parse_domain
from appliance.operations import clientsettings
from appliance.operations.configuring import NoSuchAddress
from appliance.servers.web.api import Call, Wire
from appliance.servers.web.dispatch import MOBILECONFIG_PATH

_SHOWN_CHARACTERS: Final = 300


class ClientConfig(Wire):
    """A server for mail programs."""

    domain: Annotated[str, doc("Of the addresses it is for.")]
    protocol: Annotated[str, doc("As people know it: `IMAP (TLS)`, `Submission`.")]
    host: str
    port: int
    note: Annotated[str, doc("How the connection is secured.")]


async def client_configs(call: Call) -> list[ClientConfig]:
    """The servers for each domain that the account has addresses of, the best ones first."""
    config = call.app.config.snapshot()
    account = config.domains.accounts[call.actor.name]
    names = {parse_domain(address.rpartition("@")[2]).ascii for address in account.destinations}
    found = []
    for name in sorted(names):
        entry = config.derived.addresses.domains.get(name)
        if entry is not None and not entry.is_reports_only:
            found += [
                ClientConfig(
                    domain=entry.name,
                    protocol=clientsettings.PROTOCOLS[one.kind, one.socket],
                    host=one.host,
                    port=one.port,
                    note=clientsettings.NOTES[one.socket],
                )
                for one in clientsettings.servers(config.static, entry)
            ]
    return found


class AppleProfile(Wire):
    """Settings for Apple's devices."""

    url: Annotated[str, doc("Where a device gets its profile.")]
    qr_code: Annotated[str, doc("The same as a picture: a data: URL of an SVG.")]


async def apple_profile(call: Call, address: str) -> AppleProfile | None:
    """Where Apple's devices get settings for an address of the account; null where they are not served."""
    config = call.app.config.snapshot()
    account = config.domains.accounts[call.actor.name]
    destination = account.destinations.get(address)
    if destination is None or address.startswith("@"):
        raise NoSuchAddress(f"{address[:_SHOWN_CHARACTERS]} is not an address of the account")
    origin = clientsettings.settings_origin(config.static)
    if origin is None:
        return None
    query = {"addresses": address, "name": destination.full_name or account.full_name}
    url = f"{origin}{MOBILECONFIG_PATH}?{urlencode({key: value for key, value in query.items() if value})}"
    return AppleProfile(url=url, qr_code=await trio.to_thread.run_sync(_drawn, url))


def _drawn(url: str) -> str:
    import segno  # Seldom needed.

    picture: str = segno.make_qr(url, error="m").svg_data_uri(scale=4)
    return picture
