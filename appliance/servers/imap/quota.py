"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).

An account is one quota root, whose name is empty, with one resource: octets of messages. What limits it stands in the
configuration, where clients cannot write: `moxpy config account quota` changes it.
"""

from typing import TYPE_CHECKING

from appliance.operations import messages, sharing
from appliance.protocol.imap import command

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


async def get(session: "Session", tag: str, request: command.GetQuota) -> None:
    """GETQUOTA."""
    if request.root:
        session.no(tag, "no such quota root", "NONEXISTENT")
        return
    session.say(_line(session))
    session.done(tag)


async def get_root(session: "Session", tag: str, request: command.GetQuotaRoot) -> None:
    """GETQUOTAROOT, of mailboxes that are there and that are not (RFC 9208 §4.1.2).

    What lies in another's mailbox counts for its owner, whose quota is nobody else's business.
    """
    if sharing.is_shared_name(request.mailbox):
        session.say(b"* QUOTAROOT %b\r\n" % session.name(request.mailbox))
        session.done(tag)
        return
    session.say(b'* QUOTAROOT %b ""\r\n%b' % (session.name(request.mailbox), _line(session)))
    session.done(tag)


async def put(session: "Session", tag: str, _: command.SetQuota) -> None:
    """SETQUOTA: not by IMAP, where nobody is an administrator; so QUOTASET is not announced (RFC 9208 §4.1.3)."""
    session.no(tag, "quotas are set by the administrator of the server", "NOPERM")


def _line(session: "Session") -> bytes:
    """`* QUOTA "" (STORAGE used limit)` in units of 1024 octets; an empty list without a limit (RFC 9208 §4.2.1)."""
    limit = messages.quota_octets(session.app, session.account)
    if limit is None:
        return b'* QUOTA "" ()\r\n'
    with session.app.store.read() as tx:
        used = tx.account(session.account.account).usage_octets
    return b'* QUOTA "" (STORAGE %d %d)\r\n' % (-(-used // 1024), -(-limit // 1024))
