"""Passkeys: added, shown beside a password and alone, taken away; and all that must not pass for one."""

import pytest

from appliance.base import limits
from appliance.operations import accounts as verbs, secondfactor
from appliance.operations.passkeys import NoPasskeysHere, Place
from support import authenticator, webhouse
from support.authenticator import Authenticator

HOST = {"host": "mail.example"}


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


async def with_passkey(house, application="account", **options):
    """A browser that is logged in, an authenticator with a passkey, and the recovery codes."""
    browser = await house.logged_in(application, headers=dict(HOST))
    device = Authenticator(**options)
    codes = await add(browser, device)
    return browser, device, codes.result


async def add(browser, device, name="Laptop", *proof):
    offer = await browser.call("PasskeyBegin", *proof)
    if "error" in offer.json:
        return offer
    return await browser.call("PasskeyAdd", name, device.make(offer.result))


async def shown(browser, device):
    return device.answer((await browser.call("PasskeyAsk")).result)


async def log_in(browser, device, password=None, user=webhouse.USER):
    """With a passkey alone, or beside a password."""
    asked = (await browser.call("PasskeyLoginPrep")).result
    answer = device.answer(asked)
    if password is None:
        done = await browser.named("PasskeyLogin", LoginToken=asked["LoginToken"], Passkey=answer)
    else:
        who = {"Username": user} if browser.application == "account" else {}
        done = await browser.named("Login", LoginToken=asked["LoginToken"], Password=password, Passkey=answer, **who)
    if "result" in done.json:
        browser.csrf = done.result
    return done


def other(house, application="account"):
    return house.browser(application, address="203.0.113.1", headers=dict(HOST))


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
@pytest.mark.parametrize("application", ["account", "admin"])
async def test_logins(house, application, algorithm):
    browser, device, codes = await with_passkey(house, application, algorithm=algorithm)
    assert len(codes) == 10
    info = (await browser.call("SecondFactor")).result
    (listed,) = info["Passkeys"]
    assert (listed["Name"], listed["Host"], listed["LastUsed"]) == ("Laptop", "mail.example", None)
    assert (info["TOTP"], info["RecoveryCodesLeft"]) == (False, 10)
    right = webhouse.ADMIN_PASSWORD if application == "admin" else webhouse.PASSWORD
    assert (await other(house, application).log_in()).code == "user:codeWanted"
    alone = other(house, application)
    assert (await log_in(alone, device)).result
    assert (await alone.call("SecondFactor")).result["Passkeys"][0]["LastUsed"] is not None
    beside = other(house, application)
    assert (await log_in(beside, device, right)).result
    assert (await beside.call("Sessions")).result
    assert (await log_in(other(house, application), device, "wrong password")).code == "user:loginFailed"
    assert (await other(house, application).log_in(code=codes[0])).result


async def test_one_that_does_not_ask_who_uses_it(house):
    """It is good beside a password, and not alone."""
    _, device, _ = await with_passkey(house, flags=authenticator.UP)
    refused = await log_in(other(house), device)
    assert (refused.code, "password" in refused.message) == ("user:codeWanted", True)
    assert (await log_in(other(house), device, webhouse.PASSWORD)).result


async def test_no_answer_counts_twice(house):
    _, device, _ = await with_passkey(house)
    browser = other(house)
    asked = (await browser.call("PasskeyLoginPrep")).result
    answer, cookies = device.answer(asked), dict(browser.cookies)
    assert (await browser.call("PasskeyLogin", asked["LoginToken"], answer)).result
    browser.cookies = cookies
    again = await browser.call("PasskeyLogin", asked["LoginToken"], answer)
    assert (again.code, "before" in again.message) == ("user:loginFailed", True)
    # Nor by another browser, which has another token.
    thief = other(house)
    token = (await thief.call("PasskeyLoginPrep")).result["LoginToken"]
    assert "something else" in (await thief.call("PasskeyLogin", token, answer)).message


async def test_answers_come_in_time(house):
    browser, device, _ = await with_passkey(house)
    answer = await shown(browser, device)
    house.clock.move(limits.PASSKEY_SECONDS + 1)
    (one,) = (await browser.call("SecondFactor")).result["Passkeys"]
    assert "too long" in (await browser.named("PasskeyRemove", ID=one["ID"], Passkey=answer)).message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"origin": "https://mail.example.evil.test"}, "evil.test"),
        ({"origin": "http://mail.example"}, "http://mail.example"),
        ({"client": {"crossOrigin": True}}, "within a page"),
        ({"client": {"topOrigin": "https://evil.test"}}, "within a page"),
        ({"client": {"type": "webauthn.create"}}, "another kind"),
        ({"client": {"challenge": "AAAA"}}, "something else"),
        ({"client": {"challenge": "?"}}, "base64url"),
        ({"client": {"padding": "x" * 5000}}, "too long"),
        ({"relying_party": "evil.test"}, "another host"),
        ({"flags": authenticator.UV}, "touched"),
        ({"flags": authenticator.UP | authenticator.BS}, "backup"),
        ({"flags": authenticator.UP | authenticator.ED}, "malformed"),
        ({"credential": b"unknown"}, "not of an account"),
        ({"handle": b""}, "not of an account"),
        ({"handle": b"moxpy\0\0\0\0"}, "not of an account"),
        ({"handle": b"moxpy\xff\xff\xff\xff"}, "not of an account"),
        ({"key": authenticator.new_key(-7)}, "signature"),
    ],
)
async def test_what_is_no_good_answer(house, change, message):
    _, device, _ = await with_passkey(house)
    for name, value in change.items():
        setattr(device, name, value)
    answer = await log_in(other(house), device)
    assert (answer.code, message in answer.message) == ("user:loginFailed", True), answer.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"origin": "https://evil.test"}, "evil.test"),
        ({"client": {"type": "webauthn.get"}}, "another kind"),
        ({"flags": 0}, "touched"),
        ({"credential": bytes(1024)}, "too short or too long"),
    ],
)
async def test_what_cannot_be_added(house, change, message):
    browser = await house.logged_in(headers=dict(HOST))
    answer = await add(browser, Authenticator(**change))
    assert message in answer.message
    assert (await browser.call("SecondFactor")).result["Passkeys"] == []


async def test_what_is_made_is_added_once(house):
    browser = await house.logged_in(headers=dict(HOST))
    made = Authenticator().make((await browser.call("PasskeyBegin")).result)
    for name in ("", "x\ny", "x" * 101):
        assert "printable" in (await browser.call("PasskeyAdd", name, made)).message
    assert (await browser.call("PasskeyAdd", "x", made)).result
    assert "before" in (await browser.call("PasskeyAdd", "x", made)).message
    # A question that was for showing one is not for adding one.
    asked = (await browser.call("PasskeyAsk")).result
    forged = {**asked, "UserHandle": "", "Exclude": [], "Algorithms": [-7]}
    assert "something else" in (await browser.call("PasskeyAdd", "x", Authenticator().make(forged))).message


async def test_a_second_one_takes_the_first(house):
    browser, device, codes = await with_passkey(house)
    phone = Authenticator(credential=b"another", algorithm=-8)
    assert "wrong" in (await add(browser, phone, "Phone")).message
    assert (await add(browser, phone, "Phone", "", await shown(browser, device))).result == [], "codes are there"
    tablet = Authenticator(credential=b"a third")
    assert (await add(browser, tablet, "Tablet", codes[0])).result == []
    assert (await log_in(other(house), phone)).result
    names = [one["Name"] for one in (await browser.call("SecondFactor")).result["Passkeys"]]
    assert names == ["Laptop", "Phone", "Tablet"]


async def test_renaming_and_removal(house):
    browser, device, codes = await with_passkey(house)
    (one,) = (await browser.call("SecondFactor")).result["Passkeys"]
    assert (await browser.call("PasskeyRename", one["ID"], "Old laptop")).result is None
    assert (await browser.call("SecondFactor")).result["Passkeys"][0]["Name"] == "Old laptop"
    for proof in ([], ["000000"], [codes[0][:-1]]):
        assert "wrong" in (await browser.call("PasskeyRemove", one["ID"], *proof)).message
    assert "no such" in (await browser.call("PasskeyRemove", "other", codes[0])).message
    answer = await shown(browser, device)
    assert (await browser.named("PasskeyRemove", ID=one["ID"], Passkey=answer)).result is None
    info = (await browser.call("SecondFactor")).result
    assert (info["Passkeys"], info["RecoveryCodesLeft"]) == ([], 0)
    assert (await other(house).log_in()).result
    assert (await log_in(other(house), device)).code == "user:loginFailed"


async def test_codes_of_nobody(house):
    """An account without a program has no secret, and so no codes that anybody could work out."""
    await with_passkey(house)
    guess = secondfactor.hotp(b"", int(house.clock.now().timestamp()) // secondfactor.STEP_SECONDS)
    assert (await other(house).log_in(code=guess)).code == "user:loginFailed"


async def test_beside_a_program(house):
    browser, device, _ = await with_passkey(house)
    offered = (await browser.call("TOTPBegin")).result["Secret"]

    def code():
        house.clock.move(60)
        secret = secondfactor.base64.b32decode(offered)
        return secondfactor.hotp(secret, int(house.clock.now().timestamp()) // 30)

    assert "wrong" in (await browser.call("TOTPConfirm", offered, code())).message, "it takes the passkey, too"
    assert len((await browser.call("TOTPConfirm", offered, code(), await shown(browser, device))).result) == 10
    assert (await other(house).log_in(code=code())).result
    assert (await log_in(other(house), device, webhouse.PASSWORD)).result
    assert (await browser.call("TOTPRemove", "", await shown(browser, device))).result is None
    info = (await browser.call("SecondFactor")).result
    assert (info["TOTP"], len(info["Passkeys"]), info["RecoveryCodesLeft"]) == (False, 1, 10)
    renewed = (await browser.named("RecoveryCodesRenew", Code="", Passkey=await shown(browser, device))).result
    assert (await other(house).log_in(code=renewed[0])).result
    await secondfactor.remove_all(house.app, house.number())
    assert (await other(house).log_in()).result


async def test_counters_go_on(house):
    """One that went back means that there are two of them."""
    _, device, _ = await with_passkey(house, count=5)
    assert (await log_in(other(house), device)).result
    device.count -= 1
    assert "copy" in (await log_in(other(house), device)).message
    device.count += 5
    assert (await log_in(other(house), device)).result


async def test_passkeys_are_of_a_host(house):
    """One that was made at another name of this server is not good here, even if an authenticator gave it away."""
    _, device, _ = await with_passkey(house)
    there = house.browser(headers={"host": "other.example"})
    device.origin, device.relying_party = "https://other.example", "other.example"
    assert "not one of this account" in (await log_in(there, device)).message


@pytest.mark.parametrize(
    ("host", "secure", "origin"),
    [
        ("Mail.Example", True, "https://mail.example"),
        ("mail.example:8443", True, "https://mail.example:8443"),
        ("localhost:1080", False, "http://localhost:1080"),
        ("mail.example", False, None),
        ("192.0.2.1", True, None),
        ("[2001:db8::1]", True, None),
        ("", True, None),
        ("a b", True, None),
    ],
)
def test_places(host, secure, origin):
    if origin is None:
        with pytest.raises(NoPasskeysHere):
            Place.of(host, secure=secure)
    else:
        assert Place.of(host, secure=secure).origin == origin


async def test_administrators_and_accounts_are_apart(house):
    _, alices, _ = await with_passkey(house)
    _, admins, _ = await with_passkey(house, "admin", credential=b"of the administrator")
    assert (await log_in(other(house, "admin"), alices)).code == "user:loginFailed"
    assert (await log_in(other(house), admins)).code == "user:loginFailed"
    # Nor beside the password of another account, which has one of its own.
    bobs = house.browser(headers=dict(HOST))
    await bobs.log_in(user="bob@example.org")
    assert (await add(bobs, Authenticator(credential=b"of bob"))).result
    refused = await log_in(other(house), alices, webhouse.PASSWORD, "bob@example.org")
    assert (refused.code, "not one of this account" in refused.message) == ("user:loginFailed", True)
    alices.handle = b"moxpy" + house.number("bob").to_bytes(4, "big")
    assert (await log_in(other(house), alices)).code == "user:loginFailed"


async def test_who_may_not_log_in(house):
    _, device, _ = await with_passkey(house)
    await verbs.disable(house.app, "alice", "go away")
    assert "go away" in (await log_in(other(house), device)).message
    await verbs.enable(house.app, "alice")
    house.restarted()
    assert (await log_in(other(house), device)).result


async def test_tokens_of_scripts_do_nothing_here(house):
    browser, _, _ = await with_passkey(house)
    token = (await browser.call("APITokenAdd", "x", ["change"])).result["Token"]
    script = house.browser(headers={"authorization": f"Bearer {token}", **HOST})
    for function in ("PasskeyAsk", "PasskeyBegin", "PasskeyAdd", "PasskeyRename", "PasskeyRemove"):
        assert "not for this: guard" in (await script.call(function)).message


async def test_passkeys_are_bounded(house, monkeypatch):
    monkeypatch.setattr(limits, "PASSKEYS", 1)
    browser, _, codes = await with_passkey(house)
    assert "1 passkeys" in (await browser.call("PasskeyBegin", codes[0])).message


async def test_answers_that_are_remembered_are_bounded(house, monkeypatch):
    monkeypatch.setattr(limits, "PASSKEY_ANSWERS", 2)
    _, device, _ = await with_passkey(house)
    assert (await log_in(other(house), device)).result
    assert "too many" in (await log_in(other(house), device)).message
    house.clock.move(limits.PASSKEY_SECONDS)
    assert (await log_in(other(house), device)).result
