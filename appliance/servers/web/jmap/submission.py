"""EmailSubmission/* (RFC 8621 §7): sending, sending later, taking back; and what became of it.

A submission is remembered for some weeks. Its state is a number of the account's own; of those that are remembered no
more nobody knows which they were, so changes since before that cannot be calculated.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import trio

from appliance.base import limits
from appliance.base.metrics import Counter
from appliance.base.problem import Problem
from appliance.operations import submissions
from appliance.operations.actor import NotAllowed
from appliance.operations.identities import NoSuchIdentity
from appliance.operations.submissions import (
    BadEmail,
    BadEnvelope,
    CannotUnsend,
    EnvelopeAddress,
    ForbiddenFrom,
    ForbiddenSender,
    InvalidRecipients,
    NoRecipients,
    TooLarge,
    TooManyRecipients,
    Wanted,
)
from appliance.operations.submit import TooManyMessages, TooManyNewRecipients
from appliance.servers.web.jmap import blobs, standard
from appliance.servers.web.jmap.call import SUBMISSION, Call, Method, Wire
from appliance.servers.web.jmap.problem import SUBMIT, MethodError, SetError, errors, invalid_properties
from appliance.servers.web.jmap.standard import (
    ChangesArguments,
    ChangesResponse,
    Comparator,
    GetArguments,
    GetResponse,
    QueryArguments,
    QueryChangesArguments,
    QueryChangesResponse,
    QueryResponse,
    Record,
    SetArguments,
    SetFunctions,
    SetResponse,
)
from appliance.store import objectid, submission as store
from appliance.store.problems import NoSuchMessage
from appliance.store.tables import AccountID, SubmissionID
from appliance.store.transaction import ReadTx
from appliance.store.webrecords import Submission, SubmissionRecipient

results = Counter("webmail_submission_total", "Messages sent by JMAP.", ("result",))
#: Not the client's; results that end in `error` are looked at by alert rules.
_FAULT: Final = "queueerror"
results.labels(_FAULT)

PROPERTIES: Final = (
    *("id", "identityId", "emailId", "threadId", "envelope", "sendAt", "undoStatus", "deliveryStatus"),
    *("dsnBlobIds", "mdnBlobIds"),
)
_SORTS: Final = ("emailId", "threadId", "sentAt", "sendAt")
#: Above every number.
_NUMBERS: Final = 2**63
_ID: Final = re.compile(r"S([1-9][0-9]{0,9})-([1-9][0-9]{0,18})")


def capability() -> dict[str, Any]:
    """What the session object says of an account (RFC 8621 §1.3.2)."""
    return {
        "maxDelayedSend": limits.SMTP.future_release_seconds,
        "submissionExtensions": {
            "FUTURERELEASE": [str(limits.SMTP.future_release_seconds)],
            "DSN": [],
            "REQUIRETLS": [],
            "SIZE": [],
            "8BITMIME": [],
            "SMTPUTF8": [],
        },
    }


# Ids and records.


def submission_id(account: AccountID, id: int) -> str:
    """What JMAP calls a submission."""
    return f"S{account}-{id}"


def _number(call: Call, id: str) -> SubmissionID:
    """The number in an id; one of none for what is no id of this account."""
    found = _ID.fullmatch(id)
    if found is None or found[1] != str(call.account) or int(found[2]) >= _NUMBERS:
        return SubmissionID(0)
    return SubmissionID(int(found[2]))


def record(account: AccountID, one: Submission, recipients: Sequence[SubmissionRecipient]) -> Record:
    """One as JMAP has it."""
    return {
        "id": submission_id(account, one.id),
        "identityId": one.identity,
        "emailId": objectid.message(account, one.message),
        "threadId": objectid.thread(account, one.thread),
        "envelope": {
            "mailFrom": {"email": one.mail_from, "parameters": one.mail_parameters or None},
            "rcptTo": [{"email": told.email, "parameters": told.parameters or None} for told in recipients],
        },
        "sendAt": standard.utc_date(one.send_at),
        "undoStatus": one.undo_status,
        "deliveryStatus": {
            told.email: {
                "smtpReply": told.reply or "250 2.0.0 queued",
                "delivered": told.delivered,
                "displayed": "yes" if told.displayed else "unknown",
            }
            for told in recipients
        },
        "dsnBlobIds": [blobs.message_blob(account, message) for message in one.notices],
        "mdnBlobIds": [blobs.message_blob(account, message) for message in one.answers],
    }


def state(call: Call) -> str:
    """As it is now."""
    with call.app.store.read() as tx:
        return str(store.singletons(tx, call.account).state)


async def get(call: Call, arguments: GetArguments) -> GetResponse:
    """EmailSubmission/get (RFC 8621 §7.1)."""
    standard.wanted_properties(arguments.properties, PROPERTIES)
    wanted = None if arguments.ids is None else [_number(call, id) for id in standard.wanted_ids(call, arguments.ids)]

    def look() -> tuple[str, dict[str, Record]]:
        with call.app.store.read() as tx:
            return str(store.singletons(tx, call.account).state), _records(tx, call.account, wanted)

    now, found = await trio.to_thread.run_sync(look)
    return standard.get(call, arguments, now, found)


def _records(tx: ReadTx, account: AccountID, wanted: Sequence[SubmissionID] | None) -> dict[str, Record]:
    """Raises MethodError: requestTooLarge."""
    if wanted is None:
        wanted = [one.id for _, one in zip(range(limits.JMAP_GET_OBJECTS + 1), store.all_of(tx, account), strict=False)]
        if len(wanted) > limits.JMAP_GET_OBJECTS:
            raise MethodError("requestTooLarge", f"there are more than {limits.JMAP_GET_OBJECTS}")
    found = {}
    for id in wanted:
        one = store.find(tx, account, id)
        if one is not None:
            found[submission_id(account, id)] = record(account, one, store.recipients(tx, account, id))
    return found


async def changes(call: Call, arguments: ChangesArguments) -> ChangesResponse:
    """EmailSubmission/changes (RFC 8621 §7.2)."""
    most = min(arguments.max_changes or limits.JMAP_GET_OBJECTS, limits.JMAP_GET_OBJECTS)

    def look() -> ChangesResponse:
        with call.app.store.read() as tx:
            known = store.singletons(tx, call.account)
            since = standard.modseq_of(arguments.since_state, known.state, known.forgotten)
            some = [one for _, one in zip(range(most + 1), store.changed_since(tx, call.account, since), strict=False)]
        has_more, some = len(some) > most, some[:most]
        return ChangesResponse(
            account_id=call.account_id,
            old_state=arguments.since_state,
            new_state=str(some[-1].state if has_more else known.state),
            has_more_changes=has_more,
            created=[submission_id(call.account, one.id) for one in some if one.create_state > since],
            updated=[submission_id(call.account, one.id) for one in some if one.create_state <= since],
            destroyed=[],
        )

    return await trio.to_thread.run_sync(look)


# Looking for some.


class Condition(Wire, forbid_unknown_fields=True):
    """RFC 8621 §7.3."""

    identity_ids: list[str] | None = None
    email_ids: list[str] | None = None
    thread_ids: list[str] | None = None
    undo_status: str | None = None
    before: str | None = None
    after: str | None = None


def _matches(call: Call) -> Callable[[Condition], Callable[[Submission], bool]]:
    """What makes tests of conditions. These raise MethodError: invalidArguments."""

    def numbers(kind: str, ids: list[str] | None) -> frozenset[int | None] | None:
        if ids is None:
            return None
        return frozenset(objectid.parse(kind, call.account, call.resolve(id)) for id in ids)

    def moment(name: str, text: str | None) -> int | None:
        try:
            return None if text is None else standard.parse_utc_date(text)
        except ValueError as error:
            raise MethodError("invalidArguments", f"filter: {name} is no date and time in UTC") from error

    def make(one: Condition) -> Callable[[Submission], bool]:
        owners = None if one.identity_ids is None else frozenset(map(call.resolve, one.identity_ids))
        emails, threads = numbers("M", one.email_ids), numbers("T", one.thread_ids)
        before, after = moment("before", one.before), moment("after", one.after)

        def test(sent: Submission) -> bool:
            return (
                (owners is None or sent.identity in owners)
                and (emails is None or sent.message in emails)
                and (threads is None or sent.thread in threads)
                and (one.undo_status is None or sent.undo_status == one.undo_status)
                and (before is None or sent.send_at < before)
                and (after is None or sent.send_at >= after)
            )

        return test

    return make


def _found(call: Call, tx: ReadTx, filter: Record | None, sort: Sequence[Record] | None) -> list[str]:
    """Ids of those that match, in order."""
    test = standard.filter_of(filter, Condition, matches=_matches(call))
    found = [one for one in store.all_of(tx, call.account) if test(one)]
    for comparator in reversed(standard.comparators_of(sort, _SORTS, Comparator)):
        found.sort(key=_KEYS[comparator.property], reverse=not comparator.is_ascending)
    return [submission_id(call.account, one.id) for one in found]


_KEYS: Final[dict[str, Callable[[Submission], int]]] = {
    "emailId": lambda one: one.message,
    "threadId": lambda one: one.thread,
    "sentAt": lambda one: one.send_at,
    "sendAt": lambda one: one.send_at,
}


async def query(call: Call, arguments: QueryArguments) -> QueryResponse:
    """EmailSubmission/query (RFC 8621 §7.3)."""

    def look() -> tuple[str, list[str]]:
        with call.app.store.read() as tx:
            return str(store.singletons(tx, call.account).state), _found(call, tx, arguments.filter, arguments.sort)

    now, ids = await trio.to_thread.run_sync(look)
    return standard.query(call, arguments, now, ids, can_calculate_changes=True)


async def query_changes(call: Call, arguments: QueryChangesArguments) -> QueryChangesResponse:
    """EmailSubmission/queryChanges (RFC 8621 §7.4)."""

    def look() -> tuple[str, list[str], list[str]]:
        with call.app.store.read() as tx:
            known = store.singletons(tx, call.account)
            since = standard.modseq_of(arguments.since_query_state, known.state, known.forgotten)
            touched = [submission_id(call.account, one.id) for one in store.changed_since(tx, call.account, since)]
            return str(known.state), touched, _found(call, tx, arguments.filter, arguments.sort)

    now, touched, ids = await trio.to_thread.run_sync(look)
    return standard.query_changes(call, arguments, now, touched, ids)


# Changing.


class SubmissionSetArguments(SetArguments, kw_only=True):
    """RFC 8621 §7.5."""

    on_success_update_email: dict[str, Record] | None = None
    on_success_destroy_email: list[str] | None = None


class _Address(Wire, forbid_unknown_fields=True):
    email: str
    parameters: dict[str, str | None] | None = None

    def as_wanted(self) -> EnvelopeAddress:
        return EnvelopeAddress(self.email, self.parameters or {})


class _Envelope(Wire, forbid_unknown_fields=True):
    mail_from: _Address
    rcpt_to: list[_Address]


class _Creation(Wire, forbid_unknown_fields=True):
    identity_id: str
    email_id: str
    envelope: _Envelope | None = None


async def set_(call: Call, arguments: SubmissionSetArguments) -> SetResponse:
    """EmailSubmission/set, and the Email/set that follows from it (RFC 8621 §7.5)."""
    emails: dict[str, str] = {}

    def remember(id: str) -> Submission:
        """Which Email a submission is of. Raises SetError."""
        with call.app.store.read() as tx:
            one = store.find(tx, call.account, _number(call, id))
        if one is None:
            raise SetError("notFound")
        emails[id] = objectid.message(call.account, one.message)
        return one

    async def create(properties: Record) -> Record:
        made = await _create(call, properties)
        emails[made["id"]] = made.pop("emailId")
        return made

    async def update(id: str, patch: Record) -> None:
        one = remember(id)
        if wrong := [name for name in patch if name != "undoStatus"]:
            raise invalid_properties("these stay as they are", *wrong[:20])
        wanted = patch.get("undoStatus", one.undo_status)
        if wanted == one.undo_status:
            return
        if wanted != "canceled":
            raise invalid_properties("it can only be canceled", "undoStatus")
        try:
            await submissions.cancel(call.app, call.actor, call.config, one.id)
        except CannotUnsend as problem:
            raise SetError("cannotUnsend", str(problem)) from problem

    async def destroy(id: str) -> None:
        await submissions.forget(call.app, call.actor, remember(id).id)

    functions = SetFunctions(create=create, update=update, destroy=destroy)
    response = await standard.set_each(call, arguments, lambda: state(call), functions)
    _follow(call, arguments, response, emails)
    return response


def _follow(call: Call, arguments: SubmissionSetArguments, response: SetResponse, emails: dict[str, str]) -> None:
    """What is to be done with the Emails of submissions that were created, changed or destroyed."""
    done = {one["id"] for one in (response.created or {}).values()}
    done.update(response.updated or {}, response.destroyed or ())
    update: dict[str, Record] = {}
    for name, patch in (arguments.on_success_update_email or {}).items():
        id = call.resolve(name)
        if id in done:
            update[emails[id]] = patch
    ids = map(call.resolve, arguments.on_success_destroy_email or ())
    destroy = list(dict.fromkeys(emails[id] for id in ids if id in done))
    if update or destroy:
        following: dict[str, Any] = {"accountId": call.account_id}
        if update:
            following["update"] = update
        if destroy:
            following["destroy"] = destroy
        call.follow("Email/set", following)


async def _create(call: Call, properties: Record) -> Record:
    """Submit one; what the client does not know of it, with its emailId. Raises SetError."""
    new = standard.converted(properties, _Creation)
    id = objectid.parse("M", call.account, call.resolve(new.email_id))
    if id is None:
        raise invalid_properties("there is no such Email", "emailId")
    envelope = None
    if new.envelope is not None:
        envelope = new.envelope.mail_from.as_wanted(), [one.as_wanted() for one in new.envelope.rcpt_to]
    wanted = Wanted(
        identity=call.resolve(new.identity_id),
        message=id,
        envelope=envelope,
        max_octets=call.max_message_octets,
        trace=call.trace() if call.trace is not None else None,
    )
    try:
        # The client may leave now: what it has sent is sent.
        with trio.CancelScope(shield=True):
            one = await submissions.create(call.app, call.actor, call.config, wanted, log=call.log)
    except (*_REFUSED, NotAllowed) as problem:
        results.labels(_result(problem)).inc()
        raise _refused(problem, call.max_message_octets) from problem
    except Problem:
        results.labels(_FAULT).inc()
        errors.labels(SUBMIT).inc()
        raise
    results.labels("ok").inc()
    with call.app.store.read() as tx:
        made = record(call.account, one, store.recipients(tx, call.account, one.id))
    kept = ("id", "emailId", "threadId", "sendAt", "undoStatus", "deliveryStatus", "dsnBlobIds", "mdnBlobIds")
    names = kept if new.envelope is not None else (*kept, "envelope")
    return {name: made[name] for name in names}


_REFUSED: Final = (
    NoSuchMessage,
    NoSuchIdentity,
    BadEmail,
    BadEnvelope,
    NoRecipients,
    TooManyRecipients,
    InvalidRecipients,
    ForbiddenSender,
    ForbiddenFrom,
    TooLarge,
    TooManyMessages,
    TooManyNewRecipients,
)


def _result(problem: Exception) -> str:
    """What a submission that was not made counts as."""
    match problem:
        case TooManyMessages() | TooManyNewRecipients():
            return problem.result
        case ForbiddenSender() | ForbiddenFrom() | NotAllowed():
            return "badfrom"
        case _:
            return "badmessage"


def _refused(problem: Exception, max_octets: int) -> SetError:
    """Why a submission was not made, in the words of RFC 8621 §7.5."""
    said = str(problem)
    match problem:
        case NoSuchMessage():
            return invalid_properties(said, "emailId")
        case NoSuchIdentity():
            return invalid_properties(said, "identityId")
        case BadEnvelope():
            return invalid_properties(said, "envelope")
        case BadEmail(names=names):
            return SetError("invalidEmail", said, properties=list(names))
        case NoRecipients():
            return SetError("noRecipients", said)
        case TooManyRecipients():
            return SetError("tooManyRecipients", said, maxRecipients=limits.SMTP.recipients)
        case InvalidRecipients(invalid=invalid):
            return SetError("invalidRecipients", said, invalidRecipients=list(invalid))
        case ForbiddenSender():
            return SetError("forbiddenMailFrom", said)
        case ForbiddenFrom():
            return SetError("forbiddenFrom", said)
        case TooLarge():
            return SetError("tooLarge", said, maxSize=max_octets)
        case _:
            return SetError("forbiddenToSend", said)


METHODS: Final = (
    Method("EmailSubmission/get", SUBMISSION, GetArguments, get),
    Method("EmailSubmission/changes", SUBMISSION, ChangesArguments, changes),
    Method("EmailSubmission/query", SUBMISSION, QueryArguments, query),
    Method("EmailSubmission/queryChanges", SUBMISSION, QueryChangesArguments, query_changes),
    Method("EmailSubmission/set", SUBMISSION, SubmissionSetArguments, set_, changes=True),
)
