"""Logging in: LOGIN and AUTHENTICATE (RFC 9051 §6.2.2, §6.2.3)."""

import base64
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from appliance.net.connection import Closed
from appliance.operations import login as verbs
from appliance.operations.actor import Actor
from appliance.operations.login import Attempt, LoginFailed, Situation, Why
from appliance.protocol.imap import command, response
from appliance.protocol.imap.connection import AuthResponse, CommandError
from appliance.protocol.lines import NeedData
from appliance.protocol.sasl.exchange import Fault, PasswordCredentials, SASLError
from appliance.protocol.sasl.mechanisms import MECHANISMS, announced
from appliance.store.records import LoginAttempt
from appliance.store.tables import AccountID

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: From the failed login after this one on, a connection is served slowly and waits.
PATIENCE: Final = 3

#: IMAP has a command for what the SASL mechanism LOGIN does.
_MECHANISMS: Final = frozenset(MECHANISMS) - {"LOGIN"}

#: Attempts held back at most.
_UNRECORDED: Final = 16

#: The tagged response to a login that came to nothing, and its response code (RFC 5530 §3).
RESPONSES: Final[dict[Why, tuple[str, str | None]]] = {
    Why.TLS_REQUIRED: ("NO", "PRIVACYREQUIRED"),
    Why.UNKNOWN_MECHANISM: ("NO", None),
    Why.ABORTED: ("BAD", None),
    Why.ENCODING: ("BAD", None),
    Why.MALFORMED: ("NO", None),
    Why.AUTHORIZATION: ("NO", "AUTHORIZATIONFAILED"),
    Why.FIRST_MESSAGE: ("NO", None),
    Why.FINAL_MESSAGE: ("NO", None),
    Why.BINDING: ("NO", "AUTHENTICATIONFAILED"),
    Why.WRONG: ("NO", "AUTHENTICATIONFAILED"),
    Why.CODE_WANTED: ("NO", "AUTHENTICATIONFAILED"),
    Why.WRONG_CODE: ("NO", "AUTHENTICATIONFAILED"),
    Why.TOO_MANY_CODES: ("NO", "UNAVAILABLE"),
    Why.NO_CERTIFICATE: ("NO", "AUTHENTICATIONFAILED"),
    Why.OTHER_ACCOUNT: ("NO", "AUTHENTICATIONFAILED"),
    Why.SECRETS_MISSING: ("NO", "CONTACTADMIN"),
    Why.DISABLED: ("NO", None),
    Why.TOO_MANY: ("NO", "UNAVAILABLE"),
    Why.INTERNAL: ("NO", "UNAVAILABLE"),
}


def user_agent(client: dict[str, str]) -> str:
    """One line from what a client says of itself with ID (RFC 2971 §3.3): `name/version (os os-version)`."""
    program = "/".join(client[key][:100] for key in ("name", "version") if key in client)
    system = " ".join(client[key][:50] for key in ("os", "os-version") if key in client)
    return f"{program} ({system})" if program and system else program or system


def refuses(session: "Session") -> bool:
    """Whether the connection is turned away for failed logins of its network."""
    return not verbs.may_try(session.app, "imap", session.connection.remote)


def _passwords_allowed(session: "Session") -> bool:
    return session.connection.tls is not None or session.door.plain_login


def capabilities(session: "Session") -> list[str]:
    """How a client may log in now (RFC 9051 §6.2.2, §7.2.2)."""
    passwords = _passwords_allowed(session)
    names = announced(passwords=passwords, certificate=session.certificate is not None)
    found = [f"AUTH={name}" for name in names if name in _MECHANISMS]
    return found if passwords else [*found, "LOGINDISABLED"]


async def login(session: "Session", tag: str, request: command.Login) -> None:
    """LOGIN."""
    credentials = PasswordCredentials(request.user, request.password)
    attempt, situation = _attempt(session, "login"), _situation(session)
    await _answered(session, tag, lambda: verbs.by_password(session.app, attempt, situation, credentials))


async def authenticate(session: "Session", tag: str, request: command.Authenticate) -> None:
    """AUTHENTICATE, with an initial response or without (RFC 4959)."""

    async def ask(challenge: bytes) -> bytes:
        session.say(b"+ " + base64.b64encode(challenge) + b"\r\n")
        return await _response(session)

    attempt, situation = _attempt(session, request.mechanism.lower()), _situation(session)
    await _answered(
        session,
        tag,
        lambda: verbs.authenticate(session.app, attempt, situation, request.mechanism, request.initial, ask),
    )


def _attempt(session: "Session", mechanism: str) -> Attempt:
    connection = session.connection
    return Attempt(
        "imap",
        mechanism,
        connection.remote,
        session.log,
        local=connection.local,
        tls=connection.tls,
        user_agent=session.user_agent,
        keep=partial(keep, session),
    )


def keep(session: "Session", account: AccountID, record: LoginAttempt, app_password: int | None) -> None:
    """Hold a record of an attempt back: many clients say what they are (RFC 2971) only after they have logged in."""
    session.unrecorded.append((account, record, app_password))
    if len(session.unrecorded) >= _UNRECORDED:
        write_down(session)


def write_down(session: "Session") -> None:
    """Write down what was held back, with what the client says it is."""
    for account, record, app_password in session.unrecorded:
        named = msgspec.structs.replace(record, user_agent=session.user_agent or record.user_agent)
        session.app.logins.note(account, named, app_password=app_password)
    session.unrecorded.clear()


def _situation(session: "Session") -> Situation:
    return Situation(
        passwords_allowed=_passwords_allowed(session),
        mechanisms=_MECHANISMS,
        hostname=session.door.hostname,
        tls=session.connection.tls_stream,
        certificate=session.certificate,
        offered_binding=True,
    )


async def _response(session: "Session") -> bytes:
    """The client's next line of an exchange. Raises SASLError."""
    session.protocol.expect_auth_response()
    await session.flush()
    try:
        while isinstance(event := session.protocol.next_event(), NeedData):
            if not await session.receive():
                raise SASLError(Fault.ABORTED, "connection ended")
    except CommandError as error:
        if error.fatal:
            raise
        raise SASLError(Fault.ENCODING, "response is not base64") from error
    except Closed as error:
        raise SASLError(Fault.ABORTED, "connection ended") from error
    if not isinstance(event, AuthResponse) or event.octets is None:
        raise SASLError(Fault.ABORTED, "given up")
    return event.octets


async def _answered(session: "Session", tag: str, attempt: Callable[[], Awaitable[Actor]]) -> None:
    """Make a login and say what came of it."""
    try:
        actor = await attempt()
    except LoginFailed as problem:
        await _failed(session, tag, problem)
        return
    session.failed_logins, session.connection.slow = 0, False
    logged_in(session, actor)
    session.ok(tag, "logged in", f"CAPABILITY {session.capabilities()}")


def logged_in(session: "Session", actor: Actor) -> None:
    """From now on the session is this actor's."""
    session.actor = actor
    session.protocol.authenticated = True
    session.subscription = session.app.store.subscribe(actor.account)
    session.log = session.log.bind(account=actor.name)


async def _failed(session: "Session", tag: str, problem: LoginFailed) -> None:
    if problem.why.is_clients_fault:
        session.failed_logins += 1
        if session.failed_logins > PATIENCE:
            with trio.move_on_after((session.failed_logins - PATIENCE) * session.connection.limits.slow_seconds):
                await session.app.shutdown.wait()
        if session.failed_logins >= PATIENCE:
            session.connection.slow = True
    kind, code = RESPONSES[problem.why]
    session.say(response.tagged(tag, kind, str(problem), code))
    if problem.why is Why.TOO_MANY:
        session.say(response.untagged("BYE", str(problem)))
        session.end()
