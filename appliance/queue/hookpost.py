"""One POST of a webhook: what is sent, signed how, to whom at most, and what counts as success."""

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin

import trio

from appliance import __version__
from appliance.base.metrics import Counter, Histogram
from appliance.config.source import ConfigSource
from appliance.delivery.appliance import Appliance
from appliance.net.http import URL, Bounds, Client, Fault, HTTPError, Request, Response, parse_url
from appliance.net.limiter import Address
from appliance.store.hookrecords import HookAttempt
from appliance.store.tables import HookID
from appliance.tls.context import client_context
from appliance.tls.verify import by_authorities

durations = Histogram(
    "webhook_request_duration_seconds",
    "Time of a POST of a webhook, redirects included.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 60),
)
results = Counter("webhook_results_total", "POSTs of webhooks, by status code of the response.", ("code",))

#: For all of a POST: look-up, redirects, response.
SECONDS: Final = 60.0
#: Kept of a response, and of an error.
RESPONSE_OCTETS: Final = 512
ERROR_CHARACTERS: Final = 500
#: Redirects followed.
REDIRECTS: Final = 5
#: Those that keep method and body (RFC 9110 §15.4.8, §15.4.9); others would make a GET of it.
_FOLLOWED: Final = frozenset({307, 308})
_CODES: Final = frozenset(map(int, HTTPStatus))


@dataclass(frozen=True, slots=True)
class Post:
    """What is posted where."""

    #: What receivers know it by, whatever attempt or replay it is; 0 for a test.
    id: HookID
    url: str
    payload: bytes
    #: From 1.
    attempt: int = 1
    authorization: str = ""
    #: As in the configuration; empty: not signed.
    secret: str = ""


def client(app: Appliance) -> Client:
    """What webhooks are posted with: to addresses that the house allows, and to what the configuration names beside."""

    def judge(chain: Sequence[bytes], name: str) -> str:
        return by_authorities(chain, name, app.roots, app.clock.now()).result

    def permits(address: Address) -> bool:
        return app.policy.takes_webhooks(address) or is_named(app.config, address)

    return Client(app.resolver.named("webhook"), client_context(), judge, "webhook", permits=permits)


def is_named(config: ConfigSource, address: Address) -> bool:
    """Whether the configuration, as it is now, lets webhooks go there."""
    networks = config.snapshot().static.webhook_networks
    return any(address in network.network for network in networks)


async def post(client: Client, one: Post, now: datetime) -> HookAttempt:
    """Post it once; never raises. Only a response of 200 is success."""
    start, began = int(now.timestamp() * 1e6), time.perf_counter()
    code, error, response = 0, "", ""
    try:
        answer = await _send(client, one, now)
        code, response = answer.status, _readable(answer.body)
        if code != 200:
            error = f"response with status {code}, not 200{_toward(answer)}"
    except HTTPError as problem:
        error = str(problem)
        if problem.fault is Fault.FORBIDDEN:
            error += "; see webhook_networks in moxpy.toml"
    except ValueError as problem:
        error = str(problem)
    duration = time.perf_counter() - began
    durations.labels().observe(duration)
    results.labels(_label(code)).inc()
    shown = error[:ERROR_CHARACTERS]
    return HookAttempt(start, int(duration * 1e6), one.url, not error, code, shown, response)


async def _send(client: Client, one: Post, now: datetime) -> Response:
    """The last response. Raises HTTPError, ValueError."""
    url = parse_url(one.url)
    end = trio.current_time() + SECONDS
    authorization = one.authorization
    for _ in range(REDIRECTS + 1):
        request = Request(url, "POST", _fields(one, authorization, now), one.payload)
        left = max(0.0, end - trio.current_time())
        response = await client.send(request, Bounds(left, RESPONSE_OCTETS, cut=True))
        location = response.field("location")
        if response.status not in _FOLLOWED or not location:
            return response
        following = parse_url(urljoin(str(url), location))
        if url.scheme == "https" and following.scheme != "https":
            raise ValueError("redirected from https to http")
        if _origin(url) != _origin(following):
            authorization = ""  # It is a secret between two.
        url = following
    raise ValueError(f"more than {REDIRECTS} redirects")


def _origin(url: URL) -> tuple[str, str]:
    return url.scheme, url.authority


def _fields(one: Post, authorization: str, now: datetime) -> tuple[tuple[str, str], ...]:
    """Header fields; those of mox, and those of Standard Webhooks when there is a secret."""
    fields = [
        ("User-Agent", f"moxpy/{__version__} (webhook)"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("X-Mox-Webhook-ID", str(one.id)),
        ("X-Mox-Webhook-Attempt", str(one.attempt)),
    ]
    if authorization:
        if not authorization.isprintable() or not authorization.isascii():
            raise ValueError("the value of Authorization has characters that a header field cannot have")
        fields.append(("Authorization", authorization))
    if one.secret:
        seconds = int(now.timestamp())
        fields += [
            ("webhook-id", str(one.id)),
            ("webhook-timestamp", str(seconds)),
            ("webhook-signature", signature(one.secret, str(one.id), seconds, one.payload)),
        ]
    return tuple(fields)


def signature(secret: str, id: str, seconds: int, payload: bytes) -> str:
    """HMAC-SHA-256 over id, time and payload (Standard Webhooks 1.0.0, "Signature scheme")."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b"%b.%d.%b" % (id.encode(), seconds, payload)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _toward(answer: Response) -> str:
    location = answer.field("location")
    return f", a redirect to {location}" if location and 300 <= answer.status < 400 else ""


def _readable(octets: bytes) -> str:
    """The beginning of a response, for people: control characters but line ends and tabs made visible."""
    text = octets[:RESPONSE_OCTETS].decode("utf-8", "replace")
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text.replace("\r\n", "\n"))


def _label(code: int) -> str:
    if not code:
        return "error"
    return str(code) if code in _CODES else f"{code // 100}xx"
