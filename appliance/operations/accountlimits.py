"""What the operator sets of an account and its owner does not: limits and routes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from appliance.config import edit
from appliance.config.domains import Account, Route
from appliance.config.source import Config
from appliance.config.values import Quota
from appliance.delivery.appliance import Appliance
from appliance.operations import accounts, configuring
from appliance.operations.settings import BadSetting

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_MOST: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """Names as in the configuration."""

    max_outgoing_messages_per_day: int
    max_first_time_recipients_per_day: int
    quota_message_size: Quota
    no_first_time_sender_delay: bool
    no_custom_password: bool


async def save(app: Appliance, name: str, limits: AccountLimits) -> None:
    """Set all limits of an account. Raises NoSuchAccount, BadSetting, NotValid, FileRefused."""
    for count in (limits.max_outgoing_messages_per_day, limits.max_first_time_recipients_per_day):
        if not 0 <= count <= _MOST:
            raise BadSetting(f"a limit is a number from 0 to {_MOST}")
    given = {field: getattr(limits, field) for field in limits.__slots__}
    await _change(app, name, lambda account: replace(account, **given))


async def set_routes(app: Appliance, name: str, routes: Sequence[Route]) -> None:
    """Set which mail of an account takes which transport. Raises NoSuchAccount, NotValid, FileRefused."""
    await _change(app, name, lambda account: replace(account, routes=tuple(routes)))


async def set_global_routes(app: Appliance, routes: Sequence[Route]) -> None:
    """Set which mail takes which transport, where neither account nor domain says so. Raises NotValid, FileRefused."""

    def edits(document: "TOMLDocument", config: Config) -> None:
        before = config.domains
        edit.update_table(document, (), before, replace(before, routes=tuple(routes)))

    await configuring.change(app, edits)


async def _change(app: Appliance, name: str, how: Callable[[Account], Account]) -> None:
    def edits(document: "TOMLDocument", config: Config) -> None:
        accounts.require(config, name)
        before = config.domains.accounts[name]
        edit.update_table(document, ("accounts", name), before, how(before))

    await configuring.change(app, edits)
