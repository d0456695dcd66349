"""Applications for browsers: logging in, sessions, what forged and malformed calls come to, the pages themselves."""

import base64
import gzip
import json
import re
from typing import Any

import pytest

from appliance.base import limits
from appliance.config.values import Duration
from appliance.operations import accounts as verbs, adminpassword, attempts
from appliance.servers.web import assets, openapi
from appliance.servers.web.account.table import TABLE as ACCOUNT
from appliance.servers.web.admin.table import TABLE as ADMIN
from appliance.servers.web.api import Call, Scope, Wire, spell_duration, table, to_json
from appliance.servers.web.assets import Assets
from support import webhouse
from support.webhouse import Browser

HOUR = 3600


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


@pytest.mark.parametrize("application", ["account", "admin"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_cookies(house, application, scheme):
    browser = house.browser(application, scheme=scheme)
    prepared = await browser.call("LoginPrep")
    secure = "; Secure" if scheme == "https" else ""
    place = f"; HttpOnly; Max-Age=30; Path=/{application}/; SameSite=Strict{secure}"
    assert prepared.cookies == [f"web{application}login={prepared.result}{place}"]
    assert len(base64.urlsafe_b64decode(prepared.result + "=")) == 8
    answer = await browser.log_in()
    session, gone = answer.cookies
    name = "alice" if application == "account" else ""
    match = re.fullmatch(
        rf'web{application}session="([\w-]{{22}}) {name}"; HttpOnly; Path=/{application}/; SameSite=Strict{secure}',
        session,
    )
    assert match
    assert re.match(rf"web{application}login=.*Max-Age=0", gone)
    assert match[1] != answer.result
    assert answer.header("cache-control") == "no-store"


async def test_secure_behind_a_proxy(house):
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9, 10.0.0.1"}
    browser = house.browser(scheme="http", forwarded=True, headers=headers)
    assert "Secure" in (await browser.call("LoginPrep")).cookies[0]
    await browser.log_in()
    await house.app.logins.write()
    assert [one.remote_ip for _, one in await attempts.all_of(house.app, "alice", 10)] == ["203.0.113.9"]
    silent = house.browser(scheme="http", forwarded=True)
    assert "X-Forwarded-For" in (await silent.call("LoginPrep")).message
    liar = house.browser(scheme="http", forwarded=False, headers=headers)
    assert "Secure" not in (await liar.call("LoginPrep")).cookies[0]


async def prepared(browser: Browser) -> str:
    return (await browser.call("LoginPrep")).result


async def test_login_wants_the_cookie_of_its_token(house):
    browser, other = house.browser(), house.browser()
    token, foreign = await prepared(browser), await prepared(other)
    assert (await browser.call("Login", foreign, webhouse.USER, webhouse.PASSWORD)).code == "user:error"
    browser.cookies.clear()
    assert (await browser.call("Login", token, webhouse.USER, webhouse.PASSWORD)).code == "user:error"
    assert (await browser.call("Login", "", webhouse.USER, webhouse.PASSWORD)).code == "user:error"


@pytest.mark.parametrize(
    ("user", "password", "message"),
    [
        pytest.param(webhouse.USER, "wrong password", "wrong user name or password", id="wrong"),
        pytest.param("nobody@example.org", webhouse.PASSWORD, "wrong user name or password", id="unknown"),
        pytest.param("no address", webhouse.PASSWORD, "wrong user name or password", id="no address"),
        pytest.param("shut@example.org", webhouse.PASSWORD, "closed for now", id="disabled"),
        pytest.param(webhouse.USER, "", "wrong user name or password", id="empty"),
        pytest.param(webhouse.USER, "x" * 100_000, "wrong user name or password", id="long"),
        # Accents in a row take time that grows with their square, were they looked at.
        pytest.param(webhouse.USER, "e\u0301\u0316" * 60_000, "wrong user name or password", id="long and costly"),
        pytest.param("e\u0301\u0316" * 60_000, "x", "wrong user name or password", id="long and costly name"),
    ],
)
async def test_failed_login(house, user, password, message):
    browser = house.browser()
    token = await prepared(browser)
    answer = await browser.call("Login", token, user, password)
    assert (answer.code, answer.message) == ("user:loginFailed", message)
    assert answer.cookies == []


async def test_password_in_another_spelling(house):
    await verbs.set_password(house.app, "alice", "pa\u00dfwort u\u0308ber")
    browser = house.browser()
    assert "result" in (await browser.log_in("pa\u00dfwort\u3000\u00fcber")).json


@pytest.mark.parametrize("application", ["account", "admin"])
async def test_sessions_and_tokens(house, application):
    """Which cookie and which token let a call pass."""
    browser, other = await house.logged_in(application), await house.logged_in(application)
    cookie = f"web{application}session"
    good = browser.cookies[cookie]
    answers = {}
    for name, value, csrf in [
        ("both", good, browser.csrf),
        ("no cookie", None, browser.csrf),
        ("no token", good, ""),
        ("token of another session", good, other.csrf),
        ("session as token", good, good.strip('"').partition(" ")[0]),
        ("wrong cookie", f'"{"A" * 22} alice"', browser.csrf),
        ("garbage", "\xff;=", browser.csrf),
        ("another account", good.replace("alice", "bob") if application == "account" else "x", browser.csrf),
    ]:
        tried = house.browser(application, address=f"198.51.100.{len(answers)}", csrf=csrf)
        if value is not None:
            tried.cookies[cookie] = value
        answers[name] = (await tried.call("Version")).json.get("error", {}).get("code")
    assert answers == {
        "both": None,
        "no cookie": "user:noAuth",
        "no token": "user:noAuth",
        "token of another session": "user:badAuth",
        "session as token": "user:badAuth",
        "wrong cookie": "user:badAuth",
        "garbage": "user:badAuth",
        "another account": "user:badAuth",
    }


async def test_applications_have_sessions_of_their_own(house):
    account = await house.logged_in("account")
    thief = house.browser("admin", csrf=account.csrf)
    thief.cookies["webadminsession"] = account.cookies["webaccountsession"]
    assert (await thief.call("Domains")).code == "user:badAuth"


async def test_a_session_is_never_chosen_by_a_client(house):
    """Session fixation: what was in the cookie before the login is not the session after it."""
    browser = house.browser()
    browser.cookies["webaccountsession"] = '"AAAAAAAAAAAAAAAAAAAAAA alice"'
    await browser.log_in()
    assert "AAAAAAAA" not in browser.cookies["webaccountsession"]
    first = browser.cookies["webaccountsession"]
    await browser.log_in()
    assert browser.cookies["webaccountsession"] != first


@pytest.mark.parametrize(
    ("application", "hours"), [("account", limits.WEB_SESSION_HOURS), ("admin", limits.ADMIN_SESSION_HOURS)]
)
async def test_expiry_slides(house, application, hours):
    browser = await house.logged_in(application)
    for _ in range(3):
        house.clock.move((hours - 1) * HOUR)
        assert (await browser.call("Version")).result
    house.clock.move((hours + 1) * HOUR)
    assert (await browser.call("Version")).code == "user:badAuth"


async def test_a_restart_keeps_sessions_of_accounts(house):
    account, admin = await house.logged_in("account"), await house.logged_in("admin")
    house.restarted()
    assert (await account.call("Version")).result
    assert (await admin.call("Version")).code == "user:badAuth"


@pytest.mark.parametrize(("application", "most"), [("account", limits.WEB_SESSIONS), ("admin", limits.ADMIN_SESSIONS)])
async def test_the_oldest_session_gives_way(house, application, most):
    browsers = []
    for _ in range(most + 1):
        browsers.append(await house.logged_in(application))
        house.clock.move(1)
    # Looking at it makes it young, so that order matters.
    assert (await browsers[0].call("Version")).code == "user:badAuth"
    assert (await browsers[1].call("Version")).result
    assert (await browsers[most].call("Version")).result


async def test_logout(house):
    for application in ("account", "admin"):
        browser = await house.logged_in(application)
        kept = dict(browser.cookies)
        assert (await browser.call("Logout")).result is None
        assert browser.cookies == {}
        browser.cookies = kept
        assert (await browser.call("Version")).code == "user:badAuth"


async def test_what_ends_sessions(house, tmp_path):
    browser = await house.logged_in()
    await verbs.set_password(house.app, "alice", "another password")
    assert (await browser.call("Version")).code == "user:badAuth"
    await browser.log_in("another password")
    await verbs.disable(house.app, "alice", "go away")
    assert (await browser.call("Version")).code == "user:badAuth"
    admin = await house.logged_in("admin")
    adminpassword.set_password(tmp_path / "adminpasswd", "yet another one")
    assert (await admin.call("Version")).code == "user:badAuth"
    assert (await admin.log_in("yet another one")).result
    assert (tmp_path / "adminpasswd").stat().st_mode & 0o007 == 0o004  # As it was.


async def test_admin_without_a_password(house, tmp_path):
    (tmp_path / "adminpasswd").unlink()
    answer = await house.browser("admin").log_in()
    assert (answer.code, "cannot be read" in answer.message) == ("user:error", True)
    adminpassword.set_password(tmp_path / "adminpasswd", "made anew here")
    assert (tmp_path / "adminpasswd").stat().st_mode & 0o777 == 0o600
    assert (await house.browser("admin").log_in("made anew here")).result


async def test_guesses_are_limited(house):
    """Ten in a minute from one address, whether of passwords or of sessions; others are not concerned."""
    neighbour = await house.logged_in()
    guesser, thief = house.browser(), house.browser(csrf="x")
    for _ in range(5):
        assert (await guesser.log_in("wrong password")).code == "user:loginFailed"
        thief.cookies["webaccountsession"] = '"AAAAAAAAAAAAAAAAAAAAAA alice"'
        assert (await thief.call("Version")).code == "user:badAuth"
    answer = await guesser.log_in()
    assert (answer.code, "too many" in answer.message) == ("user:error", True)
    assert (await thief.call("Version")).status == 429
    assert (await neighbour.call("Version")).result, "whoever is in stays in"
    assert (await house.browser(address="203.0.113.200").log_in()).result


async def test_attempts_are_recorded(house):
    browser = await house.logged_in()
    await browser.log_in("wrong password")
    browser.csrf = "wrong"
    await browser.call("Version")
    await house.logged_in("admin")
    await house.app.logins.write()
    found = [
        (name, one.protocol, one.mechanism, one.result) for name, one in await attempts.all_of(house.app, None, 10)
    ]
    assert sorted(found) == [
        ("-", "webadmin", "weblogin", "ok"),
        ("alice", "webaccount", "weblogin", "badcreds"),
        ("alice", "webaccount", "weblogin", "ok"),
        ("alice", "webaccount", "websession", "badcreds"),
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"sec-fetch-site": "cross-site"}, 403, id="another site"),
        pytest.param({"sec-fetch-site": "same-site"}, 403, id="another host of ours"),
        pytest.param({"sec-fetch-site": "same-origin"}, 200, id="the page"),
        pytest.param({"content-type": "text/plain"}, 415, id="what a form of another site can send"),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, 415, id="form"),
        pytest.param({"content-type": "application/json; charset=utf-8"}, 200, id="with charset"),
    ],
)
async def test_calls_of_other_sites(house, headers, status):
    browser = await house.logged_in()
    given = {"content-type": "application/json", "x-mox-csrf": browser.csrf, **headers}
    answer = await browser.request("POST", "api/Version", b'{"params":[]}', given)
    assert answer.status == status
    assert "access-control-allow-origin" not in dict(answer.headers)
    assert (await browser.request("OPTIONS", "api/Version")).status == 405
    assert (await browser.request("GET", "api/Version")).status == 405


class Inner(Wire):
    """Inside."""

    max_count: int
    labels: list[str] = []


async def probe(_: Call, filter: Inner, url: str, ids: dict[str, int] | None = None, on: bool = False) -> list[Any]:
    """Say what came."""
    return [filter, url, ids, on]


PROBE = table("webtest", "test", open=(probe,)).methods["Probe"]
GOOD = {"MaxCount": 1, "Labels": ["\x00", "\u2028"]}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param({"params": [GOOD, "x"]}, None, id="by place"),
        pytest.param({"params": {"Filter": GOOD, "URL": "x", "On": True}}, None, id="by name"),
        pytest.param({"params": [GOOD]}, "at least length 2, got 1; they are: Filter, URL, IDs, On", id="too few"),
        pytest.param({"params": [GOOD, "x", None, True, 1]}, "at most length 4", id="too many"),
        pytest.param({"params": {"Filter": GOOD}}, "missing required field `URL`", id="name missing"),
        pytest.param({"params": {"Filter": GOOD, "URL": "x", "Off": 1}}, "unknown field `Off`", id="unknown name"),
        pytest.param({"params": [{"MaxCount": "1"}, "x"]}, "Filter.MaxCount: Expected `int`, got `str`", id="path"),
        pytest.param({"params": [{"MaxCount": True}, "x"]}, "Filter.MaxCount: Expected `int`, got `bool`", id="bool"),
        pytest.param({"params": [{"MaxCount": 1.5}, "x"]}, "Filter.MaxCount", id="fraction"),
        pytest.param(
            {"params": {"Filter": {"MaxCount": 1, "Labels": ["", 1]}, "URL": ""}},
            "Filter.Labels[1]: Exp",
            id="deep path",
        ),
        pytest.param({"params": [{"MaxCount": 1, "max_count": 1}, "x"]}, "unknown field `max_count`", id="key"),
        pytest.param({"params": [GOOD, "x", {"a": "b"}]}, "IDs[...]: Expected `int`", id="in a map"),
        pytest.param({"params": [GOOD, None]}, "URL: Expected `str`, got `null`", id="null"),
        pytest.param({"params": "x"}, "Expected `array`, got `str`", id="text"),
        pytest.param({"params": [], "more": 1}, "unknown field `more`", id="more keys"),
        pytest.param([], "Expected `object`, got `array`", id="no object"),
        pytest.param(b"", "truncated", id="empty"),
        pytest.param(b'{"params":[', "truncated", id="cut off"),
        pytest.param(b'{"params":[]}x', "trailing", id="more behind"),
        pytest.param(b'{"params":["\xff"]}', "", id="no UTF-8"),
        pytest.param(b'{"params":[{"MaxCount":1},"\\ud800"]}', "", id="half a character"),
        pytest.param(b'{"params":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply", id="deep"),
        pytest.param(
            b'{"params":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested too", id="deep objects"
        ),
        pytest.param(b'{"params":[{"MaxCount":' + b"9" * 100_000 + b'},"x"]}', "Filter.MaxCount", id="long number"),
        pytest.param(b'{"params":[{"MaxCount":1e999},"x"]}', "", id="beyond numbers"),
        pytest.param(b'{"params":[{"MaxCount":NaN},"x"]}', "", id="no number"),
    ],
)
def test_bodies(body, fault):
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    if fault is None:
        filter, url, *_ = PROBE.arguments(octets)
        assert (filter.max_count, url) == (1, "x")
        return
    with pytest.raises(Exception, match=r"params|body") as caught:
        PROBE.arguments(octets)
    assert caught.value.code == "user:error"
    assert fault in str(caught.value)
    assert len(str(caught.value)) < 400


async def test_malformed_calls_end_nothing(house):
    browser = await house.logged_in()
    for body in (b"", b"\x00", b"{}" * 1000, b"[" * 500_000):
        assert (await browser.post("Account", body)).status == 200
    large = await browser.post("Account", b" " * (limits.HTTP_BODY_OCTETS + 1))
    assert (large.status, large.code) == (413, "user:error")
    assert (await browser.call("account")).code == "sherpa:badFunction"
    assert (await browser.call("__class__")).status == 404
    assert (await browser.call("Account")).result["Name"] == "alice"


async def test_a_bug_is_told_as_such(house, monkeypatch, caplog):
    from appliance.servers.web.account import about

    monkeypatch.setattr(about.accounts, "quota_use", lambda *_: 1 / 0)
    answer = await (await house.logged_in()).call("Account")
    assert answer.code == "server:error"
    assert "division" not in answer.message
    assert any("function failed" in one.message for one in caplog.records)


@pytest.mark.parametrize("application", ["account", "admin"])
async def test_documentation(house, application):
    browser = house.browser(application)
    found = await browser.request("GET", "api/openapi.json")
    assert (found.status, found.header("content-type")) == (200, "application/json")
    document = found.json
    assert document["openapi"] == "3.1.0"
    assert "/Login" in document["paths"]
    assert found.header("etag")
    again = await browser.request("GET", "api/openapi.json", headers={"if-none-match": found.header("etag")})
    assert again.status == 304
    page = (await browser.request("GET", "api/")).body.decode()
    assert "LoginPrep" in page
    assert "<script" not in page


@pytest.mark.parametrize("of", [ACCOUNT, ADMIN], ids=lambda one: one.name)
def test_every_reference_of_a_document_leads_somewhere(of):
    document = json.loads(openapi._encoded(of))
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    wanted = set(re.findall(r'"\$ref":"([^"]+)"', openapi._encoded(of).decode()))
    assert wanted <= there
    for name, method in of.methods.items():
        assert method.doc, f"{name} says nothing of itself"
        assert method.scope is not Scope.OPEN or name in {"Login", "LoginPrep", "PasskeyLogin", "PasskeyLoginPrep"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0h"), (90, "90s"), (120, "2m"), (3 * 86400, "72h"), (1.5, "1500ms")]
)
def test_durations(seconds, text):
    assert spell_duration(int(seconds * 1e9)) == text
    assert to_json(Duration(text)) == int(seconds * 1e9)


# Pages.


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "assets"
    (folder / "static").mkdir(parents=True)
    (folder / "account.html").write_text("<html><head></head><body>account</body></html>")
    (folder / "static" / "app-1a2b.js").write_text("let a = 1;" * 100)
    (folder / "static" / "app-1a2b.js.br").write_bytes(b"brotli")
    (folder / "static" / "secret.pem").write_text("key")
    (folder / "account.worker.js").write_text("self")
    (folder / "webmail.worker.js").write_text("of another application")
    return folder


@pytest.fixture
async def pages(house, built, monkeypatch):
    monkeypatch.setattr(assets, "FOLDER", built)
    house.applications["account"]._assets = Assets("account", built)
    return house.browser()


async def test_page(pages, tmp_path):
    page = await pages.request("GET", "")
    assert page.body == b"<html><head></head><body>account</body></html>"
    policy = page.header("content-security-policy")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.header("referrer-policy") == "no-referrer"
    assert (await pages.request("GET", "", headers={"if-none-match": page.header("etag")})).status == 304
    (tmp_path / "webaccount.css").write_text("body { color: red }")
    (tmp_path / "webaccount.js").write_text("hello()")
    changed = (await pages.request("GET", "")).body.decode()
    style = re.search(r'<link rel="stylesheet" href="(webaccount.css\?[0-9a-f]+)"></?', changed)[1]
    assert (await pages.request("GET", style)).body == b"body { color: red }"
    assert (await pages.request("GET", "webaccount.js")).header("content-type").startswith("text/javascript")
    assert (await pages.request("GET", "webadmin.css")).status == 404


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("br, gzip", "br"), ("gzip;q=0.5", "gzip"), ("gzip, br;q=0", "gzip"), ("", ""), ("deflate", ""), ("br;q=0.0", "")],
)
async def test_packed_files(pages, accepted, coding):
    found = await pages.request("GET", "static/app-1a2b.js", headers={"accept-encoding": accepted})
    assert (found.status, found.header("content-encoding")) == (200, coding)
    assert found.header("cache-control") == "public, max-age=31536000, immutable"
    plain = {"br": b"brotli", "gzip": b"let a = 1;" * 100, "": b"let a = 1;" * 100}[coding]
    assert (gzip.decompress(found.body) if coding == "gzip" else found.body) == plain


async def test_files_at_the_root(pages):
    """A worker may only have to do with what lies below it; it is asked for anew each time."""
    worker = await pages.request("GET", "worker.js")
    assert (worker.status, worker.body, worker.header("cache-control")) == (200, b"self", "no-cache")
    assert worker.header("content-type").startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    [
        *("static/secret.pem", "static/app-1a2b.js.br", "static/../account.html", "../moxpy.toml", "moxpy.toml"),
        *("static/..%2f..%2fmoxpy.toml", "static//etc/passwd", "/etc/passwd", "account.html", "static/", "static"),
        *("static/\x00", "domains.toml", "adminpasswd", "static/app-1a2b.js/"),
        *("html", "account.worker.js", "webmail.worker.js", "worker", "worker.js.gz"),
    ],
)
async def test_nothing_else_is_served(pages, path):
    assert (await pages.request("GET", path)).status == 404


async def test_pages_that_are_not_built(house, tmp_path):
    house.applications["account"]._assets = Assets("account", tmp_path / "nowhere")
    page = await house.browser().request("GET", "")
    assert page.status == 200
    assert b"frontend.sh" in page.body


@pytest.mark.parametrize("application", ["account", "admin"])
async def test_licences(house, application):
    """Of what is installed, where no build wrote them down; for anybody."""
    answer = await house.browser(application).request("GET", "licenses.txt")
    assert (answer.status, answer.header("content-type")) == (200, "text/plain; charset=utf-8")
    shown = answer.body.decode()
    for part in ("trio ", "cryptography ", "Permission is hereby granted"):
        assert part in shown
    packed = await house.browser(application).request("GET", "licenses.txt", headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.body) == answer.body
