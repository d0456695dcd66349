"""SearchSnippet/get: where in an Email the words of a search stand (RFC 8621 §5)."""

import re
from collections.abc import Iterator
from html import escape
from typing import Final

import msgspec
import trio

from appliance.mail import decode, html
from appliance.mail.text import readable_parts
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.call import MAIL, OWN, AccountArguments, Call, Method, Wire
from appliance.servers.web.jmap.email import headerforms
from appliance.servers.web.jmap.email.query import condition_of
from appliance.servers.web.jmap.email.source import Stored, stored
from appliance.servers.web.jmap.standard import Record
from appliance.store import objectid
from appliance.store.listquery import All, Condition, Not, Says, Some
from appliance.store.search import InBody, InField, InShown
from appliance.store.tables import MessageID

#: Octets of a preview, marks and entities included (RFC 8621 §5); of a subject; of a text that is looked at.
_PREVIEW_OCTETS: Final = 255
_SUBJECT_CHARACTERS: Final = 1000
_TEXT_CHARACTERS: Final = 128 * 1024
#: Looked at in one go, as a search lets nobody else run; and words that are looked for.
_GO_CHARACTERS: Final = 8 * 1024
_WORDS: Final = 20
_WORD_CHARACTERS: Final = 200
#: Characters before the first word that is found.
_LEAD: Final = 40
_SPACE: Final = re.compile(r"\s+")
_MARKS: Final = "<mark>", "</mark>"


class SnippetArguments(AccountArguments, kw_only=True):
    """RFC 8621 §5.1."""

    filter: Record | None = None
    email_ids: list[str]


class SnippetResponse(Wire, kw_only=True):
    """RFC 8621 §5.1."""

    account_id: str
    snippets: list[Record] = msgspec.field(name="list")
    not_found: list[str] | None


async def get(call: Call, arguments: SnippetArguments) -> SnippetResponse:
    """SearchSnippet/get."""
    condition = condition_of(call, arguments.filter)
    ids = standard.wanted_ids(call, arguments.email_ids)
    numbers = {id: number for id in ids if (number := objectid.parse("M", call.account, id)) is not None}
    in_subject, in_body = _patterns(condition)
    lenient = OWN in call.using
    found: dict[str, Record] = {}

    def read(id: str, number: MessageID) -> None:
        with call.app.store.read() as tx:
            one = stored(tx, call.reach(tx), [number], call.app.store.orders, traits=False).get(number)
            if one is not None:
                found[id] = {
                    "emailId": id,
                    "subject": _subject(one, in_subject, lenient),
                    "preview": _preview(one, in_body),
                }

    for id, number in numbers.items():
        await trio.to_thread.run_sync(read, id, number)
    return SnippetResponse(
        account_id=call.account_id,
        snippets=[found[id] for id in ids if id in found],
        not_found=[id for id in ids if id not in found] or None,
    )


def _patterns(condition: Condition) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """What to look for in subjects and in bodies. Of what must not be there nothing is shown."""
    subject: dict[str, None] = {}
    body: dict[str, None] = {}
    for says in _asked(condition):
        match says.query:
            case InShown(needle):
                subject[needle.decode()] = body[needle.decode()] = None
            case InBody(needle):
                body[needle.decode()] = None
            case InField(name, needle) if name == b"subject":
                subject[needle.decode()] = None
    return _pattern(subject), _pattern(body)


def _asked(condition: Condition) -> Iterator[Says]:
    match condition:
        case Says():
            yield condition
        case All(conditions) | Some(conditions):
            for one in conditions:
                yield from _asked(one)
        case Not():
            pass


def _pattern(words: dict[str, None]) -> re.Pattern[str] | None:
    """Any of the words, the longest first; white space is any, as lines are broken elsewhere than they were."""
    ordered = sorted((one[:_WORD_CHARACTERS] for one in words if one.strip()), key=len, reverse=True)[:_WORDS]
    if not ordered:
        return None
    return re.compile("|".join(r"\s+".join(map(re.escape, one.split())) for one in ordered), re.IGNORECASE)


def _subject(one: Stored, pattern: re.Pattern[str] | None, lenient: bool) -> str | None:
    values = one.values("subject")
    if pattern is None or not values:
        return None
    text = headerforms.value_of(headerforms.CONVENIENT["subject"], values, lenient=lenient)[:_SUBJECT_CHARACTERS]
    return _marked(text, pattern, 1 << 30) if pattern.search(text) else None


def _preview(one: Stored, pattern: re.Pattern[str] | None) -> str | None:
    if pattern is None:
        return None
    for text in _texts(one):
        match = _first(pattern, text)
        if match is None:
            continue
        start = max(0, match.start() - _LEAD)
        if start and (space := text.find(" ", start, match.start())) >= 0:
            start = space + 1
        return _marked(text[start : match.end() + _PREVIEW_OCTETS].strip(), pattern, _PREVIEW_OCTETS)
    return None


def _first(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match."""
    for at in range(0, len(text), _GO_CHARACTERS):
        match = pattern.search(text, at, at + _GO_CHARACTERS + _WORD_CHARACTERS)
        if match is not None:
            return match
    return None


def _texts(one: Stored) -> Iterator[str]:
    """What can be read in the body, white space collapsed."""
    readable = readable_parts(one.root)
    for part in (readable.plain, readable.html):
        if part is None:
            continue
        pieces: list[str] = []
        length = 0
        for text, _ in decode.text_pieces(part, one.pieces(part)):
            pieces.append(text)
            length += len(text)
            if length >= _TEXT_CHARACTERS:
                break
        found = "".join(pieces)
        yield _SPACE.sub(" ", html.searched(found) if part.subtype == "html" else found)


def _marked(text: str, pattern: re.Pattern[str], most: int) -> str:
    """HTML of a text with what was looked for marked, of at most so many octets: entities and marks stay whole."""
    made: list[str] = []
    left = most

    def put(piece: str, around: tuple[str, str]) -> bool:
        """Put characters, as far as there is room; whether there was."""
        nonlocal left
        room = left - sum(map(len, around))
        kept = []
        for character in piece:
            entity = escape(character)
            room -= len(entity.encode())
            if room < 0:
                break
            kept.append(entity)
        if kept:
            made.append("".join((around[0], *kept, around[1])))
            left -= len(made[-1].encode())
        return room >= 0

    at = 0
    for match in pattern.finditer(text):
        if not put(text[at : match.start()], ("", "")) or not put(match[0], _MARKS):
            return "".join(made)
        at = match.end()
    put(text[at:], ("", ""))
    return "".join(made)


METHODS: Final = (Method("SearchSnippet/get", MAIL, SnippetArguments, get, shared=True),)
