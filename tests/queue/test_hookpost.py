"""One POST of a webhook: its header, what counts as success, redirects, and where it must not go."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from ipaddress import ip_address
from types import SimpleNamespace

import pytest
import trio

from appliance import __version__
from appliance.config.values import NetworkName
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.net.http import Client, parse_url
from appliance.net.publicaddress import is_public
from appliance.queue import hookpost
from appliance.queue.hookpost import Post, post, results
from appliance.store.tables import HookID
from appliance.tls.context import client_context
from appliance.tls.verify import by_authorities
from support.authority import Authority
from support.webserver import response, web_server

NAME, OTHER = "web.example.org", "other.example.org"
NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
AUTHORITY = Authority()
PAIR = AUTHORITY.key_pair(NAME, OTHER)
HERE = {Type.A: [ip_address("127.0.0.1")]}
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
PAYLOAD = b'{"Version":0,"Text":"\xc3\xbc"}'


def client(*, records=None, networks=("127.0.0.1",)):
    static = SimpleNamespace(webhook_networks=[NetworkName(one) for one in networks])
    config = SimpleNamespace(snapshot=lambda: SimpleNamespace(static=static))

    def judge(chain, name):
        return by_authorities(chain, name, AUTHORITY.roots, datetime.now(UTC)).result

    resolver = Resolver(Table(records or {NAME: HERE, OTHER: HERE}))
    permits = lambda address: is_public(address) or hookpost.is_named(config, address)  # noqa: E731
    return Client(resolver, client_context(), judge, "webhook", permits=permits)


def one(server, scheme="http", path="/hook?a=b", host=NAME, **options):
    return Post(HookID(42), f"{scheme}://{host}:{server.port}{path}", PAYLOAD, **options)


def head(server, number=0):
    lines = server.requests[number].decode().partition("\r\n\r\n")[0].split("\r\n")
    return lines[0], dict(line.split(": ", 1) for line in lines[1:])


async def test_what_is_sent():
    async with web_server(PAIR, response(b"ok")) as server:
        done = await post(client(), one(server, "https", attempt=3, authorization="Bearer x"), NOW)
        assert (done.success, done.code, done.error, done.response) == (True, 200, "", "ok")
        assert done.start == int(NOW.timestamp() * 1e6)
        line, fields = head(server)
        assert line == "POST /hook?a=b HTTP/1.1"
        assert fields == {
            "Host": f"{NAME}:{server.port}",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": f"moxpy/{__version__} (webhook)",
            "Content-Type": "application/json; charset=utf-8",
            "X-Mox-Webhook-ID": "42",
            "X-Mox-Webhook-Attempt": "3",
            "Authorization": "Bearer x",
            "Content-Length": str(len(PAYLOAD)),
        }
        assert server.requests[0].endswith(b"\r\n\r\n" + PAYLOAD)


async def test_signed():
    async with web_server(None, response(b"ok")) as server:
        assert (await post(client(), one(server, secret=SECRET), NOW)).success
        _, fields = head(server)
        seconds = int(NOW.timestamp())
        expected = hmac.new(b"k" * 32, f"42.{seconds}.".encode() + PAYLOAD, hashlib.sha256).digest()
        assert (fields["webhook-id"], fields["webhook-timestamp"]) == ("42", str(seconds))
        assert fields["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
        assert "Authorization" not in fields


def test_signature_as_others_make_it():
    """The example of the libraries of Standard Webhooks."""
    made = hookpost.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("answer", "code", "label"),
    [
        ("201 Created", 201, "201"),
        ("204 No Content", 204, "204"),
        ("404 Not Found", 404, "404"),
        ("500 Oh", 500, "500"),
        ("599 Oh", 599, "5xx"),
        ("302 Found", 302, "302"),
    ],
)
async def test_only_200_is_success(answer, code, label):
    before = results.labels(label).value
    async with web_server(None, response(b"", status=answer)) as server:
        done = await post(client(), one(server), NOW)
        assert (done.success, done.code, done.error) == (False, code, f"response with status {code}, not 200")
        assert results.labels(label).value == before + 1


async def test_the_beginning_of_the_response_is_kept():
    async with web_server(None, response(b"a\x1b[31m\r\nb\tc\x00\xff" + b"x" * 70_000)) as server:
        done = await post(client(), one(server), NOW)
        assert done.success
        assert done.response == "a\ufffd[31m\nb\tc\ufffd\ufffd" + "x" * 499


async def test_no_answer(monkeypatch, autojump_clock):
    before = results.labels("error").value
    async with web_server(None, None) as server:
        began = trio.current_time()
        done = await post(client(), one(server), NOW)
        assert 60 <= trio.current_time() - began < 61
        assert (done.success, done.code) == (False, 0)
        assert done.error == "no response within 60 s"
        assert results.labels("error").value == before + 1


async def test_body_that_was_cut_off_does_not_matter():
    async with web_server(PAIR, b"HTTP/1.1 200 OK\r\n\r\nok") as server:
        server.rude = True
        done = await post(client(), one(server, "https"), NOW)
        assert (done.success, done.response) == (True, "ok")


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
async def test_redirected(status):
    async with web_server(None, response(b"", "Location: /there", status=status), response(b"ok")) as server:
        done = await post(client(), one(server, authorization="x"), NOW)
        assert (done.success, done.url) == (True, f"http://{NAME}:{server.port}/hook?a=b")
        assert head(server, 1)[0] == "POST /there HTTP/1.1"
        assert head(server, 1)[1]["Authorization"] == "x"
        assert server.requests[1].endswith(PAYLOAD)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
async def test_redirects_that_make_a_get_are_not_followed(status):
    async with web_server(None, response(b"", "Location: /there", status=status), response(b"ok")) as server:
        done = await post(client(), one(server), NOW)
        assert not done.success
        assert done.error == f"response with status {status[:3]}, not 200, a redirect to /there"
        assert len(server.requests) == 1


async def test_authorization_is_not_shown_to_another_host():
    async with web_server(None, response(b"ok")) as other:
        to = f"Location: http://{OTHER}:{other.port}/"
        async with web_server(None, response(b"", to, status="307 Go")) as server:
            assert (await post(client(), one(server, authorization="x", secret=SECRET), NOW)).success
            fields = head(other)[1]
            assert "Authorization" not in fields
            assert "webhook-signature" in fields


async def test_round_and_round():
    async with web_server(None, response(b"", "Location: /", status="308 Go")) as server:
        done = await post(client(), one(server), NOW)
        assert (done.success, done.error) == (False, "more than 5 redirects")
        assert len(server.requests) == 6


async def test_no_way_down():
    async with web_server(PAIR, response(b"", f"Location: http://{NAME}/", status="308 Go")) as server:
        done = await post(client(), one(server, "https"), NOW)
        assert done.error == "redirected from https to http"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", NAME])
async def test_nobody_within_the_house_is_reached(host):
    async with web_server(None, response(b"ok")) as server:
        done = await post(client(networks=()), one(server, host=host), NOW)
        assert not done.success
        assert done.error.endswith(": not an address that may be connected to; see webhook_networks in moxpy.toml"), (
            done.error
        )
        assert server.requests == []


async def test_nor_by_a_redirect():
    async with web_server(None, response(b"secret")) as inner:
        to = f"Location: http://127.0.0.2:{inner.port}/"
        async with web_server(None, response(b"", to, status="307 Go")) as server:
            done = await post(client(), one(server), NOW)
            assert "127.0.0.2: not an address that may be connected to" in done.error
            assert inner.requests == []


async def test_of_several_addresses_only_those_that_may_be_are_tried():
    records = {NAME: {Type.A: [ip_address("127.0.0.2"), ip_address("127.0.0.1")]}}
    async with web_server(None, response(b"ok")) as server:
        assert (await post(client(records=records), one(server), NOW)).success
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://x.example/", "not an absolute http or https URL"),
        ("http://u:p@x.example/", "a URL must have no user name or password"),
        ("http://x.example:99999/", "Port out of range 0-65535"),
        ("http://x..example/", "the host of the URL is no name: "),
        ("http://nowhere.example/", "nowhere.example"),
    ],
)
async def test_bad_urls(url, error):
    done = await post(client(), Post(HookID(1), url, PAYLOAD), NOW)
    assert not done.success
    assert error in done.error


async def test_authorization_that_is_no_field(caplog):
    done = await post(client(), Post(HookID(1), f"http://{NAME}/", PAYLOAD, authorization="a\r\nb"), NOW)
    assert "characters that a header field cannot have" in done.error


@pytest.mark.parametrize(
    ("text", "host", "target", "shown"),
    [
        ("https://x.example", "x.example", "/", "https://x.example/"),
        ("https://X.example:443/a?b=c#d", "x.example", "/a?b=c", "https://x.example/a?b=c"),
        ("http://bücher.example/ü?ö=%C3%BC", "xn--bcher-kva.example", "/%C3%BC?%C3%B6=%C3%BC", None),
        ("http://[::1]:8080/", "::1", "/", "http://[::1]:8080/"),
        ("http://my_app:8080/", "my_app", "/", "http://my_app:8080/"),
        ("http://localhost/", "localhost", "/", "http://localhost/"),
    ],
)
def test_urls(text, host, target, shown):
    url = parse_url(text)
    assert (url.host, url.target) == (host, target)
    if shown:
        assert str(url) == shown
