"""GETMETADATA and SETMETADATA (RFC 5464); what LIST returns of annotations (RFC 9590)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from appliance.operations import annotations
from appliance.protocol.imap import command, response
from appliance.store.annotation import Entry
from appliance.store.problems import NoPermission, NoSuchMailbox
from appliance.store.records import Annotation

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

_SERVER: Final = b'""'


async def get(session: "Session", tag: str, request: command.GetMetadata) -> None:
    """GETMETADATA."""
    with session.app.store.read() as tx:
        found = annotations.find(tx, session.account.account, request.mailbox)
    if not request.mailbox:
        found[annotations.ADMIN] = annotations.administrator(session.door.hostname)
    chosen = choose(found, request.entries, request.depth)
    largest, too_long = request.largest_octets, 0
    shown: list[tuple[str, Annotation | None]] = []
    for name in chosen:
        one = found.get(name)
        if one is not None and largest is not None and len(one.value) > largest:
            too_long = max(too_long, len(one.value))
        else:
            shown.append((name, one))
    if shown:
        session.say(line(session, request.mailbox, shown))
    session.done(tag, code=f"METADATA LONGENTRIES {too_long}" if too_long else None)


def choose(found: Iterable[str], wanted: Sequence[str], depth: int) -> list[str]:
    """Names that are wanted: as named, there or not; with depth those that are there, and what is below them.

    That is below by whole components: `/private/ab` is not below `/private/a` (RFC 5464 §4.2.2).
    """
    if not depth:
        return list(wanted)
    names = frozenset(wanted)
    chosen = []
    for name in sorted(found):
        above = name
        for _ in range(depth + 1):
            if above in names:
                chosen.append(name)
                break
            above = above[: above.rfind("/")]
            if not above:
                break
    return chosen


def of_listed(session: "Session", name: str, entries: Sequence[str]) -> bytes:
    """The METADATA response to LIST; none of a mailbox whose annotations are not for this user (RFC 9590 §3)."""
    with session.app.store.read() as tx:
        try:
            found = annotations.find(tx, session.account.account, name)
        except (NoSuchMailbox, NoPermission):
            return b""
    return line(session, name, ((entry, found.get(entry)) for entry in entries))


def line(session: "Session", name: str, shown: Iterable[tuple[str, Annotation | None]]) -> bytes:
    """`* METADATA mailbox (entry value ...)`; the value of what is not there is NIL."""
    pairs = b" ".join(b"%b %b" % (response.astring(entry.encode()), _value(session, one)) for entry, one in shown)
    return b"* METADATA %b (%b)\r\n" % (session.name(name) if name else _SERVER, pairs)


def _value(session: "Session", one: Annotation | None) -> bytes:
    if one is None:
        return response.NIL
    if one.is_text:
        return response.string(one.value, utf8=session.protocol.utf8)
    return b"~{%d}\r\n%b" % (len(one.value), one.value)


async def put(session: "Session", tag: str, request: command.SetMetadata) -> None:
    """SETMETADATA."""
    wanted = [Entry(name, value, is_text) for name, value, is_text in request.values]
    await annotations.put(session.app, session.account, request.mailbox, wanted, session.subscription)
    session.done(tag)
