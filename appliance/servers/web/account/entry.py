"""Coming in to the account pages."""

from typing import Final

from appliance.mail.nfc import nfc
from appliance.operations import login as verbs, passkeys, secondfactor
from appliance.operations.actor import Actor
from appliance.operations.login import LoginFailed, Situation
from appliance.operations.secondfactor import Proof
from appliance.operations.websessions import NoSuchSession
from appliance.protocol.sasl.exchange import PasswordCredentials
from appliance.servers.web.api import APIError, Call
from appliance.servers.web.login import AccountEntrance, attempt_of, logged_in, refuse_login, require_prepared
from appliance.servers.web.passkeys import PasskeyAnswer, answer_of, login_answer, login_asked
from appliance.store.tables import NOBODY

#: A longer one is no address.
_USERNAME_CHARACTERS: Final = 1000


async def login(
    call: Call, login_token: str, username: str, password: str, code: str = "", passkey: PasskeyAnswer | None = None
) -> str:
    """Log in with an address and the account's password; the token that calls must bring in `x-mox-csrf`.

    LoginToken is what LoginPrep returned. The error `user:codeWanted` asks to call again, with LoginPrep before and a
    code of the second factor, or with PasskeyLoginPrep before and a passkey.
    """
    require_prepared(call, login_token)
    proof = Proof(code, login_answer(call, login_token, passkey))
    app, entrance = call.app, call.entrance
    assert isinstance(entrance, AccountEntrance)
    since = app.clock.microseconds()
    attempt = attempt_of(app, entrance, call.client, "weblogin")
    credentials = PasswordCredentials(nfc(username[:_USERNAME_CHARACTERS]), password)

    async def confirm(actor: Actor) -> None:
        # App passwords are for programs, which cannot ask for a code.
        if actor.app_password is None:
            await secondfactor.require(app, actor.account, proof)

    try:
        # The operator serves these pages without TLS only where he means to.
        actor = await verbs.by_password(app, attempt, Situation(passwords_allowed=True), credentials, confirm)
        session = await entrance.begin(call, actor, since)
    except LoginFailed as problem:
        raise await refuse_login(problem) from problem
    except NoSuchSession as problem:
        raise APIError("user:loginFailed", str(problem)) from problem
    return logged_in(call, session, actor.name)


async def passkey_login(call: Call, login_token: str, passkey: PasskeyAnswer) -> str:
    """Log in with a passkey alone, one that makes sure who uses it; the token that calls must bring in `x-mox-csrf`.

    LoginToken is what PasskeyLoginPrep returned.
    """
    require_prepared(call, login_token)
    app, entrance = call.app, call.entrance
    assert isinstance(entrance, AccountEntrance)
    since = app.clock.microseconds()
    answer = answer_of(passkey, login_asked(call, login_token))
    account = passkeys.account_of(answer.handle) or NOBODY
    known = None if account == NOBODY else passkeys.find(app, account, answer.credential)
    attempt = attempt_of(app, entrance, call.client, "passkey")

    async def prove() -> None:
        await secondfactor.require_verified(app, account, answer)

    try:
        address = "" if known is None else known.login_address
        actor = await verbs.by_passkey(app, attempt, account, address, prove)
        session = await entrance.begin(call, actor, since)
    except LoginFailed as problem:
        raise await refuse_login(problem) from problem
    except NoSuchSession as problem:
        raise APIError("user:loginFailed", str(problem)) from problem
    return logged_in(call, session, actor.name)
