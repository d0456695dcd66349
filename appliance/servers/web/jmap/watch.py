"""Who waits for changes: event streams and WebSockets, how many of them, and what ends them."""

import base64
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.metrics import Gauge
from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor
from appliance.operations.states import TYPES, difference, states
from appliance.servers.web.asgi import LongMessages
from appliance.servers.web.jmap.problem import RequestProblem
from appliance.store.tables import AccountID

open_streams = Gauge("webmail_sse_connections", "Open event streams and WebSockets of JMAP.")

#: Between looks, in seconds: a burst of changes is told as one, and costs nothing while it lasts.
LOOK_SECONDS: Final = 1.0
#: Octets of a state of everything as clients give it back.
_STATE_OCTETS: Final = 6000
#: And before they are made letters.
_TOLD_OCTETS: Final = _STATE_OCTETS // 4 * 3
_STATES: Final = msgspec.json.Decoder(dict[str, str])


class Watch:
    """What somebody was told of the states of his account, and of those that are shared with him."""

    def __init__(self, app: Appliance, actor: Actor, types: Collection[str] | None, since: str = "") -> None:
        """`types`: that are told, None for all. `since`: the state of everything that he knows, as told before."""
        self._app, self._actor = app, actor
        self.types = types
        self._told = states(app, actor)
        if known := _parse(since):
            # Another's account that is not among what he knows is new to him.
            own = {name: state for name, state in self._told.items() if name in TYPES}
            self._told = {**own, **known}

    @property
    def state(self) -> str:
        """The state of everything that was told, in letters that may stand in a header field."""
        told = msgspec.json.encode(self._told)
        if len(told) > _TOLD_OCTETS:  # Then those of others are told anew.
            told = msgspec.json.encode({name: state for name, state in self._told.items() if name in TYPES})
        return base64.urlsafe_b64encode(told).decode()

    def news(self) -> dict[str, Any] | None:
        """A StateChange (RFC 8620 §7.1); None where nothing changed that is told. Raises NoSuchAccount."""
        return self._news(states(self._app, self._actor))

    async def look(self) -> dict[str, Any] | None:
        """The same; in a thread where there are mailboxes of others, which may be many."""
        if all(name in TYPES for name in self._told):
            return self.news()
        return self._news(await trio.to_thread.run_sync(states, self._app, self._actor))

    def _news(self, now: dict[str, str]) -> dict[str, Any] | None:
        changed = difference(self._actor.account, self._told, now, self.types)
        if not changed:
            return None
        self._told = now
        return {"@type": "StateChange", "changed": changed}


def _parse(text: str) -> dict[str, str]:
    """States as told before; nothing where they make no sense, which is as if they were those of now."""
    try:
        if not text or len(text) > _STATE_OCTETS:
            return {}
        return _STATES.decode(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, msgspec.MsgspecError):
        return {}


class Waiting:
    """One stream; whatever ends the login of its owner ends it at once."""

    def __init__(self, actor: Actor, messages: LongMessages) -> None:
        """`messages`: what those of an account's WebSockets may be."""
        self.actor = actor
        self.messages = messages
        self.scope = trio.CancelScope()

    def expel(self) -> None:
        """End."""
        self.scope.cancel()


class Waitings:
    """All of them."""

    def __init__(self, app: Appliance) -> None:
        self._app = app
        self._open: Counter[AccountID] = Counter()
        self._messages: dict[AccountID, LongMessages] = {}

    @contextmanager
    def one(self, actor: Actor) -> Iterator[Waiting]:
        """Within it, it is open; the context is left early when its login ends. Raises RequestProblem for too many."""
        account = actor.account
        if self._open[account] >= limits.EVENT_STREAMS:
            raise RequestProblem("about:blank", "too many streams are open", status=429)
        # A message may be as long as a request that is posted, and so many may be under way (RFC 8620 §2).
        messages = LongMessages(limits.JMAP_REQUEST_OCTETS, limits.JMAP_REQUESTS)
        waiting = Waiting(actor, self._messages.setdefault(account, messages))
        self._open[account] += 1
        open_streams.labels().inc()
        self._app.sessions.enter(waiting)
        try:
            yield waiting
        finally:
            self._app.sessions.leave(waiting)
            open_streams.labels().dec()
            self._open[account] -= 1
            if not self._open[account]:
                del self._open[account], self._messages[account]
