"""Coming in to the admin pages."""

from appliance.operations import adminpassword
from appliance.operations.login import LoginFailed
from appliance.servers.web.api import APIError, Call
from appliance.servers.web.login import AdminEntrance, attempt_of, logged_in, refuse_login, require_prepared
from appliance.servers.web.shown import Session


async def login(call: Call, login_token: str, password: str, code: str = "") -> str:
    """Log in with the administrator's password; the token that calls must bring in `x-mox-csrf`.

    LoginToken is what LoginPrep returned. The error `user:codeWanted` asks to call again, with LoginPrep before, and
    with a code of the second factor.
    """
    require_prepared(call, login_token)
    entrance, client = call.entrance, call.client
    assert isinstance(entrance, AdminEntrance)
    try:
        file = await adminpassword.log_in(call.app, attempt_of(call.app, entrance, client, "weblogin"), password, code)
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
