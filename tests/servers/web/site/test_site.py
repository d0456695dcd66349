"""Web handlers as a client meets them: their order, files, redirects, compression, applications at other places."""

import gzip
import os

import pytest
import trio

from appliance.base import limits
from support.sitehouse import Answer, Backend, backend, request_of, sites

pytestmark = pytest.mark.usefixtures("tree")

HANDLERS = """
[[web_handlers]]
log_name = "files"
domain = "site.example"
path_regexp = "^/files/"
static = {{ strip_prefix = "/files/", root = "{root}", response_headers = {{ "Cache-Control" = "max-age=9" }} }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/listed"
compress = true
static = {{ strip_prefix = "/listed", root = "{root}", list_files = true }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/first/"
static = {{ strip_prefix = "/first/", root = "{root}", continue_not_found = true }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/first/"
redirect = {{ orig_path_regexp = "^/first/old(.*)", replace_path = "/first/old$1" }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/(first|second)/"
static = {{ strip_prefix = "/first/", root = "{root}/sub" }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/mail/"
internal = {{ base_path = "/mail/", service = "webmail" }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/mislaid/"
internal = {{ base_path = "/elsewhere/", service = "webmail" }}
[[web_handlers]]
domain = "mail.example.org"
path_regexp = "^/webmail/special"
redirect = {{ base_url = "https://www.example", status_code = 302 }}
"""
TEXT = b"some text, " * 1000


async def webmail(scope, receive, send):
    body = f"{scope['root_path']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("<h1>home</h1>")
    (root / "text.txt").write_bytes(TEXT)
    (root / "data.bin").write_bytes(bytes(range(256)) * 4)
    (root / "script.js").write_text("1")
    (root / "noend").write_text("<html>")
    (root / "sub" / "only").write_text("only in sub")
    (root / "sub" / "a<b>&.txt").write_text("x")
    return root


@pytest.fixture
def house(tmp_path, tree):
    return sites(tmp_path / "house", HANDLERS.format(root=tree), {"webmail": webmail})


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/files/", 200, b"<h1>home</h1>"),
        ("/files/index.html", 200, b"<h1>home</h1>"),
        ("/files/text.txt", 200, TEXT),
        ("/files/sub/", 403, b"this directory is not listed\n"),
        ("/files/nothing", 404, b"there is nothing here\n"),
        ("/files/text.txt/", 404, b"there is nothing here\n"),
        ("/files/../../../etc/passwd", 404, b"there is nothing here\n"),
        ("/files/%2e%2e/%2e%2e/etc/passwd", 404, b"there is nothing here\n"),
        ("/files/..%2f..%2fetc/passwd", 404, b"there is nothing here\n"),
        ("/files/%00", 400, b"host or path is malformed\n"),
        ("/files/..%5c..%5cetc", 400, b"host or path is malformed\n"),
        ("/listed../root/text.txt", 404, b"there is nothing here\n"),
        # The first has no such file, the second would go round in circles, the third has it.
        ("/first/only", 404, b"there is nothing here\n"),
        ("/first/oldfile", 404, b"there is nothing here\n"),
        ("/first/text.txt", 200, TEXT),
        ("/mail/box/1", 200, b"/mail /mail/box/1"),
        ("/mislaid/", 404, b"there is nothing here\n"),
        ("/elsewhere/", 404, b"there is nothing here\n"),
        ("/other", 404, b"there is nothing here\n"),
    ],
)
async def test_what_is_where(house, path, status, body):
    async with house as sites:
        answer = await sites.get(path)
        assert (answer.status, answer.body) == (status, body)


async def test_redirects_go_before_the_applications_of_the_listener(house):
    async with house as sites:
        assert (await sites.get("/webmail/x", host="mail.example.org")).body == b"/webmail /webmail/x"
        answer = await sites.get("/webmail/special?a=1", host="mail.example.org")
        assert (answer.status, answer["location"]) == (302, "https://www.example/webmail/special?a=1")
        assert (await sites.get("/webmail/special", host="site.example")).status == 404


async def test_files(house, tree):
    async with house as sites:
        answer = await sites.get("/files/text.txt")
        assert answer["content-type"] == "text/plain; charset=utf-8"
        assert (answer["cache-control"], answer["accept-ranges"]) == ("max-age=9", "bytes")
        assert answer["x-frame-options"] == ""
        again = await sites.get("/files/text.txt", f"If-None-Match: {answer['etag']}")
        assert (again.status, again.body, again["etag"]) == (304, b"", answer["etag"])
        assert (await sites.get("/files/text.txt", f"If-Modified-Since: {answer['last-modified']}")).status == 304
        os.utime(tree / "text.txt", ns=(1, 1_600_000_000_000_000_001))
        assert (await sites.get("/files/text.txt", f"If-None-Match: {answer['etag']}")).status == 200
        head = await sites.get("/files/text.txt", method="HEAD")
        assert (head.status, head["content-length"], head.body) == (200, str(len(TEXT)), b"")
        assert (await sites.get("/files/text.txt", "Content-Length: 0", method="POST")).status == 405
        slash = await sites.get("/files/sub?x=1")
        assert (slash.status, slash["location"]) == (307, "/files/sub/?x=1")
        assert (await sites.get("/files/script.js"))["content-type"] == "text/javascript; charset=utf-8"
        # Nobody makes a page for browsers of what does not say that it is one.
        assert (await sites.get("/files/noend"))["content-type"] == "text/plain; charset=utf-8"
        assert (await sites.get("/files/data.bin"))["content-type"] == "application/octet-stream"


async def test_parts_of_files(house):
    content = bytes(range(256)) * 4
    async with house as sites:
        answer = await sites.get("/files/data.bin", "Range: bytes=250-259")
        assert (answer.status, answer["content-range"], answer.body) == (206, "bytes 250-259/1024", content[250:260])
        assert (await sites.get("/files/data.bin", "Range: bytes=2000-"))["content-range"] == "bytes */1024"
        answer = await sites.get("/files/data.bin", "Range: bytes=0-1,-2")
        assert (answer.status, int(answer["content-length"])) == (206, len(answer.body))
        boundary = answer["content-type"].partition("boundary=")[2].encode()
        first, second = (part.partition(b"\r\n\r\n") for part in answer.body.split(b"--" + boundary)[1:3])
        assert first[2] == content[:2] + b"\r\n"
        assert second[2] == content[-2:] + b"\r\n"
        assert b"content-range: bytes 1022-1023/1024" in second[0]
        assert answer.body.endswith(b"\r\n--" + boundary + b"--\r\n")


async def test_a_file_that_becomes_shorter(house, tree, monkeypatch):
    """The response is broken off: what is missing is not made up, and the connection ends."""
    from appliance.servers.web.site import files

    whole = files.os.pread
    monkeypatch.setattr(files.os, "pread", lambda fd, count, at: whole(fd, 100, at) if at < 100 else b"")
    async with house as sites:
        answer = await sites.get("/files/text.txt")
        assert (answer["content-length"], len(answer.body)) == (str(len(TEXT)), 100)


async def test_a_file_that_nobody_may_read(house, tree, monkeypatch):
    from appliance.servers.web.site import mapping

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    async with house as sites:
        monkeypatch.setattr(mapping, "open_below", refused)
        assert (await sites.get("/files/text.txt")).status == 403
        assert (await sites.get("/first/text.txt")).status == 404
        monkeypatch.setattr(mapping, "open_below", broken)
        answer = await sites.get("/files/text.txt")
        assert (answer.status, answer.body) == (500, b"this file cannot be read now (request 1)\n")


async def test_listing(house):
    async with house as sites:
        answer = await sites.get("/listed/sub/")
        page = answer.body.decode()
        assert answer["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert '<a href="./a%3Cb%3E&amp;.txt">a&lt;b&gt;&amp;.txt</a>' in page
        assert page.index('href="../"') < page.index("a&lt;b")
        assert (await sites.get("/listed")).status == 307
        assert b"<h1>home</h1>" in (await sites.get("/listed/")).body


async def test_compression(house):
    async with house as sites:
        plain = await sites.get("/listed/text.txt")
        packed = await sites.get("/listed/text.txt", "Accept-Encoding: br, gzip")
        assert (plain["vary"], packed["vary"]) == ("accept-encoding", "accept-encoding")
        assert (packed["content-encoding"], gzip.decompress(packed.body)) == ("gzip", TEXT)
        assert packed["etag"] == "W/" + plain["etag"]
        assert (await sites.get("/listed/text.txt", f"If-None-Match: {packed['etag']}")).status == 304
        for path, field in (
            ("/listed/text.txt", "Accept-Encoding: gzip;q=0, *"),
            ("/listed/text.txt", "Accept-Encoding: br"),
            ("/listed/data.bin", "Accept-Encoding: gzip"),
            ("/listed/script.js", "Accept-Encoding: gzip"),
            ("/files/text.txt", "Accept-Encoding: gzip"),
        ):
            assert (await sites.get(path, field))["content-encoding"] == ""
        part = await sites.get("/listed/text.txt", "Accept-Encoding: gzip", "Range: bytes=0-3")
        assert (part.status, part["content-encoding"], part.body) == (206, "", TEXT[:4])
        head = await sites.get("/listed/text.txt", "Accept-Encoding: gzip", method="HEAD")
        assert (head["content-encoding"], head["content-length"], head.body) == ("gzip", "", b"")


async def test_websockets_are_for_servers_behind(house):
    async with house as sites:
        answer = await sites.get(
            "/files/text.txt",
            *("Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13"),
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        assert answer.status in {400, 403}


UPLOADS = """
[[web_handlers]]
domain = "site.example"
path_regexp = "^/(app|up)/"
static = {{ strip_prefix = "/", root = "{root}", continue_not_found = true }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/app/"
internal = {{ base_path = "/app/", service = "webmail" }}
[[web_handlers]]
domain = "site.example"
path_regexp = "^/up/"
forward = {{ url = "http://127.0.0.1:{port}" }}
"""


async def test_each_takes_bodies_of_its_own_size(tmp_path, tree):
    """One that was asked in vain before it changes nothing."""

    async def reading(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await webmail(scope, receive, send)

    async def serve(server: Backend, stream: trio.SocketStream) -> None:
        server.came.append(await request_of(stream))
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    body = b"x" * (limits.HTTP_BODY_OCTETS + 1000)
    chunked = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    head = "POST {} HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n{}\r\n\r\n"
    async with backend(serve) as server:
        handlers = UPLOADS.format(root=tree, port=server.port)
        async with sites(tmp_path / "house", handlers, {"webmail": reading}) as front:

            async def post(path: str, field: str, content: bytes) -> int:
                return Answer.of(await front.ask(head.format(path, field).encode() + content)).status

            assert await post("/app/", f"Content-Length: {len(body)}", body) == 413
            assert await post("/app/", "Transfer-Encoding: chunked", chunked) == 413
            assert await post("/app/", "Content-Length: 1000", body[:1000]) == 200
            assert await post("/up/", f"Content-Length: {len(body)}", body) == 200
            assert await post("/up/", "Transfer-Encoding: chunked", chunked) == 200
            assert len(server.came) == 2
