"""What the operator sees of the configuration, and which block lists are watched."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from appliance.config import edit
from appliance.config.domains import Account, Domains
from appliance.config.source import Config
from appliance.config.values import DomainName
from appliance.delivery.appliance import Appliance
from appliance.operations import configuring

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

#: A page shows the files; what others must not see stays in them. Values of these keys, in any table.
_SECRETS: Final = re.compile(
    r"""(?P<key>\b(?:password|authorization|secret|key_id)\s*=\s*)(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\"{3}.*?\"{3}|'{3}.*?'{3})""",
    re.DOTALL,
)


#: What stands in their place.
_HIDDEN: Final = "***"


async def set_zones(app: Appliance, zones: Sequence[DomainName]) -> None:
    """Set the block lists that our addresses are looked up in, beside those that mail is judged by.

    Raises NotValid, FileRefused.
    """

    def edits(document: "TOMLDocument", config: Config) -> None:
        before = config.domains
        edit.update_table(document, (), before, replace(before, monitor_dnsbls=tuple(dict.fromkeys(zones))))

    await configuring.change(app, edits)


def shown_domains(domains: Domains) -> Domains:
    """The dynamic configuration, without what the owners of accounts agreed on with their webhooks' receivers."""
    return replace(domains, accounts={name: _shown_account(one) for name, one in domains.accounts.items()})


def _shown_account(account: Account) -> Account:
    outgoing, incoming = account.outgoing_webhook, account.incoming_webhook
    if outgoing is not None and outgoing.authorization:
        outgoing = replace(outgoing, authorization=_HIDDEN)
    if incoming is not None and incoming.authorization:
        incoming = replace(incoming, authorization=_HIDDEN)
    return replace(account, outgoing_webhook=outgoing, incoming_webhook=incoming, webhook_secret=None)


def shown_files(config: Config) -> tuple[str, str]:
    """Both files as they are, without passwords. Reads files; one that cannot be read is empty."""
    return _shown(config.static_file), _shown(config.domains_file)


def _shown(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return _SECRETS.sub(rf'\g<key>"{_HIDDEN}"', text)
