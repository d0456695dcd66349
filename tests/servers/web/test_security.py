"""What one account, or a stranger, must not reach through the functions of pages: things of others, hosts within the house.

Forged requests, sessions, scripts in what pages show and paths have their tests in test_pages, test_dispatch and tests/pages.
"""

import dataclasses
from ipaddress import ip_address

import pytest

from appliance.base import limits
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.servers.web.account.table import TABLE as ACCOUNT
from appliance.servers.web.admin.table import TABLE as ADMIN
from appliance.servers.web.api import Scope
from appliance.servers.web.applications import applications
from support import webhouse
from support.webserver import response, web_server


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


async def things(browser):
    """Everything that an account has."""
    return [
        (await browser.call(name)).result
        for name in ("AppPasswordList", "APITokenList", "TLSPublicKeys", "SuppressionList")
    ] + [
        [one["ID"] for one in (await browser.call("Sessions")).result],
        (await browser.call("Account")).result["Config"],
    ]


async def test_ids_of_another_account(house):
    """Bob names what is alice's, by the id she has for it: nothing of hers changes."""
    alice, bob = await house.logged_in(), house.browser()
    await bob.log_in(user="bob@example.org")
    password = (await alice.call("AppPasswordAdd", "phone", ["imap"])).result["ID"]
    token = (await alice.call("APITokenAdd", "sync", ["read"])).result["ID"]
    await alice.call("SuppressionAdd", "x@example.com", "asked for it")
    (session,) = [one["ID"] for one in (await alice.call("Sessions")).result]
    before, bobs = await things(alice), await things(bob)
    hers = before[-1]["Destinations"]["alice@example.org"]
    for name, params in {
        "AppPasswordRemove": [password],
        "APITokenRemove": [token],
        "SessionRemove": [session],
        "SuppressionRemove": ["x@example.com"],
        "DestinationSave": ["alice@example.org", hers, {**hers, "FullName": "Bob"}],
        "FromIDLoginAddressesSave": [["alice@example.org"]],
        "ImportAbort": ["AAAAAAAAAAAAAAAAAAAAAA"],
    }.items():
        answer = await bob.call(name, *params)
        assert answer.code == "user:error", (name, answer.json)
    assert await things(alice) == before
    assert await things(bob) == bobs


@pytest.mark.parametrize("table", [ACCOUNT, ADMIN], ids=lambda table: table.name)
async def test_no_function_without_a_login(house, table):
    """Nor with the session of another application, or with a token that is none."""
    application = table.name.removeprefix("web")
    stranger = house.browser(application, csrf="AAAAAAAAAAAAAAAAAAAAAA")
    other = await house.logged_in("admin" if application == "account" else "account")
    thief = house.browser(application, csrf=other.csrf)
    for name, method in table.methods.items():
        if method.scope is Scope.OPEN:
            assert name in {"LoginPrep", "Login", "PasskeyLoginPrep", "PasskeyLogin"}
            continue
        thief.cookies = dict(other.cookies)
        for browser in (stranger, thief):
            answer = await browser.call(name)
            assert (answer.status, answer.code) == (200, "user:noAuth"), name


@pytest.mark.parametrize("application", ["account", "admin"])
async def test_large_and_malformed_bodies_before_a_login(house, application):
    browser = house.browser(application)
    large = b'{"params":["' + b"x" * limits.HTTP_BODY_OCTETS + b'"]}'
    assert (await browser.post("Login", large)).status == 413
    for body in (
        b"[" * 200_000,
        b'{"params":' * 100_000,
        b"\xff" * 1000,
        b'{"params":[1e999999]}',
        b'{"params":["\\ud800"]}',
    ):
        answer = await browser.post("Login", body)
        assert (answer.status, answer.code) == (200, "user:error"), body[:20]


#: Hosts of URLs that lead into the house, in all the spellings that some library takes.
INSIDE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0.0.0.0", "localhost", "localhost.", "[::1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254", "10.0.0.1",
    "[fd00::1]", "[fe80::1]", "100.64.0.1", "192.168.0.1", "inside.example", "both.example", "hooks.example@127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
async def test_webhooks_lead_nowhere_within(house, host):
    """An account chooses the URL: the server is no way for it into the house, by address, spelling or name."""
    here = [ip_address("127.0.0.1")]
    names = {"inside.example": here, "localhost": here, "both.example": [ip_address("10.0.0.1"), *here]}
    resolver = Resolver(Table({name: {Type.A: addresses} for name, addresses in names.items()}))
    app = dataclasses.replace(house.app, resolver=resolver, new_resolver=lambda: resolver)
    async with web_server(None, response(b"secret of the house")) as server:
        browser = await webhouse.WebHouse(app, house.clock, applications(app)).logged_in()
        answer = await browser.call("OutgoingWebhookTest", f"http://{host}:{server.port}/", "", PAYLOAD)
        assert "secret of the house" not in answer.body.decode()
        assert server.requests == []
        if "error" in answer.json:
            assert "URL" in answer.message
        else:
            assert not answer.result["Success"]


PAYLOAD = {
    "Version": 0, "Event": "delivered", "DSN": False, "Suppressing": False, "QueueMsgID": 101, "FromID": "",
    "MessageID": "<x@example.org>", "Subject": "x", "WebhookQueued": "2026-03-01T12:00:00Z", "SMTPCode": 250,
    "SMTPEnhancedCode": "2.0.0", "Error": "", "Extra": {},
}  # fmt: skip
