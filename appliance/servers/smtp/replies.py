"""Replies of the SMTP doors, and what the outcomes of our work are called there."""

from typing import Final

from appliance.base.problem import Kind, Problem
from appliance.mail.status import Status
from appliance.protocol.smtp.reply import Reply

OK: Final = Reply(250, Status(2, 0, 0), "ok")
SENDER_OK: Final = Reply(250, Status(2, 1, 0), "sender ok")
#: The same whether the recipient exists or not, so that nobody harvests addresses.
RECIPIENT_OK: Final = Reply(250, Status(2, 1, 0), "recipient ok")
#: The name in HELO must be that of a host with an address (RFC 5321 §2.3.5).
NO_SUCH_HOST: Final = Reply(550, Status(5, 5, 0), "your host name in HELO has no address")
LITERAL_SENDER: Final = Reply(550, Status(5, 7, 0), "an address literal as the sender's domain is not accepted")
SENDER_UNKNOWN_YET: Final = Reply(451, Status(4, 4, 0), "the sender's domain cannot be looked up now, try again later")
ONE_BOUNCE_RECIPIENT: Final = Reply(452, Status(4, 5, 3), "a report has one recipient, send it to the others later")
#: Only those who have a forwarded message know the address, and only notices of other servers are about it.
NOTICES_ONLY: Final = Reply(550, Status(5, 7, 1), "this address takes notices about forwarded mail only")
ONE_RECIPIENT: Final = Reply(
    452, Status(4, 5, 3), "without an SPF pass for its sender a message has one recipient, send it to the others later"
)
GO_AHEAD: Final = Reply(354, None, "end with a dot on a line of its own")
DELIVERED: Final = Reply(250, Status(2, 2, 0), "message is stored")
QUEUED: Final = Reply(250, Status(2, 2, 0), "message is queued")
BYE: Final = Reply(221, Status(2, 0, 0), "bye")
HELP: Final = Reply(214, Status(2, 0, 0), "see RFC 5321")
NOT_VERIFIED: Final = Reply(252, Status(2, 7, 0), "send some mail, we will try")
START_TLS: Final = Reply(220, Status(2, 0, 0), "go ahead with TLS")
LOGGED_IN: Final = Reply(235, Status(2, 7, 0), "logged in")
UNKNOWN_RECIPIENTS: Final = Reply(550, Status(5, 1, 1), "no such recipient here")
NO_RELAY: Final = Reply(550, Status(5, 1, 1), "not a domain we receive mail for")
SMUGGLING: Final = Reply(500, Status(5, 5, 2), "bare carriage return or line feed around a dot: SMTP smuggling")
LACKS_SMTPUTF8: Final = Reply(550, Status(5, 6, 0), "the message needs SMTPUTF8, and MAIL did not say so")
STARTTLS_FIRST: Final = Reply(530, Status(5, 7, 0), "STARTTLS first")
HEADER_TOO_LARGE: Final = Reply(552, Status(5, 3, 4), "the header of the message is too large")
LOOP: Final = Reply(550, Status(5, 4, 6), "the message goes in circles")
DISK_FULL: Final = Reply(452, Status(4, 3, 1), "no room for the message, try again later")
TOO_SLOW: Final = Reply(421, Status(4, 4, 2), "the message took too long")
TOO_MANY_BAD: Final = Reply(550, Status(5, 1, 0), "too many bad transactions")
SHUTDOWN: Final = Reply(421, Status(4, 3, 2), "shutting down")
IDLE: Final = Reply(421, Status(4, 4, 2), "nothing came for too long")
EXPELLED: Final = Reply(421, Status(4, 7, 0), "logged out by the administrator")
RATE: Final = Reply(421, Status(4, 7, 0), "too many connections, try again later")
TOO_MANY_FAILURES: Final = Reply(421, Status(4, 7, 0), "too many failed logins, try again later")
#: After a bug of ours: the connection closes behind it.
BROKEN: Final = Reply(421, Status(4, 3, 0), "something went wrong here, try again later")
INTERNAL: Final = Reply(451, Status(4, 3, 0), "something went wrong here, try again later")

#: Reply codes of problems; each has its own enhanced code.
CODES: Final[dict[Kind, int]] = {
    Kind.NOT_FOUND: 550,
    Kind.EXISTS: 550,
    Kind.INVALID: 550,
    Kind.FORBIDDEN: 550,
    Kind.OVER_QUOTA: 452,
    Kind.LIMIT: 452,
    Kind.CONFLICT: 451,
    Kind.UNAVAILABLE: 452,
    Kind.NOT_AUTHENTICATED: 535,
    Kind.DISABLED: 525,
    Kind.TOO_MANY: 421,
    Kind.UNSUPPORTED: 504,
}


def of_problem(problem: Problem) -> Reply:
    """The reply that tells of a problem. That we are in trouble ourselves is 451, unless room is wanting."""
    code = CODES[problem.kind]
    if problem.kind is Kind.UNAVAILABLE and problem.status != (4, 3, 1):
        code = 451
    return Reply(code, problem.status, str(problem))
