"""A house with web applications on a store of its own; browsers and scripts talk to them without a socket."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio

from appliance.base.limits import LOGIN_FAILURES
from appliance.delivery.appliance import Appliance
from appliance.net.limiter import Limiter, Window
from appliance.operations import accounts as verbs, passwords
from appliance.operations.attempts import Book
from appliance.operations.passwords import Checker
from appliance.servers.web.app import client_of
from appliance.servers.web.applications import applications
from appliance.servers.web.asgi import ASGI
from appliance.servers.web.dispatch import Port, Target
from appliance.store import account as accounts
from appliance.store.tables import AccountID
from support import imaphouse
from support.clock import StandingClock

DOMAINS = """\
[domains."example.org"]
localpart_catchall_separators = ["+"]
# Alice's.
[accounts.alice]
domain = "example.org"
[accounts.alice.destinations."alice@example.org"]
mailbox = "Inbox"
[accounts.alice.destinations."sales@example.org"]
[accounts.bob]
domain = "example.org"
[accounts.bob.destinations."bob@example.org"]
[accounts.shut]
domain = "example.org"
login_disabled = "closed for now"
[accounts.shut.destinations."shut@example.org"]
"""
USER, PASSWORD, ADMIN_PASSWORD = "alice@example.org", "correct horse battery", "a strong admin"
#: Where browsers come.
PORT = Port("192.0.2.99", 443, tls=True, listeners=("local",))
SECRETS = passwords.derive_credentials(PASSWORD, 1)
ADMIN_HASH = passwords.hash_password(ADMIN_PASSWORD)


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def cookies(self) -> list[str]:
        return [value for key, value in self.headers if key == "set-cookie"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        assert "result" in self.json, self.json
        return self.json["result"]

    @property
    def code(self) -> str:
        return self.json["error"]["code"]

    @property
    def message(self) -> str:
        return self.json["error"]["message"]


@dataclass
class Stream:
    """Events as they come."""

    answer: Answer = field(default_factory=lambda: Answer(0, [], b""))
    ended: bool = False

    @property
    def events(self) -> list[tuple[str, Any]]:
        found = []
        for block in self.answer.body.decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines())
            if "event" in lines:
                found.append((lines["event"], json.loads(lines["data"])))
        return found

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


@dataclass
class Browser:
    """Keeps cookies and the token against forged requests, as a browser and a page of ours do."""

    house: "WebHouse"
    application: str = "account"
    address: str = "192.0.2.1"
    scheme: str = "https"
    forwarded: bool = False
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def listen(self, heard: "Stream") -> None:
        """Hear events until the stream ends."""
        await self.request("GET", "events", answer=heard.answer)
        heard.ended = True

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        answer: Answer | None = None,
    ) -> Answer:
        sent = {"user-agent": "tests", **self.headers, **(headers or {})}
        if self.cookies:
            sent.setdefault("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        root = f"/{self.application}"
        scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "scheme": self.scheme,
            "path": f"{root}/{path.partition('?')[0]}",
            "root_path": root,
            "query_string": path.partition("?")[2].encode(),
            "client": (self.address, 1234),
            "server": ("192.0.2.99", 443),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items()],
            "state": {
                "target": Target(self.application, root=f"{root}/", forwarded=self.forwarded),
                "config": self.house.app.config.snapshot(),
                "listener": "local",
                "port": PORT,
                "cid": "1",
                "tls": None,
            },
        }
        scope["state"]["client"] = client_of(scope, forwarded=self.forwarded)
        answer = answer or Answer(0, [], b"")
        pieces = [body[:10], body[10:]]

        async def receive() -> dict[str, Any]:
            if not pieces:
                await trio.sleep_forever()
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(event: Any) -> None:
            if event["type"] == "http.response.start":
                answer.status = event["status"]
                answer.headers = [(name.decode(), value.decode("latin-1")) for name, value in event["headers"]]
            else:
                answer.body += event.get("body", b"")

        await self.house.applications[self.application](scope, receive, send)
        for one in answer.cookies:
            name, _, value = one.partition(";")[0].partition("=")
            if "Max-Age=0" in one:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    async def call(self, name: str, *params: Any, **headers: str) -> Answer:
        return await self.post(name, json.dumps({"params": params}).encode(), **headers)

    async def named(self, name: str, **params: Any) -> Answer:
        return await self.post(name, json.dumps({"params": params}).encode())

    async def post(self, name: str, body: bytes, **headers: str) -> Answer:
        sent = {"content-type": "application/json", **({"x-mox-csrf": self.csrf} if self.csrf else {})}
        sent.update({key.replace("_", "-"): value for key, value in headers.items()})
        return await self.request("POST", f"api/{name}", body, sent)

    async def log_in(self, password: str = "", user: str = USER, code: str = "") -> Answer:
        token = (await self.call("LoginPrep")).result
        who = [user] if self.application != "admin" else []
        usual = ADMIN_PASSWORD if self.application == "admin" else PASSWORD
        answer = await self.call("Login", token, *who, password or usual, *([code] if code else []))
        if answer.status == 200 and "result" in answer.json:
            self.csrf = answer.result
        return answer


@dataclass
class WebHouse:
    app: Appliance
    clock: StandingClock
    applications: Mapping[str, ASGI]

    def browser(self, application: str = "account", **options: Any) -> Browser:
        return Browser(self, application, **options)

    async def logged_in(self, application: str = "account", **options: Any) -> Browser:
        browser = self.browser(application, **options)
        assert (await browser.log_in()).status == 200
        assert browser.csrf
        return browser

    def number(self, name: str = "alice") -> AccountID:
        return verbs.number(self.app.store, name)

    def restarted(self) -> None:
        """What is in memory only is gone."""
        self.applications = applications(self.app)


@asynccontextmanager
async def open_house(
    folder: Path, domains: str = DOMAINS, *, beginning: str = "", listeners: str = ""
) -> AsyncIterator[WebHouse]:
    """With more at the beginning of the static file, and more tables at its end."""
    static = (
        beginning
        + imaphouse.STATIC.replace("[postmaster]", 'admin_password_file = "adminpasswd"\n[postmaster]')
        + listeners
    )
    async with imaphouse.open_house(folder, domains, static=static) as house:
        (folder / "adminpasswd").write_text(ADMIN_HASH + "\n")
        clock = house.app.clock
        assert isinstance(clock, StandingClock)
        book = Book(house.app.store, clock)
        failures = Limiter([Window(seconds, counts) for seconds, counts in LOGIN_FAILURES])
        app = replace(house.app, passwords=Checker(clock), logins=book, login_failures=failures)
        for name in ("alice", "bob", "shut"):
            await app.store.write(accounts.set_credentials, verbs.number(app.store, name), SECRETS, keep_session=None)
        yield WebHouse(app, clock, applications(app))
        await book.write()
