"""A program that keeps a copy of an account by JMAP, and believes what it is told.

It keeps mailboxes and keywords of all emails by Email/changes, and some lists by Email/queryChanges. It fails when what
it is told makes no sense: an email that is new for the second time, an index beyond the end.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from support.jmapcaller import Caller


@dataclass
class List:
    """A list that is kept."""

    arguments: dict[str, Any]
    state: str = ""
    ids: list[str] = field(default_factory=list)


class JMAPMirror:
    """Of one account; `sync`, and look."""

    def __init__(
        self, caller: Caller, chance: random.Random, lists: list[dict[str, Any]], *, is_forgetful: bool = False
    ) -> None:
        """`is_forgetful`: the server may have forgotten lists, and tell more as gone than was there."""
        self.is_forgetful = is_forgetful
        #: What is shared with it is something else than before, so the server may know of no changes.
        self.has_new_rights = False
        #: All that it may ever have heard of; None for everything.
        self.may_know: set[str] | None = None
        self.caller = caller
        self.chance = chance
        self.lists = [List(arguments) for arguments in lists]
        self.state = ""
        #: id -> mailboxes and keywords.
        self.emails: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    async def start(self) -> None:
        answer = await self.caller.call("Email/query", limit=5000)
        # The state first: what changes while all is fetched is told again.
        self.state = (await self.caller.call("Email/get", ids=[]))["state"]
        await self._fetch(answer["ids"])
        for one in self.lists:
            await self._query(one)

    async def _query(self, one: List) -> None:
        answer = await self.caller.call("Email/query", one.arguments, limit=5000, calculateTotal=True)
        one.state, one.ids = answer["queryState"], answer["ids"]
        assert answer["total"] == len(one.ids)

    async def _fetch(self, ids: list[str]) -> None:
        answer = await self.caller.call("Email/get", ids=ids, properties=["mailboxIds", "keywords"])
        for one in answer["list"]:
            self.emails[one["id"]] = frozenset(one["mailboxIds"]), frozenset(one["keywords"])
        for id in answer["notFound"]:
            self.emails.pop(id, None)

    async def sync(self) -> None:
        """Learn what happened."""
        told: set[str] = set()
        more = True
        while more:
            limit = {"maxChanges": self.chance.randint(1, 9)} if self.chance.random() < 0.7 else {}
            answer = await self.caller.call("Email/changes", sinceState=self.state, **limit)
            if "type" in answer and self.has_new_rights:
                assert answer["type"] == "cannotCalculateChanges"
                self.has_new_rights = False
                self.emails.clear()
                await self.start()
                return
            count = sum(len(answer[name]) for name in ("created", "updated", "destroyed"))
            assert count <= limit.get("maxChanges", 5000)
            assert not told.intersection(answer["created"]), "what was told as changed is not new later"
            told.update(answer["updated"], answer["destroyed"])
            self._heard(answer["created"] + answer["updated"] + answer["destroyed"])
            for id in answer["destroyed"]:
                self.emails.pop(id, None)
            await self._fetch(answer["created"] + answer["updated"])
            more, self.state = answer["hasMoreChanges"], answer["newState"]
        for one in self.lists:
            await self._follow(one)

    async def _follow(self, one: List) -> None:
        answer = await self.caller.call(
            "Email/queryChanges", one.arguments, sinceQueryState=one.state, calculateTotal=True
        )
        if "type" in answer:
            assert answer["type"] == "cannotCalculateChanges"
            await self._query(one)
            return
        removed = set(answer["removed"])
        self._heard(answer["removed"])
        if not self.is_forgetful:
            assert removed <= set(one.ids), "only what was there goes"
        one.ids = [id for id in one.ids if id not in removed]
        for item in answer["added"]:
            assert item["index"] <= len(one.ids)
            assert item["id"] not in one.ids
            one.ids.insert(item["index"], item["id"])
        assert len(one.ids) == answer["total"]
        one.state = answer["newQueryState"]

    def _heard(self, ids: list[str]) -> None:
        assert self.may_know is None or self.may_know.issuperset(ids), "what is not shared is not told of"

    async def check(self) -> None:
        """What is kept is what there is."""
        whole = await self.caller.call("Email/query", limit=5000)
        assert set(whole["ids"]) == set(self.emails)
        seen = await self.caller.call("Email/query", filter={"hasKeyword": "$seen"}, limit=5000)
        assert set(seen["ids"]) == {id for id, (_, keywords) in self.emails.items() if "$seen" in keywords}
        for one in self.lists:
            answer = await self.caller.call("Email/query", one.arguments, limit=5000)
            assert answer["ids"] == one.ids, one.arguments
