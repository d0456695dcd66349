"""Making, removing, renaming, subscribing mailboxes; STATUS (I-95 to I-99, I-103)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from appliance.operations import mailboxes
from appliance.protocol.imap import command, response
from appliance.servers.imap import replies
from appliance.store import mailbox as stored, objectid
from appliance.store.records import Mailbox

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def create(session: "Session", tag: str, request: command.Create) -> None:
    """CREATE, with RFC 6154's USE."""
    roles = replies.role_bits(request.special_use)
    if roles is None:
        session.no(tag, "special use not supported", "USEATTR")
        return
    created = await mailboxes.create(session.app, session.account, request.mailbox, roles, session.subscription)
    _say_created(session, created)
    name = objectid.mailbox(session.account.account, created[-1].id)
    session.done(tag, code=f"MAILBOXID ({name})")  # RFC 8474 §4.1


def _say_created(session: "Session", created: Sequence[Mailbox]) -> None:
    for one in created:
        attributes = ["\\Subscribed", *replies.roles(one.roles)]
        session.say(response.listing(attributes, session.name(one.name)))


async def delete(session: "Session", tag: str, request: command.Delete) -> None:
    """DELETE. If it is the selected one, the client is left with nothing selected."""
    await mailboxes.remove(session.app, session.account, request.mailbox, session.subscription)
    if session.selected is not None and session.selected.name == request.mailbox:
        session.selected = None
        session.say(response.untagged("OK", "mailbox closed", "CLOSED"))
    session.done(tag)


async def rename(session: "Session", tag: str, request: command.Rename) -> None:
    """RENAME."""
    created = await mailboxes.rename(
        session.app, session.account, request.mailbox, request.new_name, session.subscription
    )
    _say_created(session, created)
    session.done(tag)


async def subscribe(session: "Session", tag: str, request: command.Subscribe) -> None:
    """SUBSCRIBE."""
    await mailboxes.subscribe(session.app, session.account, request.mailbox, session.subscription)
    session.done(tag)


async def unsubscribe(session: "Session", tag: str, request: command.Unsubscribe) -> None:
    """UNSUBSCRIBE."""
    await mailboxes.unsubscribe(session.app, session.account, request.mailbox, session.subscription)
    session.done(tag)


async def status(session: "Session", tag: str, request: command.Status) -> None:
    """STATUS; the values are those in the store, not the session's view."""
    if "HIGHESTMODSEQ" in request.items:
        session.enable_condstore()
    with session.app.store.read() as tx:
        record = stored.by_name(tx, session.account.account, request.mailbox)
    session.say(status_line(session, record, request.items))
    session.done(tag)


def status_line(session: "Session", record: Mailbox, items: Sequence[str]) -> bytes:
    """`* STATUS name (items)`."""
    values = {
        "MESSAGES": record.messages,
        "UIDNEXT": record.uid_next,
        "UIDVALIDITY": record.uid_validity,
        "UNSEEN": record.unseen,
        "DELETED": record.deleted,
        "SIZE": record.size_octets,
        "RECENT": 0,
        "APPENDLIMIT": "NIL",
        "HIGHESTMODSEQ": record.modseq,
        "DELETED-STORAGE": record.deleted_octets,
        "MAILBOXID": f"({objectid.mailbox(session.account.account, record.id)})",
    }
    shown = " ".join(f"{item} {values[item]}" for item in items).encode()
    return b"* STATUS %b (%b)\r\n" % (session.name(record.name), shown)


def parents(name: str) -> list[str]:
    """Names above a name, topmost first."""
    elements = name.split("/")
    return ["/".join(elements[:depth]) for depth in range(1, len(elements))]
