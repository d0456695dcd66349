"""The stream of changes as server-sent events (RFC 8620 §7.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import trio

from appliance.delivery.appliance import Appliance
from appliance.servers.web import events
from appliance.servers.web.asgi import Scope, Send
from appliance.servers.web.jmap.auth import field
from appliance.servers.web.jmap.problem import RequestProblem
from appliance.servers.web.jmap.watch import LOOK_SECONDS, Waiting, Watch
from appliance.servers.web.respond import query_of
from appliance.store.problems import NoSuchAccount

#: RFC 8620 §7.3: not above 30 and not below 300.
PING_SECONDS: Final = (5, 900)
#: A comment is sent when nothing else was: proxies end what is silent for longer.
_ALIVE_SECONDS: Final = 60
_TYPES_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants to hear."""

    #: None: all.
    types: frozenset[str] | None
    #: The stream ends with the first change that is told.
    is_once: bool
    #: 0: no pings.
    ping_seconds: int
    last_event_id: str


def asked(scope: Scope) -> Asked:
    """What stands in the request. Raises RequestProblem."""
    query = query_of(scope)
    types = query.get("types", "*")
    close, ping = query.get("closeafter", "no"), query.get("ping", "0")
    if close not in {"no", "state"} or not ping.isascii() or not ping.isdecimal() or len(types) > _TYPES_CHARACTERS:
        raise RequestProblem("about:blank", "types, closeafter or ping are not as RFC 8620 §7.3 has them")
    least, most = PING_SECONDS
    seconds = int(ping[:9])
    return Asked(
        types=None if types == "*" else frozenset(types.split(",")),
        is_once=close == "state",
        ping_seconds=0 if not seconds else max(least, min(seconds, most)),
        last_event_id=field(scope, b"last-event-id"),
    )


async def run(app: Appliance, asked: Asked, waiting: Waiting, goes_on: Callable[[], bool], send: Send) -> None:
    """Tell what changes until the session ends, the house stops, or the client leaves."""
    watch = Watch(app, waiting.actor, asked.types, asked.last_event_id)
    await events.begin(send)

    async def write(octets: bytes) -> None:
        await send({"type": "http.response.body", "body": octets, "more_body": True})

    with waiting.scope:
        # An id without data is no event, but where a client goes on from that was told nothing yet.
        await write(f"id: {watch.state}\n\n".encode())
        quiet = 0.0
        while goes_on():
            try:
                news = await watch.look()
            except NoSuchAccount:
                break
            if news is not None:
                octets = msgspec.json.encode(news)
                await write(b"event: state\ndata: " + octets + f"\nid: {watch.state}\n\n".encode())
                quiet = 0.0
                if asked.is_once:
                    break
            elif asked.ping_seconds and quiet >= asked.ping_seconds:
                octets = msgspec.json.encode({"interval": asked.ping_seconds})
                await write(b"event: ping\ndata: " + octets + b"\n\n")
                quiet = 0.0
            elif quiet >= _ALIVE_SECONDS and not asked.ping_seconds:
                await write(b": alive\n\n")
                quiet = 0.0
            with trio.move_on_after(LOOK_SECONDS):
                await app.shutdown.wait()
                break
            quiet += LOOK_SECONDS
    await send({"type": "http.response.body", "body": b""})
