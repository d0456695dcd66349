"""Why mail could not be handed to another server: whose fault it was, and whether trying again may help.

What the sender is told, and when it is tried again, is for the queue.
"""

from dataclasses import dataclass
from enum import Enum

from appliance.mail.status import Status
from appliance.protocol.smtp.reply import Reply


class Fault(Enum):
    """What sort of failure it is."""

    #: The server said no.
    REFUSED = "refused"
    #: The server lacks an extension the message cannot do without, or takes no message so large.
    UNSUPPORTED = "unsupported"
    #: What the server sent is no SMTP.
    PROTOCOL = "protocol"
    #: TLS could not be had as it was wanted: STARTTLS, handshake, certificate.
    TLS = "tls"
    #: The server did not let us log in, or we had nothing to log in with.
    LOGIN = "login"
    #: Its names cannot be found, or say that there is no way.
    DNS = "dns"
    #: The server cannot be reached, or the connection was lost.
    CONNECTION = "connection"
    #: The server did not answer, or did not take our octets, in time.
    TIMEOUT = "timeout"
    #: The message is none that can be sent.
    MESSAGE = "message"
    #: The server takes no more transactions on this connection; nothing was tried.
    LIMIT = "limit"
    #: We stop.
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure, of one recipient or of all."""

    fault: Fault
    permanent: bool
    #: The server's reply code, or one of ours where the message cannot go to this server; 0: there is none.
    code: int
    #: The server's, or what fits best (RFC 3463).
    status: Status
    #: What the server answered so, as `client.Stage` names it: `greeting`, `rcpt`, `content`; empty without connection.
    command: str
    #: The server's lines without code and status, shortened; or ours, one line.
    lines: tuple[str, ...]
    #: Whether the server said it. Only then it is a diagnostic of SMTP (RFC 3464 §2.3.6), and tells of the recipient.
    remote: bool = False
    #: The server said it without a status (RFC 2034): that is made of the code.
    made_up_status: bool = False
    #: In the words of TLS reports (RFC 8460 §4.3), when TLS was what failed; else empty.
    tls_result: str = ""
    tls_reason: str = ""

    @property
    def secode(self) -> str:
        """Subject and detail of the status: `7.1` of 5.7.1."""
        return f"{self.status.subject}.{self.status.detail}"

    @property
    def text(self) -> str:
        """The lines as one."""
        return " ".join(self.lines)

    def __str__(self) -> str:
        """As logs have it: a reply with its codes, our own words without."""
        return " ".join(filter(None, (str(self.code), str(self.status), self.text))) if self.remote else self.text


class ClientError(Exception):
    """A step of a client's conversation has failed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def refused(command: str, reply: Reply, *, fault: Fault = Fault.REFUSED, permanent: bool | None = None) -> Failure:
    """The failure that a negative reply is."""
    for_good = reply.code >= 500 if permanent is None else permanent
    return Failure(
        fault=fault,
        permanent=for_good,
        code=reply.code,
        status=reply.status or Status(reply.code // 100, 0, 0),
        command=command,
        lines=reply.text if isinstance(reply.text, tuple) else (reply.text,),
        remote=True,
        made_up_status=reply.status is None,
    )


def broken(command: str, text: str) -> Failure:
    """The server does not speak SMTP as it should (RFC 3463 §3.6, X.5.0)."""
    return temporary(Fault.PROTOCOL, command, Status(4, 5, 0), text)


def temporary(fault: Fault, command: str, status: Status, text: str) -> Failure:
    """A failure without a reply that another attempt may not have."""
    return Failure(fault=fault, permanent=False, code=0, status=status, command=command, lines=(text,))


def impossible(fault: Fault, code: int, status: Status, text: str) -> Failure:
    """The message cannot go this way; nothing was sent of it."""
    return Failure(fault=fault, permanent=True, code=code, status=status, command="mail", lines=(text,))
