"""Sessions of browsers: cookies, tokens against forged requests, and who is let in.

A login begins with a token that the page gets both as an answer and as a cookie, so that no other site can log somebody
in. A session is a cookie that no script sees and that goes to this site alone; each call brings another token beside
it, which no other site knows. Guesses count against the network they come from, like failed logins everywhere.
"""

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote, unquote

import trio

from appliance.base import limits
from appliance.base.log import Log
from appliance.delivery.appliance import Appliance
from appliance.net.limiter import Address
from appliance.operations import apitokens, login, websessions
from appliance.operations.actor import Actor
from appliance.operations.apitokens import FoundToken
from appliance.operations.login import Attempt, LoginFailed, Why
from appliance.operations.passkeys import Challenges
from appliance.operations.websessions import AdminSessions, Found, NewSession
from appliance.servers.web.api import APIError, Call, Client, Entrance
from appliance.servers.web.asgi import Scope
from appliance.servers.web.passkeys import PasskeyLogin, login_asked, question

log = Log("web")

#: In headers of calls; forms have a field `csrf`.
CSRF_HEADER: Final = b"x-mox-csrf"
#: How long a login may take from its first step to the second, and what a wrong one waits.
PREPARED_SECONDS: Final = 30
WRONG_SECONDS: Final = 1
_LOGIN_TOKEN_OCTETS: Final = 8


class AccountEntrance:
    """Sessions of accounts, of one application."""

    def __init__(self, app: Appliance, application: str) -> None:
        self._app = app
        self.application = application
        self.name = application if application.startswith("web") else f"web{application}"
        self.challenges = Challenges(app.clock, app.random)

    def find(self, cookie: str) -> Found | None:
        """The session that the value of a cookie stands for."""
        token, _, account = cookie.partition(" ")
        return websessions.find(self._app, self.application, unquote(account), token)

    async def used(self, found: Found) -> None:
        """It was used, and lasts longer."""
        assert found.actor is not None
        await websessions.used(self._app, found.actor, found.digest)

    async def end(self, found: Found) -> None:
        """End it."""
        assert found.actor is not None
        await websessions.end(self._app, found.actor, found.digest)

    async def begin(self, call: Call, actor: Actor, since: int) -> NewSession:
        """Begin one. Raises NoSuchSession."""
        client = call.client
        return await websessions.begin(
            self._app,
            self.application,
            actor,
            since=since,
            remote_ip=str(client.address),
            user_agent=client.user_agent,
        )


class AdminEntrance:
    """Sessions of the administrator."""

    name = "webadmin"

    def __init__(self, app: Appliance) -> None:
        self._app = app
        self.sessions = AdminSessions(app.clock, app.random)
        self.challenges = Challenges(app.clock, app.random)

    def find(self, cookie: str) -> Found | None:
        """The session that the value of a cookie stands for."""
        return self.sessions.find(self._app.config.snapshot(), cookie.partition(" ")[0])

    async def used(self, found: Found) -> None:
        """It was used, and lasts longer."""
        self.sessions.used(found.digest)

    async def end(self, found: Found) -> None:
        """End it."""
        self.sessions.end(found.digest)


# Who asks.


def client_of(scope: Scope) -> Client:
    """The client of a request, of which a proxy before us may know more."""
    headers: dict[bytes, str] = {name: value.decode("latin-1") for name, value in scope["headers"]}
    address: Address = scope["state"]["client"]
    secure = scope["scheme"] in {"https", "wss"}
    if scope["state"]["target"].forwarded:
        secure = headers.get(b"x-forwarded-proto", "").strip().lower() == "https"
    return Client(address, secure, headers.get(b"user-agent", ""), _cookies(scope), headers.get(b"host", ""))


def _cookies(scope: Scope) -> dict[str, str]:
    """Our cookies; the values are not to be trusted."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, text = pair.strip().partition("=")
                found.setdefault(key, text.removeprefix('"').removesuffix('"'))
    return found


def cookie(call: Call, kind: str, value: str, seconds: int | None = None) -> str:
    """A Set-Cookie field: no script sees it, no other site sends it; without a time it ends with the browser."""
    made: SimpleCookie = SimpleCookie()
    name = f"{call.entrance.name}{kind}"
    try:
        made[name] = value
    except CookieError as error:  # pragma: no cover, the values are our own.
        raise ValueError("not a value of a cookie") from error
    made[name]["path"] = call.root
    made[name]["httponly"] = True
    made[name]["samesite"] = "Strict"
    if call.client.is_secure:
        made[name]["secure"] = True
    if seconds is not None:
        made[name]["max-age"] = seconds
    return made[name].OutputString()


# Logging in and out.


async def login_prep(call: Call) -> str:
    """Begin a login: a token that Login wants to see again, within half a minute."""
    token = websessions.new_token(call.app.random, _LOGIN_TOKEN_OCTETS)
    call.set_cookies.append(cookie(call, "login", token, PREPARED_SECONDS))
    return token


async def passkey_login_prep(call: Call) -> PasskeyLogin:
    """Ask for a passkey, for PasskeyLogin, or for Login beside a password; LoginToken is as from LoginPrep."""
    token = websessions.new_token(call.app.random, _LOGIN_TOKEN_OCTETS)
    asked = question(login_asked(call, token))
    call.set_cookies.append(cookie(call, "login", token, limits.PASSKEY_SECONDS))
    return PasskeyLogin(
        challenge=asked.challenge, relying_party=asked.relying_party, seconds=asked.seconds, login_token=token
    )


def require_prepared(call: Call, token: str) -> None:
    """Whether this login was begun by the same browser, and by a page of ours. Raises APIError."""
    prepared = call.client.cookies.get(f"{call.entrance.name}login", "")
    if not prepared or not hmac.compare_digest(prepared.encode(), token.encode("utf-8", "surrogatepass")):
        raise APIError("user:error", "the login took too long, or cookies are not allowed; try again")


def attempt_of(app: Appliance, entrance: Entrance, client: Client, mechanism: str) -> Attempt:
    """For limits, counters, logs and the record."""
    return Attempt(entrance.name, mechanism, client.address, log, user_agent=client.user_agent)


async def refuse_login(problem: LoginFailed) -> APIError:
    """What a page is told of a login that came to nothing; guesses take their time."""
    match problem.why:
        case Why.CODE_WANTED:
            return APIError("user:codeWanted", str(problem))
        case Why.TOO_MANY | Why.TOO_MANY_CODES:
            return APIError("user:error", str(problem))
        case Why.INTERNAL:
            return APIError("server:error", str(problem))
    await trio.sleep(WRONG_SECONDS)
    return APIError("user:loginFailed", str(problem))


def logged_in(call: Call, session: NewSession, account: str) -> str:
    """Put the cookies of a new session into the response; the token for calls."""
    call.set_cookies.append(cookie(call, "session", f"{session.token} {quote(account, safe='')}"))
    call.set_cookies.append(cookie(call, "login", "", 0))
    return session.csrf


async def logout(call: Call) -> None:
    """End the session of this browser."""
    if call.session is not None:
        await call.entrance.end(call.session)
    call.set_cookies.append(cookie(call, "session", "", 0))


# Sessions.


class Refused(Exception):
    """No session, or not a good one."""

    def __init__(self, error: APIError, *, status: int = 200) -> None:
        super().__init__(str(error))
        self.error = error
        #: Of an answer to a call; other requests get 403.
        self.status = status


def session_cookie(entrance: Entrance, client: Client) -> str:
    """What the client says of its session; empty when it says nothing."""
    return client.cookies.get(f"{entrance.name}session", "")


async def require_session(app: Appliance, entrance: Entrance, client: Client, csrf: str | None) -> Found:
    """The session of a request. `csrf`: the token it brought, None where the cookie is enough. Raises Refused."""
    value = session_cookie(entrance, client)
    if not value or csrf == "":
        raise Refused(APIError("user:noAuth", "log in first"))
    found = entrance.find(value)
    if found is None or (csrf is not None and not found.knows(csrf)):
        _require_patience(app, entrance, client)
        account = unquote(value.partition(" ")[2])
        attempt = attempt_of(app, entrance, client, "websession")
        login.failed(app, attempt, "badcreds", account, found.actor if found else None)
        await trio.sleep(WRONG_SECONDS)
        raise Refused(APIError("user:badAuth", "this session is over, log in again"))
    await entrance.used(found)
    return found


def _require_patience(app: Appliance, entrance: Entrance, client: Client) -> None:
    """Whoever has a good session is let in, whatever others of his network do. Raises Refused."""
    if not login.may_try(app, entrance.name, client.address):
        raise Refused(APIError("user:error", str(LoginFailed(Why.TOO_MANY))), status=429)


async def require_token(app: Appliance, entrance: Entrance, client: Client, token: str) -> FoundToken:
    """What a token of a script is good for. Raises Refused."""
    found = await apitokens.find(app, token, for_admin=isinstance(entrance, AdminEntrance))
    if found is None:
        _require_patience(app, entrance, client)
        login.failed(app, attempt_of(app, entrance, client, "bearer"), "badcreds")
        await trio.sleep(WRONG_SECONDS)
        raise Refused(APIError("user:badAuth", "this token is not good here, or not any more"))
    return found
