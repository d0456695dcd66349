"""Drafts that are submitted as JMAP does, between whole servers: sent, later, taken back, and what became of them."""

import re

import pytest
import trio

from appliance.base.log import Log
from appliance.operations import identities, submissions
from appliance.operations.actor import Actor
from appliance.operations.submissions import CannotUnsend, EnvelopeAddress, Wanted
from appliance.store import mailbox, message, submission
from scenarios.test_forwarding import config, world
from scenarios.test_two_houses import until_quiet
from support.stores import new_message

DRAFT = b"From: alice@a.example\r\nTo: bob@b.example\r\nBcc: secret@c.example\r\nSubject: hi\r\n\r\nhello\r\n"


class Writer:
    """Alice at a.example."""

    def __init__(self, post):
        self.post, self.app, self.store = post, post.app, post.store
        with self.store.read() as tx:
            self.actor = Actor(tx.account_id("alice"), "alice", "alice@a.example")

    async def draft(self, octets=DRAFT):
        with self.store.read() as tx:
            inbox = mailbox.by_name(tx, self.actor.account, "Inbox").id
        added = await self.store.write(message.add, self.actor.account, inbox, new_message(self.store, octets))
        return added.id

    async def submit(self, *to, octets=DRAFT, **parameters):
        config = self.app.config.snapshot()
        identity = next(iter(identities.all_of(self.app, self.actor, config)))
        envelope = EnvelopeAddress("alice@a.example", parameters), [EnvelopeAddress(one, {}) for one in to]
        wanted = Wanted(
            identity=identity, message=await self.draft(octets), envelope=envelope if to else None, max_octets=10_000
        )
        return await submissions.create(self.app, self.actor, config, wanted, log=Log("test"))

    def found(self, one):
        """undoStatus, and of each recipient what was replied and whether it was delivered."""
        with self.store.read() as tx:
            told = submission.recipients(tx, self.actor.account, one.id)
            known = submission.find(tx, self.actor.account, one.id)
        return known.undo_status, {who.email: (who.reply, who.delivered) for who in told}

    async def cancel(self, one):
        await submissions.cancel(self.app, self.actor, self.app.config.snapshot(), one.id)


async def test_sent(tmp_path):
    """To one beside us, one of another server, one who is not there; nobody reads who else got it."""
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        alice = Writer(a)
        eve.replies["RCPT TO:<gone"] = "550 5.1.1 no such mailbox"
        one = await alice.submit("bob@a.example", "bob@b.example", "gone@c.example", "secret@c.example")
        await until_quiet(a, b)
        status, told = alice.found(one)
        assert status == "final"
        assert {email: delivered for email, (_, delivered) in told.items()} == {
            "bob@a.example": "yes", "bob@b.example": "unknown", "gone@c.example": "no", "secret@c.example": "unknown",
        }  # fmt: skip
        assert told["gone@c.example"][0].startswith("550 5.1.1 ")
        assert told["bob@b.example"][0].startswith("250 2.")
        arrived = [*a.inbox("bob"), *b.inbox("bob"), *(one.octets for one in eve.arrived)]
        assert len(arrived) == 3
        assert not any(b"secret" in octets.partition(b"\r\n\r\n")[0].replace(b"for <secret", b"") for octets in arrived)
        # The notice of failure is known to be of it.
        (notice,) = a.notices("alice")
        with a.store.read() as tx:
            (id,) = submission.find(tx, alice.actor.account, one.id).notices
            assert (
                message.prepared(tx, alice.actor.account, id)
                .fields["message-id"]
                .strip()
                .endswith(notice["Message-ID"].encode())
            )


async def test_later_and_taken_back(tmp_path):
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        alice = Writer(a)
        kept = await alice.submit("bob@b.example", HOLDFOR="3600")
        taken = await alice.submit("bob@b.example", "secret@c.example", HOLDFOR="60")
        await a.pass_time(30)
        assert alice.found(kept)[0] == alice.found(taken)[0] == "pending"
        await alice.cancel(taken)
        assert alice.found(taken)[0] == "canceled"
        await a.pass_time(3600)
        await until_quiet(a, b)
        assert alice.found(kept)[0] == "final"
        assert len(b.inbox("bob")) == 1
        assert eve.arrived == []
        for one in (kept, taken):
            with pytest.raises(CannotUnsend):
                await alice.cancel(one)


async def test_tried_again(tmp_path):
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        alice = Writer(a)
        eve.replies["RCPT"] = ["451 4.7.1 later"]
        one = await alice.submit("secret@c.example")
        await a.until(lambda: alice.found(one)[1]["secret@c.example"][0])
        assert alice.found(one) == ("final", {"secret@c.example": ("451 4.7.1 later", "queued")})
        with pytest.raises(CannotUnsend):
            await alice.cancel(one)
        await a.pass_time(24 * 3600)
        await until_quiet(a, b)
        assert alice.found(one)[1]["secret@c.example"][1] == "unknown"
        assert len(eve.arrived) == 1


async def test_taken_back_or_delivered(tmp_path):
    """While the queue is at work on them: who hears that a message was taken back is right, and so is who hears no."""
    async with world(tmp_path, config("a"), config("b")) as (a, b, eve):
        alice, taken = Writer(a), {}

        async def race(number: int) -> None:
            subject = f"race-{number}"
            octets = DRAFT.replace(b"Subject: hi", f"Subject: {subject}".encode())
            to = ("bob@a.example", "bob@b.example", "secret@c.example")[number % 3]
            one = await alice.submit(to, octets=octets)
            for _ in range(number % 7):
                await a.store.write(lambda _: None)
            try:
                await alice.cancel(one)
                taken[subject] = True
            except CannotUnsend:
                taken[subject] = False

        async with trio.open_nursery() as nursery:
            for number in range(42):
                nursery.start_soon(race, number)
        await until_quiet(a, b)
        arrived = [*a.inbox("bob"), *b.inbox("bob"), *(one.octets for one in eve.arrived)]
        subjects = sorted(re.search(rb"Subject: (\S+)", octets)[1].decode() for octets in arrived)
        assert subjects == sorted(subject for subject, is_taken in taken.items() if not is_taken)
        assert len(taken) == 42
