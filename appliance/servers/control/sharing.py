"""Control commands about what others may do with an account's mailboxes: as its owner would do it by IMAP."""

import unicodedata
from typing import Any, Final

from appliance.delivery.appliance import Appliance
from appliance.operations import accounts, sharing
from appliance.operations.actor import Actor
from appliance.servers.control.request import BadRequest, Request
from appliance.servers.control.table import Handler
from appliance.store.records import INBOX


def _owner(app: Appliance, request: Request) -> Actor:
    name = request.text("account")
    return Actor(accounts.number(app.store, name), name, "")


def _mailbox(request: Request) -> str:
    name = unicodedata.normalize("NFC", request.text("mailbox"))
    head, slash, below = name.partition("/")
    return INBOX + slash + below if head.upper() == INBOX.upper() else name


async def _list(app: Appliance, request: Request) -> list[dict[str, Any]]:
    with app.store.read() as tx:
        found = sharing.listed(tx, _owner(app, request), _mailbox(request))
    return [{"identifier": one, "rights": sharing.letters_of(bits)} for one, bits in found]


async def _set(app: Appliance, request: Request) -> str:
    """The rights that the identifier has now."""
    owner, mailbox, identifier = _owner(app, request), _mailbox(request), request.text("identifier")
    letters = request.text("rights")
    mode = letters[0] if letters[:1] in {"+", "-"} else "="
    try:
        bits = sharing.bits_of(letters.removeprefix("+").removeprefix("-"))
    except KeyError as error:
        raise BadRequest(f"there is no right {error.args[0]!r}; there are: {sharing.LETTERS}") from error
    held = await sharing.set_rights(app, owner, mailbox, identifier, mode, bits, None)
    return sharing.letters_of(held)


async def _remove(app: Appliance, request: Request) -> None:
    owner, mailbox, identifier = _owner(app, request), _mailbox(request), request.text("identifier")
    await sharing.set_rights(app, owner, mailbox, identifier, "=", 0, None)


async def _seen(app: Appliance, request: Request) -> str:
    """Whose \\Seen it is in a mailbox now: `own` of each reader, or `shared`; with `whose` it becomes that."""
    owner, mailbox, whose = _owner(app, request), _mailbox(request), request.optional_text("whose")
    if whose not in {None, "own", "shared"}:
        raise BadRequest(f"read marks are own or shared, not {whose!r}")
    if whose:
        await sharing.set_own_seen(app, owner, mailbox, is_own=whose == "own")
    with app.store.read() as tx:
        return "own" if sharing.resolve(tx, owner.account, mailbox).mailbox.own_seen else "shared"


COMMANDS: Final[dict[str, Handler]] = {"acllist": _list, "aclset": _set, "aclrm": _remove, "aclseen": _seen}
