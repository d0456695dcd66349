"""Threads: the algorithms of RFC 5256 beside their text taken word by word."""

import random

import pytest

from appliance.mail import forest
from appliance.mail.forest import Forest


class Node:
    """A message of the plain way, or one that is not there."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.parent: Node | None = None
        self.children: list[Node] = []

    def is_below(self, other: "Node") -> bool:
        node: Node | None = self
        while node is not None:
            if node is other:
                return True
            node = node.parent
        return False

    def put_below(self, parent: "Node") -> None:
        if not parent.is_below(self):
            self.parent = parent
            parent.children.append(self)

    def take_away(self) -> None:
        if self.parent is not None:
            self.parent.children.remove(self)
            self.parent = None


def plain_references(sent, subjects, responses, ids, referred):
    """RFC 5256 §3, REFERENCES, step by step; nested pairs of a message and what is below it."""
    nodes = [Node(at) for at in range(len(sent))]
    by_id: dict[bytes, Node] = {}
    for node, one in zip(nodes, ids, strict=True):
        if one:
            by_id.setdefault(one, node)
    everything = list(nodes)
    for node, references in zip(nodes, referred, strict=True):  # Step 1.
        last = None
        for one in references:
            if one not in by_id:
                by_id[one] = Node()
                everything.append(by_id[one])
            present = by_id[one]
            if last is not None and present.parent is None:
                present.put_below(last)
            last = present
        if node.parent is not last:
            node.take_away()
            if last is not None:
                node.put_below(last)
    roots = [node for node in everything if node.parent is None]  # Step 2.

    def pruned(siblings, *, top):  # Step 3.
        kept = []
        for node in siblings:
            node.children = pruned(node.children, top=False)
            if node.at is None and (not node.children or not top or len(node.children) == 1):
                kept += node.children
            else:
                kept.append(node)
        return kept

    roots = pruned(roots, top=True)

    def date(node):
        at = node.at if node.at is not None else node.children[0].at
        return sent[at], at

    def by_date(siblings):
        for node in siblings:
            by_date(node.children)
        siblings.sort(key=date)

    by_date(roots)  # Step 4, and more, which step 6 does again.

    def subject(node):
        return subjects[node.at if node.at is not None else node.children[0].at]

    table: dict[str, Node] = {}  # Step 5.
    for node in roots:
        name = subject(node)
        if not name:
            continue
        if name not in table:
            table[name] = node
            continue
        other = table[name]
        if other.at is not None and (node.at is None or (responses[other.at] and not responses[node.at])):
            table[name] = node
    for node in list(roots):
        name = subject(node)
        if not name or table[name] is node:
            continue
        other = table[name]
        roots.remove(node)
        if other.at is None and node.at is None:
            other.children += node.children
        elif other.at is None or (responses[node.at] and not responses[other.at]):
            other.children.append(node)
        else:
            table[name] = both = Node()
            both.children = [other, node]
            roots[roots.index(other)] = both
    by_date(roots)  # Step 6.

    def nested(siblings):
        return [(node.at, nested(node.children)) for node in siblings]

    return nested(roots)


def shown(found: Forest):
    """The same shape of a forest."""

    def nested(nodes):
        return [(node if node < found.messages else None, nested(found.below.get(node, []))) for node in nodes]

    return nested(found.roots)


def digest(name: str) -> bytes:
    return name.encode().ljust(forest.DIGEST_OCTETS, b".")


@pytest.mark.parametrize("seed", range(20))
def test_references_as_the_text_says(seed):
    chance = random.Random(seed)
    for _ in range(150):
        count = chance.randrange(1, 13)
        names = [digest(f"m{number}") for number in range(count + 4)]
        sent = [chance.randrange(8) for _ in range(count)]
        subjects = [chance.choice(["", "A", "B", "C", "D"]) for _ in range(count)]
        responses = [chance.random() < 0.5 for _ in range(count)]
        ids = [chance.choice([b"", chance.choice(names), *[names[at]] * 8]) for at in range(count)]
        most = chance.choice([1, 2, 5])
        referred = [chance.choices(names, k=chance.randrange(most + 1)) for _ in range(count)]
        found = forest.references(sent, subjects, responses, ids, [b"".join(one) for one in referred])
        assert shown(found) == plain_references(sent, subjects, responses, ids, referred)


@pytest.mark.parametrize("seed", range(5))
def test_ordered_subject_as_the_text_says(seed):
    chance = random.Random(seed)
    for _ in range(100):
        count = chance.randrange(13)
        sent = [chance.randrange(8) for _ in range(count)]
        subjects = [chance.choice(["", "A", "B", "C"]) for _ in range(count)]
        threads: dict[str, list[int]] = {}
        for at in sorted(range(count), key=lambda at: (subjects[at], sent[at], at)):
            threads.setdefault(subjects[at], []).append(at)
        expected = sorted(threads.values(), key=lambda one: (sent[one[0]], one[0]))
        found = forest.ordered_subject(sent, subjects)
        assert shown(found) == [(one[0], [(at, []) for at in one[1:]]) for one in expected]


def test_a_chain_of_many_thousand():
    """Nobody chooses our depth of recursion, in whatever order a chain arrives."""
    count = 20_000
    order = list(range(count))
    for arrange in (lambda: None, order.reverse, lambda: random.Random(1).shuffle(order)):
        arrange()
        ids = [digest(f"m{number}") for number in order]
        referred = [digest(f"m{number - 1}") if number else b"" for number in order]
        found = forest.references(order, [""] * count, [False] * count, ids, referred)
        assert len(found.roots) == 1
        assert all(len(nodes) == 1 for nodes in found.below.values())


def test_looking_for_loops_has_an_end(monkeypatch):
    """Beyond the limit links are left out, and every message is still there once."""
    monkeypatch.setattr(forest, "STEPS", 0)
    chance = random.Random(1)
    names = [digest(f"m{number}") for number in range(300)]
    referred = [b"".join(chance.choices(names, k=20)) for _ in names]
    found = forest.references(list(range(300)), [""] * 300, [False] * 300, names, referred)
    everything = sorted(found.roots + [node for nodes in found.below.values() for node in nodes])
    assert [node for node in everything if node < 300] == list(range(300))
