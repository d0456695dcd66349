"""Accounts and orders, against a server that does wrong what it is told to."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.net.http import Request, Response
from appliance.tls.acme import keys
from appliance.tls.acme.client import Account, ACMEClient, ACMEError
from appliance.tls.context import KeyPair
from support.acmeserver import BASE, ACMEServer, Refused

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
NAME = "mx.example.org"
ACCOUNT_KEY, KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
CSR = keys.request(NAME, KEY)


class Solver:
    """Notes what was to be shown, and what still is."""

    def __init__(self, kind: str = "http-01") -> None:
        self.kind = kind
        self.shown: list[tuple[str, str, str]] = []
        self.given = 0

    @asynccontextmanager
    async def answering(self, name: str, token: str, key_authorization: str):
        self.shown.append((name, token, key_authorization))
        self.given += 1
        try:
            yield
        finally:
            self.shown.pop()


def server(**settings: Any) -> ACMEServer:
    made = ACMEServer(lambda: NOW)
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def client(server: Any, **more: Any) -> ACMEClient:
    binding = more.pop("binding", None)
    account = Account(ACCOUNT_KEY, "postmaster@example.org", binding)
    return ACMEClient(server, f"{BASE}/directory", account, lambda: NOW, **more)


@pytest.mark.parametrize("settings", [
    pytest.param({}, id="usual"),
    pytest.param({"processing": 3}, id="processing"),
    pytest.param({"proved": True}, id="proved already"),
    pytest.param({"refusals": {"new-order": [Refused(400, "badNonce")] * 10}}, id="bad nonces"),
    pytest.param({"refusals": {"finalize": [Refused(400, "badNonce")] * 10}}, id="bad nonces at the end"),
])  # fmt: skip
async def test_certificate(autojump_clock, settings):
    ours, solver = server(**settings), Solver()
    looks = []

    def look(*looked: str) -> str:
        looks.append(looked)
        assert looked[1:] in solver.shown, "the answer is in its place before the server is told"
        return ""

    ours.look = look
    chain = await client(ours).issue(NAME, CSR, solver)
    issued = keys.issued(keys_pair(chain), NAME)
    assert issued.begin == NOW
    assert solver.shown == [], "nothing is shown any longer"
    assert (solver.given, len(looks)) == ((0, 0) if settings.get("proved") else (1, 1))
    assert ours.contacts == [["mailto:postmaster@example.org"]]


def keys_pair(chain: bytes) -> Any:
    return KeyPair(chain, keys.dump(KEY))


async def test_account_is_made_once(autojump_clock):
    ours, kept = server(), list[str]()
    one = client(ours, keep_account=lambda url, contact: kept.append(url))
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(one.issue, NAME, CSR, Solver())
    assert kept == [f"{BASE}/account/0"]
    await client(ours, account_url=kept[0], contact="postmaster@example.org").issue(NAME, CSR, Solver())
    assert ours.asked.count("POST /new-account") == 1


async def test_account_that_the_server_has_forgotten(autojump_clock):
    ours, kept = server(), list[str]()
    await client(ours, account_url=f"{BASE}/account/9", keep_account=lambda url, _: kept.append(url)).issue(
        NAME, CSR, Solver()
    )
    assert kept == [f"{BASE}/account/0"]


@pytest.mark.parametrize(("binding", "error"), [
    pytest.param(("kid", b"secret"), "", id="right"),
    pytest.param(("kid", b"other"), "unauthorized: wrong MAC", id="wrong"),
    pytest.param(None, "the authority wants external_account_binding, and none is configured", id="none"),
])  # fmt: skip
async def test_external_account(autojump_clock, binding, error):
    ours = server(bindings={"kid": b"secret"})
    if not error:
        await client(ours, binding=binding).issue(NAME, CSR, Solver())
        return
    with pytest.raises(ACMEError) as raised:
        await client(ours, binding=binding).issue(NAME, CSR, Solver())
    assert str(raised.value) == error


async def test_another_contact_is_told_once(autojump_clock):
    ours, kept = server(), list[str]()
    await client(ours).issue(NAME, CSR, Solver())
    one = client(
        ours,
        account_url=f"{BASE}/account/0",
        contact="old@example.org",
        keep_account=lambda _, contact: kept.append(contact),
    )
    ours.contacts.clear()
    for _ in range(2):
        await one.issue(NAME, CSR, Solver())
    assert ours.contacts == [["mailto:postmaster@example.org"]]
    ours.refusals["account"] = [Refused(400, "invalidContact")]
    await client(ours, account_url=f"{BASE}/account/0", contact="old@example.org").issue(NAME, CSR, Solver())
    assert kept == ["postmaster@example.org"]


LATER = (("retry-after", "7200"),)


@pytest.mark.parametrize(("settings", "text", "kind", "retry_after", "other"), [
    pytest.param({"look": lambda *_: "not found"}, "unauthorized: not found", "", None, True, id="not believed"),
    pytest.param({"kinds": ["dns-01"]}, "the ACME server offers no challenge http-01", "", None, True, id="not offered"),
    pytest.param({"refusals": {"new-order": [Refused(429, "rateLimited", "too many", LATER)]}},
                 "rateLimited: too many", "rateLimited", 7200, False, id="rate limit"),
    pytest.param({"refusals": {"new-order": [Refused(403, "caa", "forbidden")]}}, "caa: forbidden", "caa", None, False,
                 id="CAA"),
    pytest.param({"refusals": {"finalize": [Refused(403, "badCSR", "no")]}}, "badCSR: no", "badCSR", None, False,
                 id="request refused"),
    pytest.param({"refusals": {"new-order": [Refused(400, "badNonce")] * 99}},
                 "the ACME server takes none of its own nonces", "", None, False, id="no nonce is good"),
    pytest.param({"unreachable": True}, "the ACME server acme.test cannot be asked: refused", "", None, False,
                 id="unreachable"),
    pytest.param({"processing": 10**6}, "the ACME server was not done after 300 s", "", None, False, id="for ever"),
    pytest.param({"refusals": {"directory": [Refused(503, "serverInternal", "down", LATER)]}},
                 "serverInternal: down", "serverInternal", 7200, False, id="out of order"),
])  # fmt: skip
async def test_failures(autojump_clock, settings, text, kind, retry_after, other):
    ours, solver = server(**settings), Solver()
    with pytest.raises(ACMEError) as raised:
        await client(ours).issue(NAME, CSR, solver)
    error = raised.value
    assert (str(error), error.kind, error.retry_after, error.other_may_help) == (text, kind, retry_after, other)
    assert solver.shown == []
    # What waits for a proof counts against us: it is taken back.
    assert all(one.authorization != "pending" for one in ours.orders)


async def test_cancelled_orders_are_taken_back(autojump_clock):
    ours = server()
    with trio.move_on_after(5):
        ours.look = lambda *_: ""
        solver = Solver("tls-alpn-01")
        solver.answering = never
        await client(ours).issue(NAME, CSR, solver)
    assert [one.authorization for one in ours.orders] == ["deactivated"]


@asynccontextmanager
async def never(*_: str):
    await trio.sleep_forever()
    yield


@pytest.mark.parametrize(("status", "body", "fields", "text"), [
    pytest.param(200, b"<html>", (), "the ACME server's directory makes no sense", id="no JSON"),
    pytest.param(404, b"<html>", (), "about:blank: the ACME server answered 404", id="not there"),
    pytest.param(200, b'{"newNonce":"http://acme.test/n","newAccount":"","newOrder":""}', (), "not an https URL",
                 id="without TLS"),
    pytest.param(200, b'{"newNonce":"https://acme.test/n","newAccount":"x","newOrder":""}', (),
                 "the ACME server gave no nonce (status 200)", id="no nonce"),
    pytest.param(200, b'{"newNonce":"https://[","newAccount":"x","newOrder":""}', (), "not a URL", id="no URL"),
])  # fmt: skip
async def test_servers_that_make_no_sense(status, body, fields, text):
    class Odd:
        async def send(self, request: Request, bounds: object) -> Response:
            return Response(status, fields, body)

    with pytest.raises(ACMEError) as raised:
        await client(Odd()).issue(NAME, CSR, Solver())
    assert text in str(raised.value)


async def test_renewal_names_what_it_replaces(autojump_clock):
    ours = server(renewal_info=True)
    await client(ours).issue(NAME, CSR, Solver(), replaces="aki.serial")
    ours.refusals["new-order"] = [Refused(409, "alreadyReplaced")]
    await client(ours).issue(NAME, CSR, Solver(), replaces="aki.serial")
    assert [one.replaces for one in ours.orders] == ["aki.serial", ""]


async def test_when_the_server_wants_a_renewal():
    ours = server()
    assert await client(ours).renewal_window("aki.serial") is None
    ours.renewal_info, ours.window = True, (NOW, NOW)
    found = await client(ours).renewal_window("aki.serial")
    assert found is not None
    assert (found[0].suggested_window.start, found[1]) == (NOW, 21600)
    assert ours.asked[-1] == "GET /renewal/aki.serial"
