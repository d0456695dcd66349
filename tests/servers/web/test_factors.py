"""Second factors at logins, and tokens of scripts."""

import base64
from ipaddress import ip_address

import pytest

from appliance.base import limits
from appliance.base.log import Log
from appliance.operations import accounts as verbs, apppasswords, login, secondfactor
from appliance.operations.login import Attempt, LoginFailed, Situation
from appliance.operations.secondfactor import hotp, step_of
from appliance.protocol.sasl.exchange import PasswordCredentials
from appliance.store import account as accounts
from support import webhouse
from support.webhouse import USER

HOUR = 3600
RFC = b"12345678901234567890"


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_vectors(seconds, code):
    """RFC 6238 appendix B, the last six of its eight digits."""
    assert hotp(RFC, seconds // 30) == code
    step = seconds // 30
    assert step_of(RFC, code, seconds, 0) == step
    assert step_of(RFC, code, seconds + 30, 0) == step
    assert step_of(RFC, code, seconds - 30, 0) == step
    assert step_of(RFC, code, seconds + 90, 0) is None
    assert step_of(RFC, code, seconds, step) is None


@pytest.mark.parametrize(
    ("counter", "code"), list(enumerate("755224 287082 359152 969429 338314 254676 287922".split()))
)
def test_vectors_of_hotp(counter, code):
    """RFC 4226 appendix D."""
    assert hotp(RFC, counter) == code


class Device:
    """A program that makes codes."""

    def __init__(self, house, secret: str) -> None:
        self.house, self.secret = house, base64.b32decode(secret)

    def code(self) -> str:
        """One that was not used yet."""
        self.house.clock.move(60)
        return hotp(self.secret, int(self.house.clock.now().timestamp()) // 30)


async def enrolled(house, browser) -> tuple[Device, list[str]]:
    offer = (await browser.call("TOTPBegin")).result
    assert offer["URI"].startswith("otpauth://totp/mail.example:")
    assert f"secret={offer['Secret']}" in offer["URI"]
    assert offer["QRCode"].startswith("data:image/svg+xml")
    device = Device(house, offer["Secret"])
    codes = (await browser.call("TOTPConfirm", offer["Secret"], device.code())).result
    return device, codes


@pytest.mark.parametrize("application", ["account", "admin"])
async def test_logins_with_codes(house, application):
    browser = await house.logged_in(application)
    device, recovery = await enrolled(house, browser)
    info = (await browser.call("SecondFactor")).result
    assert (info["TOTP"], info["RecoveryCodesLeft"]) == (True, 10)
    other = house.browser(application, address="203.0.113.1")
    assert (await other.log_in()).code == "user:codeWanted"
    assert (await other.log_in("wrong password")).code == "user:loginFailed", "the password comes first"
    code = device.code()
    assert (await other.log_in(code=code)).result
    assert (await other.log_in(code=code)).code == "user:loginFailed", "no code is good twice"
    assert (await other.log_in(code=f" {device.code()[:3]} {hotp(device.secret, 0)} ")).code == "user:loginFailed"
    spaced = device.code()
    assert (await other.log_in(code=f"{spaced[:3]} {spaced[3:]}")).result
    assert (await other.log_in(code=recovery[0].upper())).result
    assert (await other.log_in(code=recovery[0])).code == "user:loginFailed"
    assert (await other.call("SecondFactor")).result["RecoveryCodesLeft"] == 9


async def test_enrolling_needs_a_right_code(house):
    browser = await house.logged_in()
    offer = (await browser.call("TOTPBegin")).result
    assert "clock" in (await browser.call("TOTPConfirm", offer["Secret"], "000000")).message
    assert "not one" in (await browser.call("TOTPConfirm", "AAAA", "000000")).message
    assert "not one" in (await browser.call("TOTPConfirm", "\u00e4", "000000")).message
    assert not (await browser.call("SecondFactor")).result["TOTP"]
    device, _ = await enrolled(house, browser)
    again = (await browser.call("TOTPBegin")).result
    code = Device(house, again["Secret"]).code()
    assert "already" in (await browser.call("TOTPConfirm", again["Secret"], code)).message
    assert (await house.browser().log_in(code=device.code())).result


async def test_removal_and_renewal_need_a_code(house):
    browser = await house.logged_in()
    assert "no second factor" in (await browser.call("TOTPRemove", "000000")).message
    device, recovery = await enrolled(house, browser)
    for function in ("TOTPRemove", "RecoveryCodesRenew"):
        assert "wrong" in (await browser.call(function, "000000")).message
        assert "wrong" in (await browser.call(function, "")).message
    renewed = (await browser.call("RecoveryCodesRenew", recovery[3])).result
    assert "wrong" in (await browser.call("TOTPRemove", recovery[4])).message
    assert not set(renewed) & set(recovery)
    assert (await browser.call("TOTPRemove", device.code())).result is None
    assert (await house.browser().log_in()).result


async def test_wrong_codes_are_counted(house):
    """For the account, from wherever they come; an hour later its owner gets in."""
    device, recovery = await enrolled(house, await house.logged_in())
    for number in range(limits.WRONG_CODES):
        guesser = house.browser(address=f"198.51.{number}.1")
        assert (await guesser.log_in(code="000000")).code == "user:loginFailed"
    owner = house.browser(address="203.0.113.1")
    for code in (device.code(), recovery[0]):
        answer = await owner.log_in(code=code)
        assert (answer.code, "hour" in answer.message) == ("user:error", True)
    house.clock.move(HOUR)
    assert (await owner.log_in(code=device.code())).result


async def test_removed_by_the_operator(house):
    await enrolled(house, await house.logged_in())
    await secondfactor.remove_all(house.app, house.number())
    assert (await house.browser().log_in()).result
    with pytest.raises(secondfactor.NoSecondFactor):
        await secondfactor.remove_all(house.app, house.number())


async def by_imap(house, password: str, protocol: str = "imap") -> str:
    """What a mail program is told."""
    attempt = Attempt(protocol, "plain", ip_address("192.0.2.99"), Log("test"))
    try:
        await login.by_password(
            house.app, attempt, Situation(passwords_allowed=True), PasswordCredentials(USER, password)
        )
    except LoginFailed as problem:
        return str(problem)
    return "ok"


@pytest.mark.parametrize("protocol", ["imap", "submission", "webapi"])
async def test_mail_programs(house, protocol):
    browser = await house.logged_in()
    await enrolled(house, browser)
    assert await by_imap(house, webhouse.PASSWORD, protocol) == "ok"
    assert (await browser.call("AppPasswordsOnlySave", True)).result is None
    assert (await browser.call("SecondFactor")).result["AppPasswordsOnly"]
    # The same as for a wrong one: who guesses there must not learn that he was right.
    assert await by_imap(house, webhouse.PASSWORD, protocol) == await by_imap(house, "wrong password", protocol)
    new = await apppasswords.add(house.app, "alice", "phone")
    assert await by_imap(house, new.password, protocol) == "ok"
    assert (await browser.call("AppPasswordsOnlySave", False)).result is None
    assert await by_imap(house, webhouse.PASSWORD, protocol) == "ok"


async def test_an_account_goes_with_what_it_had(house):
    bob = house.browser()
    await bob.log_in(user="bob@example.org")
    await enrolled(house, bob)
    assert (await bob.call("APITokenAdd", "x", ["read"])).result
    number = house.number("bob")
    await verbs.remove(house.app, "bob")
    assert (await bob.call("Version")).code == "user:badAuth"
    while not await house.app.store.write(accounts.remove_part, "bob", 2):
        pass
    # That nothing is left is looked at when the store is closed.
    assert not secondfactor.get(house.app, number).secret


# Tokens.


def bearer(house, token: str, application: str = "account", **options):
    return house.browser(application, headers={"authorization": f"Bearer {token}"}, **options)


async def test_tokens(house):
    browser = await house.logged_in()
    reading = (await browser.call("APITokenAdd", "statistics", ["read"])).result
    house.clock.move(1)
    changing = (await browser.named("APITokenAdd", Label="sync", Scopes=["change"], ExpiresIn=HOUR * 10**9)).result
    reader, changer = bearer(house, reading["Token"]), bearer(house, changing["Token"])
    assert (await reader.call("Account")).result["Name"] == "alice"
    assert (await changer.call("Account")).result["Name"] == "alice"
    assert "not for this: change" in (await reader.call("AccountSaveFullName", "x")).message
    assert (await changer.call("AccountSaveFullName", "Alice")).result is None
    for one in (reader, changer):
        for function in ("SetPassword", "APITokenList", "Sessions", "TOTPBegin", "AppPasswordAdd", "Logout"):
            assert "not for this: guard" in (await one.call(function)).message
    listed = (await browser.call("APITokenList")).result
    assert [(one["Label"], one["Scopes"]) for one in listed] == [("statistics", ["read"]), ("sync", ["change"])]
    assert listed[0]["LastUsed"] is not None
    assert reading["Token"] not in str(listed)
    house.clock.move(HOUR + 1)
    assert (await changer.call("Account")).code == "user:badAuth"
    assert (await browser.call("APITokenRemove", reading["ID"])).result is None
    assert (await reader.call("Account")).code == "user:badAuth"
    assert "no such token" in (await browser.call("APITokenRemove", reading["ID"])).message


async def test_tokens_of_the_administrator(house):
    admin, browser = await house.logged_in("admin"), await house.logged_in()
    token = (await admin.call("APITokenAdd", "monitoring", ["read"])).result["Token"]
    assert (await bearer(house, token, "admin").call("Domains")).result
    assert (await bearer(house, token, "account").call("Account")).code == "user:badAuth"
    own = (await browser.call("APITokenAdd", "x", ["change"])).result["Token"]
    assert (await bearer(house, own, "admin").call("Domains")).code == "user:badAuth"
    stolen = own.replace(own.split("_")[1], "0", 1)
    assert (await bearer(house, stolen, "admin").call("Domains")).code == "user:badAuth"


async def test_tokens_of_who_may_not_log_in(house):
    browser = await house.logged_in()
    token = (await browser.call("APITokenAdd", "x", ["read"])).result["Token"]
    await verbs.disable(house.app, "alice", "go away")
    assert (await bearer(house, token).call("Account")).code == "user:badAuth"
    await verbs.enable(house.app, "alice")
    assert (await bearer(house, token).call("Account")).result


@pytest.mark.parametrize("token", ["", "x", "moxpy_1_" + "A" * 43, "moxpy_ffffffff_" + "A" * 43, "\xff" * 100])
async def test_what_is_no_token(house, token):
    assert (await bearer(house, token).call("Account")).code == "user:badAuth"


async def test_guesses_of_tokens_are_limited(house):
    guesser = bearer(house, "moxpy_1_" + "A" * 43)
    for _ in range(10):
        assert (await guesser.call("Account")).code == "user:badAuth"
    assert (await guesser.call("Account")).status == 429


@pytest.mark.parametrize(
    ("label", "scopes", "message"),
    [
        ("", ["read"], "label"),
        ("x\n", ["everything"], "no scope"),
        ("x", [], "no scope"),
        ("x\ny", ["read"], "printable"),
    ],
)
async def test_tokens_that_cannot_be(house, label, scopes, message):
    assert message in (await (await house.logged_in()).call("APITokenAdd", label, scopes)).message


async def test_tokens_are_bounded(house, monkeypatch):
    monkeypatch.setattr(limits, "API_TOKENS", 2)
    browser = await house.logged_in()
    for _ in range(2):
        assert (await browser.call("APITokenAdd", "x", ["read"])).result
    assert "2 tokens" in (await browser.call("APITokenAdd", "x", ["read"])).message
