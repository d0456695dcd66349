"""LIST with its options, LSUB, NAMESPACE (RFC 5258, RFC 5819, RFC 6154)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import trio

from appliance.base.limits import PIPELINED
from appliance.config.values import OTHER_USERS
from appliance.operations import sharing
from appliance.protocol.imap import command, response
from appliance.protocol.imap.listpattern import ListPattern
from appliance.servers.imap import acl, mailbox, metadata, replies
from appliance.store import mailbox as stored
from appliance.store.records import Rights

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


#: Characters of names that are matched with patterns before others get their turn: about a millisecond.
_SLICE_CHARACTERS: Final = 4000


async def _matching(names: Iterable[str], patterns: Sequence[ListPattern]) -> set[str]:
    """Names that fit one of the patterns."""
    costly = sum(not one.is_cheap for one in patterns)
    found: set[str] = set()
    work = 0
    for name in names:
        if any(one.matches(name) for one in patterns):
            found.add(name)
        work += costly * len(name) + 1
        if work > _SLICE_CHARACTERS:
            work = 0
            await trio.lowlevel.checkpoint()
    return found


def _order(name: str) -> tuple[bool, str]:
    """Inbox first."""
    return name != "Inbox", name


async def list_mailboxes(session: "Session", tag: str, request: command.ListMailboxes) -> None:
    """LIST."""
    session.lists_extended = session.lists_extended or request.extended
    if not request.extended and request.patterns == ("",):
        session.say(b'* LIST (\\NoSelect) "/" ""\r\n')
        session.done(tag)
        return
    with session.app.store.read() as tx:
        records = {one.name: one for one in tx.mailboxes(session.account.account)}
        there = {name: sharing.of_owner(session.account, one) for name, one in records.items()}
        others = {one.name: one for one in sharing.shared(tx, session.account.account)}
        there |= others
        records |= {name: one.shown for name, one in others.items()}
        subscribed = set(stored.subscriptions(tx, session.account.account))
    patterns = [ListPattern(request.reference, one) for one in request.patterns]
    selection, returns = request.selection, request.returns
    only_subscribed = "SUBSCRIBED" in selection
    names = subscribed if only_subscribed else set(records)
    if "SPECIAL-USE" in selection:
        names = {name for name in names if name in records and records[name].roles}
    matching = await _matching(names, patterns)
    with_info: set[str] = set()
    if "RECURSIVEMATCH" in selection:
        # Names with something wanted below them; those not wanted themselves only where what is below is not all
        # listed itself (RFC 5258 §3.5, RFC 9051 §6.3.9.6).
        unlisted = {parent for name in names - matching for parent in mailbox.parents(name)}
        above = {parent for name in names for parent in mailbox.parents(name)}
        with_info = above & matching | await _matching(above & unlisted - matching, patterns)
    criteria = b" ".join(b'"%b"' % one.encode() for one in ("SUBSCRIBED", "SPECIAL-USE") if one in selection)
    if "HIGHESTMODSEQ" in returns.status:
        session.enable_condstore()  # RFC 7162 §3.1
    if others and not selection:
        # What stands above shared mailboxes is none, or not for this client (RFC 9051 §6.3.9, RFC 4314 §4). Who walks
        # down level by level has to see it (mutt asks for the name alone, too), whoever lists everything does not.
        above = {parent for name in others for parent in mailbox.parents(name) if parent not in records}
        matching |= await _matching(
            above, [one for one, text in zip(patterns, request.patterns, strict=True) if "*" not in text]
        )
    have_children = {parent for name in records for parent in mailbox.parents(name)}
    for at, name in enumerate(sorted(matching | with_info, key=_order), 1):
        record = records.get(name)
        attributes = [] if record is not None else ["\\NonExistent"]
        if record is None and name in have_children:
            attributes += ["\\NoSelect", "\\HasChildren"]  # The first for those who do not know the one before.
        if record is not None:
            attributes.append("\\HasChildren" if name in have_children else "\\HasNoChildren")
            attributes += replies.roles(record.roles)
        if name in subscribed and (only_subscribed or returns.subscribed):
            attributes.append("\\Subscribed")
        extended = b'("CHILDINFO" (%b))' % criteria if name in with_info else b""
        session.say(response.listing(attributes, session.name(name), extended))
        if returns.status and name in there and there[name].rights & Rights.READ:
            session.say(mailbox.status_line(session, there[name], returns.status))
        if returns.my_rights and name in there:  # RFC 8440 §3
            session.say(acl.myrights_line(session, there[name]))
        if returns.metadata and record is not None:
            session.say(metadata.of_listed(session, name, returns.metadata))
        await session.flush_large()
        if not at % PIPELINED:
            await trio.lowlevel.checkpoint()
    session.done(tag)


async def lsub(session: "Session", tag: str, request: command.Lsub) -> None:
    """LSUB (RFC 3501 §6.3.9): with `%`, unsubscribed parents of subscribed names are \\NoSelect."""
    with session.app.store.read() as tx:
        subscribed = stored.subscriptions(tx, session.account.account)
    patterns = [ListPattern(request.reference, request.pattern)]
    matching = await _matching(subscribed, patterns)
    above: set[str] = set()
    if request.pattern.endswith("%"):
        above = await _matching({parent for name in subscribed for parent in mailbox.parents(name)}, patterns)
    for name in sorted(matching | above, key=_order):
        session.say(response.listing([] if name in matching else ["\\NoSelect"], session.name(name), verb=b"LSUB"))
        await session.flush_large()
    session.done(tag)


async def namespace(session: "Session", tag: str, _: command.Namespace) -> None:
    """NAMESPACE: one's own mailboxes, and those of other users (RFC 2342 §5)."""
    session.say(b'* NAMESPACE (("" "/")) (("%b/" "/")) NIL\r\n' % OTHER_USERS.encode())
    session.done(tag)
