"""What a session refuses before a message is judged, written down for those who ask why; delivery tells of the rest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from appliance.config.addresses import Found
from appliance.delivery.copies import Recipient
from appliance.delivery.refusals import Cause, cut
from appliance.mail.address import Path
from appliance.operations import addresses
from appliance.protocol.smtp.reply import Reply
from appliance.servers.smtp import replies
from appliance.store.refusal import Refusal
from appliance.store.tables import AccountID

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session

#: None: nobody is refused by it, the other recipients get theirs a moment later.
_CAUSES: Final[dict[Reply, Cause | None]] = {
    replies.NO_SUCH_HOST: Cause.NO_SUCH_HOST,
    replies.LITERAL_SENDER: Cause.SENDER_LITERAL,
    replies.SENDER_UNKNOWN_YET: Cause.SENDER_NOT_FOUND,
    replies.TOO_MANY_BAD: Cause.BAD_TRANSACTIONS,
    replies.NO_RELAY: Cause.RELAY,
    replies.UNKNOWN_RECIPIENTS: Cause.UNKNOWN_RECIPIENT,
    replies.NOTICES_ONLY: Cause.NOTICES_ONLY,
    replies.STARTTLS_FIRST: Cause.TLS_REQUIRED,
    replies.ONE_RECIPIENT: None,
    replies.ONE_BOUNCE_RECIPIENT: None,
    replies.HEADER_TOO_LARGE: Cause.HEADER_TOO_LARGE,
    replies.LOOP: Cause.LOOP,
    replies.SMUGGLING: Cause.SMUGGLING,
    replies.LACKS_SMTPUTF8: Cause.LACKS_SMTPUTF8,
    replies.DISK_FULL: Cause.DISK_FULL,
}
#: Of replies that say in their text why.
_USUAL: Final = {"mail": Cause.SENDER_DOMAIN, "rcpt": Cause.ADDRESS_REFUSES, "data": Cause.TROUBLE}


def note(
    session: "Session", stage: str, reply: Reply, *, sender: Path | None = None, recipients: Sequence[Path] = ()
) -> None:
    """Write down what was refused at a stage: for each of the recipients, if there are any yet.

    Not for submission: whoever submits has the reply before his eyes.
    """
    if session.door.protocol.submission:
        return
    cause = _cause(stage, reply)
    if cause is None:
        return
    now = session.app.clock.microseconds()
    helo = getattr(session.helo, "ascii", session.helo)
    for recipient in recipients or (None,):
        refusal = Refusal(
            stage=stage,
            reason=cause.value,
            remote_ip=str(session.connection.remote),
            code=reply.code,
            status=str(reply.status or ""),
            text=cut(reply.text if isinstance(reply.text, str) else " ".join(reply.text)),
            helo=cut(str(helo or "")),
            mail_from="" if sender is None else cut(str(sender) or "<>"),
            rcpt_to=cut(str(recipient or "")),
            received_id=session.received_id,
            first=now,
            last=now,
        )
        session.app.refusals.note(_account(session, recipient), session.connection.remote, refusal)


def _cause(stage: str, reply: Reply) -> Cause | None:
    if reply in _CAUSES:
        return _CAUSES[reply]
    if reply.code == 552:
        return Cause.TOO_LARGE
    return Cause.DISK_FULL if reply.status == replies.DISK_FULL.status else _USUAL.get(stage, Cause.TROUBLE)


def _account(session: "Session", recipient: Path | None) -> AccountID | None:
    """The account that its mail would have gone to."""
    for path, where in session.transaction.recipients if session.transaction is not None else ():
        if path is recipient and isinstance(where, addresses.Local) and isinstance(where.recipient, Recipient):
            return where.recipient.account
    found = None if recipient is None else session.config.derived.addresses.lookup(recipient)
    if not isinstance(found, Found):
        return None
    with session.app.store.read() as tx:
        return tx.account_id(found.account)
