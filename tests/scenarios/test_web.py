"""The web ports of a whole house, as programs on the same machine see them."""

import contextlib
import hashlib
import http.client
import http.server
import imaplib
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.serve import GRACE_SECONDS
from support import served


class Behind(http.server.BaseHTTPRequestHandler):
    """A web server behind ours: tells what came."""

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        digest, size = hashlib.sha256(), 0
        while length := int(self.rfile.readline(), 16):
            digest.update(self.rfile.read(length))
            size += length
            self.rfile.readline()
        self.rfile.readline()
        self.answer(f"{size} {digest.hexdigest()}")

    def do_GET(self) -> None:
        self.answer(f"{self.path} {self.headers['x-forwarded-proto']} {self.headers['x-forwarded-for']}")

    def answer(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def house(moxpy: Path, tmp_path_factory: pytest.TempPathFactory, behind: int) -> Iterator[served.House]:
    folder = tmp_path_factory.mktemp("house") / "local"
    ports = served.prepare(moxpy, folder)
    config = folder / "moxpy.toml"
    config.write_text(config.read_text().replace("[tls.ca]", 'package_log_levels = { httpaccess = "debug" }\n[tls.ca]'))
    domains = folder / "domains.toml"
    policy = '[domains.localhost.mtasts]\npolicy_id = "1"\nmode = "enforce"\nmax_age = "24h"\n'
    site = f'[[web_handlers]]\ndomain = "localhost"\npath_regexp = "^/app/"\nforward = {{ url = "http://127.0.0.1:{behind}" }}\n'
    domains.write_text(domains.read_text() + site + policy)
    (folder.parent / "local.ports").write_text("".join(f"{name} {port}\n" for name, port in ports.items()))
    with served.running(moxpy, folder) as house:
        yield house


def unverified(*protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def curl(*arguments: str) -> tuple[str, str]:
    """Status with the version of HTTP, and the content."""
    command = ["curl", "-sk", "--max-time", "10", "-w", "\n%{http_code} %{http_version}", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    content, _, status = done.stdout.decode().rpartition("\n")
    return status, content


@contextlib.contextmanager
def raw(port: int, context: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        if context is None:
            yield sock
        else:
            with context.wrap_socket(sock, server_hostname="localhost") as stream:
                yield stream


def all_of(sock: socket.socket) -> bytes:
    octets = b""
    while more := sock.recv(65536):
        octets += more
    return octets


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
def test_front_page(house, version):
    flag = "--http2" if version == "2" else f"--http{version}"
    status, content = curl(flag, f"https://localhost:{house.https}/")
    assert status == f"200 {'1.1' if version == '1.0' else version}"
    for port in (house.smtp, house.submission, house.submissions, house.imap, house.imaps, house.http, house.metrics):
        assert f":{port}" in content
    assert house.password in content
    assert "<script" not in content
    assert "src=" not in content


def test_plain_and_conditional(house):
    client = http.client.HTTPConnection("127.0.0.1", house.http, timeout=60)
    client.request("GET", "/")
    first = client.getresponse()
    assert (first.status, len(first.read())) == (200, int(first.headers["content-length"]))
    assert first.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "server" not in first.headers
    client.request("GET", "/", headers={"If-None-Match": first.headers["etag"]})
    second = client.getresponse()
    assert (second.status, second.read()) == (304, b"")
    client.request("HEAD", "/")
    third = client.getresponse()
    assert (third.status, third.read()) == (200, b"")
    client.close()


@pytest.mark.parametrize(
    ("port", "path", "host", "status"),
    [
        pytest.param("https", "/.well-known/mta-sts.txt", "mta-sts.localhost", "200", id="policy"),
        pytest.param("https", "/.well-known/mta-sts.txt", "localhost", "404", id="policy of another host"),
        pytest.param("http", "/.well-known/mta-sts.txt", "mta-sts.localhost", "404", id="policy without TLS"),
        pytest.param("https", "/mail/config-v1.1.xml", "autoconfig.localhost", "200", id="autoconfig"),
        pytest.param("http", "/robots.txt", "localhost", "200", id="robots"),
        pytest.param("http", "/webmail/", "localhost", "200", id="webmail"),
        pytest.param("http", "/.well-known/jmap", "localhost", "307", id="where JMAP is"),
        pytest.param("http", "/webmail/jmap/session", "localhost", "401", id="JMAP, to strangers"),
        pytest.param("http", "/webmail", "localhost", "308", id="without its slash"),
        pytest.param("http", "/", "rebound.example", "404", id="foreign name"),
        pytest.param("http", "/", "a b", "400", id="malformed host"),
        pytest.param("http", "/../../../../etc/passwd", "localhost", "404", id="above the root"),
        pytest.param("http", "/%2e%2e/%2e%2e/etc/passwd", "localhost", "404", id="above the root, encoded"),
        pytest.param("http", "/..%2f..%2fetc%2fpasswd", "localhost", "404", id="above the root, slashes encoded"),
        pytest.param("http", "/%00", "localhost", "400", id="nul"),
        pytest.param("http", "/metrics", "localhost", "404", id="metrics have a port of their own"),
        pytest.param("metrics", "/", "localhost", "200", id="metrics index"),
        pytest.param("metrics", "/healthz", "localhost", "200", id="health"),
        pytest.param("metrics", "/webmail/", "localhost", "404", id="nothing else there"),
    ],
)
def test_paths(house, port, path, host, status):
    scheme = "https" if port == "https" else "http"
    found, content = curl("--path-as-is", "-H", f"Host: {host}", f"{scheme}://127.0.0.1:{getattr(house, port)}{path}")
    assert found.split()[0] == status
    assert "root:" not in content


def test_methods(house):
    assert curl("-X", "POST", "-d", "x=y", f"http://localhost:{house.metrics}/metrics")[0].startswith("405")
    assert curl("-d", "x=y", f"http://localhost:{house.http}/nothing")[0].startswith("404")
    assert curl("-X", "GET", f"https://localhost:{house.https}/autodiscover/autodiscover.xml")[0].startswith("405")
    body = f"<a><EMailAddress>{house.user}</EMailAddress></a>"
    status, content = curl("-d", body, f"https://localhost:{house.https}/autodiscover/autodiscover.xml")
    assert status.startswith("200")
    assert f"<Port>{house.imaps}</Port>" in content
    assert curl("-d", "x" * 20_000, f"https://localhost:{house.https}/autodiscover/autodiscover.xml")[0][:3] == "413"


def test_metrics_count_requests(house):
    curl(f"http://localhost:{house.http}/robots.txt")
    _, content = curl(f"http://localhost:{house.metrics}/metrics")
    assert (
        'moxpy_httpserver_response_duration_seconds_count{code="200",handler="robots",method="GET",proto="http"}'
        in content
    )
    assert 'moxpy_connections_count{listener="local",protocol="http"}' in content


def test_imap_where_https_is(house):
    with imaplib.IMAP4_SSL("localhost", house.https, ssl_context=unverified("imap"), timeout=60) as client:
        assert client.login(house.user, house.password)[0] == "OK"
        assert client.select("INBOX")[0] == "OK"


def test_submission_where_https_is(house):
    with smtplib.SMTP_SSL("localhost", house.https, context=unverified("smtp"), timeout=60) as client:
        client.login(house.user, house.password)
        client.sendmail(house.user, [house.user], f"From: <{house.user}>\r\nSubject: over https\r\n\r\nx\r\n".encode())


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        pytest.param(["h2", "http/1.1"], "h2", id="both"),
        pytest.param(["http/1.1", "imap"], "http/1.1", id="http before imap"),
        pytest.param(["imap", "smtp"], "smtp", id="ours count"),
        pytest.param(["acme-tls/1"], None, id="none of ours"),
        pytest.param([], None, id="none"),
    ],
)
def test_protocols(house, offered, agreed):
    with raw(house.https, unverified(*offered)) as client:
        found = client.selected_alpn_protocol()
        assert (found == agreed) or {found, agreed} == {"imap", "smtp"}
        if agreed is None:
            client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert all_of(client).startswith(b"HTTP/1.1 200")


def test_openssl_agrees(house):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{house.https}", "-alpn", "imap", "-quiet", "-crlf"]
    done = subprocess.run(command, input=b"a LOGOUT\n", capture_output=True, timeout=60, check=False)
    assert done.stdout.startswith(b"* OK")
    assert b"* BYE" in done.stdout


def test_plain_http_where_tls_is(house):
    with raw(house.https) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = all_of(client)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"https://" in answer


def test_garbage_is_told_and_hurts_nobody(house):
    for octets in (
        b"\0" * 1000,
        b"GET / HTTP/1.1\r\n" + b"A" * 100_000,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"z" * 300_000,
    ):
        with raw(house.http) as client:
            client.sendall(octets)
            assert all_of(client)[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 431", b"HTTP/1.1 404"}
    with raw(house.https, unverified("h2")) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        all_of(client)
    assert curl(f"http://localhost:{house.http}/")[0] == "200 1.1"
    assert "moxpy_panic_total{" not in curl(f"http://localhost:{house.metrics}/metrics")[1]


def test_half_closed(house):
    with raw(house.http) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        assert all_of(client).startswith(b"HTTP/1.1 200")


def test_the_log_tells_no_secrets(house):
    curl("-u", "mox:passwordinfield", "-H", "Cookie: secretcookie", f"http://localhost:{house.http}/?token=secretquery")
    curl("-H", "Host: localhost\x1b[31m", f"http://localhost:{house.http}/%0al=error%20m=forged")
    log = house.log.read_text()
    assert "handler=front method=GET" in log
    for secret in ("passwordinfield", "cGFzc3dvcmRpbmZpZWxk", "secretcookie", "secretquery", "\x1b"):
        assert secret not in log
    assert not any(line.startswith("l=error m=forged") for line in log.splitlines())


def test_a_house_stops_with_connections_open(moxpy, tmp_path):
    """It does not wait as long as for those that end their work. A machine that is busy may be slow, but not always."""

    def stopping() -> float:
        with contextlib.ExitStack() as stack:
            with served.running(moxpy, tmp_path / "local") as house:
                stack.enter_context(raw(house.http))
                idle = stack.enter_context(raw(house.https, unverified("h2")))
                assert idle.recv(9)  # SETTINGS
                began = time.monotonic()
            return time.monotonic() - began

    assert any(stopping() < GRACE_SECONDS for _ in range(3))


@pytest.mark.parametrize(
    ("application", "who", "function", "part"),
    [
        ("account", '"mox@localhost","moxmoxmox"', "Account", '"LoginAddress":"mox@localhost"'),
        ("admin", '"moxadmin"', "Domains", '"Domain":"localhost"'),
    ],
)
def test_functions_by_curl(house, tmp_path, application, who, function, part):
    """As a script would do it, with nothing but curl."""
    jar = str(tmp_path / "jar")

    def call(name: str, params: str, csrf: str = "") -> str:
        fields = ["-H", "content-type: application/json", *(["-H", f"x-mox-csrf: {csrf}"] if csrf else [])]
        url = f"https://localhost:{house.https}/{application}/api/{name}"
        status, content = curl("-b", jar, "-c", jar, *fields, "-d", f'{{"params":[{params}]}}', url)
        assert status.startswith("200")
        return content

    token = call("LoginPrep", "").removeprefix('{"result":').removesuffix("}")
    csrf = call("Login", f"{token},{who}").removeprefix('{"result":"').removesuffix('"}')
    assert part in call(function, "", csrf)
    assert "user:noAuth" in call(function, "")
    call("Logout", "", csrf)
    assert "user:noAuth" in call(function, "", csrf)
    assert curl(f"https://localhost:{house.https}/{application}")[0].startswith("308")
    status, page = curl(f"https://localhost:{house.https}/{application}/")
    assert status.startswith("200")
    assert "<html" in page


def test_admin_password_of_a_running_server(house, moxpy, tmp_path):
    jar = str(tmp_path / "jar")
    config = str(house.log.parent / "local" / "moxpy.toml")

    def log_in(password: str) -> str:
        url = f"https://localhost:{house.https}/admin/api"
        fields = ["-b", jar, "-c", jar, "-H", "content-type: application/json"]
        token = curl(*fields, "-d", '{"params":[]}', f"{url}/LoginPrep")[1].removeprefix('{"result":').removesuffix("}")
        return curl(*fields, "-d", f'{{"params":[{token},"{password}"]}}', f"{url}/Login")[1]

    def set_password(password: str) -> int:
        command = [str(moxpy), "--config", config, "setadminpassword"]
        done = subprocess.run(command, input=f"{password}\n".encode(), capture_output=True, timeout=120, check=False)
        return done.returncode

    assert set_password("short") == 1
    assert set_password("another admin password") == 0
    assert "loginFailed" in log_in("moxadmin")
    assert '"result"' in log_in("another admin password")
    assert set_password("moxadmin") == 0
    assert '"result"' in log_in("moxadmin")


def test_second_factors_can_be_removed_from_the_shell(house, moxpy):
    config = str(house.log.parent / "local" / "moxpy.toml")
    for who in ([], ["mox"]):
        command = [str(moxpy), "--config", config, "config", "secondfactor", "rm", *who]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        assert (done.returncode, b"there is no second factor" in done.stderr) == (1, True)


def test_files_of_the_working_directory(house):
    status, content = curl(f"http://localhost:{house.http}/workdir/")
    assert status == "200 1.1"
    assert "<h1>Index of /workdir/</h1>" in content
    # Only at this host, which no other site can be: a browser would let it read what is here.
    assert curl(f"http://127.0.0.1:{house.http}/workdir/")[0] == "404 1.1"
    assert curl("--path-as-is", f"http://localhost:{house.http}/workdir/../../../../etc/passwd")[0] == "404 1.1"


def test_a_server_behind(house):
    assert curl(f"http://localhost:{house.http}/app/x")[0] == "308 1.1"
    status, content = curl("--http2", f"https://localhost:{house.https}/app/a%2Fb?c=d")
    assert (status, content) == ("200 2", "/app/a%2Fb?c=d https 127.0.0.1")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_an_upload_to_a_server_behind(house, tmp_path, version):
    """Larger than any body that our own applications take."""
    (tmp_path / "upload").write_bytes(bytes(range(256)) * 4096 * 8)
    command = (
        f"cat {tmp_path}/upload | curl -sk --max-time 10 {version} -X POST -T - https://localhost:{house.https}/app/up"
    )
    content = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=True).stdout.decode()
    digest = hashlib.sha256((tmp_path / "upload").read_bytes()).hexdigest()
    assert content == f"{8 * 1024 * 1024} {digest}"


def test_settings_of_apple_devices(house, tmp_path):
    url = f"https://localhost:{house.https}/profile.mobileconfig"
    file = tmp_path / "profile"
    status, _ = curl("-o", str(file), f"{url}?addresses={house.user}")
    assert status == "200 2"
    command = ["openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", str(file), "-binary"]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert str(house.imaps).encode() in done.stdout
    assert curl("-o", str(file), f"{url}.qrcode.png?addresses={house.user}")[0] == "200 2"
    assert file.read_bytes().startswith(b"\x89PNG")
