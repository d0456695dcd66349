"""Logging in: LOGIN and AUTHENTICATE (I-40 to I-52)."""

import base64
from typing import TYPE_CHECKING, Final

import trio

from appliance import __version__ as VERSION
from appliance.base.log import Phase
from appliance.base.problem import Problem
from appliance.operations import login as verbs
from appliance.operations.actor import Actor
from appliance.operations.login import Attempt, AuthenticationFailed, LoginDisabled
from appliance.protocol.imap import command, response
from appliance.protocol.imap.connection import AuthResponse
from appliance.protocol.lines import NeedData
from appliance.protocol.sasl.exchange import Challenge, Fault, PasswordCredentials, Plain, SASLError

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

#: From the failed login after this one on, a connection is served slowly and waits (I-13).
PATIENCE: Final = 3

__all__ = ["VERSION", "authenticate", "logged_in", "login", "refuses"]


def refuses(session: "Session") -> bool:
    """Whether the connection is turned away for failed logins of its network (I-10)."""
    return not verbs.may_try(session.app, "imap", session.connection.remote)


def _may_be_plain(session: "Session", tag: str) -> bool:
    if session.connection.tls is not None or session.door.plain_login:
        return True
    session.no(tag, "start TLS first", "PRIVACYREQUIRED")
    return False


async def login(session: "Session", tag: str, request: command.Login) -> None:
    """LOGIN."""
    if _may_be_plain(session, tag):
        await _check(session, tag, "login", PasswordCredentials(request.user, request.password))


async def authenticate(session: "Session", tag: str, request: command.Authenticate) -> None:
    """AUTHENTICATE; PLAIN for now."""
    attempt = _attempt(session, request.mechanism.lower())
    if request.mechanism != "PLAIN":
        verbs.failed(session.app, _attempt(session, "(unrecognized)"), "badprotocol")
        session.no(tag, "unknown mechanism")
        return
    if not _may_be_plain(session, tag):
        return
    exchange, initial = Plain(), request.initial
    try:
        while isinstance(step := exchange.step(initial), Challenge):
            session.say(b"+ " + base64.b64encode(step.octets) + b"\r\n")
            session.protocol.expect_auth_response()
            await session.flush()
            while isinstance(event := session.protocol.next_event(), NeedData):
                if not await session.receive():
                    return
            if not isinstance(event, AuthResponse) or event.octets is None:
                verbs.failed(session.app, attempt, "aborted")
                session.bad(tag, "given up")
                return
            initial = event.octets
    except SASLError as error:
        verbs.failed(session.app, attempt, "badprotocol")
        code = "AUTHORIZATIONFAILED" if error.fault is Fault.AUTHORIZATION else None
        await _failed(session, tag, str(error), code)
        return
    session.connection.phase = Phase.PLAIN
    await _check(session, tag, "plain", step)


def _attempt(session: "Session", mechanism: str) -> Attempt:
    return Attempt("imap", mechanism, session.connection.remote, session.log)


async def _check(session: "Session", tag: str, mechanism: str, credentials: PasswordCredentials) -> None:
    try:
        actor = await verbs.login(session.app, credentials, _attempt(session, mechanism))
    except AuthenticationFailed as problem:
        await _failed(session, tag, str(problem), "AUTHENTICATIONFAILED")
        return
    except LoginDisabled as problem:
        await _failed(session, tag, str(problem), None)
        return
    except Problem as problem:
        session.say(response.untagged("BYE", str(problem)))
        session.end()
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


async def _failed(session: "Session", tag: str, text: str, code: str | None) -> None:
    session.failed_logins += 1
    if session.failed_logins > PATIENCE:
        await trio.sleep(session.failed_logins - PATIENCE)
    if session.failed_logins >= PATIENCE:
        session.connection.slow = True
    session.no(tag, text, code)
