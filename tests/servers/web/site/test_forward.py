"""A server behind this one, by real sockets: what it is told, what comes back, and what happens when it fails."""

import gzip
from datetime import UTC, datetime
from types import SimpleNamespace

import h2.config
import h2.connection
import h2.events
import pytest
import trio

from appliance.base import limits
from appliance.net.http import parse_url
from appliance.servers.web.site import backend as backends, forward
from appliance.tls.verify import Roots
from support.authority import Authority
from support.sitehouse import Answer, Backend, all_of, backend, dechunked, request_of, sites
from support.webserver import web_server

HANDLERS = """
[[web_handlers]]
log_name = "app"
domain = "site.example"
path_regexp = "^/app/"
forward = {{ strip_path = true, url = "http://127.0.0.1:{port}/v2/?k=1", response_headers = {{ "X-Frame-Options" = "deny" }} }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/whole"
compress = true
forward = {{ url = "http://127.0.0.1:{port}" }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/down/"
forward = {{ url = "http://127.0.0.1:1" }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/unknown/"
forward = {{ url = "http://host.invalid" }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/(s?){{0,300}}x/"
forward = {{ strip_path = true, url = "http://127.0.0.1:{port}" }}
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Frame-Options: allow\r\nKeep-Alive: 5\r\nX-Own: 1\r\nDate: x\r\n\r\nok"


async def usual(server: Backend, stream: trio.SocketStream) -> None:
    server.came.append(await request_of(stream))
    await stream.send_all(OK)


def saying(*pieces: bytes, wait: bool = False):
    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        server.came.append(await request_of(stream))
        for piece in pieces:
            await stream.send_all(piece)
            await trio.sleep(0)
        if wait:
            await trio.sleep_forever()

    return serve


def handlers(server: Backend) -> str:
    return HANDLERS.format(port=server.port)


def told(server: Backend) -> tuple[str, dict[str, str], bytes]:
    """Request line, fields and body as they came to the server."""
    head, _, body = server.came[-1].partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


async def test_a_request_and_its_response(tmp_path):
    async with backend(usual) as server, sites(tmp_path, handlers(server)) as front:
        answer = await front.get(
            "/app/a%2Fb?x=%20",
            "X-Forwarded-For: 192.0.2.66",
            "X_Forwarded_For: 192.0.2.66",
            "X-Real-IP: 192.0.2.66",
            "Transfer_Encoding: chunked",
            "Content_Length: 7",
            "Forwarded: for=192.0.2.66",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Server: x",
            "Connection: X-Secret, close",
            "X-Secret: for this hop",
            "TE: trailers",
            "Proxy-Authorization: Basic x",
            "Cookie: a=b",
            "Via: 1.0 other",
            "Expect: nothing",
        )
        assert (answer.status, answer.body) == (200, b"ok")
        assert (answer["x-frame-options"], answer["x-own"], answer["keep-alive"]) == ("deny", "1", "")
        assert answer["date"].endswith("GMT")
        first, fields, body = told(server)
        assert (first, body) == ("GET /v2/a%2Fb?k=1&x=%20 HTTP/1.1", b"")
        via = fields.pop("via").split(", ")
        assert via[0] == "1.0 other"
        assert via[1].startswith("1.1 moxpy-")
        assert fields == {
            "host": "site.example",
            "cookie": "a=b",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-host": "site.example",
            "x-forwarded-proto": "http",
            "connection": "close",
        }


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/app/", "/v2/?k=1"),
        ("/app/x/", "/v2/x/?k=1"),
        ("/whole", "/whole"),
        ("/whole/a?b", "/whole/a?b"),
        ("/whole/%61%2F", "/whole/%61%2F"),
        # What is looked at here and what is asked for there must be the same.
        ("/whole/..%2fapp/%2e%2e/whole/b", "/whole/b"),
        ("/other/../app/b", "/v2/b?k=1"),
        ("/whole//b", "/whole/b"),
    ],
)
async def test_targets(tmp_path, path, target):
    async with backend(usual) as server, sites(tmp_path, handlers(server)) as front:
        await front.get(path)
        assert told(server)[0] == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
async def test_bodies(tmp_path, method):
    async with backend(usual) as server, sites(tmp_path, handlers(server)) as front:
        request = f"{method} /app/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n".encode()
        answer = Answer.of(await front.ask(request + b"Content-Length: 5\r\n\r\nhello"))
        first, fields, body = told(server)
        assert (answer.body, first.split()[0], fields["content-length"], body) == (b"ok", method, "5", b"hello")
        await front.ask(request + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n")
        _, fields, body = told(server)
        assert (fields["transfer-encoding"], dechunked(body)) == ("chunked", b"hello")
        assert "content-length" not in fields
        await front.ask(request + b"Content-Length: 0\r\n\r\n")
        _, fields, body = told(server)
        assert (fields["content-length"], body) == ("0", b"")


async def test_an_upload_is_passed_on_as_it_comes(tmp_path):
    """Nothing of it is kept: the server has the first part before the client sends the second."""
    seen = trio.Event()

    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        came = b""
        while b"first" not in came:
            came += await stream.receive_some(65536)
        seen.set()
        while not came.endswith(b"0\r\n\r\n"):
            came += await stream.receive_some(65536)
        server.came.append(came)
        await stream.send_all(OK)

    head = b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with backend(serve) as server, sites(tmp_path, handlers(server)) as front, front.connected() as stream:
        await stream.send_all(head + b"5\r\nfirst\r\n")
        with trio.fail_after(30):
            await seen.wait()
        await stream.send_all(b"6\r\nsecond\r\n0\r\n\r\n")
        assert Answer.of(await all_of(stream)).status == 200


async def test_much_is_passed_on_both_ways(tmp_path):
    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        came = await request_of(stream)
        server.came.append(came[:200])
        body = came.partition(b"\r\n\r\n")[2]
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    content = bytes(range(256)) * 16 * 1024
    head = b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
        content
    )
    async with backend(serve) as server, sites(tmp_path, handlers(server)) as front:
        assert Answer.of(await front.ask(head + content)).body == content


async def test_events_are_passed_back_as_they_come(tmp_path):
    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        await request_of(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        server.came.append(await stream.receive_some(1))

    async with backend(serve) as server, sites(tmp_path, handlers(server)) as front, front.connected() as stream:
        await stream.send_all(b"GET /whole HTTP/1.1\r\nHost: site.example\r\nAccept-Encoding: gzip\r\n\r\n")
        came = b""
        with trio.fail_after(30):
            while b"data: 1\n\n" not in came:
                came += await stream.receive_some(65536)
            # A client that goes takes its request with it.
            await stream.aclose()
            while not server.came:
                await trio.sleep(0.01)


async def test_a_stream_is_compressed_without_waiting_for_its_end(tmp_path):
    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        await request_of(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nfirst")
        await gate.wait()

    gate = trio.Event()
    async with backend(serve) as server, sites(tmp_path, handlers(server)) as front, front.connected() as stream:
        await stream.send_all(
            b"GET /whole HTTP/1.1\r\nHost: site.example\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        )
        came = b""
        with trio.fail_after(30):
            while came.count(b"\r\n") < 12:
                came += await stream.receive_some(65536)
            gate.set()
            came += await all_of(stream)
        answer = Answer.of(came)
        assert (answer["content-encoding"], gzip.decompress(answer.body)) == ("gzip", b"first")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(b"", 502, id="nothing"),
        pytest.param(b"nonsense\r\n\r\n", 502, id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", 502, id="huge header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 502, id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 502, id="length below zero"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 11 + OK, 502, id="hints without end"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, 200, id="a hint"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 502, id="another protocol"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nok", 200, id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, id="no content"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n", 304, id="not modified"),
        pytest.param(b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n", 418, id="any status"),
    ],
)
async def test_answers(tmp_path, said, status):
    async with backend(saying(said)) as server, sites(tmp_path, handlers(server)) as front:
        answer = await front.get("/app/")
        assert answer.status == status
        if status == 502:
            assert b"(request 1)" in answer.body


async def test_head(tmp_path):
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    async with backend(saying(said, wait=True)) as server, sites(tmp_path, handlers(server)) as front:
        answer = await front.get("/app/", method="HEAD")
        assert (answer["content-length"], answer.body) == ("100", b"")


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\nnonsense\r\n",
    ],
)
async def test_an_answer_that_is_cut_off_stays_so(tmp_path, said):
    """Nobody shall take it for a whole one."""
    async with backend(saying(said)) as server, sites(tmp_path, handlers(server)) as front:
        octets = await front.ask(b"GET /app/ HTTP/1.1\r\nHost: site.example\r\n\r\n")
        assert octets.startswith(b"HTTP/1.1 200 ")
        assert not octets.endswith(b"0\r\n\r\n")
        assert len(octets.partition(b"\r\n\r\n")[2]) < 100


async def test_nobody_is_there(tmp_path):
    async with backend(usual) as server, sites(tmp_path, handlers(server)) as front:
        for path in ("/down/", "/unknown/"):
            answer = await front.get(path)
            assert (answer.status, answer["content-type"]) == (502, "text/plain; charset=utf-8")
            assert b"127.0.0.1" not in answer.body
            assert b"invalid" not in answer.body


async def test_a_server_that_is_slow(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(forward, "HEAD_SECONDS", 0.05)
        async with backend(saying(wait=True)) as server, sites(tmp_path, handlers(server)) as front:
            assert (await front.get("/app/")).status == 504
    monkeypatch.setattr(forward, "PIECE_SECONDS", 0.05)
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"
    async with backend(saying(said, wait=True)) as server, sites(tmp_path / "b", handlers(server)) as front:
        assert (await front.get("/app/")).body == b"some"


async def test_a_server_that_does_not_take_the_request(tmp_path, monkeypatch):
    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(forward, "TAKE_SECONDS", 0.1)
    head = b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nContent-Length: 100000000\r\n\r\n"
    async with backend(serve) as server, sites(tmp_path, handlers(server)) as front, front.connected() as stream:

        async def flood() -> None:
            try:
                await stream.send_all(head + b"x" * 50_000_000)
            except trio.BrokenResourceError:
                pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            assert (await all_of(stream)).startswith(b"HTTP/1.1 504 ")
            nursery.cancel_scope.cancel()


async def test_a_server_that_has_heard_enough(tmp_path):
    """Its refusal comes back though the request is not complete."""

    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        while b"\r\n\r\n" not in await stream.receive_some(65536):
            pass
        await stream.send_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n")

    head = b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nContent-Length: 1000\r\n\r\nbegin"
    async with backend(serve) as server, sites(tmp_path, handlers(server)) as front:
        answer = Answer.of(await front.ask(head))
        assert (answer.status, answer.body) == (413, b"no\n")


@pytest.mark.parametrize(
    "request_octets",
    [
        b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
        b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nContent-Length: +5\r\n\r\nhello",
        b"GET /app/ HTTP/1.1\r\nHost: site.example\r\nHost: other.example\r\n\r\n",
        b"GET /app/ HTTP/1.1\r\nHost: site.example\r\nX: a\rb\r\n\r\n",
        b"GET /app/ HTTP/1.1\r\nConnection: close\r\nHost: site.example\r\n folded: x\r\n\r\n",
        b"GET /app/\x0b HTTP/1.1\r\nHost: site.example\r\n\r\n",
        b"CONNECT site.example:80 HTTP/1.1\r\nHost: site.example\r\n\r\n",
    ],
)
async def test_nothing_is_smuggled(tmp_path, request_octets):
    """What could be understood in two ways is not passed on at all."""
    async with backend(usual) as server, sites(tmp_path, handlers(server)) as front:
        answer = await front.ask(request_octets)
        assert answer[9:12] in {b"400", b"501"}, answer
        assert server.came == []


async def test_each_request_has_a_connection_of_its_own(tmp_path):
    """A server that says more than one response poisons nobody."""
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    async with backend(saying(OK + poison)) as server, sites(tmp_path, handlers(server)) as front:
        request = b"GET /app/ HTTP/1.1\r\nHost: site.example\r\n\r\n"
        octets = await front.ask(request + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert octets.count(b"HTTP/1.1 200") == 2
        assert b"poison" not in octets
        assert server.connections == 2


async def test_a_body_cannot_bring_a_second_request(tmp_path):
    inner = b"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"
    async with backend(usual) as server, sites(tmp_path, handlers(server)) as front:
        head = b"POST /app/ HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        await front.ask(head % len(inner) + inner)
        _, fields, body = told(server)
        assert (fields["content-length"], body, len(server.came)) == (str(len(inner)), inner, 1)


async def test_a_loop_ends(tmp_path):
    """The server behind is this one."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    loop = f'[[web_handlers]]\ndomain = "site.example"\npath_regexp = "^/"\nforward = {{ url = "http://127.0.0.1:{port}" }}'
    async with trio.open_nursery() as nursery, sites(tmp_path, loop) as front:

        async def back(stream: trio.SocketStream) -> None:
            async with stream:
                await stream.send_all(await front.ask(await request_of(stream)))

        nursery.start_soon(trio.serve_listeners, back, [listener])
        assert (await front.get("/")).status == 508
        nursery.cancel_scope.cancel()


async def test_http2(tmp_path):
    """A body without a length becomes chunks; one that is not there becomes nothing."""
    async with (
        backend(usual) as server,
        sites(tmp_path, handlers(server), http2=True) as front,
        front.connected() as stream,
    ):
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        fields = [(":path", "/app/"), (":authority", "site.example"), (":scheme", "http")]
        client.send_headers(1, [(":method", "GET"), *fields], end_stream=True)
        client.send_headers(3, [(":method", "POST"), *fields])
        client.send_data(3, b"hello", end_stream=True)
        await stream.send_all(client.data_to_send())
        bodies: dict[int, bytes] = {}
        with trio.fail_after(60):
            ended = 0
            while ended < 2:
                for event in client.receive_data(await stream.receive_some(65536)):
                    if isinstance(event, h2.events.DataReceived):
                        bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                    ended += isinstance(event, h2.events.StreamEnded)
                await stream.send_all(client.data_to_send())
        assert bodies == {1: b"ok", 3: b"ok"}
        get, post = sorted(server.came)
        assert b"transfer-encoding" not in get.lower()
        assert dechunked(post.partition(b"\r\n\r\n")[2]) == b"hello"
        assert b"host: site.example" in get.lower()


async def test_paths_that_take_much_work(tmp_path):
    async with backend(usual) as server, sites(tmp_path, handlers(server)) as front:
        assert (await front.get("/" + "s" * 2000 + "/")).status in {400, 414}
        assert server.came == []


async def test_tls_must_be_believed(monkeypatch):
    """Only a certificate that somebody vouches for, and for this name; then the two speak."""

    async def no_tls(server: Backend, stream: trio.SocketStream) -> None:
        await stream.send_all(b"220 no TLS\r\n")
        await stream.receive_some()

    async def silent(server: Backend, stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    authority = Authority()
    clock = SimpleNamespace(now=lambda: datetime.now(UTC))
    believing = backends.Backends(SimpleNamespace(roots=authority.roots, clock=clock))
    doubting = backends.Backends(SimpleNamespace(roots=Roots(()), clock=clock))
    for name, connects, fault in (
        ("localhost", believing, ""),
        ("localhost", doubting, "certificate: "),
        ("other.example", believing, "certificate: "),
    ):
        async with web_server(authority.key_pair(name), OK) as server:
            url = parse_url(f"https://localhost:{server.port}/")
            if fault:
                with pytest.raises(backends.Unreachable, match=fault):
                    await connects.connect(url)
                continue
            stream = await connects.connect(url)
            await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
            assert await stream.receive_some(65536) == OK
            await trio.aclose_forcefully(stream)
    async with backend(no_tls) as server:
        with pytest.raises(backends.Unreachable, match="TLS handshake failed"):
            await believing.connect(parse_url(f"https://localhost:{server.port}/"))
    monkeypatch.setattr(backends, "CONNECT_SECONDS", 0.1)
    async with backend(silent) as server:
        with pytest.raises(backends.Unreachable, match="no connection within") as caught:
            await believing.connect(parse_url(f"https://localhost:{server.port}/"))
        assert caught.value.timeout


async def test_so_many_at_once(tmp_path, monkeypatch):
    """Those of one network, and of all; who is turned away may come again when others are done."""
    gate = trio.Event()

    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        server.came.append(await request_of(stream))
        await gate.wait()
        await stream.send_all(OK)

    for name, most in (("FORWARD_REQUESTS", 1), ("FORWARD_OPEN", ((0, (1, 1, 1)),))):
        gate = trio.Event()
        with monkeypatch.context() as patch:
            patch.setattr(limits, name, most)
            async with backend(serve) as server, sites(tmp_path / name, handlers(server)) as front:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(front.get, "/app/")
                    while not server.came:
                        await trio.sleep(0.001)
                    assert (await front.get("/app/"))["retry-after"] == "10"
                    gate.set()
                assert (await front.get("/app/")).status == 200
