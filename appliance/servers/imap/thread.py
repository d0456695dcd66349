"""THREAD and UID THREAD (RFC 5256): threads made anew of what was found, from ids, references and subjects.

The stored threads, which THREADID names, are not what is asked for here. They are made as messages arrive and never
change afterwards (RFC 8474 §5.2), know the whole account, and do not follow a reference to another subject; RFC 5256
demands one algorithm of all servers, whose outcome depends on the messages searched alone.
"""

from array import array
from collections.abc import Sequence
from operator import eq
from typing import TYPE_CHECKING, TypeVar

from appliance.mail import forest
from appliance.protocol.imap import command, response
from appliance.protocol.imap.command import ThreadAlgorithm
from appliance.servers.imap import search, sort
from appliance.servers.imap.search import Work
from appliance.store.ordering import Columns

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session

T = TypeVar("T")


async def thread(session: "Session", tag: str, request: command.Thread) -> None:
    """THREAD and UID THREAD."""
    work, places = await search.find(session, tag, request.key, None, ("ids", "received"))

    def answer(columns: Columns) -> bytes:
        numbers = work.numbers(places, uid=request.uid)
        return response.thread(_forest(work, columns, places, request.algorithm), numbers)

    session.say(await sort.with_keys(work, places, answer))
    search.finish(session, tag, request.key, uid=request.uid)


def _forest(work: Work, columns: Columns, places: Sequence[int], algorithm: ThreadAlgorithm) -> forest.Forest:
    """Threads of messages; those made last are kept for who asks the same again."""
    ids = work.values("ids", places)
    known, found = columns.forests.get(algorithm.value, ((), None))
    if found is None or known != ids:
        found = _grown(work, columns, places, ids, algorithm)
        columns.forests[algorithm.value] = ids, found
    return found


def _grown(
    work: Work, columns: Columns, places: Sequence[int], ids: Sequence[int], algorithm: ThreadAlgorithm
) -> forest.Forest:
    sent = columns.sent_of(ids, work.values("received", places))
    # Arrays where there can be some: the garbage collector looks into lists.
    there = array("Q", [columns.places[id] for id in ids])
    subjects = _of(columns.subjects, there)
    if algorithm is ThreadAlgorithm.ORDEREDSUBJECT:
        return forest.ordered_subject(sent, subjects)
    return forest.references(
        sent,
        subjects,
        bytes([columns.responses[at] for at in there]),
        _of(columns.message_ids, there),
        _of(columns.references, there),
    )


def _of(column: Sequence[T], there: Sequence[int]) -> Sequence[T]:
    """Places of a column; itself when it is all in its order."""
    if len(there) == len(column) and all(map(eq, there, range(len(there)))):
        return column
    return [column[at] for at in there]
