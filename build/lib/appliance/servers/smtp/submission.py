"""Mail of our users: which senders they may use, and their messages, handed to the verb that sends them."""

from typing import TYPE_CHECKING, Final

from appliance.base.problem import Problem
from appliance.mail.address import Path
from appliance.mail.received import Received
from appliance.mail.status import Status
from appliance.operations import submit
from appliance.operations.submit import Submission, To
from appliance.protocol.smtp.command import Body
from appliance.protocol.smtp.reply import Reply
from appliance.servers.smtp import replies, simulated
from appliance.store.queued import FromIDInUse
from appliance.store.spool import Spooled

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session, Transaction

#: Where the reply code is another than that of the problem's kind.
CODES: Final[dict[type[Problem], int]] = {
    submit.NoHeaderEnd: 554,
    submit.BadExtra: 554,
    submit.OneIDForMany: 554,
    FromIDInUse: 554,
    submit.HeaderTooLarge: 552,
    submit.Undeclared8Bit: 500,
    submit.SenderDisabled: 451,
    submit.TooManyMessages: 451,
    submit.TooManyNewRecipients: 451,
}


def may_send_from(session: "Session", path: Path) -> Reply | None:
    """The refusal of a MAIL path that the account may not use; None when it may (RFC 6409 §6.1)."""
    if session.actor is None:
        return Reply(530, Status(5, 7, 0), "log in first")
    if path.is_null:
        return None
    try:
        submit.check_sender(session.config, session.actor.name, path)
    except submit.SubmissionRefused as problem:
        return of_problem(problem)
    return None


async def process(session: "Session", transaction: "Transaction", spooled: Spooled) -> Reply:
    """The reply to the message. 250: it is in the queue, on the disk; nobody waits for its delivery."""
    assert session.actor is not None
    for path, _ in transaction.recipients:
        failing = await simulated.failure(session, path, "data")
        if failing is not None:
            submit.submissions.labels("localserveerror").inc()
            return failing
    mail = transaction.mail
    submission = Submission(
        reverse_path=mail.path,
        recipients=[To(one.path, one.notify, one.orcpt) for one in transaction.asked],
        spooled=spooled,
        trace=_trace(session, transaction),
        smtputf8=mail.smtputf8,
        eight_bit=mail.body is Body.EIGHT_BIT_MIME,
        requiretls=mail.requiretls,
        release=mail.release.moment if mail.release else None,
        future_release=mail.release.text if mail.release else "",
        ret=mail.ret,
        envid=mail.envid,
    )
    try:
        await submit.submit(session.app, session.actor, submission, log=session.log)
    except Problem as problem:
        session.log.info("submission refused", problem, mailfrom=str(mail.path), size=spooled.size)
        return of_problem(problem)
    return replies.QUEUED


def of_problem(problem: Problem) -> Reply:
    """The reply that tells why a message is not sent."""
    code = CODES.get(type(problem))
    return replies.of_problem(problem) if code is None else Reply(code, problem.status, str(problem))


def _trace(session: "Session", transaction: "Transaction") -> Received:
    """The Received field; where the submitter sits is nobody's business, so it begins with us."""
    settings, connection = session.door.protocol, session.connection
    tls = connection.tls
    return Received(
        helo=settings.hostname,
        remote_ip=None,
        hostname=settings.hostname,
        local_ip=connection.local,
        protocol="ESMTPSA" if tls else "ESMTPA",  # RFC 3848
        id=session.received_id,
        tls=f"{tls.version} {tls.cipher}" if tls else "",
        requiretls=transaction.mail.requiretls,
        when=session.app.clock.now(),
    )
