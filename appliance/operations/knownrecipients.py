"""Completing an address that somebody types, from those the account wrote to."""

import trio

from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor, Right
from appliance.store import recipients
from appliance.store.webrecords import KnownRecipient


async def complete(app: Appliance, actor: Actor, text: str, most: int) -> tuple[list[KnownRecipient], bool]:
    """Those with a text in `<address>` or name, who was written to last first; whether these are all."""
    actor.require(Right.READ_MAIL)

    def look() -> tuple[list[KnownRecipient], bool]:
        with app.store.read() as tx:
            return recipients.complete(tx, actor.account, text, most)

    return await trio.to_thread.run_sync(look)
