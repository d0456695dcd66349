"""Mail of our users, once its message is here: for now it goes to local recipients as if it had come from outside."""

from typing import TYPE_CHECKING

from appliance.protocol.smtp.reply import Reply
from appliance.servers.smtp import mx
from appliance.store.spool import Spooled

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction


async def process(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply:
    """The reply to the message."""
    return await mx.process(session, transaction, spooled)
