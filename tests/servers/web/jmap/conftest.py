"""A house with JMAP, and messages in it."""

import pytest

from appliance.operations import messages as verbs
from appliance.operations.actor import Actor
from appliance.store import mailbox, message
from appliance.store.records import split_flags
from appliance.store.tables import MailboxRef, MessageID
from support import webhouse
from support.jmap import JMAP
from support.stores import new_message


@pytest.fixture
async def house(tmp_path):
    async with webhouse.open_house(tmp_path) as house:
        yield house


@pytest.fixture
async def jmap(house):
    return JMAP(await house.logged_in("webmail"))


class Mail:
    """Alice's messages, as other doors see them."""

    def __init__(self, house) -> None:
        self.house, self.store, self.account = house, house.app.store, house.number()
        self.actor = Actor(self.account, "alice", webhouse.USER)

    def ref(self, name: str = "Inbox") -> MailboxRef:
        with self.store.read() as tx:
            return MailboxRef(self.account, mailbox.by_name(tx, self.account, name).id)

    async def add(self, octets: bytes = b"Subject: hi\r\n\r\nhello\r\n", name: str = "Inbox", flags=()) -> int:
        bits, keywords = split_flags(list(flags))
        new = new_message(self.store, octets)
        return (await self.store.write(message.add, *self.ref(name), new, flags=bits, keywords=keywords)).id

    async def thread(self, count: int, name: str = "Inbox") -> list[int]:
        """Messages of which each answers the one before."""
        added = []
        for at in range(count):
            head = f"Message-ID: <{name}{at}@x>\r\n" + (f"References: <{name}{at - 1}@x>\r\n" if at else "")
            added.append(await self.add(f"Subject: t\r\n{head}\r\n{at}\r\n".encode(), name))
        return added

    async def flag(self, id: int, *flags: str, mode="+") -> None:
        await verbs.flag(self.house.app, self.actor, MessageID(id), mode, flags)

    async def delete(self, id: int) -> None:
        await verbs.delete(self.house.app, self.actor, MessageID(id))

    async def move(self, id: int, name: str) -> None:
        await verbs.move_one(self.house.app, self.actor, MessageID(id), name)


@pytest.fixture
def mail(house):
    return Mail(house)
