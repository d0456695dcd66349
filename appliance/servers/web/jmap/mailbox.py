"""Mailbox/* (RFC 8621 §2): the mailboxes of the account; those of others that are shared with it are not here."""

from typing import Any, Final

from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, Call, Method
from appliance.servers.web.jmap.standard import GetArguments, GetResponse
from appliance.store import mailbox as mailboxes, objectid
from appliance.store.records import INBOX, Mailbox, Role
from appliance.store.tables import AccountID, MailboxID
from appliance.store.transaction import ReadTx

#: Of a mailbox with several uses the first counts (RFC 8621 §2 has one role for each).
ROLES: Final[dict[Role, str]] = {
    Role.DRAFTS: "drafts",
    Role.SENT: "sent",
    Role.ARCHIVE: "archive",
    Role.JUNK: "junk",
    Role.TRASH: "trash",
}
PROPERTIES: Final = (
    *("id", "name", "parentId", "role", "sortOrder", "totalEmails", "unreadEmails", "totalThreads", "unreadThreads"),
    *("myRights", "isSubscribed"),
)
#: Where mailboxes stand that nobody has given a place.
_ORDER: Final = {"inbox": 1, "drafts": 2, "sent": 3, "archive": 4, "junk": 5, "trash": 6, None: 10}


def role_of(mailbox: Mailbox) -> str | None:
    """What a mailbox is for."""
    if mailbox.name == INBOX:
        return "inbox"
    return next((name for role, name in ROLES.items() if mailbox.roles & role), None)


def rights_of(mailbox: Mailbox) -> dict[str, bool]:
    """What the owner may do (RFC 8621 §2, MailboxRights)."""
    is_inbox = mailbox.name == INBOX
    return {
        "mayReadItems": True,
        "mayAddItems": True,
        "mayRemoveItems": True,
        "maySetSeen": True,
        "maySetKeywords": True,
        "mayCreateChild": True,
        "mayRename": not is_inbox,
        "mayDelete": not is_inbox,
        "maySubmit": True,
    }


def record(tx: ReadTx, account: AccountID, mailbox: Mailbox, subscribed: set[str]) -> dict[str, Any]:
    """A mailbox as JMAP has it, with all properties."""
    role = role_of(mailbox)
    return {
        "id": objectid.mailbox(account, mailbox.id),
        "name": mailbox.name.rpartition("/")[2],
        "parentId": objectid.mailbox(account, mailbox.parent) if mailbox.parent else None,
        "role": role,
        "sortOrder": _ORDER[role],
        "totalEmails": mailbox.total,
        "unreadEmails": mailbox.unread,
        "totalThreads": mailbox.total,
        "unreadThreads": mailbox.unread,
        "myRights": rights_of(mailbox),
        "isSubscribed": mailbox.name in subscribed,
    }


def mailbox_number(account: AccountID, id: str) -> MailboxID | None:
    """The number of a mailbox of the account; None when the id is no such thing."""
    number = objectid.parse("F", account, id)
    return None if number is None or number > 0xFFFF_FFFF else MailboxID(number)


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """Mailbox/get (RFC 8621 §2.1)."""
    account = call.account
    with call.app.store.read() as tx:
        subscribed = set(mailboxes.subscriptions(tx, account))
        found = tx.mailboxes(account)
        state = str(tx.account(account).modseq)
        records = {one["id"]: one for one in (record(tx, account, mailbox, subscribed) for mailbox in found)}
    standard.wanted_properties(arguments.properties, PROPERTIES)
    return standard.get(call, arguments, state, records)


METHODS: Final = (Method("Mailbox/get", MAIL, GetArguments, get),)
