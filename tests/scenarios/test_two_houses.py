"""Two whole mail servers in one world: they send each other mail and notices, over names from a table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address

import trio

from appliance.base.log import Log
from appliance.dns.answers import MX, Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.domain import parse_domain
from appliance.net.connection import Connection
from appliance.net.socketstream import SocketStream
from appliance.operations import messages
from appliance.operations.actor import Actor
from appliance.operations.submit import To
from appliance.queue import runner
from appliance.queue.parcel import World
from appliance.servers.smtp.session import Session
from appliance.store import mailbox
from appliance.store.tables import MailboxRef
from appliance.tls.context import Demands, server_context
from support.mailworld import Net
from support.queuepost import MESSAGE, Post, fields, path
from support.smtphouse import STATIC, House, open_house
from support.streams import always, key_pair

ADDRESSES = {"a": "192.0.2.11", "b": "192.0.2.12"}
HOSTS = {
    f"{name}.example": {Type.MX: [MX(10, f"mx.{name}.example")], Type.TXT: [f"v=spf1 ip4:{address} -all"]}
    for name, address in ADDRESSES.items()
}
HOSTS |= {f"mx.{name}.example": {Type.A: [ip_address(address)]} for name, address in ADDRESSES.items()}
#: A block list that has the first house, and is in order.
HOSTS |= {f"{name}.bl.example": {Type.A: [ip_address("127.0.0.2")]} for name in ("11.2.0.192", "2.0.0.127")}
LIST = parse_domain("bl.example")
#: What is addressed to it comes back here, and nobody takes it.
HOSTS["stray.example"] = {Type.MX: [MX(10, "mx.b.example")]}
DOMAINS = """\
[domains."{name}.example"]
[accounts.alice.destinations]
"alice@{name}.example" = {{}}
[accounts.bob]
rejects_mailbox = "Rejects"
[accounts.bob.destinations]
"bob@{name}.example" = {{}}
[accounts.tiny]
quota_message_size = 1
[accounts.tiny.destinations]
"tiny@{name}.example" = {{}}
"""


def door(house: House, other: str):
    """What listens on port 25."""

    async def serve(stream: SocketStream) -> None:
        connection = Connection(
            stream,
            cid=1,
            remote=ip_address(other),
            remote_port=4000,
            local=ip_address("192.0.2.99"),
            local_port=25,
            log=Log("smtp"),
            limits=replace(house.limits, slow_seconds=0),
        )
        try:
            await Session(house.app, house.door, connection).run()
        finally:
            await connection.aclose()

    return serve


@asynccontextmanager
async def houses(folder, blocklists=(), *, domains=None, hosts=None, files=None) -> AsyncIterator[tuple[Post, Post]]:
    """Two houses; `domains` is by name, as are `files`, which are put beside the configuration of each."""
    context = server_context(key_pair("mx.example"), Demands())
    resolver = Resolver(Table(hosts or HOSTS))
    posts: list[Post] = []

    def opened(name: str):
        (folder / name).mkdir()
        for file, octets in (files or {}).items():
            (folder / name / file).write_bytes(octets)
        static = STATIC.replace("mail.example", f"mx.{name}.example").replace("mx.example", f"mx.{name}.example")
        return open_house(
            folder / name,
            domains[name] if domains else DOMAINS.format(name=name),
            static=static,
            check_files=files is not None,
            resolver=resolver,
            tls=always(context),
            first_time_delay_seconds=0,
            blocklists=blocklists,
        )

    async with opened("a") as a, opened("b") as b, trio.open_nursery() as nursery:
        net = Net(nursery)
        for house, mine, other in ((a, "a", "b"), (b, "b", "a")):
            house.door = replace(house.door, protocol=replace(house.door.protocol, starttls=True, requiretls=True))
            net.hosts[ADDRESSES[mine]] = door(house, ADDRESSES[other])
            it = Post(house)
            it.net = net
            posts.append(it)
            nursery.start_soon(runner.run, house.app, it.locate, World(dialer=net.dial))
        yield posts[0], posts[1]
        nursery.cancel_scope.cancel()


async def until_quiet(*posts: Post) -> None:
    with trio.fail_after(60):
        while any(it.queue for it in posts):
            for it in posts:
                await it.store.write(lambda _: None)


async def test_mail_to_each_other(tmp_path):
    async with houses(tmp_path) as (a, b):
        reverse = {
            "reverse_path": path("alice@a.example"),
            "octets": MESSAGE.replace(b"%b@example.org", b"alice@a.example"),
        }
        await a.send("bob@b.example", "bob@a.example", **reverse)
        await until_quiet(a, b)
        (there,), (here,) = b.inbox("bob"), a.inbox("bob")
        assert b"Received: from mx.a.example" in there
        assert b"with ESMTPS" in there
        assert b"spf=pass" in there
        assert b"Received:" not in here
        assert there.endswith(b"\r\n\r\nhello\r\n")
        assert a.notices("alice") == []


async def test_notices_reach_strangers(tmp_path):
    """One house says 250 and finds out that some cannot have it; the other's user hears of it by mail."""
    async with houses(tmp_path) as (a, b):
        await a.send(
            To(path("bob@b.example"), ("SUCCESS", "FAILURE"), "rfc822;bob@b.example"),
            "tiny@b.example",
            "nobody@b.example",
            reverse_path=path("alice@a.example"),
            octets=MESSAGE.replace(b"%b@example.org", b"alice@a.example"),
        )
        await until_quiet(a, b)
        assert len(b.inbox("bob")) == 1
        found = {}
        for notice in a.notices("alice"):
            for group in list(notice.iter_parts())[1].get_payload()[1:]:
                told = dict(group)
                found[told["Final-Recipient"].removeprefix("rfc822; ")] = (told["Action"], told["Status"])
        assert found == {
            "bob@b.example": ("delivered", "2.2.0"),
            "tiny@b.example": ("failed", "5.2.2 (mailbox is full)"),
            "nobody@b.example": ("failed", "5.1.1 (no such recipient here)"),
        }
        assert all(notice["From"].addresses[0].addr_spec == "postmaster@b.example" for notice in a.notices("alice"))
        assert b.inbox("alice", "Postmaster") == []


async def test_mail_that_nobody_takes_does_not_go_in_circles(tmp_path):
    async with houses(tmp_path) as (a, b):
        reverse = {
            "reverse_path": path("alice@a.example"),
            "octets": MESSAGE.replace(b"%b@example.org", b"alice@a.example"),
        }
        await a.send("x@stray.example", **reverse)
        await until_quiet(a, b)
        (notice,) = a.notices("alice")
        assert fields(notice)["Diagnostic-Code"].startswith("smtp; 550 5.1.1 not a domain we receive mail for")
        assert len(a.net.dialed) == 1


async def test_a_refused_message_that_was_rescued_does_not_come_twice(tmp_path):
    """The sender's house was told to try again, and does not know that the reader has the message."""
    async with houses(tmp_path, blocklists=(LIST,)) as (a, b):
        reverse = {
            "reverse_path": path("alice@a.example"),
            "octets": MESSAGE.replace(b"%b@example.org", b"alice@a.example"),
        }
        await a.send("bob@b.example", **reverse)
        await a.until(lambda: a.queue and a.queue[0].attempts == 1 and b.inbox("bob", "Rejects"))
        with b.store.read() as tx:
            bob = tx.account_id("bob")
            rejects = MailboxRef(bob, mailbox.by_name(tx, bob, "Rejects").id)
        actor = Actor(bob, "bob", "bob@b.example")
        await messages.move(b.app, actor, rejects, [1], "Inbox", None)
        while a.queue:
            await a.pass_time(3600)
            await a.until(lambda: not a.queue or a.queue[0].next_attempt > a.clock.microseconds())
        assert len(a.net.dialed) == 2
        assert len(b.inbox("bob")) == 1
        assert b.inbox("bob", "Rejects") == a.notices("alice") == []
