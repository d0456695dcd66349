"""GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208).

An account is one quota root, whose name is empty, with one resource: octets of messages. What limits it stands in the
configuration, where only the operator's clients can write (`moxpy admin imapserve`).
"""

from typing import TYPE_CHECKING

from appliance.config.values import Quota
from appliance.operations import accounts, messages, sharing
from appliance.operations.actor import Right
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


def may_set(session: "Session") -> bool:
    """Whether SETQUOTA is there for this client, and so QUOTASET is announced (RFC 9208 §4.1.3)."""
    return session.actor is not None and Right.SET_QUOTA in session.actor.rights


async def put(session: "Session", tag: str, request: command.SetQuota) -> None:
    """SETQUOTA, for the operator; what is not named is not limited (RFC 9208 §4.1.3)."""
    if not may_set(session):
        session.no(tag, "quotas are set by the administrator of the server", "NOPERM")
        return
    if request.root:
        session.no(tag, "no such quota root", "NONEXISTENT")
        return
    limits = dict(request.limits)
    kib = limits.pop("STORAGE", None)
    if limits:
        session.no(tag, "only STORAGE can be limited", "CANNOT")
        return
    if kib == 0:
        # In the configuration 0 stands for the server's usual quota.
        session.no(tag, "STORAGE must be at least 1", "CANNOT")
        return
    try:
        octets = Quota(-1 if kib is None else kib * 1024)
    except ValueError as error:
        session.no(tag, f"the limit {error}", "CANNOT")
        return
    await accounts.set_quota(session.app, session.account.name, octets)
    session.say(_line(session))
    session.done(tag)


def _line(session: "Session") -> bytes:
    """`* QUOTA "" (STORAGE used limit)` in units of 1024 octets; an empty list without a limit (RFC 9208 §4.2.1)."""
    limit = messages.quota_octets(session.app, session.account)
    if limit is None:
        return b'* QUOTA "" ()\r\n'
    with session.app.store.read() as tx:
        used = tx.account(session.account.account).usage_octets
    return b'* QUOTA "" (STORAGE %d %d)\r\n' % (-(-used // 1024), -(-limit // 1024))
