"""Threads as RFC 5256 §3 makes them anew from a set of messages: ORDEREDSUBJECT and REFERENCES.

Messages are the numbers 0, 1, 2 … in mailbox order, described by lists as long as there are messages. Nothing here
recurses, since strangers choose how deep threads are.
"""

from array import array
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.mail.order import DIGEST_OCTETS
from appliance.mail.stretches import ordered

#: Steps from a message towards its first ancestor, for each message on average, that looking for loops may take.
#: Honest mail takes one or two. Whoever sends more gets threads that fall apart, and does not make others wait.
STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class Forest:
    """Threads, in their order. Numbers from `messages` on stand for first messages that are not there."""

    messages: int
    roots: list[int]
    #: Node -> those below it, in their order; a node without is left out.
    below: dict[int, list[int]] = field(default_factory=dict)


def ordered_subject(sent: Sequence[int], subjects: Sequence[str]) -> Forest:
    """ORDEREDSUBJECT: messages with the same base subject, all below the first by sent date."""
    threads: dict[str, list[int]] = {}
    for at in ordered(range(len(sent)), sent.__getitem__):
        threads.setdefault(subjects[at], []).append(at)
    # Those that were begun at the same moment come in mailbox order: the sort above was stable.
    return Forest(
        len(sent),
        ordered([one[0] for one in threads.values()], lambda at: (sent[at], at)),
        {one[0]: one[1:] for one in threads.values() if len(one) > 1},
    )


def references(
    sent: Sequence[int],
    subjects: Sequence[str],
    responses: Sequence[int],
    message_ids: Sequence[bytes],
    referred: Sequence[bytes],
) -> Forest:
    """REFERENCES: by Message-ID and References, then first messages of the same base subject.

    `message_ids` and `referred` are digests as in `order.Keys`; `responses` tells replies and forwards.
    """
    count = len(sent)
    parents = _linked(message_ids, referred)
    roots, below = _pruned(parents, count)
    when = array("q", sent)
    when.extend(array("q", bytes(when.itemsize * (len(parents) - count))))

    def by_date(nodes: list[int]) -> list[int]:
        return ordered(nodes, lambda node: (when[node], node if node < count else below[node][0]))

    for nodes in below.values():
        nodes.sort(key=lambda node: (when[node], node))
    _date_absent(below, when, count)
    roots = _by_subject(by_date(roots), below, when, count, subjects, responses)
    for nodes in below.values():
        nodes.sort(key=lambda node: (when[node], node))
    _date_absent(below, when, count)
    return Forest(count, by_date(roots), below)


def _date_absent(below: dict[int, list[int]], when: MutableSequence[int], count: int) -> None:
    """A first message that is not there is as old as the first below it (RFC 5256 §3, step 6)."""
    for node, nodes in below.items():
        if node >= count:
            when[node] = when[nodes[0]]


def _linked(message_ids: Sequence[bytes], referred: Sequence[bytes]) -> "array[int]":
    """Step 1: the parent of each node, -1 for none; behind the messages those that are only referred to."""
    nodes: dict[bytes, int] = {}
    for at, one in enumerate(message_ids):
        if one:
            nodes.setdefault(one, at)  # The first has the id, the others are strangers.
    # Arrays: the garbage collector looks into lists.
    parents = array("q", [-1]) * len(message_ids)
    is_parent = bytearray(len(message_ids))
    steps = STEPS * (len(message_ids) + 1)

    def link(parent: int, child: int) -> None:
        nonlocal steps
        if parent == child:
            return
        if is_parent[child]:  # One that nothing hangs on cannot be above its parent.
            above = parents[parent]
            while above >= 0 and above != child and steps > 0:
                above = parents[above]
                steps -= 1
            if above >= 0:
                return
        parents[child] = parent
        is_parent[parent] = 1

    for at, digests in enumerate(referred):
        last = -1
        for start in range(0, len(digests), DIGEST_OCTETS):
            one = digests[start : start + DIGEST_OCTETS]
            node = nodes.get(one)
            if node is None:
                node = nodes[one] = len(parents)
                parents.append(-1)
                is_parent.append(0)
            if last >= 0 and parents[node] < 0:
                link(last, node)
            last = node
        if parents[at] != last:
            parents[at] = -1
            if last >= 0:
                link(last, at)
    return parents


def _pruned(parents: Sequence[int], count: int) -> tuple[list[int], dict[int, list[int]]]:
    """Steps 2 and 3: first messages and what is below each, without those that are not there.

    Each message goes below its nearest ancestor that is there. If there is none, it goes below the farthest, which
    stays as a dummy when there are several.
    """
    # Node -> the nearest ancestor that is there, else the farthest of all, itself if it has none.
    nearest: dict[int, int] = {}
    below: dict[int, list[int]] = {}
    roots: list[int] = []
    for at in range(count):
        path = []
        above = parents[at]
        if above < 0:
            roots.append(at)
            continue
        while above >= count and above not in nearest and parents[above] >= 0:
            path.append(above)
            above = parents[above]
        found = nearest.get(above, above)
        for one in path:
            nearest[one] = found
        below.setdefault(found, []).append(at)
    for node in [node for node in below if node >= count]:
        if len(below[node]) == 1:
            roots += below.pop(node)
        else:
            roots.append(node)
    return roots, below


def _by_subject(
    roots: list[int],
    below: dict[int, list[int]],
    when: MutableSequence[int],
    count: int,
    subjects: Sequence[str],
    responses: Sequence[int],
) -> list[int]:
    """Step 5: first messages of the same base subject come together; the new list of first messages."""

    def subject(node: int) -> str:
        return subjects[node if node < count else below[node][0]]

    table: dict[str, int] = {}
    named = [(node, subject(node)) for node in roots]
    for node, name in named:
        if not name:
            continue
        other = table.get(name)
        if other is None or (other < count and (node >= count or (responses[other] and not responses[node]))):
            table[name] = node
    gone: set[int] = set()
    new: list[int] = []
    for node, name in named:
        other = table.get(name, node)
        if other == node:
            continue
        gone.add(node)
        if other >= count:
            below[other] += below.pop(node) if node >= count else [node]
        elif responses[node] and not responses[other]:
            below.setdefault(other, []).append(node)
        else:
            absent = len(when)
            when.append(0)
            below[absent] = [other, node]
            gone.add(other)
            new.append(absent)
            table[name] = absent
    return [node for node in roots if node not in gone] + new
