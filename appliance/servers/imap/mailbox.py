"""Making, removing, renaming, subscribing mailboxes; STATUS."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from appliance.operations import mailboxes, sharing
from appliance.operations.sharing import Access
from appliance.protocol.imap import command, response
from appliance.servers.imap import replies
from appliance.store import objectid
from appliance.store.records import INBOX, Mailbox, Rights
from appliance.store.tables import Table, subscription_key

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def create(session: "Session", tag: str, request: command.Create) -> None:
    """CREATE, with RFC 6154's USE."""
    roles = replies.role_bits(request.special_use)
    if roles is None:
        session.no(tag, "special use not supported", "USEATTR")
        return
    owner, created = await mailboxes.create(session.app, session.account, request.mailbox, roles, session.subscription)
    _say_created(session, created, request.supplied)
    name = objectid.mailbox(owner, created[-1].id)
    session.done(tag, code=f"MAILBOXID ({name})")  # RFC 8474 §4.1


def _say_created(session: "Session", created: Sequence[Mailbox], supplied: str = "") -> None:
    """LIST of new mailboxes, which are subscribed; to everybody when the name is not as supplied (RFC 9051 §6.3.4)."""
    for at, one in enumerate(created, 1):
        if not session.hears_lists and not (supplied and at == len(created)):
            continue
        attributes = ["\\Subscribed", *replies.roles(one.roles)]
        old_name = supplied if at == len(created) else ""
        session.say(response.listing(attributes, session.name(one.name), _old_name(session, old_name)))


def _old_name(session: "Session", name: str) -> bytes:
    """OLDNAME, for those who know it (RFC 9051 §6.3.9.7)."""
    return b'("OLDNAME" (%b))' % session.name(name) if name and session.rev2 else b""


def _subscribed(session: "Session", name: str) -> list[str]:
    with session.app.store.read() as tx:
        found = tx.get(Table.SUBSCRIPTION, subscription_key(session.account.account, name)) is not None
    return ["\\Subscribed"] if found else []


async def delete(session: "Session", tag: str, request: command.Delete) -> None:
    """DELETE. If it is the selected one, the client is left with nothing selected."""
    await mailboxes.remove(session.app, session.account, request.mailbox, session.subscription)
    if session.selected is not None and session.selected.name == request.mailbox:
        session.selected = None
        session.say(response.untagged("OK", "mailbox closed", "CLOSED"))
    if request.supplied and session.rev2:
        attributes = ["\\NonExistent", *_subscribed(session, request.mailbox)]
        old_name = _old_name(session, request.supplied)
        session.say(response.listing(attributes, session.name(request.mailbox), old_name))
    session.done(tag)


async def rename(session: "Session", tag: str, request: command.Rename) -> None:
    """RENAME. Subscriptions stay with the names, not with the mailboxes (RFC 9051 §6.3.6)."""
    created = await mailboxes.rename(
        session.app, session.account, request.mailbox, request.new_name, session.subscription
    )
    _say_created(session, created)
    if session.rev2 and request.mailbox != INBOX:
        attributes = _subscribed(session, request.new_name)
        old_name = _old_name(session, request.supplied or request.mailbox)
        session.say(response.listing(attributes, session.name(request.new_name), old_name))
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
        access = sharing.resolve(tx, session.account.account, request.mailbox).require(Rights.READ)
    session.say(status_line(session, access, request.items))
    session.done(tag)


def status_line(session: "Session", access: Access, items: Sequence[str]) -> bytes:
    """`* STATUS name (items)`."""
    record = access.mailbox
    unseen = record.unseen
    if access.shared and "UNSEEN" in items:
        with session.app.store.read() as tx:
            unseen = sharing.unseen(tx, session.account.account, access.ref)
    values = {
        "MESSAGES": record.messages,
        "UIDNEXT": record.uid_next,
        "UIDVALIDITY": record.uid_validity,
        "UNSEEN": unseen,
        "DELETED": record.deleted,
        "SIZE": record.size_octets,
        "RECENT": 0,
        "APPENDLIMIT": session.door.max_message_octets,  # RFC 7889 §3.1
        "HIGHESTMODSEQ": record.modseq,
        "DELETED-STORAGE": record.deleted_octets,
        "MAILBOXID": f"({objectid.mailbox(*access.ref)})",
    }
    shown = " ".join(f"{item} {values[item]}" for item in items).encode()
    return b"* STATUS %b (%b)\r\n" % (session.name(access.name), shown)


def parents(name: str) -> list[str]:
    """Names above a name, topmost first."""
    elements = name.split("/")
    return ["/".join(elements[:depth]) for depth in range(1, len(elements))]
