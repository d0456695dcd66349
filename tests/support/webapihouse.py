"""A house with a port for its webapi; requests are handed to its application, without a connection."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from appliance.net.limiter import Limiter, Window
from appliance.net.tlsstream import TLSInfo
from appliance.serve import usual_contents
from appliance.servers.web import dispatch
from appliance.servers.web.app import PortApplication
from appliance.store.store import Store
from support.imaphouse import PASSWORD
from support.smtphouse import STATIC as PLAIN, House as SMTPHouse, open_house

STATIC = (
    PLAIN
    + """\
[listeners.local.webapi_http]
enabled = true
[listeners.proxied]
ips = ["127.0.0.1"]
smtp_max_message_size = "2M"
[listeners.proxied.webapi_http]
enabled = true
port = 81
path = "/mailapi/"
forwarded = true
"""
)
DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
[domains."bücher.example"]
[domains."off.example"]
disabled = true
[domains."plain.example"]
[domains."example.org".aliases.team]
addresses = ["alice@example.org", "bob@example.org"]
allow_msg_from = true
[accounts.alice]
domain = "example.org"
full_name = "Alice Example"
fromid_login_addresses = ["ids@example.org"]
max_outgoing_messages_per_day = 40
max_first_time_recipients_per_day = 30
[accounts.alice.destinations."alice@example.org"]
[accounts.alice.destinations."ids@example.org"]
[accounts.alice.destinations."alice@off.example"]
[accounts.alice.destinations."alice@plain.example"]
[accounts.alice.destinations."jos\u00e9@b\u00fccher.example"]
[accounts.bob]
domain = "example.org"
quota_message_size = "2K"
[accounts.bob.destinations."bob@example.org"]
[accounts.carol]
domain = "example.org"
login_disabled = "ask the boss"
[accounts.carol.destinations."carol@example.org"]
"""
ALICE = ("alice@example.org", PASSWORD)
BOB = ("bob@example.org", PASSWORD)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json; charset=utf-8", self
        assert self.body.endswith(b"\n")
        return json.loads(self.body)

    @property
    def code(self) -> str:
        assert self.status == 400, self
        assert set(self.json) == {"Code", "Message"}
        return self.json["Code"]


def multipart(*parts: tuple[str, bytes, bytes], boundary: str = "frontier") -> tuple[str, bytes]:
    """Content-Type and body: each part's name, further header lines, and content."""
    body = b""
    for name, head, content in parts:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode() + head
        body += b"\r\n\r\n" + content + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


class WebHouse:
    def __init__(self, house: SMTPHouse) -> None:
        self.house, self.app = house, house.app
        config = self.app.config.snapshot()
        contents = usual_contents(self.app)
        self.ports = {
            port.number: PortApplication(self.app, port, contents, None) for port in dispatch.ports(config.static)
        }
        self.left = False

    @property
    def store(self) -> Store:
        return self.app.store

    async def ask(
        self,
        verb: str,
        path: str,
        *,
        body: bytes = b"",
        content_type: str = "application/x-www-form-urlencoded",
        login: tuple[str, str] | None = None,
        headers: Sequence[tuple[str, str]] = (),
        port: int = 80,
        piece: int = 1 << 16,
        remote: str = "192.0.2.9",
        tls: TLSInfo | None = None,
        host: str = "localhost",
    ) -> Answer:
        """Ask for something, the body in pieces of so many octets."""
        fields = [("host", host), *headers]
        if body or verb == "POST":
            fields.append(("content-type", content_type))
        if login is not None:
            fields.append(("authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode()))
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": verb,
            "path": path,
            "query_string": b"",
            "scheme": "http",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
            "client": (remote, 4000),
            "server": ("192.0.2.2", port),
            "state": {"cid": "1f", "tls": tls},
        }
        pieces = [body[at : at + piece] for at in range(0, len(body), piece)] or [b""]
        status, found, content = 0, {}, b""

        async def receive() -> dict[str, Any]:
            if not pieces:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            nonlocal status, content
            if message["type"] == "http.response.start":
                status = message["status"]
                found.update((name.decode(), value.decode()) for name, value in message["headers"])
            else:
                content += message.get("body", b"")

        await self.ports[port](scope, receive, send)
        if "content-length" in found and verb != "HEAD":
            assert int(found["content-length"]) == len(content)
        return Answer(status, found, content)

    async def call(self, method: str, request: Any, *, login: tuple[str, str] | None = ALICE, **more: Any) -> Answer:
        """Call a method; `request` is JSON, or becomes it."""
        octets = request if isinstance(request, bytes) else json.dumps(request).encode()
        return await self.ask(
            "POST", f"/webapi/v0/{method}", body=urlencode({"request": octets}).encode(), login=login, **more
        )


@asynccontextmanager
async def web_house(
    folder: Path, *, domains: str = DOMAINS, static: str = STATIC, failures: int = 10_000
) -> AsyncIterator[WebHouse]:
    """With so many failed logins allowed in a minute."""
    async with open_house(folder, domains, static=static) as house:
        limiter = Limiter([Window(60, (failures, 3 * failures, 9 * failures))])
        yield WebHouse(replace(house, app=replace(house.app, login_failures=limiter)))
