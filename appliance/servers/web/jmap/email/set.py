"""Email/set, Email/import and Email/copy (RFC 8621 §4.6 to §4.8).

Records that change in the same way are changed together; what is created is put together in a thread, piece by piece.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
import trio

from appliance.base.problem import Problem
from appliance.mail import date, header
from appliance.operations import messages
from appliance.operations.messages import MessageChange, Upload
from appliance.servers.web.jmap import standard
from appliance.servers.web.jmap.blobs import message_blob
from appliance.servers.web.jmap.call import MAIL, OWN, AccountArguments, Arguments, Call, Method, Wire
from appliance.servers.web.jmap.email import keywords
from appliance.servers.web.jmap.email.composing import Composer, blob_ids
from appliance.servers.web.jmap.email.get import emails, state_of
from appliance.servers.web.jmap.email.properties import wanted
from appliance.servers.web.jmap.email.reading import spooled_blob
from appliance.servers.web.jmap.problem import MethodError, SetError, invalid_properties, set_error
from appliance.servers.web.jmap.standard import Record, SetArguments, SetResponse
from appliance.store import objectid
from appliance.store.problems import NoSuchMailbox, NoSuchMessage, TooMany
from appliance.store.records import Row
from appliance.store.spool import Spooled
from appliance.store.tables import MailboxRef, MessageID

T = TypeVar("T")

#: Octets put together before they are written.
_BATCH_OCTETS: Final = 256 * 1024
#: Messages are stored so many at a time, so that they share commits.
_AT_ONCE: Final = 16

_OURS: Final = ("muted", "collapsed")


# Properties that creating and importing share.


def mailbox_of(call: Call, value: object) -> MailboxRef:
    """The one mailbox of `mailboxIds`. Raises SetError: invalidProperties, tooManyMailboxes."""
    if not isinstance(value, dict) or not all(one is True for one in value.values()):
        raise invalid_properties("mailboxIds is an object, and its values are true", "mailboxIds")
    numbers: set[int | None] = {objectid.parse("F", call.account, call.resolve(id)) for id in value}
    if not numbers:
        raise invalid_properties("an email is in a mailbox", "mailboxIds")
    with call.app.store.read() as tx:
        reach = call.reach(tx)
        there = {box.id for box in reach.known if reach.rights(box.id)}
    known = [number for number in there if number in numbers]
    if len(known) < len(numbers):
        raise invalid_properties("there is no such mailbox", "mailboxIds")
    if len(known) > 1:
        raise SetError("tooManyMailboxes", "an email is in one mailbox at a time")
    return MailboxRef(call.account, known[0])


def received_of(value: object) -> datetime | None:
    """`receivedAt`; None where it is not given. Raises SetError."""
    if value is None:
        return None
    try:
        when = msgspec.convert(value, datetime)
    except msgspec.ValidationError as error:
        raise invalid_properties("that is no date", "receivedAt") from error
    if when.tzinfo is None or not 1970 <= when.year < 9999:
        raise invalid_properties("that is no date", "receivedAt")
    return when


@dataclass(slots=True)
class _New:
    """A message that is ready to be stored, and where."""

    mailbox: MailboxRef
    upload: Upload


# /set.


async def set_(call: Call, arguments: SetArguments) -> SetResponse:
    """Email/set."""

    def state() -> str:
        with call.app.store.read() as tx:
            return state_of(call.reach(tx))

    old = state()
    standard.check_set(arguments, old)
    created, not_created = await _create(call, arguments.create or {})
    destroy = {call.resolve(id): id for id in arguments.destroy or ()}
    updated, not_updated = await _update(call, arguments.update or {}, destroy)
    destroyed, not_destroyed = await _destroy(call, list(destroy))
    return SetResponse(
        account_id=call.account_id,
        old_state=old,
        new_state=state(),
        created=created or None,
        updated=updated or None,
        destroyed=destroyed or None,
        not_created=not_created or None,
        not_updated=not_updated or None,
        not_destroyed=not_destroyed or None,
    )


async def _destroy(call: Call, ids: Sequence[str]) -> tuple[list[str], dict[str, Record]]:
    numbers = {number: id for id in ids if (number := objectid.parse("M", call.account, id)) is not None}
    failed = {id: SetError("notFound") for id in ids}
    gone: set[MessageID] = set()

    async def run(some: Sequence[MessageID]) -> None:
        try:
            gone.update(await messages.destroy(call.app, call.actor, call.account, some))
        except Problem as problem:
            if len(some) > 1:  # It may be the fault of one of them.
                for number in some:
                    await run([number])
            else:
                failed[numbers[some[0]]] = _set_error(problem)

    for some in _slices(list(numbers)):
        await run(some)
    done = [id for number, id in numbers.items() if number in gone]
    for id in done:
        failed.pop(id)
    return done, {id: error.fields for id, error in failed.items()}


def _slices(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at a time as verbs take in one transaction, so that what came of them is known of each."""
    for at in range(0, len(ids), messages.SLICE_MESSAGES):
        yield ids[at : at + messages.SLICE_MESSAGES]


# Creating.


async def _create(call: Call, emails_: Mapping[str, Record]) -> tuple[dict[str, Record], dict[str, Record]]:
    created: dict[str, Record] = {}
    failed: dict[str, Record] = {}
    for name, properties in emails_.items():
        try:
            row, created[name] = await _stored(call, await _composed(call, properties))
        except SetError as error:
            failed[name] = error.fields
        except Problem as problem:
            failed[name] = _set_error(problem).fields
        else:
            call.created[name] = created[name]["id"]
            created[name].update(_beside(row, properties))
    return created, failed


def _beside(row: Row, properties: Record) -> Record:
    """Of the properties that a client may set, those that came out otherwise than it said (RFC 8620 §5.3).

    A message may be marked as no junk where it is put, and one without a time is of now.
    """
    found: Record = {"keywords": keywords.shown(row.flags, row.keywords), "receivedAt": standard.utc_date(row.received)}
    if found["keywords"].keys() == {name.lower() for name in properties.get("keywords") or {}}:
        del found["keywords"]
    if properties.get("receivedAt") is not None:
        del found["receivedAt"]
    return found


async def _composed(call: Call, properties: Record) -> _New:
    """An email that is put together. Raises SetError, Problem."""
    properties = {name: value for name, value in properties.items() if value is not None}
    mailbox = mailbox_of(call, properties.pop("mailboxIds", None))
    flags = keywords.checked(properties.pop("keywords", {}))
    received = received_of(properties.pop("receivedAt", None))
    with ExitStack() as stack:
        blobs = {id: stack.enter_context(call.open_blob(id)) for id in blob_ids(properties)}
        if missing := [id for id, blob in blobs.items() if blob is None]:
            raise SetError("blobNotFound", notFound=missing)
        composer = Composer(call, {id: blob for id, blob in blobs.items() if blob is not None})
        async with call.app.store.spool() as spool:
            pieces = await trio.to_thread.run_sync(composer.pieces, properties)
            more = True
            while more:
                octets, more = await trio.to_thread.run_sync(_batch, pieces)
                if spool.size + len(octets) > call.max_message_octets:
                    raise SetError("tooLarge", f"a message has at most {call.max_message_octets} octets")
                await spool.write(octets)
            upload = await messages.prepare_upload(call.app, call.actor, await spool.finish(), flags, received)
            return _New(mailbox, upload)


def _batch(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """Some of the message, and whether there may be more."""
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) >= _BATCH_OCTETS:
            return bytes(found), True
    return bytes(found), False


async def _stored(call: Call, new: _New) -> tuple[Row, Record]:
    """A message that is stored now, as its client is told (RFC 8621 §4.6). Raises Problem."""
    try:
        row = await messages.add_one(call.app, call.actor, new.mailbox, new.upload)
    except BaseException:
        with trio.CancelScope(shield=True):
            await messages.drop(call.app, [new.upload])
        raise
    return row, _told(call, row)


def _told(call: Call, row: Row) -> Record:
    return {
        "id": objectid.message(call.account, row.id),
        "blobId": message_blob(call.account, row.id),
        "threadId": objectid.thread(call.account, row.thread),
        "size": row.size,
    }


def _set_error(problem: Problem) -> SetError:
    if isinstance(problem, NoSuchMailbox):
        return invalid_properties("there is no such mailbox", "mailboxIds")
    if isinstance(problem, TooMany):
        return SetError("tooManyKeywords", str(problem))
    return set_error(problem)


# Changing.


async def _update(
    call: Call, patches: Mapping[str, Record], destroy: Collection[str]
) -> tuple[dict[str, Record | None], dict[str, Record]]:
    """Change emails; those that change in the same way together."""
    names = {call.resolve(name): name for name in patches}
    failed = {name: SetError("invalidPatch").fields for name in patches if names[call.resolve(name)] != name}
    failed |= {name: SetError("willDestroy").fields for id, name in names.items() if id in destroy}
    left = {id: name for id, name in names.items() if name not in failed}
    before = await _before(call, list(left), [patches[name] for name in left.values()])
    groups: dict[MessageChange, list[str]] = {}
    for id, name in left.items():
        try:
            if id not in before:
                raise SetError("notFound")
            groups.setdefault(_change_of(call, before[id], patches[name]), []).append(id)
        except SetError as error:
            failed[name] = error.fields
    done: set[str] = set()

    async def run(change: MessageChange, ids: Sequence[str]) -> None:
        numbers = {number: id for id in ids if (number := objectid.parse("M", call.account, id)) is not None}
        try:
            found = await messages.change(call.app, call.actor, call.account, list(numbers), change)
        except Problem as problem:
            if len(ids) > 1:  # It may be the fault of one of them.
                for id in ids:
                    await run(change, [id])
            else:
                failed[left[ids[0]]] = _set_error(problem).fields
            return
        done.update(numbers[number] for number in found)
        failed.update({left[id]: SetError("notFound").fields for number, id in numbers.items() if number not in found})

    # At the same time, so that they share commits.
    async with trio.open_nursery() as nursery:
        for change, ids in groups.items():
            for some in _slices(ids):
                nursery.start_soon(run, change, some)
    beyond = await _beyond(call, before, {change: [id for id in ids if id in done] for change, ids in groups.items()})
    return {id: beyond.get(id) for id in left if id in done}, failed


async def _before(call: Call, ids: Sequence[str], patches: Sequence[Record]) -> dict[str, Record]:
    """Emails as they are, with what patches speak of."""
    named = {path.removeprefix("/").partition("/")[0] for patch in patches for path in patch}
    asked = []
    for name in sorted({"mailboxIds", "keywords", *named}):
        try:
            wanted(call, [name])
        except MethodError:
            continue  # It is found out where the patch is looked at.
        asked.append(name)
    return await emails(call, ids, wanted(call, asked))


def _change_of(call: Call, before: Record, patch: Record) -> MessageChange:
    """What a patch wants. Raises SetError."""
    after = standard.patched(before, patch)
    paths = {path.removeprefix("/"): value for path, value in patch.items()}
    mutable = {"mailboxIds", "keywords", *(_OURS if OWN in call.using else ())}
    # What is set by the server may stand there if it is as it was (RFC 8620 §5.3).
    if wrong := [name for name in after if name not in mutable and after[name] != before.get(name, _NOTHING)]:
        raise invalid_properties("this cannot be changed", *wrong)
    ours = {name: after[name] for name in _OURS if name in mutable and name in paths}
    if wrong := [name for name, value in ours.items() if not isinstance(value, bool)]:
        raise invalid_properties("this is true or false", *wrong)
    add, remove, flags = _flags(paths, after)
    target = None
    if after["mailboxIds"] != before["mailboxIds"]:
        target = mailbox_of(call, after["mailboxIds"]).id
    return MessageChange(
        add=add,
        remove=remove,
        flags=flags,
        target=target,
        muted=ours.get("muted"),
        collapsed=ours.get("collapsed"),
    )


_NOTHING: Final = object()


def _flags(paths: Record, after: Record) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...] | None]:
    """Flags to add, to remove, or to have (RFC 8621 §4.6). Raises SetError."""
    if "keywords" in paths:
        return (), (), keywords.checked(after["keywords"] or {})
    add: dict[str, None] = {}
    remove: dict[str, None] = {}
    for path, value in paths.items():
        head, _, rest = path.partition("/")
        if head == "keywords":
            name = keywords.checked_one(rest.replace("~1", "/").replace("~0", "~"), value is None or value)
            (remove if value is None else add)[name] = None
    if both := add.keys() & remove.keys():
        raise invalid_properties(f"{min(both)} is set and removed", "keywords")
    return tuple(sorted(add)), tuple(sorted(remove)), None


async def _beyond(
    call: Call, before: Mapping[str, Record], groups: Mapping[MessageChange, Sequence[str]]
) -> dict[str, Record]:
    """What changed beyond what was asked for: $junk goes with mailboxes, and excludes $notjunk; muted is collapsed."""
    found: dict[str, Record] = {}
    looked = [id for change, ids in groups.items() if change.target or change.flags or change.add for id in ids]
    now = await emails(call, looked, wanted(call, ["keywords"])) if looked else {}
    for change, ids in groups.items():
        for id in ids:
            if id in now:
                expected = {keywords.jmap_name(name) for name in change.flags or ()}
                if change.flags is None:
                    expected = set(before[id]["keywords"]).union(map(keywords.jmap_name, change.add))
                    expected -= set(map(keywords.jmap_name, change.remove))
                if expected != now[id]["keywords"].keys():
                    found[id] = {"keywords": now[id]["keywords"]}
            if change.muted and change.collapsed is None:
                found.setdefault(id, {})["collapsed"] = True
    return found


# /import.


class EmailImport(Wire, kw_only=True, forbid_unknown_fields=True):
    """RFC 8621 §4.8."""

    blob_id: Any = None
    mailbox_ids: Any = None
    keywords: Any = None
    received_at: Any = None


class ImportArguments(AccountArguments, kw_only=True):
    """RFC 8621 §4.8."""

    if_in_state: str | None = None
    emails: dict[str, Record]


class ImportResponse(Wire, kw_only=True):
    """RFC 8621 §4.8."""

    account_id: str
    old_state: str | None
    new_state: str
    created: dict[str, Record] | None
    not_created: dict[str, Record] | None


async def import_(call: Call, arguments: ImportArguments) -> ImportResponse:
    """Email/import."""
    with call.app.store.read() as tx:
        old = state_of(call.reach(tx))
    standard.check_set(
        SetArguments(account_id=call.account_id, if_in_state=arguments.if_in_state, create=arguments.emails), old
    )
    created: dict[str, Record] = {}
    failed: dict[str, Record] = {}

    async def store(name: str, new: _New) -> None:
        try:
            _, created[name] = await _stored(call, new)
        except Problem as problem:
            failed[name] = _set_error(problem).fields

    items = list(arguments.emails.items())
    for at in range(0, len(items), _AT_ONCE):
        async with trio.open_nursery() as nursery:
            for name, raw in items[at : at + _AT_ONCE]:
                try:
                    nursery.start_soon(store, name, await _imported(call, raw))
                except SetError as error:
                    failed[name] = error.fields
                except Problem as problem:
                    failed[name] = _set_error(problem).fields
    created = {name: created[name] for name in arguments.emails if name in created}
    call.created.update({name: one["id"] for name, one in created.items()})
    with call.app.store.read() as tx:
        new_state = state_of(call.reach(tx))
    return ImportResponse(
        account_id=call.account_id,
        old_state=old,
        new_state=new_state,
        created=created or None,
        not_created=failed or None,
    )


async def _imported(call: Call, raw: Record) -> _New:
    """A message that is in a blob. Raises SetError, Problem."""
    try:
        one = msgspec.convert(raw, EmailImport)
    except msgspec.ValidationError as error:
        raise invalid_properties(str(error)) from error
    if not isinstance(one.blob_id, str):
        raise invalid_properties("that is no blob", "blobId")
    mailbox = mailbox_of(call, one.mailbox_ids)
    flags = keywords.checked({} if one.keywords is None else one.keywords)
    received = received_of(one.received_at)
    async with call.app.store.spool() as spool:
        spooled = await spooled_blob(call, one.blob_id, spool, mend=True)
        if spooled is None:
            raise invalid_properties("there is no such blob", "blobId")
        if not spooled.scanned.fields:
            raise SetError("invalidEmail", "that is no message")
        upload = await messages.prepare_upload(
            call.app, call.actor, spooled, flags, received or _last_received(spooled)
        )
    return _New(mailbox, upload)


def _last_received(spooled: Spooled) -> datetime | None:
    """What the uppermost Received field says."""
    value = header.get(spooled.scanned.header, spooled.scanned.fields, b"Received")
    when = date.parse(value.rpartition(b";")[2]) if value and b";" in value else None
    return when if when is not None and 1970 <= when.year < 9999 else None


# /copy.


class CopyArguments(Arguments, kw_only=True):
    """RFC 8620 §5.4."""

    from_account_id: str
    if_from_in_state: str | None = None
    account_id: str
    if_in_state: str | None = None
    create: dict[str, Record]
    on_success_destroy_original: bool = False
    destroy_from_if_in_state: str | None = None


class EmailCopy(Wire, kw_only=True, forbid_unknown_fields=True):
    """RFC 8621 §4.7."""

    id: str
    mailbox_ids: Any = None
    keywords: Any = None
    received_at: Any = None


class CopyResponse(Wire, kw_only=True):
    """RFC 8620 §5.4."""

    from_account_id: str
    account_id: str
    old_state: str | None
    new_state: str
    created: dict[str, Record] | None
    not_created: dict[str, Record] | None


async def copy(call: Call, arguments: CopyArguments) -> CopyResponse:
    """Email/copy."""
    if arguments.from_account_id == arguments.account_id:
        raise MethodError("invalidArguments", "the accounts are the same")
    there = call.at(arguments.from_account_id)
    if there is None:
        raise MethodError("fromAccountNotFound")
    with call.app.store.read() as tx:
        old, state_there = state_of(call.reach(tx)), state_of(there.reach(tx))
    if arguments.if_from_in_state not in {None, state_there}:
        raise MethodError("stateMismatch")
    standard.check_set(
        SetArguments(account_id=call.account_id, if_in_state=arguments.if_in_state, create=arguments.create), old
    )
    created: dict[str, Record] = {}
    failed: dict[str, Record] = {}
    originals: list[str] = []
    for name, raw in arguments.create.items():
        try:
            original, created[name] = await _copied(call, there, raw)
            originals.append(original)
        except SetError as error:
            failed[name] = error.fields
        except NoSuchMessage:
            failed[name] = SetError("notFound").fields
        except Problem as problem:
            failed[name] = _set_error(problem).fields
    call.created.update({name: one["id"] for name, one in created.items()})
    if arguments.on_success_destroy_original and originals:
        destroy: Record = {"accountId": arguments.from_account_id, "destroy": originals}
        if arguments.destroy_from_if_in_state is not None:
            destroy["ifInState"] = arguments.destroy_from_if_in_state
        call.follow("Email/set", destroy)
    with call.app.store.read() as tx:
        new_state = state_of(call.reach(tx))
    return CopyResponse(
        from_account_id=arguments.from_account_id,
        account_id=call.account_id,
        old_state=old,
        new_state=new_state,
        created=created or None,
        not_created=failed or None,
    )


async def _copied(call: Call, there: Call, raw: Record) -> tuple[str, Record]:
    """The id of the original, and the copy as its client is told. Raises SetError, Problem."""
    try:
        one = msgspec.convert(raw, EmailCopy)
    except msgspec.ValidationError as error:
        raise invalid_properties(str(error)) from error
    id = call.resolve(one.id)
    number = objectid.parse("M", there.account, id)
    if number is None:
        raise SetError("notFound")
    target = mailbox_of(call, one.mailbox_ids)
    flags = None if one.keywords is None else keywords.checked(one.keywords)
    received = received_of(one.received_at)
    row = await messages.copy_one(call.app, call.actor, there.account, number, target, flags, received)
    return id, _told(call, row)


METHODS: Final = (
    Method("Email/set", MAIL, SetArguments, set_, changes=True, shared=True),
    Method("Email/import", MAIL, ImportArguments, import_, changes=True, shared=True),
    Method("Email/copy", MAIL, CopyArguments, copy, changes=True, shared=True),
)
