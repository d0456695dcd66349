"""Coming in to the admin pages."""

from collections.abc import Awaitable, Callable

from appliance.config.files import FileIdentity
from appliance.operations import adminpassword
from appliance.operations.login import LoginFailed
from appliance.operations.secondfactor import Proof
from appliance.servers.web.api import APIError, Call
from appliance.servers.web.login import AdminEntrance, attempt_of, logged_in, refuse_login, require_prepared
from appliance.servers.web.passkeys import PasskeyAnswer, answer_of, login_answer, login_asked
from appliance.servers.web.shown import Session


async def login(
    call: Call, login_token: str, password: str, code: str = "", passkey: PasskeyAnswer | None = None
) -> str:
    """Log in with the administrator's password; the token that calls must bring in `x-mox-csrf`.

    LoginToken is what LoginPrep returned. The error `user:codeWanted` asks to call again, with LoginPrep before and a
    code of the second factor, or with PasskeyLoginPrep before and a passkey.
    """
    require_prepared(call, login_token)
    proof = Proof(code, login_answer(call, login_token, passkey))
    attempt = attempt_of(call.app, call.entrance, call.client, "weblogin")
    return await _begin(call, lambda: adminpassword.log_in(call.app, attempt, password, proof))


async def passkey_login(call: Call, login_token: str, passkey: PasskeyAnswer) -> str:
    """Log in with a passkey alone, one that makes sure who uses it; the token that calls must bring in `x-mox-csrf`.

    LoginToken is what PasskeyLoginPrep returned.
    """
    require_prepared(call, login_token)
    answer = answer_of(passkey, login_asked(call, login_token))
    attempt = attempt_of(call.app, call.entrance, call.client, "passkey")
    return await _begin(call, lambda: adminpassword.log_in_by_passkey(call.app, attempt, answer))


async def _begin(call: Call, log_in: Callable[[], Awaitable[FileIdentity]]) -> str:
    entrance, client = call.entrance, call.client
    assert isinstance(entrance, AdminEntrance)
    try:
        file = await log_in()
    except adminpassword.NoAdminPassword as problem:
        raise APIError("user:error", str(problem)) from problem
    except LoginFailed as problem:
        raise await refuse_login(problem) from problem
    session = entrance.sessions.begin(file, remote_ip=str(client.address), user_agent=client.user_agent)
    return logged_in(call, session, "")


async def sessions(call: Call) -> list[Session]:
    """The browsers that are logged in as administrator, the one used last first."""
    assert isinstance(call.entrance, AdminEntrance)
    current = call.session.digest if call.session is not None else None
    return [Session.of(one) for one in call.entrance.sessions.listed(current)]


async def session_remove(call: Call, id: str) -> None:
    """Log a browser out."""
    assert isinstance(call.entrance, AdminEntrance)
    call.entrance.sessions.end_named(id)
