"""The door of the webapi: verbs and paths, who may call, what comes before a call."""

import json

import pytest

from appliance.servers.web.webapi.methods import METHODS
from support.imaphouse import PASSWORD
from support.webapihouse import ALICE, web_house


@pytest.fixture
async def web(tmp_path):
    async with web_house(tmp_path) as house:
        yield house


@pytest.mark.parametrize("base", ["/webapi", "/mailapi"])
@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_verbs_and_paths(web, base, verb):
    port = 80 if base == "/webapi" else 81
    headers = [("x-forwarded-for", "192.0.2.77, 10.0.0.1")] if port == 81 else []

    async def ask(path):
        return await web.ask(verb, base + path, port=port, headers=headers)

    assert ((await ask("")).status, (await ask("")).headers["location"]) == (308, base + "/")
    root = await ask("/")
    if verb == "GET":
        assert (root.status, root.headers["location"]) == (303, base + "/v0/")
    else:
        assert root.status == 405
    index = await ask("/v0/")
    assert (index.status, index.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for name in METHODS:
        found = await ask(f"/v0/{name}")
        assert found.status == {"GET": 200, "POST": 401}.get(verb, 405)
        assert f'href="{name}"'.encode() in index.body
        assert (await ask(f"/v0/{name.lower()}")).status == 404
        assert (await ask(f"/v0/{name}/")).status == 404
    for path in ("/v0", "/v1/", "/v0/Nothing", "/other"):
        assert (await ask(path)).status == 404


async def test_pages(web):
    for name, method in METHODS.items():
        page = await web.ask("GET", f"/webapi/v0/{name}")
        text = page.body.decode()
        assert 'content="noindex,nofollow"' in text
        assert "<script>" not in text
        assert "onclick" not in text
        assert ("data-json" in text) == (method.response is not None)
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert (
            json.dumps(method.example, indent=2, ensure_ascii=False)
            .replace('"', "&quot;")
            .replace("<", "&lt;")
            .replace(">", "&gt;")
            in text
        )
    script = await web.ask("GET", "/webapi/v0/form.js")
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")


async def test_no_credentials_count_as_no_attempt(tmp_path):
    async with web_house(tmp_path, failures=2) as web:
        for authorization in ("", "Bearer x", "Basic !!!", "Basic YWJj"):
            headers = [("authorization", authorization)] if authorization else []
            for _ in range(3):
                answer = await web.ask("POST", "/webapi/v0/SuppressionList", headers=headers)
                assert (answer.status, answer.headers["www-authenticate"]) == (401, "Basic realm=webapi")
        assert (await web.call("SuppressionList", {})).status == 200


@pytest.mark.parametrize(
    ("user", "password"),
    [
        pytest.param("alice@example.org", "wrong", id="password"),
        pytest.param("nobody@example.org", PASSWORD, id="address"),
        pytest.param("alice@elsewhere.example", PASSWORD, id="domain"),
        pytest.param("alice", PASSWORD, id="no address"),
        pytest.param("alice@example.org", "p\x00\ud7ff" * 1000, id="odd"),
        pytest.param("carol@example.org", PASSWORD, id="disabled"),
    ],
)
async def test_limiter(tmp_path, user, password):
    async with web_house(tmp_path, failures=3) as web:
        for _ in range(3):
            answer = await web.call("SuppressionList", {}, login=(user, password))
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Basic realm=webapi")
            assert b"boss" not in answer.body
        assert (await web.call("SuppressionList", {}, login=(user, password))).status == 429
        assert (await web.call("SuppressionList", {})).status == 429
        assert (await web.call("SuppressionList", {}, remote="198.51.100.1")).status == 200
        web.app.clock.move(61)
        assert (await web.call("SuppressionList", {})).status == 200


async def test_a_right_password_forgives(tmp_path):
    async with web_house(tmp_path, failures=3) as web:
        for _ in range(4):
            for _ in range(2):
                assert (await web.call("SuppressionList", {}, login=("alice@example.org", "no"))).status == 401
            assert (await web.call("SuppressionList", {})).status == 200


@pytest.mark.parametrize(
    "user",
    [
        "ALICE@example.org",
        "alice+anything@example.org",
        "jose\u0301@b\u00fccher.example",
        "jos\u00e9@xn--bcher-kva.example",
    ],
)
async def test_spellings_of_a_login(web, user):
    assert (await web.call("SuppressionList", {}, login=(user, PASSWORD))).status == 200


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-origin", 200), ("none", 200), ("same-site", 200)]
)
async def test_pages_of_other_sites(web, site, status):
    assert (await web.call("SuppressionList", {}, headers=[("sec-fetch-site", site)])).status == status


@pytest.mark.parametrize(
    ("value", "status"),
    [("192.0.2.5", 200), ("2001:db8::1, 10.0.0.1", 200), ("", 500), ("unknown", 500), (None, 500)],
)
async def test_behind_a_proxy(web, value, status):
    headers = [] if value is None else [("x-forwarded-for", value)]
    answer = await web.ask(
        "POST", "/mailapi/v0/SuppressionList", body=b"request={}", login=ALICE, headers=headers, port=81
    )
    assert answer.status == status


async def test_failures_behind_a_proxy_are_the_clients(tmp_path):
    async with web_house(tmp_path, failures=2) as web:

        async def ask(client, password):
            login = ("alice@example.org", password)
            headers = [("x-forwarded-for", client)]
            answer = await web.ask(
                "POST", "/mailapi/v0/SuppressionList", body=b"request={}", login=login, headers=headers, port=81
            )
            return answer.status

        assert [await ask("192.0.2.5", "no") for _ in range(3)] == [401, 401, 429]
        assert await ask("198.51.100.5", PASSWORD) == 200


async def test_body_limit(web):
    scope = {"type": "http", "method": "POST", "path": "/webapi/v0/Send", "http_version": "1.1", "query_string": b"",
             "headers": [(b"host", b"localhost")], "state": {}}  # fmt: skip
    listener = web.app.config.snapshot().static.listeners["local"]
    assert web.ports[80].body_octets(scope) == 2 * int(listener.smtp_max_message_size) + 1024 * 1024


@pytest.mark.parametrize("body", [b"", b"request=", b"request=[]", b'request={"X":1}', b"request=%"])
async def test_protocol_errors(web, body):
    assert (await web.ask("POST", "/webapi/v0/SuppressionList", body=body, login=ALICE)).code == "protocol"


async def test_a_bug_is_an_answer(web, monkeypatch):
    async def bug(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("appliance.servers.web.webapi.forms.read", bug)
    answer = await web.call("SuppressionList", {})
    assert (answer.code, answer.json["Message"]) == ("server", "unhandled error")


async def test_openapi(web):
    answer = await web.ask("GET", "/webapi/v0/openapi.json")
    document = answer.json
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {f"/{name}" for name in METHODS}

    def references(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "$ref":
                    yield inner
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


async def test_scopes_of_app_passwords(web):
    from appliance.operations import apppasswords

    made = {}
    for protocols in (("webapi",), ("send",), ("suppression",), ("imap",)):
        made[protocols[0]] = (await apppasswords.add(web.app, "alice", "x", protocols=protocols)).password
    statuses = {
        name: (await web.call("SuppressionList", {}, login=("alice@example.org", word))).status
        for name, word in made.items()
    }
    assert statuses == {"webapi": 200, "send": 400, "suppression": 200, "imap": 401}
