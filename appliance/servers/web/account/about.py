"""What an account is: its settings, its space."""

from typing import Annotated

from appliance.config.domains import Account
from appliance.config.schema import doc
from appliance.operations import accounts
from appliance.servers.web.api import Call, Wire


class AccountInfo(Wire):
    """An account as its owner sees it."""

    name: Annotated[str, doc("Of the account; not an address.")]
    login_address: Annotated[str, doc("The address of this login.")]
    config: Account
    storage_used: Annotated[int, doc("Octets of messages.")]
    storage_limit: Annotated[int, doc("Most octets; 0: no limit.")]


async def account(call: Call) -> AccountInfo:
    """The account: its part of the configuration, and the space it uses."""
    actor = call.actor
    use = accounts.quota_use(call.app, actor.name)
    return AccountInfo(
        name=actor.name,
        login_address=actor.login_address,
        config=call.app.config.snapshot().domains.accounts[actor.name],
        storage_used=use.used_octets,
        storage_limit=use.limit_octets or 0,
    )
