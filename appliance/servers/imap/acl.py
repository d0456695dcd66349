"""GETACL, SETACL, DELETEACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3)."""

from typing import TYPE_CHECKING, Final

from appliance.operations import sharing
from appliance.protocol.imap import command, response
from appliance.store.records import ALL_RIGHTS, Rights

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: Nothing is tied together, so `c` and `d` stand by themselves, too (RFC 4314 §2.1.1).
_OPTIONAL: Final = b" ".join(bytes((one,)) for one in sharing.letters_of(ALL_RIGHTS).encode())


def _letters(bits: int) -> bytes:
    return sharing.letters_of(bits).encode() or b'""'


def _identifier(session: "Session", identifier: str) -> bytes:
    return response.astring(identifier.encode(), utf8=session.protocol.utf8)


def myrights_line(session: "Session", access: sharing.Access) -> bytes:
    """`* MYRIGHTS name rights`."""
    return b"* MYRIGHTS %b %b\r\n" % (session.name(access.name), _letters(access.rights))


async def myrights(session: "Session", tag: str, request: command.MyRights) -> None:
    """MYRIGHTS."""
    with session.app.store.read() as tx:
        access = sharing.myrights(tx, session.account, request.mailbox)
    session.say(myrights_line(session, access))
    session.done(tag)


async def getacl(session: "Session", tag: str, request: command.GetAcl) -> None:
    """GETACL; the owner is in it, with the rights that cannot be taken away."""
    with session.app.store.read() as tx:
        found = sharing.listed(tx, session.account, request.mailbox)
    entries = b"".join(b" %b %b" % (_identifier(session, one), _letters(bits)) for one, bits in found)
    session.say(b"* ACL %b%b\r\n" % (session.name(request.mailbox), entries))
    session.done(tag)


async def listrights(session: "Session", tag: str, request: command.ListRights) -> None:
    """LISTRIGHTS: the owner always has all rights, everybody else may be given any."""
    with session.app.store.read() as tx:
        access = sharing.resolve(tx, session.account.account, request.mailbox).require(Rights.ADMINISTER)
        is_owner = sharing.is_owner(session.app, tx, access, request.identifier)
    rights = _letters(ALL_RIGHTS) if is_owner else b'"" ' + _OPTIONAL
    shown = _identifier(session, request.identifier)
    session.say(b"* LISTRIGHTS %b %b %b\r\n" % (session.name(request.mailbox), shown, rights))
    session.done(tag)


async def setacl(session: "Session", tag: str, request: command.SetAcl) -> None:
    """SETACL."""
    await sharing.set_rights(
        session.app,
        session.account,
        request.mailbox,
        request.identifier,
        request.mode,
        sharing.bits_of(request.rights),
        session.subscription,
    )
    session.done(tag)


async def deleteacl(session: "Session", tag: str, request: command.DeleteAcl) -> None:
    """DELETEACL."""
    await sharing.set_rights(
        session.app, session.account, request.mailbox, request.identifier, "=", 0, session.subscription
    )
    session.done(tag)
