"""A house whose queue is at work, and what a test wants to do and see there."""

import email
import email.policy

import trio

from appliance.base.log import Log
from appliance.delivery.receive import Verdict
from appliance.mail.address import NULL_PATH, parse_path
from appliance.mail.status import Status
from appliance.net.dial import nowhere
from appliance.operations import queue, submit
from appliance.operations.actor import Actor
from appliance.operations.submit import Submission, To
from appliance.queue.parcel import World
from appliance.store import bodies, message, queued
from appliance.store.queuerecords import QueuedMessage

MESSAGE = b"From: %b@example.org\r\nSubject: hi\r\n\r\nhello\r\n"


def path(text):
    return parse_path(f"<{text}>".encode(), smtputf8=True) if text else NULL_PATH


class Post:
    def __init__(self, house):
        self.house, self.app, self.store, self.clock = house, house.app, house.app.store, house.app.clock
        #: Recipient -> what stands in its way; a function is called.
        self.obstacles = {}
        self.world = World(dialer=nowhere)

    def locate(self, app, config, to):
        obstacle = self.obstacles.get(str(to))
        if callable(obstacle):
            obstacle()
        elif obstacle is not None:
            code, status, text = obstacle
            return Verdict(to, code, Status(*map(int, status.split("."))), text)
        return queue.locate(app, config, to)

    async def send(self, *to, account="alice", octets=MESSAGE, **options):
        with self.store.read() as tx:
            actor = Actor(tx.account_id(account), account, f"{account}@example.org")
        values = {
            "reverse_path": path(f"{account}@example.org"),
            "recipients": [one if isinstance(one, To) else To(path(one)) for one in to],
            "spooled": self.store.spooled(octets.replace(b"%b", account.encode())),
            "trace": None,
            **options,
        }
        return await submit.submit(self.app, actor, Submission(**values), log=Log("test"))

    @property
    def queue(self) -> list[QueuedMessage]:
        with self.store.read() as tx:
            return list(queued.all_messages(tx))

    async def until(self, condition) -> None:
        """Wait for what the runner will have done; every look comes after another commit."""
        with trio.fail_after(60):
            while not condition():
                await self.store.write(lambda _: None)

    async def empty(self) -> None:
        await self.until(lambda: not self.queue)

    async def pass_time(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.store.feed.queued.set()

    def inbox(self, account: str, name: str = "Inbox") -> list[bytes]:
        found = []
        with self.store.read() as tx:
            id = tx.account_id(account)
            for box in tx.mailboxes(id):
                if box.name == name:
                    for _, row in message.rows(tx, id, box.id):
                        prefix = message.prefix(tx, id, row.id)
                        found.append(prefix + bodies.read(tx, row.body, 0, row.size - len(prefix)))
        return found

    def notices(self, account: str, name: str = "Inbox"):
        return [
            email.message_from_bytes(one, policy=email.policy.default)
            for one in self.inbox(account, name)
            if b"multipart/report" in one
        ]


def fields(notice, group=1):
    """A group of fields of a notice's second part; 0 is the one about the message."""
    return dict(list(notice.iter_parts())[1].get_payload()[group])
