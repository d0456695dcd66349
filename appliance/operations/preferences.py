"""How somebody wants his mail shown and written: looking and setting."""

import re
from collections.abc import Sequence
from typing import Final

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.mail.address import AddressError, parse_address
from appliance.operations.actor import Actor, Right
from appliance.store import preferences
from appliance.store.webrecords import Preferences

QUOTING: Final = ("auto", "bottom", "top")
MODES: Final = ("text", "html", "external")
UNDO_SECONDS: Final = 60
_FIELD: Final = re.compile(r"[!-9;-~]{1,100}")


class BadPreference(Problem):
    """Something that cannot be set; the text says why."""

    kind = Kind.INVALID

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        #: The preference.
        self.name = name


def shown(app: Appliance, actor: Actor) -> Preferences:
    """Those of the account."""
    actor.require(Right.READ_MAIL)
    with app.store.read() as tx:
        return preferences.find(tx, actor.account)


async def change(app: Appliance, actor: Actor, new: Preferences) -> Preferences:
    """Set them; as they are now. Raises BadPreference, NoSuchAccount."""
    actor.require(Right.CHANGE_MAIL)
    if len(new.signature) > limits.SIGNATURE_CHARACTERS or "\0" in new.signature:
        raise BadPreference(f"a signature has at most {limits.SIGNATURE_CHARACTERS} characters", "signature")
    if new.quoting not in QUOTING:
        raise BadPreference(f"one of: {', '.join(QUOTING)}", "quoting")
    if len(new.show_headers) > limits.SHOWN_HEADERS or not all(map(_FIELD.fullmatch, new.show_headers)):
        raise BadPreference(f"at most {limits.SHOWN_HEADERS} names of header fields", "showHeaders")
    if not 0 <= new.undo_seconds <= UNDO_SECONDS:
        raise BadPreference(f"from 0 to {UNDO_SECONDS}", "undoSeconds")
    return await app.store.write(preferences.keep, actor.account, new)


def views(app: Appliance, actor: Actor, addresses: Sequence[str]) -> list[tuple[str, str]]:
    """Those of the addresses for which a mode was chosen, and it."""
    actor.require(Right.READ_MAIL)
    with app.store.read() as tx:
        found = [(text, preferences.view(tx, actor.account, text)) for text in addresses]
    return [(text, one.mode) for text, one in found if one is not None]


async def set_view(app: Appliance, actor: Actor, address: str, mode: str) -> None:
    """Choose how mail of an address is shown. Raises BadPreference."""
    actor.require(Right.CHANGE_MAIL)
    if mode not in MODES:
        raise BadPreference(f"one of: {', '.join(MODES)}", "mode")
    try:
        parse_address(address)
    except AddressError as error:
        raise BadPreference(f"not an address: {error}", "address") from error
    await app.store.write(preferences.keep_view, actor.account, address, mode)
