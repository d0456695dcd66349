"""What a mail program has to be told to reach the account."""

from typing import Annotated

from appliance.config.schema import doc
from appliance.mail.domain import parse_domain
from appliance.operations import clientsettings
from appliance.servers.web.api import Call, Wire


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
