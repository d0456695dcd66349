"""What people do with webhooks: look at them, postpone, cancel and replay them, and try an URL.

As with messages of the queue (`operations.queue`) a change applies to what matches a filter: chosen first, in a thread,
then changed in pieces, each only if it still matches. A webhook may be being posted meanwhile: what that comes to is
written down beside the change (`queue.hooks`).
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from appliance.base.log import Log
from appliance.base.problem import Kind, Problem
from appliance.config.source import Config
from appliance.config.values import MAX_DURATION_SECONDS
from appliance.delivery import webhook
from appliance.delivery.appliance import Appliance
from appliance.mail.status import Status
from appliance.operations import queue
from appliance.queue import hookpost
from appliance.queue.hookpost import Post
from appliance.queue.webhook import owner
from appliance.store import hook, queuepages
from appliance.store.hookrecords import Hook, HookAttempt, RetiredHook
from appliance.store.queuefilter import HookFilter, Order
from appliance.store.tables import HookID
from appliance.store.transaction import WriteTx

log = Log("webhook")

CANCELED: Final = "canceled by admin"


class NoSuchHook(Problem):
    """There is no such webhook."""

    kind, status = Kind.NOT_FOUND, Status(5, 5, 4)


class NoWebhook(Problem):
    """The account has no webhook of this kind any more."""

    kind, status = Kind.NOT_FOUND, Status(5, 5, 4)


# Looking. For lists see queue.listed, with HOOKS and RETIRED_HOOKS of store.queuepages.


def waiting(app: Appliance, id: HookID) -> tuple[Hook, bytes]:
    """A webhook that waits, and its payload. Raises NoSuchHook."""
    with app.store.read() as tx:
        one = hook.get(tx, id)
        if one is None:
            raise NoSuchHook(f"no webhook {id} waits")
        return one, hook.payload(tx, id) or b""


def retired(app: Appliance, id: HookID) -> tuple[RetiredHook, bytes]:
    """One that is done, and its payload. Raises NoSuchHook."""
    with app.store.read() as tx:
        done = hook.retired(tx, id)
        if done is None:
            raise NoSuchHook(f"there is no retired webhook {id}")
        return done, hook.payload(tx, id) or b""


def count(app: Appliance) -> int:
    """How many wait."""
    with app.store.read() as tx:
        return hook.count(tx)


# Changing: each verb tells how many webhooks it changed; `most` bounds it.


async def _select(app: Appliance, filter: HookFilter, most: int | None) -> list[HookID]:
    chosen = queue.pieces(app, queuepages.HOOKS, filter, Order.NEXT_ATTEMPT, True, None, most, queue.LOOKS)
    return [one.id async for found in chosen for one in found]


async def postpone(app: Appliance, filter: HookFilter, most: int | None = None, *, seconds: float) -> int:
    """Add to the time of the next attempt, or take away from it."""
    return await _schedule(app, filter, most, lambda one: one.next_attempt + int(seconds * 1e6))


async def schedule(app: Appliance, filter: HookFilter, most: int | None = None, *, seconds: float) -> int:
    """Let the next attempt come so long from now."""
    when = app.clock.microseconds() + int(seconds * 1e6)
    return await _schedule(app, filter, most, lambda one: when)


async def _schedule(app: Appliance, filter: HookFilter, most: int | None, when: Callable[[Hook], int]) -> int:
    latest = app.clock.microseconds() + int(MAX_DURATION_SECONDS * 1e6)

    def change(tx: WriteTx, ids: Sequence[HookID]) -> int:
        changed = 0
        for id in ids:
            one = hook.get(tx, id)
            if one is None or not filter.matches(one):
                continue
            next_attempt = min(max(when(one), 0), latest)
            if next_attempt != one.next_attempt:
                one.next_attempt = next_attempt
                hook.update(tx, one)
                changed += 1
        return changed

    return await _in_pieces(app, filter, most, change)


async def _in_pieces(
    app: Appliance, filter: HookFilter, most: int | None, change: Callable[[WriteTx, Sequence[HookID]], int]
) -> int:
    changed, ids = 0, await _select(app, filter, most)
    for start in range(0, len(ids), queue.TOGETHER):
        changed += await app.store.write(change, ids[start : start + queue.TOGETHER])
    return changed


async def cancel(app: Appliance, filter: HookFilter, most: int | None = None) -> int:
    """Post them no more. Remembered if their account remembers webhooks."""
    config = app.config.snapshot()

    def change(tx: WriteTx, ids: Sequence[HookID]) -> int:
        found = [one for one in (hook.get(tx, id) for id in ids) if one is not None and filter.matches(one)]
        for one in found:
            results = (*one.results, HookAttempt(tx.now, url=one.url, error=CANCELED))
            keep = webhook.keep(owner(tx, config, one.account)[1])
            hook.retire(tx, msgspec.structs.replace(one, results=results), success=False, keep=keep)
        return len(found)

    canceled = await _in_pieces(app, filter, most, change)
    log.info("webhooks canceled by admin", count=canceled)
    return canceled


async def replay(app: Appliance, id: HookID) -> HookID:
    """Post one that is done again, as often as it takes: a new webhook, whose id is returned.

    It goes where the account's webhooks go now. Receivers are told the id of the first, so that those who have it
    know. Raises NoSuchHook, NoWebhook.
    """
    new = await app.store.write(_replay, app.config.snapshot(), id)
    log.info("webhook replayed", hook=new, of=id)
    return new


def _replay(tx: WriteTx, config: Config, id: HookID) -> HookID:
    done = hook.retired(tx, id)
    if done is None:
        raise NoSuchHook(f"there is no retired webhook {id}")
    _, settings = owner(tx, config, done.account)
    new = webhook.again(settings, done) if settings is not None else None
    if settings is None or new is None:
        kind = "incoming" if done.event == "incoming" else "outgoing"
        raise NoWebhook(f"the account has no {kind}_webhook any more")
    if not hook.add(tx, new, hook.payload(tx, id) or b"", keep=webhook.keep(settings)):
        raise NoWebhook("the account is being removed")
    return new.id


# Trying.


async def trial(app: Appliance, account: str, *, url: str, authorization: str, payload: bytes) -> HookAttempt:
    """Post something once, for somebody who wants to see whether it arrives: as attempt 1 of a webhook with id 0.

    It reaches what webhooks reach and no more, and is signed as those of the account are.
    """
    settings = app.config.snapshot().domains.accounts.get(account)
    secret = str(settings.webhook_secret or "") if settings is not None else ""
    post = Post(HookID(0), url, payload, authorization=authorization, secret=secret)
    return await hookpost.post(hookpost.client(app), post, app.clock.now())
