"""Who asks: a browser with a session of the webmail, a program with a password, or a script with a token."""

from base64 import b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass

from appliance.base.log import Log
from appliance.delivery.appliance import Appliance
from appliance.operations import apitokens, login
from appliance.operations.actor import Actor
from appliance.operations.login import Attempt, LoginFailed, Situation, Why
from appliance.operations.websessions import Found, digest
from appliance.protocol.sasl.exchange import PasswordCredentials
from appliance.servers.web.api import APIError, Client
from appliance.servers.web.asgi import Scope
from appliance.servers.web.login import (
    CSRF_HEADER,
    AccountEntrance,
    Refused,
    require_session,
    require_token,
    session_cookie,
)

log = Log("jmap")

#: What app passwords are for, and logins counted as.
PROTOCOL = "jmap"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is."""

    actor: Actor
    #: It may not change anything.
    is_read_only: bool = False
    #: The digest of the token it is made with.
    token: bytes | None = None
    #: The session of a browser it is of.
    session: Found | None = None
    #: The value of that session's cookie.
    cookie: str = ""

    def goes_on(self, app: Appliance, entrance: AccountEntrance) -> bool:
        """Whether a stream for it may go on; what ends a login with a password expels it (`Sessions`)."""
        if self.token is not None:
            return apitokens.is_good(app, self.actor, self.token)
        return not self.cookie or entrance.find(self.cookie) is not None


def field(scope: Scope, wanted: bytes) -> str:
    """A header field, by its name in lower case; empty when it is absent."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


async def authenticate(
    app: Appliance, entrance: AccountEntrance, scope: Scope, client: Client, *, with_csrf: bool
) -> Caller:
    """Whose request it is. `with_csrf`: a browser must show its token, too. Raises Refused."""
    scheme, _, token = field(scope, b"authorization").partition(" ")
    match scheme.lower():
        case "basic":
            return Caller(await _by_password(app, client, token))
        case "bearer":
            found = await require_token(app, entrance, client, token.strip())
            assert found.actor is not None
            return Caller(found.actor, is_read_only="change" not in found.scopes, token=digest(token.strip()))
        case "":
            csrf = field(scope, CSRF_HEADER) if with_csrf else None
            session = await require_session(app, entrance, client, csrf)
            assert session.actor is not None
            return Caller(session.actor, session=session, cookie=session_cookie(entrance, client))
        case _:
            raise Refused(APIError("user:badAuth", "authenticate with Basic or Bearer"), status=401)


async def _by_password(app: Appliance, client: Client, token: str) -> Actor:
    """RFC 7617 §2. Raises Refused."""
    try:
        user, colon, password = b64decode(token.strip(), validate=True).decode("utf-8", "replace").partition(":")
    except (NotBase64, ValueError):
        colon = ""
    if not colon:
        raise Refused(APIError("user:badAuth", "these are no credentials"), status=401)
    attempt = Attempt(PROTOCOL, "httpbasic", client.address, log, user_agent=client.user_agent)
    try:
        # An operator who has it without TLS has a proxy in front, or knows his network.
        return await login.by_password(
            app, attempt, Situation(passwords_allowed=True), PasswordCredentials(user, password)
        )
    except LoginFailed as problem:
        status = {Why.TOO_MANY: 429, Why.INTERNAL: 503}.get(problem.why, 401)
        raise Refused(APIError("user:badAuth", str(problem)), status=status) from problem
