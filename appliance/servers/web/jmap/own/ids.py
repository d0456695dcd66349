"""Ids in arguments of our own methods."""

from appliance.servers.web.jmap.call import Call
from appliance.servers.web.jmap.problem import MethodError
from appliance.store import objectid
from appliance.store.tables import MailboxID, MessageID

_MAILBOXES = 0xFFFF_FFFF


def message(call: Call, id: str) -> MessageID:
    """The number of an Email. Raises MethodError."""
    number = objectid.parse("M", call.account, call.resolve(id))
    if number is None:
        raise MethodError("invalidArguments", "no such Email")
    return number


def mailbox(call: Call, id: str) -> MailboxID:
    """The number of a Mailbox. Raises MethodError."""
    number = objectid.parse("F", call.account, call.resolve(id))
    if number is None or number > _MAILBOXES:
        raise MethodError("invalidArguments", "no such Mailbox")
    return MailboxID(number)
