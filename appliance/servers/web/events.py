"""What pages hear of changes: a stream of server-sent events (HTML Living Standard §9.2), one for each open page.

A stream looks once a second whether anything is different from what its page was told last, and says so. So it costs
little, whatever happens meanwhile, holds up nothing, and tells a burst of changes as one. It ends with its session.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final

import trio

from appliance import __version__
from appliance.base import limits
from appliance.base.metrics import Gauge
from appliance.config.schema import doc
from appliance.delivery.appliance import Appliance
from appliance.operations.actor import Actor
from appliance.operations.websessions import Found
from appliance.servers.web.api import Wire, encode
from appliance.servers.web.asgi import Send
from appliance.store import queueglance
from appliance.store.records import Mailbox
from appliance.store.tables import MailboxID

streams = Gauge("web_event_streams", "Open event streams of pages.", ("app",))

#: Between looks, and between signs of life, in seconds.
LOOK_SECONDS: Final = 1.0
ALIVE_SECONDS: Final = 30.0


class Started(Wire):
    """The stream begins: what was told by an earlier one may be old."""

    version: Annotated[str, doc("Of the server; a page of another version should be loaded again.")]


class ConfigChanged(Wire):
    """The configuration of the account, or for the administrator any of it, is not what it was."""


class MailboxCounts(Wire):
    """A mailbox is new, or has other messages, or another name."""

    mailbox_id: int
    name: str
    messages: int
    unread: int
    size: Annotated[int, doc("Octets.")]


class MailboxRemoved(Wire):
    """A mailbox is gone."""

    mailbox_id: int
    name: str


class StorageChanged(Wire):
    """The account holds more, or less."""

    used: Annotated[int, doc("Octets of messages.")]


class QueueChanged(Wire):
    """Something in the queue of messages is not as it was."""

    size: Annotated[int, doc("Messages in it.")]


class HookQueueChanged(Wire):
    """Something in the queue of webhooks is not as it was."""

    size: Annotated[int, doc("Webhooks in it.")]


class ServerShutdown(Wire):
    """The server stops; it may be back soon."""


ACCOUNT_EVENTS: Final[tuple[type[Wire], ...]] = (
    *(Started, ConfigChanged, MailboxCounts, MailboxRemoved, StorageChanged, ServerShutdown),
)
ADMIN_EVENTS: Final[tuple[type[Wire], ...]] = (Started, ConfigChanged, QueueChanged, HookQueueChanged, ServerShutdown)

#: Looks whether anything is different, and returns what there is to tell.
Look = Callable[[], Iterator[Wire]]


class AccountWatch:
    """What the page of an account was told."""

    def __init__(self, app: Appliance, actor: Actor) -> None:
        self._app = app
        self._actor = actor
        self._config = app.config.snapshot().domains.accounts.get(actor.name)
        self._modseq = -1
        self._used = -1
        self._told: dict[MailboxID, tuple[str, int, int, int]] = {}
        for _ in self():
            pass

    def __call__(self) -> Iterator[Wire]:
        """What is different from what was told last."""
        config = self._app.config.snapshot().domains.accounts.get(self._actor.name)
        if config != self._config:
            self._config = config
            yield ConfigChanged()
        with self._app.store.read() as tx:
            account = tx.account(self._actor.account)
            same = account.modseq == self._modseq and account.usage_octets == self._used
            mailboxes = [] if same else tx.mailboxes(self._actor.account)
        if same:
            return
        self._modseq = account.modseq
        if account.usage_octets != self._used:
            self._used = account.usage_octets
            yield StorageChanged(used=account.usage_octets)
        there = {one.id: _counts(one) for one in mailboxes}
        for id in self._told.keys() - there.keys():
            yield MailboxRemoved(mailbox_id=id, name=self._told[id][0])
        for id, counts in there.items():
            if self._told.get(id) != counts:
                name, messages, unread, size = counts
                yield MailboxCounts(mailbox_id=id, name=name, messages=messages, unread=unread, size=size)
        self._told = there


def _counts(mailbox: Mailbox) -> tuple[str, int, int, int]:
    return mailbox.name, mailbox.messages, mailbox.unread, mailbox.size_octets


class AdminWatch:
    """What the administrator's page was told."""

    def __init__(self, app: Appliance) -> None:
        self._app = app
        self._version = app.config.version
        with app.store.read() as tx:
            self._queue, self._hooks = queueglance.messages(tx), queueglance.hooks(tx)

    def __call__(self) -> Iterator[Wire]:
        """What is different from what was told last."""
        if self._app.config.version != self._version:
            self._version = self._app.config.version
            yield ConfigChanged()
        with self._app.store.read() as tx:
            queue, hooks = queueglance.messages(tx), queueglance.hooks(tx)
        if queue != self._queue:
            self._queue = queue
            yield QueueChanged(size=queue.size)
        if hooks != self._hooks:
            self._hooks = hooks
            yield HookQueueChanged(size=hooks.size)


class Page:
    """One open stream; whatever ends the session of an account ends it at once."""

    def __init__(self, actor: Actor | None) -> None:
        self.actor = actor
        self._scope = trio.CancelScope()

    def expel(self) -> None:
        """End."""
        self._scope.cancel()

    async def run(self, app: Appliance, look: Look, goes_on: Callable[[], bool], send: Send) -> None:
        """Tell what changes until the session ends, the house stops, or the client leaves."""
        await begin(send)
        with self._scope:
            await _tell(send, Started(version=__version__))
            quiet = 0.0
            while goes_on():
                told = False
                for event in look():
                    await _tell(send, event)
                    told = True
                quiet = 0.0 if told else quiet + LOOK_SECONDS
                if quiet >= ALIVE_SECONDS:
                    quiet = 0.0
                    await _write(send, b": alive\n\n")
                with trio.move_on_after(LOOK_SECONDS):
                    await app.shutdown.wait()
                    await _tell(send, ServerShutdown())
                    break
        await send({"type": "http.response.body", "body": b""})


async def begin(send: Send) -> None:
    """Begin a stream."""
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        # Proxies before us must not gather what we send.
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _tell(send: Send, event: Wire) -> None:
    await _write(send, b"event: " + type(event).__name__.encode() + b"\ndata: " + encode(event) + b"\n\n")


async def _write(send: Send, octets: bytes) -> None:
    await send({"type": "http.response.body", "body": octets, "more_body": True})


class Streams:
    """All streams of an application."""

    def __init__(self, app: Appliance, name: str) -> None:
        self._app = app
        self._gauge = streams.labels(name)
        self._open: Counter[Any] = Counter()

    def admits(self, found: Found) -> bool:
        """Whether the owner of a session may have one more."""
        return self._open[self._owner(found)] < limits.EVENT_STREAMS

    @staticmethod
    def _owner(found: Found) -> Any:
        return found.actor.account if found.actor is not None else None

    async def run(self, found: Found, goes_on: Callable[[], bool], send: Send) -> None:
        """Serve a stream to its end."""
        owner = self._owner(found)
        look: Look = AdminWatch(self._app) if found.actor is None else AccountWatch(self._app, found.actor)
        page = Page(found.actor)
        self._open[owner] += 1
        self._gauge.inc()
        self._app.sessions.enter(page)
        try:
            await page.run(self._app, look, goes_on, send)
        finally:
            self._app.sessions.leave(page)
            self._gauge.dec()
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
