"""IMAP and JMAP change one account, at random: in the end all clients know the same, which is what the store has.

Somebody else reads by JMAP what is shared with him of it, and has a \\Seen of his own in a mailbox.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from appliance.operations import accounts as verbs, sharing
from appliance.store import acl, listing, mailbox, message, objectid, seen
from appliance.store.records import DELETED
from appliance.store.tables import MailboxRef
from servers.imap.test_model import BOXES, FLAGS, Play
from support.imaphouse import House, open_house
from support.imapmirror import KINDS, Mirror
from support.jmapcaller import Caller
from support.jmapmirror import JMAPMirror

#: Of IMAP -> of JMAP.
_KEYWORDS = {
    b"\\Seen": "$seen",
    b"\\Flagged": "$flagged",
    b"\\Answered": "$answered",
    b"\\Draft": "$draft",
    b"work": "work",
    b"$Forwarded": "$forwarded",
}


class Both(Play):
    """Mirrors of both kinds."""

    def __init__(
        self, house: House, chance: random.Random, mirrors: list[Mirror], others: int, *, forgets: bool
    ) -> None:
        super().__init__(house, chance, mirrors)
        with house.store.read() as tx:
            self.numbers = {
                name: mailbox.by_name(tx, house.account, "Inbox" if name == "INBOX" else name).id for name in BOXES
            }
        self.ids = {name: objectid.mailbox(house.account, number) for name, number in self.numbers.items()}
        self.caller = Caller(house.app, house.account)
        self.forgets = forgets
        self.others = [JMAPMirror(self.caller, chance, self.lists(), is_forgetful=forgets) for _ in range(others)]
        self.bob = verbs.number(house.store, "bob")
        caller = Caller(house.app, self.bob, "bob")
        caller.id = self.caller.id
        self.reader = JMAPMirror(caller, chance, self.lists(), is_forgetful=forgets)
        self.reader.may_know = set()
        #: Mailboxes that he may read.
        self.shared: set[str] = set()

    def lists(self) -> list[dict[str, Any]]:
        chance = self.chance
        sort = [{"property": "receivedAt", "isAscending": False}]
        some: list[dict[str, Any]] = [
            {"filter": {"inMailbox": self.ids["INBOX"]}, "sort": sort, "collapseThreads": True},
            {"filter": {"inMailbox": chance.choice(list(self.ids.values())), "notKeyword": "$seen"}, "sort": sort},
            {"filter": {"inMailboxOtherThan": [self.ids["INBOX"]]}, "sort": [{"property": "subject"}, *sort]},
            {"sort": [{"property": "someInThreadHaveKeyword", "keyword": "$flagged"}, {"property": "size"}]},
            {"filter": {"text": "one"}, "collapseThreads": True},
            {
                "filter": {
                    "operator": "NOT",
                    "conditions": [{"hasKeyword": "work"}, {"someInThreadHaveKeyword": "$seen"}],
                }
            },
        ]
        return chance.sample(some, 3)

    async def run(self, steps: int) -> None:
        await self.share()
        await self.house.store.write(seen.set_own, self.house.account, self.numbers["INBOX"], is_own=True)
        for one in (*self.others, self.reader):
            await one.start()
        await super().run(steps)
        for one in (*self.others, self.reader):
            await one.sync()
            await one.check()
            assert one.emails == (self.emails() if one is not self.reader else self.emails_of_reader())

    async def share(self) -> None:
        """Other mailboxes are shared than before, of which one is always the same."""
        self.shared = {"INBOX"}
        for name, number in self.numbers.items():
            letters = "lrs" if name == "INBOX" else self.chance.choice(("", "l", "r", "lr"))
            if letters == "lr":
                self.shared.add(name)
            bits = sharing.bits_of(letters)
            await self.house.store.write(acl.set_rights, self.house.account, number, self.bob, bits, most=10)
        self.reader.has_new_rights = True
        self._note_shared()

    async def read(self) -> None:
        """Bob does something."""
        kind = self.chance.randrange(4)
        if kind == 0:
            await self.share()
        elif kind == 1:
            ids = sorted(self.reader.emails)
            some = self.chance.sample(ids, min(len(ids), 3))
            patch = {"keywords/$seen": self.chance.choice([True, None])}
            where = self.emails_of_reader()
            answer = await self.reader.caller.call("Email/set", update=dict.fromkeys(some, patch))
            may = {id for id in some if id in where and where[id][0] == {self.ids["INBOX"]}}
            assert set(answer["updated"] or ()) == may
            refused = {one["type"] for one in (answer["notUpdated"] or {}).values()}
            assert refused <= {"notFound", "forbidden"}
        else:
            await self.reader.sync()

    def emails_of_reader(self) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
        """What the model has, as it is shared."""
        found = {}
        with self.house.store.read() as tx:
            own = seen.own(tx, MailboxRef(self.house.account, self.numbers["INBOX"]), self.bob)
            assert own is not None
            for name in self.shared:
                for uid, flags in self.model.boxes[name].items():
                    if b"\\Deleted" in flags:
                        continue
                    keywords = {_KEYWORDS[one] for one in flags}
                    if name == "INBOX":
                        keywords.discard("$seen")
                        keywords.update(["$seen"] if own.shown(uid, 0) else [])
                    found[self.id_of(name, uid)] = frozenset({self.ids[name]}), frozenset(keywords)
        return found

    def emails(self) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
        """What the model has, as JMAP sees it."""
        found = {}
        for name, box in self.model.boxes.items():
            for uid, flags in box.items():
                if b"\\Deleted" not in flags:
                    keywords = frozenset(_KEYWORDS[one] for one in flags)
                    found[self.id_of(name, uid)] = frozenset({self.ids[name]}), keywords
        return found

    def id_of(self, name: str, uid: int) -> str:
        with self.house.store.read() as tx:
            row = message.row(tx, self.house.account, self.numbers[name], uid)
        assert row is not None
        return objectid.message(self.house.account, row.id)

    async def step(self, one: Mirror) -> None:
        await self._step(one)
        self._note_shared()

    def _note_shared(self) -> None:
        assert self.reader.may_know is not None
        with self.house.store.read() as tx:
            for name in self.shared:
                rows = message.rows(tx, self.house.account, self.numbers[name])
                self.reader.may_know.update(objectid.message(self.house.account, row.id) for _, row in rows)

    async def _step(self, one: Mirror) -> None:
        if self.chance.random() < 0.15:
            await self.read()
            return
        if self.chance.random() < 0.5:
            await super().step(one)
            return
        if self.forgets and self.chance.random() < 0.2:
            # As if the server had been started anew.
            self.house.store.listings = listing.Listings(self.house.store, 1_000_000)
        other = self.chance.choice(self.others)
        if self.chance.random() < 0.3:
            await other.sync()
        else:
            await self.change(other)

    async def change(self, one: JMAPMirror) -> None:
        """Something is done by JMAP, by ids that may be gone."""
        chance = self.chance
        ids = sorted(one.emails)
        some = chance.sample(ids, min(len(ids), chance.randint(1, 4)))
        where = self.places()
        kind = chance.randrange(8) if some else 7
        if kind <= 2:
            name, word = chance.choice([item for item in _KEYWORDS.items() if item[0] != b"\\Draft"])
            value = chance.choice([True, None])
            answer = await self.caller.call("Email/set", update={id: {f"keywords/{word}": value} for id in some})
            for id in self.updated(answer, some, where):
                self.model.store(where[id][0], [where[id][1]], "+" if value else "-", frozenset({name}))
        elif kind == 3:
            flags = frozenset(chance.sample([one for one in FLAGS if one != b"\\Deleted"], 2))
            words = {_KEYWORDS[flag]: True for flag in flags}
            answer = await self.caller.call("Email/set", update={id: {"keywords": words} for id in some})
            for id in self.updated(answer, some, where):
                self.model.store(where[id][0], [where[id][1]], "", flags)
        elif kind <= 5:
            target = chance.choice(BOXES)
            patch = {"mailboxIds": {self.ids[target]: True}}
            answer = await self.caller.call("Email/set", update=dict.fromkeys(some, patch))
            done = self.updated(answer, some, where)
            moved = sorted(where[id] for id in done if where[id][0] != target)
            for name, uid in moved:
                self.model.transfer(name, target, [(uid, self.model.following[target])], keep=False)
        elif kind == 6:
            answer = await self.caller.call("Email/set", destroy=some)
            gone = answer["destroyed"] or []
            assert set(gone) == {id for id in some if id in where}
            for id in gone:
                del self.model.boxes[where[id][0]][where[id][1]]
        else:
            await self.add()
        if kind != 7:
            one.emails = dict(one.emails)  # It learns the outcome when it syncs.

    def places(self) -> dict[str, tuple[str, int]]:
        """Where the emails are that JMAP sees."""
        with self.house.store.read() as tx:
            return {
                objectid.message(self.house.account, row.id): (name, uid)
                for name, number in self.numbers.items()
                for uid, row in message.rows(tx, self.house.account, number)
                if not row.flags & DELETED
            }

    def updated(self, answer: Any, ids: list[str], where: dict[str, tuple[str, int]]) -> list[str]:
        done = list(answer["updated"] or ())
        assert set(done) == {id for id in ids if id in where}
        assert all(one == {"type": "notFound"} for one in (answer["notUpdated"] or {}).values())
        return done

    async def add(self) -> None:
        target = self.chance.choice(BOXES)
        flags = frozenset(self.chance.sample([one for one in FLAGS if one != b"\\Deleted"], 1))
        common = {"mailboxIds": {self.ids[target]: True}, "keywords": {_KEYWORDS[flag]: True for flag in flags}}
        if self.chance.random() < 0.5:
            blob = await self.caller.upload(b"Subject: two\r\n\r\none\r\n")
            answer = await self.caller.call("Email/import", emails={"a": {"blobId": blob, **common}})
        else:
            email = {"subject": "draft", "textBody": [{"partId": "1"}], "bodyValues": {"1": {"value": "one"}}, **common}
            answer = await self.caller.call("Email/set", create={"a": email})
        assert answer["notCreated"] is None
        self.model.add(target, self.model.following[target], flags)


@pytest.mark.parametrize("seed", range(10))
async def test_both_agree(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    if seed % 3 == 0:
        monkeypatch.setattr(listing, "CATCH_UP", 6)  # Lists are made anew at times.
    kinds = [chance.choice(KINDS) for _ in range(chance.randint(1, 6))]
    async with open_house(tmp_path) as house:
        await Both(house, chance, [Mirror(kind) for kind in kinds], chance.randint(1, 3), forgets=seed % 3 == 1).run(
            250
        )
