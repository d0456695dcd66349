"""News of what was committed, in the order of the commits.

`Changes` are values; the feed hands them to whoever subscribed to an account. A subscriber that does not keep up
loses its queue, is told so, and looks at the store again. Until a subscriber has acknowledged a removal, the content
of the removed message stays readable.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import trio

from appliance.store.records import Mailbox
from appliance.store.tables import AccountID, HookID, MailboxID, MailboxRef, MessageID, QueueID


class Flagged(msgspec.Struct, frozen=True, gc=False):
    """One message with the flags it has now. There may be very many, which the garbage collector shall pass over."""

    uid: int
    id: MessageID
    flags: int
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessagesAdded:
    """New messages of a mailbox, ascending by UID."""

    mailbox: MailboxID
    modseq: int
    messages: tuple[Flagged, ...]


@dataclass(frozen=True, slots=True)
class MessagesRemoved:
    """Messages that left a mailbox: UIDs ascending, ids beside them."""

    mailbox: MailboxID
    modseq: int
    uids: tuple[int, ...]
    ids: tuple[MessageID, ...]


@dataclass(frozen=True, slots=True)
class FlagsChanged:
    """Messages whose flags or keywords changed."""

    mailbox: MailboxID
    modseq: int
    messages: tuple[Flagged, ...]


@dataclass(frozen=True, slots=True)
class SeenChanged:
    """Messages of which a reader's own \\Seen changed, and nothing else; the flags are those of the rows."""

    mailbox: MailboxID
    modseq: int
    reader: AccountID
    messages: tuple[Flagged, ...]


@dataclass(frozen=True, slots=True)
class MailboxAdded:
    """A new mailbox."""

    mailbox: Mailbox
    modseq: int


@dataclass(frozen=True, slots=True)
class MailboxRemoved:
    """A mailbox that is gone; its messages are told of by MessagesRemoved, of very many later, in pieces."""

    mailbox: MailboxID
    name: str
    modseq: int


@dataclass(frozen=True, slots=True)
class MailboxRenamed:
    """A mailbox under a new name; one for each mailbox below it too."""

    mailbox: MailboxID
    old_name: str
    name: str
    modseq: int


@dataclass(frozen=True, slots=True)
class MailboxCounts:
    """A mailbox whose counters changed; a copy of its record."""

    mailbox: Mailbox
    modseq: int


@dataclass(frozen=True, slots=True)
class MailboxRoles:
    """A mailbox whose special uses changed."""

    mailbox: MailboxID
    roles: int
    modseq: int


@dataclass(frozen=True, slots=True)
class MailboxKeywords:
    """A mailbox with new keywords; all of them."""

    mailbox: MailboxID
    keywords: tuple[str, ...]
    modseq: int


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """A name was subscribed or unsubscribed (RFC 9051 §6.3.7)."""

    name: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Annotated:
    """A METADATA entry was set or removed; mailbox 0 is the account."""

    mailbox: MailboxID
    entry: str
    modseq: int


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """What others may do with a mailbox changed; no modification sequence."""

    mailbox: MailboxID


@dataclass(frozen=True, slots=True)
class MailboxMended:
    """Rows of a mailbox were written anew: what was read of it before may be wrong."""

    mailbox: MailboxID
    modseq: int
    #: UIDVALIDITY is another one, and UIDs may be.
    renumbered: bool


Change = (
    MessagesAdded
    | MessagesRemoved
    | FlagsChanged
    | SeenChanged
    | MailboxAdded
    | MailboxRemoved
    | MailboxRenamed
    | MailboxCounts
    | MailboxRoles
    | MailboxKeywords
    | SubscriptionChanged
    | Annotated
    | RightsChanged
    | MailboxMended
)


@dataclass(frozen=True, slots=True)
class News:
    """The changes of one transaction in an account, and who made them (None: nobody who listens)."""

    account: AccountID
    changes: Sequence[Change]
    origin: "Subscription | None"
    modseq: int


#: Later than any modification sequence.
_ALWAYS: Final = 1 << 63


class Subscription:
    """One listener of one account. Ask `take` after `wait`; say `acknowledge` when its client knows.

    Its own changes come to it as well, in their place among the others, with itself as `origin`: so a session can
    keep message numbers right without a second way in.
    """

    def __init__(
        self, feed: "Feed", account: AccountID, modseq: int, limit: int, main: "Subscription | None" = None
    ) -> None:
        self.account = account
        #: Accounts of which a watch hears everything (`Feed.follow`).
        self.followed: frozenset[AccountID] = frozenset()
        #: The listener's first one, whose `wait` this one's news end, too.
        self._main = main
        self._more: list[Subscription] = []
        if main is not None:
            main._more.append(self)
        #: Everything up to here has been told to the client.
        self.acknowledged = modseq
        #: The queue was dropped; the listener must look at the store.
        self.overflowed = False
        self._feed = feed
        self._limit = limit
        self._queue: deque[News] = deque()
        self._count = 0
        self._waiter: trio.lowlevel.Task | None = None

    @property
    def pending(self) -> bool:
        """Whether `take` would return something, or the queue was dropped."""
        return bool(self._queue) or self.overflowed

    @property
    def waits(self) -> int:
        """How many news `take` would return."""
        return len(self._queue)

    def take(self, most: int | None = None) -> list[News]:
        """News since the last call, the first of them; empty and `overflowed` set when there were too many."""
        queue = self._queue
        news = [queue.popleft() for _ in range(len(queue) if most is None else min(most, len(queue)))]
        self._count -= sum(len(one.changes) for one in news)
        return news

    def resume(self, modseq: int) -> None:
        """After an overflow: the listener has looked at the store as of `modseq`."""
        self.overflowed = False
        self.acknowledge(modseq)

    def waiting(self) -> list[News]:
        """What `take` would return, left where it is."""
        return list(self._queue)

    async def wait(self) -> None:
        """Wait until there is something to take, here or in the listener's other subscriptions."""
        if self.pending or any(one.pending for one in self._more):
            await trio.lowlevel.checkpoint()
            return
        self._waiter = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._waiter = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def acknowledge(self, modseq: int) -> None:
        """The client knows of everything up to `modseq`; removed messages up to there may be erased."""
        if modseq > self.acknowledged:
            self.acknowledged = modseq
            self._feed.erasable.set()

    def close(self) -> None:
        """Stop listening; acknowledges everything."""
        if self._main is not None and self in self._main._more:
            self._main._more.remove(self)
        self._feed.remove(self)

    def put(self, news: News) -> None:
        """For the feed: queue news and wake the listener."""
        self._count += len(news.changes)
        if self._count > self._limit:
            self._queue.clear()
            self._count = 0
            self.overflowed = True
        elif not self.overflowed:
            self._queue.append(news)
        waits = self if self._main is None else self._main
        if waits._waiter is not None:
            task, waits._waiter = waits._waiter, None
            trio.lowlevel.reschedule(task)


class Feed:
    """All subscriptions. Lives in the event loop; only the store publishes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._listeners: dict[AccountID, set[Subscription]] = {}
        #: Those who hear of all accounts when it changes who may see what, or under which name.
        self._watches: set[Subscription] = set()
        #: Set when removed messages may have become erasable.
        self.erasable = trio.Event()
        #: Mailboxes that were removed, and may still have messages, since this was last emptied.
        self.removed_mailboxes: set[MailboxRef] = set()
        #: Mailboxes whose messages were given other UIDs, and the modseq of that.
        self.renumbered: dict[MailboxRef, int] = {}
        #: Set when the queue was changed: something may have become due. Whoever waits puts a new one here first.
        self.queued = trio.Event()
        #: Messages of the queue that were changed since this was last emptied, and are not on hold.
        self.queued_ids: set[QueueID] = set()
        #: The same for webhooks.
        self.hooks = trio.Event()
        self.hook_ids: set[HookID] = set()
        #: Accounts with news since this was last emptied, for keepers that look at them at leisure; the event says
        #: that there are some.
        self.stirred: set[AccountID] = set()
        self.stirring = trio.Event()
        #: The same for the keeper of the junk filters.
        self.judged: set[AccountID] = set()
        self.judging = trio.Event()

    def subscribe(self, account: AccountID, modseq: int, main: Subscription | None = None) -> Subscription:
        """Listen to an account from `modseq` on. Read the store and subscribe without an await between.

        Who listens already with `main` may listen to one more account, and waits there for both.
        """
        subscription = Subscription(self, account, modseq, self._limit, main)
        self._listeners.setdefault(account, set()).add(subscription)
        return subscription

    def watch(self, main: Subscription) -> Subscription:
        """Listen to mailboxes of other accounts, too: to rights and names of all, to the rest of whom it follows.

        Nothing is kept from being erased for it.
        """
        watch = Subscription(self, main.account, _ALWAYS, self._limit, main)
        self._watches.add(watch)
        return watch

    def follow(self, watch: Subscription, owners: frozenset[AccountID]) -> None:
        """From now on a watch hears everything of these accounts, and of no others."""
        for account in watch.followed - owners:
            self._leave(account, watch)
        for account in owners - watch.followed:
            self._listeners.setdefault(account, set()).add(watch)
        watch.followed = owners

    def _leave(self, account: AccountID, subscription: Subscription) -> None:
        listeners = self._listeners.get(account)
        if listeners is not None:
            listeners.discard(subscription)
            if not listeners:
                del self._listeners[account]

    def remove(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        if subscription in self._watches:
            self._watches.remove(subscription)
            self.follow(subscription, frozenset())
        else:
            self._leave(subscription.account, subscription)
        self.erasable.set()

    def publish(self, account: AccountID, news: News) -> None:
        """Hand the news of one commit to all listeners of the account."""
        listeners = self._listeners.get(account, ())
        for one in news.changes:
            if isinstance(one, MailboxRemoved):
                self.removed_mailboxes.add(MailboxRef(account, one.mailbox))
            elif isinstance(one, MailboxMended) and one.renumbered:
                self.renumbered[MailboxRef(account, one.mailbox)] = one.modseq
        if self._watches and any(isinstance(one, RightsChanged | MailboxRenamed) for one in news.changes):
            listeners = self._watches.union(listeners)
        for subscription in listeners:
            subscription.put(news)
        self.stir(account)
        self.erasable.set()

    def stir(self, account: AccountID) -> None:
        """Have the keepers look at an account."""
        self.stirred.add(account)
        self.stirring.set()
        self.judged.add(account)
        self.judging.set()

    def erasable_up_to(self, account: AccountID) -> int | None:
        """Removals up to this modseq are known to all listeners; None when nobody listens."""
        listeners = self._listeners.get(account)
        return min(one.acknowledged for one in listeners) if listeners else None
