"""The grammar of NOTIFY (RFC 5465 §8)."""

from dataclasses import replace
from typing import Final

from appliance.protocol.imap import fetch
from appliance.protocol.imap.command import Binary, BodySection, FetchItem, Notify, NotifyGroup
from appliance.protocol.imap.lexer import CommandError, Lexer, bad

MESSAGE_EVENTS: Final = frozenset({"MESSAGENEW", "MESSAGEEXPUNGE", "FLAGCHANGE"})
#: All events that can be asked for, as they are told to a client that asks for another (RFC 5465 §3.1).
EVENTS: Final = (
    "MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange"
)
_EVENTS: Final = frozenset(EVENTS.upper().split())
_SELECTED: Final = frozenset({"SELECTED", "SELECTED-DELAYED"})
_WITHOUT_NAMES: Final = _SELECTED | {"INBOXES", "PERSONAL", "SUBSCRIBED"}
_WITH_NAMES: Final = frozenset({"SUBTREE", "MAILBOXES"})


def parse_notify(lexer: Lexer) -> Notify:
    """What follows `NOTIFY `."""
    verb = lexer.word()
    if verb == "NONE":
        lexer.end()
        return Notify(None)
    if verb != "SET":
        raise bad("expected SET or NONE")
    lexer.space()
    status = not lexer.at(b"(")
    if status:
        if lexer.word() != "STATUS":
            raise bad("expected STATUS or a list")
        lexer.space()
    groups = [_group(lexer)]
    while lexer.take(b" "):
        groups.append(_group(lexer))
        if len(groups) > lexer.limits.arguments or sum(len(one.mailboxes) for one in groups) > lexer.limits.arguments:
            raise CommandError("NO", "too many groups or mailboxes", code="NOTIFICATIONOVERFLOW")
    lexer.end()
    if sum(one.kind in _SELECTED for one in groups) > 1:
        raise bad("SELECTED may be given once")  # RFC 5465 §6.1
    return Notify(tuple(groups), status=status)


def _group(lexer: Lexer) -> NotifyGroup:
    lexer.expect(b"(")
    kind = lexer.word()
    names: tuple[str, ...] = ()
    if kind in _WITH_NAMES:
        lexer.space()
        names = _names(lexer)
    elif kind not in _WITHOUT_NAMES:
        raise bad("unknown kind of mailboxes")
    lexer.space()
    events, attributes = _events(lexer)
    lexer.expect(b")")
    if kind in _SELECTED:
        if not events <= MESSAGE_EVENTS:
            raise bad("only events of messages are told of the selected mailbox")  # RFC 5465 §6.1
    elif attributes:
        raise bad("attributes are fetched in the selected mailbox alone")
    if events & MESSAGE_EVENTS and not {"MESSAGENEW", "MESSAGEEXPUNGE"} <= events:
        raise bad("MessageNew and MessageExpunge are told together")  # RFC 5465 §5
    return NotifyGroup(kind, names, events, attributes)


def _names(lexer: Lexer) -> tuple[str, ...]:
    if not lexer.take(b"("):
        return (lexer.mailbox(),)
    names = {lexer.mailbox(): None}
    while lexer.take(b" "):
        names[lexer.mailbox()] = None
        if len(names) > lexer.limits.arguments:
            raise CommandError("NO", "too many mailboxes", code="NOTIFICATIONOVERFLOW")
    lexer.expect(b")")
    return tuple(names)


def _events(lexer: Lexer) -> tuple[frozenset[str], tuple[FetchItem, ...]]:
    """Events in parentheses. Lenient: without them, as in the examples of RFC 5465 §3.1."""
    enclosed = lexer.take(b"(")
    found: set[str] = set()
    attributes: tuple[FetchItem, ...] = ()
    while True:
        event = lexer.word()
        if event == "NONE" and not enclosed and not found:
            return frozenset(), ()
        if event not in _EVENTS:
            raise CommandError("NO", "no such event here", code=f"BADEVENT ({EVENTS})")
        found.add(event)
        if event == "MESSAGENEW" and lexer.at(b" ("):
            lexer.space()
            attributes = tuple(_peeking(item) for item in fetch.parse_items(lexer))
        if not lexer.take(b" "):
            break
    if enclosed:
        lexer.expect(b")")
    return frozenset(found), attributes


def _peeking(item: FetchItem) -> FetchItem:
    """Nobody has seen what the server sent by itself."""
    return replace(item, peek=True) if isinstance(item, BodySection | Binary) else item
