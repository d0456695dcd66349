"""A request of JMAP from end to end: who may ask, what is answered, what is refused."""

import base64
import json

import pytest

from appliance.base import limits
from appliance.operations import apitokens
from appliance.servers.web import dispatch
from appliance.servers.web.assets import Assets
from appliance.servers.web.jmap import application
from appliance.servers.web.login import AccountEntrance
from appliance.servers.web.pages import PagesApplication
from appliance.servers.web.respond import text
from appliance.servers.web.webmail.table import TABLE
from support import webhouse

CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"


async def test_session(house, jmap):
    session = (await jmap.browser.request("GET", "jmap/session", headers={"host": "mail.example.org"})).json
    assert session["apiUrl"] == "https://mail.example.org/webmail/jmap/api"
    assert session["username"] == webhouse.USER
    account = f"A{house.number()}"
    assert session["primaryAccounts"][MAIL] == account
    assert session["accounts"][account]["isReadOnly"] is False
    assert session["state"] == (await jmap.request([["Core/echo", {}, "a"]], host="mail.example.org"))["sessionState"]


async def test_session_tells_where_the_account_pages_are(house, jmap):
    own = "urn:moxpy:mail"
    session = (await jmap.browser.request("GET", "jmap/session", headers={"host": "mail.example.org"})).json
    assert session["capabilities"][own]["accountPages"] is None
    found = application.AccountPages()
    config = house.app.config.snapshot()
    for number in range(300):
        assert found.find(config, webhouse.PORT, f"192.0.2.{number % 250}", forwarded=False) is None
    assert len(found._found) <= 100


async def test_echo(jmap):
    """RFC 8620 §4.1"""
    assert await jmap.call("Core/echo", {"hello": True, "high": 5}) == {"hello": True, "high": 5}


async def test_mailbox_get(house, jmap):
    answer = await jmap.call("Mailbox/get", ids=None)
    assert answer["accountId"] == jmap.account
    inbox = next(one for one in answer["list"] if one["role"] == "inbox")
    assert (inbox["name"], inbox["parentId"], inbox["totalEmails"]) == ("Inbox", None, 0)
    some = await jmap.call("Mailbox/get", ids=[inbox["id"], "F1-99"], properties=["name"])
    assert (some["list"], some["notFound"]) == ([{"id": inbox["id"], "name": "Inbox"}], ["F1-99"])
    assert (await jmap.call("Mailbox/get", ids=None, properties=["nme"]))["type"] == "invalidArguments"
    assert (await jmap.call("Mailbox/get", accountId="A99", ids=None))["type"] == "accountNotFound"


def basic(user: str = webhouse.USER, password: str = webhouse.PASSWORD) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_basic(house):
    stranger = house.browser("webmail")
    assert (await stranger.request("GET", "jmap/session", headers=basic())).status == 200
    answer = await stranger.request("GET", "jmap/session", headers=basic(password="wrong"))
    assert (answer.status, answer.header("www-authenticate")) == (401, "Basic realm=jmap, Bearer realm=jmap")


@pytest.mark.parametrize(("scopes", "read_only"), [(["read"], True), (["read", "change"], False)])
async def test_token(house, scopes, read_only):
    token = await apitokens.add(house.app, house.number(), "script", scopes, None)
    headers = {"authorization": f"Bearer {token.token}"}
    session = (await house.browser("webmail").request("GET", "jmap/session", headers=headers)).json
    (account,) = session["accounts"].values()
    assert account["isReadOnly"] is read_only


async def test_forged(house, jmap):
    body = json.dumps({"using": [CORE], "methodCalls": []}).encode()
    headers = {"content-type": "application/json"}
    assert (await jmap.browser.request("POST", "jmap/api", body, headers)).status == 401
    csrf = {**headers, "x-mox-csrf": jmap.browser.csrf}
    assert (await jmap.browser.request("POST", "jmap/api", body, csrf)).status == 200
    cross = {**csrf, "sec-fetch-site": "cross-site"}
    assert (await jmap.browser.request("POST", "jmap/api", body, cross)).status == 403


async def test_body_octets(house):
    """Of JMAP, what is too long is told in its own words."""
    config = house.app.config.snapshot()
    listener = config.static.listeners["local"]
    assert dispatch._body_octets(listener, "webmail", "jmap/api") == limits.FORWARD_BODY_OCTETS
    assert dispatch._body_octets(listener, "webmail", "jmap/upload/A1/") == limits.FORWARD_BODY_OCTETS
    assert dispatch._body_octets(listener, "webmail", "api/Login") == limits.HTTP_BODY_OCTETS


async def test_doors_by_prefix(house):
    """Whatever an application has below a path of its own: the longest beginning answers."""
    seen = []

    def door(name):
        async def answer(visit):
            seen.append((name, visit.path))
            await visit.answer(text(200, name))

        return answer

    doors = {("GET", "msg/"): door("msg"), ("GET", "msg/raw/"): door("raw"), ("GET", "msg/one"): door("one")}
    pages = PagesApplication(house.app, TABLE, AccountEntrance(house.app, "webmail"), Assets("webmail"), doors)
    house.applications = {"webmail": pages}
    browser = house.browser("webmail")
    for path, name in (("msg/M1-2/html", "msg"), ("msg/raw/x/", "raw"), ("msg/one", "one"), ("msg/one/more", "msg")):
        answer = await browser.request("GET", path)
        assert (answer.body, seen[-1]) == (name.encode() + b"\n", (name, path))
    assert (await browser.request("GET", "msgs")).status == 404
