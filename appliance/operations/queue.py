"""What people do with the queue: look at it, hold, postpone and redirect messages; and where messages go.

A change applies to what matches a filter: the messages are chosen first, in a thread, then changed in pieces, each of
them only if it still matches. An attempt may be under way meanwhile. What settles it takes the record as it finds it,
and never writes back one it has read before: a message that is gone stays so, and one that was put on hold, postponed
or redirected keeps that (queue.settle).
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, TypeVar

import msgspec
import trio

from appliance.base.problem import Kind, Problem
from appliance.config.source import Config
from appliance.config.values import MAX_DURATION_SECONDS
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.delivery.receive import Verdict
from appliance.mail.address import Path
from appliance.mail.status import Status
from appliance.operations import addresses
from appliance.queue import settle
from appliance.store import bodies, queued, queuepages
from appliance.store.hookrecords import Hook, RetiredHook
from appliance.store.queuefilter import Means, Order, WaitingFilter
from appliance.store.queuepages import Shelf
from appliance.store.queuerecords import QueuedMessage, RetiredMessage
from appliance.store.tables import AccountID, QueueID
from appliance.store.transaction import WriteTx

T = TypeVar("T", QueuedMessage, RetiredMessage, Hook, RetiredHook)

#: Messages listed at a time: a millisecond for whoever writes them out.
PAGE_MESSAGES: Final = 50
#: Messages looked at in one go by a thread, some ten microseconds each, and chosen by it.
LOOKS: Final = 1000
#: Messages changed by one transaction: some milliseconds of the writer's time.
TOGETHER: Final = 100
#: Octets of a message read at a time.
DUMP_OCTETS: Final = 256 * 1024


class NoSuchTransport(Problem):
    """The configuration has no transport of this name."""

    kind, status = Kind.NOT_FOUND, Status(5, 5, 4)


class NotInQueue(Problem):
    """There is no such message in the queue, or among those that left it."""

    kind, status = Kind.NOT_FOUND, Status(5, 5, 4)


def locate(app: Appliance, config: Config, path: Path) -> Recipient | AliasRecipient | Verdict | None:
    """Where a queued message for a path goes: a verdict when nobody here takes it (any more), None to other hosts."""
    match addresses.resolve(app, config, path):
        case addresses.Local(recipient):
            return recipient
        case addresses.Refused(code, status, text):
            return Verdict(path, code, status, text)
        case addresses.Nobody() | addresses.Returning():
            return Verdict(path, 550, Status(5, 1, 1), "no such recipient here")
        case addresses.Elsewhere():
            return None


# Looking.


async def listed(
    app: Appliance,
    shelf: Shelf[T],
    filter: Means,
    order: Order,
    *,
    newest_first: bool = True,
    after: bytes | None = None,
    most: int | None = None,
) -> AsyncIterator[list[tuple[T, str]]]:
    """Messages, or webhooks, that match with the names of their accounts, some at a time; those behind a place.

    `shelf` is one of those of store.queuepages, which makes places, too.
    """
    owners: dict[AccountID, str] = {}
    async for found in pieces(app, shelf, filter, order, newest_first, after, most, PAGE_MESSAGES):
        for account in {one.account for one in found} - owners.keys():
            owners[account] = owner(app, account)
        yield [(one, owners[one.account]) for one in found]


async def pieces(
    app: Appliance,
    shelf: Shelf[T],
    filter: Means,
    order: Order,
    newest_first: bool,
    after: bytes | None,
    most: int | None,
    size: int,
) -> AsyncIterator[list[T]]:
    """As `listed`, without names, `size` at a time."""

    def look(after: bytes | None, wanted: int) -> tuple[list[T], bytes | None]:
        with app.store.read() as tx:
            return queuepages.look(
                tx, shelf, filter, order, newest_first=newest_first, after=after, most=wanted, looks=LOOKS
            )

    left = most
    while left is None or left > 0:
        found, after = await trio.to_thread.run_sync(look, after, size if left is None else min(size, left))
        if found:
            yield found
        if after is None:
            return
        if left is not None:
            left -= len(found)


def owner(app: Appliance, account: AccountID) -> str:
    """The name of an account whose message it is; that of the postmaster when it is gone."""
    with app.store.read() as tx:
        return settle.account_name(tx, account) or app.config.snapshot().static.postmaster.account


def retired(app: Appliance, id: QueueID) -> RetiredMessage:
    """A message that left the queue. Raises NotInQueue."""
    with app.store.read() as tx:
        found = queued.retired(tx, id)
    if found is None:
        raise NotInQueue(f"there is no retired message {id}")
    return found


def dump(app: Appliance, id: QueueID) -> AsyncIterator[bytes]:
    """The octets of a message as it is sent. Raises NotInQueue, at once or when it leaves the queue meanwhile."""
    with app.store.read() as tx:
        one = queued.get(tx, id)
    if one is None:
        raise NotInQueue(f"there is no message {id} in the queue")
    return _octets(app, one)


async def _octets(app: Appliance, one: QueuedMessage) -> AsyncIterator[bytes]:
    yield one.prefix
    size = one.size - len(one.prefix)

    def read(start: int) -> bytes:
        with app.store.read() as tx:
            return bodies.read(tx, one.body, start, min(start + DUMP_OCTETS, size))

    for start in range(0, size, DUMP_OCTETS):
        try:
            yield await trio.to_thread.run_sync(read, start)
        except KeyError as error:
            raise NotInQueue(f"message {one.id} left the queue while it was read") from error


# Changing.


async def select(app: Appliance, filter: WaitingFilter, most: int | None = None) -> list[QueueID]:
    """The messages that match now, at most so many, in the order of lists."""
    chosen = pieces(app, queuepages.WAITING, filter, Order.NEXT_ATTEMPT, True, None, most, LOOKS)
    return [one.id async for found in chosen for one in found]


async def _change(
    app: Appliance, filter: WaitingFilter, most: int | None, change: Callable[[QueuedMessage], QueuedMessage]
) -> int:
    count, ids = 0, await select(app, filter, most)
    for start in range(0, len(ids), TOGETHER):
        count += await app.store.write(_change_some, ids[start : start + TOGETHER], filter, change)
    return count


def _change_some(
    tx: WriteTx, ids: Sequence[QueueID], filter: WaitingFilter, change: Callable[[QueuedMessage], QueuedMessage]
) -> int:
    count = 0
    for id in ids:
        one = queued.get(tx, id)
        if one is None or not filter.matches(one):
            continue
        changed = change(one)
        if changed != one:
            queued.update(tx, changed)
            count += 1
    return count


# All verbs below tell how many messages they changed; `most` bounds it.


async def hold(app: Appliance, filter: WaitingFilter, most: int | None = None, *, on: bool) -> int:
    """Put messages on hold, or let them go: they are delivered when their time comes, or has come."""
    return await _change(app, filter, most, lambda one: msgspec.structs.replace(one, hold=on))


async def postpone(app: Appliance, filter: WaitingFilter, most: int | None = None, *, seconds: float) -> int:
    """Add to the time of the next attempt, or take away from it."""
    return await _schedule(app, filter, most, lambda one: one.next_attempt + int(seconds * 1e6))


async def schedule(app: Appliance, filter: WaitingFilter, most: int | None = None, *, seconds: float) -> int:
    """Let the next attempt come so long from now. Copies of one submission can go together then."""
    when = app.clock.microseconds() + int(seconds * 1e6)
    return await _schedule(app, filter, most, lambda one: when)


async def _schedule(
    app: Appliance, filter: WaitingFilter, most: int | None, when: Callable[[QueuedMessage], int]
) -> int:
    latest = app.clock.microseconds() + int(MAX_DURATION_SECONDS * 1e6)

    def change(one: QueuedMessage) -> QueuedMessage:
        return msgspec.structs.replace(one, next_attempt=min(max(when(one), 0), latest))

    return await _change(app, filter, most, change)


async def set_transport(app: Appliance, filter: WaitingFilter, most: int | None = None, *, name: str) -> int:
    """Send by a transport whatever the routes say; by the routes again with an empty name. Raises NoSuchTransport."""
    transports = app.config.snapshot().static.transports
    if name and name not in transports:
        known = f"there are: {', '.join(transports)}" if transports else "moxpy.toml has none"
        raise NoSuchTransport(f"there is no transport {name!r}; {known}")
    return await _change(app, filter, most, lambda one: msgspec.structs.replace(one, transport=name or None))


async def set_requiretls(
    app: Appliance, filter: WaitingFilter, most: int | None = None, *, requiretls: bool | None
) -> int:
    """Demand verified TLS, do without any (RFC 8689), or neither. No field is added to messages."""
    return await _change(app, filter, most, lambda one: msgspec.structs.replace(one, requiretls=requiretls))
