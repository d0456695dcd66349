"""Who submits: SASL on the submission door (RFC 4954)."""

import base64
from typing import TYPE_CHECKING, Final

import trio

from appliance.mail.status import Status
from appliance.net.connection import Closed
from appliance.operations import login
from appliance.operations.login import Attempt, LoginFailed, Situation, Why
from appliance.protocol.lines import NeedData
from appliance.protocol.sasl.exchange import Fault, SASLError
from appliance.protocol.sasl.mechanisms import MECHANISMS, announced
from appliance.protocol.smtp import command
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.server import AuthResponse
from appliance.servers.smtp import replies

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session

#: From the failed login after this one on, a connection is served slowly and waits.
PATIENCE: Final = 3

#: Reply codes of logins that came to nothing (RFC 4954 §6, RFC 5248); each has its own status.
CODES: Final[dict[Why, int]] = {
    Why.TLS_REQUIRED: 538,
    Why.UNKNOWN_MECHANISM: 504,
    Why.ABORTED: 501,
    Why.ENCODING: 501,
    Why.MALFORMED: 501,
    Why.AUTHORIZATION: 535,
    Why.FIRST_MESSAGE: 455,
    Why.FINAL_MESSAGE: 535,
    Why.BINDING: 535,
    Why.WRONG: 535,
    Why.CODE_WANTED: 535,
    Why.WRONG_CODE: 535,
    Why.TOO_MANY_CODES: 454,
    Why.NO_CERTIFICATE: 535,
    Why.OTHER_ACCOUNT: 535,
    Why.SECRETS_MISSING: 454,
    Why.DISABLED: 525,
    Why.TOO_MANY: 421,
    Why.INTERNAL: 451,
}


def refuses(session: "Session") -> bool:
    """Whether the connection is turned away for failed logins of its network."""
    submission = session.door.protocol.submission
    return submission and not login.may_try(session.app, "submission", session.connection.remote)


def _passwords_allowed(session: "Session") -> bool:
    return session.connection.tls is not None or session.door.plain_login


def mechanisms(session: "Session") -> list[str]:
    """Mechanisms that may be used now, preferred first; none where TLS must come first."""
    if not session.door.protocol.submission or not _passwords_allowed(session):
        return []
    return announced(passwords=True, certificate=session.certificate is not None)


async def authenticate(session: "Session", event: command.Auth) -> Reply:
    """One exchange."""
    if not session.door.protocol.submission:
        return Reply(503, Status(5, 5, 1), "no logins here, use the submission port")
    if session.failed_logins > PATIENCE:
        with trio.move_on_after((session.failed_logins - PATIENCE) * session.connection.limits.slow_seconds):
            await session.app.shutdown.wait()
    connection = session.connection
    attempt = Attempt(
        "submission",
        event.mechanism.lower(),
        connection.remote,
        session.log,
        local=connection.local,
        tls=connection.tls,
    )
    situation = Situation(
        passwords_allowed=_passwords_allowed(session),
        mechanisms=MECHANISMS,
        hostname=session.door.protocol.hostname,
        tls=connection.tls_stream,
        certificate=session.certificate,
        offered_binding=bool(mechanisms(session)),
    )

    async def ask(challenge: bytes) -> bytes:
        session.say(Reply(334, None, base64.b64encode(challenge).decode()))
        return await _response(session)

    try:
        session.actor = await login.authenticate(session.app, attempt, situation, event.mechanism, event.initial, ask)
    except LoginFailed as problem:
        if problem.why.is_clients_fault:
            _failed(session)
        if problem.why is Why.TOO_MANY:
            session.end()
        return Reply(CODES[problem.why], problem.why.status, str(problem))
    session.failed_logins = 0
    session.connection.slow = False
    session.protocol.authenticated_by_sasl()
    return replies.LOGGED_IN


def _failed(session: "Session") -> None:
    session.failed_logins += 1
    if session.failed_logins >= PATIENCE:
        session.connection.slow = True


async def _response(session: "Session") -> bytes:
    """The client's next line of an exchange. Raises SASLError."""
    session.protocol.expect_line()
    await session.flush()
    try:
        while isinstance(event := session.protocol.next_event(), NeedData):
            octets = await session.connection.receive()
            if not octets:
                raise SASLError(Fault.ABORTED, "connection ended")
            session.protocol.receive_data(octets)
    except ProtocolError as error:
        if error.fatal:
            raise
        raise SASLError(Fault.ENCODING, "response is not base64") from error
    except Closed as error:
        raise SASLError(Fault.ABORTED, "connection ended") from error
    if not isinstance(event, AuthResponse):
        raise SASLError(Fault.ABORTED, "given up")
    return event.octets
