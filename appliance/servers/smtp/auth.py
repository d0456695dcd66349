"""Who submits: SASL on the submission door, and which senders an account may use (S-50 to S-58, S-69)."""

import base64
from typing import TYPE_CHECKING, Final

import trio

from appliance.config.addresses import Disabled, Found
from appliance.mail.address import Path
from appliance.mail.domain import Domain
from appliance.mail.status import Status
from appliance.operations import login
from appliance.operations.login import Attempt, AuthenticationFailed, LoginDisabled, TooManyFailures
from appliance.protocol.lines import NeedData
from appliance.protocol.sasl.exchange import Challenge, Exchange, Fault, Login, PasswordCredentials, Plain, SASLError
from appliance.protocol.smtp import command
from appliance.protocol.smtp.reply import ProtocolError, Reply
from appliance.protocol.smtp.server import AuthResponse
from appliance.servers.smtp import replies

if TYPE_CHECKING:
    from appliance.servers.smtp.session import Session

_EXCHANGES: Final[dict[str, type[Plain] | type[Login]]] = {"PLAIN": Plain, "LOGIN": Login}

#: From the failed login after this one on, a connection is served slowly and waits (S-30, S-32).
PATIENCE: Final = 3


def refuses(session: "Session") -> bool:
    """Whether the connection is turned away for failed logins of its network (S-10)."""
    submission = session.door.protocol.submission
    return submission and not login.may_try(session.app, "submission", session.connection.remote)


def mechanisms(session: "Session") -> list[str]:
    """Mechanisms that may be used now, preferred first (S-50)."""
    if not session.door.protocol.submission:
        return []
    return list(_EXCHANGES) if session.connection.tls is not None or session.door.plain_login else []


async def authenticate(session: "Session", event: command.Auth) -> Reply:
    """One exchange."""
    if not session.door.protocol.submission:
        return Reply(503, Status(5, 5, 1), "no logins here, use the submission port")
    if session.actor is not None:
        return Reply(503, Status(5, 5, 1), "already logged in")
    if session.failed_logins > PATIENCE:
        with trio.move_on_after(session.failed_logins - PATIENCE):
            await session.app.shutdown.wait()
    attempt = Attempt("submission", event.mechanism.lower(), session.connection.remote, session.log)
    kind = _EXCHANGES.get(event.mechanism)
    if kind is None:
        login.failed(session.app, Attempt("submission", "(unrecognized)", attempt.remote, attempt.log), "badprotocol")
        return _failed(session, Reply(504, Status(5, 5, 4), "unknown mechanism"))
    if session.connection.tls is None and not session.door.plain_login:
        return Reply(538, Status(5, 7, 11), "start TLS first")
    try:
        credentials = await _exchange(session, kind(), event.initial)
        if credentials is None:
            login.failed(session.app, attempt, "aborted")
            return _failed(session, Reply(501, Status(5, 5, 0), "given up"))
        session.actor = await login.login(session.app, credentials, attempt)
    except SASLError as error:
        login.failed(session.app, attempt, "badprotocol")
        malformed = error.fault is Fault.MALFORMED
        return _failed(session, Reply(501, Status(5, 5, 4), str(error)) if malformed else _WRONG)
    except ProtocolError as error:
        login.failed(session.app, attempt, "badprotocol")
        return _failed(session, error.reply)
    except AuthenticationFailed:
        return _failed(session, _WRONG)
    except (LoginDisabled, TooManyFailures) as problem:
        return _failed(session, replies.of_problem(problem))
    session.failed_logins = 0
    session.connection.slow = False
    session.protocol.authenticated_by_sasl()
    return replies.LOGGED_IN


_WRONG: Final = Reply(535, Status(5, 7, 8), "wrong user name or password")


def _failed(session: "Session", reply: Reply) -> Reply:
    session.failed_logins += 1
    if session.failed_logins >= PATIENCE:
        session.connection.slow = True
    return reply


async def _exchange(session: "Session", exchange: Exchange, response: bytes | None) -> PasswordCredentials | None:
    """Challenges and responses until there are credentials; None when the client gives up."""
    while True:
        step = exchange.step(response)
        if not isinstance(step, Challenge):
            return step
        session.say(Reply(334, None, base64.b64encode(step.octets).decode()))
        session.protocol.expect_line()
        await session.flush()
        while isinstance(event := session.protocol.next_event(), NeedData):
            octets = await session.connection.receive()
            if not octets:
                return None
            session.protocol.receive_data(octets)
        if not isinstance(event, AuthResponse):
            return None
        response = event.octets


def may_send_from(session: "Session", path: Path) -> Reply | None:
    """The refusal of a MAIL path that the account may not use; None when it may (S-69)."""
    actor = session.actor
    if actor is None:
        return Reply(530, Status(5, 7, 0), "log in first")
    if path.is_null:
        return None
    if not isinstance(path.domain, Domain):
        return Reply(550, Status(5, 7, 1), "not an address of this account")
    index = session.config.derived.addresses
    found = index.lookup(path)
    if isinstance(found, Disabled):
        return Reply(451, Status(4, 3, 0), "the sender's domain is disabled for now")
    if isinstance(found, Found) and found.account == actor.name:
        return None
    return Reply(550, Status(5, 7, 1), "not an address of this account")
