"""LIST with its options, LSUB, NAMESPACE (I-100 to I-102, RFC 5258, RFC 5819, RFC 6154)."""

from typing import TYPE_CHECKING

from appliance.protocol.imap import command, response
from appliance.servers.imap import mailbox, metadata, replies
from appliance.store import annotation, mailbox as stored

if TYPE_CHECKING:
    from appliance.servers.imap.session import Session


class Pattern:
    """A name with `*` and `%` (RFC 9051 §6.3.9), matched by all its states at once: linear in the name.

    A state is a bit: so much of the pattern has been matched. No pattern can make this slow.
    """

    def __init__(self, text: str) -> None:
        folded = [one for at, one in enumerate(text) if not (one == "*" and text[at - 1 : at] == "*")]
        self._length = len(folded)
        self._literals: dict[str, int] = {}
        self._star = self._percent = 0
        for at, one in enumerate(folded):
            if one == "*":
                self._star |= 1 << at
            elif one == "%":
                self._percent |= 1 << at
            else:
                self._literals[one] = self._literals.get(one, 0) | 1 << at
        self._wild = self._star | self._percent

    def _closed(self, states: int) -> int:
        """With what wildcards that match nothing reach."""
        while (more := states | (states & self._wild) << 1) != states:
            states = more
        return states

    def matches(self, name: str) -> bool:
        """Whether a name fits."""
        states = self._closed(1)
        for one in name:
            stay = states & (self._star if one == "/" else self._wild)
            states = self._closed(stay | (states & self._literals.get(one, 0)) << 1)
            if not states:
                return False
        return bool(states >> self._length & 1)


def _matcher(reference: str, patterns: tuple[str, ...]) -> list[Pattern]:
    found = []
    for pattern in patterns:
        whole = reference + pattern
        # INBOX in any casing, also as the first element (I-76).
        head, slash, rest = whole.partition("/")
        found.append(Pattern("Inbox" + slash + rest if head.upper() == "INBOX" else whole))
    return found


async def list_mailboxes(session: "Session", tag: str, request: command.ListMailboxes) -> None:
    """LIST."""
    if not request.extended and request.patterns == ("",):
        session.say(b'* LIST (\\NoSelect) "/" ""\r\n')
        session.done(tag)
        return
    with session.app.store.read() as tx:
        records = {one.name: one for one in tx.mailboxes(session.account.account)}
        subscribed = set(stored.subscriptions(tx, session.account.account))
        annotations = annotation.of_account(tx, session.account.account) if request.returns.metadata else {}
    patterns = _matcher(request.reference, request.patterns)
    selection, returns = request.selection, request.returns
    only_subscribed = "SUBSCRIBED" in selection
    names = subscribed if only_subscribed else set(records)
    if "SPECIAL-USE" in selection:
        names = {name for name in names if name in records and records[name].roles}
    matching = {name for name in names if any(one.matches(name) for one in patterns)}
    with_info: set[str] = set()
    if "RECURSIVEMATCH" in selection:
        # Parents that match and whose children are wanted, though they are not (RFC 5258 §3.5).
        above = {parent for name in names for parent in mailbox.parents(name)}
        with_info = {name for name in above if any(one.matches(name) for one in patterns)}
    have_children = {parent for name in records for parent in mailbox.parents(name)}
    for name in sorted(matching | with_info, key=lambda name: (name != "Inbox", name)):
        record = records.get(name)
        attributes = [] if record is not None else ["\\NonExistent"]
        if record is not None:
            attributes.append("\\HasChildren" if name in have_children else "\\HasNoChildren")
            attributes += replies.roles(record.roles)
        if name in subscribed and (only_subscribed or returns.subscribed):
            attributes.append("\\Subscribed")
        extended = b'("CHILDINFO" ("SUBSCRIBED"))' if name in with_info and only_subscribed else b""
        session.say(response.listing(attributes, session.name(name), extended))
        if returns.status and record is not None:
            session.say(mailbox.status_line(session, record, returns.status))
        if returns.metadata and record is not None:  # RFC 9590 §3
            shown = [(entry, annotations.get((record.id, entry))) for entry in returns.metadata]
            session.say(metadata.line(session, name, shown))
        await session.flush_large()
    session.done(tag)


async def lsub(session: "Session", tag: str, request: command.Lsub) -> None:
    """LSUB (RFC 3501 §6.3.9): with `%`, unsubscribed parents of subscribed names are \\NoSelect."""
    with session.app.store.read() as tx:
        subscribed = stored.subscriptions(tx, session.account.account)
    patterns = _matcher(request.reference, (request.pattern,))
    lines: dict[str, list[str]] = {}
    for name in subscribed:
        if patterns[0].matches(name):
            lines[name] = []
    if request.pattern.endswith("%"):
        for name in subscribed:
            for parent in mailbox.parents(name):
                if parent not in lines and patterns[0].matches(parent):
                    lines[parent] = ["\\NoSelect"]
    for name, attributes in sorted(lines.items()):
        session.say(response.listing(attributes, session.name(name), verb=b"LSUB"))
    session.done(tag)


async def namespace(session: "Session", tag: str, _: command.Namespace) -> None:
    """NAMESPACE: one, personal."""
    session.say(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    session.done(tag)
