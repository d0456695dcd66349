"""From the items of a FETCH to what makes each line of its answer, decided once per command.

A line has three parts, in this order whatever the client's: what a row of the mailbox tells (formatted by one template
from columns), what was prepared at delivery, and octets of the message. Each needs more reading than the one before.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

from appliance.protocol.imap import response
from appliance.protocol.imap.command import Binary, BinarySize, BodySection, FetchAttribute, FetchItem, Preview
from appliance.servers.imap import replies
from appliance.store import objectid
from appliance.store.prepare import USUAL_FIELDS
from appliance.store.records import Prepared
from appliance.store.tables import AccountID
from appliance.store.view import View

#: BODY without a section, which few ask for, is made of the part tree, so it stands among these.
ContentItem = BodySection | Binary | BinarySize | FetchAttribute

#: Items that are columns of a view: form of the item, name of the column.
_ROW: Final[dict[FetchItem, tuple[bytes, str]]] = {
    FetchAttribute.UID: (b"UID %d", "uids"),
    FetchAttribute.FLAGS: (b"FLAGS (%b)", "flags"),
    FetchAttribute.INTERNALDATE: (b"INTERNALDATE %b", "received"),
    FetchAttribute.SAVEDATE: (b"SAVEDATE %b", "saved"),
    FetchAttribute.RFC822_SIZE: (b"RFC822.SIZE %d", "sizes"),
    FetchAttribute.MODSEQ: (b"MODSEQ (%d)", "modseqs"),
    FetchAttribute.EMAILID: (b"EMAILID (%b)", "emails"),
    FetchAttribute.THREADID: (b"THREADID (%b)", "threads"),
}
_PREPARED: Final[dict[FetchItem, str]] = {
    FetchAttribute.ENVELOPE: "envelope",
    FetchAttribute.BODYSTRUCTURE: "bodystructure",
}
_PREVIEW_CHARACTERS: Final = 200

_date_time = lru_cache(maxsize=4096)(response.date_time)


class Names(NamedTuple):
    """What the names of a chunk's messages and threads are made of (RFC 8474)."""

    account: AccountID
    #: The messages whose copies these are; only when they are asked for.
    originals: Sequence[int] = ()


class Plan:
    """What to do for each message."""

    def __init__(self, items: Sequence[FetchItem], *, utf8: bool, uid_only: bool = False) -> None:
        rows = [_ROW[item] for item in items if item in _ROW]
        self.columns = [name for _, name in rows]
        forms = [form for form, _ in rows]
        self._makers: list[Callable[[Prepared], bytes]] = []
        self.content: list[ContentItem] = []
        for item in items:
            if item in _PREPARED:
                forms.append(item.value + b" %b")  # type: ignore[union-attr]
                self._makers.append(attrgetter(_PREPARED[item]))
            elif isinstance(item, Preview):
                forms.append(b"PREVIEW %b")
                self._makers.append(_preview(utf8=utf8))
            elif isinstance(item, BodySection) and is_usual(item):
                forms.append(item.label.replace(b"%", b"%%") + b" %b")
                self._makers.append(_usual_fields(item))
            elif item is FetchAttribute.BODY or isinstance(item, BodySection | Binary | BinarySize):
                self.content.append(item)
        self.sets_seen = any(isinstance(item, BodySection | Binary) and not item.peek for item in items)
        self._uid_only = uid_only
        verb = b"* %d UIDFETCH (" if uid_only else b"* %d FETCH ("  # RFC 9586 §3.3
        self._template = verb + b" ".join(forms) + (b"" if self.content else b")\r\n")
        #: What stands before each content item.
        names = [item.value if isinstance(item, FetchAttribute) else item.label for item in self.content]
        self.labels = [(b" " if forms or count else b"") + name + b" " for count, name in enumerate(names)]

    @property
    def needs_originals(self) -> bool:
        """Whether it must be known whose copies the messages are."""
        return "emails" in self.columns

    @property
    def needs_prepared(self) -> bool:
        """Whether items are made of what was prepared at delivery."""
        return bool(self._makers)

    @property
    def needs_content(self) -> bool:
        """Whether octets of the message are asked for."""
        return bool(self.content)

    def heads(
        self, view: View, start: int, stop: int, number: int, ready: Sequence[Prepared], names: Names
    ) -> Iterator[bytes]:
        """Lines of messages start..stop of a view, numbered from `number` on; without content they are complete.

        All of it happens in C: this is what a client asks about a hundred thousand messages at once.
        """
        numbers = view.uids[start:stop] if self._uid_only else range(number, number + stop - start)
        values = [_values(view, name, start, stop, names) for name in self.columns]
        made = [map(make, ready) for make in self._makers]
        return map(self._template.__mod__, zip(numbers, *values, *made, strict=True))

    def head(self, number: int, values: dict[str, object], ready: Sequence[Prepared]) -> bytes:
        """One line, from values by column."""
        made = [make(known) for make in self._makers for known in ready]
        return self._template % (number, *[values[name] for name in self.columns], *made)


def _values(view: View, name: str, start: int, stop: int, names: Names) -> Iterable[object]:
    if name == "emails":
        return [objectid.message(names.account, id).encode() for id in names.originals]
    column = getattr(view, name)[start:stop]
    if name == "flags":
        return flag_texts(view, column, start, stop)
    if name in {"received", "saved"}:
        # Only whole seconds are shown.
        return map(_date_time, [when - when % 1_000_000 for when in column])
    if name == "threads":
        return [objectid.thread(names.account, id).encode() for id in column]
    return column  # type: ignore[no-any-return]


def flag_texts(view: View, column: Sequence[int], start: int, stop: int) -> Iterable[bytes]:
    """Flags as they are shown; keywords are looked at only where there are some."""
    texts = map(replies.FLAG_TEXTS.__getitem__, column)
    if not view.keywords:
        return texts
    shown = list(texts)
    if len(view.keywords) < len(shown):
        places = [at - start for uid in view.keywords if (at := view.index(uid)) is not None and start <= at < stop]
    else:
        places = list(range(len(shown)))
    for at in places:
        words = view.keywords.get(view.uids[start + at])
        if words:
            shown[at] = replies.flags(column[at], words)
    return shown


def is_usual(item: BodySection) -> bool:
    """Whether header fields are asked for that are kept ready."""
    return (
        item.kind == "HEADER.FIELDS"
        and not item.parts
        and all(name.decode("ascii", "replace") in USUAL_FIELDS for name in item.fields)
    )


def _preview(*, utf8: bool) -> Callable[[Prepared], bytes]:
    return lambda known: response.text_string(known.preview[:_PREVIEW_CHARACTERS], utf8=utf8)


def _usual_fields(item: BodySection) -> Callable[[Prepared], bytes]:
    names = frozenset(name.decode("ascii") for name in item.fields)

    def make(known: Prepared) -> bytes:
        lines = b"".join([lines for name, lines in known.fields.items() if name in names]) + b"\r\n"
        return literal(lines if item.partial is None else cut(lines, item.partial))

    return make


def cut(octets: bytes, partial: tuple[int, int] | None) -> bytes:
    """A partial of octets; beyond their end it is empty."""
    return octets if partial is None else octets[partial[0] : partial[0] + partial[1]]


def literal(octets: bytes) -> bytes:
    """A literal; not literal8 even with NULs, which clients do not expect in BODY."""
    return b"{%d}\r\n%b" % (len(octets), octets)
